//! Prompts to token ids, as `CLIPTokenizer` of `transformers` does it with padding and truncation on.

use oracle::manifest::LocalModel;
use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::config::{TOKENIZER_CONFIG, TextConfig, TokenizerConfig};
use crate::inference::{InferenceError, weights};

const WHOLE: &str = "tokenizer/tokenizer.json";
const VOCABULARY: &str = "tokenizer/vocab.json";
const MERGES: &str = "tokenizer/merges.txt";

/// A model's tokenizer; every prompt gets the same number of tokens.
pub(super) struct PromptTokenizer {
    tokenizer: Tokenizer,
    length: usize,
    start: u32,
    end: u32,
    pad: u32,
}

impl PromptTokenizer {
    /// From `tokenizer.json` or, if the manifest does not pin one, from `vocab.json` and `merges.txt`.
    pub(super) fn load(model: &LocalModel, text: &TextConfig) -> Result<Self, InferenceError> {
        let config: TokenizerConfig = weights::config(model)?;
        let pinned = |path: &str| model.manifest.files.iter().any(|file| file.path == path);
        let (source, bytes) = match pinned(WHOLE) {
            true => (WHOLE, weights::read(model, WHOLE)?),
            false => (VOCABULARY, assemble(model, &config)?),
        };
        let broken = |source_error| InferenceError::Tokenizer { path: model.folder.join(source), source: source_error };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(broken)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(broken)?;

        let id = |token: &str| {
            let missing = || broken(format!("it has no token {token:?}, which {TOKENIZER_CONFIG} names").into());
            tokenizer.token_to_id(token).ok_or_else(missing)
        };
        let start = id(config.bos_token.text())?;
        let end = id(config.eos_token.text())?;
        let pad = config.pad_token.map_or(Ok(end), |token| id(token.text()))?;
        let length = config.model_max_length;
        if !(2..=text.max_position_embeddings).contains(&length) {
            return Err(unsupported("model_max_length", length, "2 to the text encoder's max_position_embeddings"));
        }
        let size = tokenizer.get_vocab_size(true);
        if size > text.vocab_size {
            return Err(unsupported("vocabulary size", size, "at most the text encoder's vocab_size"));
        }
        Ok(Self { tokenizer, length, start, end, pad })
    }

    /// Start, as many tokens as fit, end, padding.
    pub(super) fn encode(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        let encoding = self.tokenizer.encode_fast(prompt, false).map_err(InferenceError::Prompt)?;
        let room = self.length - 2;
        let words = encoding.get_ids().iter().copied().take(room);
        let ids = std::iter::once(self.start).chain(words).chain(std::iter::once(self.end));
        Ok(ids.chain(std::iter::repeat(self.pad)).take(self.length).collect())
    }
}

fn unsupported(key: &str, value: usize, supported: &'static str) -> InferenceError {
    InferenceError::Unsupported { file: TOKENIZER_CONFIG, key: key.to_owned(), value: value.into(), supported }
}

/// The `tokenizer.json` that `transformers` makes of CLIP's two files.
fn assemble(model: &LocalModel, config: &TokenizerConfig) -> Result<Vec<u8>, InferenceError> {
    let malformed = |source| InferenceError::Config { path: model.folder.join(VOCABULARY), source };
    let vocabulary: Map<String, Value> =
        serde_json::from_slice(&weights::read(model, VOCABULARY)?).map_err(malformed)?;
    let merges = weights::read(model, MERGES)?;
    let merges = String::from_utf8_lossy(&merges);
    let merges: Vec<&str> = merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version")).collect();

    let special = |token: &str| {
        json!({
            "id": vocabulary.get(token), "content": token, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    };
    let (start, end) = (config.bos_token.text(), config.eos_token.text());
    let whole = json!({
        "version": "1.0",
        "added_tokens": [special(start), special(end)],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "NFC" },
            { "type": "Replace", "pattern": { "Regex": r"\s+" }, "content": " " },
            { "type": "Lowercase" },
        ] },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            {
                "type": "Split", "behavior": "Removed", "invert": true,
                "pattern": { "Regex": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+" },
            },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        ] },
        "model": {
            "type": "BPE", "unk_token": end, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "fuse_unk": false, "vocab": vocabulary, "merges": merges,
        },
    });
    serde_json::to_vec(&whole).map_err(malformed)
}
