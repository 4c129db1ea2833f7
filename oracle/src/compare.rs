//! Comparing: Hamming distances of all pairs of large sets of digests. Exact, and on all cores.
//!
//! What calibrations ask is how far the digests of one prompt with different seeds are apart: all pairs within a class,
//! of which 1,300 pictures of each of 1,000 classes have 844 million. [`histograms`] counts them by the distance of each
//! lane, [`largest`] by that of the lane that differs most, and [`matches()`] those that a tolerance accepts.

mod classes;
mod kernel;
mod processor;

use std::ops::Range;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::{Serialize, Serializer};

pub use self::classes::{Classes, ClassesError};
use self::{
    kernel::{Kernel, Largest, Matches, PerLane, Sum},
    processor::Processor,
};
use crate::digest::Digest;

/// A lane of 64 bits has so many distances, from 0.
pub const BINS: usize = 65;

/// Digests that are compared with each other, from each side. So many columns are 8 kB, and stay in the nearest cache.
const BLOCK: usize = 256;

/// Digests, lane by lane, as processors like them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    lanes: [Vec<u64>; 4],
}

/// Pairs of digests that are to be compared.
#[derive(Debug, Clone, Copy)]
pub enum Pairs<'a> {
    /// Each digest of a set with each other one, once.
    Within(&'a Columns),
    /// Each digest of one set with each of another.
    Between(&'a Columns, &'a Columns),
}

/// How many pairs have each distance, from 0 to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram(pub [u64; BINS]);

/// Pairs by the distance of each lane, most significant lane first.
#[must_use]
pub fn histograms(pairs: &[Pairs<'_>]) -> [Histogram; 4] {
    count(Processor::new(), pairs, PerLane::default).total()
}

/// Pairs by the largest of their four distances: up to `t` there are as many as agree when every lane may differ by `t`.
#[must_use]
pub fn largest(pairs: &[Pairs<'_>]) -> Histogram {
    count(Processor::new(), pairs, Largest::default).total()
}

/// How many pairs have every lane within its accept distance, in bits, most significant lane first.
#[must_use]
pub fn matches(pairs: &[Pairs<'_>], accept: [u8; 4]) -> u64 {
    count(Processor::new(), pairs, || Matches::within(accept)).total()
}

/// The sum of all distances, in bits: four differences and population counts a pair and their sum, which is the least that
/// any comparison has to do.
#[must_use]
pub fn sum(pairs: &[Pairs<'_>]) -> u64 {
    count(Processor::new(), pairs, Sum::default).total()
}

impl Columns {
    /// Adds one more.
    pub fn push(&mut self, digest: &Digest) {
        for (column, lane) in self.lanes.iter_mut().zip(digest.lanes()) {
            column.push(lane);
        }
    }

    /// How many digests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes[0].len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn row(&self, at: usize) -> [u64; 4] {
        self.lanes.each_ref().map(|lane| lane[at])
    }

    fn block(&self, from: usize, to: usize) -> [&[u64]; 4] {
        self.lanes.each_ref().map(|lane| &lane[from..to])
    }
}

impl FromIterator<Digest> for Columns {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        let mut columns = Self::default();
        digests.into_iter().for_each(|digest| columns.push(&digest));
        columns
    }
}

impl Pairs<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Within(set) => set.len() as u64 * (set.len() as u64).saturating_sub(1) / 2,
            Self::Between(a, b) => a.len() as u64 * b.len() as u64,
        }
    }

    fn rows(&self) -> &Columns {
        match self {
            Self::Within(set) | Self::Between(set, _) => set,
        }
    }

    fn columns(&self) -> &Columns {
        match self {
            Self::Within(set) | Self::Between(_, set) => set,
        }
    }

    /// The first column that a row is compared with.
    fn first(&self, row: usize) -> usize {
        match self {
            Self::Within(_) => row + 1,
            Self::Between(..) => 0,
        }
    }
}

impl Histogram {
    /// Of nothing.
    pub const EMPTY: Self = Self([0; BINS]);

    /// All of them.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those up to a distance, in bits.
    #[must_use]
    pub fn within(&self, bits: usize) -> u64 {
        self.0.iter().take(bits + 1).sum()
    }

    /// One pair more.
    pub(crate) fn count(&mut self, bits: u32) {
        self.0[bits as usize] += 1;
    }

    /// Takes away what is part of it.
    pub(crate) fn remove(&mut self, part: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(part.0) {
            *mine -= theirs;
        }
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0)
    }
}

/// A stretch of rows, with all columns that they are compared with.
struct Strip<'a> {
    pairs: Pairs<'a>,
    rows: Range<usize>,
}

fn count<K: Kernel>(processor: Processor, pairs: &[Pairs<'_>], empty: impl Fn() -> K + Sync) -> K {
    let strips: Vec<_> = pairs.iter().flat_map(strips).collect();
    let add = |mut kernel: K, strip: &Strip<'_>| {
        strip.count(&mut kernel, processor);
        kernel
    };
    strips.par_iter().fold(&empty, add).reduce(&empty, K::merge)
}

fn strips<'a>(pairs: &Pairs<'a>) -> impl Iterator<Item = Strip<'a>> + use<'a> {
    let (pairs, rows) = (*pairs, pairs.rows().len());
    (0..rows).step_by(BLOCK).map(move |from| Strip { pairs, rows: from..rows.min(from + BLOCK) })
}

impl Strip<'_> {
    fn count<K: Kernel>(&self, kernel: &mut K, processor: Processor) {
        let (rows, columns) = (self.pairs.rows(), self.pairs.columns());
        for from in (self.pairs.first(self.rows.start)..columns.len()).step_by(BLOCK) {
            let to = columns.len().min(from + BLOCK);
            kernel.expect(BLOCK * BLOCK);
            processor.run(
                #[inline(always)]
                || {
                    for row in self.rows.clone() {
                        let first = self.pairs.first(row).max(from);
                        if first < to {
                            kernel.row(rows.row(row), columns.block(first, to));
                        }
                    }
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn set(digests: &[Digest]) -> Columns {
        digests.iter().copied().collect()
    }

    /// Of pairs, one after the other.
    fn naive(pairs: &[(Digest, Digest)], accept: [u8; 4]) -> ([Histogram; 4], Histogram, u64) {
        let (mut lanes, mut largest, mut matches) = ([Histogram::EMPTY; 4], Histogram::EMPTY, 0);
        for (a, b) in pairs {
            let distances = a.distances(b).map(|bits| bits as usize);
            for (lane, bits) in lanes.iter_mut().zip(distances) {
                lane.0[bits] += 1;
            }
            largest.0[distances.into_iter().max().unwrap_or_default()] += 1;
            matches += u64::from(distances.iter().zip(accept).all(|(&bits, most)| bits <= usize::from(most)));
        }
        (lanes, largest, matches)
    }

    fn all(processor: Processor, pairs: &[Pairs<'_>], accept: [u8; 4]) -> ([Histogram; 4], Histogram, u64) {
        (
            count(processor, pairs, PerLane::default).total(),
            count(processor, pairs, Largest::default).total(),
            count(processor, pairs, || Matches::within(accept)).total(),
        )
    }

    fn within(digests: &[Digest]) -> impl Iterator<Item = (Digest, Digest)> {
        digests.iter().enumerate().flat_map(|(at, &a)| digests[at + 1..].iter().map(move |&b| (a, b)))
    }

    fn between(a: &[Digest], b: &[Digest]) -> impl Iterator<Item = (Digest, Digest)> {
        a.iter().flat_map(move |&a| b.iter().map(move |&b| (a, b)))
    }

    /// Of up to so many digests, of which some are near each other.
    fn class(most: usize) -> impl Strategy<Value = Vec<Digest>> {
        let lane = prop_oneof![any::<u64>(), (0..64_u32).prop_map(|bits| (1 << bits) - 1), Just(0), Just(u64::MAX)];
        vec([lane.clone(), lane.clone(), lane.clone(), lane].prop_map(Digest::from_lanes), 0..most)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn every_processor_counts_as_one_does_by_hand(
            classes in vec(class(40), 0..4),
            sides in (class(40), class(40)),
            accept in [0..=64_u8, 0..=64_u8, 0..=64_u8, 0..=64_u8],
        ) {
            let sets: Vec<_> = classes.iter().map(|class| set(class)).collect();
            let (a, b) = (set(&sides.0), set(&sides.1));
            let pairs: Vec<_> = sets.iter().map(Pairs::Within).chain([Pairs::Between(&a, &b)]).collect();
            let by_hand: Vec<_> = classes.iter().flat_map(|class| within(class)).chain(between(&sides.0, &sides.1)).collect();

            prop_assert_eq!(pairs.iter().map(Pairs::count).sum::<u64>(), by_hand.len() as u64);
            for processor in Processor::all() {
                prop_assert_eq!(all(processor, &pairs, accept), naive(&by_hand, accept));
            }
        }
    }

    /// Numbers that look random, the same in every run.
    fn scattered(count: u64) -> Vec<Digest> {
        let mix = |number: u64| (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        (0..count).map(|at| Digest::from_lanes([1, 2, 3, 4].map(|lane| mix(mix(4 * at + lane))))).collect()
    }

    #[test]
    fn sets_of_several_blocks_are_counted_whole() {
        let (small, large) = (scattered(255), scattered(2 * BLOCK as u64 + 11));
        let (a, b) = (set(&small), set(&large));
        let pairs = [Pairs::Within(&a), Pairs::Within(&b), Pairs::Between(&a, &b), Pairs::Between(&b, &a)];
        let both = between(&small, &large).chain(between(&large, &small));
        let by_hand: Vec<_> = within(&small).chain(within(&large)).chain(both).collect();
        let accept = [30, 35, 40, 34];
        let (lanes, joint, near) = naive(&by_hand, accept);

        assert!(near > 0 && near < by_hand.len() as u64, "{near}");
        assert_eq!((histograms(&pairs), largest(&pairs), matches(&pairs, accept)), (lanes, joint, near));
    }

    #[test]
    fn the_sum_is_that_of_the_histograms() {
        let (a, b) = (set(&scattered(300)), set(&scattered(20)));
        let pairs = [Pairs::Within(&a), Pairs::Between(&b, &a)];
        let of_lane = |lane: Histogram| lane.0.iter().zip(0..).map(|(count, bits)| count * bits).sum::<u64>();
        assert_eq!(sum(&pairs), histograms(&pairs).map(of_lane).iter().sum::<u64>());
    }

    #[test]
    fn distances_are_known() {
        let ones = |bits: u32| (1_u64 << bits) - 1;
        let digests = [[0; 4], [ones(1), ones(10), u64::MAX, 0]].map(Digest::from_lanes);
        let set = set(&digests);
        let pairs = [Pairs::Within(&set)];

        let found = histograms(&pairs).map(|lane| lane.0.iter().position(|&count| count == 1));
        assert_eq!(found, [Some(1), Some(10), Some(64), Some(0)]);
        assert_eq!(largest(&pairs).0[64], 1);
        assert_eq!([matches(&pairs, [1, 10, 64, 0]), matches(&pairs, [1, 9, 64, 0])], [1, 0]);
    }

    #[test]
    fn classes_are_not_mixed_and_small_ones_have_no_pairs() {
        let same = |count: usize| set(&vec![Digest([7; 32]); count]);
        let classes = [0, 1, 2, 3].map(same);
        let pairs = classes.each_ref().map(Pairs::Within);

        assert_eq!(pairs.map(|pairs| pairs.count()), [0, 0, 1, 3]);
        assert_eq!(matches(&pairs, [0; 4]), 4);
        assert_eq!(histograms(&pairs).map(|lane| (lane.0[0], lane.pairs())), [(4, 4); 4]);
        assert_eq!(matches(&[Pairs::Between(&classes[0], &classes[3])], [64; 4]), 0);
        assert_eq!(largest(&[]), Histogram::EMPTY);
    }

    #[test]
    fn tables_are_emptied_before_they_overflow() {
        let mut kernel = PerLane::default();
        for _ in 0..3 {
            kernel.expect(u32::MAX as usize);
            kernel.one([1, 2, 3, 4]);
        }
        let [first, .., last] = kernel.total();
        assert_eq!([first.0[1], last.0[4]], [3, 3]);
        assert_eq!([first.within(0), first.within(1), first.pairs()], [0, 3, 3]);
    }
}
