//! CLIP's text encoder (arXiv 2103.00020), with the names and the config of `transformers`' `CLIPTextModel`.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Module, VarBuilder, ops};

use super::{
    config::{TextActivation, TextConfig},
    layers::{LayerNorm, Linear, attention},
};
use crate::inference::Attention;

/// Tokens to one vector each.
#[derive(Debug)]
pub(super) struct TextEncoder {
    /// `[vocabulary, width]`.
    tokens: Tensor,
    /// `[length, width]`.
    positions: Tensor,
    blocks: Vec<Block>,
    final_norm: LayerNorm,
}

#[derive(Debug)]
struct Block {
    heads: usize,
    activation: TextActivation,
    norm1: LayerNorm,
    queries: Linear,
    keys: Linear,
    values: Linear,
    mixed: Linear,
    norm2: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl TextEncoder {
    pub(super) fn new(config: &TextConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let width = config.hidden_size;
        let weights = weights.pp("text_model");
        let embeddings = weights.pp("embeddings");
        let blocks = (0..config.num_hidden_layers)
            .map(|i| Block::new(config, &weights.pp("encoder.layers").pp(i)))
            .collect::<Result<_>>()?;
        Ok(Self {
            tokens: embeddings.get((config.vocab_size, width), "token_embedding.weight")?,
            positions: embeddings.get((config.max_position_embeddings, width), "position_embedding.weight")?,
            blocks,
            final_norm: LayerNorm::new(width, config.layer_norm_eps, &weights.pp("final_layer_norm"))?,
        })
    }

    /// `[texts, length, width]` for as many token lists of one length.
    pub(super) fn encode(&self, texts: &[Vec<u32>]) -> Result<Tensor> {
        let length = texts.first().map_or(0, Vec::len);
        let ids = Tensor::new(texts.concat(), self.tokens.device())?;
        let embedded = self.tokens.index_select(&ids, 0)?.reshape((texts.len(), length, ()))?;
        let mut xs = embedded.broadcast_add(&self.positions.narrow(0, 0, length)?)?;
        for block in &self.blocks {
            xs = block.forward(&xs)?;
        }
        self.final_norm.forward(&xs)
    }
}

impl Block {
    fn new(config: &TextConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let projection = |name: &str| Linear::new(width, width, &weights.pp("self_attn").pp(name));
        Ok(Self {
            heads: config.num_attention_heads,
            activation: config.hidden_act,
            norm1: LayerNorm::new(width, eps, &weights.pp("layer_norm1"))?,
            queries: projection("q_proj")?,
            keys: projection("k_proj")?,
            values: projection("v_proj")?,
            mixed: projection("out_proj")?,
            norm2: LayerNorm::new(width, eps, &weights.pp("layer_norm2"))?,
            widen: Linear::new(width, config.intermediate_size, &weights.pp("mlp.fc1"))?,
            narrow: Linear::new(config.intermediate_size, width, &weights.pp("mlp.fc2"))?,
        })
    }
}

impl Module for Block {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let normed = self.norm1.forward(xs)?;
        let parts = [&self.queries, &self.keys, &self.values].map(|projection| projection.forward(&normed));
        let [queries, keys, values] = parts;
        let mixed = attention([&queries?, &keys?, &values?], self.heads, true, Attention::Full)?;
        let xs = (self.mixed.forward(&mixed)? + xs)?;

        let hidden = self.widen.forward(&self.norm2.forward(&xs)?)?;
        self.narrow.forward(&activate(self.activation, &hidden)?)? + xs
    }
}

fn activate(activation: TextActivation, xs: &Tensor) -> Result<Tensor> {
    let dtype = xs.dtype();
    let xs = xs.to_dtype(DType::F32)?;
    let ys = match activation {
        TextActivation::QuickGelu => (&xs * ops::sigmoid(&(&xs * 1.702)?)?)?,
        TextActivation::Gelu => xs.gelu_erf()?,
    };
    ys.to_dtype(dtype)
}
