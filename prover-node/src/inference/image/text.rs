//! CLIP's text encoder (arXiv 2103.00020), with the names and the config of `transformers`' `CLIPTextModel` and
//! `CLIPTextModelWithProjection`.

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
    /// Of the pooled text.
    projection: Option<Linear>,
    /// The token whose place the pooled text is taken from.
    end: u32,
}

/// What a text encoder makes of texts.
#[derive(Debug)]
pub(super) struct Encoded {
    /// After all blocks and the last normalisation: `[texts, length, width]`.
    pub(super) last: Tensor,
    /// Before the last block, and not normalised: `[texts, length, width]`.
    pub(super) penultimate: Tensor,
    /// One vector for each text, if the encoder has a projection: `[texts, projection width]`.
    pub(super) pooled: Option<Tensor>,
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
        Self::build(config, None, weights)
    }

    /// `CLIPTextModelWithProjection`.
    pub(super) fn with_projection(config: &TextConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let projection =
            Linear::without_bias(config.hidden_size, config.projection_dim, &weights.pp("text_projection"))?;
        Self::build(config, Some(projection), weights)
    }

    fn build(config: &TextConfig, projection: Option<Linear>, weights: &VarBuilder<'_>) -> Result<Self> {
        let width = config.hidden_size;
        // As it is saved by `transformers` before version 5, and since.
        let prefixed = weights.contains_tensor("text_model.embeddings.token_embedding.weight");
        let weights = if prefixed { weights.pp("text_model") } else { weights.clone() };
        let embeddings = weights.pp("embeddings");
        let blocks = (0..config.num_hidden_layers)
            .map(|i| Block::new(config, &weights.pp("encoder.layers").pp(i)))
            .collect::<Result<_>>()?;
        Ok(Self {
            tokens: embeddings.get((config.vocab_size, width), "token_embedding.weight")?,
            positions: embeddings.get((config.max_position_embeddings, width), "position_embedding.weight")?,
            blocks,
            final_norm: LayerNorm::new(width, config.layer_norm_eps, &weights.pp("final_layer_norm"))?,
            projection,
            end: config.eos_token_id,
        })
    }

    /// For token lists of one length.
    pub(super) fn encode(&self, texts: &[Vec<u32>]) -> Result<Encoded> {
        let length = texts.first().map_or(0, Vec::len);
        let ids = Tensor::new(texts.concat(), self.tokens.device())?;
        let embedded = self.tokens.index_select(&ids, 0)?.reshape((texts.len(), length, ()))?;
        let mut xs = embedded.broadcast_add(&self.positions.narrow(0, 0, length)?)?;
        let mut penultimate = xs.clone();
        for block in &self.blocks {
            penultimate = xs;
            xs = block.forward(&penultimate)?;
        }
        let last = self.final_norm.forward(&xs)?;
        let pooled = self.projection.as_ref().map(|projection| projection.forward(&self.pool(&last, texts)?));
        Ok(Encoded { pooled: pooled.transpose()?, last, penultimate })
    }

    /// `[texts, width]`: what stands at each text's end.
    fn pool(&self, last: &Tensor, texts: &[Vec<u32>]) -> Result<Tensor> {
        let ends = texts.iter().enumerate().map(|(i, ids)| last.get(i)?.get(self.end(ids)));
        Tensor::stack(&ends.collect::<Result<Vec<_>>>()?, 0)
    }

    /// The place of the first end token. Older configs say 2 where they mean the largest token, as `transformers` knows.
    fn end(&self, ids: &[u32]) -> usize {
        let end = if self.end == 2 { ids.iter().max().copied().unwrap_or_default() } else { self.end };
        ids.iter().position(|id| *id == end).unwrap_or_default()
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
