//! The chain: bindings made from the Solidity interfaces, where a deployment's contracts are, and the way to them.
//!
//! [`connect`] gives a [`Chain`] for reading; [`Chain::account`] gives an [`Account`] for writing.

mod bindings;
mod error;
mod history;
mod ids;
mod jobs;
mod models;
mod randomness;
mod revert;
mod rpc;
mod send;
mod span;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256, ChainId, U256, utils::format_ether},
    providers::{DynProvider, Provider, ProviderBuilder},
    transports::TransportError,
};
use reqwest::Url;
use serde::{Deserialize, Serialize};

pub use self::{
    bindings::{DrandRandomness, IGenerationOracle, IModelRegistry, IRandomness, IVerifierStakes},
    error::{ChainError, DeploymentError},
    history::{DrawnRound, History, JobEvent, Reveal, RoundHistory, Settlement, Vote},
    ids::{IdPrefix, MalformedId},
    jobs::{JobLookupError, Request},
    models::{ModelLookupError, ModelRef, RegisteredModel},
    randomness::{Known, ProofError, Randomness},
    revert::{Revert, phase_words},
    rpc::{EndpointReport, Failure, NEAR, Rpc, Unavailable, asks_for_less},
    send::Account,
    span::Span,
};

/// Where one deployment's contracts are: the content of `deployments/<chainid>.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// EIP-155.
    pub chain_id: ChainId,
    /// `GenerationOracle`.
    pub generation_oracle: Address,
    /// `ModelRegistry`.
    pub model_registry: Address,
    /// The source that draws get their seeds from: `RandaoRandomness` or `DrandRandomness`.
    pub randomness: Address,
    /// `GenerationLens`, for pages and people; nothing here needs it.
    pub generation_lens: Address,
    /// The block of the deployment: no event is older.
    pub block: u64,
    /// keccak256 of the oracle's code, which names the other contracts; not in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle_code_hash: Option<B256>,
}

impl Deployment {
    /// Reads a deployment file.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let bytes = fs::read(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => DeploymentError::Missing { path: path.to_owned() },
            _ => DeploymentError::Unreadable { path: path.to_owned(), source },
        })?;
        serde_json::from_slice(&bytes).map_err(|source| DeploymentError::Malformed { path: path.to_owned(), source })
    }

    /// The contracts with their names.
    #[must_use]
    pub fn contracts(&self) -> [(&'static str, Address); 3] {
        [
            ("GenerationOracle", self.generation_oracle),
            ("ModelRegistry", self.model_registry),
            ("the source of randomness", self.randomness),
        ]
    }
}

/// Which chain, as typed.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Chain")]
pub struct ChainArgs {
    /// JSON-RPC endpoint of an Ethereum node; may be given several times, or list several with commas: if one fails or
    /// falls behind, the next one is asked, and transactions go to all
    #[arg(long = "rpc-url", env = "QUORATE_RPC_URL", value_name = "URL", default_value = "http://127.0.0.1:8545", value_parser = http_url, value_delimiter = ',', hide_env_values = true, global = true)]
    pub rpc_urls: Vec<Url>,
    /// Addresses of the contracts [default: deployments/<chainid>.json]
    #[arg(long, env = "QUORATE_DEPLOYMENT", value_name = "FILE", global = true)]
    pub deployment: Option<PathBuf>,
    /// Relay of the drand network that draws are seeded by, with its chain's hash; only for deployments with drand. May be
    /// given several times, or list several with commas: if one fails or lies, the next one is asked [default: those of
    /// quicknet that the League of Entropy and Cloudflare run]
    #[arg(long = "drand-url", env = "QUORATE_DRAND_URL", value_name = "URL", value_parser = http_url, value_delimiter = ',', hide_env_values = true, global = true)]
    pub drand_urls: Vec<Url>,
}

/// A chain that answers, with the contracts in place.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Reads and broadcasts; holds no key.
    pub provider: DynProvider,
    /// Where the contracts are.
    pub deployment: Deployment,
    /// Fixed for the deployment.
    pub windows: IGenerationOracle::Windows,
    /// Where the seeds of the draws come from.
    pub randomness: Randomness,
    /// The endpoints behind the provider.
    pub rpc: Rpc,
    span: Arc<Span>,
}

/// Connects, and checks that the chain and the contracts are the deployment's.
pub async fn connect(args: &ChainArgs) -> Result<Chain, ChainError> {
    let named = args.deployment.as_ref().map(|path| (path, Deployment::read(path)));
    let expected = named.as_ref().and_then(|(_, read)| read.as_ref().ok()).map(|deployment| deployment.chain_id);
    let rpc = Rpc::new(&args.rpc_urls, expected).map_err(ChainError::HttpClient)?;
    let provider = ProviderBuilder::new().connect_client(rpc.client()).erased();
    let chain_id = match provider.get_chain_id().await {
        Ok(chain_id) => chain_id,
        Err(error) => return Err(no_chain(error, args.deployment.as_deref(), expected)),
    };

    let (path, read) = match named {
        Some((path, read)) => (path.clone(), read),
        None => {
            let path = PathBuf::from(format!("deployments/{chain_id}.json"));
            (path.clone(), Deployment::read(&path))
        }
    };
    let deployment = read.map_err(|source| ChainError::Deployment { chain_id, source })?;
    if deployment.chain_id != chain_id {
        return Err(ChainError::WrongChain { path, expected: deployment.chain_id, actual: chain_id });
    }
    for (name, address) in deployment.contracts() {
        if provider.get_code_at(address).await?.is_empty() {
            return Err(ChainError::NoContract { name, address, chain_id, path });
        }
    }
    let windows = windows(&provider, &deployment).await?.ok_or(ChainError::MixedDeployment(path))?;
    let randomness = Randomness::of(&provider, deployment.randomness, args).await?;
    Ok(Chain { provider, deployment, windows, randomness, rpc, span: Arc::default() })
}

/// Why not even the chain's id is to be had.
fn no_chain(error: TransportError, path: Option<&Path>, expected: Option<ChainId>) -> ChainError {
    let Some(unavailable) = Unavailable::of(&error) else { return error.into() };
    match (path, expected, unavailable.other_chain()) {
        (Some(path), Some(expected), Some(actual)) => {
            ChainError::WrongChain { path: path.to_owned(), expected, actual }
        }
        _ => ChainError::NoRpc(unavailable.clone()),
    }
}

/// None if the contracts do not belong together.
async fn windows(
    provider: &DynProvider,
    deployment: &Deployment,
) -> Result<Option<IGenerationOracle::Windows>, ChainError> {
    let oracle = IGenerationOracle::new(deployment.generation_oracle, provider.clone());
    // A contract of another kind reverts here.
    let is_oracle = oracle.models().call().await.is_ok_and(|models| models == deployment.model_registry);
    if !is_oracle || oracle.randomness().call().await? != deployment.randomness {
        return Ok(None);
    }
    Ok(Some(oracle.windows().call().await?))
}

impl Chain {
    /// `GenerationOracle`.
    #[must_use]
    pub fn oracle(&self) -> IGenerationOracle::IGenerationOracleInstance<DynProvider> {
        IGenerationOracle::new(self.deployment.generation_oracle, self.provider.clone())
    }

    /// The seats, which are the oracle's.
    #[must_use]
    pub fn stakes(&self) -> IVerifierStakes::IVerifierStakesInstance<DynProvider> {
        IVerifierStakes::new(self.deployment.generation_oracle, self.provider.clone())
    }

    /// `ModelRegistry`.
    #[must_use]
    pub fn models(&self) -> IModelRegistry::IModelRegistryInstance<DynProvider> {
        IModelRegistry::new(self.deployment.model_registry, self.provider.clone())
    }

    /// Number and time of the newest block: the clock that the contracts go by.
    pub async fn now(&self) -> Result<ChainTime, ChainError> {
        self.time_at(BlockNumberOrTag::Latest).await
    }

    /// Number and time of a block.
    pub async fn time_at(&self, tag: BlockNumberOrTag) -> Result<ChainTime, ChainError> {
        let block = self.provider.get_block_by_number(tag).await?.ok_or(ChainError::NoBlock)?;
        Ok(ChainTime { block: block.header.number, time: block.header.timestamp })
    }

    /// What the newest block burned for a unit of gas, in wei.
    pub async fn base_fee(&self) -> Result<u64, ChainError> {
        let block = self.provider.get_block_by_number(Default::default()).await?.ok_or(ChainError::NoBlock)?;
        Ok(block.header.base_fee_per_gas.unwrap_or_default())
    }

    /// The time of block `number`, in seconds since the epoch.
    pub async fn time_of(&self, number: u64) -> Result<u64, ChainError> {
        Ok(self.time_at(number.into()).await?.time)
    }
}

/// An amount in ETH, exactly and without needless zeros.
#[must_use]
pub fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    format!("{} ETH", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A block as a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChainTime {
    /// Its number.
    pub block: u64,
    /// In seconds since the epoch.
    pub time: u64,
}

fn http_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme is {}; only http and https are spoken", url.scheme()));
    }
    Ok(url)
}
