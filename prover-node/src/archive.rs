//! The archive: the events of the jobs that the node sees to, fetched once at each new block for all of them, so that a
//! look at a job costs no request, however many jobs are open.
//!
//! It is a copy of the chain in memory. A reorganisation is found by the hash of the last block, and empties it.

use std::collections::HashMap;

use alloy::{primitives::B256, providers::Provider};
use oracle::{
    chain::{Chain, ChainError, ChainTime, History, IGenerationOracle::Windows, JobEvent, Request},
    finality::Finality,
};
use tokio::sync::{Mutex, MutexGuard, watch};

/// Jobs whose events are asked for at once.
const MOST_JOBS: usize = 256;

/// Blocks after which a job that nobody looks at is dropped.
const FORGOTTEN: u64 = 64;

/// The events of one deployment's jobs.
pub struct Archive {
    chain: Chain,
    heads: watch::Receiver<ChainTime>,
    finality: Finality,
    copy: Mutex<Copy>,
}

/// What is known.
#[derive(Default)]
struct Copy {
    /// The newest block that was seen.
    newest: Option<ChainTime>,
    /// Number and hash of the block up to which, itself included, everything is here.
    head: Option<(u64, B256)>,
    /// The newest block that counts, once somebody asked.
    counting: Option<ChainTime>,
    jobs: HashMap<B256, Entry>,
}

struct Entry {
    events: Vec<JobEvent>,
    /// The block at which it was looked at last.
    used: u64,
}

impl Archive {
    /// An empty one of a chain whose newest block `heads` knows.
    #[must_use]
    pub fn new(chain: Chain, heads: watch::Receiver<ChainTime>, finality: Finality) -> Self {
        Self { chain, heads, finality, copy: Mutex::default() }
    }

    /// The deployment's.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.chain.windows
    }

    /// The newest block that counts.
    pub async fn counting(&self) -> Result<ChainTime, ChainError> {
        let mut copy = self.up_to_date().await?;
        if let Some(counting) = copy.counting {
            return Ok(counting);
        }
        let newest = copy.newest.map_or(0, |newest| newest.block);
        let counting = self.chain.time_at(self.finality.tag(newest)).await?;
        copy.counting = Some(counting);
        Ok(counting)
    }

    /// Fetches the events of jobs that will be looked at, many at once.
    pub async fn open(&self, requests: &[Request]) -> Result<(), ChainError> {
        let mut copy = self.up_to_date().await?;
        let unknown: Vec<_> = requests.iter().filter(|request| !copy.jobs.contains_key(&request.id)).collect();
        for requests in unknown.chunks(MOST_JOBS) {
            self.fetch(&mut copy, requests).await?;
        }
        Ok(())
    }

    /// What became of a job up to and including `block`.
    pub async fn history_at(&self, request: &Request, block: u64) -> Result<History, ChainError> {
        let mut copy = self.up_to_date().await?;
        let head = copy.head.map_or(block, |(head, _)| head);
        if !copy.jobs.contains_key(&request.id) {
            self.fetch(&mut copy, &[request]).await?;
        }
        let Some(entry) = copy.jobs.get_mut(&request.id) else { return Ok(History::default()) };
        entry.used = head;
        Ok(History::of(entry.events.iter().take_while(|event| event.block <= block)))
    }

    async fn up_to_date(&self) -> Result<MutexGuard<'_, Copy>, ChainError> {
        let mut copy = self.copy.lock().await;
        let newest = *self.heads.borrow();
        if copy.newest != Some(newest) {
            self.catch_up(&mut copy, newest).await?;
        }
        Ok(copy)
    }

    async fn fetch(&self, copy: &mut Copy, requests: &[&Request]) -> Result<(), ChainError> {
        let (Some((head, _)), Some(from)) = (copy.head, requests.iter().map(|request| request.block).min()) else {
            return Ok(());
        };
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        let events = self.chain.job_events(&ids, from, head).await?;
        // Only now that all of them are here.
        let mut entries: HashMap<_, _> = ids.iter().map(|id| (*id, Entry { events: Vec::new(), used: head })).collect();
        for (job, event) in events {
            if let Some(entry) = entries.get_mut(&job) {
                entry.events.push(event);
            }
        }
        copy.jobs.extend(entries);
        Ok(())
    }

    async fn catch_up(&self, copy: &mut Copy, newest: ChainTime) -> Result<(), ChainError> {
        let to = newest.block;
        if let Some((number, hash)) = copy.head
            && (number > to || self.hash_of(number).await? != Some(hash))
        {
            *copy = Copy::default();
        }
        // Hash first, events second, as the follower does it: if the chain moves in between, the next block shows it.
        let hash = self.hash_of(to).await?.ok_or(ChainError::NoBlock)?;
        if let Some((number, _)) = copy.head
            && !copy.jobs.is_empty()
        {
            for (job, event) in self.chain.job_events(&[], number + 1, to).await? {
                if let Some(entry) = copy.jobs.get_mut(&job) {
                    entry.events.push(event);
                }
            }
        }
        (copy.newest, copy.head, copy.counting) = (Some(newest), Some((to, hash)), None);
        copy.jobs.retain(|_, entry| entry.used + FORGOTTEN > to);
        Ok(())
    }

    async fn hash_of(&self, number: u64) -> Result<Option<B256>, ChainError> {
        Ok(self.chain.provider.get_block_by_number(number.into()).await?.map(|block| block.header.hash))
    }
}
