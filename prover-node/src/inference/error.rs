//! What can go wrong between a spec and its picture.

use std::{io, path::PathBuf};

use super::{Device, language::LanguageError};
use alloy::primitives::B256;
use bytesize::ByteSize;
use oracle::{
    manifest::{Arithmetic, ManifestError},
    spec::SpecError,
};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// A file is missing, or is not the one that the manifest pins.
    #[error(transparent)]
    Model(#[from] ManifestError),
    /// A config is not what its component writes.
    #[error("{} is not a config that this pipeline reads: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Where it went wrong.
        source: serde_json::Error,
    },
    /// The model is built in a way that this pipeline would get wrong, so it does not try.
    #[error("{file} sets {key} to {value}; this pipeline supports {supported}")]
    Unsupported {
        /// Relative to the model's folder.
        file: &'static str,
        /// In that file.
        key: String,
        /// As it stands there.
        value: serde_json::Value,
        /// What would work.
        supported: &'static str,
    },
    /// The tokenizer's files do not make a tokenizer.
    #[error("{} does not make a tokenizer: {source}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// Why.
        source: tokenizers::Error,
    },
    /// It cannot be told how much memory a file of weights will take.
    #[error("{} cannot be read: {source}; `oracle models verify` says which files are damaged", path.display())]
    Head {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not fit, even alone.
    #[error(
        "the weights of {name} take {size} of memory, and models may have {limit}: give them more with --model-memory"
    )]
    TooLarge {
        /// The model's name.
        name: String,
        /// What it takes.
        size: ByteSize,
        /// In the settings.
        limit: ByteSize,
    },
    /// Not among those that are served.
    #[error("the model with the manifest {0} is not served here: name it with --model-dir")]
    NoModel(B256),
    /// The weights are not safetensors, or not those of the config beside them.
    #[error("{} does not hold the weights that its config describes: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Which tensor, and what is wrong with it.
        source: candle_core::Error,
    },
    /// Of a language model.
    #[error(transparent)]
    Language(Box<LanguageError>),
    /// The operator's arithmetic is not among the model's.
    #[error("the manifest of {model} does not permit {} arithmetic on {device}; it permits there: {}", names(&[*asked]), names(permitted))]
    NotPermitted {
        /// The model's name.
        model: String,
        /// In the settings.
        device: Device,
        /// In the settings.
        asked: Arithmetic,
        /// In the manifest, for the device.
        permitted: Vec<Arithmetic>,
    },
    /// GPUs are compiled in on demand.
    #[error("this program was built without CUDA: build one with `scripts/build-cuda`, or choose --device cpu")]
    NoCuda,
    /// Not among what was compiled.
    #[error(
        "this program was built without Metal: on a Mac, build it with `cargo build --release -p quorate-prover-node --features metal`, or choose --device cpu"
    )]
    NoMetal,
    /// It is looked for when it is first called, and is not there.
    #[error(
        "the device {device} cannot be used: {reason}; install NVIDIA's driver and CUDA 13, with LD_LIBRARY_PATH set to where they are, or choose --device cpu"
    )]
    NoCudaLibrary {
        /// In the settings.
        device: Device,
        /// Which one.
        reason: String,
    },
    /// The driver does not give it.
    #[error("the device {device} cannot be used: {source}; choose another, or --device cpu")]
    NoDevice {
        /// In the settings.
        device: Device,
        /// In the driver's words.
        source: candle_core::Error,
    },
    /// The job asks for what the model cannot make.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The manifest takes jobs that the model cannot make.
    #[error("the manifest's bounds do not fit the model: {key} must be {supported}")]
    Bounds {
        /// In the manifest.
        key: &'static str,
        /// What would fit.
        supported: String,
    },
    /// A prompt could not be cut into tokens.
    #[error("the prompt cannot be cut into tokens: {0}")]
    Prompt(#[source] tokenizers::Error),
    /// A number became infinite or undefined on the way.
    #[error("the picture has values that are not numbers; use f32 arithmetic")]
    NotFinite,
    /// The operating system gave no threads.
    #[error("cannot start the threads of the model: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A tensor operation failed.
    #[error("the computation failed: {0}")]
    Compute(candle_core::Error),
    /// Whoever asked for the picture has gone.
    #[error("the generation was cancelled")]
    Cancelled,
    /// On another machine.
    #[error("by the workers: {0}")]
    Worker(String),
    /// It panicked, over this job.
    #[error(
        "the model crashed; its last message is on stderr, and `prover-node selftest` says whether it works here at all"
    )]
    Crashed,
}

impl From<LanguageError> for InferenceError {
    fn from(error: LanguageError) -> Self {
        Self::Language(Box::new(error))
    }
}

impl From<candle_core::Error> for InferenceError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute(in_one_line(error))
    }
}

/// Without the backtrace that candle writes into its messages where `RUST_BACKTRACE` is set.
pub(super) fn in_one_line(error: candle_core::Error) -> candle_core::Error {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => in_one_line(*inner),
        error => error,
    }
}

fn names(arithmetic: &[Arithmetic]) -> String {
    if arithmetic.is_empty() {
        return "nothing".to_owned();
    }
    let names = arithmetic.iter().map(|arithmetic| format!("{arithmetic:?}").to_lowercase());
    names.collect::<Vec<_>>().join(", ")
}
