//! The node: one job, start to end.
//!
//!     event -> Drawn -> Accepted -> Generated -> Digested -> Sealed -> Committed -> Revealed -> settled
//!
//! Who is on a committee follows from the seed, before anybody has sent the draw: a node makes its output then, and
//! draws with its commitment. Every round of a job that draws one of our seats is work of its own.
//!
//! It may die on any line. On the next start, as after any failure, a draw is answered again from what the journal and
//! the chain say, and every step first looks whether it has been done.

mod affording;
mod appeal;
mod conclude;
mod draw;
mod looking;
mod lost;
mod sending;

use std::{collections::BTreeMap, sync::Arc};

use alloy::primitives::{Address, B256, U256};
use futures_util::future::try_join_all;
use oracle::{
    chain::{
        Chain, ChainError, ChainTime,
        IGenerationOracle::{self, Phase, Step},
        IdPrefix, Request,
    },
    finality::Finality,
    follower::{Event, Happened, OracleEvent},
    job::noise_of,
    round::Member,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    archive::Archive,
    budget::Budget,
    crash_point,
    error::{StepError, Unable},
    inference::{Asked, Inference, Progress},
    job::{Accepted, Committed, DrawKey, Drawn, Generated, Revealed, RoundKey, Sealed, Seat, short},
    journal::{Ending, Journal},
    look::Look,
    metrics::{Metrics, Stage},
    output::{File, OutputStore},
    owners::Owners,
    salt::SaltKey,
    schedule::{SENDING, Schedule, check_time},
    served::Served,
    vitals::Followed,
    wallet::{self, Purpose, Wallet},
};

pub(crate) use looking::REST;
pub(crate) use sending::SOME_TIME;

pub use crate::service::run;

/// Blocks that the next in line waits for the one before it to send what anyone may send.
pub(crate) const TURN: u64 = 3;

/// One operator at work for its models.
pub struct Node {
    pub(crate) chain: Chain,
    pub(crate) operator: Address,
    /// For whom it works.
    pub(crate) owners: Owners,
    /// By their ids.
    pub(crate) models: BTreeMap<B256, Served>,
    /// Whether to appeal where that is worth it.
    pub(crate) appeals: bool,
    /// Which blocks count.
    pub(crate) finality: Finality,
    pub(crate) heads: watch::Receiver<ChainTime>,
    /// Some of them, for those who merely wait.
    pub(crate) calm: watch::Receiver<ChainTime>,
    pub(crate) archive: Archive,
    pub(crate) journal: Journal,
    pub(crate) wallet: Wallet,
    pub(crate) outputs: OutputStore,
    pub(crate) salts: SaltKey,
    /// What may be spent.
    pub(crate) budget: Budget,
    pub(crate) inference: Inference,
    pub(crate) schedule: Schedule,
    pub(crate) draining: CancellationToken,
    pub(crate) followed: watch::Sender<Followed>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Node {
    // ------------------------------------------------------------------------------------------------------- the events

    /// Notes what an event means for us. Told again, it changes nothing.
    pub(crate) async fn take_in(&self, happened: &Happened) -> Result<(), StepError> {
        let Event::Oracle(event) = &happened.event else { return Ok(()) };
        match event.as_ref() {
            OracleEvent::ImageRequested(_) | OracleEvent::TextRequested(_) => {
                let Some(request) = Request::of(event, happened.block.number) else { return Ok(()) };
                if self.models.contains_key(&request.job.modelId) {
                    self.journal.put_request(&request).await?;
                    crash_point!("follower: request noted");
                    info!(job = short(request.id), "requested");
                }
            }
            OracleEvent::Opened(event) if self.journal.request(event.jobId).await?.is_some() => {
                let round = RoundKey { job: event.jobId, number: event.number };
                self.journal.put_round(round, event.drawDeadline.to()).await?;
                crash_point!("follower: round noted");
            }
            OracleEvent::Drawn(event) => {
                let Some(request) = self.journal.request(event.jobId).await? else { return Ok(()) };
                let key = DrawKey { job: event.jobId, number: event.round.number, seed: event.round.drawSeed };
                let seats = self.seats_among(request.job.modelId, &event.round.members).await?;
                // If the chain has just moved to another fork, the follower is about to go back, and tells again.
                let Some(first) = self.first_seed(key).await? else { return Ok(()) };
                let deadline = event.commitDeadline.to::<u64>() + u64::from(self.chain.windows.reveal);
                self.take_on(&request, key, first, seats, deadline).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes a draw with seats of ours, as it was told or as it is foretold.
    async fn take_on(
        &self,
        request: &Request,
        key: DrawKey,
        first_seed: B256,
        seats: Vec<Seat>,
        deadline: u64,
    ) -> Result<(), StepError> {
        if seats.is_empty() {
            debug!(job = short(key.job), round = key.number, "drawn, without us");
            return Ok(());
        }
        let numbers: Vec<_> = seats.iter().map(|seat| seat.number).collect();
        let noise_seed = noise_of(&request.job, first_seed);
        let is_new = self.journal.drawn(key).await?.is_none();
        self.journal.put_draw(&Drawn { key, spec: request.spec.clone(), noise_seed, seats, deadline }).await?;
        crash_point!("job: draw noted");
        if is_new {
            self.metrics.voted(Stage::Drawn, numbers.len());
            info!(job = short(key.job), round = key.number, seats = ?numbers, "drawn");
        }
        Ok(())
    }

    /// Declines a draw that cannot be noted: what cannot be remembered must not be committed to, and silence costs more.
    pub(crate) async fn turn_down(&self, happened: &Happened, reason: &StepError) -> Result<(), StepError> {
        let Event::Oracle(event) = &happened.event else { return Ok(()) };
        let OracleEvent::Drawn(event) = event.as_ref() else { return Ok(()) };
        let draw = DrawKey { job: event.jobId, number: event.round.number, seed: event.round.drawSeed };
        let named = event.round.members.iter().any(|&word| Member::from(word).operator == self.operator);
        if !named || self.journal.drawn(draw).await?.is_some() {
            return Ok(());
        }
        let request = self.chain.find_job(&IdPrefix::from(draw.job)).await?;
        let model = request.job.modelId;
        match self.models.contains_key(&model) && !self.seats_among(model, &event.round.members).await?.is_empty() {
            true => self.decline(&request, draw, reason).await,
            false => Ok(()),
        }
    }

    // ------------------------------------------------------------------------------------------------------- the stages

    /// One draw of ours, start to end.
    pub(crate) async fn answer(&self, draw: DrawKey) -> Result<(), StepError> {
        let sealed = match self.journal.sealed(draw).await? {
            Some(sealed) => sealed,
            None => self.make(draw).await?,
        };
        let committed = self.commit(sealed).await?;
        crash_point!("job: committed");
        let revealed = self.reveal(committed).await?;
        crash_point!("job: published");
        self.conclude(revealed).await
    }

    async fn make(&self, draw: DrawKey) -> Result<Sealed, StepError> {
        let Some(drawn) = self.journal.drawn(draw).await? else { return Err(StepError::Over(Ending::Reorganised)) };
        let accepted = self.accept(drawn).await?;
        let generated = self.generate(accepted).await?;
        let digested = generated.digest().map_err(Unable::from)?;
        self.store(&digested.file).await?;
        crash_point!("job: output stored");
        let sealed = digested.seal(&self.salts);

        // On disk before on the wire: after a crash we can still open what we committed.
        self.journal.put_sealed(&sealed).await.map_err(Unable::Seal)?;
        crash_point!("job: sealed");
        Ok(sealed)
    }

    /// Sets the model's time aside, if there is enough of it.
    async fn accept(&self, drawn: Drawn) -> Result<Accepted, StepError> {
        let look = self.look_at(drawn.key).await?;
        let number = drawn.key.number;
        let lost = self.lost(&look, number).await?;
        let seats = match look.phase_of(number) {
            Phase::Draw => drawn.seats.clone(),
            Phase::Commit => [self.undecided(&look, number).await?, lost.clone()].concat(),
            Phase::Reveal if !lost.is_empty() => lost.clone(),
            _ => {
                self.explain_silence(&look, number).await?;
                return Err(StepError::Over(Ending::Missed));
            }
        };
        if seats.is_empty() {
            return Err(StepError::Over(Ending::Declined));
        }
        // What is committed already has to be opened at any price.
        if lost.is_empty() {
            self.check_budget(&look, number, seats.len()).await?;
        }

        let work = self.served(&look.request)?.work(&drawn.spec, &self.inference).await;
        let place = self.schedule.admit(work, self.now().time, self.time_to_make(&look, number))?;
        Ok(Drawn { seats, ..drawn }.accepted(place))
    }

    async fn generate(&self, job: Accepted) -> Result<Generated, StepError> {
        job.place.turn().await;
        let look = self.look_at(job.key).await?;
        let model = self.served(&look.request)?;
        let work = model.work(&job.spec, &self.inference).await;
        let deadline = self.time_to_make(&look, job.key.number);
        check_time(self.schedule.time_of(&work), self.now().time, deadline)?;

        let id = short(job.key.job);
        let progress = |at: Progress| debug!(job = id, step = at.step, of = at.steps, "generating");
        let asked = Asked {
            model: model.hash(),
            spec: job.spec.clone(),
            noise_seed: job.noise_seed,
            deadline,
            job: Some(job.key.job),
        };
        let made = tokio::select! {
            made = self.inference.generate(asked, progress) => made.map_err(Unable::from)?,
            // There is just time to say so.
            () = self.time_is(deadline.saturating_sub(SENDING)) => return Err(Unable::TooSlow.into()),
        };

        self.metrics.made(made.took);
        info!(job = id, seconds = format!("{:.1}", made.took.as_secs_f64()), "made");
        if let Err(error) = model.measured(&job.spec, &made, job.place.was_alone(), &self.journal).await {
            warn!(%error, "what it took was not noted");
        }
        crash_point!("job: output made");
        Ok(job.generated(made.output))
    }

    /// Keeps what is made. If there is too much of it, what no open job needs goes, the oldest first.
    async fn store(&self, file: &File) -> Result<(), StepError> {
        self.outputs.put(file).await.map_err(Unable::Store)?;
        if self.outputs.is_over_its_limit() {
            match self.outputs.prune(&self.journal.needed_outputs().await?).await {
                Ok(removed) => info!(removed, "the oldest outputs were removed: the store is at its limit"),
                Err(error) => warn!(%error, "the oldest outputs could not be removed"),
            }
        }
        Ok(())
    }

    async fn commit(&self, sealed: Sealed) -> Result<Committed, StepError> {
        self.draw_and_commit(&sealed).await?;
        let Sealed { key, votes } = sealed;
        let look = self.look_at(key).await?;
        let undecided = look.undecided(key.number, self.operator);
        let (mut committed, mut due) = (Vec::new(), Vec::new());
        for vote in votes {
            if self.stands(&look, key, &vote, Step::Committed) {
                committed.push(vote);
            } else if undecided.contains(&vote.seat) && look.phase_of(key.number) == Phase::Commit {
                due.push(vote);
            } else {
                self.check_listed(&look, key, &vote).await?;
                self.explain_not_committed(&look, key, &vote);
            }
        }
        // No seat waits for another's receipt.
        try_join_all(due.iter().map(|vote| self.send_commit(&look, key, vote))).await?;
        committed.extend(due);
        match committed.is_empty() {
            true => Err(StepError::Over(Ending::Missed)),
            false => Ok(Committed { key, votes: committed }),
        }
    }

    async fn reveal(&self, committed: Committed) -> Result<Revealed, StepError> {
        let Committed { key, votes } = committed;
        // A reveal that a reorganisation sets free could be copied by whose commitment it also removed.
        self.confirmed(key, &votes, Step::Committed, |look| look.phase_of(key.number) != Phase::Commit).await?;
        crash_point!("job: commitment deep");
        let look = self.look_at(key).await?;
        let phase = look.phase_of(key.number);
        let (mut revealed, mut due) = (Vec::new(), Vec::new());
        for vote in votes {
            if self.stands(&look, key, &vote, Step::Revealed) {
                revealed.push(vote);
            } else if phase == Phase::Reveal {
                due.push(vote);
            } else if phase == Phase::Commit {
                return Err(StepError::MovedBack);
            } else {
                self.check_listed(&look, key, &vote).await?;
                warn!(job = short(key.job), seat = vote.seat.number, "too late to reveal: the bond is lost");
            }
        }
        try_join_all(due.iter().map(|vote| self.send_reveal(&look, key, vote))).await?;
        revealed.extend(due);
        if revealed.is_empty() {
            return Err(StepError::Over(Ending::Missed));
        }
        crash_point!("job: revealed");

        // Nothing is shown before its reveal is as deep as the operator asked for.
        self.confirmed(key, &revealed, Step::Revealed, |_| true).await?;
        crash_point!("job: reveal deep");
        for vote in &revealed {
            self.journal.publish(vote.opening.content_hash).await?;
        }
        Ok(Revealed { key, votes: revealed })
    }

    /// Says openly that we cannot make it, with those of our seats that have not voted.
    pub(crate) async fn decline(&self, request: &Request, draw: DrawKey, reason: &StepError) -> Result<(), StepError> {
        let number = draw.number;
        loop {
            let now = self.now();
            let look = self.look_of(request.clone(), draw).await?;
            let commits = look.is_of(draw) && look.phase_of(number) == Phase::Commit;
            let undecided = if commits { self.undecided(&look, number).await? } else { Vec::new() };
            for seat in undecided {
                let (round, member) = (look.round(number)?, U256::from(seat.member));
                let call = IGenerationOracle::declineCall { jobId: draw.job, round, member };
                let purpose = Purpose::seat(wallet::Step::Decline, draw.round(), seat);
                self.send(purpose, &call, self.deadline(&look, number, Phase::Commit)).await?;
                warn!(job = short(draw.job), seat = seat.number, %reason, "declined");
            }
            let deep = self.look_deep(request.clone()).await?;
            let over = deep.phase_of(number) != Phase::Commit || self.undecided(&deep, number).await?.is_empty();
            if deep.is_of(draw) && over {
                return Ok(());
            }
            self.block_after(now).await;
        }
    }

    /// The model that a job asks for, if this node serves it.
    pub(crate) fn served(&self, request: &Request) -> Result<&Served, Unable> {
        let model = request.job.modelId;
        self.models.get(&model).ok_or(Unable::NotServed(model))
    }

    /// Ours among a committee for a model.
    async fn seats_among(&self, model: B256, members: &[B256]) -> Result<Vec<Seat>, StepError> {
        let members = members.iter().map(|&word| Member::from(word)).zip(0..);
        let named = members.filter(|(member, _)| member.operator == self.operator);
        self.ours(model, named.map(|(Member { seat, .. }, member)| Seat { number: seat, member }).collect()).await
    }

    /// Ours that have done nothing yet.
    async fn undecided(&self, look: &Look, number: u8) -> Result<Vec<Seat>, StepError> {
        self.ours(look.request.job.modelId, look.undecided(number, self.operator)).await
    }

    /// Of the seats in a model's pool that name our key, those that we serve.
    async fn ours(&self, model: B256, named: Vec<Seat>) -> Result<Vec<Seat>, StepError> {
        let stakes = self.chain.stakes();
        let mut ours = Vec::new();
        for seat in named {
            let enrolled = stakes.seatOf(model, seat.number).call().await.map_err(ChainError::from)?;
            if self.owners.serve(model, seat.number, enrolled.owner) {
                ours.push(seat);
            }
        }
        Ok(ours)
    }
}
