//! The fleet: one node that signs, and any number of machines that compute for it. They meet in a queue in Postgres.
//!
//! A node places an order and looks whether it is done; a worker leases the order with the earliest deadline, says every
//! second that it is at it, and puts what it made beside it. An order whose worker falls silent is leased to the next.
//! Workers hold no key and are believed nothing about the vote: the node reads the file and makes the digest itself.

pub mod queue;
pub mod worker;

use std::time::Duration;

use alloy::primitives::B256;
use tokio::{runtime::Handle, sync::watch, time::interval};
use tracing::{info, warn};

use self::queue::{Order, Queue, State};
use crate::{
    inference::{Asked, InferenceError, Made, Memory},
    journal::Owner,
    output::File,
};

/// How often a node looks for what it has ordered, and an idle worker for work: far below what inference takes.
const GLANCE: Duration = Duration::from_millis(200);

/// How often all say that they are there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A node's way to the workers that serve its models.
#[derive(Debug, Clone)]
pub struct Fleet {
    queue: Queue,
    node: String,
    /// The manifests' hashes: all that a worker knows of a model.
    models: Vec<B256>,
    hands: watch::Receiver<Vec<Memory>>,
}

impl Fleet {
    /// Joins the queue for the node of `owner`.
    pub fn join(queue: Queue, owner: &Owner, models: Vec<B256>) -> Self {
        let (counted, hands) = watch::channel(Vec::new());
        let fleet = Self { queue, node: owner.name(), models, hands };
        tokio::spawn(count(fleet.clone(), counted));
        fleet
    }

    /// Which workers there are for this node, by the models that each has in its memory: all, or its part of them if other
    /// nodes share them.
    #[must_use]
    pub fn hands(&self) -> watch::Receiver<Vec<Memory>> {
        self.hands.clone()
    }

    /// The models that no worker has, of those that this node asks for.
    #[must_use]
    pub fn missing(&self) -> Vec<B256> {
        let hands = self.hands.borrow();
        let has = |model: &B256| hands.iter().any(|memory| memory.has(*model));
        self.models.iter().copied().filter(|model| !has(model)).collect()
    }

    /// Waits for a worker to make it. Dropping the future takes the order back.
    pub async fn generate(&self, asked: Asked) -> Result<Made, InferenceError> {
        let order = Order::new(&self.node, asked);
        let _taken_back = TakenBack { queue: self.queue.clone(), id: order.id };
        let mut glances = interval(GLANCE);
        let mut complained = false;
        loop {
            glances.tick().await;
            match self.queue.ask(&order).await {
                Ok(State::Open) => complained = false,
                Ok(State::Made { format, bytes, took }) => {
                    let output =
                        File::read(format, &bytes).map_err(|error| InferenceError::Worker(error.to_string()))?;
                    return Ok(Made { output, took, loading: Duration::ZERO });
                }
                Ok(State::Failed(reason)) => return Err(InferenceError::Worker(reason)),
                // It may come back in time.
                Err(error) if !complained => {
                    warn!(job = order.job, %error, "the workers' queue is out of reach; trying on");
                    complained = true;
                }
                Err(_) => {}
            }
        }
    }
}

/// An order that is not waited for any more is no work for anybody.
struct TakenBack {
    queue: Queue,
    id: B256,
}

impl Drop for TakenBack {
    fn drop(&mut self) {
        let (queue, id) = (self.queue.clone(), self.id);
        // If this fails, workers see that nobody has asked for it lately.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { queue.take_back(id).await });
        }
    }
}

/// Says that the node is there, and counts the workers, until nobody is interested.
async fn count(fleet: Fleet, counted: watch::Sender<Vec<Memory>>) {
    let mut beats = interval(HEARTBEAT);
    let Fleet { queue, node, models, hands } = fleet;
    drop(hands);
    let mut before = None;
    loop {
        tokio::select! {
            _ = beats.tick() => {}
            () = counted.closed() => return,
        }
        let found = queue.hands(&node, &models).await;
        let hands: Vec<_> = found.iter().flatten().cloned().map(Memory::with_all).collect();
        if before.as_ref() == Some(&hands) {
            continue;
        }
        counted.send_replace(hands.clone());
        match found {
            Ok(_) => {
                info!(count = hands.len(), "workers");
                for model in models.iter().filter(|model| !hands.iter().any(|memory| memory.has(**model))) {
                    warn!(%model, "no worker serves the model: start one with `prover-node worker`");
                }
            }
            Err(error) => warn!(%error, "no worker can be reached"),
        }
        before = Some(hands);
    }
}
