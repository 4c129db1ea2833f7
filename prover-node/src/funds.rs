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
    budget::JOB_GAS,
    owners::Owners,
    pool::{PoolSeat, seats_of},
};

/// Jobs that the balance should pay for.
const JOBS: u64 = 10;

/// How often it is looked at, at most.
const PAUSE: Duration = Duration::from_secs(5);

/// What the operator has. Amounts in wei.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Funds {
    /// For gas.
    pub balance: U256,
    /// What ten jobs cost at the present price of gas: with less, the node may fail to reveal what it committed.
    pub needed: U256,
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
pub struct Account {
    /// The key that works.
    pub operator: Address,
    /// The model whose seats count.
    pub model: B256,
}

impl Funds {
    /// At the newest block. Of the seats that name the operator, those that `owners` says are served.
    pub async fn of(chain: &Chain, account: &Account, owners: &Owners) -> Result<Self, ChainError> {
        let provider = &chain.provider;
        let price = U256::from(provider.get_gas_price().await?);
        let (now, age) = (chain.now().await?.time, chain.stakes().seatAge().call().await?);
        let mut seats = seats_of(chain, account.model, account.operator).await?;
        seats
            .retain(|PoolSeat { number, seat }| seat.operator == account.operator && owners.serve(*number, seat.owner));

        let served = u64::try_from(seats.len()).unwrap_or(u64::MAX).max(1);
        let mut funds = Self {
            balance: provider.get_balance(account.operator).await?,
            needed: price * U256::from(JOB_GAS * JOBS) * U256::from(served),
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

    /// Whether it is enough to go on.
    #[must_use]
    pub fn suffice(&self) -> bool {
        self.balance >= self.needed
    }
}

/// Looks at them again as blocks come, for as long as anybody listens. Says so when they run low.
#[must_use]
pub fn watch_funds(
    chain: Chain,
    account: Account,
    owners: Owners,
    mut heads: watch::Receiver<ChainTime>,
    first: Funds,
) -> watch::Receiver<Funds> {
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(async move {
        while !sender.is_closed() && heads.changed().await.is_ok() {
            match Funds::of(&chain, &account, &owners).await {
                Ok(funds) => {
                    if !funds.suffice() && sender.borrow().suffice() {
                        let (balance, needed) =
                            (oracle::chain::ether(funds.balance), oracle::chain::ether(funds.needed));
                        warn!(operator = %account.operator, balance, needed, "the balance runs low: send the operator some ETH");
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
