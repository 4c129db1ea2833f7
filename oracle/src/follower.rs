//! The follower: the protocol's events, confirmed, in the order of the chain, each at least once.
//!
//! It pulls, and trusts no subscription. Where it stands is a [`Trail`] of block numbers *and* hashes that the caller
//! keeps on disk: handle what [`Follower::advance`] hands over, then [`Follower::move_to`] its end, then store
//! [`Follower::trail`]. Whoever crashes in between, or lives through a reorganisation, gets the same events again, so
//! handlers must be idempotent; one that fails just does not move on.

mod trail;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256, TxHash},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::{self, SolEventInterface},
    transports::TransportError,
};

use crate::{
    chain::{Deployment, IGenerationOracle, IModelRegistry, IVerifierStakes, Span},
    finality::Finality,
};

pub use self::trail::{Cursor, Trail};

pub use IGenerationOracle::IGenerationOracleEvents as OracleEvent;
pub use IModelRegistry::IModelRegistryEvents as ModelsEvent;
pub use IVerifierStakes::IVerifierStakesEvents as StakesEvent;

/// Blocks that are looked at a second time, together, once twice as many have come: an endpoint that has not indexed a
/// block yet may leave its logs out.
const SECOND_LOOK: u64 = 32;

/// What one step brought.
#[derive(Debug, Clone)]
pub enum Advance {
    /// Nothing is newly confirmed: wait for a block.
    Idle,
    /// All the protocol's events up to and including the block `next`, oldest first. If an endpoint had left out one, it
    /// comes late, and all since its block come with it once more: who did not know of a request had no use for its draw.
    Confirmed {
        /// To be handled, in this order.
        events: Vec<Happened>,
        /// To be moved to afterwards.
        next: Cursor,
        /// Whether later blocks count already.
        more: bool,
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
    /// Of a job, or of an account.
    Oracle(Box<OracleEvent>),
    /// Of a seat.
    Stakes(StakesEvent),
    /// Of `ModelRegistry`.
    Models(ModelsEvent),
}

/// Why a step could not be made. Nothing was moved: the same step can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// No answer, or a refusal even for one block.
    #[error("the chain's blocks and logs are not to be had: {0}")]
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
    finality: Finality,
    trail: Trail,
    span: Arc<Span>,
    /// The first block that this follower has to do with.
    first: u64,
    /// What the last step brought, and in which block.
    offered: Vec<(Place, u64)>,
    /// What has been handled of the blocks that will be looked at again.
    told: HashMap<Place, u64>,
}

/// A block's hash, and a log's number in it.
type Place = (B256, u64);

impl<P: Provider> Follower<P> {
    /// Follows `deployment` from the end of `trail`, as far as blocks count.
    pub fn new(chain: P, deployment: Deployment, finality: Finality, trail: Trail) -> Self {
        let first = trail.last().map_or(trail.start, |last| last.number + 1);
        let span = Arc::default();
        Self { chain, deployment, finality, trail, span, first, offered: Vec::new(), told: HashMap::new() }
    }

    /// To be stored after [`Self::move_to`].
    #[must_use]
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Says that everything up to `next` is done.
    pub fn move_to(&mut self, next: Cursor) {
        self.trail.push(next);
        self.told.extend(self.offered.drain(..));
        self.told.retain(|_, number| *number + 2 * SECOND_LOOK > next.number);
    }

    /// Looks for the next blocks that count; finds the same ones until it is told to move on.
    pub async fn advance(&mut self) -> Result<Advance, FollowError> {
        let at = self.position().await?;
        match self.cursor(at.number).await? {
            Some(block) if block == at => {}
            Some(_) => return Ok(Advance::Reorged { back_to: self.fall_back().await? }),
            // The endpoint is behind. A chain that really is shorter will be as long again, with another block here.
            None => return Ok(Advance::Idle),
        }

        let Some(newest) = self.newest().await? else { return Ok(Advance::Idle) };
        let to = newest.min(at.number + self.span.width());
        if to <= at.number {
            return Ok(Advance::Idle);
        }
        // Hash first, logs second: if the chain moves in between, the next step sees the stale hash and replays. The
        // other order would skip the new blocks' logs for good.
        let Some(next) = self.cursor(to).await? else { return Ok(Advance::Idle) };
        let from = match second_look(at.number, to) {
            Some(again) => self.left_out(again).await?.unwrap_or(at.number + 1),
            None => at.number + 1,
        };
        let events = self.events(from, to).await?;
        self.offered = events.iter().map(|happened| (happened.place(), happened.block.number)).collect();
        Ok(Advance::Confirmed { events, next, more: to < newest })
    }

    /// The first block with an event that was left out when these blocks were read, the first and the last, if there is one.
    async fn left_out(&self, (from, to): (u64, u64)) -> Result<Option<u64>, FollowError> {
        let events = self.events(from.max(self.first), to).await?;
        let late = events.iter().find(|happened| !self.told.contains_key(&happened.place()));
        Ok(late.map(|happened| happened.block.number))
    }

    /// The number of the newest block that counts.
    async fn newest(&self) -> Result<Option<u64>, FollowError> {
        match self.finality {
            Finality::Depth(depth) => Ok(Some(self.chain.get_block_number().await?.saturating_sub(depth))),
            Finality::Safe | Finality::Finalized => {
                Ok(self.cursor(self.finality.tag(0)).await?.map(|next| next.number))
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
        let back_to = self.position().await?;
        self.told.retain(|_, number| *number <= back_to.number);
        self.first = self.first.min(back_to.number + 1);
        Ok(back_to)
    }

    async fn cursor(&self, tag: impl Into<BlockNumberOrTag>) -> Result<Option<Cursor>, FollowError> {
        let block = self.chain.get_block_by_number(tag.into()).await?;
        Ok(block.map(|block| Cursor { number: block.header.number, hash: block.header.hash }))
    }

    /// Those from one block to another, both included, asked for in as many pieces as it takes.
    async fn events(&self, mut from: u64, to: u64) -> Result<Vec<Happened>, FollowError> {
        let filter = Filter::new().address(self.addresses().to_vec());
        let mut events = Vec::new();
        while from <= to {
            let end = to.min(from + self.span.width() - 1);
            let blocks = end - from + 1;
            match self.chain.get_logs(&filter.clone().from_block(from).to_block(end)).await {
                Ok(logs) => {
                    self.span.served(blocks);
                    for log in &logs {
                        events.extend(self.happened(log)?);
                    }
                    from = end + 1;
                }
                Err(error) if self.span.refused(blocks, &error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        events.sort_by_key(|happened| (happened.block.number, happened.log_index));
        Ok(events)
    }

    fn addresses(&self) -> [Address; 2] {
        [self.deployment.generation_oracle, self.deployment.model_registry]
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

    /// The oracle's contract tells of seats, too.
    fn event(&self, log: &Log) -> sol_types::Result<Option<Event>> {
        let [oracle, models] = self.addresses();
        let address = log.address();
        if address == models {
            return Ok(decode(log)?.map(Event::Models));
        }
        if address != oracle {
            return Ok(None);
        }
        match decode(log)? {
            Some(event) => Ok(Some(Event::Oracle(Box::new(event)))),
            None => Ok(decode(log)?.map(Event::Stakes)),
        }
    }
}

impl Happened {
    fn place(&self) -> Place {
        (self.block.hash, self.log_index)
    }
}

/// The blocks to look at again, first and last, on the way from block `at` to block `to`. Whoever goes on by a few
/// blocks at a time looks at each block twice; what was old when it was read is not looked at again.
#[must_use]
pub fn second_look(at: u64, to: u64) -> Option<(u64, u64)> {
    let (before, now) = (at / SECOND_LOOK, to / SECOND_LOOK);
    let from = now.checked_sub(2)? * SECOND_LOOK;
    let last = at.min(from + SECOND_LOOK - 1);
    (before < now && from <= last).then_some((from, last))
}

/// None if the interface has no such event.
fn decode<E: SolEventInterface>(log: &Log) -> sol_types::Result<Option<E>> {
    match E::decode_raw_log(log.topics(), &log.data().data) {
        Err(sol_types::Error::InvalidLog { .. }) => Ok(None),
        decoded => decoded.map(Some),
    }
}
