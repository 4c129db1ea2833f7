//! A loaded language model.

use std::{collections::HashMap, num::NonZeroUsize, path::Path, thread};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use oracle::{
    manifest::Arithmetic,
    output::Text,
    spec::{SpecError, TextSpec},
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{
    Checker, Files, Judgement, LanguageError,
    cache::Cache,
    check, config,
    decoder::{Decoder, Feed},
    files::OnDisk,
    gguf::Gguf,
    product::Products,
    safetensors,
    tokenizer::Words,
};
use crate::inference::{OnProgress, Sums};

/// Positions that are computed at once: enough to keep all cores at work, and few enough that their scores stay small.
const CHUNK: usize = 512;

/// How this machine computes. The speed depends on it, and the text only where two continuations nearly tie.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What computes.
    pub device: Device,
    /// What weights are rounded to, and factors and results of products. Sums are f32 in any.
    pub arithmetic: Arithmetic,
    /// In which order products are summed.
    pub sums: Sums,
    /// Threads of this model's own pool.
    pub threads: NonZeroUsize,
}

impl Default for Settings {
    /// The processor, f32, all cores.
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            arithmetic: Arithmetic::F32,
            sums: Sums::default(),
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// What becomes of a weight between its file and the network.
pub(super) type Alter<'a> = dyn Fn(Tensor) -> candle_core::Result<Tensor> + 'a;

/// A decoder, its tokenizer and its chat template.
pub struct Model {
    pub(super) decoder: Decoder,
    pub(super) words: Words,
    pub(super) pool: ThreadPool,
    pub(super) sums: Sums,
}

impl Model {
    /// Reads a model from `path`: a GGUF file, a folder with one, or a folder of `transformers` with config.json,
    /// safetensors, tokenizer.json and what else there is of tokenizer_config.json, generation_config.json and
    /// chat_template.jinja. Nothing is checked against a manifest.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, LanguageError> {
        Self::load(&OnDisk::at(path)?, settings)
    }

    /// The same from files that come from elsewhere, or are checked as they are read.
    pub fn load(files: &impl Files, settings: &Settings) -> Result<Self, LanguageError> {
        Self::load_altered(files, settings, &Ok)
    }

    /// The same with other weights than the files have.
    pub(super) fn load_altered(
        files: &impl Files,
        settings: &Settings,
        alter: &Alter<'_>,
    ) -> Result<Self, LanguageError> {
        let names = files.names();
        let ggufs: Vec<_> = names.iter().filter(|name| name.ends_with(".gguf")).collect();
        let (config, words, weights) = match (names.iter().any(|name| name == config::JSON), ggufs.as_slice()) {
            (true, _) => {
                let config = config::from_json(&files.read(config::JSON)?)?;
                (config, Words::from_files(files)?, None)
            }
            (false, [name]) => {
                let mut gguf = Gguf::parse(name, files.read(name)?)?;
                let (config, words) = (config::from_gguf(&mut gguf)?, Words::from_gguf(&gguf)?);
                let weights = gguf.weights(&config)?;
                (config, words, Some(weights))
            }
            (false, _) => return Err(LanguageError::NoModel(files.place())),
        };
        words.fit(config.vocabulary)?;
        let products = Products { arithmetic: settings.arithmetic, sums: settings.sums };
        let altered = |(name, weight)| Ok((name, products.rounded(alter(weight)?)?));
        let weights = weights.map_or_else(|| safetensors::weights(files), Ok)?;
        let weights: candle_core::Result<HashMap<_, _>> = weights.into_iter().map(altered).collect();
        let decoder = weights
            .and_then(|weights| {
                let weights = VarBuilder::from_tensors(weights, DType::F32, &settings.device);
                Decoder::new(config, products, &weights)
            })
            .map_err(|source| LanguageError::Weights { file: files.place(), source })?;

        let threads = ThreadPoolBuilder::new().num_threads(settings.threads.get());
        let pool = threads.thread_name(|i| format!("language-{i}")).build()?;
        Ok(Self { decoder, words, pool, sums: settings.sums })
    }

    /// What the model is given to go on from: the last tokens of the prompt, if all of them and those to come are more
    /// than it can look back on.
    pub fn prompt(&self, spec: &TextSpec) -> Result<Vec<u32>, LanguageError> {
        let most = self.decoder.config().context - 1;
        let asked = spec.max_tokens as usize;
        match (spec.messages.is_empty(), spec.max_tokens, spec.beams) {
            (true, ..) => return Err(SpecError::Messages(0).into()),
            (_, 0, _) => {
                return Err(SpecError::Tokens { tokens: 0, max: u32::try_from(most).unwrap_or(u32::MAX) }.into());
            }
            (.., 0) => return Err(SpecError::Beams { beams: 0, max: u8::MAX }.into()),
            _ if asked > most => return Err(LanguageError::TooManyTokens { asked: spec.max_tokens, most }),
            _ => {}
        }
        let mut prompt = self.words.prompt(&spec.messages)?;
        let room = self.decoder.config().context - asked;
        prompt.drain(..prompt.len().saturating_sub(room));
        Ok(prompt)
    }

    /// The tokens that end a text.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        self.words.ends()
    }

    /// An empty cache for a prompt and all that may follow it.
    pub(super) fn cache(&self, prompt: &[u32], spec: &TextSpec) -> Result<Cache, LanguageError> {
        let capacity = prompt.len() + spec.max_tokens as usize;
        Ok(Cache::new(self.decoder.config(), capacity, self.decoder.device())?)
    }

    /// Feeds `tokens` to one sequence, and returns what follows the last of them: `[1, width]`.
    pub(super) fn feed(&self, tokens: &[u32], cache: &mut Cache) -> candle_core::Result<Tensor> {
        self.feed_all(tokens, tokens.len() - 1, cache)
    }

    /// Feeds `tokens` to one sequence, and returns what follows those from the `from`th on: `[tokens - from, width]`.
    pub(super) fn feed_all(&self, tokens: &[u32], from: usize, cache: &mut Cache) -> candle_core::Result<Tensor> {
        let mut kept = Vec::new();
        for (chunk, start) in tokens.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            let hidden = self.decoder.forward(&mut [Feed { tokens: &[chunk], cache }])?;
            let skipped = from.saturating_sub(start).min(chunk.len());
            if skipped < chunk.len() {
                kept.push(hidden.narrow(0, skipped, chunk.len() - skipped)?);
            }
        }
        Tensor::cat(&kept, 0)
    }

    /// Whether a text of these tokens is over, and if by a stop sequence, what it says.
    pub(super) fn ending(&self, tokens: &[u32], spec: &TextSpec) -> Result<Ending, LanguageError> {
        if tokens.last().is_some_and(|token| self.words.is_end(*token)) {
            return Ok(Ending::Over);
        }
        if spec.stops.iter().any(|stop| !stop.0.is_empty()) {
            let mut text = self.words.text(tokens)?;
            if let Some(at) = stop_in(&text, spec) {
                text.truncate(at);
                return Ok(Ending::Stopped(text));
            }
        }
        Ok(if tokens.len() >= spec.max_tokens as usize { Ending::Over } else { Ending::NotYet })
    }

    /// The text of tokens that are complete.
    pub(super) fn finish(&self, tokens: Vec<u32>, spec: &TextSpec) -> Result<Text, LanguageError> {
        let text = match self.ending(&tokens, spec)? {
            Ending::Stopped(text) => text,
            Ending::Over | Ending::NotYet => self.words.text(&tokens)?,
        };
        Ok(Text { tokens, text })
    }
}

/// How a text stands after its last token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// More may come.
    NotYet,
    /// An end token, or as many tokens as were asked for.
    Over,
    /// A stop sequence: this is before it.
    Stopped(String),
}

/// Where the first stop sequence begins.
fn stop_in(text: &str, spec: &TextSpec) -> Option<usize> {
    let stops = spec.stops.iter().filter_map(|stop| std::str::from_utf8(&stop.0).ok());
    stops.filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop)).min()
}

impl Model {
    /// The text of `spec`; a step of its progress is a token.
    pub fn write(&self, spec: &TextSpec, on_progress: &mut OnProgress<'_>) -> Result<Text, LanguageError> {
        let mut advance = |progress| on_progress(progress).is_continue();
        match spec.beams {
            1 => self.greedy(spec, &mut advance),
            _ => self.beams(spec, &mut advance),
        }
    }
}

impl Model {
    /// By how many logits the least likely token of `claim` is below the likeliest, each after the tokens before it: what a
    /// [`check`](Checker::check) must tolerate to accept it. Infinite if none would do. For greedy specs.
    pub fn margin(&self, spec: &TextSpec, claim: &[u32]) -> Result<f32, LanguageError> {
        Ok(match check::judge(self, spec, claim, f32::INFINITY)? {
            Judgement::Accepted { margin } => margin,
            Judgement::Rejected(_) => f32::INFINITY,
        })
    }
}

impl Checker for Model {
    type Spec = TextSpec;
    type Claim = [u32];
    /// How far below the top logit a token's may be. Greedy machines differ only where logits nearly tie.
    type Tolerance = f32;
    type Judgement = Judgement;

    /// One forward pass over the prompt and the claimed tokens, for greedy specs.
    fn check(&mut self, spec: &TextSpec, claim: &[u32], tau: f32) -> Result<Judgement, LanguageError> {
        check::judge(self, spec, claim, tau)
    }
}
