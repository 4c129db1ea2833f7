//! Tolerance: how far apart digests of the same job are on honest machines, how far apart those of other pictures are, and
//! the profile that tells the ones from the others (arXiv 2307.01898).
//!
//! For a distance t, `match(t)` is the share of honest pairs (one job, two device profiles) within t, and `coll(t)` the share
//! of pairs of other pictures within t: of the same prompt from other noise, or of other prompts. The joint rule asks it
//! of all four lanes.

mod interval;

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

use alloy::primitives::B256;
use serde::Serialize;

pub use self::interval::{Share, upper_bound};
use crate::{
    dataset::{Dataset, Provenance},
    digest::{Digest, LANES, MAX_ACCEPT, MAX_REJECT, ToleranceProfile, Zone},
};

/// Bits of a lane.
const BITS: usize = 64;

/// How many pairs are how far apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distances {
    /// By lane, most significant first, and bits.
    lanes: [[u64; BITS + 1]; 4],
    /// By the bits of the lane that is furthest apart.
    joint: [u64; BITS + 1],
    pairs: u64,
}

/// What data sets tell of a model.
#[derive(Debug, Clone)]
pub struct Measurement {
    /// Pairs of one job on two device profiles.
    pub honest: Distances,
    /// The jobs that were made on more than one, each by how far apart the two are that differ most in a lane. They are
    /// independent of each other, as pairs of one job are not.
    pub jobs: Distances,
    /// The same pairs by the names of their two profiles.
    pub by_profiles: BTreeMap<(String, String), Distances>,
    /// Pairs of the same prompt from other noise, of the first set.
    pub same_prompt: Distances,
    /// Pairs of other prompts, of the first set.
    pub other_prompt: Distances,
    first: Vec<(usize, Digest)>,
}

/// What a profile must keep to: shares of jobs, of which more may not be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Of those where an honest pair does not accept each other.
    pub unpaid: f64,
    /// Of those where an honest pair rejects each other, and somebody may be slashed.
    pub slashed: f64,
    /// Bits on top of every accept distance, as far as the registry takes it: for machines that were not measured.
    pub margin: u8,
}

/// How many of some pairs a profile puts where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Zones {
    /// Pairs that accept each other.
    pub accepted: u64,
    /// Neither.
    pub grey: u64,
    /// Pairs that reject each other.
    pub rejected: u64,
}

/// Why data sets tell nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ToleranceError {
    /// Of another model, another spec, or with fraud.
    #[error("{one} and {other} are not of the same model and spec: what they say cannot be taken together")]
    Apart {
        /// One of them, by its device profile and machine.
        one: String,
        /// The other.
        other: String,
    },
    /// Not made as an honest verifier makes it.
    #[error("the set of {of} shows a fraud ({fraud}), and tells nothing of honest machines")]
    Fraud {
        /// Its device profile and machine.
        of: String,
        /// Which.
        fraud: String,
    },
    /// One set, or sets without a job in common.
    #[error("no job was made on two device profiles: give data sets with the same prompts and seeds, two at least")]
    NoPairs,
    /// No profile that the registry takes.
    #[error(
        "no profile fits: in the {} lane, honest machines are more than {most} bits apart in up to {share:.2e} of the jobs, and {wanted:.2e} is asked for; measure more jobs, permit fewer ways to compute, or ask for less",
        LANES[*lane]
    )]
    NoProfile {
        /// The lane.
        lane: usize,
        /// The largest distance that the registry takes.
        most: u8,
        /// The upper bound of the share beyond it.
        share: f64,
        /// The largest share that was asked for.
        wanted: f64,
    },
}

impl Default for Distances {
    fn default() -> Self {
        Self { lanes: [[0; BITS + 1]; 4], joint: [0; BITS + 1], pairs: 0 }
    }
}

impl Distances {
    /// Counts a pair that is so many bits apart, lane by lane.
    pub fn count(&mut self, distances: [u32; 4]) {
        for (lane, bits) in self.lanes.iter_mut().zip(distances) {
            lane[bits as usize] += 1;
        }
        self.joint[distances.into_iter().max().unwrap_or_default() as usize] += 1;
        self.pairs += 1;
    }

    /// Pairs in all.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Pairs with at most `bits` between them in that lane.
    #[must_use]
    pub fn within(&self, lane: usize, bits: u8) -> Share {
        Share { of: self.pairs, count: self.lanes[lane][..=usize::from(bits)].iter().sum() }
    }

    /// Pairs with at most `bits` between them in every lane.
    #[must_use]
    pub fn within_all(&self, bits: u8) -> Share {
        Share { of: self.pairs, count: self.joint[..=usize::from(bits)].iter().sum() }
    }

    /// Pairs with more than `bits` between them in that lane.
    #[must_use]
    pub fn beyond(&self, lane: usize, bits: u8) -> Share {
        let Share { of, count } = self.within(lane, bits);
        Share { of, count: of - count }
    }

    /// The two that are furthest apart in that lane; 0 without any.
    #[must_use]
    pub fn furthest(&self, lane: usize) -> u8 {
        (0..=BITS as u8).rev().find(|&bits| self.lanes[lane][usize::from(bits)] > 0).unwrap_or_default()
    }
}

impl Measurement {
    /// Of sets of the same jobs, each made in one way. What is told of other pictures is told by the first one.
    pub fn of(sets: &[Dataset]) -> Result<Self, ToleranceError> {
        let Some(first) = sets.first() else { return Err(ToleranceError::NoPairs) };
        for set in sets {
            let of = name(&set.provenance);
            if let Some(fraud) = set.provenance.fraud.clone() {
                return Err(ToleranceError::Fraud { of, fraud });
            }
            if (set.provenance.files, &set.provenance.spec) != (first.provenance.files, &first.provenance.spec) {
                return Err(ToleranceError::Apart { one: name(&first.provenance), other: of });
            }
        }

        let (mut honest, mut jobs, mut by_profiles) = (Distances::default(), Distances::default(), BTreeMap::new());
        let mut made: HashMap<_, Vec<(&str, Digest)>> = HashMap::new();
        for set in sets {
            for row in &set.rows {
                made.entry((&*row.prompt, row.seed)).or_default().push((&set.provenance.device_profile, row.digest));
            }
        }
        for digests in made.values().filter(|digests| digests.len() > 1) {
            let mut furthest = [0; 4];
            for (number, (one, digest)) in digests.iter().enumerate() {
                for (other, theirs) in &digests[number + 1..] {
                    let distances = digest.distances(theirs);
                    let profiles = ((*one).to_owned(), (*other).to_owned());
                    by_profiles.entry(profiles).or_insert_with(Distances::default).count(distances);
                    honest.count(distances);
                    furthest = [0, 1, 2, 3].map(|lane: usize| distances[lane].max(furthest[lane]));
                }
            }
            jobs.count(furthest);
        }
        if jobs.pairs() == 0 {
            return Err(ToleranceError::NoPairs);
        }

        let mut prompts = HashMap::new();
        let first: Vec<_> = first
            .rows
            .iter()
            .map(|row| {
                let count = prompts.len();
                (*prompts.entry(&*row.prompt).or_insert(count), row.digest)
            })
            .collect();
        let (mut same_prompt, mut other_prompt) = (Distances::default(), Distances::default());
        each_pair(&first, |same, distances| if same { &mut same_prompt } else { &mut other_prompt }.count(distances));
        Ok(Self { honest, jobs, by_profiles, same_prompt, other_prompt, first })
    }

    /// The tightest profile that the registry takes and that keeps to what is wanted, at 95 % confidence and over all
    /// lanes together. Its evidence is left open.
    pub fn propose(&self, wanted: Wanted) -> Result<ToleranceProfile, ToleranceError> {
        let (mut accept, mut reject) = ([0; 4], [0; 4]);
        for lane in 0..4 {
            let smallest = |mut range: RangeInclusive<u8>, wanted: f64| {
                let (wanted, most) = (wanted / 4.0, *range.end());
                let fits = |&bits: &u8| upper_bound(self.jobs.beyond(lane, bits)) <= wanted;
                let share = upper_bound(self.jobs.beyond(lane, most));
                range.find(fits).ok_or(ToleranceError::NoProfile { lane, most, share, wanted })
            };
            accept[lane] = smallest(0..=MAX_ACCEPT, wanted.unpaid)?.saturating_add(wanted.margin).min(MAX_ACCEPT);
            reject[lane] = smallest(2 * accept[lane]..=MAX_REJECT, wanted.slashed)?;
        }
        Ok(ToleranceProfile { accept, reject, evidence: B256::ZERO })
    }

    /// Where a profile puts pairs of other pictures: of the same prompt, and of other prompts.
    #[must_use]
    pub fn others_by(&self, profile: &ToleranceProfile) -> (Zones, Zones) {
        let (mut same_prompt, mut other_prompt) = (Zones::default(), Zones::default());
        each_pair(&self.first, |same, distances| {
            let zones = if same { &mut same_prompt } else { &mut other_prompt };
            match profile.zone_of(distances) {
                Zone::Accepted => zones.accepted += 1,
                Zone::Grey => zones.grey += 1,
                Zone::Rejected => zones.rejected += 1,
            }
        });
        (same_prompt, other_prompt)
    }
}

/// Tells of each pair whether it is of one prompt, and how far it is apart.
fn each_pair(digests: &[(usize, Digest)], mut told: impl FnMut(bool, [u32; 4])) {
    for (number, (prompt, digest)) in digests.iter().enumerate() {
        for (other, theirs) in &digests[number + 1..] {
            told(prompt == other, digest.distances(theirs));
        }
    }
}

fn name(provenance: &Provenance) -> String {
    format!("{} on {}", provenance.device_profile, provenance.machine)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
