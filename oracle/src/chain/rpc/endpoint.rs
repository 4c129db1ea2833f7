//! Endpoint: one URL that JSON-RPC is spoken at, and its health.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy::{
    primitives::{ChainId, U64},
    rpc::json_rpc::{Id, Request, RequestPacket, ResponsePacket},
};
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use tracing::{info, warn};

use super::{
    Failure,
    health::Health,
    packet::{result, trouble},
};
use crate::chain::error::innermost;

/// The longest wait for what every endpoint can tell at once.
const HELLO: Duration = Duration::from_secs(5);

/// One of several.
#[derive(Debug)]
pub(super) struct Endpoint {
    client: reqwest::Client,
    url: Url,
    health: Mutex<Health>,
    /// Held by whoever sees whether it is ready: one at a time is enough.
    pub(super) gate: tokio::sync::Mutex<()>,
}

impl Endpoint {
    pub(super) fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url, health: Mutex::default(), gate: tokio::sync::Mutex::default() }
    }

    /// Scheme, host and port: the rest may hold an access key.
    pub(super) fn host(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, and notes how it went. An error of JSON-RPC is an answer, unless it speaks of the endpoint's own trouble.
    pub(super) async fn ask(&self, packet: &RequestPacket, patience: Duration) -> Result<ResponsePacket, Failure> {
        let asked = Instant::now();
        let answer = match tokio::time::timeout(patience, self.post(packet)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Slow(patience)),
        };
        match &answer {
            Ok(_) => self.health().answered(),
            Err(failure) => self.failed(failure.clone(), asked),
        }
        answer
    }

    /// Notes that what it was asked at `asked` has failed.
    pub(super) fn failed(&self, failure: Failure, asked: Instant) {
        self.health().failed(failure, asked, Instant::now());
    }

    /// Which chain it is on, and the number of its newest block.
    pub(super) async fn hello(&self) -> Result<(ChainId, u64), Failure> {
        let number = async |method: &'static str| {
            let request = Request::new(method, Id::Number(0), ()).serialize().map_err(|_| Failure::Garbled)?;
            let answer = self.ask(&request.into(), HELLO).await?;
            result::<U64>(&answer).map(|number| number.to()).ok_or(Failure::Garbled)
        };
        Ok((number("eth_chainId").await?, number("eth_blockNumber").await?))
    }

    /// Says once that it is of no use.
    pub(super) fn complain(&self) {
        let mut health = self.health();
        if let Some(failure) = health.failure().cloned()
            && health.is_news()
        {
            warn!(endpoint = self.host(), reason = %failure, "an RPC endpoint is left alone for now");
        }
    }

    /// Notes that it is ready, and says so if the contrary was said before.
    pub(super) fn welcome(&self) {
        if self.health().found_ready() {
            info!(endpoint = self.host(), "the RPC endpoint answers again");
        }
    }

    async fn post(&self, packet: &RequestPacket) -> Result<ResponsePacket, Failure> {
        let broken = |error: reqwest::Error| Failure::Connection(innermost(&error));
        let body = serde_json::to_vec(packet).map_err(|_| Failure::Garbled)?;
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(broken)?;

        let status = response.status();
        let unusable = || Failure::Status { code: status.as_u16(), retry_after: retry_after(response.headers()) };
        let is_gateway = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        if is_gateway {
            return Err(unusable());
        }
        // A refusal may come with another status than 200, and still be in JSON-RPC's words.
        let failed = (!status.is_success()).then(unusable);
        let body = response.bytes().await.map_err(|_| Failure::Garbled)?;
        let answer: ResponsePacket = serde_json::from_slice(&body).map_err(|_| failed.unwrap_or(Failure::Garbled))?;
        match trouble(packet, &answer) {
            Some(words) => Err(Failure::Trouble(words)),
            None => Ok(answer),
        }
    }
}

/// In seconds; a date is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
