//! Appeals: the round that one would open. What `appeal` in GenerationOracle.sol takes, and refuses.

use alloy::primitives::U256;
use serde::Serialize;

use crate::{
    chain::IGenerationOracle::Job,
    fees::escrow_of,
    round::{MOST_ROUNDS, size_of},
};

/// A round that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextRound {
    /// From 2.
    pub number: u8,
    /// Of its committee.
    pub seats: u8,
    /// What opening it costs, in wei.
    pub fee: U256,
}

/// Why a verdict stands, whatever anybody would pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "camelCase")]
pub enum NoAppeal {
    /// There are no more.
    #[error("round {MOST_ROUNDS} was the last one")]
    LastRound,
    /// The next one could not be staffed.
    #[error("round {number} takes {needed} seats, and the pool at the request had {seats}")]
    SmallPool {
        /// Of the next round.
        number: u8,
        /// In the pool at the request.
        seats: u32,
        /// Of the next round's committee.
        needed: u8,
    },
}

impl NextRound {
    /// The one after round `number`.
    pub fn after(job: &Job, number: u8) -> Result<Self, NoAppeal> {
        if number >= MOST_ROUNDS {
            return Err(NoAppeal::LastRound);
        }
        let number = number + 1;
        let needed = size_of(job.terms.committeeSize, number);
        match job.poolSeats {
            seats if seats < u32::from(needed) => Err(NoAppeal::SmallPool { number, seats, needed }),
            _ => Ok(Self { number, seats: needed, fee: escrow_of(job, number) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::IGenerationOracle::Terms;

    fn job(pool: u32) -> Job {
        Job { terms: Terms { committeeSize: 3, ..Terms::default() }, poolSeats: pool, ..Job::default() }
    }

    #[test]
    fn a_round_is_opened_as_long_as_the_pool_at_the_request_can_staff_it() {
        let refused = NoAppeal::SmallPool { number: 2, seats: 6, needed: 7 };

        assert_eq!(NextRound::after(&job(6), 1), Err(refused));
        assert_eq!(refused.to_string(), "round 2 takes 7 seats, and the pool at the request had 6");
        assert_eq!(NextRound::after(&job(7), 1), Ok(NextRound { number: 2, seats: 7, fee: U256::ZERO }));
        assert!(NextRound::after(&job(7), 2).is_err());
    }

    #[test]
    fn no_pool_is_large_enough_for_a_fifth_round() {
        assert!(NextRound::after(&job(1_000), 3).is_ok());
        assert_eq!(NextRound::after(&job(1_000), 4), Err(NoAppeal::LastRound));
    }
}
