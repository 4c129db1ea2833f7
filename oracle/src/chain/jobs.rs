//! Jobs as they were requested, found by their ids.

use std::collections::HashMap;

use alloy::{
    primitives::{Address, B256},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::{SolEvent, SolEventInterface},
};

use super::{
    Chain, ChainError,
    IGenerationOracle::{self, ImageRequested, TextRequested},
    IVerifierStakes::EndpointAnnounced,
    ids::IdPrefix,
};
use crate::{follower::OracleEvent, spec::Spec};

/// A job as it was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The job's id.
    pub id: B256,
    /// Everything that was fixed at the request; each call hands it back.
    pub job: IGenerationOracle::Job,
    /// What is to be made.
    pub spec: Spec,
    /// The block it is in.
    pub block: u64,
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

impl Chain {
    /// The one job whose id begins so.
    pub async fn find_job(&self, wanted: &IdPrefix) -> Result<Request, JobLookupError> {
        let requests = vec![ImageRequested::SIGNATURE_HASH, TextRequested::SIGNATURE_HASH];
        let filter = Filter::new().address(self.deployment.generation_oracle).event_signature(requests);
        let mut logs = match wanted.whole() {
            Some(id) => self.newest_logs(filter.topic1(id)).await?,
            None => self.logs(filter, self.deployment.block).await?,
        };
        logs.retain(|log| log.topics().get(1).is_some_and(|id| wanted.matches(*id)));
        match logs.as_slice() {
            [log] => {
                Request::read(log).ok_or_else(|| ChainError::OtherInterface("unreadable request".to_owned()).into())
            }
            [] => Err(JobLookupError::Unknown(wanted.clone())),
            several => Err(JobLookupError::Ambiguous { wanted: wanted.clone(), count: several.len() }),
        }
    }

    /// Where operators serve their outputs, as they announced it last. What an operator announces is any text.
    pub async fn endpoints(&self, operators: &[Address]) -> Result<HashMap<Address, String>, ChainError> {
        let topics: Vec<_> = operators.iter().map(|operator| operator.into_word()).collect();
        if topics.is_empty() {
            return Ok(HashMap::new());
        }
        let filter = Filter::new()
            .address(self.deployment.generation_oracle)
            .event_signature(EndpointAnnounced::SIGNATURE_HASH)
            .topic1(topics);
        let logs = self.logs(filter, self.deployment.block).await?;
        let announced = logs.iter().map(decode::<EndpointAnnounced>);
        announced.map(|event| event.map(|event| (event.operator, event.url))).collect()
    }

    /// The logs from a block to the newest one, asked for in pieces.
    pub(super) async fn logs(&self, filter: Filter, from: u64) -> Result<Vec<Log>, ChainError> {
        let newest = self.provider.get_block_number().await?;
        self.logs_between(filter, from, newest).await
    }

    /// The logs from one block to another, both included, asked for in pieces.
    pub(super) async fn logs_between(&self, filter: Filter, from: u64, to: u64) -> Result<Vec<Log>, ChainError> {
        let mut logs = Vec::new();
        let mut from = from;
        while from <= to {
            let end = to.min(from + self.span.width() - 1);
            let blocks = end - from + 1;
            match self.provider.get_logs(&filter.clone().from_block(from).to_block(end)).await {
                Ok(more) => {
                    self.span.served(blocks);
                    logs.extend(more);
                    from = end + 1;
                }
                Err(error) if self.span.refused(blocks, &error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(logs)
    }

    /// The logs of the newest piece that has any: what is asked about is seldom old.
    async fn newest_logs(&self, filter: Filter) -> Result<Vec<Log>, ChainError> {
        let mut to = self.provider.get_block_number().await?;
        loop {
            let from = to.saturating_sub(self.span.width() - 1).max(self.deployment.block);
            let logs = self.logs_between(filter.clone(), from, to).await?;
            if !logs.is_empty() || from <= self.deployment.block {
                return Ok(logs);
            }
            to = from - 1;
        }
    }
}

impl Request {
    /// If the log is a request.
    #[must_use]
    pub fn read(log: &Log) -> Option<Self> {
        let event = OracleEvent::decode_raw_log(log.topics(), &log.data().data).ok()?;
        Self::of(&event, log.block_number.unwrap_or_default())
    }

    /// If the event of block `block` is a request.
    #[must_use]
    pub fn of(event: &OracleEvent, block: u64) -> Option<Self> {
        let (id, job, spec) = match event {
            OracleEvent::ImageRequested(event) => (event.jobId, &event.job, Spec::Image((&event.spec).into())),
            OracleEvent::TextRequested(event) => (event.jobId, &event.job, Spec::Text((&event.spec).into())),
            _ => return None,
        };
        Some(Self { id, job: job.clone(), spec, block })
    }
}

pub(super) fn decode<E: SolEvent>(log: &Log) -> Result<E, ChainError> {
    log.log_decode_validate::<E>()
        .map(|decoded| decoded.inner.data)
        .map_err(|error| ChainError::OtherInterface(error.to_string()))
}
