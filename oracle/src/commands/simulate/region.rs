//! Where the protocol keeps what it promises, by the share of the pool that stands together: the bond at which a fraud loses, and
//! how often honest seats are slashed.

use std::ops::Range;

use oracle::{
    odds::{Committee, LEAST_SUPER_MAJORITY, Odds, Pool},
    simulation::{Account, Appeals, Measured, Outcome, Population, Setting, SimulationError, Strategy, play},
};
use serde::Serialize;

use super::HONEST_SLASHED;
use crate::commands::terminal::Progress;

/// Shares of the pool in percent: those that are reckoned, and those that are played.
pub(super) const RINGS: Range<u32> = 1..80;
const PLAYED: [u32; 8] = [5, 10, 20, 30, 40, 50, 60, 70];

/// Seats of the first committees.
const SIZES: [u8; 4] = [3, 5, 7, 15];

/// Jobs for each ring that is played, at least.
const LEAST_JOBS: u64 = 1_000;

/// Of one size of first committees. In a pool of honest seats and a ring.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Curve {
    /// Seats of the first one.
    pub(super) committee: u8,
    /// By ring, from 1 % of the pool.
    pub(super) exact: Vec<Exact>,
    pub(super) played: Vec<Played>,
    /// Largest ring of these that loses with the bond that is played for, as all smaller ones do.
    pub(super) fraud_loses_up_to: f64,
    /// Largest ring with which less than one last word in 100,000 is wrong if somebody watches, as with all smaller ones.
    pub(super) honest_safe_up_to: f64,
    /// The same without appeals.
    pub(super) honest_safe_at_once_up_to: f64,
}

/// By the exact odds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exact {
    /// Share of the pool.
    pub(super) ring: f64,
    /// In shares, where a drawn seat of the ring neither gains nor loses if the first verdict is the last word; none if no
    /// bond is enough.
    pub(super) bond: Option<f64>,
    /// Chance of a wrong last word, which slashes the honest seats, if somebody watches and appeals.
    pub(super) wrong: f64,
    /// Chance of a wrong first verdict.
    pub(super) wrong_at_once: f64,
}

/// By simulation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Played {
    /// Share of the pool.
    pub(super) ring: f64,
    /// See [`Exact::bond`]; none if the ring was never slashed.
    pub(super) bond: Option<f64>,
    /// Share of the jobs in which an honest seat is slashed if somebody watches and appeals.
    pub(super) slashed: f64,
}

/// Of a pool of so many seats. Plays so many jobs with each ring.
pub(super) fn explore(
    measured: &Measured,
    setting: &Setting,
    seats: u32,
    jobs: u64,
    seed: u64,
    progress: &mut Progress,
) -> Result<Vec<Curve>, SimulationError> {
    let least = if setting.committee.super_majority { LEAST_SUPER_MAJORITY } else { 0 };
    let sizes = SIZES.into_iter().filter(|&size| size >= least && u32::from(size) <= seats);
    let agreement = measured.agreeing(&setting.profile).value();
    let curve = |size: u8| {
        progress.step(format!("playing committees of {size} against rings"));
        let setting = Setting { committee: Committee { size, ..setting.committee }, ..*setting };
        let exact: Vec<_> = RINGS.map(|percent| Exact::of(setting.committee, seats, percent, agreement)).collect();
        let played = PLAYED.map(|percent| Played::of(measured, &setting, seats, percent, jobs.max(LEAST_JOBS), seed));
        let up_to = |holds: &dyn Fn(&Exact) -> bool| {
            exact.iter().take_while(|exact| holds(exact)).last().map_or(0.0, |exact| exact.ring)
        };
        Ok(Curve {
            committee: size,
            fraud_loses_up_to: up_to(&|exact| exact.bond.is_some_and(|bond| bond < setting.bond)),
            honest_safe_up_to: up_to(&|exact| exact.wrong < HONEST_SLASHED),
            honest_safe_at_once_up_to: up_to(&|exact| exact.wrong_at_once < HONEST_SLASHED),
            exact,
            played: played.into_iter().collect::<Result<_, _>>()?,
        })
    };
    sizes.map(curve).collect()
}

impl Exact {
    fn of(committee: Committee, seats: u32, percent: u32, agreement: f64) -> Self {
        let pool = Pool::Finite { seats, hostile: ring_of(seats, percent) };
        let odds = Odds { committee, pool, agreement, rejection: 1.0 - agreement };
        Self {
            ring: f64::from(percent) / 100.0,
            bond: Some(odds.fraud(0.0).bond).filter(|bond| bond.is_finite()),
            wrong: odds.appealed().watched,
            wrong_at_once: odds.verdicts().wrong,
        }
    }
}

impl Played {
    fn of(
        measured: &Measured,
        setting: &Setting,
        seats: u32,
        percent: u32,
        jobs: u64,
        seed: u64,
    ) -> Result<Self, SimulationError> {
        let ring = ring_of(seats, percent);
        let population = Population { honest: seats - ring, ring, ..Population::default() };
        let outcome = |appeals| play(measured, &Setting { appeals, ..*setting }, &population, jobs, seed);
        Ok(Self {
            ring: f64::from(percent) / 100.0,
            bond: even(&outcome(Appeals::Nobody)?),
            slashed: outcome(Appeals::Watched)?.honest_slashed.value(),
        })
    }
}

fn ring_of(seats: u32, percent: u32) -> u32 {
    (f64::from(percent) / 100.0 * f64::from(seats)).round() as u32
}

/// The bond at which the ring neither gains nor loses.
fn even(outcome: &Outcome) -> Option<f64> {
    let ring = outcome.accounts.iter().find(|account| account.strategy == Strategy::Ring);
    ring.filter(|Account { slashed, .. }| *slashed > 0).map(|ring| ring.earned / ring.slashed as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `p' = 1 - C(h, 2) / C(h + d - 1, 2)` and `p' / (1 - p')`, as in `oracle odds`; of 161,700 committees 3 x 90 x 45 have two
    /// of ten, and 120 all three.
    #[test]
    fn a_tenth_of_a_hundred_needs_a_fifth_of_a_share_at_risk() {
        let exact = Exact::of(Committee { size: 3, super_majority: false }, 100, 10, 1.0);
        assert!(exact.bond.is_some_and(|bond| (bond - 0.211_236).abs() < 1e-6), "{exact:?}");
        assert!((exact.wrong_at_once - (90.0 * 45.0 + 120.0) / 161_700.0).abs() < 1e-12, "{exact:?}");
        assert!(exact.wrong < exact.wrong_at_once / 1e6);
    }
}
