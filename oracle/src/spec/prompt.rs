//! Prompts: any bytes.

use serde::{Deserialize, Serialize};

/// Any bytes are a prompt. In JSON it is text where the bytes are UTF-8, and `{"hex": "..."}` where not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PromptText", into = "PromptText")]
pub struct Prompt(pub Vec<u8>);

impl Prompt {
    /// The prompt as a tokenizer takes it: bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PromptText {
    Text(String),
    Hex { hex: alloy::primitives::Bytes },
}

impl From<Prompt> for PromptText {
    fn from(prompt: Prompt) -> Self {
        String::from_utf8(prompt.0).map_or_else(|error| Self::Hex { hex: error.into_bytes().into() }, Self::Text)
    }
}

impl From<PromptText> for Prompt {
    fn from(text: PromptText) -> Self {
        match text {
            PromptText::Text(text) => Self(text.into_bytes()),
            PromptText::Hex { hex } => Self(hex.to_vec()),
        }
    }
}
