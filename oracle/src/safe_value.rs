//! The safe value: what a fraud loses once it is overturned, or why that is nothing. Twin of `safeValueOf` in
//! GenerationLens.sol; `tests/vectors/fees.json` holds both to it.

use alloy::primitives::U256;
use serde::Serialize;

use crate::{chain::IGenerationOracle::Job, digest::NEVER, round::size_of, tally::quorum};

/// Why nothing is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "camelCase")]
pub enum NoSafeValue {
    /// Whoever requests could have searched for a job that splits honest machines.
    #[error("with a fixed seed no bond is at risk")]
    FixedSeed,
    /// A text that differs is neither paid nor slashed.
    #[error("nothing is ever found against a text")]
    Text,
    /// A later round might not be staffed.
    #[error("a pool of {seats} seats is too small, and it takes {needed}: three times the second round's committee")]
    SmallPool {
        /// In the pool, and surely old enough to be drawn.
        seats: u32,
        /// For the safe value not to be zero.
        needed: u32,
    },
    /// A draw looks at a bounded number of slots, and might come out short.
    #[error("only {seats} of the pool's {slots} slots have a seat to draw, and it takes half of them")]
    Holes {
        /// In the pool, and surely old enough to be drawn.
        seats: u32,
        /// Numbers that a draw ranges over.
        slots: u32,
    },
}

/// 70 % of a quorum's bonds, in wei.
pub fn safe_value(job: &Job) -> Result<U256, NoSafeValue> {
    let (slots, seats) = (job.poolSlots, job.poolSeats);
    let needed = 3 * u32::from(size_of(job.terms.committeeSize, 2));
    if job.terms.fixedSeed {
        return Err(NoSafeValue::FixedSeed);
    }
    if job.reject == NEVER {
        return Err(NoSafeValue::Text);
    }
    if seats < needed {
        return Err(NoSafeValue::SmallPool { seats, needed });
    }
    if u64::from(slots) > 2 * u64::from(seats) {
        return Err(NoSafeValue::Holes { seats, slots });
    }
    let quorum = quorum(job.terms.committeeSize, job.terms.superMajority);
    Ok(U256::from(quorum) * U256::from(job.bond) * U256::from(7) / U256::from(10))
}

#[cfg(test)]
mod tests {
    use alloy::primitives::aliases::U96;

    use super::*;
    use crate::chain::IGenerationOracle::Terms;

    fn job(slots: u32, seats: u32) -> Job {
        let terms = Terms { committeeSize: 3, ..Terms::default() };
        Job { terms, bond: U96::from(25_000), poolSlots: slots, poolSeats: seats, ..Job::default() }
    }

    #[test]
    fn a_pool_that_can_staff_the_next_round_three_times_over_makes_a_quorums_bonds_safe() {
        assert_eq!(safe_value(&job(42, 21)), Ok(U256::from(2 * 25_000 * 7 / 10)));
        assert_eq!(safe_value(&job(42, 20)), Err(NoSafeValue::SmallPool { seats: 20, needed: 21 }));
    }

    #[test]
    fn with_more_holes_than_seats_nothing_is_safe() {
        assert_eq!(safe_value(&job(43, 21)), Err(NoSafeValue::Holes { seats: 21, slots: 43 }));
    }

    #[test]
    fn with_a_fixed_seed_nothing_is_safe() {
        let mut fixed = job(42, 21);
        fixed.terms.fixedSeed = true;
        assert_eq!(safe_value(&fixed), Err(NoSafeValue::FixedSeed));
    }
}
