//! The tiny models of `tests/golden/language` say what `transformers` says of them.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fs,
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use alloy::primitives::B256;
use candle_core::{Device, Tensor};
use oracle::{
    manifest::Arithmetic,
    output::{Output, Text},
    spec::{Message, Prompt, Role, Spec, TextSpec},
};
use serde::Deserialize;
use tempfile::TempDir;

use super::*;
use crate::inference::{self, Asked, Inference, Sums};

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
    Model::open(path, &Settings { threads: NonZeroUsize::MIN, ..Settings::default() })
}

fn generate(model: &mut Model, spec: &TextSpec) -> Text {
    model.write(spec, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Of all positions of `tokens`, computed in pieces of `piece` tokens.
fn logits(model: &Model, tokens: &[u32], piece: usize) -> Vec<Vec<f32>> {
    let mut cache = cache::Cache::new(model.decoder.config(), tokens.len(), &Device::Cpu).unwrap();
    let forward = |piece: &[u32]| {
        let hidden = model.decoder.forward(&mut [decoder::Feed { tokens: &[piece], cache: &mut cache }]).unwrap();
        model.decoder.logits(&hidden).unwrap().to_vec2::<f32>().unwrap()
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

fn check(model: &mut Model, spec: &TextSpec, claim: &[u32], tau: f32) -> Judgement {
    model.check(spec, claim, tau).unwrap()
}

#[test]
fn a_check_accepts_what_was_made_and_names_the_first_token_that_was_not() {
    for (name, file) in FILES {
        let expected = Expected::of(name);
        let (mut model, spec, made) = (open(file), expected.greedy(), expected.greedy_tokens);
        let accepted = check(&mut model, &spec, &made, 1e-4);
        assert!(matches!(accepted, Judgement::Accepted { margin } if margin <= 1e-4), "{file}: {accepted:?}");

        for position in 0..made.len() - 1 {
            let mut forged = made.clone();
            forged[position] = (made[position] + 7) % 200 + 50;
            let Judgement::Rejected(fault) = check(&mut model, &spec, &forged, 1e-4) else {
                panic!("{file}: token {position} was forged, and nobody saw it");
            };
            assert_eq!(fault.position, position, "{file}");
            assert!(
                matches!(fault.reason, Reason::Unlikely { instead, margin } if instead == made[position] && margin > 0.0)
            );
            // A forger is believed by who tolerates anything.
            assert!(matches!(check(&mut model, &spec, &forged, f32::INFINITY), Judgement::Accepted { .. }));
        }
    }
}

#[test]
fn a_check_wants_texts_to_end_where_they_must() {
    let expected = Expected::of("qwen2");
    let (mut model, spec, made) = (open("qwen2"), expected.greedy(), expected.greedy_tokens);
    assert_eq!(made.last(), Some(&2), "the text must end by itself");
    let fault = |position, reason| Judgement::Rejected(Fault { position, reason });
    let cut = &made[..made.len() - 1];
    assert_eq!(check(&mut model, &spec, &[], 1.0), fault(0, Reason::Unfinished));
    assert_eq!(check(&mut model, &spec, cut, 1.0), fault(cut.len(), Reason::Unfinished));
    assert_eq!(check(&mut model, &spec, &[&made[..], &[5]].concat(), 1.0), fault(made.len(), Reason::PastTheEnd));
    assert_eq!(check(&mut model, &spec, &[made[0], 288, 2], 1.0), fault(1, Reason::Unknown));
    assert_eq!(check(&mut model, &spec, &[made[0], u32::MAX], 1.0), fault(1, Reason::Unknown));
    // Cut by the number of tokens it is whole.
    let shorter = TextSpec { max_tokens: 3, ..spec.clone() };
    assert!(matches!(check(&mut model, &shorter, &made[..3], 1e-4), Judgement::Accepted { .. }));
    let beams = model.check(&TextSpec { beams: 4, ..spec }, &made, 1.0).unwrap_err();
    assert_eq!(beams.to_string(), "only greedy texts can be checked without making them again; this one is of 4 beams");
}

#[test]
fn a_stop_sequence_ends_the_text_and_is_not_part_of_it() {
    let expected = Expected::of("llama");
    let (mut model, spec) = (open("llama"), expected.greedy());
    let whole = generate(&mut model, &spec);
    let stop: String = whole.text.chars().skip(4).take(2).collect();
    let (before, _) = whole.text.split_once(&stop).unwrap();

    let stops = vec![Prompt::default(), Prompt(vec![0xff]), stop.as_str().into()];
    let spec = TextSpec { stops, ..spec };
    let stopped = generate(&mut model, &spec);
    assert_eq!(stopped.text, before);
    assert!(stopped.tokens.len() < whole.tokens.len() && whole.tokens.starts_with(&stopped.tokens));
    assert!(matches!(check(&mut model, &spec, &stopped.tokens, 1e-4), Judgement::Accepted { .. }));
    assert!(matches!(check(&mut model, &spec, &whole.tokens, 1e-4), Judgement::Rejected(_)));
    for text in [TextSpec { beams: 3, ..spec.clone() }, spec] {
        assert!(!generate(&mut model, &text).text.contains(&stop));
    }
}

#[test]
fn one_beam_is_greedy() {
    for name in ARCHITECTURES {
        let expected = Expected::of(name);
        let model = open(name);
        let spec = expected.greedy();
        assert_eq!(model.beams(&spec, &mut |_| true).unwrap().tokens, expected.greedy_tokens, "{name}");
    }
}

#[test]
fn a_prompt_that_is_too_long_keeps_its_last_tokens_and_any_bytes_are_one() {
    let mut model = open("gemma3");
    let context = model.decoder.config().context;
    for content in [b"".to_vec(), vec![b'a'; 4_096], vec![0xff; 4_096], b"<|end|><|start|>\0".to_vec()] {
        let messages = vec![Message { role: Role::User, content: Prompt(content) }];
        let spec = TextSpec { messages, max_tokens: 5, beams: 1, stops: Vec::new() };
        let all = model.words.prompt(&spec.messages).unwrap();
        let prompt = model.prompt(&spec).unwrap();
        assert_eq!(prompt.len(), all.len().min(context - 5));
        assert!(all.ends_with(&prompt));
        let made = generate(&mut model, &spec);
        assert!(matches!(check(&mut model, &spec, &made.tokens, 1e-4), Judgement::Accepted { .. }));
    }
}

#[test]
fn a_text_is_the_same_in_company() {
    for architecture in ARCHITECTURES {
        let (model, spec) = (open(architecture), Expected::of(architecture).greedy());
        let specs: Vec<_> = (0..8)
            .map(|i| {
                let content = format!("{i} foxes{}", " and a hound".repeat(i));
                TextSpec {
                    messages: vec![Message { role: Role::User, content: content.as_str().into() }],
                    max_tokens: 3 + 5 * i as u32,
                    ..spec.clone()
                }
            })
            .collect();
        let texts = RefCell::new(vec![None; specs.len()]);
        let texts_of = &texts;
        let answer = |i: usize| move |text: Result<Text, LanguageError>| texts_of.borrow_mut()[i] = Some(text.unwrap());
        let mut waiting = specs.iter().enumerate().map(|(i, spec)| (spec.clone(), answer(i)));
        // They come one token apart, and go when they are over.
        let (first, mut tokens) = (waiting.next().unwrap(), 0);
        model.write_together(first, || {
            tokens += 1;
            (tokens % 2 == 0).then(|| waiting.next())?
        });
        for (spec, text) in specs.iter().zip(texts.into_inner()) {
            assert_eq!(text, Some(model.write(spec, &mut |_| ControlFlow::Continue(())).unwrap()), "{architecture}");
        }
    }
}

#[test]
fn other_sums_and_roundings_move_no_logit_far() {
    let expected = Expected::of("qwen3");
    let tokens = [expected.prompt, expected.greedy_tokens].concat();
    let of = |arithmetic, sums| {
        let settings = Settings { threads: NonZeroUsize::MIN, arithmetic, sums, ..Settings::default() };
        logits(&Model::open(&golden("qwen3"), &settings).unwrap(), &tokens, 1)
    };
    let usual = of(Arithmetic::F32, Sums::Pinned);
    for (arithmetic, sums, least, most) in [
        (Arithmetic::F32, Sums::Gemm, 0.0, 2e-5),
        (Arithmetic::F16, Sums::Pinned, 1e-4, 0.05),
        (Arithmetic::Bf16, Sums::Pinned, 1e-3, 0.5),
    ] {
        let furthest = furthest(&usual, &of(arithmetic, sums));
        assert!(furthest > least && furthest < most, "{arithmetic:?} {sums:?}: {furthest}");
    }
}

#[test]
fn forgeries_are_what_they_say_and_a_check_knows_them() {
    let expected = Expected::of("qwen2");
    let (model, spec, made) = (open("qwen2"), expected.greedy(), expected.greedy_tokens);
    assert!(model.margin(&spec, &made).unwrap() < 1e-4);

    let forged = model.forge_token(&spec, &made).unwrap();
    assert_eq!(forged.iter().zip(&made).filter(|(forged, made)| forged != made).count(), 1);
    assert_eq!(forged.len(), made.len());
    let margin = model.margin(&spec, &forged).unwrap();
    assert!(margin > 0.0 && margin.is_finite(), "{margin}");

    let cut = model.cut_short(&made);
    assert_eq!(cut, [&made[..made.len() / 2], &[2]].concat());
    assert!(model.margin(&spec, &cut).unwrap() > 1e-3);
    assert!(model.margin(&spec, &made[..made.len() / 2]).unwrap().is_infinite(), "it does not end where it must");

    let told = model.retell(&spec, "where do the foxes sleep").unwrap();
    assert!(told.ends_with(model.ends()) && model.margin(&spec, &told).unwrap() > 1e-3);
    let short = TextSpec { max_tokens: 2, ..spec };
    assert_eq!(model.retell(&short, "where do the foxes sleep").unwrap(), told[..2]);
}

#[test]
fn a_sampled_text_is_its_seeds_alone_and_in_company() {
    let (model, spec) = (open("llama"), Expected::of("llama").greedy());
    let jobs: Vec<_> = (0..20).map(|seed| (spec.clone(), B256::repeat_byte(seed))).collect();
    let texts = model.sample(&jobs).unwrap();
    assert_eq!(model.sample(&jobs[13..14]).unwrap(), texts[13..14]);
    let different: HashSet<_> = texts.iter().map(|text| &text.tokens).collect();
    assert!(different.len() > 15, "{different:?}");
    let greedy = model.write_all(&[spec.clone(), TextSpec { max_tokens: 5, ..spec }]).unwrap();
    assert_eq!(greedy[0].tokens, Expected::of("llama").greedy_tokens);
    assert_eq!(greedy[1].tokens, greedy[0].tokens[..5]);
}

#[tokio::test]
async fn the_thread_takes_texts_together() {
    let (model, spec) = (open("llama"), Expected::of("llama").greedy());
    let specs: Vec<_> = [(20, 1), (12, 1), (9, 2), (16, 1)]
        .map(|(max_tokens, beams)| TextSpec { max_tokens, beams, ..spec.clone() })
        .to_vec();
    let expected = specs.iter().map(|spec| model.write(spec, &mut |_| ControlFlow::Continue(())).unwrap());
    let expected: Vec<_> = expected.map(Output::Text).collect();

    let inference = Inference::of(inference::Model::Text(Box::new(model)));
    let asked = specs.into_iter().map(|spec| {
        let spec = Spec::Text(spec);
        let asked = Asked { model: B256::ZERO, spec, noise_seed: B256::ZERO, deadline: u64::MAX, job: None };
        inference.generate(asked, |_| {})
    });
    let made = futures_util::future::try_join_all(asked).await.unwrap();
    assert_eq!(made.into_iter().map(|made| made.output).collect::<Vec<_>>(), expected);
}

#[test]
fn what_no_model_can_write_is_refused_in_one_line() {
    let model = open("llama");
    let spec = Expected::of("llama").greedy();
    let refused = |spec: TextSpec| {
        let error = model.write(&spec, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let most = "128 tokens are too many: this model takes at most 127";
    assert_eq!(refused(TextSpec { max_tokens: 128, ..spec.clone() }), most);
    let none = "0 tokens are out of bounds: this model writes 1 to 127";
    assert_eq!(refused(TextSpec { max_tokens: 0, ..spec.clone() }), none);
    assert!(refused(TextSpec { beams: 0, ..spec.clone() }).starts_with("0 beams are out of bounds"));
    assert!(refused(TextSpec { messages: Vec::new(), ..spec.clone() }).starts_with("there are 0 messages"));

    let cancelled = model.write(&spec, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(cancelled, LanguageError::Cancelled));
}

/// A folder with the files of a golden model, but for what `change` does to one of them.
fn changed(model: &str, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = golden(model);
    if from.is_dir() {
        for entry in fs::read_dir(&from).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    } else {
        fs::copy(&from, folder.path().join(file)).unwrap();
    }
    let path = folder.path().join(file);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    folder
}

fn refusal(folder: &TempDir) -> String {
    let error = open_at(folder.path()).err().unwrap().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn files_of_another_model_are_refused() {
    let set = |model: &str, key: &str, value: serde_json::Value| {
        refusal(&changed(model, "config.json", |bytes| {
            let mut config: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            config[key] = value;
            serde_json::to_vec(&config).unwrap()
        }))
    };
    assert_eq!(
        set("llama", "vocab_size", 200.into()),
        "tokenizer.json has 280 tokens, but the model only 200: it belongs to another model"
    );
    for (key, value) in [("hidden_size", 64), ("num_hidden_layers", 3), ("intermediate_size", 1), ("vocab_size", 300)] {
        let refused = set("llama", key, value.into());
        assert!(refused.contains("does not hold the weights that its config describes"), "{key}: {refused}");
    }
    for (key, value) in [("head_dim", 0), ("num_key_value_heads", 3), ("hidden_size", 1_u64 << 60), ("vocab_size", 0)] {
        let refused = set("llama", key, value.into());
        assert!(refused.starts_with("config.json sets "), "{key}: {refused}");
    }
    let refused = set("gemma3", "final_logit_softcapping", 30.0.into());
    assert_eq!(refused, "config.json sets final_logit_softcapping to 30.0; supported: null or false");
    let refused = set("qwen3", "model_type", "mamba".into());
    assert_eq!(refused, "config.json sets model_type to \"mamba\"; supported: llama, qwen2, qwen3, gemma3_text");
    let refused = set("llama", "hidden_size", serde_json::Value::Null);
    assert_eq!(refused, "config.json does not state hidden_size");

    let nothing = tempfile::tempdir().unwrap();
    assert!(refusal(&nothing).contains("holds no language model"));
}

#[test]
fn damaged_files_are_refused_in_one_line_and_never_panic() {
    for (model, file) in [("llama", "model.safetensors"), ("llama.gguf", "llama.gguf"), ("gemma3.gguf", "gemma3.gguf")]
    {
        let whole = fs::read(if golden(model).is_dir() { golden(model).join(file) } else { golden(model) }).unwrap();
        for length in [0, 3, 8, 9, 24, 100, 2_000, whole.len() / 2, whole.len() - 1] {
            refusal(&changed(model, file, |bytes| bytes[..length].to_vec()));
        }
        // Every byte of what is a header, sparsely, gets other values; the file may still be a model's then.
        let folder = changed(model, file, |bytes| bytes);
        let path = folder.path().join(file);
        for at in (0..whole.len().min(16_000)).step_by(41).chain(0..64) {
            for value in [0, 0x80, 0xff, whole[at] ^ 1] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                fs::write(&path, damaged).unwrap();
                if let Err(error) = open_at(folder.path()) {
                    let error = error.to_string();
                    assert!(!error.contains('\n') && error.len() < 1_000, "{file}, byte {at} = {value}: {error}");
                }
            }
        }
    }
}

#[test]
fn damaged_weights_are_noticed_when_logits_are_not_numbers() {
    let folder = changed("llama", "model.safetensors", |mut bytes| {
        let end = bytes.len();
        bytes[end / 2..].fill(0xff);
        bytes
    });
    let model = open_at(folder.path()).unwrap();
    let error = model.write(&Expected::of("llama").greedy(), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, LanguageError::NotFinite(0)), "{error}");
}

#[test]
fn gguf_that_aligns_to_nothing_is_refused() {
    let folder = changed("llama.gguf", "llama.gguf", |bytes| {
        let key = b"general.architecture";
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap() - 8;
        let aligned = [&17_u64.to_le_bytes()[..], b"general.alignment", &4_u32.to_le_bytes(), &[0; 4]].concat();
        let mut bytes = [&bytes[..at], &aligned, &bytes[at..]].concat();
        bytes[16] += 1;
        bytes
    });
    assert!(refusal(&folder).ends_with("its general.alignment is 0"));
}
