//! Registered models: found by id, by the beginning of an id, or by name.

use std::{convert::Infallible, str::FromStr};

use alloy::{primitives::B256, rpc::types::Filter, sol_types::SolEvent};

use super::{Chain, ChainError, IModelRegistry, IModelRegistry::ModelRegistered, ids::IdPrefix, jobs::decode};

/// A model, as typed: its id, at least four digits of it after `0x`, or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// `0x` and 4 to 64 hex digits.
    Id(IdPrefix),
    /// Anything else.
    Name(String),
}

/// A model as the registry knows it.
#[derive(Debug, Clone)]
pub struct RegisteredModel {
    /// Hash of [`Self::model`].
    pub id: B256,
    /// The manifest's name for itself: unchecked, not unique, any text.
    pub name: String,
    /// What the chain knows.
    pub model: IModelRegistry::Model,
}

/// Why a model was not found.
#[derive(Debug, thiserror::Error)]
pub enum ModelLookupError {
    /// The chain could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is none.
    #[error("there is no model {0}; `oracle models list` shows those there are")]
    Unknown(ModelRef),
    /// There are several.
    #[error("{count} models answer to {wanted}: give more of the id; `oracle models list` shows them")]
    Ambiguous {
        /// As typed.
        wanted: ModelRef,
        /// How many fit.
        count: usize,
    },
}

impl FromStr for ModelRef {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.starts_with("0x").then(|| text.parse().ok()).flatten() {
            Some(id) => Self::Id(id),
            None => Self::Name(text.to_owned()),
        })
    }
}

impl std::fmt::Display for ModelRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(prefix) => prefix.fmt(f),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl ModelRef {
    fn fits(&self, event: &ModelRegistered) -> bool {
        match self {
            Self::Id(prefix) => prefix.matches(event.modelId),
            Self::Name(name) => *name == event.name,
        }
    }
}

impl Chain {
    /// The one model that fits.
    pub async fn find_model(&self, wanted: &ModelRef) -> Result<RegisteredModel, ModelLookupError> {
        let mut fitting = self.registrations().await?;
        fitting.retain(|event| wanted.fits(event));
        match <[_; 1]>::try_from(fitting) {
            Ok([event]) => Ok(self.registered_model(event).await?),
            Err(none) if none.is_empty() => Err(ModelLookupError::Unknown(wanted.clone())),
            Err(several) => Err(ModelLookupError::Ambiguous { wanted: wanted.clone(), count: several.len() }),
        }
    }

    /// All models, in the order of registration.
    pub async fn registered_models(&self) -> Result<Vec<RegisteredModel>, ChainError> {
        let mut models = Vec::new();
        for event in self.registrations().await? {
            models.push(self.registered_model(event).await?);
        }
        Ok(models)
    }

    async fn registrations(&self) -> Result<Vec<ModelRegistered>, ChainError> {
        let logs = self
            .logs(
                Filter::new().address(self.deployment.model_registry).event_signature(ModelRegistered::SIGNATURE_HASH),
                self.deployment.block,
            )
            .await?;
        logs.iter().map(decode).collect()
    }

    async fn registered_model(&self, event: ModelRegistered) -> Result<RegisteredModel, ChainError> {
        let model = self.models().modelOf(event.modelId).call().await?;
        Ok(RegisteredModel { id: event.modelId, name: event.name, model })
    }
}
