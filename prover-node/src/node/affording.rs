//! Affording: no vote that does not pay, and no commitment that could not be opened for want of gas.

use alloy::{primitives::U256, providers::Provider};
use oracle::chain::ChainError;
use tracing::info;

use super::Node;
use crate::{
    budget::{Funds, Prospect, opening_cost},
    error::{StepError, Unable},
    job::{DrawKey, Sealed, short},
    look::Look,
};

impl Node {
    /// Whether a vote is worth its gas, and whether `seats` more can be paid for.
    pub(super) async fn check_budget(&self, look: &Look, draw: DrawKey, seats: usize) -> Result<(), StepError> {
        let (price, funds) = tokio::try_join!(self.gas_price(), self.funds(look, draw, seats))?;
        let prospect = Prospect::of(&look.request.job, draw.number, price);
        if !prospect.is_worth(self.budget.min_profit) {
            return Err(Unable::NotWorthIt(prospect).into());
        }
        if !funds.suffice() {
            return Err(Unable::NoReserve(funds).into());
        }
        if prospect.voted().is_negative() {
            info!(job = short(draw.job), "voting at a loss, since declining costs more: {prospect}");
        }
        Ok(())
    }

    /// Whether it can still be paid for once it is made: others may have been accepted meanwhile. What is committed already
    /// has to go on.
    pub(super) async fn check_funds(&self, sealed: &Sealed) -> Result<(), StepError> {
        let Sealed { key, votes } = sealed;
        let look = self.look_at(*key).await?;
        let cast = |vote| look.vote(key.number, vote).is_some_and(|cast| cast.commitment.is_some());
        if votes.iter().any(|vote| cast(vote.seat)) {
            return Ok(());
        }
        let funds = self.funds(&look, *key, votes.len()).await?;
        match funds.suffice() {
            true => Ok(()),
            false => Err(Unable::NoReserve(funds).into()),
        }
    }

    /// What there is for `seats` more that commit and reveal, with all others opened as well, at twice the present base fee.
    async fn funds(&self, look: &Look, draw: DrawKey, seats: usize) -> Result<Funds, StepError> {
        let provider = &self.chain.provider;
        let (fees, balance) = tokio::join!(provider.estimate_eip1559_fees(), provider.get_balance(self.operator));
        let (price, balance) = (fees.map_err(ChainError::from)?.max_fee_per_gas, balance.map_err(ChainError::from)?);
        let unopened = self.journal.unopened(draw).await?;
        let reserve = opening_cost(unopened, price).max(self.budget.reserve);
        let need = Prospect::of(&look.request.job, draw.number, price).vote * U256::from(seats);
        Ok(Funds { balance, unopened, reserve, need })
    }

    /// What a transaction of ours pays that is mined now, in wei for a unit of gas. Endpoints suggest more.
    pub(super) async fn gas_price(&self) -> Result<u128, StepError> {
        let (fees, base) = tokio::join!(self.chain.provider.estimate_eip1559_fees(), self.chain.base_fee());
        Ok(fees.map_err(ChainError::from)?.max_priority_fee_per_gas + u128::from(base?))
    }
}
