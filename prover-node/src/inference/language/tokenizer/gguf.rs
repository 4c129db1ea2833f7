//! Tokenizers that GGUF describes by their data: byte-level BPE (`gpt2`), and SentencePiece's BPE (`llama`), whose merges
//! follow from the pieces' scores.

use std::collections::HashMap;

use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer,
    decoders::{
        byte_fallback::ByteFallback, byte_level::ByteLevel, fuse::Fuse, sequence::Sequence as DecoderSequence,
        strip::Strip,
    },
    models::bpe::{BPE, BpeBuilder},
    normalizers::{Prepend, Replace, Sequence as NormalizerSequence, unicode::NFC},
    pre_tokenizers::{
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    tokenizer::SplitDelimiterBehavior,
};

use super::{Gguf, LanguageError, broken};

/// What SentencePiece writes for a space.
const SPACE: &str = "\u{2581}";

/// What comes before a line break or a number is what these two differ in.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Tokens that end a turn. Files often state only one end token, and llama.cpp knows the others by their texts.
const TURN_ENDS: [&str; 4] = ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"];

/// Kinds of token, as GGUF numbers them.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// What the metadata say about tokens.
pub(super) struct Parts {
    pub(super) tokenizer: Tokenizer,
    /// Texts, in the order of ids.
    pub(super) tokens: Vec<String>,
    /// Comes before every prompt.
    pub(super) start: Option<u32>,
    pub(super) ends: Vec<u32>,
}

/// Reads the metadata.
pub(super) fn read(gguf: &Gguf) -> Result<Parts, LanguageError> {
    const LIST: &str = "tokenizer.ggml.tokens";
    const KIND: &str = "tokenizer.ggml.model";
    let keys = &gguf.keys;
    let tokens = keys.need(LIST, gguf.strings(LIST))?;
    let kinds = gguf.integers("tokenizer.ggml.token_type").unwrap_or_default();
    let (mut tokenizer, starts) = match keys.need(KIND, keys.word(KIND)?)? {
        "gpt2" => (byte_level(gguf, &tokens)?, false),
        "llama" => (sentence_piece(gguf, &tokens, &kinds)?, true),
        _ => return Err(keys.unsupported(KIND, "gpt2, llama")),
    };
    add_specials(&mut tokenizer, &tokens, &kinds).map_err(|error| broken(&keys.file, &error))?;

    let single = |key: &str| keys.tokens(key).map(|ids| ids.first().copied());
    let starts = keys.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(starts);
    let start = single("tokenizer.ggml.bos_token_id")?.filter(|_| starts);
    let mut ends = Vec::new();
    for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        ends.extend(single(&format!("tokenizer.ggml.{key}"))?);
    }
    let turn_ends = tokens.iter().zip(0..).filter(|(token, _)| TURN_ENDS.contains(&token.as_str()));
    ends.extend(turn_ends.map(|(_, id): (_, u32)| id));
    ends.sort_unstable();
    ends.dedup();
    Ok(Parts { tokenizer, tokens, start, ends })
}

fn ids(tokens: &[String]) -> impl Iterator<Item = (String, u32)> {
    tokens.iter().cloned().zip(0..)
}

fn byte_level(gguf: &Gguf, tokens: &[String]) -> Result<Tokenizer, LanguageError> {
    const MERGES: &str = "tokenizer.ggml.merges";
    const SPLITTER: &str = "tokenizer.ggml.pre";
    let keys = &gguf.keys;
    let broken = |error: tokenizers::Error| broken(&keys.file, &error);
    let pair = |merge: &String| merge.split_once(' ').map(|(one, other)| (one.to_owned(), other.to_owned()));
    let merges: Option<Vec<_>> = gguf.strings(MERGES).and_then(|merges| merges.iter().map(pair).collect());

    let bytes = |regex| ByteLevel::new(false, true, regex);
    let split = |pattern: &str| -> tokenizers::Result<PreTokenizerWrapper> {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?;
        Ok(Sequence::new(vec![split.into(), bytes(false).into()]).into())
    };
    let splitter = keys.need(SPLITTER, keys.word(SPLITTER)?)?;
    let (pre_tokenizer, normalizer): (PreTokenizerWrapper, Option<NormalizerWrapper>) = match splitter {
        "gpt-2" => (bytes(true).into(), None),
        "smollm" => (Sequence::new(vec![Digits::new(true).into(), bytes(true).into()]).into(), None),
        "llama-bpe" => (split(LLAMA3).map_err(broken)?, None),
        "qwen2" => (split(QWEN2).map_err(broken)?, Some(NFC.into())),
        _ => return Err(keys.unsupported(SPLITTER, "gpt-2, smollm, llama-bpe, qwen2")),
    };
    let builder = BPE::builder()
        .vocab_and_merges(ids(tokens).collect::<tokenizers::models::bpe::Vocab>(), keys.need(MERGES, merges)?)
        .ignore_merges(splitter == "llama-bpe");
    let mut tokenizer = Tokenizer::new(builder.build().map_err(broken)?);
    tokenizer.with_normalizer(normalizer).map_err(broken)?;
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
    tokenizer.with_decoder(Some(bytes(true)));
    Ok(tokenizer)
}

/// Where SentencePiece joins the leftmost of equally good pairs, BPE joins the one whose merge is listed first. That
/// matters only between two ways to the same piece.
fn sentence_piece(gguf: &Gguf, tokens: &[String], kinds: &[i64]) -> Result<Tokenizer, LanguageError> {
    const SCORES: &str = "tokenizer.ggml.scores";
    let keys = &gguf.keys;
    let broken = |error: tokenizers::Error| broken(&keys.file, &error);
    let scores = keys.need(SCORES, gguf.reals(SCORES).filter(|scores| scores.len() == tokens.len()))?;
    let unknown = tokens.iter().zip(kinds).find(|(_, kind)| **kind == UNKNOWN).map(|(token, _)| token.clone());

    let mut builder: BpeBuilder = BPE::builder()
        .vocab_and_merges(ids(tokens).collect::<tokenizers::models::bpe::Vocab>(), merges(tokens, &scores))
        .byte_fallback(true)
        .fuse_unk(true);
    if let Some(unknown) = unknown {
        builder = builder.unk_token(unknown);
    }
    let mut tokenizer = Tokenizer::new(builder.build().map_err(broken)?);

    let prefixed = keys.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    let mut decoders: Vec<DecoderWrapper> =
        vec![Replace::new(SPACE, " ").map_err(broken)?.into(), ByteFallback::default().into(), Fuse::default().into()];
    if prefixed {
        normalizers.push(Prepend::new(SPACE.to_owned()).into());
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    normalizers.push(Replace::new(" ", SPACE).map_err(broken)?.into());
    tokenizer.with_normalizer(Some(NormalizerSequence::new(normalizers))).map_err(broken)?;
    tokenizer.with_decoder(Some(DecoderSequence::new(decoders)));
    Ok(tokenizer)
}

/// Every way to put a piece together from two others, the best piece first.
fn merges(tokens: &[String], scores: &[f32]) -> Vec<(String, String)> {
    let score: HashMap<&str, f32> = tokens.iter().map(String::as_str).zip(scores.iter().copied()).collect();
    let mut found: Vec<(f32, f32, f32, &str, &str)> = Vec::new();
    for (token, whole) in tokens.iter().zip(scores) {
        let splits = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        found
            .extend(splits.filter_map(|(one, other)| Some((*whole, *score.get(one)?, *score.get(other)?, one, other))));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(b.2.total_cmp(&a.2)));
    found.into_iter().map(|(.., one, other)| (one.to_owned(), other.to_owned())).collect()
}

fn add_specials(tokenizer: &mut Tokenizer, tokens: &[String], kinds: &[i64]) -> tokenizers::Result<()> {
    let of = |wanted: &'static [i64]| {
        let chosen = tokens.iter().zip(kinds).filter(|(token, kind)| wanted.contains(kind) && !token.is_empty());
        chosen.map(move |(token, _)| AddedToken::from(token.clone(), wanted != [USER_DEFINED]).normalized(false))
    };
    tokenizer.add_special_tokens(of(&[UNKNOWN, CONTROL]))?;
    tokenizer.add_tokens(of(&[USER_DEFINED]))?;
    Ok(())
}
