//! The archive: the events of the jobs that the node sees to, fetched once at each new block for all of them, so that a
//! look at a job costs no request, however many jobs are open.
//!
//! It is a copy of the chain in memory. A reorganisation is found by the hash of the last block, and empties it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use alloy::{primitives::B256, providers::Provider};
use oracle::{
    chain::{Chain, ChainError, ChainTime, History, IGenerationOracle::Windows, JobEvent, Request},
    finality::Finality,
    follower::second_look,
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
    known: Mutex<Known>,
    /// Reorganisations that were found.
    forks: AtomicU64,
}

/// What is known.
#[derive(Default)]
struct Known {
    /// The newest block that was seen.
    newest: Option<ChainTime>,
    /// The block up to which, itself included, everything is here.
    head: Option<Block>,
    /// Of the newest blocks of which it is known: in seconds since the epoch, by number.
    times: BTreeMap<u64, u64>,
    /// The newest block that counts, and the newest block of all by which it does.
    counting: Option<(ChainTime, ChainTime)>,
    jobs: HashMap<B256, Entry>,
}

#[derive(Clone, Copy, PartialEq)]
struct Block {
    number: u64,
    hash: B256,
    parent: B256,
    time: u64,
}

struct Entry {
    events: Vec<JobEvent>,
    /// The block at which it was looked at last.
    used: u64,
}

impl Entry {
    /// Each event once, in the chain's order.
    fn add(&mut self, event: JobEvent) {
        let place = |event: &JobEvent| (event.block, event.index);
        if let Err(at) = self.events.binary_search_by_key(&place(&event), place) {
            self.events.insert(at, event);
        }
    }
}

impl Archive {
    /// An empty one of a chain whose newest block `heads` knows.
    #[must_use]
    pub fn new(chain: Chain, heads: watch::Receiver<ChainTime>, finality: Finality) -> Self {
        Self { chain, heads, finality, known: Mutex::default(), forks: AtomicU64::new(0) }
    }

    /// The deployment's.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.chain.windows
    }

    /// Another number after every reorganisation that a look has found.
    pub fn fork(&self) -> u64 {
        self.forks.load(Ordering::Relaxed)
    }

    /// The newest block that counts.
    pub async fn counting(&self) -> Result<ChainTime, ChainError> {
        let mut known = self.known.lock().await;
        let newest = *self.heads.borrow();
        if let Some((counting, by)) = known.counting
            && by == newest
        {
            return Ok(counting);
        }
        let tag = self.finality.tag(newest.block);
        let remembered = tag.as_number().and_then(|block| Some(ChainTime { block, time: *known.times.get(&block)? }));
        let counting = match remembered {
            Some(counting) => counting,
            None => self.chain.time_at(tag).await?,
        };
        known.counting = Some((counting, newest));
        Ok(counting)
    }

    /// Fetches the events of jobs that will be looked at, many at once.
    pub async fn open(&self, requests: &[Request]) -> Result<(), ChainError> {
        // Not in the call: a borrow that is held while it waits keeps the next head out, and the whole runtime with it.
        let newest = self.heads.borrow().block;
        let mut known = self.up_to_date(newest).await?;
        let unknown: Vec<_> = requests.iter().filter(|request| !known.jobs.contains_key(&request.id)).collect();
        for requests in unknown.chunks(MOST_JOBS) {
            self.fetch(&mut known, requests).await?;
        }
        Ok(())
    }

    /// Fetches the events of a job anew at the next look: some may have been left out.
    pub async fn forget(&self, job: B256) {
        self.known.lock().await.jobs.remove(&job);
    }

    /// What became of a job up to and including `block`.
    pub async fn history_at(&self, request: &Request, block: u64) -> Result<History, ChainError> {
        let mut known = self.up_to_date(block).await?;
        let head = known.head.map_or(block, |head| head.number);
        if !known.jobs.contains_key(&request.id) {
            self.fetch(&mut known, &[request]).await?;
        }
        let Some(entry) = known.jobs.get_mut(&request.id) else { return Ok(History::default()) };
        entry.used = head;
        Ok(History::of(entry.events.iter().take_while(|event| event.block <= block), &self.chain.randomness))
    }

    /// Holds everything up to `block`; and if that is the newest one, it has been looked whether the older ones still stand.
    async fn up_to_date(&self, block: u64) -> Result<MutexGuard<'_, Known>, ChainError> {
        let mut known = self.known.lock().await;
        let newest = *self.heads.borrow();
        let is_here = known.head.is_some_and(|head| block <= head.number);
        let is_news = block >= newest.block && known.newest != Some(newest);
        if !is_here || is_news {
            self.catch_up(&mut known, newest).await?;
        }
        Ok(known)
    }

    async fn fetch(&self, known: &mut Known, requests: &[&Request]) -> Result<(), ChainError> {
        let (Some(Block { number: head, .. }), Some(from)) =
            (known.head, requests.iter().map(|request| request.block).min())
        else {
            return Ok(());
        };
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        let events = self.chain.job_events(&ids, from, head).await?;
        // Only now that all of them are here.
        let mut entries: HashMap<_, _> = ids.iter().map(|id| (*id, Entry { events: Vec::new(), used: head })).collect();
        for (job, event) in events {
            if let Some(entry) = entries.get_mut(&job) {
                entry.add(event);
            }
        }
        known.jobs.extend(entries);
        Ok(())
    }

    async fn catch_up(&self, known: &mut Known, newest: ChainTime) -> Result<(), ChainError> {
        // Its hash first, the events second, as the follower does it: if the chain moves in between, the next block shows
        // it.
        let next = self.block(newest.block).await?.ok_or(ChainError::NoBlock)?;
        if let Some(head) = known.head
            && !self.follows(next, head).await?
        {
            *known = Known::default();
            self.forks.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(head) = known.head
            && !known.jobs.is_empty()
            && head.number < next.number
        {
            let mut events = self.chain.job_events(&[], head.number + 1, next.number).await?;
            // An endpoint may have left some out.
            if let Some((from, to)) = second_look(head.number, next.number) {
                events.extend(self.chain.job_events(&[], from, to).await?);
            }
            for (job, event) in events {
                if let Some(entry) = known.jobs.get_mut(&job) {
                    entry.add(event);
                }
            }
        }
        (known.newest, known.head) = (Some(newest), Some(next));
        known.times.insert(next.number, next.time);
        known.times.retain(|number, _| number + FORGOTTEN > next.number);
        known.jobs.retain(|_, entry| entry.used + FORGOTTEN > next.number);
        Ok(())
    }

    /// Whether `head` is an ancestor of `next`, or the same.
    async fn follows(&self, next: Block, head: Block) -> Result<bool, ChainError> {
        if next.number == head.number + 1 {
            return Ok(next.parent == head.hash);
        }
        Ok(next == head || (next.number > head.number && self.block(head.number).await? == Some(head)))
    }

    async fn block(&self, number: u64) -> Result<Option<Block>, ChainError> {
        let block = self.chain.provider.get_block_by_number(number.into()).await?;
        Ok(block.map(|block| Block {
            number: block.header.number,
            hash: block.header.hash,
            parent: block.header.parent_hash,
            time: block.header.timestamp,
        }))
    }
}
