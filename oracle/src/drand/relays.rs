//! Relays: who hands out drand's signatures over HTTP. The one that answered last is asked first, and the next one when it
//! fails or lies.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::primitives::Bytes;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tracing::warn;

use super::{Beacon, Signed};

/// The longest wait for one relay's answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes. A round's has some 300.
const LONGEST: usize = 10_000;
/// Rounds that are remembered: every look at a job that is to be drawn asks for its round.
const REMEMBERED: usize = 256;

/// Quicknet, which `scripts/Deploy.s.sol` deploys with, by the League of Entropy's own relays and Cloudflare's.
const QUICKNET: &str = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
const PUBLIC: [&str; 4] = ["api.drand.sh", "api2.drand.sh", "api3.drand.sh", "drand.cloudflare.com"];

/// Several relays as one; clones share them.
#[derive(Debug, Clone)]
pub struct Relays {
    client: Client,
    urls: Arc<[Url]>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Which one is asked first.
    current: usize,
    known: BTreeMap<u64, Signed>,
}

/// No relay has given the round.
#[derive(Debug, thiserror::Error)]
#[error("no relay has given round {round} of drand ({}); name others with --drand-url", listed(.refusals))]
pub struct NoRelay {
    /// Which.
    pub round: u64,
    /// By host, in the order in which they were asked.
    pub refusals: Vec<(String, Refusal)>,
}

/// What was wrong with one relay.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It does not answer, or not in time.
    #[error("it does not answer")]
    Silent(#[from] reqwest::Error),
    /// It has not got it, or says something of the kind.
    #[error("it answers {0}")]
    Status(StatusCode),
    /// It speaks something else.
    #[error("its answer is not a round of drand's HTTP API")]
    Malformed,
    /// It lies, or is of another network than the deployment's.
    #[error("its signature is not the network's of that round")]
    WrongSignature,
}

fn listed(refusals: &[(String, Refusal)]) -> String {
    refusals.iter().map(|(host, refusal)| format!("{host}: {refusal}")).collect::<Vec<_>>().join(", ")
}

/// As the HTTP API has it, as far as it matters.
#[derive(Deserialize)]
struct Answer {
    signature: Bytes,
}

impl Relays {
    /// Each with its chain's hash: rounds are at `URL/public/ROUND`. If there is none, quicknet's public ones.
    pub fn new(urls: &[Url]) -> reqwest::Result<Self> {
        let client = Client::builder().connect_timeout(CONNECT).timeout(PATIENCE).build()?;
        let public = || PUBLIC.iter().filter_map(|host| format!("https://{host}/{QUICKNET}").parse().ok()).collect();
        let urls = if urls.is_empty() { public() } else { urls.into() };
        Ok(Self { client, urls, state: Arc::default() })
    }

    /// The signature of a round that is due.
    pub async fn signed(&self, beacon: &Beacon, round: u64) -> Result<Signed, NoRelay> {
        let (current, known) = {
            let state = self.state();
            (state.current, state.known.get(&round).copied())
        };
        if let Some(signed) = known {
            return Ok(signed);
        }
        let mut refusals = Vec::new();
        for (number, url) in self.urls.iter().enumerate().cycle().skip(current).take(self.urls.len()) {
            let host = url.host_str().unwrap_or_default();
            match self.ask(url, beacon, round).await {
                Ok(signed) => {
                    self.state().learn(round, signed, number);
                    return Ok(signed);
                }
                Err(refusal) => {
                    warn!(relay = host, round, %refusal, "a relay of drand is passed over");
                    refusals.push((host.to_owned(), refusal));
                }
            }
        }
        Err(NoRelay { round, refusals })
    }

    async fn ask(&self, url: &Url, beacon: &Beacon, round: u64) -> Result<Signed, Refusal> {
        let url = format!("{}/public/{round}", url.as_str().trim_end_matches('/'));
        let mut response = self.client.get(url).send().await?;
        if !response.status().is_success() {
            return Err(Refusal::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(Refusal::Malformed);
            }
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| Refusal::Malformed)?;
        beacon.check(round, &answer.signature).ok_or(Refusal::WrongSignature)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn learn(&mut self, round: u64, signed: Signed, relay: usize) {
        self.current = relay;
        self.known.insert(round, signed);
        if self.known.len() > REMEMBERED {
            self.known.pop_first();
        }
    }
}
