//! Looking: what the chain says, now and as deep as it takes to count.

use alloy::primitives::B256;
use oracle::chain::{
    ChainTime,
    IGenerationOracle::{Phase, Step},
    Known, Request,
};

use super::Node;
use crate::{
    error::StepError,
    job::{DrawKey, Vote},
    journal::Ending,
    look::Look,
};

/// Blocks after which a job is looked at again of which nothing is expected.
pub(crate) const REST: u64 = 8;

impl Node {
    /// The newest block seen: the only clock.
    pub(crate) fn now(&self) -> ChainTime {
        *self.heads.borrow()
    }

    /// Waits for another newest block than `seen`.
    pub(crate) async fn block_after(&self, seen: ChainTime) {
        let _ = self.heads.clone().wait_for(|head| *head != seen).await;
    }

    /// Waits for some blocks, where nothing is expected: a job that only waits must not cost something at every block. Not if
    /// the node is to stop.
    pub(super) async fn rest(&self) {
        let mut calm = self.calm.clone();
        calm.mark_unchanged();
        tokio::select! {
            _ = calm.changed() => {}
            () = self.draining.cancelled() => {}
        }
    }

    /// Waits for a time of the chain, in seconds since the epoch.
    pub(super) async fn time_is(&self, time: u64) {
        let _ = self.heads.clone().wait_for(|head| head.time >= time).await;
    }

    /// What was asked for, as we noted it.
    pub(crate) async fn request(&self, job: B256) -> Result<Request, StepError> {
        self.journal.request(job).await?.ok_or(StepError::Over(Ending::Reorganised))
    }

    /// The job at the newest block.
    pub(super) async fn look(&self, request: Request) -> Result<Look, StepError> {
        Ok(Look::at(&self.archive, request, self.now()).await?)
    }

    /// The job as deep in the chain as it takes to count.
    pub(super) async fn look_deep(&self, request: Request) -> Result<Look, StepError> {
        let counts = self.archive.counting().await?;
        Ok(Look::at(&self.archive, request, counts).await?)
    }

    /// Whether a seed is known as deep in the chain as it takes to count.
    pub(super) async fn counts(&self, seed: Known) -> Result<bool, StepError> {
        Ok(seed.stands_at(self.archive.counting().await?))
    }

    /// The job at the newest block, if the round is still drawn as we know it, or still will be.
    pub(crate) async fn look_at(&self, draw: DrawKey) -> Result<Look, StepError> {
        self.look_of(self.request(draw.job).await?, draw).await
    }

    /// The same, of a job that may not be in the journal.
    pub(super) async fn look_of(&self, request: Request, draw: DrawKey) -> Result<Look, StepError> {
        let look = self.look(request).await?;
        match look.is_of(draw) || self.foretold(&look, draw.number).await? == Some(draw.seed) {
            true => Ok(look),
            false => Err(StepError::OtherDraw),
        }
    }

    /// What the round will be drawn with; none if it is drawn, or its seed is not known.
    pub(super) async fn foretold(&self, look: &Look, number: u8) -> Result<Option<B256>, StepError> {
        let round = look.history.round(number).filter(|_| look.phase_of(number) == Phase::Draw);
        let Some(round) = round else { return Ok(None) };
        Ok(Some(self.chain.foretold_seed(round.randomness, look.request.id, number).await?))
    }

    /// The seed of the first draw; none if there is none.
    pub(super) async fn first_seed(&self, draw: DrawKey) -> Result<Option<B256>, StepError> {
        match draw.number {
            1 => Ok(Some(draw.seed)),
            _ => Ok(self.look(self.request(draw.job).await?).await?.history.first_draw_seed()),
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
            let deep = self.look_deep(look.request).await?;
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

    /// Whether exactly this vote is on chain, in this draw, and as far as `step`.
    pub(super) fn stands(&self, look: &Look, key: DrawKey, vote: &Vote, step: Step) -> bool {
        let cast = look.vote(key.number, vote.seat).filter(|_| look.is_of(key));
        cast.is_some_and(|cast| match cast.reveal {
            Some(reveal) => reveal.digest == vote.opening.digest,
            None => step == Step::Committed && cast.commitment == Some(self.commitment(key, vote)),
        })
    }
}
