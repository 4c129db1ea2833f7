//! The budget: whether a vote is worth its gas, and whether there is money enough to open what is committed.
//!
//! What a seat can do, and what it comes to at the present price of gas:
//!
//! - vote: its share, less the gas of two transactions;
//! - decline: a quarter share burned, and the gas of one transaction;
//! - keep silent: half a share burned, and the seat is gone. Enrolling another takes more gas than declining, so that
//!   this is never the cheapest.
//!
//! A node votes where that leaves it better off than declining, by [`Budget::min_profit`] at least.

use std::fmt;

use alloy::primitives::{I256, U256};
use oracle::{
    chain::{IGenerationOracle::Job, ether},
    round::size_of,
};

/// What the operator allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// What a vote must bring more than declining would, in wei.
    pub min_profit: I256,
    /// What is never spent on another commitment, in wei: at least what opening all commitments may cost.
    pub reserve: U256,
}

/// What voting with a seat comes to, and what declining does, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prospect {
    /// What it earns if its vote is supported.
    pub share: U256,
    /// Gas of its commitment and its opening.
    pub vote: U256,
    /// Gas of declining.
    pub decline: U256,
}

/// What there is to open commitments with, in wei.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cover {
    /// The operator's.
    pub balance: U256,
    /// Seats that have committed, or are about to, and have not revealed.
    pub unopened: u64,
    /// What must remain for them.
    pub reserve: U256,
    /// What the new commitments and their openings may cost.
    pub need: U256,
}

/// Gas of an opening, as `scripts/bench gas` measures it, with a tenth to spare.
const REVEAL_GAS: u64 = 43_000;

/// Gas of a commitment, or of declining, with as much: each member of the committee is handed back with the call.
fn commit_gas(members: u8) -> u64 {
    41_000 + 1_000 * u64::from(members)
}

/// What a commitment and its opening cost in a committee of so many, in wei, for wei a unit of gas.
#[must_use]
pub fn vote_cost(members: u8, price: u128) -> U256 {
    U256::from(commit_gas(members) + REVEAL_GAS) * U256::from(price)
}

impl Budget {
    /// Whether `need` can be spent on more commitments and their openings, in wei, when `unopened` other seats have
    /// committed and a unit of gas may come to `most` wei.
    #[must_use]
    pub fn cover(&self, balance: U256, unopened: u64, most: u128, need: U256) -> Cover {
        let opening = U256::from(unopened * REVEAL_GAS) * U256::from(most);
        Cover { balance, unopened, reserve: opening.max(self.reserve), need }
    }
}

impl Prospect {
    /// Of one seat in a round, for wei a unit of gas.
    #[must_use]
    pub fn of(job: &Job, number: u8, price: u128) -> Self {
        let members = size_of(job.terms.committeeSize, number);
        let decline = U256::from(commit_gas(members)) * U256::from(price);
        Self { share: U256::from(job.terms.share), vote: vote_cost(members, price), decline }
    }

    /// What voting leaves, if the vote is supported.
    #[must_use]
    pub fn voted(&self) -> I256 {
        signed(self.share) - signed(self.vote)
    }

    /// What declining leaves.
    #[must_use]
    pub fn declined(&self) -> I256 {
        -signed(self.share / U256::from(4)) - signed(self.decline)
    }

    /// Whether voting is better by that much at least.
    #[must_use]
    pub fn is_worth(&self, min_profit: I256) -> bool {
        self.voted() - self.declined() >= min_profit
    }
}

impl Cover {
    /// The least balance that suffices.
    #[must_use]
    pub fn least(&self) -> U256 {
        self.reserve + self.need
    }

    /// Whether what is committed can be opened.
    #[must_use]
    pub fn suffices(&self) -> bool {
        self.balance >= self.least()
    }
}

impl fmt::Display for Prospect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, vote, decline } = *self;
        write!(
            f,
            "voting earns {} and takes {} of gas, which leaves {}; declining burns {} and takes {} of gas, which leaves {}",
            ether(share),
            ether(vote),
            signed_ether(self.voted()),
            ether(share / U256::from(4)),
            ether(decline),
            signed_ether(self.declined())
        )
    }
}

impl fmt::Display for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { balance, unopened, reserve, need } = *self;
        write!(
            f,
            "the operator has {}; committing and opening may take {}, and {} are kept to open what {unopened} other seats have committed",
            ether(balance),
            ether(need),
            ether(reserve)
        )
    }
}

/// More than there is of any coin.
fn signed(wei: U256) -> I256 {
    I256::try_from(wei).unwrap_or(I256::MAX / I256::try_from(4).unwrap_or(I256::ONE))
}

fn signed_ether(wei: I256) -> String {
    let sign = if wei.is_negative() { "-" } else { "" };
    format!("{sign}{}", ether(wei.unsigned_abs()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::aliases::U96;

    use super::*;
    use crate::job::tests::request;

    /// With a share of so many units of gas.
    fn prospect(share: u64) -> Prospect {
        let mut job = request().job;
        job.terms.share = U96::from(share);
        Prospect::of(&job, 1, 1)
    }

    #[test]
    fn a_vote_that_pays_is_worth_it() {
        let pays = prospect(330_000);
        assert!(pays.voted().is_positive() && pays.is_worth(I256::ZERO));
        assert!(!pays.is_worth(I256::try_from(1_000_000).unwrap()), "the operator wants more");
    }

    #[test]
    fn a_small_loss_is_taken_where_declining_would_cost_more() {
        let loses = prospect(80_000);
        assert!(loses.voted().is_negative() && loses.voted() > loses.declined());
        assert!(loses.is_worth(I256::ZERO));
    }

    #[test]
    fn a_vote_that_costs_more_than_declining_is_not_cast_unless_the_operator_wants_it() {
        let loses = prospect(20_000);
        assert!(!loses.is_worth(I256::ZERO));
        assert!(loses.is_worth(I256::try_from(-1_000_000).unwrap()));
        let said = loses.to_string();
        assert!(said.contains("leaves -0.0000000000000"), "{said}");
    }

    #[test]
    fn what_is_committed_can_be_opened_before_more_is_committed() {
        let cover = |balance: u64, reserve: u64| {
            let budget = Budget { reserve: U256::from(reserve), ..Budget::default() };
            budget.cover(U256::from(balance), 2, 1, U256::from(40))
        };
        let least = 2 * REVEAL_GAS + 40;
        assert!(cover(least, 0).suffices());
        assert!(!cover(least - 1, 0).suffices());
        assert!(!cover(least, 2 * REVEAL_GAS + 1).suffices(), "the operator wants more to remain");
    }
}
