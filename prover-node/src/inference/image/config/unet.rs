//! The UNet's config: `UNet2DConditionModel`.

use serde::Deserialize;

use super::{LARGEST, UNET_CONFIG, check_sizes, divide, yes};
use crate::inference::{
    InferenceError,
    config::{Config, unsupported},
};

/// `UNet2DConditionModel`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct UnetConfig {
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) down_block_types: Vec<DownBlock>,
    pub(crate) up_block_types: Vec<UpBlock>,
    pub(crate) block_out_channels: Vec<usize>,
    pub(crate) layers_per_block: usize,
    pub(crate) cross_attention_dim: usize,
    /// In spite of its name the *number* of heads, of all blocks or block by block.
    pub(crate) attention_head_dim: PerBlock,
    /// Blocks of a transformer.
    #[serde(default = "one_each")]
    pub(crate) transformer_layers_per_block: PerBlock,
    pub(crate) norm_num_groups: usize,
    pub(crate) norm_eps: f64,
    #[serde(default = "yes")]
    pub(crate) flip_sin_to_cos: bool,
    #[serde(default)]
    pub(crate) freq_shift: f64,
    /// What the UNet is told beside the timestep and the texts.
    pub(crate) addition_embed_type: Option<Addition>,
    pub(crate) addition_time_embed_dim: Option<usize>,
    pub(crate) projection_class_embeddings_input_dim: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Addition {
    /// The pooled text, and six sizes.
    TextTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum DownBlock {
    #[serde(rename = "CrossAttnDownBlock2D")]
    CrossAttention,
    #[serde(rename = "DownBlock2D")]
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum UpBlock {
    #[serde(rename = "CrossAttnUpBlock2D")]
    CrossAttention,
    #[serde(rename = "UpBlock2D")]
    Plain,
}

/// One number for all blocks, or one for each.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a number for all blocks, or a list with one for each")]
pub(crate) enum PerBlock {
    All(usize),
    Each(Vec<usize>),
}

impl Config for UnetConfig {
    const FILE: &'static str = UNET_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] = &[
        ("_class_name", "\"UNet2DConditionModel\""),
        ("act_fn", "\"silu\""),
        ("attention_type", "\"default\""),
        ("conv_in_kernel", "3"),
        ("conv_out_kernel", "3"),
        ("downsample_padding", "1"),
        ("mid_block_scale_factor", "1"),
        ("mid_block_type", "\"UNetMidBlock2DCrossAttn\""),
        ("resnet_out_scale_factor", "1"),
        ("resnet_time_scale_shift", "\"default\""),
        ("time_embedding_type", "\"positional\""),
    ];
    // Attention scores are always in f32, so that `upcast_attention` asks for nothing more; and a projection is the same
    // whether it was saved as a matrix (`use_linear_projection`) or as a 1x1 convolution.
    const IGNORED: &'static [&'static str] =
        &["sample_size", "dropout", "addition_embed_type_num_heads", "upcast_attention", "use_linear_projection"];
}

impl UnetConfig {
    /// Refuses what no UNet can be built from.
    pub(crate) fn check(&self) -> Result<(), InferenceError> {
        let blocks = self.block_out_channels.len();
        let refuse = |key, supported| Err(unsupported(UNET_CONFIG, key, self.block_out_channels.clone(), supported));
        let widths = self.block_out_channels.iter().map(|width| ("block_out_channels", *width));
        let others = [
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("layers_per_block", self.layers_per_block),
            ("cross_attention_dim", self.cross_attention_dim),
            ("addition_time_embed_dim", self.addition_time_embed_dim.unwrap_or(1)),
            ("projection_class_embeddings_input_dim", self.projection_class_embeddings_input_dim.unwrap_or(1)),
        ];
        check_sizes(UNET_CONFIG, &widths.chain(others).collect::<Vec<_>>())?;
        if blocks == 0 || [self.down_block_types.len(), self.up_block_types.len()] != [blocks; 2] {
            return refuse("block_out_channels", "one width for each of down_block_types and of up_block_types");
        }
        if !divide(self.norm_num_groups, &self.block_out_channels) {
            return refuse("block_out_channels", "multiples of norm_num_groups");
        }
        if !self.block_out_channels[0].is_multiple_of(2) {
            return refuse("block_out_channels", "an even first width, half for sines and half for cosines");
        }
        let divides = |block: usize| {
            self.heads(block).is_some_and(|heads| divide(heads, &self.block_out_channels[block..=block]))
        };
        if !(0..blocks).all(divides) {
            return refuse("block_out_channels", "multiples of attention_head_dim, the number of heads");
        }
        if !(0..blocks).all(|block| self.transformer_layers_per_block.of(block).is_some_and(|depth| depth <= LARGEST)) {
            let depths = match &self.transformer_layers_per_block {
                PerBlock::All(depth) => vec![*depth],
                PerBlock::Each(depths) => depths.clone(),
            };
            return Err(unsupported(UNET_CONFIG, "transformer_layers_per_block", depths, "a depth for each block"));
        }
        if self.addition_embed_type.is_some()
            && (self.addition_time_embed_dim.is_none_or(|width| !width.is_multiple_of(2))
                || self.projection_class_embeddings_input_dim.is_none())
        {
            return Err(unsupported(
                UNET_CONFIG,
                "addition_embed_type",
                "text_time",
                "it with projection_class_embeddings_input_dim and an even addition_time_embed_dim",
            ));
        }
        Ok(())
    }

    /// Of what is told beside the timestep and the texts: the width of one size's waves, and of all of it together.
    pub(crate) fn added_widths(&self) -> Option<(usize, usize)> {
        self.addition_embed_type?;
        Some((self.addition_time_embed_dim?, self.projection_class_embeddings_input_dim?))
    }

    /// Heads of block `block`, counted from the input.
    pub(crate) fn heads(&self, block: usize) -> Option<usize> {
        self.attention_head_dim.of(block)
    }
}

impl PerBlock {
    /// Of block `block`, counted from the input.
    pub(crate) fn of(&self, block: usize) -> Option<usize> {
        match self {
            Self::All(number) => Some(*number),
            Self::Each(numbers) => numbers.get(block).copied(),
        }
    }
}

fn one_each() -> PerBlock {
    PerBlock::All(1)
}
