//! The picture half of `AutoencoderKL` of `diffusers`: from a latent to pixels.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::{
    config::VaeConfig,
    layers::{Conv2d, GroupNorm, Linear, PointConv, attention},
    resnet::Resnet,
    transformer::{to_image, to_pixels},
};
use crate::inference::Attention;

const EPS: f64 = 1e-6;

/// Draws what a latent stands for.
#[derive(Debug)]
pub(super) struct Decoder {
    /// From a latent of unit variance to what was encoded, by channel: `[1, latent channels, 1, 1]`.
    scale: Tensor,
    shift: Tensor,
    post_quant: Option<PointConv>,
    conv_in: Conv2d,
    middle: (Resnet, Option<MiddleAttention>, Resnet),
    up: Vec<(Vec<Resnet>, Option<Conv2d>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    pub(super) fn new(config: &VaeConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let latent = config.latent_channels;
        let post_quant = config
            .use_post_quant_conv
            .then(|| PointConv::new(latent, latent, &weights.pp("post_quant_conv")))
            .transpose()?;
        let by_channel = |values: Option<&Vec<f64>>, usual: f64| {
            let values = values.cloned().unwrap_or_else(|| vec![usual; latent]);
            Tensor::new(values, weights.device())?.reshape((1, latent, 1, 1))?.to_dtype(DType::F32)
        };
        let scale = (by_channel(config.latents_std.as_ref(), 1.0)? / config.scaling_factor)?;
        let shift = by_channel(config.latents_mean.as_ref(), 0.0)?;

        let weights = weights.pp("decoder");
        let channels: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let norm = (config.norm_num_groups, EPS);
        let middle = weights.pp("mid_block");
        let up = (0..channels.len())
            .map(|i| {
                let weights = weights.pp("up_blocks").pp(i);
                let (before, here) = (channels[i.saturating_sub(1)], channels[i]);
                let resnets = (0..=config.layers_per_block)
                    .map(|j| {
                        Resnet::new(if j == 0 { before } else { here }, here, None, norm, &weights.pp("resnets").pp(j))
                    })
                    .collect::<Result<_>>()?;
                let upsample = (i + 1 < channels.len())
                    .then(|| Conv2d::new(here, here, &weights.pp("upsamplers.0.conv")))
                    .transpose()?;
                Ok((resnets, upsample))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            scale,
            shift,
            post_quant,
            conv_in: Conv2d::new(latent, first, &weights.pp("conv_in"))?,
            middle: (
                Resnet::new(first, first, None, norm, &middle.pp("resnets.0"))?,
                config
                    .mid_block_add_attention
                    .then(|| MiddleAttention::new(first, config.norm_num_groups, &middle.pp("attentions.0")))
                    .transpose()?,
                Resnet::new(first, first, None, norm, &middle.pp("resnets.1"))?,
            ),
            up,
            norm_out: GroupNorm::new(config.norm_num_groups, last, EPS, &weights.pp("conv_norm_out"))?,
            conv_out: Conv2d::new(last, config.out_channels, &weights.pp("conv_out"))?,
        })
    }

    /// `[batch, latent channels, h, w]` in f32 to `[batch, 3, factor h, factor w]`, about -1 to 1. Activations are kept in
    /// `dtype`.
    pub(super) fn decode(&self, latents: &Tensor, dtype: DType) -> Result<Tensor> {
        let mut xs = latents.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)?.to_dtype(dtype)?;
        if let Some(post_quant) = &self.post_quant {
            xs = post_quant.forward(&xs)?;
        }
        let (before, attention, after) = &self.middle;
        xs = before.forward(&self.conv_in.forward(&xs)?, None)?;
        if let Some(attention) = attention {
            xs = attention.forward(&xs)?;
        }
        xs = after.forward(&xs, None)?;
        for (resnets, upsample) in &self.up {
            for resnet in resnets {
                xs = resnet.forward(&xs, None)?;
            }
            if let Some(upsample) = upsample {
                xs = upsample.enlarged(&xs, 2 * xs.dim(2)?, 2 * xs.dim(3)?)?;
            }
        }
        self.conv_out.activated(&self.norm_out, &xs)
    }
}

/// Pixels of the smallest size attend to each other, with a single head.
#[derive(Debug)]
struct MiddleAttention {
    norm: GroupNorm,
    queries: Linear,
    keys: Linear,
    values: Linear,
    mixed: Linear,
}

impl MiddleAttention {
    fn new(width: usize, groups: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        // Older files have other names for the same four.
        let old = !weights.contains_tensor("to_q.weight");
        let names = if old { ["query", "key", "value", "proj_attn"] } else { ["to_q", "to_k", "to_v", "to_out.0"] };
        let [queries, keys, values, mixed] = names.map(|name| Linear::new(width, width, &weights.pp(name)));
        Ok(Self {
            norm: GroupNorm::new(groups, width, EPS, &weights.pp("group_norm"))?,
            queries: queries?,
            keys: keys?,
            values: values?,
            mixed: mixed?,
        })
    }
}

impl Module for MiddleAttention {
    fn forward(&self, image: &Tensor) -> Result<Tensor> {
        let xs = to_pixels(&self.norm.forward(image)?)?;
        let [queries, keys, values] = [&self.queries, &self.keys, &self.values].map(|layer| layer.forward(&xs));
        let mixed = attention([&queries?, &keys?, &values?], 1, false, Attention::Full)?;
        to_image(&self.mixed.forward(&mixed)?, image)? + image
    }
}
