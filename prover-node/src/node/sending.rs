//! Sending: the node's transactions to the oracle.

use alloy::{
    primitives::{B256, U256},
    sol_types::SolCall,
};
use oracle::{
    chain::{ChainError, IGenerationOracle},
    commitment::commitment_of,
};
use tracing::{debug, info};

use super::Node;
use crate::{
    ROUND,
    error::StepError,
    job::{DrawKey, Vote, short},
    wallet::{Call, SendError},
};

impl Node {
    pub(super) async fn send_commit(&self, key: DrawKey, vote: &Vote) -> Result<(), StepError> {
        let call = IGenerationOracle::commitCall {
            jobId: key.job,
            member: U256::from(vote.seat.member),
            drawSeed: key.seed,
            commitment: self.commitment(key, vote),
        };
        self.send(&call).await?;
        info!(job = short(key.job), seat = vote.seat.number, "committed");
        Ok(())
    }

    pub(super) async fn send_reveal(&self, key: DrawKey, vote: &Vote) -> Result<(), StepError> {
        let call = IGenerationOracle::revealCall {
            jobId: key.job,
            member: U256::from(vote.seat.member),
            digest: vote.opening.digest.into(),
            contentHash: vote.opening.content_hash,
            salt: vote.opening.salt,
        };
        self.send(&call).await?;
        info!(job = short(key.job), seat = vote.seat.number, digest = %vote.opening.digest, "revealed");
        Ok(())
    }

    /// Sends a call to the oracle and waits until it is mined and in sight.
    pub(super) async fn send(&self, call: &impl SolCall) -> Result<(), StepError> {
        let receipt = self.wallet.send(Call::new(self.chain.deployment.generation_oracle, call)).await?;
        let block = receipt.block_number.unwrap_or_default();
        let _ = self.heads.clone().wait_for(|head| head.block >= block).await;
        Ok(())
    }

    /// Sends what anyone may send, and says whether we were the first.
    pub(super) async fn send_first(&self, call: &impl SolCall) -> Result<bool, StepError> {
        match self.send(call).await {
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

    pub(super) fn commitment(&self, key: DrawKey, vote: &Vote) -> B256 {
        let deployment = self.chain.deployment;
        let (chain, oracle) = (deployment.chain_id, deployment.generation_oracle);
        commitment_of(chain, oracle, key.job, ROUND, vote.seat.number, &vote.opening)
    }
}
