//! The fee: what a job costs, and where every wei of it goes. Twin of `Fees.sol` and of what the registry offers;
//! `tests/vectors/fees.json` holds both to it.

use alloy::primitives::{U256, aliases::U96};

use crate::{
    chain::{
        IGenerationOracle::{Job, Terms},
        IModelRegistry::Model,
    },
    round::size_of,
    spec::Spec,
};

/// Of a commitment and its opening, with some to spare.
pub const VOTE_GAS: u64 = 110_000;
/// A seat binds this part of its stake for a job.
pub const BONDS_IN_A_STAKE: u64 = 8;
/// A seat earns at most this part of its stake in a job, so that a bond is 20 shares or more.
pub const SHARES_IN_A_STAKE: u64 = 160;

/// On what terms a model can be asked for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// What each drawn seat has at risk, in wei.
    pub bond: U256,
    /// The least that a seat may earn, in wei: the price of the work, and three times the gas of a vote.
    pub least_share: U256,
    /// The most, in wei.
    pub most_share: U256,
    /// Seconds that four generations take.
    pub patience: u64,
}

impl Offer {
    /// At a base fee in wei.
    #[must_use]
    pub fn of(model: &Model, spec: &Spec, base_fee: u64) -> Self {
        let stake = U256::from(model.seatStake);
        let (work, million) = (spec.work(), U256::from(1_000_000));
        let gas = U256::from(3 * VOTE_GAS) * U256::from(base_fee);
        let least = (work * U256::from(model.price)).div_ceil(million) + gas;
        let patience = (U256::from(4) * work * U256::from(model.time)).div_ceil(million * U256::from(1_000));
        Self {
            bond: stake / U256::from(BONDS_IN_A_STAKE),
            least_share: least.min(U256::from(U96::MAX)),
            most_share: stake / U256::from(SHARES_IN_A_STAKE),
            patience: patience.min(U256::from(u32::MAX)).to(),
        }
    }
}

/// What a job costs, as far as it is known before the request is mined.
#[must_use]
pub fn foreseen(model: &Model, terms: &Terms, base_fee: u64) -> Job {
    Job {
        terms: terms.clone(),
        bond: model.seatStake / U96::from(BONDS_IN_A_STAKE),
        accept: model.accept,
        reject: model.reject,
        royalty: model.royalty,
        gasPrice: base_fee.saturating_mul(2),
        ..Job::default()
    }
}

/// All that the request took, in wei.
#[must_use]
pub fn fee_of(job: &Job) -> U256 {
    escrow_of(job, 1) + deliver_bounty(job)
}

/// All that a round can pay, which is what opening it cost, in wei: shares, the first round's royalty, and the bounties
/// for its draw and its settlement.
#[must_use]
pub fn escrow_of(job: &Job, number: u8) -> U256 {
    let shares = U256::from(job.terms.share) * U256::from(size(job, number));
    let royalty = if number == 1 { royalty_on(job, shares) } else { U256::ZERO };
    shares + royalty + draw_bounty(job, number) + settle_bounty(job, number)
}

/// The model owner's, on top of what supporters earned, in wei.
#[must_use]
pub fn royalty_on(job: &Job, earned: U256) -> U256 {
    earned * U256::from(job.royalty) / U256::from(10_000)
}

/// Of whoever draws the round, in wei.
#[must_use]
pub fn draw_bounty(job: &Job, number: u8) -> U256 {
    gas(job, 60_000 + 15_000 * u64::from(size(job, number)))
}

/// Of whoever settles the round, in wei.
#[must_use]
pub fn settle_bounty(job: &Job, number: u8) -> U256 {
    gas(job, 60_000 + 30_000 * u64::from(size(job, number)))
}

/// Of whoever calls the consumer, in wei.
#[must_use]
pub fn deliver_bounty(job: &Job) -> U256 {
    if job.terms.consumer.is_zero() { U256::ZERO } else { gas(job, 80_000 + u64::from(job.terms.consumerGas)) }
}

/// What goes back to who paid for a settled round, in wei.
/// `earned` is what all of its seats earned.
#[must_use]
pub fn rest_of(job: &Job, number: u8, earned: U256, drawn: bool, accepted: bool) -> U256 {
    let royalty = if number == 1 && accepted { royalty_on(job, earned) } else { U256::ZERO };
    let drawer = if drawn { draw_bounty(job, number) } else { U256::ZERO };
    escrow_of(job, number).saturating_sub(earned + royalty + drawer + settle_bounty(job, number))
}

/// What an appellant gets who was right, in wei: half again of what it paid and did not get back, and at most 30 % of
/// the slashes of the round that it challenged.
#[must_use]
pub fn reward(paid: U256, slashed: U256) -> U256 {
    (paid * U256::from(3) / U256::from(2)).min(slashed * U256::from(3) / U256::from(10))
}

fn size(job: &Job, number: u8) -> u8 {
    size_of(job.terms.committeeSize, number)
}

fn gas(job: &Job, units: u64) -> U256 {
    U256::from(units) * U256::from(job.gasPrice)
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;

    fn job() -> Job {
        let terms = Terms { committeeSize: 3, share: U96::from(1_001), ..Terms::default() };
        Job { terms, royalty: 500, gasPrice: 7, ..Job::default() }
    }

    #[test]
    fn every_wei_of_a_round_goes_somewhere() {
        let job = job();
        let earned = U256::from(2 * 1_001);
        let royalty = royalty_on(&job, earned);
        let rest = rest_of(&job, 1, earned, true, true);

        assert_eq!(royalty, U256::from(100));
        assert_eq!(earned + royalty + draw_bounty(&job, 1) + settle_bounty(&job, 1) + rest, escrow_of(&job, 1));
        assert_eq!(rest_of(&job, 2, U256::ZERO, false, false), escrow_of(&job, 2) - settle_bounty(&job, 2));
    }

    #[test]
    fn a_consumer_costs_its_gas_and_nobody_costs_nothing() {
        let terms = Terms { consumer: Address::repeat_byte(1), consumerGas: 20_000, ..job().terms };
        let called = Job { terms, ..job() };

        assert_eq!(fee_of(&called) - fee_of(&job()), U256::from(100_000 * 7));
    }

    #[test]
    fn a_right_appellant_is_paid_half_again_out_of_a_part_of_the_slashes() {
        assert_eq!(reward(U256::from(100), U256::from(1_000)), U256::from(150));
        assert_eq!(reward(U256::from(100), U256::from(400)), U256::from(120));
    }
}
