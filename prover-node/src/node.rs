//! The node: one job, start to end.
//!
//!     event -> Drawn -> Accepted -> Generated -> Digested -> Sealed -> Committed -> Revealed -> settled
//!
//! It may die on any line. On the next start, as after any failure, a draw is answered again from what the journal and
//! the chain say, and every step first looks whether it has been done.

mod draw;
mod looking;
mod sending;

use std::time::Instant;

use alloy::primitives::{Address, B256, U256};
use oracle::{
    chain::{
        Chain, ChainTime,
        IGenerationOracle::{self, Phase, Step},
    },
    digest::ToleranceProfile,
    follower::{Event, Happened, OracleEvent},
};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    error::{StepError, Unable},
    inference::{Inference, Progress},
    job::{Accepted, Committed, DrawKey, Drawn, Generated, Requested, Revealed, Sealed, short},
    journal::{Ending, Journal},
    output::OutputStore,
    pace::{Pace, Promises, check_time},
    salt::SaltKey,
    wallet::Wallet,
};

pub use crate::service::run;

/// Blocks that the next in line waits for the one before it to send what anyone may send.
pub(crate) const TURN: u64 = 3;

/// One operator at work for one model.
pub struct Node {
    pub(crate) chain: Chain,
    pub(crate) operator: Address,
    pub(crate) model: B256,
    pub(crate) profile: ToleranceProfile,
    /// Blocks on top of another before it counts.
    pub(crate) confirmations: u64,
    pub(crate) heads: watch::Receiver<ChainTime>,
    pub(crate) journal: Journal,
    pub(crate) wallet: Wallet,
    pub(crate) outputs: OutputStore,
    pub(crate) salts: SaltKey,
    pub(crate) inference: Inference,
    /// Held while the model works.
    pub(crate) pace: Mutex<Pace>,
    /// Under which the pace is remembered.
    pub(crate) settings: String,
    pub(crate) promises: Promises,
    pub(crate) draining: CancellationToken,
}

impl Node {
    // ------------------------------------------------------------------------------------------------------- the events

    /// Notes what an event means for us. Told again, it changes nothing.
    pub(crate) async fn take_in(&self, happened: &Happened) -> Result<(), StepError> {
        match &happened.event {
            Event::Oracle(OracleEvent::Requested(event)) if event.modelId == self.model => {
                let (job, block, fixed_seed) = (event.jobId, happened.block.number, event.terms.fixedSeed);
                let spec = (&event.spec).into();
                self.journal.put_request(&Requested { job, block, spec, fixed_seed }).await?;
                info!(job = short(job), "requested");
            }
            Event::Oracle(OracleEvent::Drawn(event)) => {
                let Some(request) = self.journal.request(event.jobId).await? else { return Ok(()) };
                // If the chain has just moved to another fork, the follower is about to go back, and tells again.
                let look = self.look_at(DrawKey { job: event.jobId, seed: event.drawSeed }).await?;
                let seats = look.undecided(self.operator);
                let drawn = request.drawn(event.drawSeed, seats, event.commitDeadline, event.revealDeadline);
                self.take_on(&drawn).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn take_on(&self, drawn: &Drawn) -> Result<(), StepError> {
        let seats: Vec<_> = drawn.seats.iter().map(|seat| seat.number).collect();
        if seats.is_empty() {
            debug!(job = short(drawn.key.job), "drawn, without us");
            return Ok(());
        }
        self.journal.put_draw(drawn).await?;
        info!(job = short(drawn.key.job), ?seats, "drawn");
        Ok(())
    }

    /// Declines a draw that cannot be noted: what cannot be remembered must not be committed to, and silence costs more.
    pub(crate) async fn turn_down(&self, happened: &Happened, reason: &StepError) -> Result<(), StepError> {
        let Event::Oracle(OracleEvent::Drawn(event)) = &happened.event else { return Ok(()) };
        let draw = DrawKey { job: event.jobId, seed: event.drawSeed };
        if self.journal.drawn(draw).await?.is_some() || self.look_at(draw).await?.job.modelId != self.model {
            return Ok(());
        }
        self.decline(draw, reason).await
    }

    // ------------------------------------------------------------------------------------------------------- the stages

    /// One drawn job, start to end.
    pub(crate) async fn answer(&self, draw: DrawKey) -> Result<(), StepError> {
        let sealed = match self.journal.sealed(draw).await? {
            Some(sealed) => sealed,
            None => self.make(draw).await?,
        };
        let committed = self.commit(sealed).await?;
        let revealed = self.reveal(committed).await?;
        self.settle(revealed).await
    }

    async fn make(&self, draw: DrawKey) -> Result<Sealed, StepError> {
        let Some(drawn) = self.journal.drawn(draw).await? else { return Err(StepError::Over(Ending::Reorganised)) };
        let accepted = self.accept(drawn).await?;
        let generated = self.generate(accepted).await?;
        let digested = generated.digest().map_err(Unable::from)?;
        self.outputs.put(&digested.output).map_err(Unable::Store)?;
        let sealed = digested.seal(&self.salts);

        // On disk before on the wire: after a crash we can still open what we committed.
        self.journal.put_sealed(&sealed).await.map_err(Unable::Seal)?;
        Ok(sealed)
    }

    /// Sets the model's time aside, if there is enough of it.
    async fn accept(&self, drawn: Drawn) -> Result<Accepted, StepError> {
        let look = self.look_at(drawn.key).await?;
        if look.job.phase != Phase::Commit {
            return Err(StepError::Over(Ending::Missed));
        }
        let seats = look.undecided(self.operator);
        if seats.is_empty() {
            return Err(StepError::Over(Ending::Declined));
        }

        let needed =
            self.journal.pace(&self.settings).await?.map_or_else(Default::default, |pace| pace.estimate(&drawn.spec));
        let promise = self.promises.make(needed, self.now().time, drawn.commit_deadline)?;
        Ok(Drawn { seats, ..drawn }.accepted(promise))
    }

    async fn generate(&self, job: Accepted) -> Result<Generated, StepError> {
        let mut pace = self.pace.lock().await;
        let look = self.look_at(job.key).await?;
        check_time(pace.estimate(&job.spec), self.now().time, look.job.commitDeadline)?;

        let began = Instant::now();
        let id = short(job.key.job);
        let progress = |at: Progress| debug!(job = id, step = at.step, of = at.steps, "generating");
        let image = self.inference.generate(job.spec.clone(), job.noise_seed, progress).await.map_err(Unable::from)?;
        let took = began.elapsed();

        info!(job = id, seconds = format!("{:.1}", took.as_secs_f64()), "picture made");
        *pace = pace.and(Pace::measured(&job.spec, took));
        if let Err(error) = self.journal.put_pace(&self.settings, *pace).await {
            warn!(%error, "the model's pace was not noted");
        }
        Ok(job.generated(image))
    }

    async fn commit(&self, sealed: Sealed) -> Result<Committed, StepError> {
        let Sealed { key, votes } = sealed;
        let mut committed = Vec::new();
        for vote in votes {
            let look = self.look_at(key).await?;
            if self.stands(&look, key, &vote, Step::Committed) {
                committed.push(vote);
            } else if look.undecided(self.operator).contains(&vote.seat) && look.job.phase == Phase::Commit {
                self.send_commit(key, &vote).await?;
                committed.push(vote);
            } else {
                warn!(
                    job = short(key.job),
                    seat = vote.seat.number,
                    "not committed: it is too late, or another node votes with this key"
                );
            }
        }
        match committed.is_empty() {
            true => Err(StepError::Over(Ending::Missed)),
            false => Ok(Committed { key, votes: committed }),
        }
    }

    async fn reveal(&self, committed: Committed) -> Result<Revealed, StepError> {
        let Committed { key, votes } = committed;
        // A reveal that a reorganisation sets free could be copied by whose commitment it also removed.
        self.confirmed(key, &votes, Step::Committed, |look| look.job.phase != Phase::Commit).await?;
        let mut revealed = Vec::new();
        for vote in votes {
            let look = self.look_at(key).await?;
            if self.stands(&look, key, &vote, Step::Revealed) {
                revealed.push(vote);
            } else if look.job.phase == Phase::Reveal {
                self.send_reveal(key, &vote).await?;
                revealed.push(vote);
            } else if look.job.phase == Phase::Commit {
                return Err(StepError::MovedBack);
            } else {
                warn!(job = short(key.job), seat = vote.seat.number, "too late to reveal: the bond is lost");
            }
        }
        if revealed.is_empty() {
            return Err(StepError::Over(Ending::Missed));
        }

        // Nothing is shown before its reveal is as deep as the operator asked for.
        self.confirmed(key, &revealed, Step::Revealed, |_| true).await?;
        for vote in &revealed {
            self.journal.publish(vote.opening.content_hash).await?;
        }
        Ok(Revealed { key, votes: revealed })
    }

    /// Sees to it that the job is settled. Anyone may: those who revealed take turns.
    async fn settle(&self, revealed: Revealed) -> Result<(), StepError> {
        let Revealed { key, votes } = revealed;
        let mut turn = None;
        loop {
            let now = self.now();
            let look = self.look_at(key).await?;
            self.check_all(&look, key, &votes, Step::Revealed)?;
            if look.job.phase == Phase::Settle {
                let place = look.place_among_revealed(self.operator).unwrap_or(0);
                if now.block >= *turn.get_or_insert(now.block + place * TURN)
                    && self.send_first(&IGenerationOracle::settleCall { jobId: key.job }).await?
                {
                    info!(job = short(key.job), "settled");
                }
            }
            let confirmed = self.look_deep(key.job).await?;
            if confirmed.job.phase == Phase::Closed {
                self.log_verdict(&confirmed, key, &votes);
                return Ok(());
            }
            if self.draining.is_cancelled() {
                return Err(StepError::Stopping);
            }
            self.block_after(now).await;
        }
    }

    /// Says openly that we cannot make it, with those of our seats that have not voted.
    pub(crate) async fn decline(&self, draw: DrawKey, reason: &StepError) -> Result<(), StepError> {
        loop {
            let now = self.now();
            let look = self.look_at(draw).await?;
            let undecided = if look.job.phase == Phase::Commit { look.undecided(self.operator) } else { Vec::new() };
            for seat in undecided {
                self.send(&IGenerationOracle::declineCall { jobId: draw.job, member: U256::from(seat.member) }).await?;
                warn!(job = short(draw.job), seat = seat.number, %reason, "declined");
            }
            let deep = self.look_deep(draw.job).await?;
            if deep.is_of(draw) && (deep.job.phase != Phase::Commit || deep.undecided(self.operator).is_empty()) {
                return Ok(());
            }
            self.block_after(now).await;
        }
    }
}
