//! The account: the operator's key, and what an endpoint says of it.

use alloy::{
    eips::{BlockId, eip2718::Encodable2718},
    network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider},
    rpc::types::TransactionReceipt,
    signers::local::PrivateKeySigner,
    transports::RpcError,
};
use oracle::chain::ChainError;

use super::{Call, Fees, SendError, Sent};

/// Signs and broadcasts. No `Debug`: it holds the key.
pub(super) struct Account {
    pub(super) address: Address,
    provider: DynProvider,
    chain_id: u64,
    wallet: EthereumWallet,
}

/// What came of a broadcast.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The endpoint has it, or may have it.
    Taken,
    /// Another transaction has the nonce, and pays nearly as much or more.
    Contested,
    /// It pays less than the next block, or the endpoint, asks for.
    TooCheap,
    /// Its nonce is used.
    Used,
    /// It will not be mined.
    Refused(String),
}

impl Account {
    pub(super) fn new(provider: DynProvider, chain_id: u64, signer: PrivateKeySigner) -> Self {
        Self { address: signer.address(), provider, chain_id, wallet: signer.into() }
    }

    /// The first nonce that is not mined.
    pub(super) async fn next_nonce(&self) -> Result<u64, ChainError> {
        Ok(self.provider.get_transaction_count(self.address).block_id(BlockId::latest()).await?)
    }

    /// The first nonce that nothing waits with.
    pub(super) async fn pending_nonce(&self) -> Result<u64, ChainError> {
        Ok(self.provider.get_transaction_count(self.address).block_id(BlockId::pending()).await?)
    }

    /// In wei.
    pub(super) async fn balance(&self) -> Result<U256, ChainError> {
        Ok(self.provider.get_balance(self.address).await?)
    }

    pub(super) async fn receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, ChainError> {
        Ok(self.provider.get_transaction_receipt(hash).await?)
    }

    /// The gas it takes, with some to spare: what others do before it is mined may make it dearer.
    pub(super) async fn simulate(&self, call: &Call) -> Result<u64, ChainError> {
        Ok(self.provider.estimate_gas(call.request(self.address)).await?.saturating_mul(5) / 4)
    }

    /// What a transaction pays that is to be mined soon.
    pub(super) async fn market(&self) -> Result<Fees, ChainError> {
        Ok(self.provider.estimate_eip1559_fees().await?.into())
    }

    /// Signing is deterministic (RFC 6979): the same again has the same hash.
    pub(super) async fn sign(&self, sent: &Sent, call: &Call) -> Result<(B256, Bytes), SendError> {
        let request = call
            .request(self.address)
            .with_chain_id(self.chain_id)
            .with_nonce(sent.nonce)
            .with_gas_limit(sent.gas)
            .with_max_fee_per_gas(sent.fees.most)
            .with_max_priority_fee_per_gas(sent.fees.tip);
        let envelope = request.build(&self.wallet).await?;
        Ok((*envelope.tx_hash(), envelope.encoded_2718().into()))
    }

    pub(super) async fn transmit(&self, bytes: &Bytes) -> Heard {
        match self.provider.send_raw_transaction(bytes).await {
            Ok(_) => Heard::Taken,
            Err(RpcError::ErrorResp(answer)) => Heard::from(answer.message.as_ref()),
            // It may have arrived.
            Err(_) => Heard::Taken,
        }
    }

    /// A transfer of nothing to ourselves, which does no more than use its nonce.
    pub(super) fn nothing(&self) -> Call {
        Call { to: self.address, data: Bytes::new(), value: U256::ZERO }
    }
}

impl From<&str> for Heard {
    /// There are no codes for it: in the words of geth, reth, nethermind, besu and anvil.
    fn from(message: &str) -> Self {
        let text = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["already known", "already imported", "alreadyknown", "known transaction"]) {
            Self::Taken
        } else if says(&["nonce too low", "nonce is too low", "oldnonce"]) {
            Self::Used
        } else if says(&["replace"]) {
            Self::Contested
        } else if says(&["underpriced", "less than block base fee", "feetoolow", "fee too low"]) {
            Self::TooCheap
        } else {
            Self::Refused(message.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_endpoints_say_is_understood() {
        for (message, heard) in [
            ("already known", Heard::Taken),
            ("Known transaction", Heard::Taken),
            ("transaction already imported", Heard::Taken),
            ("nonce too low: next nonce 7, tx nonce 3", Heard::Used),
            ("replacement transaction underpriced", Heard::Contested),
            ("Replacement transaction underpriced", Heard::Contested),
            ("transaction underpriced: tip needed 1, tip permitted 0", Heard::TooCheap),
            ("max fee per gas less than block base fee", Heard::TooCheap),
        ] {
            assert_eq!(Heard::from(message), heard, "{message}");
        }
        let refused = "exceeds block gas limit";
        assert_eq!(Heard::from(refused), Heard::Refused(refused.to_owned()));
    }
}
