//! Pipelines: what a model makes, of which family it is, what a request that says nothing gets, and what it may ask.

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

use super::{FilePath, Unsound};
use crate::{
    digest::{NEVER, ToleranceProfile},
    spec::{ImageBounds, ImageSpec, Message, Prompt, Solver, Spec, SpecError, TextBounds, TextSpec},
};

/// Largest width and height that the registry takes, in pixels.
const MAX_SIDE: u16 = 4_096;

/// Most denoising steps that the registry takes.
const MAX_STEPS: u16 = 1_000;

/// Most tokens of a text that the registry takes.
const MAX_TOKENS: u32 = 32_768;

/// Most beams that the registry takes.
const MAX_BEAMS: u8 = 16;

/// What a model makes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Pipeline {
    /// Pictures.
    Image(ImagePipeline),
    /// Texts.
    Text(TextPipeline),
}

/// What a model makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A picture, from a text.
    Image,
    /// A text, from messages.
    Text,
}

/// Text to image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePipeline {
    /// How the files are put together.
    pub family: ImageFamily,
    /// What a request that says nothing gets.
    pub defaults: ImageDefaults,
    /// What a request may ask for.
    pub bounds: ImageBounds,
    /// How far honest digests may be apart.
    pub profile: ToleranceProfile,
}

/// Text to text, token by token, without sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextPipeline {
    /// The architecture.
    pub family: TextFamily,
    /// What a request that says nothing gets.
    pub defaults: TextDefaults,
    /// What a request may ask for.
    pub bounds: TextBounds,
    /// Honest digests of a text are equal.
    #[serde(default)]
    pub profile: TextProfile,
}

/// How an image model's files are put together. What differs within a family is in its configs, which are pinned files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFamily {
    /// One CLIP text encoder or two, UNet2DConditionModel, AutoencoderKL, in the folders of `diffusers`: Stable Diffusion
    /// 1, 2, XL and XL-Turbo.
    StableDiffusion,
}

/// A decoder-only transformer as `transformers` names it in `model_type`, in safetensors with its configs, or in GGUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextFamily {
    /// Llama 2 and 3, SmolLM2.
    Llama,
    /// Qwen 2 and 2.5.
    Qwen2,
    /// Qwen 3.
    Qwen3,
    /// Gemma 3, its text part.
    Gemma3,
}

/// Settings of an image for a request that states none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageDefaults {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Denoising steps.
    pub steps: u32,
    /// The solver.
    pub solver: Solver,
    /// In thousandths.
    pub guidance: u32,
}

/// Settings of a text for a request that states none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextDefaults {
    /// Tokens to generate, at most; the end token counts.
    pub max_tokens: u32,
    /// Width of the beam search; 1 is greedy decoding.
    pub beams: u8,
}

/// Accept distance 0 on every lane and no reject zone: texts agree exactly, or a difference is grey.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextProfile {
    /// Hash of the measurements which say that the permitted arithmetic agrees; zero if they are not made yet.
    #[serde(default)]
    pub evidence: B256,
}

/// How a text model's weights are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// One file, with the tokenizer and the configuration inside.
    Gguf(FilePath),
    /// One file or several shards, beside `config.json` and the tokenizer's files.
    Safetensors(Vec<FilePath>),
}

impl Pipeline {
    /// What it makes.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Image(_) => Kind::Image,
            Self::Text(_) => Kind::Text,
        }
    }

    /// The image pipeline, if it is one.
    #[must_use]
    pub fn image(&self) -> Option<&ImagePipeline> {
        match self {
            Self::Image(pipeline) => Some(pipeline),
            Self::Text(_) => None,
        }
    }

    /// The text pipeline, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&TextPipeline> {
        match self {
            Self::Text(pipeline) => Some(pipeline),
            Self::Image(_) => None,
        }
    }

    /// Whether it can be asked for this.
    pub fn takes(&self, spec: &Spec) -> Result<(), SpecError> {
        match (self, spec) {
            (Self::Image(pipeline), Spec::Image(spec)) => spec.check(&pipeline.bounds),
            (Self::Text(pipeline), Spec::Text(spec)) => spec.check(&pipeline.bounds),
            (Self::Image(_), Spec::Text(_)) => Err(SpecError::Kind { makes: "pictures" }),
            (Self::Text(_), Spec::Image(_)) => Err(SpecError::Kind { makes: "texts" }),
        }
    }

    /// How digests of its outputs are compared.
    #[must_use]
    pub fn profile(&self) -> ToleranceProfile {
        match self {
            Self::Image(pipeline) => pipeline.profile,
            Self::Text(pipeline) => pipeline.profile.into(),
        }
    }

    /// What a request gets that says nothing but its prompt.
    #[must_use]
    pub fn spec(&self, prompt: &str) -> Spec {
        match self {
            Self::Image(pipeline) => Spec::Image(pipeline.spec(prompt.into())),
            Self::Text(pipeline) => Spec::Text(pipeline.spec(vec![Message::user(prompt)])),
        }
    }

    pub(super) fn check(&self) -> Result<(), Unsound> {
        match self {
            Self::Image(pipeline) => pipeline.check(),
            Self::Text(pipeline) => pipeline.check(),
        }
    }
}

impl From<TextProfile> for ToleranceProfile {
    fn from(profile: TextProfile) -> Self {
        Self { accept: [0; 4], reject: NEVER.0, evidence: profile.evidence }
    }
}

impl ImagePipeline {
    /// What a request gets that says nothing but its prompt.
    #[must_use]
    pub fn spec(&self, prompt: Prompt) -> ImageSpec {
        let ImageDefaults { width, height, steps, solver, guidance } = self.defaults;
        let negative_prompt = Prompt::default();
        ImageSpec { prompt, negative_prompt, width, height, steps, solver, guidance, seed: B256::ZERO }
    }

    /// As `ModelRegistry.sol` checks it, and that its own defaults may be asked for.
    fn check(&self) -> Result<(), Unsound> {
        let ImageBounds { min_side, max_side, side_step, max_steps, .. } = self.bounds;
        let sides = 0 < min_side && min_side <= max_side && max_side <= MAX_SIDE;
        let step = u16::from(side_step);
        let grid = step > 0 && min_side.is_multiple_of(step) && max_side.is_multiple_of(step);
        if !sides || !grid {
            return Err(Unsound::Sides { min: min_side, max: max_side, step: side_step });
        }
        if !(1..=MAX_STEPS).contains(&max_steps) {
            return Err(Unsound::Steps { max: max_steps });
        }
        self.profile.check()?;
        self.spec(Prompt::default()).check(&self.bounds).map_err(Unsound::Defaults)
    }
}

impl TextPipeline {
    /// What a request gets that says nothing but its messages.
    #[must_use]
    pub fn spec(&self, messages: Vec<Message>) -> TextSpec {
        let TextDefaults { max_tokens, beams } = self.defaults;
        TextSpec { messages, max_tokens, beams, stops: Vec::new() }
    }

    /// As `ModelRegistry.sol` checks it, and that its own defaults may be asked for.
    fn check(&self) -> Result<(), Unsound> {
        let TextBounds { max_tokens, max_beams } = self.bounds;
        if !(1..=MAX_TOKENS).contains(&max_tokens) || !(1..=MAX_BEAMS).contains(&max_beams) {
            return Err(Unsound::TextBounds { tokens: max_tokens, beams: max_beams });
        }
        self.spec(vec![Message::user("")]).check(&self.bounds).map_err(Unsound::Defaults)
    }
}

impl Weights {
    pub(super) fn among<'a>(files: impl Iterator<Item = &'a FilePath>) -> Result<Self, Unsound> {
        let (mut ggufs, mut safetensors) = (Vec::new(), Vec::new());
        for file in files {
            if file.has_extension("gguf") {
                ggufs.push(file.clone());
            } else if file.has_extension("safetensors") {
                safetensors.push(file.clone());
            }
        }
        match (ggufs.pop(), ggufs.is_empty(), safetensors.is_empty()) {
            (Some(gguf), true, true) => Ok(Self::Gguf(gguf)),
            (None, _, false) => Ok(Self::Safetensors(safetensors)),
            _ => Err(Unsound::Weights),
        }
    }
}
