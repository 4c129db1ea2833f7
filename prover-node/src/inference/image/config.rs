//! The configs of a model's components, as `diffusers` and `transformers` write them.
//!
//! What would change the picture is read or refused by name, and never ignored: see [`parse`](crate::inference::config::parse).

use serde::Deserialize;

use crate::inference::{
    InferenceError,
    config::{Config, unsupported},
};

pub(super) const TEXT_CONFIG: &str = "text_encoder/config.json";
pub(super) const UNET_CONFIG: &str = "unet/config.json";
pub(super) const VAE_CONFIG: &str = "vae/config.json";
pub(super) const SCHEDULER_CONFIG: &str = "scheduler/scheduler_config.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer/tokenizer_config.json";

/// `CLIPTextModel`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TextConfig {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) hidden_act: TextActivation,
    #[serde(default = "layer_norm_eps")]
    pub(super) layer_norm_eps: f64,
}

/// Between the two layers of a CLIP block.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TextActivation {
    /// `x sigmoid(1.702 x)`.
    QuickGelu,
    /// With the error function.
    Gelu,
}

/// `UNet2DConditionModel`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct UnetConfig {
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) down_block_types: Vec<DownBlock>,
    pub(super) up_block_types: Vec<UpBlock>,
    pub(super) block_out_channels: Vec<usize>,
    pub(super) layers_per_block: usize,
    pub(super) cross_attention_dim: usize,
    /// In spite of its name the *number* of heads, of all blocks or block by block.
    pub(super) attention_head_dim: PerBlock,
    pub(super) norm_num_groups: usize,
    pub(super) norm_eps: f64,
    #[serde(default = "yes")]
    pub(super) flip_sin_to_cos: bool,
    #[serde(default)]
    pub(super) freq_shift: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum DownBlock {
    #[serde(rename = "CrossAttnDownBlock2D")]
    CrossAttention,
    #[serde(rename = "DownBlock2D")]
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum UpBlock {
    #[serde(rename = "CrossAttnUpBlock2D")]
    CrossAttention,
    #[serde(rename = "UpBlock2D")]
    Plain,
}

/// One number for all blocks, or one for each.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum PerBlock {
    All(usize),
    Each(Vec<usize>),
}

/// `AutoencoderKL`, of which only the decoder is used.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct VaeConfig {
    pub(super) latent_channels: usize,
    pub(super) out_channels: usize,
    pub(super) block_out_channels: Vec<usize>,
    pub(super) up_block_types: Vec<DecoderBlock>,
    pub(super) layers_per_block: usize,
    pub(super) norm_num_groups: usize,
    #[serde(default = "sd_scaling_factor")]
    pub(super) scaling_factor: f64,
    #[serde(default = "yes")]
    pub(super) use_post_quant_conv: bool,
    /// Decode in f32 whatever the arithmetic of the rest: half precision overflows in some decoders.
    #[serde(default = "yes")]
    pub(super) force_upcast: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum DecoderBlock {
    #[serde(rename = "UpDecoderBlock2D")]
    Plain,
}

/// Any scheduler of the DDPM family: the schedule is the model's, the solver is the job's.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SchedulerConfig {
    pub(super) num_train_timesteps: usize,
    pub(super) beta_start: f64,
    pub(super) beta_end: f64,
    pub(super) beta_schedule: BetaSchedule,
    #[serde(default)]
    pub(super) prediction_type: Prediction,
    #[serde(default)]
    pub(super) timestep_spacing: Spacing,
    #[serde(default)]
    pub(super) steps_offset: usize,
    #[serde(default = "yes")]
    pub(super) set_alpha_to_one: bool,
    #[serde(default = "yes")]
    clip_sample: bool,
    #[serde(default = "one")]
    clip_sample_range: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BetaSchedule {
    Linear,
    ScaledLinear,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Prediction {
    /// The noise.
    #[default]
    Epsilon,
    /// The velocity of arXiv 2202.00512.
    VPrediction,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Spacing {
    #[default]
    Leading,
    Trailing,
    Linspace,
}

/// `CLIPTokenizer`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TokenizerConfig {
    pub(super) bos_token: SpecialToken,
    pub(super) eos_token: SpecialToken,
    pub(super) pad_token: Option<SpecialToken>,
    pub(super) model_max_length: usize,
}

/// A token's text, bare or with how it is matched.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum SpecialToken {
    Bare(String),
    Described { content: String },
}

impl Config for TextConfig {
    const FILE: &'static str = TEXT_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] = &[("model_type", "\"clip_text_model\"")];
    const IGNORED: &'static [&'static str] = &[
        "architectures",
        "attention_dropout",
        "bos_token_id",
        "dropout",
        "dtype",
        "eos_token_id",
        "initializer_factor",
        "initializer_range",
        "pad_token_id",
        "projection_dim",
        "torch_dtype",
        "transformers_version",
    ];
}

impl Config for UnetConfig {
    const FILE: &'static str = UNET_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] = &[
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
        ("transformer_layers_per_block", "1"),
    ];
    // Attention scores are always in f32, so that `upcast_attention` asks for nothing more; and a projection is the same
    // whether it was saved as a matrix (`use_linear_projection`) or as a 1x1 convolution.
    const IGNORED: &'static [&'static str] =
        &["sample_size", "dropout", "addition_embed_type_num_heads", "upcast_attention", "use_linear_projection"];
}

impl Config for VaeConfig {
    const FILE: &'static str = VAE_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] =
        &[("act_fn", "\"silu\""), ("mid_block_add_attention", "true")];
    const IGNORED: &'static [&'static str] = &["in_channels", "down_block_types", "sample_size", "use_quant_conv"];
}

impl Config for SchedulerConfig {
    const FILE: &'static str = SCHEDULER_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] = &[];
    // Of thresholding only the switch matters; the rest belongs to other solvers than ours.
    const IGNORED: &'static [&'static str] = &["dynamic_thresholding_ratio", "sample_max_value", "skip_prk_steps"];
}

impl Config for TokenizerConfig {
    const FILE: &'static str = TOKENIZER_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] =
        &[("tokenizer_class", "\"CLIPTokenizer\""), ("do_lower_case", "true")];
    const IGNORED: &'static [&'static str] = &[
        "add_prefix_space",
        "added_tokens_decoder",
        "clean_up_tokenization_spaces",
        "errors",
        "extra_special_tokens",
        "name_or_path",
        "special_tokens_map_file",
        "unk_token",
    ];
}

impl TextConfig {
    /// Refuses what no encoder can be built from.
    pub(super) fn check(&self) -> Result<(), InferenceError> {
        match divide(self.num_attention_heads, &[self.hidden_size]) {
            true => Ok(()),
            false => Err(unsupported(
                TEXT_CONFIG,
                "num_attention_heads",
                self.num_attention_heads,
                "a divisor of hidden_size",
            )),
        }
    }
}

impl UnetConfig {
    /// Refuses what no UNet can be built from.
    pub(super) fn check(&self) -> Result<(), InferenceError> {
        let blocks = self.block_out_channels.len();
        let refuse = |key, supported| Err(unsupported(UNET_CONFIG, key, self.block_out_channels.clone(), supported));
        if blocks == 0 || [self.down_block_types.len(), self.up_block_types.len()] != [blocks; 2] {
            return refuse("block_out_channels", "one width for each of down_block_types and of up_block_types");
        }
        if !divide(self.norm_num_groups, &self.block_out_channels) {
            return refuse("block_out_channels", "multiples of norm_num_groups");
        }
        let divides = |block: usize| {
            self.heads(block).is_some_and(|heads| divide(heads, &self.block_out_channels[block..=block]))
        };
        if !(0..blocks).all(divides) {
            return refuse("block_out_channels", "multiples of attention_head_dim, the number of heads");
        }
        Ok(())
    }

    /// Heads of block `block`, counted from the input.
    pub(super) fn heads(&self, block: usize) -> Option<usize> {
        match &self.attention_head_dim {
            PerBlock::All(heads) => Some(*heads),
            PerBlock::Each(heads) => heads.get(block).copied(),
        }
    }
}

impl VaeConfig {
    /// Refuses what no decoder can be built from.
    pub(super) fn check(&self) -> Result<(), InferenceError> {
        let channels = &self.block_out_channels;
        let refuse = |supported| Err(unsupported(VAE_CONFIG, "block_out_channels", channels.clone(), supported));
        if !(1..16).contains(&channels.len()) || self.up_block_types.len() != channels.len() {
            return refuse("one width for each of up_block_types");
        }
        if !divide(self.norm_num_groups, channels) {
            return refuse("multiples of norm_num_groups");
        }
        Ok(())
    }

    /// Picture pixels to a latent pixel, along a side.
    pub(super) fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

fn divide(divisor: usize, numbers: &[usize]) -> bool {
    divisor > 0 && numbers.iter().all(|number| *number > 0 && number % divisor == 0)
}

impl SchedulerConfig {
    /// The range that predicted pictures are clipped to, if they are.
    pub(super) fn clip(&self) -> Option<f64> {
        self.clip_sample.then_some(self.clip_sample_range)
    }
}

impl SpecialToken {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Bare(text) | Self::Described { content: text } => text,
        }
    }
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

fn layer_norm_eps() -> f64 {
    1e-5
}

fn sd_scaling_factor() -> f64 {
    0.18215
}
