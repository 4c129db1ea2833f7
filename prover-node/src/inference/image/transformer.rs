//! `Transformer2DModel` of `diffusers`: where pixels look at each other and at the text.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::{
    config::UnetConfig,
    layers::{GroupNorm, LayerNorm, Linear, attention},
};
use crate::inference::Attention;

/// `Transformer2DModel`: blocks in which pixels attend to each other and to the text.
#[derive(Debug)]
pub(super) struct Transformer {
    norm: GroupNorm,
    project_in: Linear,
    blocks: Vec<Block>,
    project_out: Linear,
}

/// `BasicTransformerBlock`.
#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    among_pixels: CrossAttention,
    norm2: LayerNorm,
    to_text: CrossAttention,
    norm3: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Transformer {
    pub(super) fn new(config: &UnetConfig, block: usize, how: Attention, weights: &VarBuilder<'_>) -> Result<Self> {
        let width = config.block_out_channels[block];
        let depth = config.transformer_layers_per_block.of(block).unwrap_or(1);
        let blocks = weights.pp("transformer_blocks");
        Ok(Self {
            norm: GroupNorm::new(config.norm_num_groups, width, 1e-6, &weights.pp("norm"))?,
            // A 1x1 convolution or, with `use_linear_projection`, a matrix: the same on a list of pixels.
            project_in: Linear::new(width, width, &weights.pp("proj_in"))?,
            blocks: (0..depth).map(|i| Block::new(config, block, how, &blocks.pp(i))).collect::<Result<_>>()?,
            project_out: Linear::new(width, width, &weights.pp("proj_out"))?,
        })
    }

    pub(super) fn forward(&self, image: &Tensor, texts: &Tensor) -> Result<Tensor> {
        let mut xs = self.project_in.forward(&to_pixels(&self.norm.forward(image)?)?)?;
        for block in &self.blocks {
            xs = block.forward(&xs, texts)?;
        }
        to_image(&self.project_out.forward(&xs)?, image)? + image
    }
}

impl Block {
    fn new(config: &UnetConfig, block: usize, how: Attention, weights: &VarBuilder<'_>) -> Result<Self> {
        let width = config.block_out_channels[block];
        let heads = config.heads(block).unwrap_or(1);
        let norm = |name: &str| LayerNorm::new(width, 1e-5, &weights.pp(name));
        let attention = |context, name: &str| CrossAttention::new(width, context, heads, how, &weights.pp(name));
        Ok(Self {
            norm1: norm("norm1")?,
            among_pixels: attention(width, "attn1")?,
            norm2: norm("norm2")?,
            to_text: attention(config.cross_attention_dim, "attn2")?,
            norm3: norm("norm3")?,
            widen: Linear::new(width, 8 * width, &weights.pp("ff.net.0.proj"))?,
            narrow: Linear::new(4 * width, width, &weights.pp("ff.net.2"))?,
        })
    }

    fn forward(&self, xs: &Tensor, texts: &Tensor) -> Result<Tensor> {
        let normed = self.norm1.forward(xs)?;
        let xs = (self.among_pixels.forward(&normed, &normed)? + xs)?;
        let xs = (self.to_text.forward(&self.norm2.forward(&xs)?, texts)? + xs)?;
        self.narrow.forward(&geglu(&self.widen.forward(&self.norm3.forward(&xs)?)?)?)? + xs
    }
}

#[derive(Debug)]
struct CrossAttention {
    heads: usize,
    how: Attention,
    queries: Linear,
    keys: Linear,
    values: Linear,
    mixed: Linear,
}

impl CrossAttention {
    fn new(width: usize, context: usize, heads: usize, how: Attention, weights: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            heads,
            how,
            queries: Linear::without_bias(width, width, &weights.pp("to_q"))?,
            keys: Linear::without_bias(context, width, &weights.pp("to_k"))?,
            values: Linear::without_bias(context, width, &weights.pp("to_v"))?,
            mixed: Linear::new(width, width, &weights.pp("to_out.0"))?,
        })
    }

    fn forward(&self, xs: &Tensor, context: &Tensor) -> Result<Tensor> {
        let (keys, values) = (self.keys.forward(context)?, self.values.forward(context)?);
        self.mixed.forward(&attention([&self.queries.forward(xs)?, &keys, &values], self.heads, false, self.how)?)
    }
}

/// `[batch, channels, height, width]` to `[batch, height x width, channels]`.
pub(super) fn to_pixels(image: &Tensor) -> Result<Tensor> {
    image.flatten_from(2)?.transpose(1, 2)?.contiguous()
}

/// The inverse of [`to_pixels`], in the shape of `like`.
pub(super) fn to_image(pixels: &Tensor, like: &Tensor) -> Result<Tensor> {
    pixels.transpose(1, 2)?.contiguous()?.reshape(like.shape())
}

/// The first half times the gelu (with the error function) of the second.
fn geglu(xs: &Tensor) -> Result<Tensor> {
    let halves = xs.to_dtype(DType::F32)?.chunk(2, D::Minus1)?;
    (&halves[0] * halves[1].contiguous()?.gelu_erf()?)?.to_dtype(xs.dtype())
}
