//! Funds: what the operator has on chain, and what it needs to go on working.

use std::time::Duration;

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
};
use oracle::chain::{Chain, ChainError, ChainTime};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::{
    budget::{Budget, Cover, vote_cost},
    journal::Journal,
    owners::Owners,
    pool::{PoolSeat, seats_of},
};

/// Seats of the largest committee: a commitment costs the most there.
const MOST_MEMBERS: u8 = 31;

/// How often it is looked at, at most.
const PAUSE: Duration = Duration::from_secs(5);

/// What the operator has. Amounts in wei.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Funds {
    /// For gas: by the rule that jobs are accepted by, if the next one draws every seat.
    pub cover: Cover,
    /// Of the seats that are served.
    pub stake: U256,
    /// Seats that can be drawn.
    pub active: u32,
    /// Seats that are not old enough yet.
    pub young: u32,
    /// Seats that have left the pool.
    pub left: u32,
}

/// Whose funds.
#[derive(Debug, Clone)]
pub struct Account {
    /// The key that works.
    pub operator: Address,
    /// The models whose seats count.
    pub models: Vec<B256>,
    /// Whose seats are served.
    pub owners: Owners,
    /// What may be spent.
    pub budget: Budget,
}

impl Funds {
    /// At the newest block, of the seats that are served, of which `unopened` have committed and not revealed.
    pub async fn of(chain: &Chain, account: &Account, unopened: u64) -> Result<Self, ChainError> {
        let Account { operator, budget, owners, .. } = account;
        let provider = &chain.provider;
        let price = provider.estimate_eip1559_fees().await?.max_fee_per_gas;
        let (now, age) = (chain.now().await?.time, chain.stakes().seatAge().call().await?);
        let mut seats = Vec::new();
        for &model in &account.models {
            let ours = |PoolSeat { number, seat }: &PoolSeat| {
                seat.operator == *operator && owners.serve(model, *number, seat.owner)
            };
            seats.extend(seats_of(chain, model, *operator).await?.into_iter().filter(ours));
        }

        let need = vote_cost(MOST_MEMBERS, price) * U256::from(seats.len().max(1));
        let mut funds = Self {
            cover: budget.cover(provider.get_balance(*operator).await?, unopened, price, need),
            stake: seats.iter().map(|seat| U256::from(seat.seat.stake)).sum(),
            ..Self::default()
        };
        for seat in &seats {
            let old = seat.seat.enrolledAt.to::<u64>() + u64::from(age) <= now;
            *match (seat.is_active(), old) {
                (false, _) => &mut funds.left,
                (true, true) => &mut funds.active,
                (true, false) => &mut funds.young,
            } += 1;
        }
        Ok(funds)
    }
}

/// Looks at them again as blocks come, for as long as anybody listens. Says so when they run low.
#[must_use]
pub fn watch_funds(
    chain: Chain,
    account: Account,
    journal: Journal,
    mut heads: watch::Receiver<ChainTime>,
    first: Funds,
) -> watch::Receiver<Funds> {
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(async move {
        while !sender.is_closed() && heads.changed().await.is_ok() {
            // What cannot be read is complained of by those that need it to go on.
            let Ok(unopened) = journal.unopened().await else { continue };
            match Funds::of(&chain, &account, unopened).await {
                Ok(funds) => {
                    if !funds.cover.suffices() && sender.borrow().cover.suffices() {
                        let (operator, cover) = (account.operator, funds.cover);
                        warn!(%operator, "the balance runs low, send the operator some ETH: {cover}");
                    }
                    sender.send_replace(funds);
                }
                // Whoever watches the heads complains about it.
                Err(error) => debug!(%error, "the operator's funds could not be read"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    receiver
}
