//! The spec: what a job asks for, in integers, so that every machine reads the same job.

use alloy::{
    primitives::{B256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use crate::chain::{IGenerationOracle, IModelRegistry};

/// Bytes in a prompt, at most.
pub const MAX_PROMPT_BYTES: usize = 4_096;

/// One image to be made. Twin of `IGenerationOracle.ImageSpec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSpec {
    /// What to show; at most [`MAX_PROMPT_BYTES`].
    pub prompt: Prompt,
    /// What not to show; at most [`MAX_PROMPT_BYTES`].
    #[serde(default)]
    pub negative_prompt: Prompt,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Denoising steps.
    pub steps: u32,
    /// How the noise becomes a picture.
    #[serde(default)]
    pub solver: Solver,
    /// Classifier-free guidance scale, in thousandths.
    pub guidance: u32,
    /// What the requester adds to the noise; see [`noise_seed`].
    #[serde(default)]
    pub seed: B256,
}

/// Any bytes are a prompt. In JSON it is text where the bytes are UTF-8, and `{"hex": "..."}` where not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PromptText", into = "PromptText")]
pub struct Prompt(pub Vec<u8>);

/// A deterministic solver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Solver {
    /// DDIM (arXiv 2010.02502) with eta 0.
    #[default]
    Ddim,
    /// UniPC (arXiv 2302.04867) of order 2: fewer steps for the same picture.
    UniPc,
}

/// One text to be written. There is nothing random in it: greedy decoding and beam search need no seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextSpec {
    /// The conversation so far, whose next answer is asked for; at least one, and together at most
    /// [`MAX_PROMPT_BYTES`].
    pub messages: Vec<Message>,
    /// Tokens that are generated at most, the end token included.
    pub max_tokens: u32,
    /// Sequences that are followed at once; 1 is greedy decoding.
    #[serde(default = "greedy")]
    pub beams: u8,
    /// The text is over when one of these appears in it, and is cut before. An empty one never appears.
    #[serde(default)]
    pub stops: Vec<Prompt>,
}

/// What one side said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub content: Prompt,
}

/// A side of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// How the model is to behave.
    System,
    /// Who asks.
    User,
    /// What the model has answered before.
    Assistant,
}

fn greedy() -> u8 {
    1
}

/// A spec that a model cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// One of the prompts is too long.
    #[error("the {which} has {bytes} bytes; at most {MAX_PROMPT_BYTES} are allowed")]
    PromptTooLong {
        /// Which of the two.
        which: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The model does not make this size.
    #[error(
        "the size {width}x{height} is out of bounds: this model takes sides of {min} to {max} pixels in steps of {step}"
    )]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Least side.
        min: u32,
        /// Largest side.
        max: u32,
        /// Sides are multiples of this.
        step: u32,
    },
    /// Too few or too many steps.
    #[error("{steps} steps are out of bounds: this model takes 1 to {max}")]
    Steps {
        /// Asked for.
        steps: u32,
        /// At most.
        max: u32,
    },
    /// Nothing was said.
    #[error("there is no message; a text needs at least one")]
    NoMessage,
    /// The messages and stops are too long.
    #[error("the messages and stops have {0} bytes together; at most {MAX_PROMPT_BYTES} are allowed")]
    MessagesTooLong(usize),
    /// Too few or too many tokens.
    #[error("{tokens} tokens are out of bounds: this model writes 1 to {max}")]
    Tokens {
        /// Asked for.
        tokens: u32,
        /// At most.
        max: u32,
    },
    /// Too few or too many beams.
    #[error("{beams} beams are out of bounds: this model follows 1 to {max}")]
    Beams {
        /// Asked for.
        beams: u8,
        /// At most.
        max: u8,
    },
    /// Guidance beyond what was tried.
    #[error("guidance {}.{:03} is out of bounds: this model takes at most {}.{:03}", guidance / 1000, guidance % 1000, max / 1000, max % 1000)]
    Guidance {
        /// In thousandths.
        guidance: u32,
        /// In thousandths.
        max: u32,
    },
}

impl ImageSpec {
    /// Checks the spec as `ModelRegistry.sol` does.
    pub fn check(&self, bounds: &ImageBounds) -> Result<(), SpecError> {
        for (which, prompt) in [("prompt", &self.prompt), ("negative prompt", &self.negative_prompt)] {
            let bytes = prompt.0.len();
            if bytes > MAX_PROMPT_BYTES {
                return Err(SpecError::PromptTooLong { which, bytes });
            }
        }

        let (min, max, step) = (bounds.min_side.into(), bounds.max_side.into(), bounds.side_step.into());
        let fits = |side: u32| (min..=max).contains(&side) && side.is_multiple_of(step);
        if !fits(self.width) || !fits(self.height) {
            return Err(SpecError::Size { width: self.width, height: self.height, min, max, step });
        }
        let max = bounds.max_steps.into();
        if !(1..=max).contains(&self.steps) {
            return Err(SpecError::Steps { steps: self.steps, max });
        }
        let max = bounds.max_guidance.into();
        if self.guidance > max {
            return Err(SpecError::Guidance { guidance: self.guidance, max });
        }
        Ok(())
    }

    /// `keccak256(abi.encode(kind, spec))`. Held to the contract by `tests/vectors/spec.json`.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256((IModelRegistry::Kind::Image, IGenerationOracle::ImageSpec::from(self)).abi_encode_params())
    }

    /// Guidance as the sampler takes it.
    #[must_use]
    pub fn guidance_scale(&self) -> f64 {
        f64::from(self.guidance) / 1_000.0
    }
}

impl TextSpec {
    /// Checks that the spec is one, and within what the model was tried in.
    pub fn check(&self, bounds: &TextBounds) -> Result<(), SpecError> {
        let contents = self.messages.iter().map(|message| &message.content).chain(&self.stops);
        let bytes = contents.map(|content| content.0.len()).sum();
        let TextBounds { max_tokens, max_beams } = *bounds;
        if self.messages.is_empty() {
            return Err(SpecError::NoMessage);
        }
        if bytes > MAX_PROMPT_BYTES {
            return Err(SpecError::MessagesTooLong(bytes));
        }
        if !(1..=max_tokens).contains(&self.max_tokens) {
            return Err(SpecError::Tokens { tokens: self.max_tokens, max: max_tokens });
        }
        if !(1..=max_beams).contains(&self.beams) {
            return Err(SpecError::Beams { beams: self.beams, max: max_beams });
        }
        Ok(())
    }
}

/// What generation starts from: `keccak256(abi.encode(spec seed, draw seed of round 1))`, or the spec's seed if the terms
/// fix it. `tests/vectors/noise.json` holds it.
#[must_use]
pub fn noise_seed(spec_seed: B256, draw_seed: B256, fixed: bool) -> B256 {
    if fixed { spec_seed } else { keccak256((spec_seed, draw_seed).abi_encode_params()) }
}

/// The range in which a model was tried. As `IModelRegistry.Model` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageBounds {
    /// Least width and height, in pixels.
    pub min_side: u16,
    /// Largest width and height, in pixels.
    pub max_side: u16,
    /// Width and height are multiples of this many pixels.
    pub side_step: u8,
    /// Most denoising steps.
    pub max_steps: u16,
    /// In thousandths.
    pub max_guidance: u16,
}

/// The range in which a language model was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextBounds {
    /// Most tokens.
    pub max_tokens: u32,
    /// Most beams.
    pub max_beams: u8,
}

impl Prompt {
    /// The prompt as a tokenizer takes it: bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PromptText {
    Text(String),
    Hex { hex: alloy::primitives::Bytes },
}

impl From<Prompt> for PromptText {
    fn from(prompt: Prompt) -> Self {
        String::from_utf8(prompt.0).map_or_else(|error| Self::Hex { hex: error.into_bytes().into() }, Self::Text)
    }
}

impl From<PromptText> for Prompt {
    fn from(text: PromptText) -> Self {
        match text {
            PromptText::Text(text) => Self(text.into_bytes()),
            PromptText::Hex { hex } => Self(hex.to_vec()),
        }
    }
}

impl From<&ImageSpec> for IGenerationOracle::ImageSpec {
    fn from(spec: &ImageSpec) -> Self {
        Self {
            prompt: spec.prompt.0.clone().into(),
            negativePrompt: spec.negative_prompt.0.clone().into(),
            width: spec.width,
            height: spec.height,
            steps: spec.steps,
            solver: match spec.solver {
                Solver::Ddim => IGenerationOracle::Solver::Ddim,
                Solver::UniPc => IGenerationOracle::Solver::UniPc,
            },
            guidance: spec.guidance,
            seed: spec.seed,
        }
    }
}

impl From<&IGenerationOracle::ImageSpec> for ImageSpec {
    fn from(spec: &IGenerationOracle::ImageSpec) -> Self {
        Self {
            prompt: Prompt(spec.prompt.to_vec()),
            negative_prompt: Prompt(spec.negativePrompt.to_vec()),
            width: spec.width,
            height: spec.height,
            steps: spec.steps,
            // The contract takes no other number for a solver than those of its enum.
            solver: match spec.solver {
                IGenerationOracle::Solver::UniPc => Solver::UniPc,
                _ => Solver::Ddim,
            },
            guidance: spec.guidance,
            seed: spec.seed,
        }
    }
}

impl From<&IModelRegistry::Model> for ImageBounds {
    fn from(model: &IModelRegistry::Model) -> Self {
        Self {
            min_side: model.minSide,
            max_side: model.maxSide,
            side_step: model.sideStep,
            max_steps: model.maxSteps,
            max_guidance: model.maxGuidance,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BOUNDS: ImageBounds =
        ImageBounds { min_side: 64, max_side: 128, side_step: 8, max_steps: 50, max_guidance: 20_000 };

    fn spec() -> ImageSpec {
        ImageSpec {
            prompt: "a red apple".into(),
            negative_prompt: Prompt::default(),
            width: 64,
            height: 128,
            steps: 20,
            solver: Solver::Ddim,
            guidance: 7_500,
            seed: B256::repeat_byte(1),
        }
    }

    #[test]
    fn bounds_are_inclusive_and_nothing_outside_them_passes() {
        let largest = ImageSpec { width: 128, steps: 50, guidance: 20_000, ..spec() };
        assert_eq!([spec(), largest].map(|spec| spec.check(&BOUNDS)), [Ok(()), Ok(())]);

        for side in [0, 56, 65, 136, u32::MAX] {
            let refused = [ImageSpec { width: side, ..spec() }, ImageSpec { height: side, ..spec() }];
            assert!(refused.iter().all(|spec| matches!(spec.check(&BOUNDS), Err(SpecError::Size { .. }))), "{side}");
        }
        for steps in [0, 51] {
            assert_eq!(ImageSpec { steps, ..spec() }.check(&BOUNDS), Err(SpecError::Steps { steps, max: 50 }));
        }
        let refused = ImageSpec { guidance: 20_001, ..spec() }.check(&BOUNDS).unwrap_err();
        assert_eq!(refused.to_string(), "guidance 20.001 is out of bounds: this model takes at most 20.000");
    }

    #[test]
    fn a_prompt_may_have_4096_bytes_and_no_more() {
        let long = |bytes| Prompt(vec![b'a'; bytes]);
        assert_eq!(ImageSpec { prompt: long(4_096), negative_prompt: long(4_096), ..spec() }.check(&BOUNDS), Ok(()));
        let refused = ImageSpec { negative_prompt: long(4_097), ..spec() }.check(&BOUNDS);
        assert_eq!(refused, Err(SpecError::PromptTooLong { which: "negative prompt", bytes: 4_097 }));
    }

    #[test]
    fn any_bytes_are_a_prompt_and_survive_json_and_the_abi() {
        for bytes in [b"".as_slice(), b"an apple", "Fluß \u{1f40b}".as_bytes(), b"caf\xe9", &[0xff; 40], b"a\0"] {
            let spec = ImageSpec { prompt: Prompt(bytes.to_vec()), ..spec() };
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<ImageSpec>(&json).unwrap(), spec, "{json}");
            assert_eq!(ImageSpec::from(&IGenerationOracle::ImageSpec::from(&spec)), spec, "{json}");
        }
        let spec = ImageSpec { solver: Solver::UniPc, ..spec() };
        let json = serde_json::to_string(&spec).unwrap();
        assert!(json.contains(r#""solver":"unipc""#), "{json}");
        assert_eq!(serde_json::from_str::<ImageSpec>(&json).unwrap(), spec);
        assert_eq!(ImageSpec::from(&IGenerationOracle::ImageSpec::from(&spec)), spec);
        assert_eq!(Prompt(b"caf\xe9".to_vec()).text(), "caf\u{fffd}");
    }

    #[test]
    fn a_spec_says_only_what_it_must_and_nothing_unknown() {
        let json = r#"{"prompt":"a red apple","width":64,"height":128,"steps":20,"guidance":7500}"#;
        let spoken: ImageSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spoken, ImageSpec { seed: B256::ZERO, ..spec() });
        assert!(serde_json::from_str::<ImageSpec>(&json.replace("steps", "stepz")).is_err());
    }

    #[test]
    fn a_text_needs_a_message_a_token_and_a_beam_and_takes_no_more_than_the_model_does() {
        let bounds = TextBounds { max_tokens: 256, max_beams: 4 };
        let json =
            r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"maxTokens":256}"#;
        let spec: TextSpec = serde_json::from_str(json).unwrap();
        assert_eq!((spec.beams, spec.stops.len(), spec.check(&bounds)), (1, 0, Ok(())));

        let refused = |spec: TextSpec| spec.check(&bounds).unwrap_err();
        assert_eq!(refused(TextSpec { messages: Vec::new(), ..spec.clone() }), SpecError::NoMessage);
        let stops = vec![Prompt(vec![b'a'; 4_086])];
        assert_eq!(refused(TextSpec { stops, ..spec.clone() }), SpecError::MessagesTooLong(4_097));
        for tokens in [0, 257] {
            let refused = refused(TextSpec { max_tokens: tokens, ..spec.clone() });
            assert_eq!(refused, SpecError::Tokens { tokens, max: 256 });
        }
        for beams in [0, 5] {
            assert_eq!(refused(TextSpec { beams, ..spec.clone() }), SpecError::Beams { beams, max: 4 });
        }
    }

    #[test]
    fn only_a_fixed_seed_is_the_noise_itself() {
        let (seed, draw) = (B256::repeat_byte(1), B256::repeat_byte(2));
        assert_eq!(noise_seed(seed, draw, true), seed);
        assert_ne!(noise_seed(seed, draw, false), noise_seed(draw, seed, false));
    }
}
