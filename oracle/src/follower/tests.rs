#![allow(clippy::unwrap_used)]

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
    transports::{RpcError, TransportErrorKind, TransportResult},
};

use super::*;

/// How old the blocks are that this chain calls final.
const FINAL: u64 = 20;

/// A chain in memory in whose every block one member declines: the one with the block's number.
#[derive(Clone)]
struct Chain {
    state: Arc<Mutex<State>>,
    root: RootProvider,
}

struct State {
    hashes: Vec<B256>,
    extra: Vec<Log>,
    /// Blocks whose logs are left out.
    hidden: Vec<u64>,
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
        let state = State {
            hashes: Vec::new(),
            extra: Vec::new(),
            hidden: Vec::new(),
            widest: u64::MAX,
            refusal: too_wide,
            asked: Vec::new(),
        };
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

    fn follower(&self, depth: u64, trail: Trail) -> Follower<Self> {
        Follower::new(self.clone(), deployment(), Finality::Depth(depth), trail)
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
        let newest = self.with(|state| state.hashes.len() as u64 - 1);
        let height = number.as_number().unwrap_or(newest.saturating_sub(FINAL));
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
            let shown = (from..=to).rev().filter(|height| !state.hidden.contains(height));
            let blocks = shown.map(|height| declined(height, state.hashes[height as usize]));
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
        oracle_code_hash: None,
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
    let Advance::Confirmed { events, next, .. } = follower.advance().await.unwrap() else { panic!("nothing new") };
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
    assert!(matches!(follower.advance().await.unwrap(), Advance::Confirmed { more: false, .. }));
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
    const BLOCKS: u64 = 20_000;
    let chain = Chain::new(BLOCKS);
    chain.with(|state| state.widest = 300);
    let mut follower = chain.follower(0, Trail::from_block(1));
    let mut seats = Vec::new();
    while let Advance::Confirmed { events, next, more } = follower.advance().await.unwrap() {
        assert_eq!(more, next.number < BLOCKS);
        seats.extend(events.iter().map(|happened| happened.block.number));
        follower.move_to(next);
    }
    assert_eq!(seats, (1..=BLOCKS).collect::<Vec<_>>());
    let refused = chain.with(|state| state.asked.iter().filter(|(from, to)| to - from + 1 > 300).count());
    assert!(chain.with(|state| state.asked.len()) < 100, "about 300 blocks at a time");
    assert!(refused < 20, "{refused} requests were for nothing");
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

#[tokio::test]
async fn an_endpoint_that_is_behind_makes_nobody_go_back() {
    let chain = Chain::new(10);
    let mut follower = chain.follower(0, Trail::from_block(5));
    let (_, end) = next(&mut follower).await;
    follower.move_to(end);

    let newest = chain.with(|state| state.hashes.split_off(8));
    assert!(matches!(follower.advance().await.unwrap(), Advance::Idle));
    assert_eq!(follower.trail().last(), Some(end));

    chain.with(|state| state.hashes.extend(newest));
    chain.grow(1, "first");
    assert_eq!(next(&mut follower).await.0, [11]);
}

#[tokio::test]
async fn logs_that_an_endpoint_had_not_indexed_yet_come_later_with_all_since() {
    let chain = Chain::new(10);
    let mut follower = chain.follower(0, Trail::from_block(5));
    chain.with(|state| state.hidden = vec![7, 10]);
    let (seats, end) = next(&mut follower).await;
    assert_eq!(seats, [5, 6, 8, 9]);
    follower.move_to(end);

    chain.with(|state| state.hidden.clear());
    let mut late = Vec::new();
    while follower.trail().last().unwrap().number < 200 {
        chain.grow(1, "first");
        let (seats, end) = next(&mut follower).await;
        match seats[..] {
            [seat] => assert_eq!(u64::from(seat), end.number, "what was told is not told again"),
            _ => late.push(seats),
        }
        follower.move_to(end);
    }
    assert_eq!(late, [(7..=2 * SECOND_LOOK as u32).collect::<Vec<_>>()], "once, with all since");
}

#[test]
fn every_block_is_looked_at_twice_by_who_goes_on_slowly() {
    for step in 1..SECOND_LOOK {
        let looks = (0..1_000).step_by(step as usize).filter_map(|at| second_look(at, at + step));
        let again: Vec<_> = looks.flat_map(|(from, to)| from..=to).collect();
        assert_eq!(again, (0..again.len() as u64).collect::<Vec<_>>(), "by {step}");
        assert!(again.len() as u64 > 1_000 - 3 * SECOND_LOOK, "by {step}");
    }
    assert_eq!(second_look(10, 10_000), None, "what is far behind is old");
}

#[tokio::test]
async fn what_a_reorganisation_brings_back_is_told_again() {
    let chain = Chain::new(10);
    let mut follower = chain.follower(0, Trail::from_block(5));
    let (_, end) = next(&mut follower).await;
    follower.move_to(end);

    let first = chain.with(|state| state.hashes.clone());
    chain.reorganise(8, "second");
    assert!(matches!(follower.advance().await.unwrap(), Advance::Reorged { .. }));
    let (_, end) = next(&mut follower).await;
    follower.move_to(end);

    chain.with(|state| state.hashes = first);
    assert!(matches!(follower.advance().await.unwrap(), Advance::Reorged { .. }));
    assert_eq!(next(&mut follower).await.0, [5, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn blocks_count_once_the_chain_calls_them_final() {
    let chain = Chain::new(FINAL + 7);
    let mut follower = Follower::new(chain.clone(), deployment(), Finality::Finalized, Trail::from_block(5));
    assert_eq!(next(&mut follower).await.0, [5, 6, 7]);
}
