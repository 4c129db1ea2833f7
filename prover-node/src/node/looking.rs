//! Looking: what the chain says, now and as deep as it takes to count.

use alloy::primitives::B256;
use oracle::{
    chain::{
        ChainTime,
        IGenerationOracle::{Outcome, Step},
    },
    digest::Digest,
};
use tracing::info;

use super::Node;
use crate::{
    error::StepError,
    job::{DrawKey, Vote, short},
    look::Look,
};

impl Node {
    /// The newest block seen: the only clock.
    pub(crate) fn now(&self) -> ChainTime {
        *self.heads.borrow()
    }

    /// Waits for another newest block than `seen`.
    pub(crate) async fn block_after(&self, seen: ChainTime) {
        let _ = self.heads.clone().wait_for(|head| *head != seen).await;
    }

    /// The job at the newest block.
    pub(super) async fn look(&self, job: B256) -> Result<Look, StepError> {
        Ok(Look::at(&self.chain, job, self.now().block).await?)
    }

    /// The job as deep in the chain as it takes to count.
    pub(super) async fn look_deep(&self, job: B256) -> Result<Look, StepError> {
        Ok(Look::at(&self.chain, job, self.now().block.saturating_sub(self.confirmations)).await?)
    }

    /// The job at the newest block, if it is still drawn as we know it.
    pub(super) async fn look_at(&self, draw: DrawKey) -> Result<Look, StepError> {
        let look = self.look(draw.job).await?;
        match look.is_of(draw) {
            true => Ok(look),
            false => Err(StepError::OtherDraw),
        }
    }

    /// Waits until deep in the chain our votes are as far as `step` and the rest is as `wanted`. If meanwhile they fall
    /// out of the newest block, they must be sent again.
    pub(super) async fn confirmed(
        &self,
        key: DrawKey,
        votes: &[Vote],
        step: Step,
        wanted: impl Fn(&Look) -> bool,
    ) -> Result<(), StepError> {
        loop {
            let now = self.now();
            let look = self.look_at(key).await?;
            self.check_all(&look, key, votes, step)?;
            let deep = self.look_deep(key.job).await?;
            if self.check_all(&deep, key, votes, step).is_ok() && wanted(&deep) {
                return Ok(());
            }
            self.block_after(now).await;
        }
    }

    pub(super) fn check_all(&self, look: &Look, key: DrawKey, votes: &[Vote], step: Step) -> Result<(), StepError> {
        match votes.iter().find(|vote| !self.stands(look, key, vote, step)) {
            Some(lost) => Err(StepError::VoteLost(lost.seat.number)),
            None => Ok(()),
        }
    }

    /// Whether exactly this vote is on chain, and as far as `step`.
    pub(super) fn stands(&self, look: &Look, key: DrawKey, vote: &Vote, step: Step) -> bool {
        look.vote(vote.seat).is_some_and(|cast| match cast.step {
            Step::Committed => step == Step::Committed && cast.value == self.commitment(key, vote),
            Step::Revealed => cast.value == B256::from(vote.opening.digest),
            _ => false,
        })
    }

    pub(super) fn log_verdict(&self, look: &Look, key: DrawKey, votes: &[Vote]) {
        let job = short(key.job);
        match (look.job.outcome, votes.first()) {
            (Outcome::Accepted, Some(vote)) => {
                let zone = self.profile.zone(&Digest::from(look.job.digest), &vote.opening.digest);
                info!(job, ?zone, "accepted");
            }
            _ => info!(job, "unresolved"),
        }
    }
}
