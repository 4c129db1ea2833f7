//! One image to be made, and the range in which a model was tried.

use alloy::{
    primitives::{B256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use super::{MAX_PROMPT_BYTES, Prompt, SpecError};
use crate::chain::{IGenerationOracle, IModelRegistry};

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
    /// What the requester adds to the noise; see [`noise_seed`](super::noise_seed).
    #[serde(default)]
    pub seed: B256,
}

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
