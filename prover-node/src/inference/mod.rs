//! From a spec and a noise seed to a picture.
//!
//! [`Pipeline`] is text-to-image diffusion in the layout of Stable Diffusion; [`Inference`] gives it a thread of its
//! own. A picture is a function of the model, the spec and the noise seed, up to the last bits of [`Settings`].

mod config;
mod ddim;
mod error;
pub mod language;
mod layers;
mod noise;
mod pipeline;
mod resnet;
mod settings;
mod text;
mod threads;
mod tokenizer;
mod transformer;
mod unet;
mod vae;
mod weights;

use std::{io, ops::ControlFlow, thread};

use alloy::primitives::B256;
use image::RgbImage;
use oracle::spec::ImageSpec;
use tokio::sync::{mpsc, oneshot};

pub use error::InferenceError;
pub use pipeline::Pipeline;
pub use settings::{Arithmetic, Attention, GuidanceMode, Settings};
pub use threads::fix_thread_count;

/// How far a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Denoising steps done.
    pub step: u32,
    /// Of so many.
    pub steps: u32,
}

/// Told after every step; `Break` ends the generation with [`InferenceError::Cancelled`].
pub type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Makes pictures.
pub trait Generator: Send + 'static {
    /// The picture of `spec` that starts from the noise of `noise_seed`.
    fn generate(
        &mut self,
        spec: &ImageSpec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<RgbImage, InferenceError>;
}

/// A handle to a generator that runs on its own thread. The thread ends with the last handle.
#[derive(Clone)]
pub struct Inference {
    requests: mpsc::Sender<Request>,
}

struct Request {
    spec: ImageSpec,
    noise_seed: B256,
    progress: mpsc::UnboundedSender<Progress>,
    reply: oneshot::Sender<Result<RgbImage, InferenceError>>,
}

impl Inference {
    /// Moves `generator` to a thread. One request may wait behind the running one: who queues jobs misses windows.
    pub fn spawn(mut generator: impl Generator) -> io::Result<Self> {
        let (requests, mut inbox) = mpsc::channel::<Request>(1);
        thread::Builder::new().name("model".to_owned()).spawn(move || {
            while let Some(request) = inbox.blocking_recv() {
                answer(&mut generator, request);
            }
        })?;
        Ok(Self { requests })
    }

    /// Waits for the model to be free and then for the picture. Dropping the future cancels at the next step.
    pub async fn generate(
        &self,
        spec: ImageSpec,
        noise_seed: B256,
        mut on_progress: impl FnMut(Progress),
    ) -> Result<RgbImage, InferenceError> {
        let (progress, mut steps) = mpsc::unbounded_channel();
        let (reply, picture) = oneshot::channel();
        let request = Request { spec, noise_seed, progress, reply };
        self.requests.send(request).await.map_err(|_| InferenceError::Stopped)?;

        while let Some(step) = steps.recv().await {
            on_progress(step);
        }
        picture.await.unwrap_or(Err(InferenceError::Stopped))
    }
}

fn answer(generator: &mut impl Generator, request: Request) {
    let Request { spec, noise_seed, progress, reply } = request;
    if reply.is_closed() {
        return;
    }
    // The receiver lives inside the caller's future: it is gone as soon as that is dropped.
    let picture = generator.generate(&spec, noise_seed, &mut |step| match progress.send(step) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    let _ = reply.send(picture);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod golden;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
