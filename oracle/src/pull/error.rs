//! Why a model could not be pulled.

use std::{error::Error as _, io, path::PathBuf};

use alloy::primitives::B256;

use crate::manifest::ManifestError;

/// Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The manifest or what is there of the model cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest says nothing of where its files are.
    #[error("the manifest of {name} names no source: say which folder has its files with --from")]
    NoSource {
        /// The model's name.
        name: String,
    },
    /// The network is not to be used.
    #[error(
        "offline, and {what} is not in the hub's cache: pull it where there is a network, and copy the model's folder"
    )]
    Offline {
        /// A file, or a repository.
        what: String,
    },
    /// The hub wants its licence accepted by somebody it knows.
    #[error(
        "{repository} is gated: accept its licence at {page}, then say who you are with `hf auth login` or HF_TOKEN \
         (the hub answers {status})"
    )]
    Gated {
        /// `owner/name`.
        repository: String,
        /// Where the licence is.
        page: String,
        /// Of the answer.
        status: u16,
    },
    /// The hub knows no such repository, or not for this user.
    #[error(
        "the hub shows no {what} (it answers {status}): look for a mistake in the name; private ones need HF_TOKEN"
    )]
    Hidden {
        /// A repository, its revision, or a file of it.
        what: String,
        /// Of the answer.
        status: u16,
    },
    /// The server does not give it out.
    #[error("{url} answers {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// Of the answer.
        status: u16,
    },
    /// The server cannot be reached, or ends the connection before anything has come.
    #[error("{url} cannot be reached: {reason}; what has come is kept, so try again")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        reason: String,
    },
    /// An address that is none.
    #[error("{url:?} is not an address of files")]
    Url {
        /// As written.
        url: String,
    },
    /// The hub's answer is not what its interface promises.
    #[error("{url} answers with what is no description of a repository: {reason}")]
    Listing {
        /// What was asked for.
        url: String,
        /// Why.
        reason: String,
    },
    /// Other bytes came.
    #[error("what came for {path} has sha256 {actual}, and {expected} is expected: it was thrown away")]
    WrongHash {
        /// Of the model's.
        path: String,
        /// By the manifest, or by the hub.
        expected: B256,
        /// Of what came.
        actual: B256,
    },
    /// The same, told by the length.
    #[error(
        "what came for {path} has a wrong length, {actual} bytes where {expected} are expected: it was thrown away"
    )]
    WrongSize {
        /// Of the model's.
        path: String,
        /// By the manifest, or by the hub.
        expected: u64,
        /// That came, at least.
        actual: u64,
    },
    /// Two writers would mix their bytes.
    #[error("another `oracle models pull` is writing {}", .0.display())]
    Busy(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing can be fetched at all.
    #[error("cannot start an HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    /// The manifest cannot be written as JSON.
    #[error("cannot write the manifest: {0}")]
    Json(#[from] serde_json::Error),
}

impl PullError {
    pub(super) fn unreachable(url: &reqwest::Url, error: &reqwest::Error) -> Self {
        // The error itself repeats the address; what it comes from says why.
        let mut reason = error.source();
        while let Some(deeper) = reason.and_then(|reason| reason.source()) {
            reason = Some(deeper);
        }
        Self::Unreachable {
            url: url.to_string(),
            reason: reason.map_or_else(|| error.to_string(), ToString::to_string),
        }
    }
}
