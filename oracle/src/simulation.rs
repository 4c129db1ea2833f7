//! Simulation: a network of honest and other verifiers, job after job, by the protocol's own rules.
//!
//! What is drawn, tallied and paid is what the contracts draw, tally and pay:
//!
//! | rule | from |
//! | --- | --- |
//! | committees: without replacement, `2n + 1` seats after n, four rounds, each from the same pool | `Draws.sol`, [`crate::round`] |
//! | verdicts | `Tally.sol`, [`mod@crate::tally`] |
//! | who judges an earlier round | `Rulings.sol`, [`crate::tally::same`] |
//! | what a seat earns and loses | `Standings.sol`, [`crate::standing`] |
//! | what a round costs, what comes back, what an appellant gets | `Fees.sol` and `Settlements.sol`, [`crate::fees`] |
//! | when an outvoted node appeals | `prover-node/src/node/appeal.rs` |
//!
//! Digests are measured ones: a job is drawn from [`Measured`], and an honest seat submits what its device profile made of that
//! job. The pool stays as it is: whoever is evicted is replaced by a seat of its kind. Keepers' bounties are part of what a
//! round costs, and pay for the gas of keepers; nobody is excused, and there is no royalty.
//!
//! Amounts are in shares: what one seat earns in a round.

mod books;
mod game;
mod measured;

use alloy::primitives::{aliases::U96, keccak256};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use rayon::prelude::*;
use serde::Serialize;

use self::{books::Books, game::Game};
pub use self::{
    books::{Account, Outcome, Profit},
    measured::{Measured, MeasuredError},
};
use crate::{
    chain::IGenerationOracle::{Job, Terms},
    digest::ToleranceProfile,
    fees::{BONDS_IN_A_STAKE, SHARES_IN_A_STAKE, VOTE_GAS},
    odds::{Committee, Verdicts},
};

/// The least bond that the registry takes, in shares.
pub const LEAST_BOND: f64 = (SHARES_IN_A_STAKE / BONDS_IN_A_STAKE) as f64;

/// The most that making can cost where a share is as `oracle submit` takes it without being told, in shares: a quarter more than the least,
/// which is the price of the work and three times the gas of a vote.
pub const MOST_MAKING: f64 = 0.8;

/// In wei. Any would do that a quarter and a bond of it are whole.
const SHARE: u64 = 1_000_000_000_000_000;

/// Jobs that are played by one pair of dice, whatever machine plays them.
const CHUNK: u64 = 5_000;

/// What a seat does when it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Strategy {
    /// Makes the job, on its own device profile.
    Honest,
    /// Makes nothing, and submits an old digest of the same prompt: it cannot copy, for commitments are hidden.
    Lazy,
    /// Makes nothing, and submits random bits.
    Random,
    /// Says nothing.
    Silent,
    /// Commits, and never reveals.
    Hiding,
    /// Makes nothing, and submits the same old digest as all others of its ring.
    Ring,
    /// Makes something cheaper, as measured.
    #[serde(rename_all = "camelCase")]
    Cheap {
        /// Number of the fraud in [`Measured::frauds`].
        fraud: usize,
    },
}

/// Who looks at a verdict again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Appeals {
    /// Nobody: the first verdict is the last word.
    Nobody,
    /// Honest seats whose digests the verdict does not accept, where `prover-node` would appeal.
    Outvoted,
    /// Somebody who makes every job again, and appeals against every verdict that is not right.
    Watched,
    /// The same, and the ring appeals against every one that is right.
    Contested,
}

/// Seats of a pool, by what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Population {
    /// See [`Strategy::Honest`].
    pub honest: u32,
    /// See [`Strategy::Lazy`].
    pub lazy: u32,
    /// See [`Strategy::Random`].
    pub random: u32,
    /// See [`Strategy::Silent`].
    pub silent: u32,
    /// See [`Strategy::Hiding`].
    pub hiding: u32,
    /// See [`Strategy::Ring`].
    pub ring: u32,
    /// See [`Strategy::Cheap`]: so many of each fraud that was measured.
    pub cheap: u32,
}

/// What all jobs of a simulation have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Of the first round.
    pub committee: Committee,
    /// What a digest is accepted and rejected by.
    pub profile: ToleranceProfile,
    /// Who appeals.
    pub appeals: Appeals,
    /// What a seat has at risk, in shares: the registry takes [`LEAST_BOND`] or more.
    pub bond: f64,
    /// What making a job honestly costs, in shares: 0 to [`MOST_MAKING`]. A vote's gas follows from it.
    pub making: f64,
    /// The part of that which a cheap approximation costs: 0 to 1.
    pub cheap: f64,
}

/// Why a simulation cannot be played.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// The first round cannot be staffed.
    #[error(
        "a pool of {seats} seats cannot staff a committee of {committee}: ask for more seats, or for a smaller committee"
    )]
    SmallPool {
        /// Of all kinds.
        seats: u32,
        /// Its size.
        committee: u8,
    },
}

impl Setting {
    /// What the gas of a commitment and its opening costs, in shares: a share is 5/4 of the price of the work and three times that
    /// gas, and the price is what making costs.
    #[must_use]
    pub fn gas(&self) -> f64 {
        (MOST_MAKING - self.making) / 3.0
    }

    /// What a seat pays for a round that it is drawn in, in shares.
    #[must_use]
    pub fn cost(&self, strategy: Strategy) -> f64 {
        match strategy {
            Strategy::Honest => self.making + self.gas(),
            Strategy::Cheap { .. } => self.cheap * self.making + self.gas(),
            Strategy::Lazy | Strategy::Random | Strategy::Ring => self.gas(),
            // A commitment is about half of it.
            Strategy::Hiding => self.gas() / 2.0,
            Strategy::Silent => 0.0,
        }
    }

    /// A request's terms, and what the chain adds to them.
    fn job(&self, seats: u32) -> Job {
        let Committee { size, super_majority } = self.committee;
        let terms =
            Terms { committeeSize: size, superMajority: super_majority, share: U96::from(SHARE), ..Terms::default() };
        // Twice the base fee, as in `fees::foreseen`.
        let gas_price = 2.0 * self.gas() * SHARE as f64 / VOTE_GAS as f64;
        Job {
            terms,
            bond: U96::from((self.bond * SHARE as f64) as u128),
            accept: self.profile.accept.into(),
            reject: self.profile.reject.into(),
            gasPrice: gas_price as u64,
            poolSlots: seats,
            poolSeats: seats,
            ..Job::default()
        }
    }
}

impl Population {
    /// Kinds that there are, each with its number of seats.
    #[must_use]
    pub fn strategies(&self, frauds: usize) -> Vec<(Strategy, u32)> {
        let plain = [
            (Strategy::Honest, self.honest),
            (Strategy::Lazy, self.lazy),
            (Strategy::Random, self.random),
            (Strategy::Silent, self.silent),
            (Strategy::Hiding, self.hiding),
            (Strategy::Ring, self.ring),
        ];
        let cheap = (0..frauds).map(|fraud| (Strategy::Cheap { fraud }, self.cheap));
        plain.into_iter().chain(cheap).filter(|&(_, seats)| seats > 0).collect()
    }

    /// Seats in all.
    #[must_use]
    pub fn seats(&self, frauds: usize) -> u32 {
        self.strategies(frauds).iter().map(|&(_, seats)| seats).sum()
    }
}

/// Plays so many jobs. The same seed always plays the same ones, on however many cores.
pub fn play(
    measured: &Measured,
    setting: &Setting,
    population: &Population,
    jobs: u64,
    seed: u64,
) -> Result<Outcome, SimulationError> {
    let strategies = population.strategies(measured.frauds.len());
    let (seats, committee) = (population.seats(measured.frauds.len()), setting.committee.size);
    if seats < u32::from(committee) {
        return Err(SimulationError::SmallPool { seats, committee });
    }
    let key = keccak256(seed.to_be_bytes()).0;
    let play_chunk = |chunk: u64| {
        let mut dice = Dice(ChaCha20Rng::from_seed(key));
        dice.0.set_stream(chunk);
        let mut books = Books::new(strategies.len());
        let mut game = Game::new(measured, setting, &strategies);
        for _ in 0..CHUNK.min(jobs - chunk * CHUNK) {
            game.play(&mut dice, &mut books);
        }
        books
    };
    // In order, so that sums of fractions come out the same.
    let chunks: Vec<_> = (0..jobs.div_ceil(CHUNK)).into_par_iter().map(play_chunk).collect();
    let mut books = Books::new(strategies.len());
    chunks.iter().for_each(|chunk| books.add(chunk));
    Ok(books.close(&strategies))
}

/// What happens by chance: ChaCha20, a stream for each chunk.
struct Dice(ChaCha20Rng);

impl Dice {
    /// From 0 to below `bound`, up to a bias of `bound / 2^64`.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    fn lanes(&mut self) -> [u64; 4] {
        [0; 4].map(|_: u64| self.0.next_u64())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
