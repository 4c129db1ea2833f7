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

    /// Looks for the next confirmed blocks; finds the same ones until it is told to move on.
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        pin::Pin,
        sync::{Arc, Mutex},
    };

    use alloy::{
        eips::BlockId,
        primitives::{LogData, U64, U256, keccak256},
        providers::{EthGetBlock, ProviderCall, RootProvider, mock::Asserter},
        rpc::{
            client::{NoParams, RpcClient},
            types::Block,
        },
        sol_types::SolEvent,
        transports::TransportResult,
    };

    use super::*;

    /// A chain in memory in whose every block one member declines: the one with the block's number.
    #[derive(Clone)]
    struct Chain {
        state: Arc<Mutex<State>>,
        root: RootProvider,
    }

    struct State {
        hashes: Vec<B256>,
        extra: Vec<Log>,
        widest: u64,
        refusal: fn() -> TransportError,
        asked: Vec<(u64, u64)>,
    }

    fn too_wide() -> TransportError {
        RpcError::ErrorResp(serde_json::from_str(r#"{"code":-32005,"message":"block range too wide"}"#).unwrap())
    }

    impl Chain {
        /// With blocks 0 to `head`.
        fn new(head: u64) -> Self {
            let root = RootProvider::new(RpcClient::mocked(Asserter::new()));
            let state =
                State { hashes: Vec::new(), extra: Vec::new(), widest: u64::MAX, refusal: too_wide, asked: Vec::new() };
            let chain = Self { state: Arc::new(Mutex::new(state)), root };
            chain.grow(head + 1, "first");
            chain
        }

        fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
            change(&mut self.state.lock().unwrap())
        }

        fn grow(&self, count: u64, fork: &str) {
            self.with(|state| {
                for _ in 0..count {
                    let name = format!("{fork} {}", state.hashes.len());
                    state.hashes.push(keccak256(name));
                }
            });
        }

        /// Replaces all blocks from `number` on by as many others.
        fn reorganise(&self, number: u64, fork: &str) {
            let dropped = self.with(|state| state.hashes.split_off(number as usize).len());
            self.grow(dropped as u64, fork);
        }

        fn follower(&self, confirmations: u64, trail: Trail) -> Follower<Self> {
            Follower::new(self.clone(), deployment(), confirmations, trail)
        }
    }

    impl Provider for Chain {
        fn root(&self) -> &RootProvider {
            &self.root
        }

        fn get_block_number(&self) -> ProviderCall<NoParams, U64, u64> {
            ProviderCall::ready(Ok(self.with(|state| state.hashes.len() as u64 - 1)))
        }

        fn get_block_by_number(&self, number: BlockNumberOrTag) -> EthGetBlock<Block> {
            let height = number.as_number().unwrap();
            let block = self.with(|state| state.hashes.get(height as usize).copied()).map(|hash| {
                let mut block = Block::<_>::default();
                (block.header.hash, block.header.inner.number) = (hash, height);
                block
            });
            let answer = move |_| ProviderCall::ready(Ok(block.clone()));
            EthGetBlock::new_provider(BlockId::Number(number), Box::new(answer))
        }

        fn get_logs<'life0, 'life1, 'async_trait>(
            &'life0 self,
            filter: &'life1 Filter,
        ) -> Pin<Box<dyn Future<Output = TransportResult<Vec<Log>>> + Send + 'async_trait>>
        where
            'life0: 'async_trait,
            'life1: 'async_trait,
            Self: 'async_trait,
        {
            let (from, to) = (filter.get_from_block().unwrap(), filter.get_to_block().unwrap());
            let answer = self.with(|state| {
                state.asked.push((from, to));
                if to - from + 1 > state.widest {
                    return Err((state.refusal)());
                }
                let blocks = (from..=to).rev().map(|height| declined(height, state.hashes[height as usize]));
                Ok(blocks.chain(state.extra.clone()).collect())
            });
            Box::pin(async move { answer })
        }
    }

    fn deployment() -> Deployment {
        Deployment {
            chain_id: 31_337,
            generation_oracle: Address::repeat_byte(1),
            model_registry: Address::repeat_byte(2),
            randomness: Address::repeat_byte(3),
            generation_lens: Address::repeat_byte(4),
            block: 5,
        }
    }

    fn log(address: Address, height: u64, hash: B256, data: LogData) -> Log {
        Log {
            inner: alloy::primitives::Log { address, data },
            block_hash: Some(hash),
            block_number: Some(height),
            transaction_hash: Some(B256::repeat_byte(9)),
            log_index: Some(0),
            ..Log::default()
        }
    }

    fn declined(height: u64, hash: B256) -> Log {
        let event = IGenerationOracle::Declined { jobId: hash, number: 1, member: U256::from(height) };
        log(deployment().generation_oracle, height, hash, event.encode_log_data())
    }

    /// The members who declined in the next step, and the cursor after it.
    async fn next(follower: &mut Follower<Chain>) -> (Vec<u32>, Cursor) {
        let Advance::Confirmed { events, next } = follower.advance().await.unwrap() else { panic!("nothing new") };
        let seat = |happened: &Happened| {
            let Event::Oracle(event) = &happened.event else { panic!("{happened:?}") };
            let OracleEvent::Declined(declined) = event.as_ref() else { panic!("{event:?}") };
            assert_eq!(declined.jobId, happened.block.hash);
            declined.member.to()
        };
        (events.iter().map(seat).collect(), next)
    }

    #[tokio::test]
    async fn confirmed_events_come_in_order_until_it_is_told_to_move_on() {
        let chain = Chain::new(10);
        let mut follower = chain.follower(2, Trail::from_block(5));
        let (seats, end) = next(&mut follower).await;
        assert_eq!((seats.as_slice(), end.number), ([5, 6, 7, 8].as_slice(), 8));
        assert_eq!(next(&mut follower).await, (seats, end), "not moved on: the same again");

        follower.move_to(end);
        assert!(matches!(follower.advance().await.unwrap(), Advance::Idle));
        chain.grow(1, "first");
        assert_eq!(next(&mut follower).await.0, [9]);
    }

    #[tokio::test]
    async fn a_stored_trail_goes_on_where_it_stopped() {
        let chain = Chain::new(10);
        let mut follower = chain.follower(0, Trail::from_block(5));
        let (_, end) = next(&mut follower).await;
        follower.move_to(end);
        let stored = serde_json::to_string(follower.trail()).unwrap();

        chain.grow(2, "first");
        let mut restarted = chain.follower(0, serde_json::from_str(&stored).unwrap());
        assert_eq!(next(&mut restarted).await.0, [11, 12]);
    }

    #[tokio::test]
    async fn a_reorganisation_goes_back_to_the_youngest_block_that_stands_and_replays() {
        let chain = Chain::new(5);
        let mut follower = chain.follower(0, Trail::from_block(5));
        for _ in 0..20 {
            let (_, end) = next(&mut follower).await;
            follower.move_to(end);
            chain.grow(1, "first");
        }
        assert_eq!(follower.trail().last().unwrap().number, 24);

        chain.reorganise(20, "second");
        let Advance::Reorged { back_to } = follower.advance().await.unwrap() else { panic!("the hash is another") };
        assert!((5..20).contains(&back_to.number), "{back_to:?}");
        let (seats, end) = next(&mut follower).await;
        assert_eq!(seats, (back_to.number as u32 + 1..=25).collect::<Vec<_>>());
        assert_eq!(end.hash, keccak256("second 25"));
    }

    #[tokio::test]
    async fn a_reorganisation_below_the_trail_starts_over() {
        let chain = Chain::new(30);
        let mut follower = chain.follower(0, Trail::from_block(5));
        let (_, end) = next(&mut follower).await;
        follower.move_to(end);

        chain.reorganise(1, "second");
        let Advance::Reorged { back_to } = follower.advance().await.unwrap() else { panic!("the hash is another") };
        assert_eq!(back_to, Cursor { number: 4, hash: keccak256("second 4") });
        assert_eq!(next(&mut follower).await.0[0], 5);
    }

    #[tokio::test]
    async fn it_asks_for_fewer_blocks_when_refused_and_for_more_when_served() {
        let chain = Chain::new(MAX_SPAN * 3);
        chain.with(|state| state.widest = 300);
        let mut follower = chain.follower(0, Trail::from_block(1));
        let mut seats = Vec::new();
        while let Advance::Confirmed { events, next } = follower.advance().await.unwrap() {
            seats.extend(events.iter().map(|happened| happened.block.number));
            follower.move_to(next);
        }
        assert_eq!(seats, (1..=MAX_SPAN * 3).collect::<Vec<_>>());
        assert_eq!(chain.with(|state| state.asked[..4].to_vec()), [(1, 1_000), (1, 500), (1, 250), (251, 750)]);
    }

    #[tokio::test]
    async fn what_cannot_be_served_is_an_error_and_moves_nothing() {
        let chain = Chain::new(40);
        let mut follower = chain.follower(0, Trail::from_block(5));
        chain.with(|state| state.widest = 0);
        assert!(matches!(follower.advance().await, Err(FollowError::Rpc(_))), "not even one block");
        assert_eq!(chain.with(|state| state.asked.last().copied()), Some((5, 5)));

        chain.with(|state| state.refusal = || TransportErrorKind::backend_gone());
        chain.with(|state| state.asked.clear());
        assert!(follower.advance().await.is_err());
        assert_eq!(chain.with(|state| state.asked.len()), 1, "a lost connection is no reason to ask for less");

        chain.with(|state| state.widest = u64::MAX);
        assert_eq!(next(&mut follower).await.0[0], 5);
    }

    #[tokio::test]
    async fn strange_logs_are_passed_over_and_broken_ones_are_not() {
        let chain = Chain::new(5);
        let mut follower = chain.follower(0, Trail::from_block(5));
        let oracle = deployment().generation_oracle;
        let unknown = LogData::new_unchecked(vec![B256::repeat_byte(7)], Vec::new().into());
        let known = declined(5, B256::ZERO).inner.data;
        chain.with(|state| {
            let hash = state.hashes[5];
            state.extra = vec![log(oracle, 5, hash, unknown), log(Address::repeat_byte(8), 5, hash, known.clone())];
        });
        assert_eq!(next(&mut follower).await.0, [5]);

        let broken = LogData::new_unchecked(known.topics()[..1].to_vec(), known.data);
        chain.with(|state| state.extra = vec![log(oracle, 5, state.hashes[5], broken)]);
        assert!(matches!(follower.advance().await, Err(FollowError::Unreadable { number: Some(5), .. })));
    }

    #[tokio::test]
    async fn a_chain_without_the_start_is_said_to_be_too_short() {
        let mut follower = Chain::new(3).follower(0, Trail::from_block(9));
        assert!(matches!(follower.advance().await, Err(FollowError::TooShort(8))));
    }

    #[test]
    fn a_trail_stays_short_and_reaches_far_back() {
        let mut trail = Trail::from_block(0);
        for number in 0..5_000 {
            trail.push(Cursor { number, hash: B256::ZERO });
        }
        let ages: Vec<_> = trail.cursors.iter().map(|cursor| 4_999 - cursor.number).collect();
        assert!(ages.len() < 20, "{ages:?}");
        assert_eq!(ages.last(), Some(&0));
        assert!(ages[0] >= 2_048, "{ages:?}");
        let gap = |pair: &[u64]| pair[0] <= 4 * (pair[1] + 1);
        assert!(ages.windows(2).all(gap), "each is at most about four times as old as the next: {ages:?}");
    }
}
