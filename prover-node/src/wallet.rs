//! The wallet: one task owns the operator's key and its nonces. What it is to send is written down before it is
//! broadcast; several transactions are under way at once, and those that are not mined are sent again, paid better, or
//! replaced.
//!
//! A transaction that failed to be sent may be mined all the same: before it sends anything again, the wallet looks for
//! the receipts of everything it sent with that nonce, and asks the chain whether the call would still succeed; and
//! whoever asks it to send looks at the chain's state first. Its policy is argued in
//! `docs/decisions/0015-the-wallet.md`.

mod account;
mod desk;
mod error;
mod fees;
mod intent;
mod sending;
mod slot;

use alloy::{providers::DynProvider, rpc::types::TransactionReceipt, signers::local::PrivateKeySigner};
use oracle::chain::ChainTime;
use tokio::sync::{mpsc, oneshot, watch};

use self::{account::Account, desk::Desk};
pub use self::{
    error::SendError,
    fees::Fees,
    intent::{Call, Intent, Purpose, Step},
    slot::Sent,
};
use crate::journal::{Journal, JournalError};

/// Transactions that are under way at once, at most: what Ethereum nodes keep of one account without a place in the next
/// block.
pub const IN_FLIGHT: usize = 16;

/// A handle to the wallet; clones share it.
#[derive(Clone)]
pub struct Wallet {
    orders: mpsc::Sender<Order>,
}

/// An intent, and who waits for what becomes of it.
struct Order {
    intent: Intent,
    reply: Reply,
}

type Reply = oneshot::Sender<Result<TransactionReceipt, SendError>>;

impl Wallet {
    /// Gives the key to a task of its own, which ends with the last handle. What `journal` says was under way is looked
    /// for on chain before anything is sent.
    pub async fn spawn(
        provider: DynProvider,
        chain_id: u64,
        signer: PrivateKeySigner,
        journal: Journal,
        heads: watch::Receiver<ChainTime>,
    ) -> Result<Self, JournalError> {
        let (orders, inbox) = mpsc::channel::<Order>(64);
        let desk = Desk::open(Account::new(provider, chain_id, signer), journal, heads).await?;
        tokio::spawn(desk.work(inbox));
        Ok(Self { orders })
    }

    /// Sends what is intended, and waits until it is mined or cannot be any more. It is simulated first, so that a revert
    /// costs nothing. If the same was asked for before, it is that which is waited for.
    pub async fn send(&self, intent: Intent) -> Result<TransactionReceipt, SendError> {
        let (reply, receipt) = oneshot::channel();
        self.orders.send(Order { intent, reply }).await.map_err(|_| SendError::Stopped)?;
        receipt.await.unwrap_or(Err(SendError::Stopped))
    }
}
