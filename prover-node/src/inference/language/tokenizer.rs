//! Between text and token ids.

mod gguf;

use oracle::spec::Message;
use serde_json::{Map, Value};
use tokenizers::Tokenizer;

use super::{
    Files, LanguageError,
    config::{GENERATION_CONFIG, JSON as CONFIG},
    gguf::Gguf,
    keys::Keys,
    template::Template,
};

const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const TEMPLATE: &str = "chat_template.jinja";

/// Special tokens that a template may write, as the files name them.
const NAMED: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];

/// The same four.
const NAMED_IN_GGUF: [&str; 4] = [
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.padding_token_id",
];

/// A model's tokenizer, chat template and end tokens.
pub(super) struct Words {
    /// For messages.
    file: String,
    tokenizer: Tokenizer,
    template: Option<Template>,
    /// Put before prompts that no template has made, where the tokenizer itself does not.
    start: Option<u32>,
    ends: Vec<u32>,
}

impl Words {
    /// From the files of `transformers`.
    pub(super) fn from_files(files: &impl Files) -> Result<Self, LanguageError> {
        let names = files.names();
        let keys = |name: &str| match names.iter().any(|known| known == name) {
            true => Keys::parse(name, &files.read(name)?),
            false => Ok(Keys { file: name.to_owned(), values: Map::new() }),
        };
        let tokenizer = Tokenizer::from_bytes(files.read(TOKENIZER)?).map_err(|error| broken(TOKENIZER, &error))?;
        let config = keys(TOKENIZER_CONFIG)?;
        let named: Vec<_> =
            NAMED.into_iter().filter_map(|name| Some((name.to_owned(), text(config.get(name)?)?.to_owned()))).collect();

        let mut ends = keys(GENERATION_CONFIG)?.tokens("eos_token_id")?;
        if ends.is_empty() {
            let config = keys(CONFIG)?;
            ends = config.within("text_config").unwrap_or(config).tokens("eos_token_id")?;
        }
        if ends.is_empty() {
            ends.extend(config.get("eos_token").and_then(text).and_then(|token| tokenizer.token_to_id(token)));
        }

        let source = match names.iter().any(|name| name == TEMPLATE) {
            true => Some(String::from_utf8_lossy(&files.read(TEMPLATE)?).into_owned()),
            false => config.get("chat_template").and_then(template_in),
        };
        Self::new(TOKENIZER, tokenizer, source, named, None, ends)
    }

    /// From a GGUF's metadata.
    pub(super) fn from_gguf(gguf: &Gguf) -> Result<Self, LanguageError> {
        let file = gguf.keys.file.as_str();
        let gguf::Parts { tokenizer, tokens, start, ends } = gguf::read(gguf)?;
        let named = NAMED.into_iter().zip(NAMED_IN_GGUF).filter_map(|(name, key)| {
            let id = gguf.keys.size(key).ok()??;
            Some((name.to_owned(), tokens.get(id)?.clone()))
        });
        let source = gguf.keys.word("tokenizer.chat_template")?.map(ToOwned::to_owned);
        Self::new(file, tokenizer, source, named.collect(), start, ends)
    }

    fn new(
        file: &str,
        mut tokenizer: Tokenizer,
        template: Option<String>,
        named: Vec<(String, String)>,
        start: Option<u32>,
        ends: Vec<u32>,
    ) -> Result<Self, LanguageError> {
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| broken(file, &error))?;
        let template = template.map(|source| Template::parse(source, named)).transpose()?;
        Ok(Self { file: file.to_owned(), tokenizer, template, start, ends })
    }

    /// Refuses a tokenizer with more tokens than the model's `rows`. Fewer are usual: embeddings are padded.
    pub(super) fn fit(&self, rows: usize) -> Result<(), LanguageError> {
        let most = self.tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        let tokens = self.ends.iter().chain(&self.start).fold(most, |most, id| most.max(*id as usize + 1));
        if tokens > rows {
            return Err(LanguageError::Vocabulary { file: self.file.clone(), tokens, rows });
        }
        Ok(())
    }

    /// The prompt for `messages`: as the template has it, or without one their contents, line by line. Special tokens
    /// that a message spells out become those tokens, as in `transformers` and llama.cpp. It is never empty.
    pub(super) fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, LanguageError> {
        let text = match &self.template {
            Some(template) => template.render(messages)?,
            None => messages.iter().map(|message| message.content.text()).collect::<Vec<_>>().join("\n"),
        };
        // A template has written all special tokens.
        let mut ids = self.encode(&text, self.template.is_none())?;
        if let (None, Some(start)) = (&self.template, self.start)
            && ids.first() != Some(&start)
        {
            ids.insert(0, start);
        }
        if ids.is_empty() {
            ids.extend(self.start.or(self.ends.first().copied()).or(Some(0)));
        }
        Ok(ids)
    }

    fn encode(&self, text: &str, specials: bool) -> Result<Vec<u32>, LanguageError> {
        let encoding = self.tokenizer.encode_fast(text, specials).map_err(|error| broken(&self.file, &error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `tokens`, without special ones.
    pub(super) fn text(&self, tokens: &[u32]) -> Result<String, LanguageError> {
        self.tokenizer.decode(tokens, true).map_err(|error| broken(&self.file, &error))
    }

    /// Whether a text is over with `token`.
    pub(super) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// The tokens of words that a text is to say.
    pub(super) fn tokens(&self, words: &str) -> Result<Vec<u32>, LanguageError> {
        self.encode(words, false)
    }

    /// What ends a text.
    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }
}

fn broken(file: &str, error: &tokenizers::Error) -> LanguageError {
    let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
    LanguageError::Tokenizer { file: file.to_owned(), reason }
}

/// A special token is its text, or an object with it.
fn text(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// A template is its source, or one of a list of named ones.
fn template_in(value: &Value) -> Option<String> {
    let named = |list: &Vec<Value>| {
        let default = list.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"));
        default?.get("template")?.as_str().map(ToOwned::to_owned)
    };
    value.as_str().map(ToOwned::to_owned).or_else(|| value.as_array().and_then(named))
}
