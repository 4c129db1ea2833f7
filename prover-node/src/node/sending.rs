//! Sending: the node's transactions to the oracle.

use alloy::{
    primitives::{B256, U256},
    providers::Provider,
    sol_types::SolCall,
    transports::RpcError,
};
use oracle::{
    chain::{ChainError, IGenerationOracle},
    commitment::commitment_of,
};
use tracing::{debug, info};

use super::Node;
use crate::{
    error::StepError,
    job::{DrawKey, Vote, short},
    look::Look,
    metrics::Stage,
    wallet::{Call, SendError},
};

impl Node {
    pub(super) async fn send_commit(&self, look: &Look, key: DrawKey, vote: &Vote) -> Result<(), StepError> {
        let call = IGenerationOracle::commitCall {
            jobId: key.job,
            round: look.round(key.number)?,
            member: U256::from(vote.seat.member),
            commitment: self.commitment(key, vote),
        };
        self.send(&call).await?;
        self.metrics.voted(Stage::Committed, 1);
        info!(job = short(key.job), round = key.number, seat = vote.seat.number, "committed");
        Ok(())
    }

    pub(super) async fn send_reveal(&self, look: &Look, key: DrawKey, vote: &Vote) -> Result<(), StepError> {
        let call = IGenerationOracle::revealCall {
            jobId: key.job,
            number: key.number,
            member: U256::from(vote.seat.member),
            slot: look.vote(key.number, vote.seat).ok_or(StepError::OtherDraw)?.member.slot(),
            opening: vote.opening.into(),
        };
        self.send(&call).await?;
        self.metrics.voted(Stage::Revealed, 1);
        info!(job = short(key.job), round = key.number, seat = vote.seat.number, digest = %vote.opening.digest, "revealed");
        Ok(())
    }

    /// Sends a call to the oracle and waits until it is mined and in sight.
    pub(super) async fn send(&self, call: &impl SolCall) -> Result<(), StepError> {
        self.send_call(Call::new(self.chain.deployment.generation_oracle, call)).await
    }

    /// Sends what anyone may send, and says whether we were the first.
    pub(super) async fn send_first(&self, call: Call) -> Result<bool, StepError> {
        match self.send_call(call).await {
            Ok(()) => Ok(true),
            Err(StepError::Send(
                reason @ (SendError::Chain(ChainError::Reverted(_)) | SendError::RevertedOnChain(_)),
            )) => {
                debug!(%reason, "somebody was faster");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether sending the call costs less than `reward`, in wei, at the present price of gas.
    pub(super) async fn pays(&self, call: &Call, reward: U256) -> Result<bool, StepError> {
        let provider = &self.chain.provider;
        let gas = match provider.estimate_gas(call.request(self.operator)).await {
            Ok(gas) => gas,
            // It is no longer due, or not for us.
            Err(RpcError::ErrorResp(_)) => return Ok(false),
            Err(error) => return Err(ChainError::from(error).into()),
        };
        let tip = provider.estimate_eip1559_fees().await.map_err(ChainError::from)?.max_priority_fee_per_gas;
        let price = U256::from(self.chain.base_fee().await?) + U256::from(tip);
        Ok(U256::from(gas) * price <= reward)
    }

    pub(super) fn commitment(&self, key: DrawKey, vote: &Vote) -> B256 {
        let deployment = self.chain.deployment;
        let (chain, oracle) = (deployment.chain_id, deployment.generation_oracle);
        commitment_of(chain, oracle, key.job, key.number, vote.seat.number, &vote.opening)
    }

    async fn send_call(&self, call: Call) -> Result<(), StepError> {
        let sent = self.wallet.send(call).await;
        self.metrics.sent(&sent);
        let receipt = sent?;
        let block = receipt.block_number.unwrap_or_default();
        let _ = self.heads.clone().wait_for(|head| head.block >= block).await;
        Ok(())
    }
}
