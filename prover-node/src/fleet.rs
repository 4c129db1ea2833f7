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
    inference::{Asked, InferenceError, Made},
    journal::Owner,
    output::File,
};

/// How often a node looks for what it has ordered, and an idle worker for work: far below what inference takes.
const GLANCE: Duration = Duration::from_millis(200);

/// How often all say that they are there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A node's way to the workers that serve its model.
#[derive(Debug, Clone)]
pub struct Fleet {
    queue: Queue,
    node: String,
    /// The manifest's hash: all that a worker knows of a model.
    model: B256,
    hands: watch::Receiver<usize>,
}

impl Fleet {
    /// Joins the queue for the node of `owner`.
    pub fn join(queue: Queue, owner: &Owner, model: B256) -> Self {
        let (counted, hands) = watch::channel(0);
        let fleet = Self { queue, node: owner.name(), model, hands };
        tokio::spawn(count(fleet.clone(), counted));
        fleet
    }

    /// How many workers there are for this node: all, or its part of them if other nodes share them.
    #[must_use]
    pub fn hands(&self) -> watch::Receiver<usize> {
        self.hands.clone()
    }

    /// Waits for a worker to make it. Dropping the future takes the order back.
    pub async fn generate(&self, asked: Asked) -> Result<Made, InferenceError> {
        let order = Order::new(&self.node, self.model, asked);
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
                    return Ok(Made { output, took });
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
async fn count(fleet: Fleet, counted: watch::Sender<usize>) {
    let mut beats = interval(HEARTBEAT);
    let Fleet { queue, node, model, hands } = fleet;
    drop(hands);
    let mut before = None;
    loop {
        tokio::select! {
            _ = beats.tick() => {}
            () = counted.closed() => return,
        }
        let hands = queue.hands(&node, model).await;
        let count = *hands.as_ref().unwrap_or(&0);
        if before.replace(count) == Some(count) {
            continue;
        }
        counted.send_replace(count);
        match hands {
            Ok(0) => warn!("no worker serves the model: start one with `prover-node worker`"),
            Ok(count) => info!(count, "workers"),
            Err(error) => warn!(%error, "no worker can be reached"),
        }
    }
}
