//! A text encoder's config: `CLIPTextModel` and `CLIPTextModelWithProjection`.

use serde::Deserialize;

use super::{TEXT_CONFIG, check_sizes, divide};
use crate::inference::{
    InferenceError,
    config::{Config, unsupported},
};

/// `CLIPTextModel` and `CLIPTextModelWithProjection`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TextConfig {
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) max_position_embeddings: usize,
    #[serde(default)]
    pub(crate) hidden_act: TextActivation,
    #[serde(default = "layer_norm_eps")]
    pub(crate) layer_norm_eps: f64,
    /// Width of the pooled text.
    #[serde(default = "projection_dim")]
    pub(crate) projection_dim: usize,
    /// At whose place the pooled text is taken.
    #[serde(default = "eos_token_id")]
    pub(crate) eos_token_id: u32,
}

/// Between the two layers of a CLIP block.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TextActivation {
    /// `x sigmoid(1.702 x)`.
    #[default]
    QuickGelu,
    /// With the error function.
    Gelu,
}

impl Config for TextConfig {
    const FILE: &'static str = TEXT_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] = &[("model_type", "\"clip_text_model\"")];
    const IGNORED: &'static [&'static str] = &[
        "architectures",
        "attention_dropout",
        "bos_token_id",
        "dropout",
        "dtype",
        "initializer_factor",
        "initializer_range",
        "pad_token_id",
        "torch_dtype",
        "transformers_version",
    ];
}

impl TextConfig {
    /// Refuses what no encoder can be built from. `file` is where it was read.
    pub(crate) fn check(&self, file: &'static str) -> Result<(), InferenceError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("max_position_embeddings", self.max_position_embeddings),
            ("projection_dim", self.projection_dim),
        ];
        check_sizes(file, &sizes)?;
        match divide(self.num_attention_heads, &[self.hidden_size]) {
            true => Ok(()),
            false => {
                Err(unsupported(file, "num_attention_heads", self.num_attention_heads, "a divisor of hidden_size"))
            }
        }
    }
}

fn projection_dim() -> usize {
    512
}

fn eos_token_id() -> u32 {
    49_407
}

fn layer_norm_eps() -> f64 {
    1e-5
}
