//! The follower: the protocol's events, confirmed, in the order of the chain, each at least once.
//!
//! It pulls, and trusts no subscription. Where it stands is a [`Trail`] of block numbers *and* hashes that the caller
//! keeps on disk: handle what [`Follower::advance`] hands over, then [`Follower::move_to`] its end, then store
//! [`Follower::trail`]. Whoever crashes in between, or lives through a reorganisation, gets the same events again, so
//! handlers must be idempotent; one that fails just does not move on.

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256, TxHash},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::{self, SolEventInterface},
    transports::{RpcError, TransportError, TransportErrorKind},
};
use serde::{Deserialize, Serialize};

use crate::chain::{Deployment, IGenerationOracle, IModelRegistry, IVerifierStakes};

pub use IGenerationOracle::IGenerationOracleEvents as OracleEvent;
pub use IModelRegistry::IModelRegistryEvents as ModelsEvent;
pub use IVerifierStakes::IVerifierStakesEvents as StakesEvent;

/// Blocks asked for at once, at most.
pub const MAX_SPAN: u64 = 1_000;

/// One block of one fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// The blocks up to which all is done: the last one, and some older ones to fall back to, about one per power of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    start: u64,
    cursors: Vec<Cursor>,
}

/// What one step brought.
#[derive(Debug, Clone)]
pub enum Advance {
    /// Nothing is newly confirmed: wait for a block.
    Idle,
    /// All the protocol's events up to and including the block `next`, oldest first.
    Confirmed {
        /// To be handled, in this order.
        events: Vec<Happened>,
        /// To be moved to afterwards.
        next: Cursor,
    },
    /// The last block is no longer of this chain; the next step goes on from this older one.
    Reorged {
        /// The youngest block of the trail that still stands.
        back_to: Cursor,
    },
}

/// An event, and where it happened.
#[derive(Debug, Clone)]
pub struct Happened {
    /// The block.
    pub block: Cursor,
    /// The transaction.
    pub transaction: TxHash,
    /// The place among all logs of the block.
    pub log_index: u64,
    /// What happened.
    pub event: Event,
}

/// An event of the protocol.
#[derive(Debug, Clone)]
pub enum Event {
    /// Of `GenerationOracle`.
    Oracle(OracleEvent),
    /// Of `VerifierStakes`.
    Stakes(StakesEvent),
    /// Of `ModelRegistry`.
    Models(ModelsEvent),
}

/// Why a step could not be made. Nothing was moved: the same step can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// No answer, or a refusal even for one block.
    #[error("the RPC endpoint does not give the chain's logs: {0}")]
    Rpc(#[from] TransportError),
    /// The chain is shorter than the deployment is old.
    #[error(
        "the chain has no block {0} yet: the endpoint is still syncing, or the deployment file is of another chain"
    )]
    TooShort(u64),
    /// The endpoint answered with something that the contracts cannot have said.
    #[error("the RPC endpoint gave a log of block {number:?} that cannot be read: {reason}")]
    Unreadable {
        /// As the endpoint says.
        number: Option<u64>,
        /// What was wrong.
        #[source]
        reason: sol_types::Error,
    },
}

/// Follows one deployment from a trail.
#[derive(Debug, Clone)]
pub struct Follower<P> {
    chain: P,
    deployment: Deployment,
    confirmations: u64,
    trail: Trail,
    span: u64,
}

impl<P: Provider> Follower<P> {
    /// Follows `deployment` from the end of `trail`. A block counts once `confirmations` more are on top of it.
    pub fn new(chain: P, deployment: Deployment, confirmations: u64, trail: Trail) -> Self {
        Self { chain, deployment, confirmations, trail, span: MAX_SPAN }
    }

    /// To be stored after [`Self::move_to`].
    #[must_use]
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Says that everything up to `next` is done.
    pub fn move_to(&mut self, next: Cursor) {
        self.trail.push(next);
    }

    /// Looks for the next confirmed blocks. Handing over the same ones until it is told to move on.
    pub async fn advance(&mut self) -> Result<Advance, FollowError> {
        let at = self.position().await?;
        if self.cursor(at.number).await? != Some(at) {
            return Ok(Advance::Reorged { back_to: self.fall_back().await? });
        }

        let safe = self.chain.get_block_number().await?.saturating_sub(self.confirmations);
        loop {
            let to = safe.min(at.number + self.span);
            if to <= at.number {
                return Ok(Advance::Idle);
            }

            // Hash first, logs second: if the chain moves in between, the next step sees the stale hash and replays. The
            // other order would skip the new blocks' logs for good.
            let Some(next) = self.cursor(to).await? else { return Ok(Advance::Idle) };
            match self.events(at.number + 1, to).await {
                Err(FollowError::Rpc(error)) if is_refusal(&error) && to > at.number + 1 => {
                    self.span = (to - at.number) / 2;
                }
                Err(error) => return Err(error),
                Ok(events) => {
                    self.span = (self.span * 2).min(MAX_SPAN);
                    return Ok(Advance::Confirmed { events, next });
                }
            }
        }
    }

    /// The end of the trail, or the block before its start.
    async fn position(&mut self) -> Result<Cursor, FollowError> {
        if let Some(&last) = self.trail.cursors.last() {
            return Ok(last);
        }
        let before = self.trail.start.saturating_sub(1);
        let cursor = self.cursor(before).await?.ok_or(FollowError::TooShort(before))?;
        self.trail.push(cursor);
        Ok(cursor)
    }

    async fn fall_back(&mut self) -> Result<Cursor, FollowError> {
        while let Some(&last) = self.trail.cursors.last() {
            if self.cursor(last.number).await? == Some(last) {
                break;
            }
            self.trail.cursors.pop();
        }
        self.position().await
    }

    async fn cursor(&self, number: u64) -> Result<Option<Cursor>, FollowError> {
        let block = self.chain.get_block_by_number(BlockNumberOrTag::Number(number)).await?;
        Ok(block.map(|block| Cursor { number: block.header.number, hash: block.header.hash }))
    }

    async fn events(&self, from: u64, to: u64) -> Result<Vec<Happened>, FollowError> {
        let addresses = self.addresses().to_vec();
        let filter = Filter::new().address(addresses).from_block(from).to_block(to);
        let logs = self.chain.get_logs(&filter).await?;
        let mut events: Vec<_> =
            logs.iter().filter_map(|log| self.happened(log).transpose()).collect::<Result<_, _>>()?;
        events.sort_by_key(|happened| (happened.block.number, happened.log_index));
        Ok(events)
    }

    fn addresses(&self) -> [Address; 3] {
        let Deployment { generation_oracle, verifier_stakes, model_registry, .. } = self.deployment;
        [generation_oracle, verifier_stakes, model_registry]
    }

    /// None for an event that this version does not know.
    fn happened(&self, log: &Log) -> Result<Option<Happened>, FollowError> {
        let unreadable = |reason| FollowError::Unreadable { number: log.block_number, reason };
        let place = || Some((log.block_number?, log.block_hash?, log.transaction_hash?, log.log_index?));
        let (number, hash, transaction, log_index) =
            place().ok_or_else(|| unreadable(sol_types::Error::custom("it does not say where it happened")))?;

        let event = self.event(log).map_err(unreadable)?;
        Ok(event.map(|event| Happened { block: Cursor { number, hash }, transaction, log_index, event }))
    }

    fn event(&self, log: &Log) -> sol_types::Result<Option<Event>> {
        let [oracle, stakes, models] = self.addresses();
        let address = log.address();
        Ok(if address == oracle {
            decode(log)?.map(Event::Oracle)
        } else if address == stakes {
            decode(log)?.map(Event::Stakes)
        } else if address == models {
            decode(log)?.map(Event::Models)
        } else {
            None
        })
    }
}

impl Trail {
    /// A trail that begins before block `start`, so that the first events are of that block.
    #[must_use]
    pub fn from_block(start: u64) -> Self {
        Self { start, cursors: Vec::new() }
    }

    /// The block up to which all is done; none at the very beginning.
    #[must_use]
    pub fn last(&self) -> Option<Cursor> {
        self.cursors.last().copied()
    }

    /// Keeps, of all cursors of about the same age, the oldest, which is the next to grow into the age before it.
    fn push(&mut self, next: Cursor) {
        self.cursors.retain(|cursor| cursor.number < next.number);
        let mut kept = None;
        self.cursors.retain(|cursor| {
            let age = Some((next.number - cursor.number).ilog2());
            std::mem::replace(&mut kept, age) != age
        });
        self.cursors.push(next);
    }
}

/// None if the interface has no such event.
fn decode<E: SolEventInterface>(log: &Log) -> sol_types::Result<Option<E>> {
    match E::decode_raw_log(log.topics(), &log.data().data) {
        Err(sol_types::Error::InvalidLog { .. }) => Ok(None),
        decoded => decoded.map(Some),
    }
}

/// Whether asking for fewer blocks may help. Providers refuse too wide a range in many words and codes.
fn is_refusal(error: &TransportError) -> bool {
    match error {
        RpcError::ErrorResp(_) => true,
        RpcError::Transport(TransportErrorKind::HttpError(error)) => matches!(error.status, 400 | 413 | 422),
        _ => false,
    }
}
