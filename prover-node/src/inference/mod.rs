//! From a spec and a noise seed to a picture or a text.
//!
//! [`Pipeline`] is text-to-image diffusion in the layout of Stable Diffusion, [`language::Model`] a decoder-only transformer;
//! [`Model`] is either, [`Models`] keeps those in memory that fit, and [`Inference`] gives them a thread of their own, or
//! leaves the work to a fleet. A picture is a
//! function of the model, the spec and the noise seed, up to the last bits of [`Settings`]; a text of the model and the
//! spec.

mod config;
mod device;
mod environment;
mod error;
mod footprint;
mod handle;
mod image;
pub mod language;
mod memory;
mod models;
mod settings;
mod weights;

use std::ops::ControlFlow;

use alloy::primitives::B256;
use oracle::{
    manifest::{LocalModel, Pipeline as Kind},
    output::Output,
    spec::{Spec, SpecError},
};

pub use device::{Device, UnknownDevice};
pub use environment::fix_environment;
pub use error::InferenceError;
pub use footprint::footprint;
pub use handle::{Asked, Inference, Made, Request};
pub use image::Pipeline;
pub use memory::{Memory, memory_of_the_machine};
pub use models::{Models, OnDisk, Source, Stock};
pub use settings::{Arithmetic, Attention, GuidanceMode, Settings, Sums};

/// How far a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Denoising steps, or tokens, done.
    pub step: u32,
    /// Of so many.
    pub steps: u32,
}

/// Told after every step; `Break` ends the generation with [`InferenceError::Cancelled`].
pub type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// A loaded model.
pub trait Generator: Send + 'static {
    /// What it makes of `spec`, a picture from the noise of `noise_seed`. A spec for another kind of model is refused.
    fn generate(
        &self,
        spec: &Spec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Output, InferenceError>;

    /// How many greedy texts it writes together, in less time than one after the other.
    fn at_once(&self) -> usize {
        1
    }

    /// Answers `first`, and with it whatever `more` has that can be made together with it.
    fn serve(&self, first: Request, _more: &mut dyn FnMut() -> Option<Request>) {
        first.answer_with(|spec, noise_seed, on_progress| self.generate(spec, noise_seed, on_progress));
    }
}

/// A model of either kind.
pub enum Model {
    /// Makes pictures.
    Image(Box<Pipeline>),
    /// Makes texts.
    Text(Box<language::Model>),
}

impl Model {
    /// Loads what the manifest says, each file checked as it is read, to serve it: the manifest must permit the settings.
    pub fn load(model: &LocalModel, settings: Settings) -> Result<Self, InferenceError> {
        settings.check(&model.manifest)?;
        Self::try_out(model, settings)
    }

    /// The same with any settings, to see what comes out.
    pub fn try_out(model: &LocalModel, settings: Settings) -> Result<Self, InferenceError> {
        Ok(match model.manifest.pipeline {
            Kind::Image(_) => Self::Image(Box::new(Pipeline::load(model, settings)?)),
            Kind::Text(_) => Self::Text(Box::new(language::Model::of(model, settings)?)),
        })
    }
}

impl Generator for Model {
    fn generate(
        &self,
        spec: &Spec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Output, InferenceError> {
        match (self, spec) {
            (Self::Image(pipeline), Spec::Image(spec)) => {
                pipeline.generate(spec, noise_seed, on_progress).map(Output::Picture)
            }
            (Self::Text(model), Spec::Text(spec)) => Ok(Output::Text(model.write(spec, on_progress)?)),
            (Self::Image(_), _) => Err(SpecError::Kind { makes: "pictures" }.into()),
            (Self::Text(_), _) => Err(SpecError::Kind { makes: "texts" }.into()),
        }
    }

    fn at_once(&self) -> usize {
        match self {
            Self::Image(_) => 1,
            Self::Text(model) => model.at_once(),
        }
    }

    fn serve(&self, first: Request, more: &mut dyn FnMut() -> Option<Request>) {
        let text = |request: Request| match request.asked.spec {
            Spec::Text(spec) => Some((spec, request.waiter)),
            Spec::Image(_) => {
                request.waiter.answer(Err(SpecError::Kind { makes: "texts" }.into()));
                None
            }
        };
        match self {
            Self::Image(_) => first.answer_with(|spec, noise_seed, on| self.generate(spec, noise_seed, on)),
            Self::Text(model) => {
                if let Some(first) = text(first) {
                    model.write_together(first, || more().and_then(text));
                }
            }
        }
    }
}
