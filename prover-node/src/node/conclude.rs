//! The end of a job: after the last reveal it is settled, round by round, and its consumer told. Anyone may send that,
//! and is paid for it; those who revealed take turns.

use alloy::primitives::{Bytes, U256};
use oracle::{
    chain::IGenerationOracle,
    due::{Due, Wait},
};
use tracing::info;

use super::{Node, SOME_TIME, TURN};
use crate::{
    error::StepError,
    job::{DrawKey, Revealed, Vote, short},
    look::Look,
    wallet::{Call, Purpose, Step},
};

/// What is due, and the block from which on it is our turn to send it.
type Turn = Option<(Due, u64)>;

impl Node {
    /// Sees to it that our round is settled, and that nobody's fraud stands where we can tell.
    pub(super) async fn conclude(&self, revealed: Revealed) -> Result<(), StepError> {
        let Revealed { key, votes } = revealed;
        let (mut turn, mut considered) = (None, None);
        loop {
            let now = self.now();
            let look = self.look_at(key).await?;
            self.check_all(&look, key, &votes, IGenerationOracle::Step::Revealed)?;
            let latest = look.history.latest().map(|round| round.number);
            match look.due {
                Due::Nothing(Wait::Appeal(_)) if considered != latest => {
                    considered = latest;
                    self.consider_appeal(&look, key, &votes).await?;
                }
                Due::Settle(_) | Due::SettleEarlier(_) | Due::Deliver => {
                    self.send_due(&look, key, &votes, &mut turn).await?;
                }
                _ => {}
            }

            let deep = self.look_deep(look.request).await?;
            let settled = deep.history.round(key.number).is_some_and(|round| round.settled.is_some());
            if settled && self.call_if_worth(&deep, key, &votes).await?.is_none() {
                self.count_settlement(&deep, key, &votes);
                self.log_verdict(&deep, key, &votes);
                return Ok(());
            }
            if self.draining.is_cancelled() {
                return Err(StepError::Stopping);
            }
            self.block_after(now).await;
        }
    }

    async fn send_due(&self, look: &Look, key: DrawKey, votes: &[Vote], turn: &mut Turn) -> Result<(), StepError> {
        let from = match *turn {
            Some((due, from)) if due == look.due => from,
            _ => {
                let place = look.place_among_revealed(key.number, self.operator).unwrap_or(0);
                look.now.block + place * TURN
            }
        };
        *turn = Some((look.due, from));
        if look.now.block < from {
            return Ok(());
        }
        let Some(call) = self.call_if_worth(look, key, votes).await? else { return Ok(()) };
        let deadline = look.now.time + SOME_TIME;
        if self.send_first(Purpose::round(Step::Conclude, key.round()), call, deadline).await? {
            info!(job = short(key.job), "{}: done", look.due);
        }
        Ok(())
    }

    /// What is due, if its bounty, and what it sets free for us, pay for its gas.
    async fn call_if_worth(&self, look: &Look, key: DrawKey, votes: &[Vote]) -> Result<Option<Call>, StepError> {
        let job = &look.request.job;
        let Some(data) = look.due.calldata(job, &look.history, &Bytes::new()) else { return Ok(None) };
        let settled = look.history.round(key.number).is_some_and(|round| round.settled.is_some());
        let waiting = if settled { U256::ZERO } else { U256::from(job.terms.share) * U256::from(votes.len()) };
        let call = Call { to: self.chain.deployment.generation_oracle, data, value: U256::ZERO };
        let pays = self.pays(&call, look.due.bounty(job) + waiting).await?;
        Ok(pays.then_some(call))
    }

    fn count_settlement(&self, look: &Look, key: DrawKey, votes: &[Vote]) {
        let Some(settled) = look.history.round(key.number).and_then(|round| round.settled.as_ref()) else { return };
        for vote in votes {
            let amount = |of: &[U256]| of.get(vote.seat.member as usize).copied().unwrap_or_default();
            self.metrics.settled(amount(&settled.earned), amount(&settled.lost));
        }
    }

    fn log_verdict(&self, look: &Look, key: DrawKey, votes: &[Vote]) {
        let job = short(key.job);
        let judge = look.history.judge_of(key.number, &look.request.job);
        match judge.zip(votes.first()) {
            Some((winner, vote)) => {
                let zone =
                    oracle::digest::ToleranceProfile::from(&look.request.job).zone(&winner, &vote.opening.digest);
                info!(job, round = key.number, ?zone, "accepted");
            }
            None => info!(job, round = key.number, "unresolved"),
        }
    }
}
