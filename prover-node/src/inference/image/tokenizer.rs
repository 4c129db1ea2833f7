//! Prompts to token ids, as `CLIPTokenizer` of `transformers` does it with padding and truncation on.

use std::collections::BTreeSet;

use oracle::manifest::LocalModel;
use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::config::{SpecialToken, TextConfig, TokenizerConfig};
use crate::inference::{InferenceError, config::unsupported, weights};

/// A model's tokenizer; every prompt gets the same number of tokens.
pub(super) struct PromptTokenizer {
    tokenizer: Tokenizer,
    length: usize,
    start: u32,
    end: u32,
    pad: u32,
}

impl PromptTokenizer {
    /// For the encoder `text`, from what lies beside the config `file`: `tokenizer.json` or, if the manifest does not pin
    /// one, `vocab.json` and `merges.txt`.
    pub(super) fn load(model: &LocalModel, file: &'static str, text: &TextConfig) -> Result<Self, InferenceError> {
        let config: TokenizerConfig = weights::config_at(model, file)?;
        let beside = |name: &str| file.replace("tokenizer_config.json", name);
        let (whole, vocabulary) = (beside("tokenizer.json"), beside("vocab.json"));
        let (source, bytes) = match model.manifest.lists(&whole) {
            true => (&whole, weights::read(model, &whole)?),
            false => (&vocabulary, assemble(model, &vocabulary, &beside("merges.txt"), &config)?),
        };
        let broken = |source_error| InferenceError::Tokenizer { path: model.folder.join(source), source: source_error };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(broken)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(broken)?;

        let id = |token: &str| {
            let missing = || broken(format!("it has no token {token:?}, which {file} names").into());
            tokenizer.token_to_id(token).ok_or_else(missing)
        };
        let start = id(config.bos_token.text())?;
        let end = id(config.eos_token.text())?;
        let pad = config.pad_token.map_or(Ok(end), |token| id(token.text()))?;
        let length = config.model_max_length;
        if !(2..=text.max_position_embeddings).contains(&length) {
            let supported = "2 to the text encoder's max_position_embeddings";
            return Err(unsupported(file, "model_max_length", length, supported));
        }
        let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or_default();
        if largest as usize >= text.vocab_size {
            return Err(unsupported(
                file,
                "its largest token id",
                largest,
                "those below the text encoder's vocab_size",
            ));
        }
        Ok(Self { tokenizer, length, start, end, pad })
    }

    /// Tokens of every prompt.
    pub(super) fn length(&self) -> usize {
        self.length
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

/// The `tokenizer.json` that `transformers` makes of CLIP's two files.
fn assemble(
    model: &LocalModel,
    vocabulary: &str,
    merges: &str,
    config: &TokenizerConfig,
) -> Result<Vec<u8>, InferenceError> {
    let malformed = |source| InferenceError::Config { path: model.folder.join(vocabulary), source };
    let vocabulary: Map<String, Value> =
        serde_json::from_slice(&weights::read(model, vocabulary)?).map_err(malformed)?;
    let merges = weights::read(model, merges)?;
    let merges = String::from_utf8_lossy(&merges);
    let merges: Vec<&str> = merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version")).collect();

    let special = |token: &str| {
        json!({
            "id": vocabulary.get(token), "content": token, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    };
    // Whatever a config names is cut out of a prompt as it stands, an exclamation mark that pads as well.
    let named =
        [Some(&config.bos_token), Some(&config.eos_token), config.unk_token.as_ref(), config.pad_token.as_ref()];
    let named: BTreeSet<&str> = named.into_iter().flatten().map(SpecialToken::text).collect();
    let unknown = config.unk_token.as_ref().unwrap_or(&config.eos_token).text();
    let whole = json!({
        "version": "1.0",
        "added_tokens": named.into_iter().map(special).collect::<Vec<_>>(),
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
            "type": "BPE", "unk_token": unknown, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "fuse_unk": false, "vocab": vocabulary, "merges": merges,
        },
    });
    serde_json::to_vec(&whole).map_err(malformed)
}
