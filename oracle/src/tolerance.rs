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
    sync::Arc,
};

use alloy::primitives::B256;
use serde::Serialize;

pub use self::interval::{Share, upper_bound};
use crate::{
    compare::{Columns, Histogram, Pairs, histograms, largest, matches},
    dataset::{Dataset, Provenance},
    digest::{Digest, LANES, MAX_ACCEPT, MAX_REJECT, ToleranceProfile},
};

/// How many pairs are how far apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distances {
    /// By lane, most significant first.
    pub lanes: [Histogram; 4],
    /// By the lane that is furthest apart.
    pub joint: Histogram,
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
    /// Pairs of the same prompt from other noise, of the largest set.
    pub same_prompt: Distances,
    /// Pairs of other prompts, of the largest set.
    pub other_prompt: Distances,
    /// The same jobs, one by one.
    apart: Vec<Apart>,
    others: Others,
}

/// A job on two device profiles at least.
#[derive(Debug, Clone)]
struct Apart {
    prompt: Arc<str>,
    seed: u32,
    /// By lane, of the two that differ most in it.
    bits: [u32; 4],
}

/// What somebody gets who searches for jobs on which honest machines part, to have them fail.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// Jobs whose noise could be chosen too (a fixed seed), in which honest machines do not accept each other: each of them
    /// is found by trying all.
    pub fixed_seed: Share,
    /// With fresh noise only the prompt can be chosen. These were furthest apart on average, by half of their seeds: a tenth of
    /// all prompts.
    pub prompts: Vec<String>,
    /// Jobs of those prompts, from their other seeds, in which honest machines do not accept each other.
    pub fresh_noise: Share,
    /// Bits in the furthest lane, on average: of all jobs.
    pub bits: f64,
    /// Of those of the chosen prompts' other seeds.
    pub bits_of_prompts: f64,
}

/// Digests of other pictures.
#[derive(Debug, Clone)]
struct Others {
    by_prompt: Vec<Columns>,
    all: Columns,
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
    pub accepted: Share,
    /// Neither.
    pub grey: Share,
    /// Pairs that reject each other.
    pub rejected: Share,
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

impl Distances {
    /// Of all these pairs.
    #[must_use]
    pub fn of(pairs: &[Pairs<'_>]) -> Self {
        Self { lanes: histograms(pairs), joint: largest(pairs) }
    }

    /// Takes in those of other pairs.
    pub fn add(&mut self, other: &Self) {
        self.lanes.iter_mut().zip(&other.lanes).for_each(|(lane, other)| lane.add(other));
        self.joint.add(&other.joint);
    }

    /// Counts a pair that is so many bits apart, lane by lane.
    pub fn count(&mut self, distances: [u32; 4]) {
        self.lanes.iter_mut().zip(distances).for_each(|(lane, bits)| lane.count(bits));
        self.joint.count(distances.into_iter().max().unwrap_or_default());
    }

    fn without(mut self, part: &Self) -> Self {
        self.lanes.iter_mut().zip(&part.lanes).for_each(|(lane, part)| lane.remove(part));
        self.joint.remove(&part.joint);
        self
    }

    /// Pairs in all.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.joint.pairs()
    }

    /// Pairs with at most `bits` between them in that lane.
    #[must_use]
    pub fn within(&self, lane: usize, bits: u8) -> Share {
        Share { of: self.pairs(), count: self.lanes[lane].within(bits.into()) }
    }

    /// Pairs with at most `bits` between them in every lane.
    #[must_use]
    pub fn within_all(&self, bits: u8) -> Share {
        Share { of: self.pairs(), count: self.joint.within(bits.into()) }
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
        self.lanes[lane].0.iter().rposition(|&pairs| pairs > 0).map_or(0, |bits| bits as u8)
    }
}

impl Measurement {
    /// Of sets of the same jobs, each made in one way. What is told of other pictures is told by the largest one.
    pub fn of(sets: &[Dataset]) -> Result<Self, ToleranceError> {
        let Some(first) = sets.first() else { return Err(ToleranceError::NoPairs) };
        for set in sets {
            let of = name(&set.provenance);
            if let Some(fraud) = set.provenance.fraud.clone() {
                return Err(ToleranceError::Fraud { of, fraud });
            }
            if !set.provenance.same_jobs(&first.provenance) {
                return Err(ToleranceError::Apart { one: name(&first.provenance), other: of });
            }
        }

        let (mut honest, mut jobs, mut by_profiles) = (Distances::default(), Distances::default(), BTreeMap::new());
        let (mut made, mut apart) = (BTreeMap::<_, Vec<(&str, Digest)>>::new(), Vec::new());
        for set in sets {
            for row in &set.rows {
                made.entry((&row.prompt, row.seed)).or_default().push((&set.provenance.device_profile, row.digest));
            }
        }
        for ((prompt, seed), digests) in made.iter().filter(|(_, digests)| digests.len() > 1) {
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
            apart.push(Apart { prompt: (*prompt).clone(), seed: *seed, bits: furthest });
        }
        if jobs.pairs() == 0 {
            return Err(ToleranceError::NoPairs);
        }

        // Of equally large ones the first.
        let others = Others::of(sets.iter().rev().max_by_key(|set| set.rows.len()).unwrap_or(first));
        let same_prompt = Distances::of(&others.same_prompt());
        let other_prompt = Distances::of(&[Pairs::Within(&others.all)]).without(&same_prompt);
        Ok(Self { honest, jobs, by_profiles, same_prompt, other_prompt, apart, others })
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

    /// Where a profile puts honest machines, by job: the two of them that differ most in a lane.
    #[must_use]
    pub fn honest_by(&self, profile: &ToleranceProfile) -> Zones {
        let within = |bits| self.apart.iter().filter(|job| job.within(bits)).count() as u64;
        Zones::of(self.apart.len() as u64, within(profile.accept), within(profile.reject))
    }

    /// What a search for jobs finds on which honest machines part by that profile.
    #[must_use]
    pub fn search(&self, profile: &ToleranceProfile) -> Search {
        let unpaid = |jobs: &[&Apart]| Share {
            count: jobs.iter().filter(|job| !job.within(profile.accept)).count() as u64,
            of: jobs.len() as u64,
        };
        let mean = |jobs: &[&Apart]| {
            let bits: u32 = jobs.iter().map(|job| job.bits.into_iter().max().unwrap_or_default()).sum();
            f64::from(bits) / jobs.len().max(1) as f64
        };
        let mut by_prompt: BTreeMap<&str, [Vec<&Apart>; 2]> = BTreeMap::new();
        for job in &self.apart {
            by_prompt.entry(&job.prompt).or_default()[job.seed as usize % 2].push(job);
        }
        let mut prompts: Vec<_> =
            by_prompt.into_iter().map(|(prompt, [even, odd])| (mean(&odd), prompt, even)).collect();
        prompts.sort_by(|(one, ..), (other, ..)| other.total_cmp(one));
        prompts.truncate(prompts.len().div_ceil(10));
        let others: Vec<_> = prompts.iter().flat_map(|(.., even)| even.iter().copied()).collect();
        let all: Vec<_> = self.apart.iter().collect();
        Search {
            fixed_seed: unpaid(&all),
            prompts: prompts.into_iter().map(|(_, prompt, _)| prompt.to_owned()).collect(),
            fresh_noise: unpaid(&others),
            bits: mean(&all),
            bits_of_prompts: mean(&others),
        }
    }

    /// Where a profile puts pairs of other pictures: of the same prompt, and of other prompts.
    #[must_use]
    pub fn others_by(&self, profile: &ToleranceProfile) -> (Zones, Zones) {
        let counted = |pairs: &[Pairs<'_>]| {
            let all: u64 = pairs.iter().map(Pairs::count).sum();
            [all, matches(pairs, profile.accept), matches(pairs, profile.reject)]
        };
        let same_prompt = counted(&self.others.same_prompt());
        let all = counted(&[Pairs::Within(&self.others.all)]);
        let [pairs, accepted, unslashed] = [0, 1, 2].map(|at: usize| all[at] - same_prompt[at]);
        (Zones::of(same_prompt[0], same_prompt[1], same_prompt[2]), Zones::of(pairs, accepted, unslashed))
    }
}

impl Zones {
    /// Of so many pairs, those that accept each other and those that do not reject each other.
    fn of(pairs: u64, accepted: u64, unslashed: u64) -> Self {
        let share = |count| Share { count, of: pairs };
        Self { accepted: share(accepted), grey: share(unslashed - accepted), rejected: share(pairs - unslashed) }
    }
}

impl Apart {
    fn within(&self, bits: [u8; 4]) -> bool {
        self.bits.iter().zip(bits).all(|(apart, bits)| *apart <= bits.into())
    }
}

impl Others {
    fn of(set: &Dataset) -> Self {
        let mut by_prompt: HashMap<_, Columns> = HashMap::new();
        for row in &set.rows {
            by_prompt.entry(&*row.prompt).or_default().push(&row.digest);
        }
        Self { by_prompt: by_prompt.into_values().collect(), all: set.rows.iter().map(|row| row.digest).collect() }
    }

    fn same_prompt(&self) -> Vec<Pairs<'_>> {
        self.by_prompt.iter().map(Pairs::Within).collect()
    }
}

fn name(provenance: &Provenance) -> String {
    format!("{} on {}", provenance.device_profile, provenance.machine)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
