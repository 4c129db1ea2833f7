//! The picture half of `AutoencoderKL` of `diffusers`: from a latent to pixels.

use candle_core::{Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::{
    config::VaeConfig,
    layers::{Conv2d, ConvShape, GroupNorm, Linear, attention},
    resnet::{Resnet, silu},
    transformer::{to_image, to_pixels},
};
use crate::inference::Attention;

const EPS: f64 = 1e-6;

/// Draws what a latent stands for.
#[derive(Debug)]
pub(super) struct Decoder {
    scaling_factor: f64,
    post_quant: Option<Conv2d>,
    conv_in: Conv2d,
    middle: (Resnet, MiddleAttention, Resnet),
    up: Vec<(Vec<Resnet>, Option<Conv2d>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    pub(super) fn new(config: &VaeConfig, weights: &VarBuilder<'_>) -> Result<Self> {
        let latent = config.latent_channels;
        let post_quant = config
            .use_post_quant_conv
            .then(|| Conv2d::new(latent, latent, ConvShape::Point, &weights.pp("post_quant_conv")))
            .transpose()?;

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
                    .then(|| Conv2d::new(here, here, ConvShape::Same, &weights.pp("upsamplers.0.conv")))
                    .transpose()?;
                Ok((resnets, upsample))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            scaling_factor: config.scaling_factor,
            post_quant,
            conv_in: Conv2d::new(latent, first, ConvShape::Same, &weights.pp("conv_in"))?,
            middle: (
                Resnet::new(first, first, None, norm, &middle.pp("resnets.0"))?,
                MiddleAttention::new(first, config.norm_num_groups, &middle.pp("attentions.0"))?,
                Resnet::new(first, first, None, norm, &middle.pp("resnets.1"))?,
            ),
            up,
            norm_out: GroupNorm::new(config.norm_num_groups, last, EPS, &weights.pp("conv_norm_out"))?,
            conv_out: Conv2d::new(last, config.out_channels, ConvShape::Same, &weights.pp("conv_out"))?,
        })
    }

    /// `[batch, latent channels, h, w]` to `[batch, 3, factor h, factor w]`, about -1 to 1.
    pub(super) fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let mut xs = (latents / self.scaling_factor)?;
        if let Some(post_quant) = &self.post_quant {
            xs = post_quant.forward(&xs)?;
        }
        let (before, attention, after) = &self.middle;
        xs = before.forward(&self.conv_in.forward(&xs)?, None)?;
        xs = after.forward(&attention.forward(&xs)?, None)?;
        for (resnets, upsample) in &self.up {
            for resnet in resnets {
                xs = resnet.forward(&xs, None)?;
            }
            if let Some(upsample) = upsample {
                xs = upsample.forward(&xs.upsample_nearest2d(2 * xs.dim(2)?, 2 * xs.dim(3)?)?)?;
            }
        }
        self.conv_out.forward(&silu(&self.norm_out.forward(&xs)?)?)
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
