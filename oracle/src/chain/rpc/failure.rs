//! Failure: why an endpoint is of no use just now. None of these words holds more of its URL than scheme, host and port.

use std::{error::Error, fmt, time::Duration};

use alloy::{
    primitives::ChainId,
    transports::{RpcError, TransportError, TransportErrorKind},
};

/// What an endpoint did instead of answering.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection, or it broke off.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// It answers as an HTTP server, and no more.
    #[error("HTTP status {code}")]
    Status {
        /// Of HTTP.
        code: u16,
        /// How long it asks not to be asked again.
        retry_after: Option<Duration>,
    },
    /// A page for people, half an answer, or an answer to something else.
    #[error("it does not answer as JSON-RPC asks for")]
    Garbled,
    /// Too many requests, or trouble of its own, in its words.
    #[error("it says: {0}")]
    Trouble(String),
    /// Not the chain that it was named for.
    #[error("it is on chain {actual}, not on {expected}")]
    OtherChain {
        /// The deployment's.
        expected: ChainId,
        /// What it says.
        actual: ChainId,
    },
    /// It has not got the newest blocks.
    #[error("it is {blocks} blocks behind")]
    Behind {
        /// By how many.
        blocks: u64,
    },
    /// It knows the receipt of a log that it did not list.
    #[error("it leaves out logs")]
    LeavesOut,
}

/// No endpoint gave an answer.
#[derive(Debug, Clone)]
pub struct Unavailable {
    /// Every endpoint, by scheme, host and port, and why it is of no use.
    pub endpoints: Vec<(String, Failure)>,
}

impl Failure {
    /// Whether it may have been asked for more than it can give at once.
    fn is_of_size(&self) -> bool {
        match self {
            Self::Slow(_) | Self::Garbled => true,
            Self::Status { code, .. } => matches!(code, 400 | 408 | 413 | 422 | 500 | 502 | 504),
            _ => false,
        }
    }
}

impl Unavailable {
    /// What is in `error`, if it is this.
    #[must_use]
    pub fn of(error: &TransportError) -> Option<&Self> {
        let RpcError::Transport(TransportErrorKind::Custom(error)) = error else { return None };
        error.downcast_ref()
    }

    /// The chain that all endpoints are on, if it is not the one they were named for.
    #[must_use]
    pub fn other_chain(&self) -> Option<ChainId> {
        let chain = |failure: &Failure| match failure {
            Failure::OtherChain { actual, .. } => Some(*actual),
            _ => None,
        };
        let mut chains = self.endpoints.iter().map(|(_, failure)| chain(failure));
        let first = chains.next()??;
        chains.all(|chain| chain.is_some()).then_some(first)
    }
}

/// Whether asking for the logs of fewer blocks may help: a refusal, in whatever words and code, or an answer that did not
/// come through. Infura limits the results and the time, others the range or the size of the answer, and they say so with
/// codes -32000, -32005, -32602, -32614 and with HTTP's 400, 413 and 504.
#[must_use]
pub fn asks_for_less(error: &TransportError) -> bool {
    match error {
        RpcError::ErrorResp(_) => true,
        _ => Unavailable::of(error).is_some_and(|all| all.endpoints.iter().any(|(_, failure)| failure.is_of_size())),
    }
}

impl From<Unavailable> for TransportError {
    fn from(unavailable: Unavailable) -> Self {
        TransportErrorKind::custom(unavailable)
    }
}

impl Error for Unavailable {}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (host, failure)) in self.endpoints.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{host} ({failure})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn unavailable(failures: &[Failure]) -> Unavailable {
        let hosts = failures.iter().zip(1..);
        Unavailable { endpoints: hosts.map(|(failure, n)| (format!("http://host{n}"), failure.clone())).collect() }
    }

    #[test]
    fn every_host_is_named_with_its_reason() {
        let status = Failure::Status { code: 429, retry_after: None };
        let error = TransportError::from(unavailable(&[Failure::Connection("refused".to_owned()), status]));
        assert_eq!(error.to_string(), "http://host1 (refused), http://host2 (HTTP status 429)");
    }

    #[test]
    fn a_wrong_chain_is_one_that_all_are_on() {
        let other = Failure::OtherChain { expected: 1, actual: 5 };
        assert_eq!(unavailable(&[other.clone(), other.clone()]).other_chain(), Some(5));
        assert_eq!(unavailable(&[other, Failure::Garbled]).other_chain(), None);
    }

    #[test]
    fn a_slow_answer_may_have_been_too_long_and_a_refused_connection_was_not() {
        assert!(asks_for_less(&unavailable(&[Failure::Slow(Duration::from_secs(1))]).into()));
        assert!(asks_for_less(&unavailable(&[Failure::Status { code: 413, retry_after: None }]).into()));
        assert!(!asks_for_less(&unavailable(&[Failure::Connection("refused".to_owned())]).into()));
        assert!(!asks_for_less(&unavailable(&[Failure::Status { code: 429, retry_after: None }]).into()));
        let refusal = r#"{"code":-32602,"message":"range 1000000 exceeds limit of 10000"}"#;
        assert!(asks_for_less(&RpcError::ErrorResp(serde_json::from_str(refusal).unwrap())));
    }
}
