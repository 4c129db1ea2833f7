//! One decoder-only transformer for all [`Architecture`](super::config::Architecture)s: what differs, the config says.

use candle_core::{Device, Result, Tensor};
use candle_nn::{VarBuilder, ops};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{
    cache::Cache,
    config::{Activation, Config},
    product::{Linear, Products},
    rope::{Frequencies, rotate},
};

/// A loaded network. Everything is f32 in memory: with quantised products, one position's logits depend on how many are
/// computed with it, and checking would not agree with making.
#[derive(Debug)]
pub(super) struct Decoder {
    config: Config,
    /// `[vocabulary, width]`.
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    head: Linear,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Norm,
    attention: Attention,
    /// Only in sandwiches.
    after_attention: Option<Norm>,
    feed_forward_norm: Norm,
    feed_forward: FeedForward,
    /// Only in sandwiches.
    after_feed_forward: Option<Norm>,
}

#[derive(Debug)]
struct Attention {
    /// Queries, keys and values in one product.
    project: Linear,
    /// Of queries and of keys.
    norms: Option<[Norm; 2]>,
    mix: Linear,
}

#[derive(Debug)]
struct FeedForward {
    /// Gate and value in one product.
    widen: Linear,
    narrow: Linear,
}

/// Root mean square normalisation (arXiv 1910.07467).
#[derive(Debug)]
struct Norm {
    weight: Tensor,
    eps: f32,
}

/// What is fed at once to the sequences of a cache: to each as many tokens as to the others.
pub(super) struct Feed<'a> {
    /// One list for each sequence.
    pub(super) tokens: &'a [&'a [u32]],
    /// What went before.
    pub(super) cache: &'a mut Cache,
}

impl Feed<'_> {
    /// Tokens for each sequence.
    fn count(&self) -> usize {
        self.tokens.first().map_or(0, |tokens| tokens.len())
    }
}

/// What a forward pass shares between its layers: the turns of a feed's positions in layers without and with a window.
struct Positions {
    full: (Tensor, Tensor),
    windowed: (Tensor, Tensor),
    /// Of all feeds' positions, the first that is of this feed.
    row: usize,
    /// In the sequences, the first.
    start: usize,
    /// In each sequence.
    count: usize,
    sequences: usize,
}

impl Decoder {
    /// From weights with the names of `transformers`.
    pub(super) fn new(config: Config, products: Products, weights: &VarBuilder<'_>) -> Result<Self> {
        let prefixes = ["model", "language_model.model", "model.language_model"];
        let name = "embed_tokens.weight";
        let found = prefixes.into_iter().find(|prefix| weights.contains_tensor(&format!("{prefix}.{name}")));
        let model = weights.pp(found.unwrap_or("model"));

        let embedding = model.get((config.vocabulary, config.width), name)?;
        let head = match config.tied {
            true => embedding.clone(),
            false => weights.get((config.vocabulary, config.width), "lm_head.weight")?,
        };
        let layer = |i| Layer::new(&config, products, &model.pp("layers").pp(i));
        Ok(Self {
            embedding,
            layers: (0..config.windows.len()).map(layer).collect::<Result<_>>()?,
            norm: Norm::new(&config, config.width, &model.pp("norm"))?,
            head: Linear::new(head, None, products),
            config,
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn device(&self) -> &Device {
        self.embedding.device()
    }

    /// What the network makes of all tokens of `feeds`: `[tokens, width]`, feed by feed and sequence by sequence.
    /// [`Self::logits`] takes any of these rows. The feeds share the products and nothing else.
    pub(super) fn forward(&self, feeds: &mut [Feed<'_>]) -> Result<Tensor> {
        let tokens: Vec<u32> = feeds.iter().flat_map(|feed| feed.tokens).copied().flatten().copied().collect();
        let mut xs = self.embedding.index_select(&Tensor::new(tokens, self.device())?, 0)?;
        if let Some(scale) = self.config.embedding_scale {
            xs = (xs * scale)?;
        }
        let mut row = 0;
        let mut attended = Vec::with_capacity(feeds.len());
        for feed in feeds.iter() {
            let positions = self.positions(feed, row)?;
            row += positions.sequences * positions.count;
            attended.push((positions, &*feed.cache));
        }
        for (i, layer) in self.layers.iter().enumerate() {
            xs = layer.forward(&self.config, &xs, i, &attended)?;
        }
        for feed in feeds {
            feed.cache.advance(feed.count());
        }
        self.norm.forward(&xs)
    }

    fn positions(&self, feed: &Feed<'_>, row: usize) -> Result<Positions> {
        let (start, count) = (feed.cache.length(), feed.count());
        let angles = |frequencies: &Frequencies| frequencies.angles(start, count, self.device());
        let (full, windowed) = (angles(&self.config.rope)?, angles(&self.config.local_rope)?);
        Ok(Positions { full, windowed, row, start, count, sequences: feed.tokens.len() })
    }

    /// How likely each token of the vocabulary is next, before the softmax: `[.., width]` to `[.., vocabulary]`.
    pub(super) fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.head.forward(hidden)
    }
}

impl Layer {
    fn new(config: &Config, products: Products, weights: &VarBuilder<'_>) -> Result<Self> {
        let norm = |name: &str| Norm::new(config, config.width, &weights.pp(name));
        let sandwich = config.architecture.has_sandwich_norms();
        let behind = |name: &str| sandwich.then(|| norm(name)).transpose();
        let before = if sandwich { "pre_feedforward_layernorm" } else { "post_attention_layernorm" };
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            attention: Attention::new(config, products, &weights.pp("self_attn"))?,
            after_attention: behind("post_attention_layernorm")?,
            feed_forward_norm: norm(before)?,
            feed_forward: FeedForward::new(config, products, &weights.pp("mlp"))?,
            after_feed_forward: behind("post_feedforward_layernorm")?,
        })
    }

    fn forward(&self, config: &Config, xs: &Tensor, layer: usize, feeds: &[(Positions, &Cache)]) -> Result<Tensor> {
        let mixed = self.attention.forward(config, &self.attention_norm.forward(xs)?, layer, feeds)?;
        let xs = (behind(self.after_attention.as_ref(), &mixed)? + xs)?;

        let fed = self.feed_forward.forward(config.activation, &self.feed_forward_norm.forward(&xs)?)?;
        behind(self.after_feed_forward.as_ref(), &fed)? + xs
    }
}

fn behind(norm: Option<&Norm>, xs: &Tensor) -> Result<Tensor> {
    norm.map_or_else(|| Ok(xs.clone()), |norm| norm.forward(xs))
}

impl Attention {
    fn new(config: &Config, products: Products, weights: &VarBuilder<'_>) -> Result<Self> {
        let Config { width, heads, kv_heads, head_dim, .. } = *config;
        let parts = [("q_proj", heads), ("k_proj", kv_heads), ("v_proj", kv_heads)];
        let matrix = |(name, heads): (&str, usize)| weights.pp(name).get((heads * head_dim, width), "weight");
        let bias = |(name, heads): (&str, usize)| weights.pp(name).get(heads * head_dim, "bias");
        let stacked = |tensors: [Result<Tensor>; 3]| -> Result<Tensor> {
            Tensor::cat(&tensors.into_iter().collect::<Result<Vec<_>>>()?, 0)
        };
        let norm = |name: &str| Norm::new(config, head_dim, &weights.pp(name));
        let output = weights.pp("o_proj");
        Ok(Self {
            project: Linear::new(
                stacked(parts.map(matrix))?,
                config.qkv_bias.then(|| stacked(parts.map(bias))).transpose()?,
                products,
            ),
            norms: match config.architecture.normalises_queries() {
                true => Some([norm("q_norm")?, norm("k_norm")?]),
                false => None,
            },
            mix: Linear::new(
                output.get((width, heads * head_dim), "weight")?,
                config.output_bias.then(|| output.get(width, "bias")).transpose()?,
                products,
            ),
        })
    }

    fn forward(&self, config: &Config, xs: &Tensor, layer: usize, feeds: &[(Positions, &Cache)]) -> Result<Tensor> {
        let all = self.project.forward(xs)?;
        let seen = feeds.par_iter().map(|(at, cache)| {
            self.attend(config, &all.narrow(0, at.row, at.sequences * at.count)?, at, (layer, cache))
        });
        self.mix.forward(&Tensor::cat(&seen.collect::<Result<Vec<_>>>()?, 0)?)
    }

    /// From queries, keys and values, a row for each position, to what each position sees.
    fn attend(&self, config: &Config, all: &Tensor, at: &Positions, (layer, cache): (usize, &Cache)) -> Result<Tensor> {
        let Config { heads, kv_heads, head_dim, .. } = *config;
        let (batch, count) = (at.sequences, at.count);
        let all = all.reshape((batch, count, heads + 2 * kv_heads, head_dim))?.transpose(1, 2)?;
        let [queries, keys] = [(0, heads), (heads, kv_heads)].map(|(from, heads)| all.narrow(1, from, heads));
        let (mut queries, mut keys) = (queries?, keys?);
        if let Some([of_queries, of_keys]) = &self.norms {
            (queries, keys) = (of_queries.forward(&queries)?, of_keys.forward(&keys)?);
        }
        let window = config.windows[layer];
        let turns = if window.is_some() { &at.windowed } else { &at.full };
        let (queries, keys) = ((rotate(&queries, turns)? * config.query_scale)?, rotate(&keys, turns)?);

        // What no new position sees is left out.
        let from = window.map_or(0, |window| (at.start + 1).saturating_sub(window));
        let [keys, values] = cache.append(layer, [&keys, &all.narrow(1, heads + kv_heads, kv_heads)?], from)?;
        // The heads that share a key stand below each other: one product for all of them.
        let grouped = queries.reshape((batch, kv_heads, heads / kv_heads * count, head_dim))?;
        let scores = at.hide(grouped.matmul(&keys.t()?)?, from, window)?;
        let seen = ops::softmax_last_dim(&scores)?.matmul(&values)?;
        seen.reshape((batch, heads, count, head_dim))?.transpose(1, 2)?.reshape((batch * count, heads * head_dim))
    }
}

impl Positions {
    /// `scores`, `[batch, kv_heads, groups x positions, seen]`, with all that a position must not see at minus infinity:
    /// what is behind it, and what is before its window. The first seen position is `from`.
    fn hide(&self, scores: Tensor, from: usize, window: Option<usize>) -> Result<Tensor> {
        let (batch, kv_heads, rows, seen) = scores.dims4()?;
        if self.count == 1 {
            return Ok(scores);
        }
        let value = |at: usize, other: usize| {
            let visible = other <= at && window.is_none_or(|window| at - other < window);
            if visible { 0.0 } else { f32::NEG_INFINITY }
        };
        let positions = self.start..self.start + self.count;
        let mask: Vec<f32> = positions.flat_map(|at| (from..from + seen).map(move |other| value(at, other))).collect();
        let mask = Tensor::from_vec(mask, (self.count, seen), scores.device())?;
        let scores = scores.reshape((batch, kv_heads, rows / self.count, self.count, seen))?;
        scores.broadcast_add(&mask)?.reshape((batch, kv_heads, rows, seen))
    }
}

impl FeedForward {
    fn new(config: &Config, products: Products, weights: &VarBuilder<'_>) -> Result<Self> {
        let (width, inner) = (config.width, config.inner);
        let wide = |name: &str| weights.pp(name).get((inner, width), "weight");
        let widen = Tensor::cat(&[wide("gate_proj")?, wide("up_proj")?], 0)?;
        Ok(Self {
            widen: Linear::new(widen, None, products),
            narrow: Linear::new(weights.pp("down_proj").get((width, inner), "weight")?, None, products),
        })
    }

    fn forward(&self, activation: Activation, xs: &Tensor) -> Result<Tensor> {
        let halves = self.widen.forward(xs)?.chunk(2, candle_core::D::Minus1)?;
        let gate = halves[0].contiguous()?;
        let gate = match activation {
            Activation::Silu => gate.silu()?,
            Activation::GeluTanh => gate.gelu()?,
        };
        self.narrow.forward(&(gate * halves[1].contiguous()?)?)
    }
}

impl Norm {
    fn new(config: &Config, size: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        let weight = weights.get(size, "weight")?;
        let weight = if config.norm_offset == 0.0 { weight } else { (weight + config.norm_offset)? };
        Ok(Self { weight, eps: config.norm_eps as f32 })
    }

    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        ops::rms_norm(&xs.contiguous()?, &self.weight, self.eps)
    }
}
