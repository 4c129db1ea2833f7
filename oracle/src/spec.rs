//! The spec: what a job asks for, in integers, so that every machine reads the same job.

mod args;
mod error;
mod image;
mod prompt;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod text;

use alloy::{
    primitives::{B256, U256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

pub use self::{
    args::TextArgs,
    error::SpecError,
    image::{ImageBounds, ImageSpec, Solver},
    prompt::Prompt,
    text::{Message, Role, TextBounds, TextSpec},
};
use crate::chain::IModelRegistry;

/// Bytes in a prompt, at most.
pub const MAX_PROMPT_BYTES: usize = 4_096;

/// Messages of one text, at most.
pub const MAX_MESSAGES: usize = 64;

/// What a job asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Spec {
    /// A picture.
    Image(ImageSpec),
    /// A text.
    Text(TextSpec),
}

impl Spec {
    /// Checks the spec as `ModelRegistry.sol` does.
    pub fn check(&self, model: &IModelRegistry::Model) -> Result<(), SpecError> {
        match (self, model.kind) {
            (Self::Image(spec), IModelRegistry::Kind::Image) => spec.check(&model.into()),
            (Self::Text(spec), IModelRegistry::Kind::Text) => spec.check(&model.into()),
            (Self::Image(_), _) => Err(SpecError::Kind { makes: "texts" }),
            (Self::Text(_), _) => Err(SpecError::Kind { makes: "pictures" }),
        }
    }

    /// `keccak256(abi.encode(kind, spec))`. Held to the contract by `tests/vectors/spec.json`.
    #[must_use]
    pub fn hash(&self) -> B256 {
        match self {
            Self::Image(spec) => spec.hash(),
            Self::Text(spec) => spec.hash(),
        }
    }

    /// In the units that a model's price and time are stated for a million of: steps times pixels of a picture; of a text
    /// the bytes of its messages and stops, and the tokens of all beams.
    #[must_use]
    pub fn work(&self) -> U256 {
        match self {
            Self::Image(spec) => {
                [spec.width, spec.height].into_iter().fold(U256::from(spec.steps), |work, side| work * U256::from(side))
            }
            Self::Text(spec) => {
                U256::from(spec.bytes()) + U256::from(u64::from(spec.max_tokens) * u64::from(spec.beams))
            }
        }
    }

    /// A picture's prompt, or the last message of a text's, for people.
    #[must_use]
    pub fn prompt(&self) -> String {
        match self {
            Self::Image(spec) => spec.prompt.text(),
            Self::Text(spec) => spec.messages.last().map(|message| message.content.text()).unwrap_or_default(),
        }
    }

    /// In the singular.
    #[must_use]
    pub fn makes(&self) -> &'static str {
        match self {
            Self::Image(_) => "picture",
            Self::Text(_) => "text",
        }
    }
}

/// What generation starts from: `keccak256(abi.encode(spec seed, draw seed of round 1))`, or the spec's seed if the terms
/// fix it. `tests/vectors/noise.json` holds it.
#[must_use]
pub fn noise_seed(spec_seed: B256, draw_seed: B256, fixed: bool) -> B256 {
    if fixed { spec_seed } else { keccak256((spec_seed, draw_seed).abi_encode_params()) }
}
