//! From a spec and a noise seed to a picture or a text.
//!
//! [`Pipeline`] is text-to-image diffusion in the layout of Stable Diffusion, [`language::Model`] a decoder-only transformer;
//! [`Model`] is either, and [`Inference`] gives it a thread of its own. A picture is a function of the model, the spec and
//! the noise seed, up to the last bits of [`Settings`]; a text of the model and the spec.

mod config;
mod device;
mod environment;
mod error;
mod image;
pub mod language;
mod settings;
mod weights;

use std::{io, ops::ControlFlow, thread};

use alloy::primitives::B256;
use oracle::{
    manifest::{LocalModel, Pipeline as Kind},
    output::Output,
    spec::{Spec, SpecError},
};
use tokio::sync::{mpsc, oneshot};

pub use device::{Device, UnknownDevice};
pub use environment::fix_environment;
pub use error::InferenceError;
pub use image::Pipeline;
pub use settings::{Arithmetic, Attention, GuidanceMode, Settings};

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
}

/// A handle to a generator that runs on its own thread. The thread ends with the last handle.
#[derive(Clone)]
pub struct Inference {
    requests: mpsc::Sender<Request>,
}

struct Request {
    spec: Spec,
    noise_seed: B256,
    progress: mpsc::UnboundedSender<Progress>,
    reply: oneshot::Sender<Result<Output, InferenceError>>,
}

impl Inference {
    /// Moves `generator` to a thread. One request may wait behind the running one: who queues jobs misses windows.
    pub fn spawn(generator: impl Generator) -> io::Result<Self> {
        let (requests, mut inbox) = mpsc::channel::<Request>(1);
        thread::Builder::new().name("model".to_owned()).spawn(move || {
            while let Some(request) = inbox.blocking_recv() {
                answer(&generator, request);
            }
        })?;
        Ok(Self { requests })
    }

    /// Whether its thread is there to answer.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Waits for the model to be free and then for its output. Dropping the future cancels at the next step.
    pub async fn generate(
        &self,
        spec: Spec,
        noise_seed: B256,
        mut on_progress: impl FnMut(Progress),
    ) -> Result<Output, InferenceError> {
        let (progress, mut steps) = mpsc::unbounded_channel();
        let (reply, output) = oneshot::channel();
        let request = Request { spec, noise_seed, progress, reply };
        self.requests.send(request).await.map_err(|_| InferenceError::Stopped)?;

        while let Some(step) = steps.recv().await {
            on_progress(step);
        }
        output.await.unwrap_or(Err(InferenceError::Stopped))
    }
}

fn answer(generator: &impl Generator, request: Request) {
    let Request { spec, noise_seed, progress, reply } = request;
    if reply.is_closed() {
        return;
    }
    // The receiver lives inside the caller's future: it is gone as soon as that is dropped.
    let output = generator.generate(&spec, noise_seed, &mut |step| match progress.send(step) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    let _ = reply.send(output);
}
