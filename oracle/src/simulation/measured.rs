//! What machines have made: the jobs of a simulation, each with the digests that honest and cheap work came to.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use crate::{
    dataset::{Dataset, Provenance},
    digest::{Digest, ToleranceProfile, Zone},
    spec::Spec,
    tolerance::Share,
};

/// Jobs that were made on every device profile, and by every fraud, of the data sets they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The honest device profiles, each with its machine.
    pub profiles: Vec<String>,
    /// What was cheated with, as the data sets say; none if none was measured.
    pub frauds: Vec<String>,
    /// What the jobs ask for, without their prompts.
    pub spec: Spec,
    jobs: Vec<Job>,
}

/// One measured job.
#[derive(Debug, Clone, PartialEq)]
struct Job {
    /// On each of the profiles.
    honest: Vec<Digest>,
    /// Of each of the frauds, on as many profiles as it was measured.
    cheap: Vec<Vec<Digest>>,
    /// The jobs of the same prompt.
    siblings: Range<usize>,
}

/// Why data sets make no simulation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MeasuredError {
    /// Fewer than two honest sets.
    #[error(
        "{profiles} honest device profile(s) among the data sets: how far honest machines drift takes two at least, of the same \
         jobs, as `prover-node calibrate` makes them"
    )]
    NoHonest {
        /// That are there.
        profiles: usize,
    },
    /// Two honest sets that say nothing of each other.
    #[error("{one} and {other} are not of the same model and spec: what they say cannot be taken together")]
    Apart {
        /// One of them, by its device profile and machine.
        one: String,
        /// The other.
        other: String,
    },
    /// A fraud on something else.
    #[error("the fraud {fraud:?} is of another model and another spec than the honest data sets")]
    OtherFraud {
        /// Which.
        fraud: String,
    },
    /// No job is in all of them.
    #[error("no job is in all of the data sets: give sets with the same prompts and seeds")]
    NothingInCommon,
    /// One is in all of them.
    #[error("only one job is in all of the data sets: without another one there is no old digest to submit")]
    OneJob,
}

/// What a data set is: by fraud, device profile and machine. Files with equal ones are parts of one.
type Kind<'a> = (Option<&'a str>, &'a str, &'a str);
type Digests<'a> = HashMap<(&'a Arc<str>, u32), Digest>;

impl Measured {
    /// Of honest sets, two at least, and of any number with a fraud.
    pub fn of(sets: &[Dataset]) -> Result<Self, MeasuredError> {
        let mut honest_sets = sets.iter().map(|set| &set.provenance).filter(|set| set.fraud.is_none());
        let Some(first) = honest_sets.next() else { return Err(MeasuredError::NoHonest { profiles: 0 }) };
        let is_same = |set: &Provenance| (set.files, &set.spec) == (first.files, &first.spec);
        if let Some(other) = honest_sets.find(|set| !is_same(set)) {
            return Err(MeasuredError::Apart { one: name(first), other: name(other) });
        }
        // Fewer steps are another spec of the same weights, and other weights have the same spec.
        let is_near = |set: &Provenance| set.files == first.files || set.spec == first.spec;
        if let Some(fraud) =
            sets.iter().map(|set| &set.provenance).filter(|set| !is_near(set)).find_map(|set| set.fraud.clone())
        {
            return Err(MeasuredError::OtherFraud { fraud });
        }

        let mut made: BTreeMap<Kind<'_>, Digests<'_>> = BTreeMap::new();
        for Dataset { provenance, rows } in sets {
            let kind = (provenance.fraud.as_deref(), &*provenance.device_profile, &*provenance.machine);
            made.entry(kind).or_default().extend(rows.iter().map(|row| ((&row.prompt, row.seed), row.digest)));
        }
        let mut honest = Vec::new();
        let mut cheap: BTreeMap<&str, Vec<&Digests<'_>>> = BTreeMap::new();
        for ((fraud, ..), digests) in &made {
            match fraud {
                None => honest.push(digests),
                Some(fraud) => cheap.entry(fraud).or_default().push(digests),
            }
        }
        if honest.len() < 2 {
            return Err(MeasuredError::NoHonest { profiles: honest.len() });
        }

        let everywhere = |job: &(&Arc<str>, u32)| made.values().all(|digests| digests.contains_key(job));
        let mut names: Vec<_> = honest[0].keys().copied().filter(everywhere).collect();
        names.sort_unstable();
        let of = |sets: &[&Digests<'_>], name| sets.iter().filter_map(|digests| digests.get(name).copied()).collect();
        let mut jobs = Vec::with_capacity(names.len());
        for class in names.chunk_by(|(one, _), (other, _)| one == other) {
            let siblings = jobs.len()..jobs.len() + class.len();
            jobs.extend(class.iter().map(|name| Job {
                honest: of(&honest, name),
                cheap: cheap.values().map(|sets| of(sets, name)).collect(),
                siblings: siblings.clone(),
            }));
        }
        match jobs.len() {
            0 => Err(MeasuredError::NothingInCommon),
            1 => Err(MeasuredError::OneJob),
            _ => Ok(Self {
                profiles: made
                    .keys()
                    .filter(|kind| kind.0.is_none())
                    .map(|kind| format!("{} on {}", kind.1, kind.2))
                    .collect(),
                frauds: cheap.into_keys().map(ToOwned::to_owned).collect(),
                spec: first.spec.clone(),
                jobs,
            }),
        }
    }

    /// How many there are: two at least.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Jobs on which two honest profiles reject each other. Where none is seen this still bounds what the measurement can promise,
    /// however often the jobs are played.
    #[must_use]
    pub fn parted(&self, profile: &ToleranceProfile) -> Share {
        let parts = |job: &&Job| pairs(&job.honest).any(|(one, other)| profile.zone(&one, &other) == Zone::Rejected);
        Share { count: self.jobs.iter().filter(parts).count() as u64, of: self.jobs.len() as u64 }
    }

    /// Honest pairs of a job that accept each other.
    #[must_use]
    pub fn agreeing(&self, profile: &ToleranceProfile) -> Share {
        let all = || self.jobs.iter().flat_map(|job| pairs(&job.honest));
        let agrees = |(one, other): &(Digest, Digest)| profile.zone(one, other) == Zone::Accepted;
        Share { count: all().filter(agrees).count() as u64, of: all().count() as u64 }
    }

    /// What a seat of that number gets that makes the job: on the device profile that it has.
    pub(super) fn honest(&self, job: usize, seat: u32) -> Digest {
        of_seat(&self.jobs[job].honest, seat)
    }

    pub(super) fn cheap(&self, job: usize, fraud: usize, seat: u32) -> Digest {
        of_seat(&self.jobs[job].cheap[fraud], seat)
    }

    /// Whether an honest profile accepts it for that job.
    pub(super) fn is_right(&self, job: usize, profile: &ToleranceProfile, digest: &Digest) -> bool {
        self.jobs[job].honest.iter().any(|honest| profile.zone(honest, digest) == Zone::Accepted)
    }

    /// Another job's digest, of the same prompt where there is one: nothing that takes no work is nearer to the right one.
    /// `pick` gives a number below another.
    pub(super) fn old(&self, job: usize, mut pick: impl FnMut(usize) -> usize) -> Digest {
        let siblings = match &self.jobs[job].siblings {
            siblings if siblings.len() > 1 => siblings.clone(),
            _ => 0..self.jobs.len(),
        };
        let other = siblings.start + pick(siblings.len() - 1);
        self.jobs[other + usize::from(other >= job)].honest[0]
    }
}

fn of_seat(digests: &[Digest], seat: u32) -> Digest {
    digests[seat as usize % digests.len()]
}

fn pairs(digests: &[Digest]) -> impl Iterator<Item = (Digest, Digest)> {
    (0..digests.len()).flat_map(move |at| digests[at + 1..].iter().map(move |other| (digests[at], *other)))
}

fn name(provenance: &Provenance) -> String {
    format!("{} on {}", provenance.device_profile, provenance.machine)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::B256;

    use super::*;
    use crate::simulation::tests::{PROFILE, far, set, with_fraud};

    #[test]
    fn only_jobs_that_every_set_has_are_played() {
        let sets = [set("a", 0..40, |_| 0), set("b", 10..50, |_| 3), with_fraud(set("a", 0..20, |_| 12), "10 steps")];
        let measured = Measured::of(&sets).unwrap();
        assert_eq!((measured.jobs(), measured.profiles.len()), (10, 2));
        assert_eq!(measured.frauds, ["10 steps"]);
        assert_eq!(measured.agreeing(&PROFILE), Share { count: 10, of: 10 });
    }

    #[test]
    fn files_of_one_profile_are_taken_together_and_their_order_does_not_matter() {
        let sets = [set("a", 0..20, |_| 0), set("a", 20..40, |_| 0), set("b", 0..40, |_| 1)];
        let [one, two, three] = sets.clone();
        assert_eq!(Measured::of(&sets).unwrap().jobs(), 40);
        assert_eq!(Measured::of(&sets), Measured::of(&[three, two, one]));
    }

    #[test]
    fn jobs_on_which_machines_part_are_counted() {
        let sets = [set("a", 0..100, |_| 0), set("b", 0..100, |job| if job < 7 { 21 } else { 0 })];
        let measured = Measured::of(&sets).unwrap();
        assert_eq!(measured.parted(&PROFILE), Share { count: 7, of: 100 });
        assert_eq!(measured.agreeing(&PROFILE), Share { count: 93, of: 100 });
    }

    #[test]
    fn an_old_digest_is_of_the_same_prompt_and_another_job() {
        let measured = Measured::of(&[set("a", 0..40, |_| 0), set("b", 0..40, |_| 0)]).unwrap();
        for job in 0..40 {
            for choice in 0..3 {
                let old = measured.old(job, |below| choice.min(below - 1));
                let from = (0..40).find(|&other| measured.honest(other, 0) == old).unwrap();
                assert!(from != job && measured.jobs[from].siblings == measured.jobs[job].siblings, "{from} for {job}");
            }
        }
    }

    #[test]
    fn what_makes_no_simulation_is_refused() {
        let honest = set("a", 0..10, |_| 0);
        let cheap = || with_fraud(set("a", 0..10, far), "half of the steps");
        let mut other_model = set("b", 0..10, |_| 0);
        other_model.provenance.files = B256::repeat_byte(2);
        let mut elsewhere = cheap();
        elsewhere.provenance.files = B256::repeat_byte(2);
        elsewhere.provenance.spec = crate::dataset::tests::provenance("a", 7).spec;

        let refused = |sets: &[Dataset]| Measured::of(sets).unwrap_err();
        assert_eq!(refused(&[]), MeasuredError::NoHonest { profiles: 0 });
        assert_eq!(refused(&[cheap()]), MeasuredError::NoHonest { profiles: 0 });
        assert_eq!(refused(&[honest.clone(), cheap()]), MeasuredError::NoHonest { profiles: 1 });
        assert!(matches!(refused(&[honest.clone(), other_model]), MeasuredError::Apart { .. }));
        assert!(matches!(refused(&[honest.clone(), honest.clone(), elsewhere]), MeasuredError::OtherFraud { .. }));
        assert_eq!(refused(&[honest.clone(), set("b", 20..30, |_| 0)]), MeasuredError::NothingInCommon);
        assert_eq!(refused(&[honest, set("b", 9..30, |_| 0)]), MeasuredError::OneJob);
    }
}
