//! What can go wrong in the node, by what follows from it.

use std::{io, net::SocketAddr, time::Duration};

use alloy::primitives::B256;
use oracle::{
    chain::{ChainError, JobLookupError, ProofError},
    follower::FollowError,
};

use crate::{
    budget::{Cover, Prospect},
    data_dir::DataDirError,
    inference::InferenceError,
    journal::{Ending, JournalError, Location},
    output::{EncodingError, StoreError},
    wallet::SendError,
};

/// What a failed step means for the job it belongs to. What is neither [`Self::Unable`] nor [`Self::Over`] decided
/// nothing: the job is looked at again at the next block.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// No answer, or no room on disk.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The transaction is not known to be on chain.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Nothing can be remembered just now.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The seed cannot be had, or not be proved.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The chain cannot be followed just now.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A reorganisation drew other seats, or none yet. It may still come back.
    #[error("the chain has another draw for this round")]
    OtherDraw,
    /// The request is not part of the chain.
    #[error(transparent)]
    Lookup(#[from] JobLookupError),
    /// A reorganisation threw out what others had sent.
    #[error("a reorganisation moved the job back to its commit window")]
    MovedBack,
    /// A reorganisation threw out what we had sent.
    #[error("seat {0}'s vote fell out of the chain")]
    VoteLost(u32),
    /// The events that are listed say another thing than the contract.
    #[error("the Ethereum node has not listed all events of this job")]
    LeftOut,
    /// The rest can be left to others.
    #[error("the node is stopping")]
    Stopping,
    /// This node cannot make it: its seats decline.
    #[error(transparent)]
    Unable(#[from] Unable),
    /// There is nothing left to do.
    #[error("the job is over for this node: {0}")]
    Over(Ending),
}

/// Why seats decline.
#[derive(Debug, thiserror::Error)]
pub enum Unable {
    /// It would be late.
    #[error("with what comes before it, it takes {needed:.1?} here if all goes well, and {left} s are left to commit")]
    NoTime {
        /// As measured on this machine.
        needed: Duration,
        /// In seconds of the chain.
        left: u64,
    },
    /// It is late: the machine was busier than ever, or no worker had time.
    #[error("it was not made in time to commit to it")]
    TooSlow,
    /// It was, when its job came.
    #[error("the model {0} is not served any more: name its folder with --model-dir again")]
    NotServed(B256),
    /// The model failed.
    #[error("it could not be made: {0}")]
    Inference(#[from] InferenceError),
    /// It cannot be written down.
    #[error("it could not be encoded: {0}")]
    Encoding(#[from] EncodingError),
    /// What cannot be served must not be committed to.
    #[error("the output could not be stored: {0}")]
    Store(#[source] StoreError),
    /// What cannot be remembered must not be committed to.
    #[error("the opening could not be stored: {0}")]
    Seal(#[source] JournalError),
    /// Its transactions cost more than it brings.
    #[error("it does not pay: {0}; --min-profit says what does")]
    NotWorthIt(Prospect),
    /// What is committed must be opened.
    #[error("there is too little money for gas: {0}; send it some ETH")]
    NoReserve(Cover),
}

/// Why the node does not run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Somebody else's, or not to be written.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Somebody else's, or not to be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The outputs' place cannot be had.
    #[error(transparent)]
    Outputs(#[from] StoreError),
    /// No address to serve at.
    #[error("cannot listen on {address}: {source}; choose another address with {flag}")]
    Listen {
        /// As typed.
        address: SocketAddr,
        /// With which another is chosen.
        flag: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Two nodes with one key would race for nonces and seats.
    #[error(
        "another node with this key writes the journal {0} now, and this one can do nothing any more: run one of them only"
    )]
    Taken(Location),
    /// The model's thread could not be started.
    #[error("cannot start the model's thread: {0}")]
    Thread(#[source] io::Error),
    /// Not even a first picture.
    #[error("the model does not work here: {0}")]
    Model(#[from] InferenceError),
    /// Told to.
    #[error("stopped at once, with {open} jobs open: start the node again before their reveal windows close")]
    Interrupted {
        /// Jobs with something left to do.
        open: usize,
    },
}
