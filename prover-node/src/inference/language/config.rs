//! What a decoder-only transformer is made of, whichever file says it.

mod gguf;
mod json;

use super::rope::Frequencies;

pub(super) use gguf::from_gguf;
pub(super) use json::{GENERATION_CONFIG, NAME as JSON, from_json};

/// Largest number that any single dimension may have. Beyond it a file is damaged, and memory would be the first to know.
const MAX_DIMENSION: usize = 1 << 24;

/// Built in the same way up to what [`Config`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    /// Llama 2 to 3.2, SmolLM2 (arXiv 2302.13971).
    Llama,
    /// Biases on queries, keys and values (arXiv 2407.10671).
    Qwen2,
    /// Normalised queries and keys (arXiv 2505.09388).
    Qwen3,
    /// Norms around both halves of a layer, windows, scaled embeddings (arXiv 2503.19786).
    Gemma3,
}

/// Shapes and choices of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    pub(super) architecture: Architecture,
    pub(super) vocabulary: usize,
    /// Numbers per position.
    pub(super) width: usize,
    /// Numbers within a feed-forward half.
    pub(super) inner: usize,
    pub(super) heads: usize,
    /// Each serves `heads / kv_heads` heads (arXiv 2305.13245).
    pub(super) kv_heads: usize,
    pub(super) head_dim: usize,
    pub(super) norm_eps: f64,
    /// Added to every norm's weights; 1 for Gemma's in safetensors, whose GGUF has it added already.
    pub(super) norm_offset: f64,
    /// Positions that the model can look back on, its own included.
    pub(super) context: usize,
    pub(super) activation: Activation,
    /// The embedding is the output matrix too.
    pub(super) tied: bool,
    /// Queries, keys and values have biases.
    pub(super) qkv_bias: bool,
    /// What attention is mixed by has a bias.
    pub(super) output_bias: bool,
    /// What embeddings are multiplied by.
    pub(super) embedding_scale: Option<f64>,
    /// What queries are multiplied by.
    pub(super) query_scale: f64,
    /// Of layers that see everything.
    pub(super) rope: Frequencies,
    /// Of layers with a window.
    pub(super) local_rope: Frequencies,
    /// Layer by layer, how many positions it sees, its own included; `None` for all.
    pub(super) windows: Vec<Option<usize>>,
}

/// Between the matrices of a feed-forward half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// `x sigmoid(x)`.
    Silu,
    /// GELU by its tanh approximation.
    GeluTanh,
}

impl Architecture {
    /// Queries and keys are normalised head by head.
    pub(super) fn normalises_queries(self) -> bool {
        matches!(self, Self::Qwen3 | Self::Gemma3)
    }

    /// Both halves of a layer have a norm behind them too.
    pub(super) fn has_sandwich_norms(self) -> bool {
        self == Self::Gemma3
    }
}

impl Config {
    /// The first dimension that no model has, with its value.
    fn oddity(&self) -> Option<(&'static str, usize)> {
        let layers = self.windows.len();
        let sizes = [
            ("the size of the vocabulary", self.vocabulary),
            ("the width", self.width),
            ("the width of the feed-forward half", self.inner),
            ("the number of layers", layers),
            ("the number of heads", self.heads),
            ("the number of key and value heads", self.kv_heads),
            ("the size of a head", self.head_dim),
        ];
        let odd = sizes.into_iter().find(|(_, size)| !(1..=MAX_DIMENSION).contains(size));
        let divided = || (!self.heads.is_multiple_of(self.kv_heads)).then_some(("the number of heads", self.heads));
        let halved = || (!self.head_dim.is_multiple_of(2)).then_some(("the size of a head", self.head_dim));
        let context = || (self.context < 2).then_some(("the context", self.context));
        let window = || self.windows.contains(&Some(0)).then_some(("the sliding window", 0));
        odd.or_else(divided).or_else(halved).or_else(context).or_else(window)
    }
}
