//! Why something is not known to be on chain, and whether it may still get there.

use alloy::{network::Ethereum, primitives::B256};
use oracle::chain::ChainError;

use crate::journal::JournalError;

/// Why a call is not known to be on chain. Look at the state before sending it again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Simulated, and not sent; or the operator has no money.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The transaction could not be made.
    #[error("cannot sign a transaction: {0}")]
    Unsigned(#[from] alloy::network::TransactionBuilderError<Ethereum>),
    /// What cannot be remembered is not sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The endpoint does not want it.
    #[error("the Ethereum node refuses the transaction: {0}")]
    Refused(String),
    /// It was mined, and another transaction had changed the state before it.
    #[error("transaction {0} was mined and reverted")]
    RevertedOnChain(B256),
    /// It was sent, and the state has changed since: it would do nothing any more.
    #[error("transaction {hash} would revert by now: {reason}")]
    Overtaken {
        /// The last one sent for it.
        hash: B256,
        /// In the contract's words.
        reason: ChainError,
    },
    /// It was not worth sending any more.
    #[error("its time was over before it could be sent")]
    TooLate,
    /// It was sent, and not mined while it was worth it.
    #[error("transaction {hash} was not mined before its time was over")]
    NotMined {
        /// The last one sent for it.
        hash: B256,
    },
    /// Another call for the same purpose took its place.
    #[error("another call took its place")]
    Replaced,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}

impl SendError {
    /// Whether a transaction that was broadcast may be mined all the same. If not, nothing was sent, or what was sent has
    /// no effect.
    #[must_use]
    pub fn may_be_mined(&self) -> bool {
        matches!(self, Self::Overtaken { .. } | Self::NotMined { .. } | Self::Replaced | Self::Stopped)
    }

    /// Whether the contract says no to the call: most often because somebody else was faster.
    #[must_use]
    pub fn is_revert(&self) -> bool {
        matches!(self, Self::Chain(ChainError::Reverted(_)) | Self::RevertedOnChain(_) | Self::Overtaken { .. })
    }
}
