//! History: what became of a job, put together from its own events, and its phase, read off the [`clock`].
//!
//! The contract keeps one word of each round; everything else is in its events.

mod clock;

use alloy::{
    primitives::{Address, B256, TxHash, U256},
    rpc::types::Filter,
    sol_types::SolEventInterface,
};

use super::{
    Chain, ChainError, IGenerationOracle,
    IGenerationOracle::{IGenerationOracleEvents as Event, Job, Round, Step, Verdict},
    jobs::Request,
    randomness::{Known, Randomness},
};
use crate::{
    digest::{Digest, ToleranceProfile},
    round::{Member, size_of},
    tally::{self, quorum, tally},
};

/// What became of a job up to a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// In order; never without the first one, as long as the request is part of the chain.
    pub rounds: Vec<RoundHistory>,
    /// The last word, once there is one.
    pub verdict: Option<Verdict>,
    /// Whether the consumer took it without reverting, once it was called.
    pub delivered: Option<bool>,
}

/// What became of one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundHistory {
    /// From 1.
    pub number: u8,
    /// Who paid for it.
    pub payer: Address,
    /// The number of the value that it is to be drawn by: for RANDAO a block's, for drand a round's.
    pub randomness: u64,
    /// When that can be proved.
    pub known: Known,
    /// In seconds since the epoch.
    pub draw_deadline: u64,
    /// The draw, once there is one.
    pub drawn: Option<DrawnRound>,
    /// What it came to, once it is settled.
    pub settled: Option<Settlement>,
    /// What its payer got for having been right, in wei.
    pub reward: U256,
}

/// A draw, and what its members have done since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnRound {
    /// As it was announced; each call hands it back.
    pub round: Round,
    /// The block of the draw.
    pub block: u64,
    /// In seconds since the epoch.
    pub commit_deadline: u64,
    /// In the order of the draw.
    pub votes: Vec<Vote>,
    /// When nobody was left to act, in seconds since the epoch; none if somebody still is, or was until the deadline.
    pub closed_at: Option<u64>,
}

/// One drawn seat's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// Whose it is.
    pub member: Member,
    /// How far it came.
    pub step: Step,
    /// What it committed to.
    pub commitment: Option<B256>,
    /// What it opened.
    pub reveal: Option<Reveal>,
}

/// One opened commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reveal {
    /// What it got.
    pub digest: Digest,
    /// sha256 of the file that its operator serves.
    pub content_hash: B256,
}

/// What a settled round came to, by member, in wei.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Paid to each seat.
    pub earned: Vec<U256>,
    /// Burned from each seat's stake.
    pub lost: Vec<U256>,
}

impl Chain {
    /// What became of a job so far.
    pub async fn history(&self, request: &Request) -> Result<History, ChainError> {
        let newest = self.now().await?.block;
        self.history_at(request, newest).await
    }

    /// What became of a job up to and including `block`.
    pub async fn history_at(&self, request: &Request, block: u64) -> Result<History, ChainError> {
        let events = self.job_events(&[request.id], request.block, block).await?;
        Ok(History::of(events.iter().map(|(_, event)| event), &self.randomness))
    }

    /// What happened to some jobs, or if none is named to all, from one block to another, both included, in the chain's
    /// order.
    pub async fn job_events(&self, jobs: &[B256], from: u64, to: u64) -> Result<Vec<(B256, JobEvent)>, ChainError> {
        let filter = Filter::new().address(self.deployment.generation_oracle).topic1(jobs.to_vec());
        let mut events = Vec::new();
        let mut known = None;
        for log in self.logs_between(filter, from, to).await? {
            let (Ok(event), Some(job)) = (Event::decode_raw_log(log.topics(), &log.data().data), log.topics().get(1))
            else {
                continue;
            };
            let block = log.block_number.unwrap_or_default();
            let time = match (log.block_timestamp, known) {
                (Some(time), _) => Some(time),
                (None, Some((number, time))) if number == block => Some(time),
                (None, _) if may_close(&event) => {
                    let time = self.time_of(block).await?;
                    known = Some((block, time));
                    Some(time)
                }
                (None, _) => None,
            };
            let index = log.log_index.unwrap_or_default();
            let transaction = log.transaction_hash.unwrap_or_default();
            events.push((*job, JobEvent { event, block, index, transaction, time }));
        }
        Ok(events)
    }
}

/// What happened to a job.
#[derive(Debug, Clone)]
pub struct JobEvent {
    /// What.
    pub event: Event,
    /// In which block.
    pub block: u64,
    /// The place among all logs of the block.
    pub index: u64,
    /// By which transaction.
    pub transaction: TxHash,
    /// Of the block, in seconds since the epoch; known of events after which nobody may be left to act.
    time: Option<u64>,
}

/// Whether nobody may be left to act after the event.
fn may_close(event: &Event) -> bool {
    matches!(event, Event::Declined(_) | Event::Revealed(_))
}

impl History {
    /// What a job's events come to, from its request on and in their order.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a JobEvent>, randomness: &Randomness) -> Self {
        let mut history = Self::default();
        for JobEvent { event, block, time, .. } in events {
            history.take_in(event.clone(), *block, randomness);
            if let Some(time) = time {
                history.close(event, *time);
            }
        }
        history
    }

    /// The latest round; none if the request is not part of the chain.
    #[must_use]
    pub fn latest(&self) -> Option<&RoundHistory> {
        self.rounds.last()
    }

    /// The round of that number, if it was opened.
    #[must_use]
    pub fn round(&self, number: u8) -> Option<&RoundHistory> {
        self.rounds.iter().find(|round| round.number == number)
    }

    /// The seed of the first draw, which the noise of all rounds is made of.
    #[must_use]
    pub fn first_draw_seed(&self) -> Option<B256> {
        Some(self.round(1)?.drawn.as_ref()?.round.drawSeed)
    }

    /// The verdict of a round as it will be judged by if nothing more happens: its own if the latest one is the same,
    /// and the latest one otherwise.
    #[must_use]
    pub fn judge_of(&self, number: u8, job: &Job) -> Option<Digest> {
        let own = self.round(number)?.tally(job).winner();
        let last = self.latest()?.tally(job).winner();
        if tally::same(&job.into(), own, last) { own } else { last }
    }

    fn take_in(&mut self, event: Event, block: u64, randomness: &Randomness) {
        match event {
            Event::Opened(e) => {
                self.rounds.retain(|round| round.number != e.number);
                self.rounds.push(RoundHistory::opened(&e, randomness));
            }
            Event::Drawn(e) => {
                let number = e.round.number;
                if let Some(round) = self.rounds.iter_mut().find(|round| round.number == number) {
                    round.drawn = Some(DrawnRound::of(e.round, block, e.commitDeadline.to()));
                }
            }
            Event::Committed(e) => self.vote(e.number, e.member, |vote| {
                (vote.step, vote.commitment) = (Step::Committed, Some(e.commitment));
            }),
            Event::Declined(e) => self.vote(e.number, e.member, |vote| vote.step = Step::Out),
            Event::Revealed(e) => {
                let reveal = Reveal { digest: e.digest.into(), content_hash: e.contentHash };
                self.vote(e.number, e.member, |vote| (vote.step, vote.reveal) = (Step::Revealed, Some(reveal)));
            }
            Event::Settled(e) => self.verdict = Some(e.verdict),
            Event::RoundSettled(e) => {
                let wei =
                    |amounts: &[alloy::primitives::aliases::U96]| amounts.iter().map(|&of| U256::from(of)).collect();
                if let Some(round) = self.rounds.iter_mut().find(|round| round.number == e.number) {
                    round.settled = Some(Settlement { earned: wei(&e.earned), lost: wei(&e.lost) });
                }
            }
            Event::AppealRewarded(e) => {
                if let Some(round) = self.rounds.iter_mut().find(|round| round.number == e.number) {
                    round.reward = e.amount;
                }
            }
            Event::Delivered(e) => self.delivered = Some(e.success),
            _ => {}
        }
    }

    fn vote(&mut self, number: u8, member: U256, change: impl FnOnce(&mut Vote)) {
        let round = self.rounds.iter_mut().find(|round| round.number == number);
        let votes = round.and_then(|round| round.drawn.as_mut()).map(|drawn| drawn.votes.as_mut_slice());
        let vote = votes.unwrap_or_default().get_mut(usize::try_from(member).unwrap_or(usize::MAX));
        if let Some(vote) = vote {
            change(vote);
        }
    }

    /// Notes when a round closed, if that event closed it.
    fn close(&mut self, event: &Event, time: u64) {
        let (number, declined) = match event {
            Event::Declined(e) => (e.number, true),
            Event::Revealed(e) => (e.number, false),
            _ => return,
        };
        let round = self.rounds.iter_mut().find(|round| round.number == number);
        if let Some(drawn) = round.and_then(|round| round.drawn.as_mut())
            && !drawn.is_unopened()
            && !(declined && drawn.is_undecided())
        {
            drawn.closed_at = Some(time);
        }
    }
}

impl RoundHistory {
    fn opened(event: &IGenerationOracle::Opened, randomness: &Randomness) -> Self {
        Self {
            number: event.number,
            payer: event.payer,
            randomness: event.randomnessId,
            known: randomness.known(event.randomnessId),
            draw_deadline: event.drawDeadline.to(),
            drawn: None,
            settled: None,
            reward: U256::ZERO,
        }
    }

    /// The round as calls hand it back: with no members if it was never drawn.
    #[must_use]
    pub fn calldata(&self) -> Round {
        match &self.drawn {
            Some(drawn) => drawn.round.clone(),
            None => Round { number: self.number, ..Round::default() },
        }
    }

    /// The votes, in the order of the draw; empty before it.
    #[must_use]
    pub fn votes(&self) -> &[Vote] {
        self.drawn.as_ref().map_or(&[], |drawn| &drawn.votes)
    }

    /// The opened digests, in the order of the draw.
    #[must_use]
    pub fn digests(&self) -> Vec<Digest> {
        self.votes().iter().filter_map(|vote| vote.reveal).map(|reveal| reveal.digest).collect()
    }

    /// What the votes come to, as they stand.
    #[must_use]
    pub fn tally(&self, job: &Job) -> tally::Verdict {
        let size = size_of(job.terms.committeeSize, self.number);
        tally(&ToleranceProfile::from(job), quorum(size, job.terms.superMajority), &self.digests())
    }
}

impl DrawnRound {
    fn of(round: Round, block: u64, commit_deadline: u64) -> Self {
        let vote = |&word: &B256| {
            let member = Member::from(word);
            let step = if member.is_excused() { Step::Out } else { Step::Drawn };
            Vote { member, step, commitment: None, reveal: None }
        };
        let votes = round.members.iter().map(vote).collect();
        Self { round, block, commit_deadline, votes, closed_at: None }
    }

    /// Somebody may still commit, as far as the clock allows.
    fn is_undecided(&self) -> bool {
        self.votes.iter().any(|vote| vote.step == Step::Drawn)
    }

    /// Somebody has committed and not revealed.
    fn is_unopened(&self) -> bool {
        self.votes.iter().any(|vote| vote.step == Step::Committed)
    }
}

impl Settlement {
    /// By all seats, in wei.
    #[must_use]
    pub fn total_earned(&self) -> U256 {
        self.earned.iter().sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
