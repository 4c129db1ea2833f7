//! A worker: makes what nodes have ordered, one at a time, as long as they want it.

use std::time::Duration;

use alloy::primitives::B256;
use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{
    GLANCE, HEARTBEAT,
    queue::{Lease, Queue, QueueError},
};
use crate::{
    inference::{Asked, Inference, InferenceError, Made},
    output::{EncodingError, File},
    stop::Stop,
};

/// Models that make what is in the queue.
pub struct Worker {
    queue: Queue,
    /// The manifests' hashes.
    models: Vec<B256>,
    inference: Inference,
    stop: Stop,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Inference(#[from] InferenceError),
    #[error(transparent)]
    Encoding(#[from] EncodingError),
}

impl Worker {
    /// For the models whose manifests have these hashes.
    #[must_use]
    pub fn new(queue: Queue, models: Vec<B256>, inference: Inference, stop: Stop) -> Self {
        Self { queue, models, inference, stop }
    }

    /// Works until it is told to stop: after what it has begun, or at once. An error is one at the start; later the queue is
    /// waited for.
    pub async fn work(&self, name: String) -> Result<(), QueueError> {
        let number = self.queue.enlist(&name, &self.models).await?;
        info!(number, name, "waiting for work");
        let present = be_present(self.queue.clone(), name, self.models.clone(), number);
        let presence = AbortOnDropHandle::new(tokio::spawn(present));
        self.work_off().await;
        presence.abort();
        if let Err(error) = self.queue.discharge(number).await {
            warn!(%error, "the worker goes without saying so");
        }
        Ok(())
    }

    async fn work_off(&self) {
        let mut glances = interval(GLANCE);
        let mut out_of_reach = false;
        while !self.stop.drain.is_cancelled() {
            match self.queue.lease(&self.models).await {
                Ok(Some(lease)) => {
                    self.make(&lease).await;
                    continue;
                }
                Ok(None) => out_of_reach = false,
                Err(error) if !out_of_reach => {
                    warn!(%error, "trying on");
                    out_of_reach = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                _ = glances.tick() => {}
                () = self.stop.drain.cancelled() => {}
            }
        }
    }

    /// Makes one order, unless it loses its point.
    async fn make(&self, lease: &Lease) {
        let job = lease.order.job.as_str();
        info!(job, "making");
        let made = tokio::select! {
            made = self.file(lease) => made,
            () = self.lost(lease) => {
                info!(job, "nobody waits for it any more");
                return;
            }
            () = self.stop.now.cancelled() => return self.done(job, self.queue.give_back(lease).await),
        };
        match made {
            Ok((file, took)) => {
                info!(job, seconds = format!("{:.1}", took.as_secs_f64()), "made");
                self.done(job, self.queue.deliver(lease, &file, took).await);
            }
            Err(error) => {
                warn!(job, %error, "it could not be made");
                self.done(job, self.queue.fail(lease, &error.to_string()).await);
            }
        }
    }

    async fn file(&self, lease: &Lease) -> Result<(File, Duration), Failure> {
        let order = lease.order.clone();
        let asked = Asked {
            model: order.model,
            spec: order.spec,
            noise_seed: order.noise_seed,
            deadline: order.deadline,
            job: None,
        };
        let Made { output, took, .. } = self.inference.generate(asked, |_| {}).await?;
        Ok((File::of(&output)?, took))
    }

    /// Says that it is at it, and returns when there is no point any more. A queue that is out of reach may come back.
    async fn lost(&self, lease: &Lease) {
        let mut beats = interval(HEARTBEAT);
        loop {
            beats.tick().await;
            if let Ok(false) = self.queue.is_leased(lease).await {
                return;
            }
        }
    }

    fn done(&self, job: &str, result: Result<(), QueueError>) {
        if let Err(error) = result {
            warn!(job, %error, "the queue was not told; another worker will take it over");
        }
    }
}

/// Says that the worker is there, for as long as it is.
async fn be_present(queue: Queue, name: String, models: Vec<B256>, mut number: i64) {
    let mut beats = interval(HEARTBEAT);
    loop {
        beats.tick().await;
        if let Ok(false) = queue.is_enlisted(number).await {
            number = queue.enlist(&name, &models).await.unwrap_or(number);
        }
    }
}
