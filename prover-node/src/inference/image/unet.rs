//! The UNet: `UNet2DConditionModel` of `diffusers`, with its names and its config.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::{
    config::{DownBlock, UnetConfig, UpBlock},
    layers::{Conv2d, GroupNorm, HalvingConv, Linear, silu},
    resnet::Resnet,
    transformer::Transformer,
};
use crate::inference::Attention;

/// Predicts what is noise in a latent, given a text.
#[derive(Debug)]
pub(super) struct Unet {
    time: (Waves, Embedding),
    added: Option<(Waves, Embedding)>,
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
    downsample: Option<HalvingConv>,
}

#[derive(Debug)]
struct Up {
    layers: Vec<(Resnet, Option<Transformer>)>,
    upsample: Option<Conv2d>,
}

/// What the UNet is told beside a latent and a timestep, in a row for each latent of a batch.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// `[batch, length, width]`.
    texts: Tensor,
    /// `[batch, time width]`, in f32: what is added to the timestep's embedding.
    added: Option<Tensor>,
}

impl Condition {
    /// Only the row `i`.
    pub(super) fn row(&self, i: usize) -> Result<Self> {
        let added = self.added.as_ref().map(|added| added.narrow(0, i, 1)).transpose()?;
        Ok(Self { texts: self.texts.narrow(0, i, 1)?, added })
    }
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
            time: (Waves::new(config, first), Embedding::new(first, build.time_width, &weights.pp("time_embedding"))?),
            added: config
                .added_widths()
                .map(|(waves, inputs)| {
                    let embedding = Embedding::new(inputs, build.time_width, &weights.pp("add_embedding"))?;
                    Ok::<_, candle_core::Error>((Waves::new(config, waves), embedding))
                })
                .transpose()?,
            conv_in: Conv2d::new(config.in_channels, first, &weights.pp("conv_in"))?,
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
            conv_out: Conv2d::new(first, config.out_channels, &weights.pp("conv_out"))?,
        })
    }

    /// For a picture of `size`, its height and width in pixels. Of `texts` `[batch, length, width]`, and, in models that
    /// are told more, of what they come to as a whole and of the picture's size: `pooled` is `[batch, width]`.
    pub(super) fn condition(&self, texts: Tensor, pooled: Option<&Tensor>, size: [u32; 2]) -> Result<Condition> {
        let added = match (&self.added, pooled) {
            (Some((waves, embedding)), Some(pooled)) => {
                // The size that the picture was scaled from, what was cut off above and to the left, and its size.
                let [height, width] = size.map(f64::from);
                let sizes = [height, width, 0.0, 0.0, height, width].map(|size| waves.of(size)).concat();
                let sizes = Tensor::new(sizes, pooled.device())?.unsqueeze(0)?.repeat((pooled.dim(0)?, 1))?;
                Some(embedding.forward(&Tensor::cat(&[&pooled.to_dtype(DType::F32)?, &sizes], 1)?)?)
            }
            _ => None,
        };
        Ok(Condition { texts, added })
    }

    /// The prediction for `latents` `[batch, channels, height, width]` at `timestep`, in the type of the condition's texts.
    pub(super) fn predict(&self, latents: &Tensor, timestep: usize, condition: &Condition) -> Result<Tensor> {
        let Condition { texts, added } = condition;
        let mut time = self.embed(timestep, latents.dim(0)?, latents.device())?;
        if let Some(added) = added {
            time = (time + added)?;
        }
        let time = time.to_dtype(texts.dtype())?;

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
                xs = upsample.enlarged(&xs, skip.dim(2)?, skip.dim(3)?)?;
            }
        }
        self.conv_out.activated(&self.norm_out, &xs)
    }

    /// `[batch, time width]` in f32: half precision does not tell large timesteps apart.
    fn embed(&self, timestep: usize, batch: usize, device: &Device) -> Result<Tensor> {
        let (waves, embedding) = &self.time;
        embedding.forward(&Tensor::new(waves.of(timestep as f64), device)?.unsqueeze(0)?.repeat((batch, 1))?)
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
            .then(|| HalvingConv::new(here, here, &weights.pp("downsamplers.0.conv")))
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
        let upsample = (block > 0).then(|| Conv2d::new(here, here, &weights.pp("upsamplers.0.conv"))).transpose()?;
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

/// A number as sines and cosines, of which one half or the other changes with any difference.
#[derive(Debug)]
struct Waves {
    frequencies: Vec<f64>,
    cosines_first: bool,
}

impl Waves {
    fn new(config: &UnetConfig, width: usize) -> Self {
        let half = width / 2;
        let exponent = |i: usize| -(10_000f64.ln()) * i as f64 / (half as f64 - config.freq_shift);
        Self { frequencies: (0..half).map(|i| exponent(i).exp()).collect(), cosines_first: config.flip_sin_to_cos }
    }

    fn of(&self, number: f64) -> Vec<f32> {
        let angles = self.frequencies.iter().map(|frequency| number * frequency);
        let (sines, cosines): (Vec<f32>, Vec<f32>) = angles.map(|a| (libm::sin(a) as f32, libm::cos(a) as f32)).unzip();
        if self.cosines_first { [cosines, sines] } else { [sines, cosines] }.concat()
    }
}

/// Two layers.
#[derive(Debug)]
struct Embedding {
    widen: Linear,
    mix: Linear,
}

impl Embedding {
    fn new(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self {
            widen: Linear::new(inputs, outputs, &weights.pp("linear_1"))?,
            mix: Linear::new(outputs, outputs, &weights.pp("linear_2"))?,
        })
    }
}

impl Module for Embedding {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.mix.forward(&silu(&self.widen.forward(xs)?)?)
    }
}
