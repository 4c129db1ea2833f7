//! What can go wrong between here and the chain, each in one sentence that says what to do next.

use std::{error::Error, io, path::PathBuf};

use alloy::{
    contract,
    primitives::{Address, ChainId, TxHash, U256},
    providers::{PendingTransactionError, WatchTxError},
    transports::{RpcError, TransportError},
};

use super::{Revert, Unavailable, ether};

/// Why the chain could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Nothing answers there, or nothing that speaks JSON-RPC.
    #[error("no Ethereum node answers at {0}; start one, or name another with --rpc-url")]
    NoRpc(Unavailable),
    /// The nodes went away, or did not answer in time.
    #[error("the connection to the Ethereum node failed: {0}; try again, or name another with --rpc-url")]
    Disconnected(String),
    /// The node refused.
    #[error("the Ethereum node answered with an error: {0}")]
    Refused(String),
    /// No HTTP client could be made of the system's settings.
    #[error("cannot set up HTTP: {0}")]
    HttpClient(#[source] reqwest::Error),
    /// The deployment file is of no use.
    #[error("the chain's id is {chain_id}, and {source}")]
    Deployment {
        /// What the RPC says.
        chain_id: ChainId,
        /// What is wrong with the file.
        source: DeploymentError,
    },
    /// The file is another chain's.
    #[error(
        "{} is for chain {expected}, and the node is on chain {actual}: name the right file with --deployment, or the right node with --rpc-url",
        path.display()
    )]
    WrongChain {
        /// The deployment file.
        path: PathBuf,
        /// In the file.
        expected: ChainId,
        /// What the RPC says.
        actual: ChainId,
    },
    /// Nothing is deployed there.
    #[error(
        "there is no contract at {address} on chain {chain_id}, where {} says that {name} is: deploy it, or name the right file with --deployment",
        path.display()
    )]
    NoContract {
        /// The contract.
        name: &'static str,
        /// Where it should be.
        address: Address,
        /// What the RPC says.
        chain_id: ChainId,
        /// The deployment file.
        path: PathBuf,
    },
    /// The file names contracts that do not belong together.
    #[error("the addresses in {} are not of one deployment: the oracle there works with other contracts; name the right file with --deployment", .0.display())]
    MixedDeployment(PathBuf),
    /// The contract does not speak the interface.
    #[error(
        "a contract answered what its interface does not know ({0}): the deployment is of another version than this program"
    )]
    OtherInterface(String),
    /// A source of seeds that is newer than this program.
    #[error("the draws of this deployment are seeded by {0:?}, which this version does not know; use a newer one")]
    UnknownRandomness(String),
    /// The node knows no newest block.
    #[error("the Ethereum node has no blocks yet; wait until it is in sync")]
    NoBlock,
    /// The node has left out events, which it may list later.
    #[error(
        "the Ethereum node lists no events of a job that the contract knows; try again, or name another with --rpc-url"
    )]
    Unlisted,
    /// The sender cannot pay.
    #[error("{address} has {} and needs {}, gas included; send it the difference and try again", ether(*.balance), ether(*.need))]
    NoFunds {
        /// Whose money is short.
        address: Address,
        /// In wei.
        balance: U256,
        /// In wei.
        need: U256,
    },
    /// The contract says no. Nothing was sent, nothing was spent.
    #[error("{0}")]
    Reverted(Box<Revert>),
    /// The simulation went well and the transaction did not: the chain moved in between.
    #[error("transaction {tx} was mined and reverted: {reason}")]
    RevertedOnChain {
        /// The transaction.
        tx: TxHash,
        /// What a simulation now says.
        reason: String,
    },
    /// It may still be mined.
    #[error("transaction {tx} was sent and not mined within {seconds} s; look for it before sending again")]
    Timeout {
        /// The transaction.
        tx: TxHash,
        /// How long it was waited for.
        seconds: u64,
    },
}

/// What is wrong with a deployment file.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// There is none.
    #[error("there is no deployment file {}: name one with --deployment, or start scripts/devnet", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("the deployment file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a deployment file: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

impl ChainError {
    /// Whether the same may well go through later: nothing was decided on chain.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoRpc(_) | Self::Disconnected(_) | Self::NoBlock | Self::Unlisted | Self::Timeout { .. })
    }

    /// What the contract said, if it was the contract.
    #[must_use]
    pub fn revert(&self) -> Option<&Revert> {
        match self {
            Self::Reverted(revert) => Some(revert),
            _ => None,
        }
    }
}

impl From<TransportError> for ChainError {
    fn from(error: TransportError) -> Self {
        match &error {
            RpcError::ErrorResp(answer) => match answer.as_revert_data() {
                Some(data) => Self::Reverted(Box::new(Revert::decode(&data))),
                None => Self::Refused(answer.message.to_string()),
            },
            RpcError::DeserError { .. } | RpcError::NullResp => {
                Self::Refused("it does not answer as JSON-RPC asks for".to_owned())
            }
            _ => Self::Disconnected(innermost(&error)),
        }
    }
}

impl From<contract::Error> for ChainError {
    fn from(error: contract::Error) -> Self {
        match error {
            contract::Error::TransportError(error) => error.into(),
            contract::Error::PendingTransactionError(error) => error.into(),
            other => Self::OtherInterface(other.to_string()),
        }
    }
}

impl From<PendingTransactionError> for ChainError {
    fn from(error: PendingTransactionError) -> Self {
        match error {
            PendingTransactionError::TransportError(error) => error.into(),
            other => Self::Disconnected(innermost(&other)),
        }
    }
}

/// Whether the wait for a receipt ran out.
pub(super) fn ran_out(error: &PendingTransactionError) -> bool {
    matches!(error, PendingTransactionError::TxWatcher(WatchTxError::Timeout))
}

/// The last cause: the outer ones repeat it, and name the URL with any access key in it.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
