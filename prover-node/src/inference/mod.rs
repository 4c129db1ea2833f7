//! From a spec and a noise seed to a picture or a text.
//!
//! [`Pipeline`] is text-to-image diffusion in the layout of Stable Diffusion, [`language::Model`] a decoder-only transformer;
//! [`Model`] is either, and [`Inference`] gives it a thread of its own, or leaves the work to a fleet. A picture is a function of the model, the spec and
//! the noise seed, up to the last bits of [`Settings`]; a text of the model and the spec.

mod config;
mod device;
mod environment;
mod error;
mod image;
pub mod language;
mod settings;
mod weights;

use std::{
    io,
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

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

use crate::fleet::Fleet;

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

/// What is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Of what kind, of what, how large.
    pub spec: Spec,
    /// What generation starts from.
    pub noise_seed: B256,
    /// When it is too late, in seconds since the epoch, by the chain's clock.
    pub deadline: u64,
    /// For which job, if it is for one.
    pub job: Option<B256>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// By the model.
    pub output: Output,
    /// How long the model took.
    pub took: Duration,
}

/// A handle to who computes: a generator on its own thread, which ends with the last handle, or a fleet of workers.
#[derive(Clone)]
pub enum Inference {
    /// On this machine.
    Local(mpsc::Sender<Request>),
    /// On others.
    Fleet(Fleet),
}

/// What the model's thread is asked.
pub struct Request {
    asked: Asked,
    progress: mpsc::UnboundedSender<Progress>,
    reply: oneshot::Sender<Result<Made, InferenceError>>,
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
        Ok(Self::Local(requests))
    }

    /// How many can compute at the same time: one as long as there is the thread, or as many as there are workers.
    #[must_use]
    pub fn hands(&self) -> usize {
        match self {
            Self::Local(requests) => usize::from(!requests.is_closed()),
            Self::Fleet(fleet) => *fleet.hands().borrow(),
        }
    }

    /// Waits for the model to be free and then for its output. Dropping the future cancels at the next step. Workers do
    /// not say how far they are.
    pub async fn generate(&self, asked: Asked, mut on_progress: impl FnMut(Progress)) -> Result<Made, InferenceError> {
        let requests = match self {
            Self::Local(requests) => requests,
            Self::Fleet(fleet) => return fleet.generate(asked).await,
        };
        let (progress, mut steps) = mpsc::unbounded_channel();
        let (reply, made) = oneshot::channel();
        let request = Request { asked, progress, reply };
        requests.send(request).await.map_err(|_| InferenceError::Stopped)?;

        while let Some(step) = steps.recv().await {
            on_progress(step);
        }
        made.await.unwrap_or(Err(InferenceError::Stopped))
    }
}

fn answer(generator: &impl Generator, request: Request) {
    let Request { asked, progress, reply } = request;
    if reply.is_closed() {
        return;
    }
    let began = Instant::now();
    // The receiver lives inside the caller's future: it is gone as soon as that is dropped.
    let output = generator.generate(&asked.spec, asked.noise_seed, &mut |step| match progress.send(step) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    let _ = reply.send(output.map(|output| Made { output, took: began.elapsed() }));
}
