//! What is lost: commitments without openings, which are made again, and windows that closed without us.

use oracle::chain::{
    ChainError,
    IGenerationOracle::{Phase, Stage, Step},
};
use tracing::warn;

use super::Node;
use crate::{
    error::StepError,
    job::{DrawKey, RoundKey, Seat, Vote, short},
    look::Look,
};

impl Node {
    /// Ours that have committed to what is not in the journal: the data directory was lost, or is another one. The salt is
    /// known again, and so is the output, if this machine makes the same.
    pub(super) async fn lost(&self, look: &Look, number: u8) -> Result<Vec<Seat>, StepError> {
        let lost = self.ours(look.request.job.modelId, look.unopened(number, self.operator)).await?;
        if !lost.is_empty() {
            let seats: Vec<_> = lost.iter().map(|seat| seat.number).collect();
            warn!(
                job = short(look.request.id),
                ?seats,
                "committed, and not in the journal: making it again to open it"
            );
        }
        Ok(lost)
    }

    /// Until when it is worth making: to commit to it, or to open what was committed. In seconds since the epoch.
    pub(super) fn time_to_make(&self, look: &Look, number: u8) -> u64 {
        match look.unopened(number, self.operator).is_empty() {
            true => look.commit_deadline(number),
            false => look.reveal_deadline(number, &self.chain.windows),
        }
    }

    /// Sees that the contract knows no more of a vote than the events that are listed: nothing is given up because an
    /// endpoint has left some out.
    pub(super) async fn check_listed(&self, look: &Look, key: DrawKey, vote: &Vote) -> Result<(), StepError> {
        let state = self.chain.oracle().stateOf(key.job, key.number).call().await.map_err(ChainError::from)?;
        let has = |bits: u32| bits >> vote.seat.member & 1 == 1;
        let listed = look.vote(key.number, vote.seat).map_or(Step::Drawn, |cast| cast.step);
        let votes = has(state.voted) && matches!(listed, Step::Drawn | Step::Out);
        let opened = has(state.voted) && has(state.done) && listed != Step::Revealed;
        if look.is_of(key) && (votes || opened) {
            self.archive.forget(key.job).await;
            return Err(StepError::LeftOut);
        }
        Ok(())
    }

    /// The same of a round that no event opens: either a reorganisation took it away, or it was left out.
    pub(super) async fn check_opened(&self, look: &Look, round: RoundKey) -> Result<(), StepError> {
        if look.phase_of(round.number) != Phase::None {
            return Ok(());
        }
        let state = self.chain.oracle().stateOf(round.job, round.number).call().await.map_err(ChainError::from)?;
        if state.stage == Stage::None {
            return Ok(());
        }
        self.archive.forget(round.job).await;
        Err(StepError::LeftOut)
    }

    pub(super) fn explain_not_committed(&self, look: &Look, key: DrawKey, vote: &Vote) {
        let (job, seat) = (short(key.job), vote.seat.number);
        let cast = look.vote(key.number, vote.seat).and_then(|cast| cast.commitment);
        match cast {
            Some(commitment) if commitment != self.commitment(key, vote) => warn!(
                job,
                seat,
                %commitment,
                ours = %self.commitment(key, vote),
                "the chain has another commitment than this node's: it was made with other settings or on another machine, \
                 or another node votes with this key; whoever made it must open it, or the bond is lost"
            ),
            _ => warn!(job, seat, "not committed: the commit window has closed"),
        }
    }

    /// Says what it costs that seats of ours did nothing.
    pub(super) async fn explain_silence(&self, look: &Look, number: u8) -> Result<(), StepError> {
        let silent: Vec<_> = self.undecided(look, number).await?.iter().map(|seat| seat.number).collect();
        if !silent.is_empty() {
            warn!(
                job = short(look.request.id),
                seats = ?silent,
                "the commit window closed without a vote of ours, which costs half a share each: the node or the chain was away"
            );
        }
        Ok(())
    }
}
