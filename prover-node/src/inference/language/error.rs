//! What can go wrong between a language model's files and a text.

use std::io;

use oracle::{manifest::ManifestError, spec::SpecError};

/// Why there is no text, or no judgement of one.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// A file cannot be read, or is not the one that was promised.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file is not the one that the manifest pins.
    #[error(transparent)]
    Model(#[from] ManifestError),
    /// No model lies there.
    #[error("{0} holds no language model: it needs a config.json with safetensors, or exactly one .gguf file")]
    NoModel(String),
    /// A JSON file does not say what it should.
    #[error("{file} is not what a language model has there: {source}")]
    Json {
        /// The file.
        file: String,
        /// Where it went wrong.
        source: serde_json::Error,
    },
    /// Something that cannot be guessed is not there.
    #[error("{file} does not state {key}")]
    Missing {
        /// The file.
        file: String,
        /// In that file.
        key: String,
    },
    /// The model is built in a way that would be computed wrongly, so it is not tried.
    #[error("{file} sets {key} to {value}; supported: {supported}")]
    Unsupported {
        /// The file.
        file: String,
        /// In that file.
        key: String,
        /// As it stands there.
        value: String,
        /// What would work.
        supported: &'static str,
    },
    /// The weights cannot be read, or are not those of the config beside them.
    #[error("{file} does not hold the weights that its config describes: {}", first_line(source))]
    Weights {
        /// The file.
        file: String,
        /// Which tensor, and what is wrong with it.
        source: candle_core::Error,
    },
    /// The tokenizer's data do not make a tokenizer.
    #[error("{file} does not make a tokenizer: {reason}")]
    Tokenizer {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The tokenizer is another model's.
    #[error("{file} has {tokens} tokens, but the model only {rows}: it belongs to another model")]
    Vocabulary {
        /// The tokenizer's file.
        file: String,
        /// Its tokens.
        tokens: usize,
        /// Of the model's embedding.
        rows: usize,
    },
    /// The chat template is broken, or refuses these messages.
    #[error("the model's chat template does not take these messages: {0}")]
    Template(String),
    /// The job asks for what no model can make.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The job asks for more tokens than the model can look back on.
    #[error("{asked} tokens are too many: this model takes at most {most}")]
    TooManyTokens {
        /// In the spec.
        asked: u32,
        /// One less than the context: the prompt needs a token too.
        most: usize,
    },
    /// A beam search's text is not made of the likeliest tokens.
    #[error("only greedy texts can be checked without making them again; this one is of {0} beams")]
    NotGreedy(u8),
    /// A number became infinite or undefined on the way.
    #[error("the logits of token {0} are not numbers; the weights may be damaged")]
    NotFinite(usize),
    /// The operating system gave no threads.
    #[error("cannot start the threads of the model: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A tensor operation failed.
    #[error("the computation failed: {}", first_line(.0))]
    Compute(#[from] candle_core::Error),
    /// Whoever asked for the text has gone.
    #[error("the generation was cancelled")]
    Cancelled,
}

/// What went wrong, without where in candle it did. A damaged file's names may be anything.
fn first_line(error: &candle_core::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(300).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
