//! The attack board: how often what is no honest output passes for one.
//!
//! A fraud's digests are compared, job by job, with those that honest device profiles have made of the same jobs. It
//! passes if *any* honest verifier would accept it, and is fraud beyond doubt if *every* one would reject it. Jobs are counted,
//! which are independent of each other.

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    dataset::Dataset,
    digest::{Digest, ToleranceProfile, Zone},
    tolerance::Share,
};

/// A job by its prompt and the number of its seed.
type Job<'a> = (&'a str, u32);

/// What honest verifiers say to a fraud, job by job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers<'a>(HashMap<Job<'a>, Answer>);

/// What they say to one digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    zone: Zone,
    /// By lane: whether it alone keeps the digest from being accepted, whoever compares.
    told: [bool; 4],
}

/// Over all jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Jobs in which somebody honest accepts it.
    pub accepted: Share,
    /// Jobs in which everybody honest rejects it, which costs a bond.
    pub rejected: Share,
    /// By lane, most significant first: jobs that this lane alone tells from honest ones.
    pub told: [Share; 4],
}

/// Why a fraud cannot be held against honest sets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// What should be honest is not.
    #[error("the set of {profile} shows a fraud ({fraud}) and cannot say what honest verifiers make")]
    NotHonest {
        /// Its device profile.
        profile: String,
        /// Which.
        fraud: String,
    },
    /// Another model, another spec or another kind of digest.
    #[error("{fraud} was not measured on the jobs of {profile}: the model, the spec or the digest is another")]
    OtherJobs {
        /// The fraud, or the device profile of an honest set.
        fraud: String,
        /// An honest set's.
        profile: String,
    },
    /// No job in common.
    #[error("{0} has no job that an honest set has")]
    NoJobs(String),
}

impl<'a> Answers<'a> {
    /// To the digests of `fraud`, where one honest set at least has the job.
    pub fn to(fraud: &'a Dataset, honest: &[&Dataset], profile: &ToleranceProfile) -> Result<Self, BoardError> {
        let what = fraud.provenance.fraud.as_deref().unwrap_or(&fraud.provenance.device_profile);
        let mut made: HashMap<Job<'_>, Vec<Digest>> = HashMap::new();
        for set in honest {
            let theirs = &set.provenance;
            if let Some(fraud) = theirs.fraud.clone() {
                return Err(BoardError::NotHonest { profile: theirs.device_profile.clone(), fraud });
            }
            if !theirs.same_jobs(&fraud.provenance) {
                return Err(BoardError::OtherJobs { fraud: what.to_owned(), profile: theirs.device_profile.clone() });
            }
            for row in &set.rows {
                made.entry((&row.prompt, row.seed)).or_default().push(row.digest);
            }
        }

        let mut answers = HashMap::new();
        for row in &fraud.rows {
            let job = (&*row.prompt, row.seed);
            let Some(honest) = made.get(&job) else { continue };
            let zones: Vec<_> = honest.iter().map(|digest| profile.zone(digest, &row.digest)).collect();
            let zone = if zones.contains(&Zone::Accepted) {
                Zone::Accepted
            } else if zones.iter().all(|zone| *zone == Zone::Rejected) {
                Zone::Rejected
            } else {
                Zone::Grey
            };
            let distances: Vec<_> = honest.iter().map(|digest| digest.distances(&row.digest)).collect();
            let told = [0, 1, 2, 3]
                .map(|lane: usize| distances.iter().all(|distance| distance[lane] > profile.accept[lane].into()));
            answers.insert(job, Answer { zone, told });
        }
        if answers.is_empty() {
            return Err(BoardError::NoJobs(what.to_owned()));
        }
        Ok(Self(answers))
    }

    /// With a second digest beside the first: what one of them refuses is refused. Jobs that only one has are left out.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = |(job, mine): (&Job<'a>, &Answer)| {
            let theirs = other.0.get(job)?;
            let zone = match (mine.zone, theirs.zone) {
                (Zone::Rejected, _) | (_, Zone::Rejected) => Zone::Rejected,
                (Zone::Accepted, Zone::Accepted) => Zone::Accepted,
                _ => Zone::Grey,
            };
            let told = [0, 1, 2, 3].map(|lane: usize| mine.told[lane] || theirs.told[lane]);
            Some((*job, Answer { zone, told }))
        };
        Self(self.0.iter().filter_map(both).collect())
    }

    /// Counted.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let of = self.0.len() as u64;
        let share =
            |is: &dyn Fn(&Answer) -> bool| Share { count: self.0.values().filter(|it| is(it)).count() as u64, of };
        Outcome {
            accepted: share(&|answer| answer.zone == Zone::Accepted),
            rejected: share(&|answer| answer.zone == Zone::Rejected),
            told: [0, 1, 2, 3].map(|lane: usize| share(&|answer| answer.told[lane])),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::B256;

    use super::*;
    use crate::dataset::{Row, tests::provenance};

    const PROFILE: ToleranceProfile = ToleranceProfile { accept: [2; 4], reject: [4; 4], evidence: B256::ZERO };

    /// Jobs of one prompt, by the lanes of their digests.
    fn set(fraud: Option<&str>, lanes: &[[u64; 4]]) -> Dataset {
        let row = |(seed, lanes): (u32, &[u64; 4])| Row {
            prompt: "a fox".into(),
            seed,
            digest: Digest::from_lanes(*lanes),
            seconds: 1.0,
            margin: None,
        };
        let provenance = crate::dataset::Provenance { fraud: fraud.map(Into::into), ..provenance("cpu", 20) };
        Dataset { provenance, rows: (0..).zip(lanes).map(row).collect() }
    }

    fn share(count: u64, of: u64) -> Share {
        Share { count, of }
    }

    #[test]
    fn it_passes_if_anybody_honest_accepts_it_and_is_rejected_if_all_reject_it() {
        // Bits by which a fraud's lanes are away from the first honest set's; the second one's are six bits from that in the first lane.
        let honest = [set(None, &[[0; 4]; 6]), set(None, &[[0b11_1111, 0, 0, 0]; 6])];
        let away =
            [[0, 0, 0, 0], [0b11_1111, 0, 0, 0], [0b111, 0, 0, 0], [0, 0b111, 0, 0], [0, 0x1f, 0, 0xff], [!0, 0, 0, 0]];
        let fraud = set(Some("a fraud"), &away);
        let found = Answers::to(&fraud, &[&honest[0], &honest[1]], &PROFILE).unwrap().outcome();

        // The first two are what one of them has. The third is three bits from both, so told by the first lane, and grey.
        let told = [share(2, 6), share(2, 6), share(0, 6), share(1, 6)];
        assert_eq!(found, Outcome { accepted: share(2, 6), rejected: share(2, 6), told });
    }

    #[test]
    fn a_second_digest_refuses_what_the_first_lets_pass() {
        let honest = set(None, &[[0; 4]; 3]);
        let (one, other) =
            (set(Some("a"), &[[0; 4], [7, 0, 0, 0], [0; 4]]), set(Some("a"), &[[0; 4], [0; 4], [0, 0, 0, 0xff]]));
        let to = |set| Answers::to(set, &[&honest], &PROFILE).unwrap();
        let both = to(&one).and(&to(&other)).outcome();
        assert_eq!((both.accepted, both.rejected), (share(1, 3), share(1, 3)));
        assert_eq!(both.told, [share(1, 3), share(0, 3), share(0, 3), share(1, 3)]);
    }

    #[test]
    fn only_sets_of_the_same_jobs_can_be_held_against_each_other() {
        let (honest, fraud) = (set(None, &[[0; 4]]), set(Some("a fraud"), &[[0; 4]]));
        let refused = |fraud: &Dataset, honest: &Dataset| Answers::to(fraud, &[honest], &PROFILE).unwrap_err();
        assert!(matches!(refused(&fraud, &fraud), BoardError::NotHonest { .. }));
        let mut other = fraud.clone();
        other.provenance.digest = Some("blocks".into());
        assert!(matches!(refused(&other, &honest), BoardError::OtherJobs { .. }));
        let mut elsewhere = fraud;
        elsewhere.rows[0].seed = 9;
        assert_eq!(refused(&elsewhere, &honest), BoardError::NoJobs("a fraud".into()));
    }
}
