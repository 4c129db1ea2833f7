//! The node's life: set up, follow the chain, give each job a task, and in the end let what was taken be revealed.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
};

use alloy::{primitives::B256, providers::DynProvider};
use oracle::{
    chain::{ChainError, IGenerationOracle::Phase, IVerifierStakes},
    follower::{Advance, Follower, Happened, Trail},
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, Span, debug, info, info_span, warn};

use crate::{
    archive::Archive,
    config::{Config, ServedModel},
    crash_point,
    data_dir::DataDir,
    error::{NodeError, StepError},
    funds::{Account, Funds, watch_funds},
    heads::{every, watch_heads},
    inference::{Asked, Inference, Settings},
    job::{DrawKey, RoundKey, short},
    journal::{Ending, Journal, Trouble},
    metrics::Metrics,
    node::{Node, REST, SOME_TIME},
    output::OutputStore,
    salt::SaltKey,
    schedule::Schedule,
    served::Served,
    server::{Shelf, serve, serve_metrics},
    stop::Stop,
    vitals::{Followed, Identity, Vitals},
    wallet::{Call, Intent, Purpose, Step, Wallet},
};

/// How far back everything is looked at again if the chain is reorganised, in seconds of the chain.
const REOPENED: u64 = 3_600;

/// Something that is being seen to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Task {
    /// That the chain says where our outputs are.
    Announce(String),
    /// That a round is drawn.
    Draw(RoundKey),
    /// That a draw of ours is answered.
    Answer(DrawKey),
}

impl Task {
    /// The one that it is about.
    fn job(&self) -> Option<B256> {
        match self {
            Self::Announce(_) => None,
            Self::Draw(round) => Some(round.job),
            Self::Answer(draw) => Some(draw.job),
        }
    }

    /// For those that follow a job through the node.
    fn span(&self) -> Span {
        match self {
            Self::Announce(_) => info_span!("announce"),
            Self::Draw(round) => info_span!("draw", job = %round.job, round = round.number),
            Self::Answer(draw) => info_span!("answer", job = %draw.job, round = draw.number),
        }
    }
}

/// All that is being seen to, each thing once.
#[derive(Default)]
struct Crew {
    busy: HashSet<Task>,
    tasks: JoinSet<(Task, Result<(), NodeError>)>,
}

/// Runs a node until it is told to stop, or cannot go on.
pub async fn run(config: Config, inference: Inference, stop: Stop) -> Result<(), NodeError> {
    let mut crew = Crew::default();
    let ended = tokio::select! {
        ended = live(config, inference, &stop, &mut crew) => Some(ended),
        () = stop.now.cancelled() => None,
    };
    ended.unwrap_or_else(|| Err(NodeError::Interrupted { open: crew.jobs() }))
}

async fn live(config: Config, inference: Inference, stop: &Stop, crew: &mut Crew) -> Result<(), NodeError> {
    let (listener, bound) = bind(config.listen, "--listen").await?;
    let (metrics_listener, metrics_bound) = bind(config.metrics_listen, "--metrics-listen").await?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let url = config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{bound}"));
    let (limits, tls) = (config.limits, config.tls.clone());

    // The data directory is ours to the end.
    let (node, vitals, _data_dir) = tokio::select! {
        set_up = set_up(config, inference, stop) => set_up?,
        // It may wait for its first worker, and has taken nothing yet.
        () = stop.drain.cancelled() => return Ok(()),
    };
    let shelf = Shelf { journal: node.journal.clone(), outputs: node.outputs.clone() };
    let _metrics = AbortOnDropHandle::new(tokio::spawn(serve_metrics(metrics_listener, vitals.clone())));
    let _server = AbortOnDropHandle::new(tokio::spawn(serve(listener, shelf, vitals, limits, tls)));
    info!(at = %metrics_bound, "serving metrics");
    info!(at = %bound, url, "serving outputs");
    crew.take(&node, Task::Announce(url));

    let ended = tokio::select! {
        ended = work_and_finish(&node, stop, crew) => ended,
        () = node.journal.taken() => Err(NodeError::Taken(node.journal.location().clone())),
    };
    info!("stopped");
    ended
}

/// Until it is told to stop, and then until everything that was taken is done.
async fn work_and_finish(node: &Arc<Node>, stop: &Stop, crew: &mut Crew) -> Result<(), NodeError> {
    let ended = work(node, stop, crew).await;
    stop.drain.cancel();
    info!(jobs = crew.jobs(), "taking no new jobs; finishing what was taken");
    while crew.one_done().await.is_some() {}
    ended
}

async fn bind(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), NodeError> {
    let failed = |source| NodeError::Listen { address, flag, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Follows the chain, and gives everything that is open a task, whether it was opened just now or before a restart.
async fn work(node: &Arc<Node>, stop: &Stop, crew: &mut Crew) -> Result<(), NodeError> {
    let mut follower = follower(node).await?;
    let mut complaint = Complaint::default();
    while !stop.drain.is_cancelled() {
        let now = node.now();
        match catch_up(node, &mut follower).await {
            Ok(()) => {
                node.followed.send_modify(|followed| followed.caught_up_at = now.block);
                if let Err(error) = crew.take_open(node).await {
                    complaint.about(node, None, &error).await;
                }
            }
            Err(error) => complaint.about(node, None, &error).await,
        }
        let mut next = pin!(node.block_after(now));
        loop {
            tokio::select! {
                () = &mut next => break,
                () = stop.drain.cancelled() => break,
                // What it leaves to be done is seen at the next block: to look for it costs more, the more there is that waits.
                Some(ended) = crew.one_done() => ended?,
            }
        }
    }
    Ok(())
}

/// Takes in what is newly confirmed. Effects first, trail last: killed in between, the same events come again.
async fn catch_up(node: &Node, follower: &mut Follower<DynProvider>) -> Result<(), StepError> {
    loop {
        match follower.advance().await? {
            Advance::Idle => return Ok(()),
            Advance::Reorged { back_to } => {
                info!(block = back_to.number, "the chain was reorganised; going back");
                let since = node.now().time.saturating_sub(REOPENED);
                node.journal.reopen(since).await?;
                crash_point!("follower: reorganisation noted");
            }
            Advance::Confirmed { events, next, more } => {
                if let Err(error) = take_in(node, &events).await {
                    turn_down(node, &events, &error).await?;
                    return Err(error);
                }
                follower.move_to(next);
                node.followed.send_modify(|followed| followed.block = next.number);
                node.journal.put_trail(follower.trail()).await?;
                crash_point!("follower: cursor stored");
                // Blocks may come faster than a slow endpoint shows them: what is known must be worked on meanwhile.
                if !more {
                    return Ok(());
                }
            }
        }
    }
}

async fn take_in(node: &Node, events: &[Happened]) -> Result<(), StepError> {
    for happened in events {
        node.take_in(happened).await?;
        crash_point!("follower: event handled");
    }
    Ok(())
}

/// If they cannot be noted, because the disk is full perhaps.
async fn turn_down(node: &Node, events: &[Happened], error: &StepError) -> Result<(), StepError> {
    if let StepError::Journal(_) = error {
        for happened in events {
            node.turn_down(happened, error).await?;
        }
    }
    Ok(())
}

// ---------------------------------------------------------------------------------------------------------- the set-up

async fn set_up(config: Config, inference: Inference, stop: &Stop) -> Result<(Arc<Node>, Vitals, DataDir), NodeError> {
    let Config { chain, signer, owners, data_dir, served, appeals, budget, .. } = config;
    let (chain_id, oracle) = (chain.deployment.chain_id, chain.deployment.generation_oracle);
    let operator = signer.address();
    let journal = Journal::open(config.journal, config.owner).await?;
    crash_point!("journal: made");
    let outputs = OutputStore::open(config.storage, config.store_limit).await?;
    let ids: Vec<_> = served.iter().map(|served| served.model.id).collect();
    let mut models = BTreeMap::new();
    for served in &served {
        models.insert(served.model.id, get_ready(served, config.settings, &inference, &journal).await?);
    }

    let heads = watch_heads(chain.clone(), chain.now().await?);
    let salts = SaltKey::new(&signer, chain_id, oracle);
    let wallet = Wallet::spawn(chain.provider.clone(), chain_id, signer, journal.clone(), heads.clone()).await?;
    let identity = Identity::new(&chain.deployment, operator, ids.clone());
    let account = Account { operator, models: ids, owners: owners.clone(), budget };
    let funds = Funds::of(&chain, &account, journal.unopened().await?).await?;
    let funds = watch_funds(chain.clone(), account, journal.clone(), heads.clone(), funds);
    let followed = watch::Sender::new(Followed::default());
    let vitals = Vitals {
        heads: heads.clone(),
        followed: followed.subscribe(),
        rpc: chain.rpc.clone(),
        funds,
        journal: journal.clone(),
        inference: inference.clone(),
        draining: stop.drain.clone(),
        metrics: Arc::new(Metrics::new(identity.properties())),
        identity,
    };
    let node = Node {
        operator,
        owners,
        models,
        appeals,
        finality: config.finality,
        salts,
        budget,
        wallet,
        archive: Archive::new(chain.clone(), heads.clone(), config.finality),
        calm: every(REST, heads.clone()),
        heads,
        journal,
        outputs,
        schedule: schedule_of(&inference),
        inference,
        draining: stop.drain.clone(),
        followed,
        metrics: Arc::clone(&vitals.metrics),
        chain,
    };
    Ok((Arc::new(node), vitals, data_dir))
}

/// For those who compute, as they come and go. With none at all, jobs wait for one to come as long as there is time.
fn schedule_of(inference: &Inference) -> Schedule {
    let schedule = Schedule::default();
    schedule.set_hands(inference.hands());
    let told = schedule.clone();
    tokio::spawn(inference.clone().watch_hands(move |hands| told.set_hands(hands)));
    schedule
}

/// What is remembered of a model; or, the first time, what making something for nobody tells: whether it works, and how
/// long it takes here. Whatever fits is loaded.
async fn get_ready(
    served: &ServedModel,
    settings: Settings,
    inference: &Inference,
    journal: &Journal,
) -> Result<Served, NodeError> {
    let ServedModel { model, files, trial } = served;
    let settings = match inference {
        Inference::Local { .. } => format!("{} {settings:?}", model.id),
        Inference::Fleet(_) => format!("{} by workers", model.id),
    };
    let ready = Served::remembered(files.hash, settings, journal).await?;
    if ready.is_new().await {
        let (spec, noise_seed) = (trial.clone(), B256::ZERO);
        let asked = Asked { model: files.hash, spec, noise_seed, deadline: u64::MAX, job: None };
        let made = inference.generate(asked, |_| {}).await?;
        let seconds = format!("{:.1}", made.took.as_secs_f64());
        info!(name = model.name, seconds, "the model works; {} made on trial", trial.makes());
        ready.measured(trial, &made, true, journal).await?;
    } else {
        ready.load(inference, journal).await?;
    }
    Ok(ready)
}

/// From where the journal ends, or from before any job that can still be open: no stake is free before all are over.
async fn follower(node: &Node) -> Result<Follower<DynProvider>, NodeError> {
    let trail = match node.journal.trail().await? {
        Some(trail) => trail,
        None => {
            let longest = node.chain.stakes().unbondingTime().call().await.map_err(ChainError::from)?;
            let since = node.now().time.saturating_sub(u64::from(longest));
            Trail::from_block(first_block_since(node, since).await?)
        }
    };
    Ok(Follower::new(node.chain.provider.clone(), node.chain.deployment, node.finality, trail))
}

/// The first block of the deployment that is not older than `time`.
async fn first_block_since(node: &Node, time: u64) -> Result<u64, ChainError> {
    let (mut older, mut newer) = (node.chain.deployment.block, node.now().block);
    while older < newer {
        let middle = older + (newer - older) / 2;
        match node.chain.time_of(middle).await? < time {
            true => older = middle + 1,
            false => newer = middle,
        }
    }
    Ok(newer)
}

// ----------------------------------------------------------------------------------------------------------- the tasks

impl Crew {
    /// Jobs that are being seen to.
    fn jobs(&self) -> usize {
        self.busy.iter().filter(|task| matches!(task, Task::Answer(_))).count()
    }

    async fn take_open(&mut self, node: &Arc<Node>) -> Result<(), StepError> {
        let draws = node.journal.awaited().await?.into_iter().map(Task::Draw);
        let answers = node.journal.open_draws().await?.into_iter().map(Task::Answer);
        let new: Vec<_> = draws.chain(answers).filter(|task| !self.busy.contains(task)).collect();
        let mut requests = Vec::new();
        for job in new.iter().filter_map(Task::job).collect::<HashSet<_>>() {
            requests.extend(node.journal.request(job).await?);
        }
        node.archive.open(&requests).await?;
        for task in new {
            self.take(node, task);
        }
        Ok(())
    }

    fn take(&mut self, node: &Arc<Node>, task: Task) {
        if self.busy.insert(task.clone()) {
            let node = Arc::clone(node);
            let span = task.span();
            let seeing_to = async move {
                let ended = see_to(&node, &task).await;
                (task, ended)
            };
            self.tasks.spawn(seeing_to.instrument(span));
        }
    }

    /// Waits for one to end; none if there is none.
    async fn one_done(&mut self) -> Option<Result<(), NodeError>> {
        let (task, ended) = match self.tasks.join_next().await? {
            Ok(done) => done,
            // Nobody aborts tasks: this one has panicked.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        self.busy.remove(&task);
        Some(ended)
    }
}

/// Tries until it is done, or there is no point any more.
async fn see_to(node: &Node, task: &Task) -> Result<(), NodeError> {
    let mut complaint = Complaint::default();
    loop {
        let now = node.now();
        let tried = match task {
            Task::Announce(url) => node.announce(url).await,
            Task::Draw(round) => node.see_drawn(*round).await,
            Task::Answer(draw) => node.pursue(*draw).await,
        };
        match tried {
            Ok(()) | Err(StepError::Stopping) => return Ok(()),
            Err(error) => complaint.about(node, task.job(), &error).await,
        }
        node.block_after(now).await;
    }
}

impl Node {
    /// Answers a draw, and notes how it ended if it has ended.
    async fn pursue(&self, draw: DrawKey) -> Result<(), StepError> {
        let ending = match self.answer(draw).await {
            Ok(()) => Ending::Settled,
            Err(StepError::Over(ending)) => ending,
            Err(StepError::OtherDraw) if self.is_past(draw).await? => Ending::Reorganised,
            Err(error @ StepError::Unable(_)) => {
                self.decline(&self.request(draw.job).await?, draw, &error).await?;
                // What is committed has to be opened, whatever became of the other seats.
                if self.has_committed(draw).await? {
                    return Err(error);
                }
                Ending::Declined
            }
            Err(error) => {
                // Perhaps it only looks so, for want of some events.
                if matches!(error, StepError::OtherDraw | StepError::VoteLost(_) | StepError::Send(_)) {
                    self.archive.forget(draw.job).await;
                }
                return Err(error);
            }
        };
        crash_point!("job: over");
        debug!(job = short(draw.job), round = draw.number, %ending, "nothing left to do");
        self.journal.end(draw, ending, self.now().time).await?;
        self.metrics.ended(ending);
        crash_point!("job: ended");
        Ok(())
    }

    /// Whether a seat of ours has committed and not revealed, and still can.
    async fn has_committed(&self, draw: DrawKey) -> Result<bool, StepError> {
        let look = self.look_at(draw).await?;
        let votes = matches!(look.phase_of(draw.number), Phase::Commit | Phase::Reveal);
        Ok(votes && !look.unopened(draw.number, self.operator).is_empty())
    }

    async fn is_past(&self, draw: DrawKey) -> Result<bool, StepError> {
        let drawn = self.journal.drawn(draw).await?;
        Ok(drawn.is_none_or(|drawn| self.now().time >= drawn.deadline))
    }

    /// Says on chain where our outputs are, if that has changed.
    async fn announce(&self, url: &str) -> Result<(), StepError> {
        if self.draining.is_cancelled() || self.journal.announced().await?.as_deref() == Some(url) {
            return Ok(());
        }
        let call = IVerifierStakes::announceCall { url: url.to_owned() };
        let call = Call::new(self.chain.deployment.generation_oracle, &call);
        let deadline = self.now().time + SOME_TIME;
        let sent = self.wallet.send(Intent { purpose: Purpose::own(Step::Announce), call, deadline }).await;
        self.metrics.sent(&sent);
        sent?;
        crash_point!("announcement: mined, not noted");
        info!(url, "announced");
        Ok(self.journal.put_announced(url).await?)
    }
}

/// Says what is wrong, once, however often it is tried.
#[derive(Default)]
struct Complaint {
    said: Option<String>,
}

impl Complaint {
    async fn about(&mut self, node: &Node, job: Option<B256>, error: &StepError) {
        node.metrics.failed(error);
        let message = error.to_string();
        if self.said.as_ref() == Some(&message) {
            return;
        }
        match job {
            Some(job) => warn!(job = short(job), %error, "not done; trying again at the next block"),
            None => warn!(%error, "not done; trying again at the next block"),
        }
        let trouble = Trouble { job, time: node.now().time, message: message.clone() };
        if let Err(error) = node.journal.put_trouble(&trouble).await {
            debug!(%error, "what went wrong could not be noted");
        }
        self.said = Some(message);
    }
}
