//! Writing: simulate, send, wait.

use std::time::Duration;

use alloy::{
    contract::{CallBuilder, CallDecoder},
    network::{EthereumWallet, TransactionBuilder},
    primitives::{Address, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionReceipt,
    signers::local::PrivateKeySigner,
};

use super::{Chain, ChainError, error::ran_out};

/// The longest wait for a receipt.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(180);

/// A chain and a key to write to it. No `Debug`: the provider holds the key.
#[derive(Clone)]
pub struct Account {
    /// For reading.
    pub chain: Chain,
    /// The key's.
    pub address: Address,
    signing: DynProvider,
}

impl Chain {
    /// An account of this chain.
    pub fn account(&self, signer: PrivateKeySigner) -> Result<Account, ChainError> {
        let address = signer.address();
        let signing =
            ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_client(self.rpc.client()).erased();
        Ok(Account { chain: self.clone(), address, signing })
    }
}

impl Account {
    /// Sends a call and waits for its receipt. It is simulated first, so that a revert costs nothing and is explained.
    pub async fn send<P: Provider, D: CallDecoder + Unpin>(
        &self,
        call: CallBuilder<P, D>,
    ) -> Result<TransactionReceipt, ChainError> {
        let call = call.from(self.address);
        let transaction = call.as_ref().clone();
        let value = transaction.value.unwrap_or_default();
        self.check_funds(value).await?;
        call.call().await?;

        // What others do before this is mined may make it dearer.
        let gas = call.estimate_gas().await?.saturating_mul(5) / 4;
        let fees = self.chain.provider.estimate_eip1559_fees().await?;
        self.check_funds(value + U256::from(gas) * U256::from(fees.max_fee_per_gas)).await?;

        let transaction = transaction
            .with_gas_limit(gas)
            .with_max_fee_per_gas(fees.max_fee_per_gas)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas);
        let pending = self.signing.send_transaction(transaction).await?.with_timeout(Some(RECEIPT_TIMEOUT));
        let tx = *pending.tx_hash();
        let receipt = pending.get_receipt().await.map_err(|error| match ran_out(&error) {
            true => ChainError::Timeout { tx, seconds: RECEIPT_TIMEOUT.as_secs() },
            false => error.into(),
        })?;
        if receipt.status() {
            return Ok(receipt);
        }
        let reason = match call.call().await {
            Ok(_) => "the chain moved between the simulation and the block; try again".to_owned(),
            Err(error) => ChainError::from(error).to_string(),
        };
        Err(ChainError::RevertedOnChain { tx, reason })
    }

    /// Sends a call of the oracle that is encoded already.
    pub async fn send_raw(&self, data: Bytes) -> Result<TransactionReceipt, ChainError> {
        let call = CallBuilder::new_raw(&self.chain.provider, data).to(self.chain.deployment.generation_oracle);
        self.send(call).await
    }

    async fn check_funds(&self, need: U256) -> Result<(), ChainError> {
        let balance = self.chain.provider.get_balance(self.address).await?;
        if balance < need {
            return Err(ChainError::NoFunds { address: self.address, balance, need });
        }
        Ok(())
    }
}
