//! Consensus: how often honest machines write the same text, how often a fraud passes for one of theirs, and what a check of
//! texts must tolerate (arXiv 2307.01898 has texts without sampling agree token for token).
//!
//! A *stack* is whatever makes texts in one way: a processor, a program, an arithmetic. Jobs are the trials: they are
//! independent, as pairs of stacks on one job are not.

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::B256;
use serde::Serialize;

use crate::{
    dataset::{Dataset, Provenance},
    digest::Digest,
    spec::{Spec, TextSpec},
    tolerance::{Share, upper_bound},
};

/// What data sets of one model and one decoding tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consensus {
    /// The model's name.
    pub model: String,
    /// Its [`files_hash`](crate::manifest::Manifest::files_hash).
    pub files: B256,
    /// Every job's, without its prompt.
    pub spec: TextSpec,
    /// Honest ones.
    pub stacks: Vec<Stack>,
    /// Of the jobs that all stacks have done, those where at least 2, 3, .. of them wrote the same; the last is all of them.
    /// Empty of one stack.
    pub agreeing: Vec<Share>,
    /// Of the jobs that both have done, those where they wrote the same.
    pub pairs: Vec<Pair>,
    /// What a check must tolerate, of each job on the stack where that is most; `None` if nothing was checked.
    pub margins: Option<Margins>,
    /// What cheaters handed in.
    pub frauds: Vec<Fraud>,
}

/// Who made an honest set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// How it computes.
    pub device_profile: String,
    /// The processor or GPU.
    pub machine: String,
    /// The program.
    pub build: String,
    /// How many.
    pub texts: usize,
    /// What a check must tolerate of this one.
    pub margins: Option<Margins>,
}

/// Two stacks, by their device profiles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// One.
    pub one: String,
    /// The other.
    pub other: String,
    /// How often they wrote the same.
    pub same: Share,
}

/// By how many logits honest texts are off, as a node that checks them sees it: see [`Row::margin`](crate::dataset::Row::margin).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Margins {
    /// Texts that were checked.
    pub checked: usize,
    /// Of the text in the middle.
    pub median: f32,
    /// Of the worst text.
    pub largest: f32,
    /// The smallest tolerance beyond which, with 95 % confidence, there are no more texts than wanted; `None` if even the
    /// worst text leaves that open: then more must be measured.
    pub tau: Option<f32>,
}

/// A fraud, and how it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fraud {
    /// Which.
    pub fraud: String,
    /// Of the texts for jobs that honest stacks have done, those that one of these has written.
    pub same: Share,
    /// Of those that were checked, those that a check with `tau` accepts. `None` without any, or without a tau.
    pub accepted: Option<Share>,
    /// Of the prompts with more than one seed, those whose first two texts are the same: what two stacks would agree on that
    /// draw by chance. `None` without any.
    pub alike: Option<Share>,
}

/// Why data sets tell nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsensusError {
    /// Pictures never agree exactly.
    #[error("the set of {0} has pictures, which are never the same bit for bit: ask `oracle tolerance`")]
    Pictures(String),
    /// The same, twice.
    #[error("two sets are of {0}: nobody agrees with itself; give each once")]
    Twice(String),
}

/// Of each model and spec among the sets, by name and by the width of the search. Honest texts may be beyond tau in a share
/// `wanted` of the jobs, at most; frauds are judged by `tau`, or by the one that follows.
pub fn consensus(sets: &[Dataset], wanted: f64, tau: Option<f32>) -> Result<Vec<Consensus>, ConsensusError> {
    let mut groups: BTreeMap<_, (&TextSpec, Vec<&Dataset>)> = BTreeMap::new();
    for set in sets {
        let Provenance { model, files, spec, .. } = &set.provenance;
        let Spec::Text(spec) = spec else { return Err(ConsensusError::Pictures(name(&set.provenance))) };
        let key = (model, files, spec.beams, spec.max_tokens, spec.hash());
        groups.entry(key).or_insert_with(|| (spec, Vec::new())).1.push(set);
    }
    groups.into_values().map(|(spec, sets)| of(spec, &sets, wanted, tau)).collect()
}

fn of(spec: &TextSpec, sets: &[&Dataset], wanted: f64, tau: Option<f32>) -> Result<Consensus, ConsensusError> {
    let (honest, frauds): (Vec<&Dataset>, Vec<&Dataset>) =
        sets.iter().copied().partition(|set| set.provenance.fraud.is_none());
    for (number, set) in honest.iter().enumerate() {
        if honest[..number].iter().any(|other| other.provenance == set.provenance) {
            return Err(ConsensusError::Twice(name(&set.provenance)));
        }
    }
    let made: Vec<HashMap<&str, Digest>> =
        honest.iter().map(|set| set.rows.iter().map(|row| (&*row.prompt, row.digest)).collect()).collect();
    let mut worst: HashMap<&str, f32> = HashMap::new();
    for row in honest.iter().flat_map(|set| &set.rows) {
        if let Some(margin) = row.margin {
            let known = worst.entry(&row.prompt).or_default();
            *known = known.max(margin);
        }
    }
    let margins = Margins::of(worst.into_values().collect(), wanted);
    let stack = |set: &&Dataset| Stack {
        device_profile: set.provenance.device_profile.clone(),
        machine: set.provenance.machine.clone(),
        build: set.provenance.build.clone(),
        texts: set.rows.len(),
        margins: Margins::of(set.rows.iter().filter_map(|row| row.margin).collect(), wanted),
    };
    let tau = tau.or(margins.and_then(|margins| margins.tau));
    let first = &sets[0].provenance;
    Ok(Consensus {
        model: first.model.clone(),
        files: first.files,
        spec: spec.clone(),
        stacks: honest.iter().map(stack).collect(),
        agreeing: agreeing(&made),
        pairs: pairs(&honest, &made),
        margins,
        frauds: frauds.into_iter().map(|set| Fraud::of(set, &made, tau)).collect(),
    })
}

/// Of the jobs that all have done, those where at least 2, 3, .. all wrote the same.
fn agreeing(made: &[HashMap<&str, Digest>]) -> Vec<Share> {
    let Some((first, others)) = made.split_first() else { return Vec::new() };
    let mut jobs = 0;
    let mut counts = vec![0; others.len()];
    for (prompt, digest) in first {
        let Some(mut digests) = others.iter().map(|made| made.get(prompt).copied()).collect::<Option<Vec<_>>>() else {
            continue;
        };
        digests.push(*digest);
        jobs += 1;
        let largest = digests.iter().map(|one| digests.iter().filter(|other| *other == one).count()).max();
        counts.iter_mut().take(largest.unwrap_or(1) - 1).for_each(|count| *count += 1);
    }
    counts.into_iter().map(|count| Share { count, of: jobs }).collect()
}

fn pairs(sets: &[&Dataset], made: &[HashMap<&str, Digest>]) -> Vec<Pair> {
    let profile = |number: usize| sets[number].provenance.device_profile.clone();
    let pair = |one: usize, other: usize| {
        let both = made[one].iter().filter_map(|(prompt, digest)| Some(made[other].get(prompt)? == digest));
        Pair { one: profile(one), other: profile(other), same: counted(both) }
    };
    (0..sets.len())
        .flat_map(|one| (one + 1..sets.len()).map(move |other| (one, other)))
        .map(|(a, b)| pair(a, b))
        .collect()
}

fn counted(events: impl Iterator<Item = bool>) -> Share {
    events.fold(Share::default(), |Share { count, of }, is| Share { count: count + u64::from(is), of: of + 1 })
}

impl Margins {
    fn of(mut margins: Vec<f32>, wanted: f64) -> Option<Self> {
        margins.sort_by(f32::total_cmp);
        let (of, largest) = (margins.len() as u64, *margins.last()?);
        let beyond = |tau: f32| margins.len() - margins.partition_point(|margin| *margin <= tau);
        let fits = |tau: &f32| tau.is_finite() && upper_bound(Share { count: beyond(*tau) as u64, of }) <= wanted;
        let tau = margins.iter().copied().find(fits);
        Some(Self { checked: margins.len(), median: margins[margins.len() / 2], largest, tau })
    }
}

impl Fraud {
    fn of(set: &Dataset, made: &[HashMap<&str, Digest>], tau: Option<f32>) -> Self {
        let known = set.rows.iter().filter(|row| made.iter().any(|made| made.contains_key(&*row.prompt)));
        let same = known.map(|row| made.iter().any(|made| made.get(&*row.prompt) == Some(&row.digest)));
        let accepted = tau.map(|tau| counted(set.rows.iter().filter_map(|row| row.margin).map(|margin| margin <= tau)));

        let mut by_prompt: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for row in &set.rows {
            by_prompt.entry(&row.prompt).or_default().push((row.seed, row.digest));
        }
        let alike = by_prompt.into_values().filter_map(|mut drawn| {
            drawn.sort_by_key(|(seed, _)| *seed);
            Some(drawn.first()?.1 == drawn.get(1)?.1)
        });
        let some = |share: Share| (share.of > 0).then_some(share);
        Self {
            fraud: set.provenance.fraud.clone().unwrap_or_default(),
            same: counted(same),
            accepted: accepted.and_then(some),
            alike: some(counted(alike)),
        }
    }
}

fn name(provenance: &Provenance) -> String {
    format!("{} on {}, by {}", provenance.device_profile, provenance.machine, provenance.build)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::keccak256;

    use super::*;
    use crate::{
        dataset::{Row, tests::provenance},
        spec::Message,
    };

    /// A hundred texts; `text` and `margin` say what of each prompt's number and seed.
    fn set(profile: &str, seeds: u32, text: impl Fn(u32, u32) -> u32, margin: impl Fn(u32) -> Option<f32>) -> Dataset {
        let spec = TextSpec { messages: vec![Message::user("")], max_tokens: 24, beams: 1, stops: Vec::new() };
        let row = |number: u32, seed: u32| Row {
            prompt: format!("prompt {number}").into(),
            seed,
            digest: keccak256(format!("{number} {}", text(number, seed))).into(),
            seconds: 1.0,
            margin: margin(number),
        };
        Dataset {
            provenance: Provenance { spec: Spec::Text(spec), ..provenance(profile, 1) },
            rows: (0..100)
                .flat_map(|number| (0..seeds).map(move |seed| (number, seed)))
                .map(|(n, s)| row(n, s))
                .collect(),
        }
    }

    fn with_beams(mut set: Dataset, beams: u8) -> Dataset {
        if let Spec::Text(spec) = &mut set.provenance.spec {
            spec.beams = beams;
        }
        set
    }

    fn fraud(mut set: Dataset, fraud: &str) -> Dataset {
        set.provenance.fraud = Some(fraud.into());
        set
    }

    fn counts(shares: &[Share]) -> Vec<(u64, u64)> {
        shares.iter().map(|share| (share.count, share.of)).collect()
    }

    #[test]
    fn stacks_agree_where_they_wrote_the_same() {
        // b parts from a in every tenth job, c in every fourth, and from each other there.
        let mut c = set("c", 1, |number, _| 2 * u32::from(number % 4 == 0), |_| None);
        let sets = [
            set("a", 1, |_, _| 0, |_| None),
            set("b", 1, |number, _| u32::from(number % 10 == 0), |_| None),
            c.clone(),
            with_beams(set("a", 1, |_, _| 0, |_| None), 4),
        ];
        let found = consensus(&sets, 0.05, None).unwrap();
        assert_eq!(found.iter().map(|found| found.spec.beams).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(counts(&found[0].agreeing), [(95, 100), (70, 100)]);
        assert_eq!(
            counts(&found[0].pairs.iter().map(|pair| pair.same).collect::<Vec<_>>()),
            [(90, 100), (75, 100), (70, 100)]
        );
        assert!(found[1].agreeing.is_empty() && found[1].pairs.is_empty() && found[1].margins.is_none());

        // What one has not done is no disagreement.
        c.rows.truncate(50);
        let found = consensus(&[sets[0].clone(), c], 0.05, None).unwrap();
        assert_eq!(counts(&found[0].agreeing), [(37, 50)]);
    }

    #[test]
    fn tau_leaves_as_many_honest_texts_out_as_is_wanted() {
        let off = |number: u32| Some(if number < 2 { 0.5 + number as f32 } else { 0.001 * number as f32 });
        let sets = [set("a", 1, |_, _| 0, |_| Some(0.0)), set("b", 1, |_, _| 0, off)];
        let tau = |wanted| consensus(&sets, wanted, None).unwrap()[0].margins.unwrap().tau;
        // Of 100 jobs: none beyond leaves open 3 %, one 4.7 %, two 6.2 %.
        assert_eq!([0.02, 0.04, 0.05, 0.07].map(tau), [None, Some(1.5), Some(0.5), Some(0.001 * 99.0)]);
        let found = &consensus(&sets, 0.05, None).unwrap()[0];
        assert_eq!((found.margins.unwrap().checked, found.margins.unwrap().largest), (100, 1.5));
        assert_eq!(found.stacks[0].margins.unwrap().tau, Some(0.0));

        // No tolerance makes a text whole that ends where it must not.
        let never = [set("a", 1, |_, _| 0, |_| Some(f32::INFINITY))];
        assert_eq!(consensus(&never, 0.9, None).unwrap()[0].margins.unwrap().tau, None);
    }

    #[test]
    fn a_fraud_passes_that_is_the_same_or_within_tau() {
        let honest = set("a", 1, |_, _| 0, |number| Some(0.01 * number as f32));
        let drawn =
            fraud(set("a", 2, |number, seed| seed * u32::from(number > 9), |number| Some(number as f32)), "drawn");
        let found = consensus(&[honest.clone(), drawn.clone()], 0.05, Some(4.0)).unwrap();
        let of = &found[0].frauds[0];
        assert_eq!(found[0].stacks.len(), 1, "a fraud is no stack");
        assert_eq!((of.same.count, of.same.of), (110, 200));
        assert_eq!(of.accepted.unwrap(), Share { count: 10, of: 200 });
        assert_eq!(of.alike.unwrap(), Share { count: 10, of: 100 });
        // By the tau that follows from the honest ones: 0.98.
        let found = consensus(&[honest, drawn], 0.05, None).unwrap();
        assert_eq!(found[0].frauds[0].accepted.unwrap(), Share { count: 2, of: 200 });
    }

    #[test]
    fn pictures_and_sets_given_twice_are_refused() {
        let pictures = Dataset { provenance: provenance("a", 20), rows: Vec::new() };
        assert!(matches!(consensus(&[pictures], 0.05, None), Err(ConsensusError::Pictures(_))));
        let texts = set("a", 1, |_, _| 0, |_| None);
        assert!(matches!(consensus(&[texts.clone(), texts], 0.05, None), Err(ConsensusError::Twice(_))));
    }
}
