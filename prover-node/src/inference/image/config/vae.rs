//! The autoencoder's config: `AutoencoderKL`, of which only the decoder is used.

use serde::Deserialize;

use super::{VAE_CONFIG, check_sizes, divide, yes};
use crate::inference::{
    InferenceError,
    config::{Config, unsupported},
};

/// `AutoencoderKL`, of which only the decoder is used.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct VaeConfig {
    pub(crate) latent_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) block_out_channels: Vec<usize>,
    pub(crate) up_block_types: Vec<DecoderBlock>,
    pub(crate) layers_per_block: usize,
    pub(crate) norm_num_groups: usize,
    #[serde(default = "sd_scaling_factor")]
    pub(crate) scaling_factor: f64,
    /// By latent channel; of SDXL only.
    pub(crate) latents_mean: Option<Vec<f64>>,
    pub(crate) latents_std: Option<Vec<f64>>,
    #[serde(default = "yes")]
    pub(crate) use_post_quant_conv: bool,
    #[serde(default = "yes")]
    pub(crate) mid_block_add_attention: bool,
    /// Decode in f32 whatever the arithmetic of the rest: half precision overflows in some decoders.
    #[serde(default = "yes")]
    pub(crate) force_upcast: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum DecoderBlock {
    #[serde(rename = "UpDecoderBlock2D")]
    Plain,
}

impl Config for VaeConfig {
    const FILE: &'static str = VAE_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] =
        &[("_class_name", "\"AutoencoderKL\""), ("act_fn", "\"silu\""), ("shift_factor", "null or 0")];
    const IGNORED: &'static [&'static str] = &["in_channels", "down_block_types", "sample_size", "use_quant_conv"];
}

impl VaeConfig {
    /// Refuses what no decoder can be built from.
    pub(crate) fn check(&self) -> Result<(), InferenceError> {
        let channels = &self.block_out_channels;
        let refuse = |supported| Err(unsupported(VAE_CONFIG, "block_out_channels", channels.clone(), supported));
        let widths = channels.iter().map(|width| ("block_out_channels", *width));
        let others = [("latent_channels", self.latent_channels), ("layers_per_block", self.layers_per_block)];
        check_sizes(VAE_CONFIG, &widths.chain(others).collect::<Vec<_>>())?;
        if !(1..16).contains(&channels.len()) || self.up_block_types.len() != channels.len() {
            return refuse("one width for each of up_block_types");
        }
        if !divide(self.norm_num_groups, channels) {
            return refuse("multiples of norm_num_groups");
        }
        if !(self.scaling_factor.is_finite() && self.scaling_factor > 0.0) {
            return Err(unsupported(VAE_CONFIG, "scaling_factor", self.scaling_factor, "positive numbers"));
        }
        for (key, values) in [("latents_mean", &self.latents_mean), ("latents_std", &self.latents_std)] {
            if let Some(values) = values.as_ref().filter(|values| values.len() != self.latent_channels) {
                return Err(unsupported(VAE_CONFIG, key, values.clone(), "one number for each latent channel"));
            }
        }
        Ok(())
    }

    /// Picture pixels to a latent pixel, along a side.
    pub(crate) fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

fn sd_scaling_factor() -> f64 {
    0.18215
}
