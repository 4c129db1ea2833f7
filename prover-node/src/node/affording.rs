//! Affording: no vote that does not pay, and no commitment that could not be opened for want of gas.

use alloy::{primitives::U256, providers::Provider};
use oracle::chain::ChainError;
use tracing::info;

use super::Node;
use crate::{
    budget::{Funds, Prospect, opening_cost},
    error::{StepError, Unable},
    job::short,
    look::Look,
};

impl Node {
    /// Whether a vote is worth its gas, and whether `seats` more can be paid for.
    pub(super) async fn check_budget(&self, look: &Look, number: u8, seats: usize) -> Result<(), StepError> {
        let provider = &self.chain.provider;
        // All at once: what an endpoint takes for each answer counts against the deadline.
        let (price, fees, balance) =
            tokio::join!(self.gas_price(), provider.estimate_eip1559_fees(), provider.get_balance(self.operator));
        let (price, fees, balance) = (price?, fees.map_err(ChainError::from)?, balance.map_err(ChainError::from)?);
        let job = &look.request.job;
        let prospect = Prospect::of(job, number, price);
        if !prospect.is_worth(self.budget.min_profit) {
            return Err(Unable::NotWorthIt(prospect).into());
        }

        // At twice the present base fee. What was accepted before, and is not made yet, commits and reveals as well.
        let most = fees.max_fee_per_gas;
        let unopened = self.journal.unopened().await?;
        let reserve = opening_cost(unopened, most).max(self.budget.reserve);
        let need = Prospect::of(job, number, most).vote * U256::from(seats + self.schedule.len());
        let funds = Funds { balance, unopened, reserve, need };
        if !funds.suffice() {
            return Err(Unable::NoReserve(funds).into());
        }
        if prospect.voted().is_negative() {
            info!(job = short(look.request.id), "voting at a loss, since declining costs more: {prospect}");
        }
        Ok(())
    }

    /// What a transaction of ours pays that is mined now, in wei for a unit of gas. Endpoints suggest more.
    pub(super) async fn gas_price(&self) -> Result<u128, StepError> {
        let (fees, base) = tokio::join!(self.chain.provider.estimate_eip1559_fees(), self.chain.base_fee());
        Ok(fees.map_err(ChainError::from)?.max_priority_fee_per_gas + u128::from(base?))
    }
}
