//! The requester: pays for jobs, and says so again where a reorganisation has forgotten it.

use alloy::{
    eips::eip2718::Encodable2718 as _,
    network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _},
    primitives::{Address, B256, Bytes, U256, aliases::U96},
    providers::Provider as _,
    rpc::types::TransactionRequest,
    sol_types::SolCall as _,
};
use eyre::Result;
use oracle::{
    chain::{
        Chain,
        IGenerationOracle::{Terms, requestImageCall},
    },
    fees::{fee_of, foreseen},
    manifest::LocalModel,
    spec::ImageSpec,
};
use quorate_tests::{devnet::Devnet, party::Party, programs};

/// Gas of a request, with some to spare.
const GAS: u64 = 400_000;

pub(super) struct Requester {
    chain: Chain,
    party: Party,
    wallet: EthereumWallet,
    model: B256,
    spec: ImageSpec,
    terms: Terms,
    /// Of a request, in wei: more than any costs, and what is left is a balance at the oracle.
    value: U256,
    /// In wei for a unit of gas.
    gas_price: u128,
    since: u64,
    /// Signed, one after the other.
    requests: Vec<Bytes>,
}

impl Requester {
    /// Whose account is a fresh one.
    pub(super) async fn of(devnet: &Devnet, model: B256, party: Party) -> Result<Self> {
        let chain = devnet.chain.clone();
        let registered = chain.models().modelOf(model).call().await?;
        let terms = Terms {
            committeeSize: 3,
            superMajority: false,
            fixedSeed: false,
            share: registered.seatStake / U96::from(160),
            commitWindow: chain.windows.commit,
            consumer: Address::ZERO,
            consumerGas: 0,
        };
        Ok(Self {
            wallet: EthereumWallet::from(party.signer.clone()),
            party,
            model,
            spec: LocalModel::open(&programs::bundled_model())?.manifest.image()?.spec("a fox in the rain".into()),
            value: fee_of(&foreseen(&registered, &terms, chain.base_fee().await?.saturating_mul(100))),
            terms,
            gas_price: 20 * chain.provider.get_gas_price().await?,
            since: chain.now().await?.block,
            chain,
            requests: Vec::new(),
        })
    }

    /// Pays for one more job, without waiting for it.
    pub(super) async fn request(&mut self) -> Result<()> {
        let number = self.requests.len() as u64;
        let spec = ImageSpec { seed: B256::from(U256::from(number)), ..self.spec.clone() };
        let call = requestImageCall { modelId: self.model, spec: (&spec).into(), terms: self.terms.clone() };
        let request = TransactionRequest::default()
            .with_to(self.chain.deployment.generation_oracle)
            .with_input(call.abi_encode())
            .with_value(self.value)
            .with_chain_id(self.chain.deployment.chain_id)
            .with_nonce(number)
            .with_gas_limit(GAS)
            .with_max_fee_per_gas(self.gas_price)
            .with_max_priority_fee_per_gas(1)
            .build(&self.wallet)
            .await?;
        self.requests.push(request.encoded_2718().into());
        Ok(())
    }

    /// Sends what is not on chain.
    pub(super) async fn insist(&self) -> Result<()> {
        let mined = usize::try_from(self.chain.provider.get_transaction_count(self.address()).await?)?;
        for request in self.requests.iter().skip(mined) {
            // It may be known already.
            let _ = self.chain.provider.send_raw_transaction(request).await;
        }
        Ok(())
    }

    /// Requests so far.
    pub(super) fn sent(&self) -> usize {
        self.requests.len()
    }

    /// Wei that were sent with all of them.
    pub(super) fn spent(&self) -> U256 {
        self.value * U256::from(self.sent())
    }

    /// The newest block when there was no request yet.
    pub(super) fn since(&self) -> u64 {
        self.since
    }

    pub(super) fn address(&self) -> Address {
        self.party.address()
    }
}
