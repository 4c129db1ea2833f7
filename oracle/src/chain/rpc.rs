//! Rpc: several endpoints of one chain, as one.
//!
//! All requests go to one endpoint for as long as it does its work, so that what is read in a row fits together; if it
//! fails, the same request goes to the next one, until one that was named before that one has been well for a while. An endpoint is used once it has said that it is on our chain and has
//! the newest blocks, and again after every failure. See docs/decisions/0014-rpc-failover.md.

mod endpoint;
mod failure;
mod health;
mod packet;
#[cfg(test)]
mod tests;
mod witness;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use alloy::{
    primitives::ChainId,
    rpc::{
        client::RpcClient,
        json_rpc::{RequestPacket, ResponsePacket},
    },
    transports::{TransportError, TransportFut, utils::guess_local_url},
};
use reqwest::Url;
use tokio::task::JoinSet;
use tower_service::Service;
use tracing::info;

pub use self::failure::{Failure, Unavailable, asks_for_less};
use self::{endpoint::Endpoint, packet::Kind};

/// The longest wait for one endpoint's answer, and how long a request waits for endpoints to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// The longest wait for a second opinion.
const SECOND_OPINION: Duration = Duration::from_secs(2);

/// Blocks that an endpoint may be behind: news travel, and a provider's machines are not all at the same block.
pub const NEAR: u64 = 3;

/// How long a newest block that nobody shows any more is waited for. After that the chain is taken for shorter than it was.
const MEMORY: Duration = Duration::from_secs(60);

/// How often the endpoints that are not in use are looked at.
const SURVEY: Duration = Duration::from_secs(10);

/// A transport over several endpoints; clones share them.
#[derive(Debug, Clone)]
pub struct Rpc {
    shared: Arc<Shared>,
}

/// How an endpoint does, for those who watch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// Scheme, host and port.
    pub host: String,
    /// Whether it is the one that is asked.
    pub in_use: bool,
    /// Troubles that it had: failed answers, or blocks and logs that it did not show.
    pub lapses: u64,
}

#[derive(Debug)]
struct Shared {
    endpoints: Vec<Endpoint>,
    state: Mutex<State>,
    is_local: bool,
}

#[derive(Debug, Default)]
struct State {
    /// The endpoint in use.
    current: usize,
    chain_id: Option<ChainId>,
    /// The newest block seen, and when it was seen last.
    head: Option<(u64, Instant)>,
    surveyed: Option<Instant>,
}

impl Rpc {
    /// The endpoints in the order in which they are tried. The chain is `chain_id`; if that is none, whichever the first to
    /// answer is on.
    pub fn new(urls: &[Url], chain_id: Option<ChainId>) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder().connect_timeout(CONNECT).build()?;
        let endpoints = urls.iter().map(|url| Endpoint::new(client.clone(), url.clone())).collect();
        let is_local = urls.iter().all(|url| guess_local_url(url.as_str()));
        let state = Mutex::new(State { chain_id, ..State::default() });
        Ok(Self { shared: Arc::new(Shared { endpoints, state, is_local }) })
    }

    /// A client that speaks through it.
    #[must_use]
    pub fn client(&self) -> RpcClient {
        RpcClient::new(self.clone(), self.shared.is_local)
    }

    /// How the endpoints do, in the order in which they were named.
    #[must_use]
    pub fn report(&self) -> Vec<EndpointReport> {
        let current = self.state().current;
        let report = |(number, endpoint): (usize, &Endpoint)| EndpointReport {
            host: endpoint.host(),
            in_use: number == current,
            lapses: endpoint.health().lapses,
        };
        self.endpoints().iter().enumerate().map(report).collect()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.shared.endpoints
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ------------------------------------------------------------------------------------------------------- requests

    async fn serve(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let deadline = Instant::now() + PATIENCE;
        let kind = Kind::of(&packet);
        loop {
            let answer = match kind {
                Kind::Broadcast => self.broadcast(&packet).await,
                _ => self.ask_in_turn(kind, &packet).await,
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
            match self.next_turn() {
                Some(turn) if turn <= deadline => tokio::time::sleep_until(turn.into()).await,
                _ => return Err(self.unavailable().into()),
            }
        }
    }

    /// The endpoint in use first. Whoever answers is in use from then on.
    async fn ask_in_turn(&self, kind: Kind, packet: &RequestPacket) -> Option<ResponsePacket> {
        let count = self.endpoints().len();
        let first = self.state().current;
        for number in (first..first + count).map(|number| number % count) {
            if self.ready(number).await.is_err() {
                continue;
            }
            let answer = match kind {
                Kind::Head => self.ask_for_head(number, packet).await,
                Kind::Logs => self.ask_for_logs(number, packet).await,
                Kind::Broadcast | Kind::Other => self.endpoints()[number].ask(packet, PATIENCE).await,
            };
            if let Ok(answer) = answer {
                self.use_from_now_on(number);
                if kind == Kind::Head {
                    self.survey_if_due();
                }
                return Some(answer);
            }
        }
        None
    }

    /// Every endpoint gets the transaction, and one that takes it is enough.
    async fn broadcast(&self, packet: &RequestPacket) -> Option<ResponsePacket> {
        let mut answers = JoinSet::new();
        for number in 0..self.endpoints().len() {
            let (rpc, packet) = (self.clone(), packet.clone());
            answers.spawn(async move {
                rpc.ready(number).await?;
                rpc.endpoints()[number].ask(&packet, PATIENCE).await
            });
        }
        let mut refusal = None;
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok(Ok(answer)) if answer.is_success() => {
                    // The others are still told, and nobody waits for them.
                    answers.detach_all();
                    return Some(answer);
                }
                Ok(Ok(answer)) => refusal = Some(answer),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        refusal
    }

    async fn ask_for_head(&self, number: usize, packet: &RequestPacket) -> Result<ResponsePacket, Failure> {
        let asked = Instant::now();
        let endpoint = &self.endpoints()[number];
        let answer = endpoint.ask(packet, PATIENCE).await?;
        if let Some(head) = packet::head(&answer) {
            self.check_head(head).inspect_err(|failure| endpoint.failed(failure.clone(), asked))?;
            self.note_head(head);
        }
        Ok(answer)
    }

    async fn ask_for_logs(&self, number: usize, packet: &RequestPacket) -> Result<ResponsePacket, Failure> {
        let asked = Instant::now();
        let endpoint = &self.endpoints()[number];
        let Some(witness) = self.witness(number).await else { return endpoint.ask(packet, PATIENCE).await };
        let (answer, second) = tokio::join!(
            endpoint.ask(packet, PATIENCE),
            tokio::time::timeout(SECOND_OPINION, witness.ask(packet, PATIENCE)),
        );
        let answer = answer?;
        let second = second.ok().and_then(Result::ok);
        let (Some(own), Some(others)) = (witness::places(&answer), second.as_ref().and_then(witness::places)) else {
            return Ok(answer);
        };
        if witness::leaves_out(endpoint, &own, &others).await {
            endpoint.failed(Failure::LeavesOut, asked);
            return Err(Failure::LeavesOut);
        }
        if witness::leaves_out(witness, &others, &own).await {
            witness.failed(Failure::LeavesOut, asked);
            witness.complain();
        }
        Ok(answer)
    }

    /// Another endpoint that can be asked at once. One that nobody has asked yet is tried: what a program reads first
    /// should have a second opinion, too.
    async fn witness(&self, number: usize) -> Option<&Endpoint> {
        let others = || self.endpoints().iter().enumerate().filter(|(other, _)| *other != number);
        let ready = || others().map(|(_, endpoint)| endpoint).find(|endpoint| endpoint.health().ready);
        if let Some(witness) = ready() {
            return Some(witness);
        }
        for (other, endpoint) in others() {
            let is_new = endpoint.health().is_new();
            if is_new && self.ready(other).await.is_ok() {
                break;
            }
        }
        ready()
    }

    // --------------------------------------------------------------------------------------------------------- health

    /// Sees that the endpoint is on our chain and up to date, if that is not known.
    async fn ready(&self, number: usize) -> Result<(), Failure> {
        let endpoint = &self.endpoints()[number];
        let _alone = endpoint.gate.lock().await;
        {
            let health = endpoint.health();
            if health.ready {
                return Ok(());
            }
            if let (Some(_), Some(failure)) = (health.until(Instant::now()), health.failure()) {
                return Err(failure.clone());
            }
        }
        self.greet(endpoint).await.map(drop)
    }

    /// The number of the endpoint's newest block, if it is on our chain and up to date.
    async fn greet(&self, endpoint: &Endpoint) -> Result<u64, Failure> {
        let asked = Instant::now();
        let (chain_id, head) = endpoint.hello().await?;
        let expected = *self.state().chain_id.get_or_insert(chain_id);
        let checked = match chain_id == expected {
            true => self.check_head(head),
            false => Err(Failure::OtherChain { expected, actual: chain_id }),
        };
        match &checked {
            Ok(()) => endpoint.welcome(),
            Err(failure) => endpoint.failed(failure.clone(), asked),
        }
        checked.map(|()| head)
    }

    /// Time does not go back, but for what a reorganisation does.
    fn check_head(&self, number: u64) -> Result<(), Failure> {
        match self.state().head {
            Some((newest, seen)) if number + NEAR < newest && seen.elapsed() < MEMORY => {
                Err(Failure::Behind { blocks: newest - number })
            }
            _ => Ok(()),
        }
    }

    fn note_head(&self, number: u64) {
        let mut state = self.state();
        match state.head {
            Some((newest, seen)) if number < newest && seen.elapsed() < MEMORY => {}
            _ => state.head = Some((number, Instant::now())),
        }
    }

    fn use_from_now_on(&self, number: usize) {
        // An answer that was late may come from an endpoint that has been given up meanwhile.
        if !self.endpoints()[number].health().ready {
            return;
        }
        let before = std::mem::replace(&mut self.state().current, number);
        if before != number {
            self.endpoints()[before].complain();
            info!(endpoint = self.endpoints()[number].host(), "asking another RPC endpoint");
        }
    }

    /// When the first of those that have ever answered may be asked again.
    fn next_turn(&self) -> Option<Instant> {
        let now = Instant::now();
        let turn = |endpoint: &Endpoint| {
            let health = endpoint.health();
            health.has_answered.then(|| health.until(now).unwrap_or(now))
        };
        self.endpoints().iter().filter_map(turn).min()
    }

    fn unavailable(&self) -> Unavailable {
        let reason = |endpoint: &Endpoint| {
            let failure = endpoint.health().failure().cloned();
            Some((endpoint.host(), failure?))
        };
        Unavailable { endpoints: self.endpoints().iter().filter_map(reason).collect() }
    }

    /// Looks at the endpoints that are not in use: whether they could be, and whether they know of newer blocks.
    fn survey_if_due(&self) {
        let mut state = self.state();
        let due = state.surveyed.is_none_or(|last| last.elapsed() > SURVEY);
        if due && self.endpoints().len() > 1 {
            state.surveyed = Some(Instant::now());
            tokio::spawn(self.clone().survey(Instant::now()));
        }
    }

    async fn survey(self, now: Instant) {
        let current = self.state().current;
        let mut well = Vec::new();
        for (number, endpoint) in self.endpoints().iter().enumerate().filter(|(number, _)| *number != current) {
            if endpoint.health().until(now).is_some() {
                continue;
            }
            let _alone = endpoint.gate.lock().await;
            match self.greet(endpoint).await {
                Ok(head) => well.push((head, number)),
                Err(_) => endpoint.complain(),
            }
        }
        // The endpoint in use is asked last: a block that comes meanwhile is to its credit.
        let (Some(&(head, better)), asked) = (well.iter().max(), Instant::now()) else { return };
        let endpoint = &self.endpoints()[current];
        let Ok(own) = self.greet(endpoint).await else { return };
        if own + NEAR < head {
            endpoint.failed(Failure::Behind { blocks: head - own }, asked);
            return self.use_from_now_on(better);
        }
        let preferred = |&&(head, number): &&(u64, usize)| {
            number < current && head + 1 >= own && self.endpoints()[number].health().is_sound(now)
        };
        if let Some(&(_, number)) = well.iter().find(preferred) {
            self.state().current = number;
            info!(endpoint = self.endpoints()[number].host(), "asking an RPC endpoint again that was named first");
        }
    }
}

impl Service<RequestPacket> for Rpc {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().serve(packet))
    }
}
