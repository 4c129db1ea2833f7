//! The chain: bindings made from the Solidity interfaces, where a deployment's contracts are, and the way to them.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

use alloy::{
    network::EthereumWallet,
    primitives::{Address, ChainId},
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::{LocalSignerError, PrivateKeySigner},
    sol,
    transports::{RpcError, TransportErrorKind},
};
use serde::{Deserialize, Serialize};

sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/interfaces/IGenerationOracle.sol"
);
sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/interfaces/IModelRegistry.sol"
);
sol!(
    #![sol(all_derives = true, rpc)]
    "../contracts/src/interfaces/IVerifierStakes.sol"
);

/// Where one deployment's contracts are: the content of `deployments/<chainid>.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// EIP-155.
    pub chain_id: ChainId,
    /// `GenerationOracle`.
    pub generation_oracle: Address,
    /// `VerifierStakes`.
    pub verifier_stakes: Address,
    /// `ModelRegistry`.
    pub model_registry: Address,
    /// The block of the deployment: no event is older.
    pub block: u64,
}
