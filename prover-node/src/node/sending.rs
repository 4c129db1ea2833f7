//! Sending: the node's transactions to the oracle.

use alloy::{
    primitives::{B256, U256},
    providers::Provider,
    sol_types::SolCall,
    transports::RpcError,
};
use oracle::{
    chain::{
        ChainError,
        IGenerationOracle::{self, Phase},
    },
    commitment::commitment_of,
};
use tracing::{debug, info};

use super::Node;
use crate::{
    error::StepError,
    job::{DrawKey, Vote, short},
    look::Look,
    metrics::Stage,
    wallet::{Call, Intent, Purpose, Step},
};

/// After which what has no deadline is looked at again, in seconds.
pub(crate) const SOME_TIME: u64 = 600;

impl Node {
    pub(super) async fn send_commit(&self, look: &Look, key: DrawKey, vote: &Vote) -> Result<(), StepError> {
        let call = IGenerationOracle::commitCall {
            jobId: key.job,
            round: look.round(key.number)?,
            member: U256::from(vote.seat.member),
            commitment: self.commitment(key, vote),
        };
        let purpose = Purpose::seat(Step::Commit, key.round(), vote.seat);
        self.send(purpose, &call, self.deadline(look, key.number, Phase::Commit)).await?;
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
        let purpose = Purpose::seat(Step::Reveal, key.round(), vote.seat);
        self.send(purpose, &call, self.deadline(look, key.number, Phase::Reveal)).await?;
        self.metrics.voted(Stage::Revealed, 1);
        info!(job = short(key.job), round = key.number, seat = vote.seat.number, digest = %vote.opening.digest, "revealed");
        Ok(())
    }

    /// Sends a call to the oracle and waits until it is mined and in sight. It is not worth it from `deadline` on, in
    /// seconds since the epoch.
    pub(super) async fn send(&self, purpose: Purpose, call: &impl SolCall, deadline: u64) -> Result<(), StepError> {
        let call = Call::new(self.chain.deployment.generation_oracle, call);
        self.send_intent(Intent { purpose, call, deadline }).await
    }

    /// Sends what anyone may send, and says whether we were the first.
    pub(super) async fn send_first(&self, purpose: Purpose, call: Call, deadline: u64) -> Result<bool, StepError> {
        match self.send_intent(Intent { purpose, call, deadline }).await {
            Ok(()) => Ok(true),
            Err(StepError::Send(reason)) if reason.is_revert() => {
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
        Ok(U256::from(gas) * U256::from(self.gas_prices().await?.price) <= reward)
    }

    pub(super) fn commitment(&self, key: DrawKey, vote: &Vote) -> B256 {
        let deployment = self.chain.deployment;
        let (chain, oracle) = (deployment.chain_id, deployment.generation_oracle);
        commitment_of(chain, oracle, key.job, key.number, vote.seat.number, &vote.opening)
    }

    /// When the phase of that round ends, in seconds since the epoch. What has no deadline of its own is looked at again
    /// after some minutes.
    pub(super) fn deadline(&self, look: &Look, number: u8, phase: Phase) -> u64 {
        let round = look.history.round(number);
        let deadline = round.and_then(|round| round.deadline(&look.request.job, &self.chain.windows, phase));
        deadline.unwrap_or(look.now.time + SOME_TIME)
    }

    async fn send_intent(&self, intent: Intent) -> Result<(), StepError> {
        let sent = self.wallet.send(intent).await;
        self.metrics.sent(&sent);
        let receipt = sent?;
        let block = receipt.block_number.unwrap_or_default();
        let _ = self.heads.clone().wait_for(|head| head.block >= block).await;
        Ok(())
    }
}
