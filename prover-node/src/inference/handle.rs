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
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Generator, InferenceError, Memory, Models, OnProgress, Progress, Source, Stock,
    language::{self, LanguageError},
};
use crate::fleet::Fleet;

/// What is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// By which model: its manifest's hash.
    pub model: B256,
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
    /// How long it took to load it before: nothing if it was in memory.
    pub loading: Duration,
}

/// A handle to who computes: models on a thread of their own, which ends with the last handle, or a fleet of workers.
#[derive(Clone)]
pub enum Inference {
    /// On this machine.
    Local {
        /// To the thread.
        errands: mpsc::Sender<Errand>,
        /// What is in memory.
        stock: watch::Receiver<Stock>,
    },
    /// On others.
    Fleet(Fleet),
}

/// What the models' thread is sent for.
pub enum Errand {
    /// An output.
    Make(Box<Request>),
    /// Only to have the model in memory, and to know how long that took: nothing if it was there.
    Load(B256, oneshot::Sender<Result<Duration, InferenceError>>),
}

/// What a model is asked.
pub struct Request {
    pub(super) asked: Asked,
    pub(super) waiter: Waiter,
}

/// Who waits for an answer: its receivers live inside the future of who asked, and are gone as soon as that is dropped.
pub(super) struct Waiter {
    began: Instant,
    loading: Duration,
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
    fn is_there(&self) -> bool {
        !self.reply.is_closed()
    }

    fn told(&self, progress: Progress) -> ControlFlow<()> {
        match self.progress.send(progress) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    pub(super) fn answer(self, output: Result<Output, InferenceError>) {
        let made = |output| Made { output, took: self.began.elapsed(), loading: self.loading };
        let _ = self.reply.send(output.map(made));
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

/// Errands that wait at most: as many as there are texts that are written together. Who queues jobs misses windows.
const WAITING: usize = language::MOST_AT_ONCE;

impl Inference {
    /// Moves the models to a thread. One of them is at work at a time.
    pub fn spawn<S: Source>(mut models: Models<S>) -> io::Result<Self> {
        let (errands, mut inbox) = mpsc::channel(WAITING);
        let stock = models.stock();
        thread::Builder::new().name("model".to_owned()).spawn(move || {
            let mut next = None;
            while let Some(errand) = next.take().or_else(|| inbox.blocking_recv()) {
                // Weights are only read: what made one job panic leaves nothing behind for the next.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| run(&mut models, errand, &mut inbox, &mut next)));
            }
        })?;
        Ok(Self::Local { errands, stock })
    }

    /// Who computes, by the models that each can load and has in its memory: this machine, or every worker.
    #[must_use]
    pub fn hands(&self) -> Vec<Memory> {
        match self {
            Self::Local { stock, .. } => vec![stock.borrow().memory.clone()],
            Self::Fleet(fleet) => fleet.hands().borrow().clone(),
        }
    }

    /// The models that there is nobody for to compute with them now.
    #[must_use]
    pub fn missing(&self) -> Vec<B256> {
        match self {
            Self::Local { .. } => Vec::new(),
            Self::Fleet(fleet) => fleet.missing(),
        }
    }

    /// Tells who computes, now and whenever that changes, as long as anybody else has a handle.
    pub async fn watch_hands(self, tell: impl Fn(Vec<Memory>)) {
        match self {
            Self::Local { mut stock, errands } => {
                drop(errands);
                loop {
                    let memory = stock.borrow_and_update().memory.clone();
                    tell(vec![memory]);
                    if stock.changed().await.is_err() {
                        return;
                    }
                }
            }
            Self::Fleet(fleet) => {
                let mut hands = fleet.hands();
                drop(fleet);
                loop {
                    let all = hands.borrow_and_update().clone();
                    tell(all);
                    if hands.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// What is in this machine's memory; nothing if workers compute.
    #[must_use]
    pub fn stock(&self) -> Stock {
        match self {
            Self::Local { stock, .. } => stock.borrow().clone(),
            Self::Fleet(_) => Stock::default(),
        }
    }

    /// How many like `spec` can be made together by `model`, in less time than one after the other.
    #[must_use]
    pub fn at_once(&self, model: B256, spec: &Spec) -> usize {
        match (self, spec) {
            (Self::Local { stock, .. }, Spec::Text(spec)) if spec.beams == 1 => {
                stock.borrow().at_once.get(&model).copied().unwrap_or(1)
            }
            _ => 1,
        }
    }

    /// Loads a model before there is anything for it to do; how long that took, nothing if it was in memory. Workers have
    /// theirs.
    pub async fn load(&self, model: B256) -> Result<Duration, InferenceError> {
        let Self::Local { errands, .. } = self else { return Ok(Duration::ZERO) };
        let (told, loaded) = oneshot::channel();
        errands.send(Errand::Load(model, told)).await.map_err(|_| InferenceError::Crashed)?;
        loaded.await.unwrap_or(Err(InferenceError::Crashed))
    }

    /// Waits for the model to be free and then for its output. Dropping the future cancels at the next step. Workers do
    /// not say how far they are.
    pub async fn generate(&self, asked: Asked, mut on_progress: impl FnMut(Progress)) -> Result<Made, InferenceError> {
        let errands = match self {
            Self::Local { errands, .. } => errands,
            Self::Fleet(fleet) => return fleet.generate(asked).await,
        };
        let (progress, mut steps) = mpsc::unbounded_channel();
        let (reply, made) = oneshot::channel();
        let waiter = Waiter { began: Instant::now(), loading: Duration::ZERO, progress, reply };
        errands.send(Errand::Make(Box::new(Request { asked, waiter }))).await.map_err(|_| InferenceError::Crashed)?;
        while let Some(step) = steps.recv().await {
            on_progress(step);
        }
        made.await.unwrap_or(Err(InferenceError::Crashed))
    }
}

/// Runs an errand, and with it those that the same model can see to together. `next` is what was found to be another's.
fn run<S: Source>(
    models: &mut Models<S>,
    errand: Errand,
    inbox: &mut mpsc::Receiver<Errand>,
    next: &mut Option<Errand>,
) {
    let request = match errand {
        Errand::Make(request) if request.waiter.is_there() => request,
        Errand::Make(_) => return,
        Errand::Load(model, told) => {
            let _ = told.send(models.get(model).map(|(_, took)| took));
            return;
        }
    };
    let model = request.asked.model;
    let (generator, loading) = match models.get(model) {
        Ok(loaded) => loaded,
        Err(error) => return request.waiter.answer(Err(error)),
    };
    let Some(first) = request.begun(loading) else { return };
    generator.serve(first, &mut || {
        if next.is_some() {
            return None;
        }
        match inbox.try_recv().ok()? {
            Errand::Make(request) if request.asked.model == model => request.begun(Duration::ZERO),
            other => {
                *next = Some(other);
                None
            }
        }
    });
}

impl Request {
    /// The request, if somebody still waits for it, whose time runs from now on.
    fn begun(mut self, loading: Duration) -> Option<Self> {
        (self.waiter.began, self.waiter.loading) = (Instant::now(), loading);
        self.waiter.is_there().then_some(self)
    }
}

#[cfg(test)]
impl Inference {
    /// Of one model, whose hash is zero and which is here.
    pub(crate) fn of(generator: impl Generator) -> Self {
        struct Given<G>(std::sync::Mutex<Option<G>>);

        impl<G: Generator> Source for Given<G> {
            type Model = G;

            fn check(&self) -> Result<(), InferenceError> {
                Ok(())
            }

            fn load(&self) -> Result<G, InferenceError> {
                self.0.lock().ok().and_then(|mut given| given.take()).ok_or(InferenceError::Crashed)
            }
        }

        let mut models = Models::new(0);
        let added = models.add(B256::ZERO, "given", 0, Given(Some(generator).into()));
        assert!(added.is_ok() && models.get(B256::ZERO).is_ok(), "it needs no room");
        #[allow(clippy::unwrap_used)]
        Self::spawn(models).unwrap()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc::Receiver};

    use tokio::task::yield_now;

    use super::*;
    use crate::job::tests::spec;

    /// A model that writes its name once the gate opens for it.
    struct Gated {
        name: &'static str,
        gate: Arc<Mutex<Receiver<()>>>,
    }

    impl Generator for Gated {
        fn generate(&self, _: &Spec, _: B256, on: &mut OnProgress<'_>) -> Result<Output, InferenceError> {
            let _ = on(Progress { step: 1, steps: 1 });
            self.gate.lock().unwrap().recv().map_err(|_| InferenceError::Crashed)?;
            Ok(Output::Text(Text { text: self.name.to_owned(), tokens: Vec::new() }))
        }
    }

    impl Source for Gated {
        type Model = Self;

        fn check(&self) -> Result<(), InferenceError> {
            Ok(())
        }

        fn load(&self) -> Result<Self, InferenceError> {
            Ok(Self { name: self.name, gate: Arc::clone(&self.gate) })
        }
    }

    #[tokio::test]
    async fn a_model_that_is_at_work_goes_for_no_other() {
        let [first, second] = [1, 2].map(B256::repeat_byte);
        let (open, gate) = std::sync::mpsc::channel();
        let gate = Arc::new(Mutex::new(gate));
        let mut models = Models::new(10);
        for (model, name) in [(first, "first"), (second, "second")] {
            models.add(model, name, 10, Gated { name, gate: Arc::clone(&gate) }).unwrap();
        }
        let inference = Inference::spawn(models).unwrap();
        let (begun, mut begins) = mpsc::unbounded_channel();
        let make = |model| {
            let (inference, begun) = (inference.clone(), begun.clone());
            let asked = Asked { model, spec: spec(64, 4), noise_seed: B256::ZERO, deadline: u64::MAX, job: None };
            tokio::spawn(async move { inference.generate(asked, |_| begun.send(()).unwrap()).await.unwrap().output })
        };
        let is_by = |output: Output, name: &str| matches!(output, Output::Text(text) if text.text == name);

        let (one, two) = (make(first), make(second));
        begins.recv().await.unwrap();
        yield_now().await;
        assert_eq!(inference.stock().memory.loaded(), [first], "the other waits");
        open.send(()).unwrap();
        assert!(is_by(one.await.unwrap(), "first"));

        begins.recv().await.unwrap();
        let stock = inference.stock();
        assert_eq!((stock.memory.loaded(), stock.loads, stock.evictions), (&[second][..], 2, 1));
        open.send(()).unwrap();
        assert!(is_by(two.await.unwrap(), "second"));
    }
}
