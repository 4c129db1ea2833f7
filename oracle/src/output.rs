//! Outputs: what verifiers make and serve. A picture is served as a PNG file, a text as [`Text`] in JSON.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What a model has made of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Of an image spec.
    Picture(RgbImage),
    /// Of a text spec.
    Text(Text),
}

/// A text with the tokens that it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What it says: without special tokens, and cut before the stop that ended it, if one did.
    pub text: String,
    /// All that were generated, the end token included.
    pub tokens: Vec<u32>,
}

impl Output {
    /// What is committed to.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Picture(picture) => Digest::of_image(picture),
            Self::Text(text) => text.digest(),
        }
    }
}

impl Text {
    /// What is committed to.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_tokens(&self.tokens)
    }

    /// The file that is served: the same for everybody who has this text.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}
