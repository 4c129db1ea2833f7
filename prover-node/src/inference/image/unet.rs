//! The UNet: `UNet2DConditionModel` of `diffusers`, with its names and its config.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::{
    config::{DownBlock, UnetConfig, UpBlock},
    layers::{Conv2d, ConvShape, GroupNorm, Linear},
    resnet::{Resnet, silu},
    transformer::Transformer,
};
use crate::inference::Attention;

/// Predicts what is noise in a latent, given a text.
#[derive(Debug)]
pub(super) struct Unet {
    time: TimeEmbedding,
    conv_in: Conv2d,
    down: Vec<Down>,
    middle: (Resnet, Transformer, Resnet),
    up: Vec<Up>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

#[derive(Debug)]
struct Down {
    layers: Vec<(Resnet, Option<Transformer>)>,
    downsample: Option<Conv2d>,
}

#[derive(Debug)]
struct Up {
    layers: Vec<(Resnet, Option<Transformer>)>,
    upsample: Option<Conv2d>,
}

/// What every block is built with.
struct Builder<'a> {
    config: &'a UnetConfig,
    attention: Attention,
    time_width: usize,
}

impl Unet {
    pub(super) fn new(config: &UnetConfig, attention: Attention, weights: &VarBuilder<'_>) -> Result<Self> {
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let build = Builder { config, attention, time_width: 4 * first };
        let middle = weights.pp("mid_block");
        Ok(Self {
            time: TimeEmbedding::new(config, first, build.time_width, &weights.pp("time_embedding"))?,
            conv_in: Conv2d::new(config.in_channels, first, ConvShape::Same, &weights.pp("conv_in"))?,
            down: (0..channels.len())
                .map(|i| build.down(i, &weights.pp("down_blocks").pp(i)))
                .collect::<Result<_>>()?,
            middle: (
                build.resnet(last, last, &middle.pp("resnets.0"))?,
                build.transformer(channels.len() - 1, &middle.pp("attentions.0"))?,
                build.resnet(last, last, &middle.pp("resnets.1"))?,
            ),
            up: (0..channels.len()).map(|i| build.up(i, &weights.pp("up_blocks").pp(i))).collect::<Result<_>>()?,
            norm_out: GroupNorm::new(config.norm_num_groups, first, config.norm_eps, &weights.pp("conv_norm_out"))?,
            conv_out: Conv2d::new(first, config.out_channels, ConvShape::Same, &weights.pp("conv_out"))?,
        })
    }

    /// The prediction for `latents` `[batch, channels, height, width]` at `timestep`; `texts` are
    /// `[batch, length, width]`. The result is in the type of the texts.
    pub(super) fn predict(&self, latents: &Tensor, timestep: usize, texts: &Tensor) -> Result<Tensor> {
        let batch = latents.dim(0)?;
        let time = self.time.embed(timestep, batch, latents.device())?.to_dtype(texts.dtype())?;

        let mut xs = self.conv_in.forward(&latents.to_dtype(texts.dtype())?)?;
        let mut skips = vec![xs.clone()];
        for block in &self.down {
            for (resnet, transformer) in &block.layers {
                xs = layer(resnet, transformer.as_ref(), &xs, &time, texts)?;
                skips.push(xs.clone());
            }
            if let Some(downsample) = &block.downsample {
                xs = downsample.forward(&xs)?;
                skips.push(xs.clone());
            }
        }

        let (before, transformer, after) = &self.middle;
        xs = layer(before, Some(transformer), &xs, &time, texts)?;
        xs = after.forward(&xs, Some(&time))?;

        for block in &self.up {
            for (resnet, transformer) in &block.layers {
                if let Some(skip) = skips.pop() {
                    xs = Tensor::cat(&[&xs, &skip], 1)?;
                }
                xs = layer(resnet, transformer.as_ref(), &xs, &time, texts)?;
            }
            if let (Some(upsample), Some(skip)) = (&block.upsample, skips.last()) {
                // To the size of what comes next: an odd side was rounded up on the way down.
                xs = upsample.forward(&xs.upsample_nearest2d(skip.dim(2)?, skip.dim(3)?)?)?;
            }
        }
        self.conv_out.forward(&silu(&self.norm_out.forward(&xs)?)?)
    }
}

fn layer(
    resnet: &Resnet,
    transformer: Option<&Transformer>,
    xs: &Tensor,
    time: &Tensor,
    texts: &Tensor,
) -> Result<Tensor> {
    let xs = resnet.forward(xs, Some(time))?;
    transformer.map_or(Ok(xs.clone()), |transformer| transformer.forward(&xs, texts))
}

impl Builder<'_> {
    fn down(&self, i: usize, weights: &VarBuilder<'_>) -> Result<Down> {
        let channels = &self.config.block_out_channels;
        let (before, here) = (channels[i.saturating_sub(1)], channels[i]);
        let attends = self.config.down_block_types[i] == DownBlock::CrossAttention;
        let layers = (0..self.config.layers_per_block)
            .map(|j| self.layer(if j == 0 { before } else { here }, i, attends, j, weights))
            .collect::<Result<_>>()?;
        let downsample = (i + 1 < channels.len())
            .then(|| Conv2d::new(here, here, ConvShape::Halving, &weights.pp("downsamplers.0.conv")))
            .transpose()?;
        Ok(Down { layers, downsample })
    }

    fn up(&self, i: usize, weights: &VarBuilder<'_>) -> Result<Up> {
        let channels = &self.config.block_out_channels;
        let block = channels.len() - 1 - i;
        let (below, here, above) =
            (channels[(block + 1).min(channels.len() - 1)], channels[block], channels[block.saturating_sub(1)]);
        let attends = self.config.up_block_types[i] == UpBlock::CrossAttention;
        let last = self.config.layers_per_block;
        let layers = (0..=last)
            .map(|j| {
                let skip = if j == last { above } else { here };
                self.layer(if j == 0 { below } else { here } + skip, block, attends, j, weights)
            })
            .collect::<Result<_>>()?;
        let upsample = (block > 0)
            .then(|| Conv2d::new(here, here, ConvShape::Same, &weights.pp("upsamplers.0.conv")))
            .transpose()?;
        Ok(Up { layers, upsample })
    }

    fn layer(
        &self,
        inputs: usize,
        block: usize,
        attends: bool,
        j: usize,
        weights: &VarBuilder<'_>,
    ) -> Result<(Resnet, Option<Transformer>)> {
        let outputs = self.config.block_out_channels[block];
        let resnet = self.resnet(inputs, outputs, &weights.pp("resnets").pp(j))?;
        let transformer = attends.then(|| self.transformer(block, &weights.pp("attentions").pp(j))).transpose()?;
        Ok((resnet, transformer))
    }

    fn resnet(&self, inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Resnet> {
        let norm = (self.config.norm_num_groups, self.config.norm_eps);
        Resnet::new(inputs, outputs, Some(self.time_width), norm, weights)
    }

    fn transformer(&self, block: usize, weights: &VarBuilder<'_>) -> Result<Transformer> {
        Transformer::new(self.config, block, self.attention, weights)
    }
}

/// Sines and cosines of the timestep, and two layers.
#[derive(Debug)]
struct TimeEmbedding {
    frequencies: Vec<f64>,
    cosines_first: bool,
    widen: Linear,
    mix: Linear,
}

impl TimeEmbedding {
    fn new(config: &UnetConfig, channels: usize, width: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        let half = channels / 2;
        let exponent = |i: usize| -(10_000f64.ln()) * i as f64 / (half as f64 - config.freq_shift);
        Ok(Self {
            frequencies: (0..half).map(|i| exponent(i).exp()).collect(),
            cosines_first: config.flip_sin_to_cos,
            widen: Linear::new(channels, width, &weights.pp("linear_1"))?,
            mix: Linear::new(width, width, &weights.pp("linear_2"))?,
        })
    }

    /// `[batch, width]` in f32: half precision does not tell large timesteps apart.
    fn embed(&self, timestep: usize, batch: usize, device: &Device) -> Result<Tensor> {
        let angles = self.frequencies.iter().map(|frequency| timestep as f64 * frequency);
        let (sines, cosines): (Vec<f32>, Vec<f32>) = angles.map(|a| (libm::sin(a) as f32, libm::cos(a) as f32)).unzip();
        let waves = if self.cosines_first { [cosines, sines] } else { [sines, cosines] }.concat();
        let waves = Tensor::new(waves, device)?.unsqueeze(0)?.repeat((batch, 1))?;
        self.mix.forward(&silu(&self.widen.forward(&waves)?)?)
    }
}
