//! Who computes, and what it is asked.

use std::{
    io,
    ops::ControlFlow,
    panic::{self, AssertUnwindSafe},
    thread,
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use oracle::{
    output::{Output, Text},
    spec::Spec,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Generator, InferenceError, OnProgress, Progress,
    language::{self, LanguageError},
};
use crate::fleet::Fleet;

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
    Local {
        /// To the thread.
        requests: mpsc::Sender<Request>,
        /// See [`Generator::at_once`].
        at_once: usize,
    },
    /// On others.
    Fleet(Fleet),
}

/// What the model's thread is asked.
pub struct Request {
    pub(super) asked: Asked,
    pub(super) waiter: Waiter,
}

/// Who waits for an answer: its receivers live inside the future of who asked, and are gone as soon as that is dropped.
pub(super) struct Waiter {
    began: Instant,
    progress: mpsc::UnboundedSender<Progress>,
    reply: oneshot::Sender<Result<Made, InferenceError>>,
}

impl Request {
    /// Answers what `generate` makes of it.
    pub(super) fn answer_with(
        self,
        generate: impl FnOnce(&Spec, B256, &mut OnProgress<'_>) -> Result<Output, InferenceError>,
    ) {
        let Self { asked, waiter } = self;
        let output = generate(&asked.spec, asked.noise_seed, &mut |progress| waiter.told(progress));
        waiter.answer(output);
    }
}

impl Waiter {
    fn told(&self, progress: Progress) -> ControlFlow<()> {
        match self.progress.send(progress) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    pub(super) fn answer(self, output: Result<Output, InferenceError>) {
        let _ = self.reply.send(output.map(|output| Made { output, took: self.began.elapsed() }));
    }
}

impl language::Reader for Waiter {
    fn tell(&self, progress: Progress) -> ControlFlow<()> {
        self.told(progress)
    }

    fn answer(self, text: Result<Text, LanguageError>) {
        Self::answer(self, text.map(Output::Text).map_err(InferenceError::from));
    }
}

impl Inference {
    /// Moves `generator` to a thread. No more requests wait than it makes together, or one: who queues jobs misses windows.
    pub fn spawn(generator: impl Generator) -> io::Result<Self> {
        let at_once = generator.at_once();
        let (requests, mut inbox) = mpsc::channel::<Request>(at_once);
        thread::Builder::new().name("model".to_owned()).spawn(move || {
            while let Some(first) = inbox.blocking_recv() {
                let Some(first) = begun(first) else { continue };
                let mut more = || begun(inbox.try_recv().ok()?);
                // Its weights are only read: what made one job panic leaves nothing behind for the next.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| generator.serve(first, &mut more)));
            }
        })?;
        Ok(Self::Local { requests, at_once })
    }

    /// How many can compute at the same time: the one thread, or as many as there are workers.
    #[must_use]
    pub fn hands(&self) -> usize {
        match self {
            Self::Local { .. } => 1,
            Self::Fleet(fleet) => *fleet.hands().borrow(),
        }
    }

    /// How many like `spec` can be made together, in less time than one after the other.
    #[must_use]
    pub fn at_once(&self, spec: &Spec) -> usize {
        match (self, spec) {
            (Self::Local { at_once, .. }, Spec::Text(spec)) if spec.beams == 1 => *at_once,
            _ => 1,
        }
    }

    /// Waits for the model to be free and then for its output. Dropping the future cancels at the next step. Workers do
    /// not say how far they are.
    pub async fn generate(&self, asked: Asked, mut on_progress: impl FnMut(Progress)) -> Result<Made, InferenceError> {
        let requests = match self {
            Self::Local { requests, .. } => requests,
            Self::Fleet(fleet) => return fleet.generate(asked).await,
        };
        let (progress, mut steps) = mpsc::unbounded_channel();
        let (reply, made) = oneshot::channel();
        let request = Request { asked, waiter: Waiter { began: Instant::now(), progress, reply } };
        requests.send(request).await.map_err(|_| InferenceError::Crashed)?;

        while let Some(step) = steps.recv().await {
            on_progress(step);
        }
        made.await.unwrap_or(Err(InferenceError::Crashed))
    }
}

/// The request, if somebody still waits for it, whose time runs from now on.
fn begun(mut request: Request) -> Option<Request> {
    request.waiter.began = Instant::now();
    (!request.waiter.reply.is_closed()).then_some(request)
}
