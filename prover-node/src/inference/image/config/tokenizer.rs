//! A tokenizer's config: `CLIPTokenizer`.

use serde::Deserialize;

use super::TOKENIZER_CONFIG;
use crate::inference::config::Config;

/// `CLIPTokenizer`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TokenizerConfig {
    pub(crate) bos_token: SpecialToken,
    pub(crate) eos_token: SpecialToken,
    pub(crate) pad_token: Option<SpecialToken>,
    pub(crate) unk_token: Option<SpecialToken>,
    pub(crate) model_max_length: usize,
}

/// A token's text, bare or with how it is matched.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum SpecialToken {
    Bare(String),
    Described { content: String },
}

impl Config for TokenizerConfig {
    const FILE: &'static str = TOKENIZER_CONFIG;
    const FIXED: &'static [(&'static str, &'static str)] =
        &[("tokenizer_class", "\"CLIPTokenizer\""), ("do_lower_case", "true")];
    const IGNORED: &'static [&'static str] = &[
        "add_prefix_space",
        "added_tokens_decoder",
        "clean_up_tokenization_spaces",
        "errors",
        "extra_special_tokens",
        "name_or_path",
        "special_tokens_map_file",
    ];
}

impl SpecialToken {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Bare(text) | Self::Described { content: text } => text,
        }
    }
}
