//! The wallet: one task owns the operator's key and its nonces. It sends one transaction at a time and waits for its
//! receipt, paying more when it is not mined.
//!
//! A transaction that failed to be sent may be mined all the same: before it sends again, the wallet looks for the
//! receipts of everything it sent with that nonce; and whoever asks it to send looks at the chain's state first.

use std::time::Duration;

use alloy::{
    eips::{BlockId, eip1559::Eip1559Estimation, eip2718::Encodable2718},
    network::{Ethereum, EthereumWallet, NetworkTransactionBuilder, TransactionBuilder, TransactionBuilderError},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
    transports::RpcError,
};
use oracle::chain::{ChainError, ChainTime};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

/// Blocks that a transaction may wait before more is paid for it.
const PATIENCE: u64 = 4;

/// How often more is paid, at most. Each time is a quarter more, so this is nearly ten times the first fee.
const RAISES: u32 = 10;

/// How often a receipt is looked for once the nonce is used up: an endpoint may know the one before the other.
const LOOKS: u32 = 20;

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(250);

/// A call to one of our contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The contract.
    pub to: Address,
    /// Selector and arguments.
    pub data: Bytes,
    /// Sent with it, in wei.
    pub value: U256,
}

/// Why a call is not known to be on chain. Look at the state before sending it again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Simulated, not sent; or the operator has no money.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The transaction could not be made.
    #[error("cannot sign a transaction: {0}")]
    Unsigned(#[from] TransactionBuilderError<Ethereum>),
    /// It was mined, and another transaction had changed the state before it.
    #[error("transaction {0} was mined and reverted")]
    RevertedOnChain(B256),
    /// An older transaction of ours, from before a restart or a reorganisation, or somebody else with this key.
    #[error("another transaction of this node's key took nonce {nonce}; a key must be used by one node only")]
    NonceTaken {
        /// Mined in another transaction.
        nonce: u64,
    },
    /// A reorganisation threw out transactions before this one, which must be sent first.
    #[error("a reorganisation threw out transactions before nonce {nonce}")]
    NonceAhead {
        /// Not mined, and not to be mined yet.
        nonce: u64,
    },
    /// It may still be mined.
    #[error("transaction {hash} was not mined after {RAISES} raises of its fee")]
    Stuck {
        /// The last one sent with that nonce.
        hash: B256,
    },
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}

/// A handle to the wallet; clones share it.
#[derive(Clone)]
pub struct Wallet {
    orders: mpsc::Sender<Order>,
}

struct Order {
    call: Call,
    reply: oneshot::Sender<Result<TransactionReceipt, SendError>>,
}

/// Owned by the wallet's task. No `Debug`: it holds the key.
struct Desk {
    provider: DynProvider,
    chain_id: u64,
    address: Address,
    wallet: EthereumWallet,
    heads: watch::Receiver<ChainTime>,
    /// Nonce and fees of the last transaction: what replaces it must pay more.
    last: Option<(u64, Eip1559Estimation)>,
}

/// What has been sent with one nonce.
struct Sent {
    nonce: u64,
    hashes: Vec<B256>,
    /// Why the last one was not taken, in the endpoint's words.
    refused: Option<String>,
}

impl Call {
    /// A call of `method` to `contract`.
    #[must_use]
    pub fn new(contract: Address, method: &impl SolCall) -> Self {
        Self { to: contract, data: method.abi_encode().into(), value: U256::ZERO }
    }

    /// As the endpoint takes it from `sender`.
    #[must_use]
    pub fn request(&self, sender: Address) -> TransactionRequest {
        let request = TransactionRequest::default().with_from(sender).with_to(self.to);
        request.with_input(self.data.clone()).with_value(self.value)
    }
}

impl Wallet {
    /// Gives the key to a task of its own, which ends with the last handle.
    #[must_use]
    pub fn spawn(
        provider: DynProvider,
        chain_id: u64,
        signer: PrivateKeySigner,
        heads: watch::Receiver<ChainTime>,
    ) -> Self {
        let (orders, mut inbox) = mpsc::channel::<Order>(64);
        let address = signer.address();
        let mut desk = Desk { provider, chain_id, address, wallet: signer.into(), heads, last: None };
        tokio::spawn(async move {
            while let Some(order) = inbox.recv().await {
                // Sent even if nobody waits for the receipt any more: half a transaction is worse than one too many.
                let _ = order.reply.send(desk.send(&order.call).await);
            }
        });
        Self { orders }
    }

    /// Sends the call and waits until it is mined. It is simulated first, so that a revert costs nothing.
    pub async fn send(&self, call: Call) -> Result<TransactionReceipt, SendError> {
        let (reply, receipt) = oneshot::channel();
        self.orders.send(Order { call, reply }).await.map_err(|_| SendError::Stopped)?;
        receipt.await.unwrap_or(Err(SendError::Stopped))
    }
}

impl Desk {
    async fn send(&mut self, call: &Call) -> Result<TransactionReceipt, SendError> {
        let request = call.request(self.address);
        // This is the simulation, too. What others do before this is mined may make it dearer.
        let gas = self.provider.estimate_gas(request.clone()).await.map_err(ChainError::from)?.saturating_mul(5) / 4;
        let request = request.with_gas_limit(gas).with_chain_id(self.chain_id);

        let nonce = self.next_nonce().await?;
        let mut fees = self.fees(nonce).await?;
        let mut sent = Sent { nonce, hashes: Vec::new(), refused: None };
        for _ in 0..=RAISES {
            self.check_funds(call.value, gas, fees).await?;
            self.last = Some((nonce, fees));
            self.broadcast(&request, fees, &mut sent).await?;
            if let Some(receipt) = self.wait(&sent).await? {
                return match receipt.status() {
                    true => Ok(receipt),
                    false => Err(SendError::RevertedOnChain(receipt.transaction_hash)),
                };
            }
            fees = raise(fees);
        }
        Err(SendError::Stuck { hash: sent.hashes.last().copied().unwrap_or_default() })
    }

    /// The first nonce that is not mined. If something of ours is pending with it, from before a crash perhaps, then this
    /// replaces it: whatever it was, its job looks at the chain's state and sends it again.
    async fn next_nonce(&self) -> Result<u64, ChainError> {
        Ok(self.provider.get_transaction_count(self.address).block_id(BlockId::latest()).await?)
    }

    async fn fees(&self, nonce: u64) -> Result<Eip1559Estimation, ChainError> {
        let market = self.provider.estimate_eip1559_fees().await?;
        Ok(match self.last {
            Some((last, fees)) if last >= nonce => higher(market, raise(fees)),
            _ => market,
        })
    }

    async fn check_funds(&self, value: U256, gas: u64, fees: Eip1559Estimation) -> Result<(), ChainError> {
        let balance = self.provider.get_balance(self.address).await?;
        let need = value + U256::from(gas) * U256::from(fees.max_fee_per_gas);
        match balance < need {
            true => Err(ChainError::NoFunds { address: self.address, balance, need }),
            false => Ok(()),
        }
    }

    async fn broadcast(
        &self,
        request: &TransactionRequest,
        fees: Eip1559Estimation,
        sent: &mut Sent,
    ) -> Result<(), SendError> {
        let request = request
            .clone()
            .with_nonce(sent.nonce)
            .with_max_fee_per_gas(fees.max_fee_per_gas)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas);
        let envelope = request.build(&self.wallet).await?;
        sent.hashes.push(*envelope.tx_hash());
        sent.refused = match self.provider.send_raw_transaction(&envelope.encoded_2718()).await {
            Ok(_) => None,
            // Too cheap to replace what is pending, or known, or mined meanwhile: `wait` finds out which.
            Err(RpcError::ErrorResp(answer)) => Some(answer.message.to_string()),
            Err(error) => return Err(ChainError::from(error).into()),
        };
        Ok(())
    }

    /// The receipt of whichever transaction with this nonce was mined; none if for some blocks none was.
    async fn wait(&mut self, sent: &Sent) -> Result<Option<TransactionReceipt>, SendError> {
        let patience = if sent.refused.is_some() { 1 } else { PATIENCE };
        let until = self.heads.borrow().block + patience;
        let mut looks = 0;
        loop {
            // The nonce first, the receipts second: if it is used up and no receipt is ours, somebody else used it.
            let next = self.next_nonce().await?;
            let used = next > sent.nonce;
            if let Some(receipt) = self.receipt(sent).await? {
                return Ok(Some(receipt));
            }
            looks += u32::from(used);
            if looks > LOOKS {
                return Err(SendError::NonceTaken { nonce: sent.nonce });
            }
            if next < sent.nonce {
                return Err(SendError::NonceAhead { nonce: sent.nonce });
            }
            if !used && self.heads.borrow().block >= until {
                warn!(nonce = sent.nonce, refused = sent.refused, "transaction not mined: paying more");
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn receipt(&self, sent: &Sent) -> Result<Option<TransactionReceipt>, ChainError> {
        for &hash in &sent.hashes {
            let receipt = self.provider.get_transaction_receipt(hash).await?;
            if receipt.is_some() {
                return Ok(receipt);
            }
        }
        Ok(None)
    }
}

/// What replaces a pending transaction: nodes ask for a tenth more, in both parts of the fee.
fn raise(fees: Eip1559Estimation) -> Eip1559Estimation {
    let raised = |fee: u128| fee.saturating_mul(5) / 4 + 1;
    Eip1559Estimation {
        max_fee_per_gas: raised(fees.max_fee_per_gas),
        max_priority_fee_per_gas: raised(fees.max_priority_fee_per_gas),
    }
}

fn higher(a: Eip1559Estimation, b: Eip1559Estimation) -> Eip1559Estimation {
    Eip1559Estimation {
        max_fee_per_gas: a.max_fee_per_gas.max(b.max_fee_per_gas),
        max_priority_fee_per_gas: a.max_priority_fee_per_gas.max(b.max_priority_fee_per_gas),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_pays_at_least_a_tenth_more_in_both_parts() {
        let fees = Eip1559Estimation { max_fee_per_gas: 1_000, max_priority_fee_per_gas: 0 };
        let raised = raise(fees);

        assert!(raised.max_fee_per_gas * 10 >= fees.max_fee_per_gas * 11);
        assert_eq!(raised.max_priority_fee_per_gas, 1);
    }

    #[test]
    fn what_is_paid_follows_the_market_up_and_never_falls_below_the_raise() {
        let market = Eip1559Estimation { max_fee_per_gas: 2_000, max_priority_fee_per_gas: 1 };
        let raised = Eip1559Estimation { max_fee_per_gas: 1_251, max_priority_fee_per_gas: 3 };

        let paid = higher(market, raised);
        assert_eq!((paid.max_fee_per_gas, paid.max_priority_fee_per_gas), (2_000, 3));
    }
}
