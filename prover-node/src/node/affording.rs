//! Affording: no vote that does not pay, and no commitment that could not be opened for want of gas.

use alloy::{primitives::U256, providers::Provider};
use oracle::chain::ChainError;
use tracing::info;

use super::Node;
use crate::{
    budget::Prospect,
    error::{StepError, Unable},
    job::short,
    look::Look,
};

/// What a unit of gas costs, in wei.
pub(super) struct GasPrices {
    /// If the transaction is mined now. Endpoints suggest more.
    pub(super) price: u128,
    /// What it may come to.
    pub(super) most: u128,
}

impl Node {
    /// Whether a vote is worth its gas, and whether `seats` more can be paid for.
    pub(super) async fn check_budget(&self, look: &Look, number: u8, seats: usize) -> Result<(), StepError> {
        let provider = &self.chain.provider;
        // All at once: what an endpoint takes for each answer counts against the deadline.
        let (prices, balance) = tokio::join!(self.gas_prices(), provider.get_balance(self.operator));
        let (GasPrices { price, most }, balance) = (prices?, balance.map_err(ChainError::from)?);
        let job = &look.request.job;
        let prospect = Prospect::of(job, number, price);
        if !prospect.is_worth(self.budget.min_profit) {
            return Err(Unable::NotWorthIt(prospect).into());
        }

        // At twice the present base fee. What was accepted before, and is not made yet, commits and reveals as well.
        let unopened = self.journal.unopened().await?;
        let need = Prospect::of(job, number, most).vote * U256::from(seats + self.schedule.len());
        let cover = self.budget.cover(balance, unopened, most, need);
        if !cover.suffices() {
            return Err(Unable::NoReserve(cover).into());
        }
        if prospect.voted().is_negative() {
            info!(job = short(look.request.id), "voting at a loss, since declining costs more: {prospect}");
        }
        Ok(())
    }

    /// At the newest block.
    pub(super) async fn gas_prices(&self) -> Result<GasPrices, StepError> {
        let (fees, base) = tokio::join!(self.chain.provider.estimate_eip1559_fees(), self.chain.base_fee());
        let fees = fees.map_err(ChainError::from)?;
        Ok(GasPrices { price: fees.max_priority_fee_per_gas + u128::from(base?), most: fees.max_fee_per_gas })
    }
}
