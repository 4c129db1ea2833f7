//! The configs of a model's components, as `diffusers` and `transformers` write them.
//!
//! What would change the picture is read or refused by name, and never ignored: see [`parse`](crate::inference::config::parse).

mod scheduler;
mod text;
mod tokenizer;
mod unet;
mod vae;

use serde::Deserialize;

pub(super) use self::{
    scheduler::{BetaSchedule, Prediction, SchedulerConfig, Spacing},
    text::{TextActivation, TextConfig},
    tokenizer::{SpecialToken, TokenizerConfig},
    unet::{DownBlock, UnetConfig, UpBlock},
    vae::VaeConfig,
};
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

fn check_sizes(file: &'static str, sizes: &[(&'static str, usize)]) -> Result<(), InferenceError> {
    match sizes.iter().find(|(_, size)| !(1..=LARGEST).contains(size)) {
        Some((key, size)) => Err(unsupported(file, key, *size, "1 to 65536")),
        None => Ok(()),
    }
}

fn divide(divisor: usize, numbers: &[usize]) -> bool {
    divisor > 0 && numbers.iter().all(|number| *number > 0 && number % divisor == 0)
}

fn yes() -> bool {
    true
}
