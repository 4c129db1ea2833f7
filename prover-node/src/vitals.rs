//! Vitals: whether the node is well, and whether it can take part in jobs.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::{Address, B256};
use oracle::chain::{ChainTime, Deployment, Rpc};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    budget::Cover,
    funds::Funds,
    inference::Inference,
    journal::{Journal, JournalError, OpenJobs},
    metrics::{Metrics, Now},
};

/// A newest block that is older than this, by this machine's clock, is not the newest one any more.
pub const STALE: Duration = Duration::from_secs(90);

/// Blocks that the events taken in may be behind what could be taken in.
const BEHIND: u64 = 20;

/// How far the chain has been followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followed {
    /// The last block whose events are taken in.
    pub block: u64,
    /// The newest block when there was last nothing left to take in.
    pub caught_up_at: u64,
}

/// Who the node is, for those that ask it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Of the program.
    pub version: &'static str,
    /// The key that works.
    pub operator: Address,
    /// EIP-155.
    pub chain_id: u64,
    /// The `GenerationOracle`.
    pub oracle: Address,
    /// The models that are served.
    pub models: Vec<B256>,
}

/// Everything that says how the node is.
#[derive(Clone)]
pub struct Vitals {
    /// Who it is.
    pub identity: Identity,
    /// The newest block seen.
    pub heads: watch::Receiver<ChainTime>,
    /// How far its events are taken in.
    pub followed: watch::Receiver<Followed>,
    /// The endpoints that are asked.
    pub rpc: Rpc,
    /// What the operator has.
    pub funds: watch::Receiver<Funds>,
    /// Has to be readable.
    pub journal: Journal,
    /// Has to be alive.
    pub inference: Inference,
    /// Takes no new jobs once this is cancelled.
    pub draining: CancellationToken,
    /// What was counted.
    pub metrics: Arc<Metrics>,
}

/// Why a node cannot take part in jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unready {
    /// Told to.
    Stopping,
    /// The Ethereum node is cut off, or not in sync.
    Stale(Duration),
    /// Still catching up.
    Behind(u64),
    /// Nobody computes for it with the model whose manifest has this hash.
    NoWorker(B256),
    /// It would have to decline, or might not be able to reveal.
    LowFunds(Cover),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("it is stopping"),
            Self::Stale(age) => {
                write!(f, "the newest block is {} s old: the Ethereum node is cut off, or not in sync", age.as_secs())
            }
            Self::Behind(blocks) => write!(f, "it is catching up: {blocks} blocks to go"),
            Self::NoWorker(model) => {
                write!(f, "no worker serves the model with the manifest {model}: start one with `prover-node worker`")
            }
            Self::LowFunds(cover) => write!(f, "{cover}: send it some ETH"),
        }
    }
}

impl Identity {
    /// Of a node that serves `models` on a deployment.
    #[must_use]
    pub fn new(deployment: &Deployment, operator: Address, models: Vec<B256>) -> Self {
        let (chain_id, oracle) = (deployment.chain_id, deployment.generation_oracle);
        Self { version: env!("CARGO_PKG_VERSION"), operator, chain_id, oracle, models }
    }

    /// As labels of a metric.
    #[must_use]
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        vec![
            ("version", self.version.to_owned()),
            ("operator", self.operator.to_string()),
            ("chain_id", self.chain_id.to_string()),
            ("models", self.models.iter().map(B256::to_string).collect::<Vec<_>>().join(",")),
        ]
    }
}

impl Vitals {
    /// Rounds by how far they are; an error if the journal cannot be read.
    pub async fn open_jobs(&self) -> Result<OpenJobs, JournalError> {
        self.journal.open_jobs().await
    }

    /// The newest block seen.
    #[must_use]
    pub fn head(&self) -> ChainTime {
        *self.heads.borrow()
    }

    /// Every reason why the node cannot take part in jobs.
    #[must_use]
    pub fn unready(&self) -> Vec<Unready> {
        let (head, followed, funds) = (self.head(), *self.followed.borrow(), *self.funds.borrow());
        let (age, behind) = (age(head), head.block.saturating_sub(followed.caught_up_at));
        [
            (self.draining.is_cancelled(), Unready::Stopping),
            (age > STALE, Unready::Stale(age)),
            (behind > BEHIND, Unready::Behind(head.block.saturating_sub(followed.block))),
            (!funds.cover.suffices(), Unready::LowFunds(funds.cover)),
        ]
        .into_iter()
        .filter_map(|(is_so, reason)| is_so.then_some(reason))
        .chain(self.inference.missing().into_iter().map(Unready::NoWorker))
        .collect()
    }

    /// All metrics, as Prometheus reads them.
    pub async fn metrics(&self) -> Result<String, JournalError> {
        let open = self.open_jobs().await?;
        let (head, followed, funds) = (self.head(), *self.followed.borrow(), *self.funds.borrow());
        let (lag, ready) = (age(head), self.unready().is_empty());
        let (endpoints, stock) = (self.rpc.report(), self.inference.stock());
        let (head, followed) = (head.block, followed.block);
        Ok(self.metrics.text(&Now { head, lag, followed, ready, open, funds, endpoints, stock }))
    }
}

/// How old a block is by this machine's clock; zero if that is behind the chain's.
#[must_use]
pub fn age(head: ChainTime) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_secs(head.time))
}
