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
    /// At the present price of gas.
    pub(super) async fn check_worth(&self, look: &Look, number: u8) -> Result<(), StepError> {
        let prospect = Prospect::of(&look.request.job, number, self.gas_price().await?);
        if !prospect.is_worth(self.budget.min_profit) {
            return Err(Unable::NotWorthIt(prospect).into());
        }
        if prospect.voted().is_negative() {
            info!(job = short(look.request.id), "voting at a loss, since declining costs more: {prospect}");
        }
        Ok(())
    }

    /// Whether `seats` more can commit and reveal, at twice the present base fee, with all others opened as well.
    pub(super) async fn check_funds(&self, look: &Look, draw: DrawKey, seats: usize) -> Result<(), StepError> {
        let provider = &self.chain.provider;
        let price = provider.estimate_eip1559_fees().await.map_err(ChainError::from)?.max_fee_per_gas;
        let unopened = self.journal.unopened(draw).await?;
        let funds = Funds {
            balance: provider.get_balance(self.operator).await.map_err(ChainError::from)?,
            unopened,
            reserve: opening_cost(unopened, price).max(self.budget.reserve),
            need: Prospect::of(&look.request.job, draw.number, price).vote * U256::from(seats),
        };
        match funds.suffice() {
            true => Ok(()),
            false => Err(Unable::NoReserve(funds).into()),
        }
    }

    /// The same once it is made: others may have been accepted meanwhile. What is committed already has to go on.
    pub(super) async fn check_funds_to_commit(&self, sealed: &Sealed) -> Result<(), StepError> {
        let look = self.look_at(sealed.key).await?;
        let cast = |vote| look.vote(sealed.key.number, vote).is_some_and(|cast| cast.commitment.is_some());
        match sealed.votes.iter().any(|vote| cast(vote.seat)) {
            true => Ok(()),
            false => self.check_funds(&look, sealed.key, sealed.votes.len()).await,
        }
    }

    /// What a transaction pays that is mined now, in wei for a unit of gas.
    pub(super) async fn gas_price(&self) -> Result<u128, StepError> {
        let tip = self.chain.provider.estimate_eip1559_fees().await.map_err(ChainError::from)?.max_priority_fee_per_gas;
        Ok(u128::from(self.chain.base_fee().await?) + tip)
    }
}
