//! Prompts to what the UNet is told of them.

use candle_core::{DType, Device, Tensor};
use oracle::{manifest::LocalModel, spec::Prompt};

use super::{
    config::{
        ModelIndex, PipelineClass, SECOND_TEXT_CONFIG, SECOND_TOKENIZER_CONFIG, TEXT_CONFIG, TOKENIZER_CONFIG,
        TextConfig,
    },
    text::{Encoded, TextEncoder},
    tokenizer::PromptTokenizer,
};
use crate::inference::{
    InferenceError,
    config::unsupported,
    weights::{self, component},
};

/// One text encoder, or the two of SDXL.
pub(super) struct PromptEncoder {
    first: Tower,
    second: Option<Tower>,
    /// With two encoders: no negative prompt is a text of zeros.
    zeros_for_empty: bool,
}

/// A text encoder and its tokenizer.
struct Tower {
    tokenizer: PromptTokenizer,
    encoder: TextEncoder,
}

/// What prompts mean, in a row for each.
pub(super) struct Meaning {
    /// `[prompts, length, width]`.
    pub(super) texts: Tensor,
    /// `[prompts, pooled width]`, with two encoders.
    pub(super) pooled: Option<Tensor>,
}

/// The widths of a [`Meaning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MeaningWidths {
    pub(super) texts: usize,
    pub(super) pooled: Option<usize>,
}

/// The configs of the text encoders.
pub(super) struct TextConfigs {
    first: TextConfig,
    second: Option<TextConfig>,
}

impl TextConfigs {
    pub(super) fn load(model: &LocalModel, index: &ModelIndex) -> Result<Self, InferenceError> {
        let first: TextConfig = weights::config_at(model, TEXT_CONFIG)?;
        first.check(TEXT_CONFIG)?;
        let second = match index.pipeline {
            PipelineClass::Original => None,
            PipelineClass::Xl => {
                let second: TextConfig = weights::config_at(model, SECOND_TEXT_CONFIG)?;
                second.check(SECOND_TEXT_CONFIG)?;
                Some(second)
            }
        };
        Ok(Self { first, second })
    }

    pub(super) fn widths(&self) -> MeaningWidths {
        let second = self.second.as_ref();
        MeaningWidths {
            texts: self.first.hidden_size + second.map_or(0, |second| second.hidden_size),
            pooled: second.map(|second| second.projection_dim),
        }
    }
}

impl PromptEncoder {
    pub(super) fn load(
        model: &LocalModel,
        index: &ModelIndex,
        configs: &TextConfigs,
        place: (&Device, DType),
    ) -> Result<Self, InferenceError> {
        let TextConfigs { first, second } = configs;
        let first = Tower {
            tokenizer: PromptTokenizer::load(model, TOKENIZER_CONFIG, first)?,
            encoder: component(model, "text_encoder/model", place, |weights| TextEncoder::new(first, &weights))?,
        };
        let load_second = |config: &TextConfig| {
            let tokenizer = PromptTokenizer::load(model, SECOND_TOKENIZER_CONFIG, config)?;
            if tokenizer.length() != first.tokenizer.length() {
                let supported = "the first tokenizer's model_max_length";
                return Err(unsupported(SECOND_TOKENIZER_CONFIG, "model_max_length", tokenizer.length(), supported));
            }
            let encoder = component(model, "text_encoder_2/model", place, |weights| {
                TextEncoder::with_projection(config, &weights)
            })?;
            Ok(Tower { tokenizer, encoder })
        };
        let second = second.as_ref().map(load_second).transpose()?;
        Ok(Self { first, second, zeros_for_empty: index.force_zeros_for_empty_prompt })
    }

    /// The negative prompt's meaning and the prompt's, in this order. An empty negative prompt is none.
    pub(super) fn encode_both(&self, negative: &Prompt, prompt: &Prompt) -> Result<Meaning, InferenceError> {
        if !(self.second.is_some() && self.zeros_for_empty && negative.0.is_empty()) {
            return self.encode(&[negative, prompt]);
        }
        let Meaning { texts, pooled } = self.encode(&[prompt])?;
        let with_zeros = |xs: &Tensor| Tensor::cat(&[&xs.zeros_like()?, xs], 0);
        Ok(Meaning { texts: with_zeros(&texts)?, pooled: pooled.as_ref().map(with_zeros).transpose()? })
    }

    /// The meanings of prompts.
    pub(super) fn encode(&self, prompts: &[&Prompt]) -> Result<Meaning, InferenceError> {
        let first = self.first.encode(prompts)?;
        let Some(second) = &self.second else { return Ok(Meaning { texts: first.last, pooled: None }) };
        let second = second.encode(prompts)?;
        let texts = Tensor::cat(&[&first.penultimate, &second.penultimate], 2)?;
        Ok(Meaning { texts, pooled: second.pooled })
    }
}

impl Tower {
    fn encode(&self, prompts: &[&Prompt]) -> Result<Encoded, InferenceError> {
        let ids = prompts.iter().map(|prompt| self.tokenizer.encode(&prompt.text())).collect::<Result<Vec<_>, _>>()?;
        Ok(self.encoder.encode(&ids)?)
    }
}
