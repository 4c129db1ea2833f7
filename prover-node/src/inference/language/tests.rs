//! The tiny models of `tests/golden/language` say what `transformers` says of them.

use std::{
    collections::HashMap,
    fs,
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use oracle::spec::{Message, TextSpec};
use serde::Deserialize;

use super::*;

const ARCHITECTURES: [&str; 4] = ["llama", "qwen2", "qwen3", "gemma3"];

/// The same weights, and the same tokenizer, from both formats.
const FILES: [(&str, &str); 6] = [
    ("llama", "llama"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("gemma3", "gemma3"),
    ("llama", "llama.gguf"),
    ("gemma3", "gemma3.gguf"),
];

/// Positions whose logits are stored.
const EVERY: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    messages: Vec<Message>,
    max_tokens: u32,
    beams: u8,
    prompt: Vec<u32>,
    greedy_tokens: Vec<u32>,
    greedy_text: String,
    beam_tokens: Vec<u32>,
}

impl Expected {
    fn of(name: &str) -> Self {
        serde_json::from_slice(&fs::read(golden(name).join("expected.json")).unwrap()).unwrap()
    }

    fn greedy(&self) -> TextSpec {
        TextSpec { messages: self.messages.clone(), max_tokens: self.max_tokens, beams: 1, stops: Vec::new() }
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/golden/language").join(name)
}

fn open(name: &str) -> Model {
    open_at(&golden(name)).unwrap()
}

fn open_at(path: &Path) -> Result<Model, LanguageError> {
    Model::open(path, Settings { threads: NonZeroUsize::MIN })
}

fn generate(model: &mut Model, spec: &TextSpec) -> Text {
    model.generate(spec, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Of all positions of `tokens`, computed in pieces of `piece` tokens.
fn logits(model: &Model, tokens: &[u32], piece: usize) -> Vec<Vec<f32>> {
    let mut cache = cache::Cache::new(model.decoder.config(), tokens.len(), &Device::Cpu).unwrap();
    let forward = |piece: &[u32]| {
        let logits = model.decoder.logits(&model.decoder.forward(&[piece], &mut cache).unwrap()).unwrap();
        logits.squeeze(0).unwrap().to_vec2::<f32>().unwrap()
    };
    tokens.chunks(piece).flat_map(forward).collect()
}

fn furthest(one: &[Vec<f32>], other: &[Vec<f32>]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().flatten().zip(other.iter().flatten()).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_are_those_of_transformers() {
    for (name, file) in FILES {
        let expected = Expected::of(name);
        let stored = fs::read(golden(name).join("expected.safetensors")).unwrap();
        let stored: HashMap<String, Tensor> = candle_core::safetensors::load_buffer(&stored, &Device::Cpu).unwrap();
        let stored = stored["logits"].to_vec2::<f32>().unwrap();
        let tokens = [expected.prompt, expected.greedy_tokens].concat();
        let ours: Vec<_> = logits(&open(file), &tokens, tokens.len()).into_iter().step_by(EVERY).collect();
        let furthest = furthest(&ours, &stored);
        assert!(furthest < 1e-4, "{file}: {furthest}");
    }
}

#[test]
fn texts_are_those_of_transformers_token_for_token() {
    for (name, file) in FILES {
        let expected = Expected::of(name);
        let mut model = open(file);
        let spec = expected.greedy();
        assert_eq!(model.prompt(&spec).unwrap(), expected.prompt, "{file}");
        let greedy = Text { tokens: expected.greedy_tokens.clone(), text: expected.greedy_text.clone() };
        assert_eq!(generate(&mut model, &spec), greedy, "{file}");
        let beams = generate(&mut model, &TextSpec { beams: expected.beams, ..spec });
        assert_eq!(beams.tokens, expected.beam_tokens, "{file}");
    }
    let lengths = ARCHITECTURES.map(|name| Expected::of(name).beam_tokens.len());
    assert!(lengths.iter().any(|length| *length < 24), "some text ends by itself, or nothing was said about ends");
}

#[test]
fn one_pass_and_many_make_the_same_logits() {
    for name in ARCHITECTURES {
        let model = open(name);
        let tokens = Expected::of(name).prompt;
        let whole = logits(&model, &tokens, tokens.len());
        for piece in [1, 7] {
            let furthest = furthest(&whole, &logits(&model, &tokens, piece));
            assert!(furthest < 2e-5, "{name}, {piece} at once: {furthest}");
        }
    }
}
