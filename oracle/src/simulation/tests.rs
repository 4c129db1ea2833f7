use std::ops::Range;

use alloy::primitives::B256;

use super::*;
use crate::{
    dataset::{Dataset, Row, tests::provenance},
    digest::Digest,
    odds::{Odds, Pool},
    tolerance::Share,
};

pub(crate) const PROFILE: ToleranceProfile =
    ToleranceProfile { accept: [10; 4], reject: [20; 4], evidence: B256::ZERO };

/// Jobs of three prompts, of which two in four have a common one; a digest has the first bits of a lane turned over.
pub(crate) fn set(profile: &str, jobs: Range<u32>, turned: impl Fn(u32) -> u32) -> Dataset {
    let row = |job: u32| {
        let mut lanes = Digest::from(keccak256(job.to_be_bytes())).lanes();
        lanes[1] ^= u64::MAX.checked_shl(64 - turned(job)).unwrap_or_default();
        Row {
            prompt: format!("class {}", job % 4 / 2).into(),
            seed: job,
            digest: Digest::from_lanes(lanes),
            seconds: 1.0,
            margin: None,
        }
    };
    Dataset { provenance: provenance(profile, 20), rows: jobs.map(row).collect() }
}

/// Beyond every reject distance.
pub(crate) fn far(_: u32) -> u32 {
    40
}

pub(crate) fn with_fraud(set: Dataset, fraud: &str) -> Dataset {
    let provenance = crate::dataset::Provenance { fraud: Some(fraud.into()), ..set.provenance };
    Dataset { provenance, ..set }
}

/// Of machines that are three bits apart, and of a fraud that is so many.
pub(super) fn measured(fraud: u32) -> Measured {
    let sets = [set("a", 0..40, |_| 0), set("b", 0..40, |_| 3), with_fraud(set("a", 0..40, |_| fraud), "10 steps")];
    Measured::of(&sets).unwrap()
}

pub(super) fn setting(size: u8, appeals: Appeals) -> Setting {
    Setting {
        committee: Committee { size, super_majority: false },
        profile: PROFILE,
        appeals,
        bond: LEAST_BOND,
        making: 0.5,
        cheap: 0.5,
    }
}

fn outcome(fraud: u32, setting: &Setting, population: Population, jobs: u64) -> Outcome {
    play(&measured(fraud), setting, &population, jobs, 7).unwrap()
}

fn profit(outcome: &Outcome, strategy: Strategy) -> Profit {
    let account = outcome.accounts.iter().find(|account| account.strategy == strategy);
    account.unwrap().profit.unwrap()
}

fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} instead of {expected}, within {within}");
}

/// So many standard deviations of a share that is counted.
fn near(found: f64, chance: f64, trials: u64) {
    close(found, chance, 4.5 * (chance * (1.0 - chance) / trials as f64).sqrt() + 1e-12);
}

#[test]
fn honest_seats_earn_a_share_less_their_work_and_gas() {
    let outcome = outcome(0, &setting(3, Appeals::Outvoted), Population { honest: 10, ..Population::default() }, 1_000);
    let Profit { mean, within } = profit(&outcome, Strategy::Honest);
    close(mean, 1.0 - 0.5 - 0.1, 1e-9);
    // What rounding leaves of a difference of squares.
    close(within, 0.0, 1e-7);
    assert_eq!(outcome.accounts[0].served, 3_000);
    assert_eq!(outcome.honest_slashed, Share { count: 0, of: 1_000 });
    assert_eq!((outcome.first.right, outcome.rounds), (1.0, 1.0));
}

/// With one of them on every committee, none of which changes the verdict: gas is a tenth of a share.
#[test]
fn each_strategy_gets_what_the_contract_gives_it() {
    let alone = |population: Population, fraud: u32, strategy| {
        let population = Population { honest: 2, ..population };
        profit(&outcome(fraud, &setting(3, Appeals::Nobody), population, 500), strategy).mean
    };
    let none = Population::default();
    close(alone(Population { lazy: 1, ..none }, 0, Strategy::Lazy), -20.0 - 0.1, 1e-9);
    close(alone(Population { random: 1, ..none }, 0, Strategy::Random), -20.0 - 0.1, 1e-9);
    close(alone(Population { ring: 1, ..none }, 0, Strategy::Ring), -20.0 - 0.1, 1e-9);
    close(alone(Population { hiding: 1, ..none }, 0, Strategy::Hiding), -20.0 - 0.05, 1e-9);
    // Half a share is burned.
    close(alone(Population { silent: 1, ..none }, 0, Strategy::Silent), -0.5, 1e-9);
    // Accepted, grey and rejected by the honest winner.
    let cheap = Strategy::Cheap { fraud: 0 };
    close(alone(Population { cheap: 1, ..none }, 2, cheap), 1.0 - 0.25 - 0.1, 1e-9);
    close(alone(Population { cheap: 1, ..none }, 17, cheap), -0.25 - 0.1, 1e-9);
    close(alone(Population { cheap: 1, ..none }, 40, cheap), -20.0 - 0.25 - 0.1, 1e-9);
}

/// Three random digests: half a share each, and nobody is slashed.
#[test]
fn without_a_verdict_half_a_share_is_paid_and_nobody_is_slashed() {
    let outcome = outcome(0, &setting(3, Appeals::Nobody), Population { random: 3, ..Population::default() }, 200);
    assert_eq!(outcome.last.unresolved, 1.0);
    close(profit(&outcome, Strategy::Random).mean, 0.5 - 0.1, 1e-9);
}

#[test]
fn nobody_loses_a_bond_if_nobody_reveals() {
    let outcome = outcome(0, &setting(3, Appeals::Nobody), Population { hiding: 3, ..Population::default() }, 200);
    assert_eq!(outcome.accounts[0].slashed, 0);
    close(profit(&outcome, Strategy::Hiding).mean, -0.05, 1e-9);
}

/// The ring is all of the committee but one: without appeals it is paid, and the honest seat slashed.
#[test]
fn a_ring_that_holds_the_committee_is_paid_and_slashes_the_honest() {
    let pool = Population { honest: 1, ring: 2, ..Population::default() };
    let outcome = outcome(0, &setting(3, Appeals::Outvoted), pool, 300);
    assert_eq!(outcome.last.wrong, 1.0);
    assert_eq!(outcome.rounds, 1.0, "three seats cannot staff a round of seven");
    assert_eq!(outcome.honest_slashed.count, 300);
    close(profit(&outcome, Strategy::Ring).mean, 1.0 - 0.1, 1e-9);
    close(profit(&outcome, Strategy::Honest).mean, -20.0 - 0.6, 1e-9);
}

/// Against the exact sums, for pools and committees of several sizes: 4.5 standard deviations.
#[test]
fn verdicts_and_money_are_what_the_odds_foretell() {
    const JOBS: u64 = 40_000;
    for (size, super_majority, honest, ring) in
        [(3, false, 70, 30), (5, true, 30, 20), (7, false, 24, 16), (15, false, 60, 40)]
    {
        let committee = Committee { size, super_majority };
        let pool = Pool::Finite { seats: honest + ring, hostile: ring };
        let odds = Odds { committee, pool, agreement: 1.0, rejection: 0.0 };
        let setting = Setting { committee, ..setting(size, Appeals::Nobody) };
        let outcome = outcome(0, &setting, Population { honest, ring, ..Population::default() }, JOBS);

        let verdicts = odds.verdicts();
        near(outcome.first.right, verdicts.right, JOBS);
        near(outcome.first.wrong, verdicts.wrong, JOBS);
        near(outcome.first.unresolved, verdicts.unresolved, JOBS);
        assert_eq!(outcome.first, outcome.last);

        let fraud = odds.fraud(0.0).verdicts;
        let expected = fraud.wrong + fraud.unresolved / 2.0 - fraud.right * LEAST_BOND - 0.1;
        let Profit { mean, within } = profit(&outcome, Strategy::Ring);
        close(mean, expected, within * 4.5 / 1.96);

        let slashed = odds.honest_slashed();
        let expected = (1.0 - slashed) - verdicts_unpaid(odds) - slashed * LEAST_BOND - 0.6;
        let Profit { mean, within } = profit(&outcome, Strategy::Honest);
        close(mean, expected, within * 4.5 / 1.96);
    }
}

/// What an honest seat on the committee does not get because there is no verdict.
fn verdicts_unpaid(odds: Odds) -> f64 {
    let Pool::Finite { seats, hostile } = odds.pool else { panic!("a pool of so many seats") };
    let honest = f64::from(seats - hostile) / f64::from(seats);
    // Given the verdict, all committees of it have the same kinds of seats: no sum but the one over hostile seats will do.
    let quorum = odds.committee.quorum();
    let size = odds.committee.size;
    let choose = |n: u32, k: u32| (0..k).fold(1.0, |ways, at| ways * f64::from(n - at) / f64::from(at + 1));
    let unresolved = (0..=size).filter(|&wrong| wrong < quorum && size - wrong < quorum).map(|wrong| {
        let ways = choose(hostile, wrong.into()) * choose(seats - hostile, u32::from(size - wrong));
        ways / choose(seats, size.into()) * f64::from(size - wrong) / f64::from(size)
    });
    unresolved.sum::<f64>() / honest / 2.0
}

#[test]
fn appeals_leave_the_wrong_last_words_that_the_odds_foretell() {
    const JOBS: u64 = 40_000;
    for (appeals, size) in [(Appeals::Watched, 3), (Appeals::Contested, 3), (Appeals::Watched, 7)] {
        let pool = Pool::Finite { seats: 100, hostile: 45 };
        let committee = Committee { size, super_majority: false };
        let odds = Odds { committee, pool, agreement: 1.0, rejection: 0.0 }.appealed();
        let population = Population { honest: 55, ring: 45, ..Population::default() };
        let outcome = outcome(0, &setting(size, appeals), population, JOBS);
        let wrong = if appeals == Appeals::Watched { odds.watched } else { odds.contested };
        near(outcome.last.wrong, wrong, JOBS);
    }
}

#[test]
fn an_outvoted_seat_appeals_and_the_ring_loses_what_it_had_won() {
    let population = Population { honest: 90, ring: 10, ..Population::default() };
    let outcome = outcome(0, &setting(3, Appeals::Outvoted), population, 20_000);
    assert!(outcome.first.wrong > 0.02 && outcome.rounds > 1.02, "{outcome:?}");
    assert_eq!(outcome.honest_slashed.count, 0);
    // Only where the whole committee is the ring's is nobody outvoted: 120 of 161,700.
    near(outcome.last.wrong, 10.0 * 9.0 * 8.0 / (100.0 * 99.0 * 98.0), 20_000);
    assert!(outcome.accounts[0].appeals < 0.0, "who was right is paid half again: {outcome:?}");
}

#[test]
fn the_same_seed_plays_the_same_jobs_and_another_one_others() {
    let population = Population { honest: 20, lazy: 2, random: 2, ring: 5, ..Population::default() };
    let of = |seed| play(&measured(0), &setting(3, Appeals::Outvoted), &population, 12_345, seed).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert_eq!(of(1).jobs, 12_345);
}

#[test]
fn a_pool_that_cannot_staff_the_committee_is_refused() {
    let population = Population { honest: 4, ..Population::default() };
    let refused = play(&measured(0), &setting(5, Appeals::Nobody), &population, 1, 1);
    assert_eq!(refused, Err(SimulationError::SmallPool { seats: 4, committee: 5 }));
}
