//! A model that the node serves: what the chain and the machine call it, and how long it takes here.

use std::time::Duration;

use alloy::primitives::B256;
use oracle::spec::Spec;
use tokio::sync::Mutex;

use crate::{
    error::NodeError,
    inference::{Inference, Made, Memory},
    journal::{Journal, JournalError},
    pace::Paces,
    schedule::Work,
};

/// One of the node's models.
pub struct Served {
    /// The manifest's hash, by which it is known where it is computed.
    hash: B256,
    /// Under which its paces are remembered.
    settings: String,
    paces: Mutex<Paces>,
}

impl Served {
    /// With the paces that the journal has for these settings.
    pub async fn remembered(hash: B256, settings: String, journal: &Journal) -> Result<Self, JournalError> {
        let paces = Mutex::new(journal.paces(&settings).await?);
        Ok(Self { hash, settings, paces })
    }

    /// The manifest's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// Whether nothing is known of how long anything takes.
    pub async fn is_new(&self) -> bool {
        self.paces.lock().await.is_empty()
    }

    /// Has the model loaded if it fits without another going, or if it is not known how long that takes.
    pub async fn load(&self, inference: &Inference, journal: &Journal) -> Result<(), NodeError> {
        let is_unknown = self.paces.lock().await.loading().is_none();
        let fits = |memory: &Memory| memory.in_the_way_of(self.hash).is_empty();
        if is_unknown || inference.hands().iter().any(fits) {
            let took = inference.load(self.hash).await?;
            self.loaded(took, journal).await?;
        }
        Ok(())
    }

    /// What `spec` takes, as far as it was measured.
    pub async fn work(&self, spec: &Spec, inference: &Inference) -> Work {
        let paces = self.paces.lock().await;
        Work {
            model: self.hash,
            needed: paces.estimate(spec),
            loading: paces.loading().unwrap_or_default(),
            at_once: inference.at_once(self.hash, spec),
        }
    }

    /// Remembers what `spec` took of which this was made: to load the model, and if it was made alone, to make it.
    pub async fn measured(
        &self,
        spec: &Spec,
        made: &Made,
        was_alone: bool,
        journal: &Journal,
    ) -> Result<(), JournalError> {
        self.loaded(made.loading, journal).await?;
        if was_alone {
            let (size, pace) = self.paces.lock().await.measured(spec, made.took);
            journal.put_pace(&self.settings, size, pace).await?;
        }
        Ok(())
    }

    /// It takes no time at all only if it was there.
    async fn loaded(&self, took: Duration, journal: &Journal) -> Result<(), JournalError> {
        if !took.is_zero() {
            let (size, pace) = self.paces.lock().await.loaded(took);
            journal.put_pace(&self.settings, size, pace).await?;
        }
        Ok(())
    }
}
