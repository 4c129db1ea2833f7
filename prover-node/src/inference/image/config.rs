//! The configs of a model's components, as `diffusers` and `transformers` write them.
//!
//! What would change the picture is read or refused by name, and never ignored: see [`parse`](crate::inference::config::parse).

use serde::Deserialize;

use crate::inference::{
    InferenceError,
    config::{Config, unsupported},
};

pub(super) const MODEL_INDEX: &str = "model_index.json";
pub(super) const TEXT_CONFIG: &str = "text_encoder/config.json";
pub(super) const SECOND_TEXT_CONFIG: &str = "text_encoder_2/config.json";
pub(super) const UNET_CONFIG: &str = "unet/config.json";
pub(super) const VAE_CONFIG: &str = "vae/config.json";
pub(super) const SCHEDULER_CONFIG: &str = "scheduler/scheduler_config.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer/tokenizer_config.json";
pub(super) const SECOND_TOKENIZER_CONFIG: &str = "tokenizer_2/tokenizer_config.json";

/// No size in a config is larger; the largest that is known is CLIP's vocabulary of 49,408.
const LARGEST: usize = 1 << 16;

/// How the components are put together.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ModelIndex {
    #[serde(rename = "_class_name")]
    pub(super) pipeline: PipelineClass,
    /// Of [`PipelineClass::Xl`]: no negative prompt is a text of zeros, and not the empty text.
    #[serde(default = "yes")]
    pub(super) force_zeros_for_empty_prompt: bool,
}

/// What the parts are computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum PipelineClass {
    /// Stable Diffusion 1.x and 2.x: one text encoder.
    #[serde(rename = "StableDiffusionPipeline")]
    Original,
    /// SDXL and SDXL-Turbo: two text encoders, and a UNet that is told the picture's size.
    #[serde(rename = "StableDiffusionXLPipeline")]
    Xl,
}

/// `CLIPTextModel` and `CLIPTextModelWithProjection`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TextConfig {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) max_position_embeddings: usize,
    #[serde(default)]
    pub(super) hidden_act: TextActivation,
    #[serde(default = "layer_norm_eps")]
    pub(super) layer_norm_eps: f64,
    /// Width of the pooled text.
    #[serde(default = "projection_dim")]
    pub(super) projection_dim: usize,
    /// At whose place the pooled text is taken.
    #[serde(default = "eos_token_id")]
    pub(super) eos_token_id: u32,
}

/// Between the two layers of a CLIP block.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TextActivation {
    /// `x sigmoid(1.702 x)`.
    #[default]
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
    /// Blocks of a transformer.
    #[serde(default = "one_each")]
    pub(super) transformer_layers_per_block: PerBlock,
    pub(super) norm_num_groups: usize,
    pub(super) norm_eps: f64,
    #[serde(default = "yes")]
    pub(super) flip_sin_to_cos: bool,
    #[serde(default)]
    pub(super) freq_shift: f64,
    /// What the UNet is told beside the timestep and the texts.
    pub(super) addition_embed_type: Option<Addition>,
    pub(super) addition_time_embed_dim: Option<usize>,
    pub(super) projection_class_embeddings_input_dim: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Addition {
    /// The pooled text, and six sizes.
    TextTime,
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
#[serde(untagged, expecting = "expected a number for all blocks, or a list with one for each")]
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
    /// By latent channel; of SDXL only.
    pub(super) latents_mean: Option<Vec<f64>>,
    pub(super) latents_std: Option<Vec<f64>>,
    #[serde(default = "yes")]
    pub(super) use_post_quant_conv: bool,
    #[serde(default = "yes")]
    pub(super) mid_block_add_attention: bool,
    /// Decode in f32 whatever the arithmetic of the rest: half precision overflows in some decoders.
    #[serde(default = "yes")]
    pub(super) force_upcast: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum DecoderBlock {
    #[serde(rename = "UpDecoderBlock2D")]
    Plain,
}

/// Any scheduler of the DDPM family: the schedule is the model's, the solver is the job's. What is missing is what the
/// solver's own scheduler would take, as `from_pretrained` of `diffusers` does it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SchedulerConfig {
    #[serde(default = "num_train_timesteps")]
    pub(super) num_train_timesteps: usize,
    #[serde(default = "beta_start")]
    pub(super) beta_start: f64,
    #[serde(default = "beta_end")]
    pub(super) beta_end: f64,
    #[serde(default)]
    pub(super) beta_schedule: BetaSchedule,
    pub(super) trained_betas: Option<Vec<f64>>,
    #[serde(default)]
    pub(super) rescale_betas_zero_snr: bool,
    #[serde(default)]
    pub(super) prediction_type: Prediction,
    pub(super) timestep_spacing: Option<Spacing>,
    #[serde(default)]
    pub(super) steps_offset: usize,
    #[serde(default = "yes")]
    pub(super) set_alpha_to_one: bool,
    #[serde(default = "yes")]
    clip_sample: bool,
    #[serde(default = "one")]
    clip_sample_range: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BetaSchedule {
    #[default]
    Linear,
    ScaledLinear,
    SquaredcosCapV2,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Spacing {
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
    pub(super) unk_token: Option<SpecialToken>,
    pub(super) model_max_length: usize,
}

/// A token's text, bare or with how it is matched.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum SpecialToken {
    Bare(String),
    Described { content: String },
}

impl Config for ModelIndex {
    const FILE: &'static str = MODEL_INDEX;
    const FIXED: &'static [(&'static str, &'static str)] = &[
        ("scheduler", SCHEDULERS),
        ("text_encoder", r#"["transformers", "CLIPTextModel"]"#),
        ("text_encoder_2", r#"["transformers", "CLIPTextModelWithProjection"]"#),
        ("tokenizer", TOKENIZERS),
        ("tokenizer_2", TOKENIZERS),
        ("unet", r#"["diffusers", "UNet2DConditionModel"]"#),
        ("vae", r#"["diffusers", "AutoencoderKL"]"#),
    ];
    // A safety checker blackens pictures after they are made, and a watermark would be put over them.
    const IGNORED: &'static [&'static str] =
        &["add_watermarker", "feature_extractor", "image_encoder", "requires_safety_checker", "safety_checker"];
}

const TOKENIZERS: &str = r#"["transformers", "CLIPTokenizer"] or ["transformers", "CLIPTokenizerFast"]"#;

/// Those whose configs state a schedule of the DDPM family.
const SCHEDULERS: &str = concat!(
    r#"["diffusers", "DDIMScheduler"] or ["diffusers", "PNDMScheduler"] or ["diffusers", "UniPCMultistepScheduler"] or "#,
    r#"["diffusers", "EulerDiscreteScheduler"] or ["diffusers", "EulerAncestralDiscreteScheduler"] or "#,
    r#"["diffusers", "DDPMScheduler"] or ["diffusers", "DPMSolverMultistepScheduler"] or "#,
    r#"["diffusers", "LMSDiscreteScheduler"]"#
);

impl Config for TextConfig {
    const FILE: &'static str = TEXT_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] = &[("model_type", "\"clip_text_model\"")];
    const IGNORED: &'static [&'static str] = &[
        "architectures",
        "attention_dropout",
        "bos_token_id",
        "dropout",
        "dtype",
        "initializer_factor",
        "initializer_range",
        "pad_token_id",
        "torch_dtype",
        "transformers_version",
    ];
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

impl Config for VaeConfig {
    const FILE: &'static str = VAE_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] =
        &[("_class_name", "\"AutoencoderKL\""), ("act_fn", "\"silu\""), ("shift_factor", "null or 0")];
    const IGNORED: &'static [&'static str] = &["in_channels", "down_block_types", "sample_size", "use_quant_conv"];
}

impl Config for SchedulerConfig {
    const FILE: &'static str = SCHEDULER_CONFIG;
    // The other values that a `solver_type` can have are other solvers', for which UniPC takes its own.
    const FIXED: &'static [(&'static str, &'static str)] = &[
        ("final_sigmas_type", "\"zero\""),
        ("lower_order_final", "true"),
        ("predict_x0", "true"),
        ("solver_order", "2"),
        ("solver_type", "\"bh2\" or \"midpoint\" or \"heun\" or \"logrho\""),
        ("timestep_type", "\"discrete\""),
        ("disable_corrector", "[]"),
    ];
    // Of thresholding and of flows only the switches matter; the rest belongs to other solvers than ours.
    const IGNORED: &'static [&'static str] = &[
        "algorithm_type",
        "dynamic_thresholding_ratio",
        "flow_shift",
        "interpolation_type",
        "sample_max_value",
        "skip_prk_steps",
        "time_shift_type",
        "variance_type",
    ];
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
    ];
}

impl TextConfig {
    /// Refuses what no encoder can be built from. `file` is where it was read.
    pub(super) fn check(&self, file: &'static str) -> Result<(), InferenceError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("max_position_embeddings", self.max_position_embeddings),
            ("projection_dim", self.projection_dim),
        ];
        check_sizes(file, &sizes)?;
        match divide(self.num_attention_heads, &[self.hidden_size]) {
            true => Ok(()),
            false => {
                Err(unsupported(file, "num_attention_heads", self.num_attention_heads, "a divisor of hidden_size"))
            }
        }
    }
}

impl UnetConfig {
    /// Refuses what no UNet can be built from.
    pub(super) fn check(&self) -> Result<(), InferenceError> {
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
    pub(super) fn added_widths(&self) -> Option<(usize, usize)> {
        self.addition_embed_type?;
        Some((self.addition_time_embed_dim?, self.projection_class_embeddings_input_dim?))
    }

    /// Heads of block `block`, counted from the input.
    pub(super) fn heads(&self, block: usize) -> Option<usize> {
        self.attention_head_dim.of(block)
    }
}

impl PerBlock {
    /// Of block `block`, counted from the input.
    pub(super) fn of(&self, block: usize) -> Option<usize> {
        match self {
            Self::All(number) => Some(*number),
            Self::Each(numbers) => numbers.get(block).copied(),
        }
    }
}

impl VaeConfig {
    /// Refuses what no decoder can be built from.
    pub(super) fn check(&self) -> Result<(), InferenceError> {
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
    pub(super) fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

fn check_sizes(file: &'static str, sizes: &[(&'static str, usize)]) -> Result<(), InferenceError> {
    match sizes.iter().find(|(_, size)| !(1..=LARGEST).contains(size)) {
        Some((key, size)) => Err(unsupported(file, key, *size, "1 to 65536")),
        None => Ok(()),
    }
}

fn divide(divisor: usize, numbers: &[usize]) -> bool {
    divisor > 0 && numbers.iter().all(|number| *number > 0 && number % divisor == 0)
}

impl SchedulerConfig {
    /// Refuses what no schedule can be made of.
    pub(super) fn check(&self) -> Result<(), InferenceError> {
        check_sizes(SCHEDULER_CONFIG, &[("num_train_timesteps", self.num_train_timesteps)])?;
        if self.steps_offset > self.num_train_timesteps {
            return Err(unsupported(SCHEDULER_CONFIG, "steps_offset", self.steps_offset, "up to num_train_timesteps"));
        }
        if self.rescale_betas_zero_snr && self.prediction_type == Prediction::Epsilon {
            let supported = "it with v_prediction: from pure noise, noise alone tells nothing";
            return Err(unsupported(SCHEDULER_CONFIG, "rescale_betas_zero_snr", true, supported));
        }
        Ok(())
    }

    /// Refuses noise that is none: each step adds a part, and neither nothing nor all.
    pub(super) fn check_betas(&self, betas: &[f64]) -> Result<(), InferenceError> {
        if betas.len() != self.num_train_timesteps {
            return Err(unsupported(
                SCHEDULER_CONFIG,
                "trained_betas",
                format!("a list of {}", betas.len()),
                "num_train_timesteps of them",
            ));
        }
        match betas.iter().find(|beta| !(**beta > 0.0 && **beta < 1.0)) {
            Some(beta) => Err(unsupported(SCHEDULER_CONFIG, "one of its betas", *beta, "those between 0 and 1")),
            None => Ok(()),
        }
    }

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

fn one_each() -> PerBlock {
    PerBlock::All(1)
}

fn projection_dim() -> usize {
    512
}

fn eos_token_id() -> u32 {
    49_407
}

fn num_train_timesteps() -> usize {
    1_000
}

fn beta_start() -> f64 {
    0.0001
}

fn beta_end() -> f64 {
    0.02
}

fn layer_norm_eps() -> f64 {
    1e-5
}

fn sd_scaling_factor() -> f64 {
    0.18215
}
