//! One text to be written, and the range in which a model was tried.

use alloy::{
    primitives::{B256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use super::{MAX_MESSAGES, MAX_PROMPT_BYTES, Prompt, SpecError};
use crate::chain::{IGenerationOracle, IModelRegistry};

/// One text to be written. Twin of `IGenerationOracle.TextSpec`. There is nothing random in it: greedy decoding and beam search need no seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextSpec {
    /// The conversation so far, whose next answer is asked for; 1 to [`MAX_MESSAGES`], and together with the stops at most
    /// [`MAX_PROMPT_BYTES`].
    pub messages: Vec<Message>,
    /// Tokens that are generated at most, the end token included.
    pub max_tokens: u32,
    /// Sequences that are followed at once; 1 is greedy decoding.
    #[serde(default = "greedy")]
    pub beams: u8,
    /// The text is over when one of these appears in it, and is cut before. An empty one never appears.
    #[serde(default)]
    pub stops: Vec<Prompt>,
}

/// What one side said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub content: Prompt,
}

impl Message {
    /// What the requester says.
    #[must_use]
    pub fn user(content: impl Into<Prompt>) -> Self {
        Self { role: Role::User, content: content.into() }
    }
}

/// A side of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// How the model is to behave.
    System,
    /// Who asks.
    User,
    /// What the model has answered before.
    Assistant,
}

impl Role {
    /// In lower case, as chat templates write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

fn greedy() -> u8 {
    1
}

/// The range in which a language model was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextBounds {
    /// Most tokens.
    pub max_tokens: u32,
    /// Most beams.
    pub max_beams: u8,
}

impl TextSpec {
    /// Checks that the spec is one, and within what the model was tried in.
    pub fn check(&self, bounds: &TextBounds) -> Result<(), SpecError> {
        let bytes = self.bytes();
        let TextBounds { max_tokens, max_beams } = *bounds;
        if !(1..=MAX_MESSAGES).contains(&self.messages.len()) {
            return Err(SpecError::Messages(self.messages.len()));
        }
        if bytes > MAX_PROMPT_BYTES {
            return Err(SpecError::MessagesTooLong(bytes));
        }
        if !(1..=max_tokens).contains(&self.max_tokens) {
            return Err(SpecError::Tokens { tokens: self.max_tokens, max: max_tokens });
        }
        if !(1..=max_beams).contains(&self.beams) {
            return Err(SpecError::Beams { beams: self.beams, max: max_beams });
        }
        Ok(())
    }

    /// `keccak256(abi.encode(kind, spec))`. Held to the contract by `tests/vectors/spec.json`.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256((IModelRegistry::Kind::Text, IGenerationOracle::TextSpec::from(self)).abi_encode_params())
    }

    /// Of messages and stops together.
    pub(super) fn bytes(&self) -> usize {
        let contents = self.messages.iter().map(|message| &message.content).chain(&self.stops);
        contents.map(|content| content.0.len()).sum()
    }
}

impl From<&TextSpec> for IGenerationOracle::TextSpec {
    fn from(spec: &TextSpec) -> Self {
        let message = |message: &Message| IGenerationOracle::Message {
            role: match message.role {
                Role::System => IGenerationOracle::Role::System,
                Role::User => IGenerationOracle::Role::User,
                Role::Assistant => IGenerationOracle::Role::Assistant,
            },
            content: message.content.0.clone().into(),
        };
        Self {
            messages: spec.messages.iter().map(message).collect(),
            maxTokens: spec.max_tokens,
            beams: spec.beams,
            stops: spec.stops.iter().map(|stop| stop.0.clone().into()).collect(),
        }
    }
}

impl From<&IGenerationOracle::TextSpec> for TextSpec {
    fn from(spec: &IGenerationOracle::TextSpec) -> Self {
        let message = |message: &IGenerationOracle::Message| Message {
            role: match message.role {
                IGenerationOracle::Role::System => Role::System,
                IGenerationOracle::Role::Assistant => Role::Assistant,
                _ => Role::User,
            },
            content: Prompt(message.content.to_vec()),
        };
        Self {
            messages: spec.messages.iter().map(message).collect(),
            max_tokens: spec.maxTokens,
            beams: spec.beams,
            stops: spec.stops.iter().map(|stop| Prompt(stop.to_vec())).collect(),
        }
    }
}

impl From<&IModelRegistry::Model> for TextBounds {
    fn from(model: &IModelRegistry::Model) -> Self {
        Self { max_tokens: model.maxTokens, max_beams: model.maxBeams }
    }
}
