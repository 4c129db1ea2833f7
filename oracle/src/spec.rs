//! The spec: what a job asks for, in integers, so that every machine reads the same job.

use alloy::{
    primitives::{B256, U256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use crate::chain::{IGenerationOracle, IModelRegistry};

/// Bytes in a prompt, at most.
pub const MAX_PROMPT_BYTES: usize = 4_096;

/// Messages of one text, at most.
pub const MAX_MESSAGES: usize = 64;

/// What a job asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Spec {
    /// A picture.
    Image(ImageSpec),
    /// A text.
    Text(TextSpec),
}

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

/// One text to be written. Twin of `IGenerationOracle.TextSpec`. There is nothing random in it: greedy decoding and beam search need no seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextSpec {
    /// The conversation so far, whose next answer is asked for; 1 to [`MAX_MESSAGES`], and together with the stops at most
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

impl Message {
    /// What the requester says.
    #[must_use]
    pub fn user(content: impl Into<Prompt>) -> Self {
        Self { role: Role::User, content: content.into() }
    }
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

impl Role {
    /// In lower case, as chat templates write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
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
    /// Nothing was said, or too often.
    #[error("there are {0} messages; a text takes 1 to {MAX_MESSAGES}")]
    Messages(usize),
    /// Another kind of model.
    #[error("this model makes {makes}: ask it for that")]
    Kind {
        /// In the plural.
        makes: &'static str,
    },
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

impl Spec {
    /// Checks the spec as `ModelRegistry.sol` does.
    pub fn check(&self, model: &IModelRegistry::Model) -> Result<(), SpecError> {
        match (self, model.kind) {
            (Self::Image(spec), IModelRegistry::Kind::Image) => spec.check(&model.into()),
            (Self::Text(spec), IModelRegistry::Kind::Text) => spec.check(&model.into()),
            (Self::Image(_), _) => Err(SpecError::Kind { makes: "texts" }),
            (Self::Text(_), _) => Err(SpecError::Kind { makes: "pictures" }),
        }
    }

    /// `keccak256(abi.encode(kind, spec))`. Held to the contract by `tests/vectors/spec.json`.
    #[must_use]
    pub fn hash(&self) -> B256 {
        match self {
            Self::Image(spec) => spec.hash(),
            Self::Text(spec) => spec.hash(),
        }
    }

    /// In the units that a model's price and time are stated for a million of: steps times pixels of a picture; of a text
    /// the bytes of its messages and stops, and the tokens of all beams.
    #[must_use]
    pub fn work(&self) -> U256 {
        match self {
            Self::Image(spec) => {
                [spec.width, spec.height].into_iter().fold(U256::from(spec.steps), |work, side| work * U256::from(side))
            }
            Self::Text(spec) => {
                U256::from(spec.bytes()) + U256::from(u64::from(spec.max_tokens) * u64::from(spec.beams))
            }
        }
    }

    /// A picture's prompt, or the last message of a text's, for people.
    #[must_use]
    pub fn prompt(&self) -> String {
        match self {
            Self::Image(spec) => spec.prompt.text(),
            Self::Text(spec) => spec.messages.last().map(|message| message.content.text()).unwrap_or_default(),
        }
    }

    /// In the singular.
    #[must_use]
    pub fn makes(&self) -> &'static str {
        match self {
            Self::Image(_) => "picture",
            Self::Text(_) => "text",
        }
    }
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
        let bytes = self.bytes();
        let TextBounds { max_tokens, max_beams } = *bounds;
        if !(1..=MAX_MESSAGES).contains(&self.messages.len()) {
            return Err(SpecError::Messages(self.messages.len()));
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

    /// `keccak256(abi.encode(kind, spec))`. Held to the contract by `tests/vectors/spec.json`.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256((IModelRegistry::Kind::Text, IGenerationOracle::TextSpec::from(self)).abi_encode_params())
    }

    /// Of messages and stops together.
    fn bytes(&self) -> usize {
        let contents = self.messages.iter().map(|message| &message.content).chain(&self.stops);
        contents.map(|content| content.0.len()).sum()
    }
}

/// What generation starts from: `keccak256(abi.encode(spec seed, draw seed of round 1))`, or the spec's seed if the terms
/// fix it. `tests/vectors/noise.json` holds it.
#[must_use]
pub fn noise_seed(spec_seed: B256, draw_seed: B256, fixed: bool) -> B256 {
    if fixed { spec_seed } else { keccak256((spec_seed, draw_seed).abi_encode_params()) }
}

/// The range in which a model was tried. As `IModelRegistry.Model` has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl From<&TextSpec> for IGenerationOracle::TextSpec {
    fn from(spec: &TextSpec) -> Self {
        let message = |message: &Message| IGenerationOracle::Message {
            role: match message.role {
                Role::System => IGenerationOracle::Role::System,
                Role::User => IGenerationOracle::Role::User,
                Role::Assistant => IGenerationOracle::Role::Assistant,
            },
            content: message.content.0.clone().into(),
        };
        Self {
            messages: spec.messages.iter().map(message).collect(),
            maxTokens: spec.max_tokens,
            beams: spec.beams,
            stops: spec.stops.iter().map(|stop| stop.0.clone().into()).collect(),
        }
    }
}

impl From<&IGenerationOracle::TextSpec> for TextSpec {
    fn from(spec: &IGenerationOracle::TextSpec) -> Self {
        let message = |message: &IGenerationOracle::Message| Message {
            role: match message.role {
                IGenerationOracle::Role::System => Role::System,
                IGenerationOracle::Role::Assistant => Role::Assistant,
                _ => Role::User,
            },
            content: Prompt(message.content.to_vec()),
        };
        Self {
            messages: spec.messages.iter().map(message).collect(),
            max_tokens: spec.maxTokens,
            beams: spec.beams,
            stops: spec.stops.iter().map(|stop| Prompt(stop.to_vec())).collect(),
        }
    }
}

impl From<&IModelRegistry::Model> for TextBounds {
    fn from(model: &IModelRegistry::Model) -> Self {
        Self { max_tokens: model.maxTokens, max_beams: model.maxBeams }
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
    use proptest::prelude::*;

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
        assert_eq!(refused(TextSpec { messages: Vec::new(), ..spec.clone() }), SpecError::Messages(0));
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

    proptest! {
        #[test]
        fn any_bytes_are_a_spec_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), json in ".{0,300}") {
            let _ = (IGenerationOracle::ImageSpec::abi_decode(&bytes), IGenerationOracle::TextSpec::abi_decode(&bytes));
            let _ = (serde_json::from_slice::<Spec>(&bytes), serde_json::from_str::<Spec>(&json));
        }

        #[test]
        fn any_text_survives_json_and_the_abi(
            said in prop::collection::vec((0..3_usize, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
            stops in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..4),
            max_tokens in any::<u32>(),
            beams in any::<u8>(),
        ) {
            let roles = [Role::System, Role::User, Role::Assistant];
            let messages = said.into_iter().map(|(role, bytes)| Message { role: roles[role], content: Prompt(bytes) });
            let stops = stops.into_iter().map(Prompt).collect();
            let spec = TextSpec { messages: messages.collect(), max_tokens, beams, stops };
            let encoded = IGenerationOracle::TextSpec::from(&spec).abi_encode();
            let decoded = IGenerationOracle::TextSpec::abi_decode(&encoded).unwrap();
            prop_assert_eq!(&TextSpec::from(&decoded), &spec);
            let spec = Spec::Text(spec);
            let json = serde_json::to_string(&spec).unwrap();
            prop_assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
        }
    }

    #[test]
    fn only_a_fixed_seed_is_the_noise_itself() {
        let (seed, draw) = (B256::repeat_byte(1), B256::repeat_byte(2));
        assert_eq!(noise_seed(seed, draw, true), seed);
        assert_ne!(noise_seed(seed, draw, false), noise_seed(draw, seed, false));
    }
}
