//! Jobs as the chain's events tell them.

use std::{collections::HashMap, fmt, str::FromStr};

use alloy::{
    primitives::{Address, B256, U256, hex},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};

use super::{
    Chain, ChainError,
    IGenerationOracle::{Outcome, Paid, Refunded, Requested, Revealed, Settled, Terms},
    IVerifierStakes::{EndpointAnnounced, Slashed},
};
use crate::{digest::Digest, spec::ImageSpec};

/// Blocks asked for at a time: what public nodes allow.
const LOG_SPAN: u64 = 10_000;
/// Fewest hex digits that name something.
const MIN_PREFIX_DIGITS: usize = 4;

/// The beginning of an id, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPrefix(String);

/// Text that is no beginning of an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 0x and 64 hex digits; at least {MIN_PREFIX_DIGITS} of them are needed, and {0:?} is something else")]
pub struct MalformedId(String);

/// A job as it was requested.
#[derive(Debug, Clone)]
pub struct Request {
    /// The job's id.
    pub id: B256,
    /// Who paid.
    pub requester: Address,
    /// Which model is to make it.
    pub model: B256,
    /// What is to be made.
    pub spec: ImageSpec,
    /// How it is to be decided.
    pub terms: Terms,
    /// The block it is in.
    pub block: u64,
}

/// What became of a job so far: its own events, in order.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The opened commitments.
    pub reveals: Vec<Reveal>,
    /// The end, if it has come by a tally.
    pub verdict: Option<SettledVerdict>,
    /// Seat, its owner, and wei.
    pub paid: Vec<(u32, Address, U256)>,
    /// Seat, and wei burned: of bonds and for being absent.
    pub slashed: Vec<(u32, U256)>,
    /// Wei that went back to the requester.
    pub refunded: U256,
}

/// One opened commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reveal {
    /// The seat's number in its model's pool.
    pub seat: u32,
    /// What it got.
    pub digest: Digest,
    /// sha256 of the file that its operator serves.
    pub content_hash: B256,
}

/// How a tally ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledVerdict {
    /// Accepted or unresolved.
    pub outcome: Outcome,
    /// The winner's; zero if unresolved.
    pub digest: Digest,
    /// The seats whose digests the winner accepts.
    pub supporters: Vec<u32>,
}

/// Why a job was not found.
#[derive(Debug, thiserror::Error)]
pub enum JobLookupError {
    /// The chain could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is none.
    #[error("there is no job {0} on this chain; `oracle submit` prints a job's id")]
    Unknown(IdPrefix),
    /// There are several.
    #[error("{count} jobs begin with {wanted}: give more of the id")]
    Ambiguous {
        /// As typed.
        wanted: IdPrefix,
        /// How many fit.
        count: usize,
    },
}

impl IdPrefix {
    /// Whether `id` begins so.
    #[must_use]
    pub fn matches(&self, id: B256) -> bool {
        hex::encode(id).starts_with(&self.0)
    }

    /// The id, if all of it is there.
    #[must_use]
    pub fn whole(&self) -> Option<B256> {
        self.0.parse().ok()
    }
}

impl From<B256> for IdPrefix {
    fn from(id: B256) -> Self {
        Self(hex::encode(id))
    }
}

impl FromStr for IdPrefix {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
        let fits = (MIN_PREFIX_DIGITS..=64).contains(&digits.len());
        if !fits || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(MalformedId(text.to_owned()));
        }
        Ok(Self(digits))
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", self.0)
    }
}

impl Chain {
    /// The one job whose id begins so.
    pub async fn find_job(&self, wanted: &IdPrefix) -> Result<Request, JobLookupError> {
        let filter =
            Filter::new().address(self.deployment.generation_oracle).event_signature(Requested::SIGNATURE_HASH);
        let mut logs = match wanted.whole() {
            Some(id) => self.request_logs(filter, id).await?,
            None => self.logs(filter, self.deployment.block).await?,
        };
        logs.retain(|log| log.topics().get(1).is_some_and(|id| wanted.matches(*id)));
        match logs.as_slice() {
            [log] => Ok(Request::read(log)?),
            [] => Err(JobLookupError::Unknown(wanted.clone())),
            several => Err(JobLookupError::Ambiguous { wanted: wanted.clone(), count: several.len() }),
        }
    }

    /// What became of a job so far.
    pub async fn history(&self, request: &Request) -> Result<History, ChainError> {
        let filter = Filter::new()
            .address(vec![self.deployment.generation_oracle, self.deployment.verifier_stakes])
            .topic1(request.id);
        let logs = self.logs(filter, request.block).await?;
        logs.iter().try_fold(History::default(), History::then)
    }

    /// Where operators serve their outputs, as they announced it last. What an operator announces is any text.
    pub async fn endpoints(&self, operators: &[Address]) -> Result<HashMap<Address, String>, ChainError> {
        let topics: Vec<_> = operators.iter().map(|operator| operator.into_word()).collect();
        if topics.is_empty() {
            return Ok(HashMap::new());
        }
        let filter = Filter::new()
            .address(self.deployment.verifier_stakes)
            .event_signature(EndpointAnnounced::SIGNATURE_HASH)
            .topic1(topics);
        let logs = self.logs(filter, self.deployment.block).await?;
        let announced = logs.iter().map(decode::<EndpointAnnounced>);
        announced.map(|event| event.map(|event| (event.operator, event.url))).collect()
    }

    /// The logs from a block to the newest one, asked for in pieces.
    pub(super) async fn logs(&self, filter: Filter, from: u64) -> Result<Vec<Log>, ChainError> {
        let newest = self.provider.get_block_number().await?;
        let mut logs = Vec::new();
        let mut from = from;
        while from <= newest {
            let to = newest.min(from + LOG_SPAN - 1);
            logs.extend(self.provider.get_logs(&filter.clone().from_block(from).to_block(to)).await?);
            from = to + 1;
        }
        Ok(logs)
    }

    /// The contract knows in which block a job was requested.
    async fn request_logs(&self, filter: Filter, id: B256) -> Result<Vec<Log>, ChainError> {
        let block = self.oracle().job(id).call().await?.requestBlock;
        Ok(self.provider.get_logs(&filter.topic1(id).from_block(block).to_block(block)).await?)
    }
}

impl Request {
    /// Reads a `Requested` event.
    pub fn read(log: &Log) -> Result<Self, ChainError> {
        let event: Requested = decode(log)?;
        Ok(Self {
            id: event.jobId,
            requester: event.requester,
            model: event.modelId,
            spec: (&event.spec).into(),
            terms: event.terms,
            block: log.block_number.unwrap_or_default(),
        })
    }
}

impl History {
    fn then(mut self, log: &Log) -> Result<Self, ChainError> {
        match log.topic0().copied().unwrap_or_default() {
            Revealed::SIGNATURE_HASH => {
                let event: Revealed = decode(log)?;
                let (digest, content_hash) = (event.digest.into(), event.contentHash);
                self.reveals.push(Reveal { seat: event.seat, digest, content_hash });
            }
            Settled::SIGNATURE_HASH => {
                let event: Settled = decode(log)?;
                let (digest, supporters) = (event.digest.into(), event.supporters);
                self.verdict = Some(SettledVerdict { outcome: event.outcome, digest, supporters });
            }
            Paid::SIGNATURE_HASH => {
                let event: Paid = decode(log)?;
                self.paid.push((event.seat, event.owner, event.amount));
            }
            Slashed::SIGNATURE_HASH => {
                let event: Slashed = decode(log)?;
                self.slashed.push((event.seat, event.amount));
            }
            Refunded::SIGNATURE_HASH => self.refunded += decode::<Refunded>(log)?.amount,
            _ => {}
        }
        Ok(self)
    }
}

pub(super) fn decode<E: SolEvent>(log: &Log) -> Result<E, ChainError> {
    log.log_decode_validate::<E>()
        .map(|decoded| decoded.inner.data)
        .map_err(|error| ChainError::OtherInterface(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_named_by_at_least_four_of_its_digits() {
        let id = B256::repeat_byte(0xab);
        let prefix = |text: &str| text.parse::<IdPrefix>();

        assert!(prefix("0xABab").unwrap().matches(id));
        assert!(prefix("abab").unwrap().matches(id));
        assert!(!prefix("0xabac").unwrap().matches(id));
        assert_eq!(prefix(&id.to_string()).unwrap().whole(), Some(id));
        assert_eq!(prefix("0xabab").unwrap().whole(), None);
        for malformed in ["", "0x", "0xabc", "abc", "0xghij", "0xab cd", &format!("{id}0")] {
            assert!(prefix(malformed).is_err(), "{malformed}");
        }
    }
}
