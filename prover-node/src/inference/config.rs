//! Reads a config strictly: every key is read, known to change nothing, or refused by name.

use std::path::Path;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::InferenceError;

/// A config, and what it may hold beside the fields that are read.
pub(super) trait Config: DeserializeOwned {
    /// Where it usually lies, relative to the model's folder.
    const FILE: &'static str;
    /// Implemented for these values only, given as JSON with ` or ` between them.
    const FIXED: &'static [(&'static str, &'static str)];
    /// Without influence on the picture.
    const IGNORED: &'static [&'static str];
}

/// The fields that are read, and all others.
#[derive(Deserialize)]
#[serde(bound = "C: DeserializeOwned")]
struct Whole<C> {
    #[serde(flatten)]
    config: C,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Reads the config in `bytes`, which came from `file` in `folder`.
pub(super) fn parse<C: Config>(folder: &Path, file: &'static str, bytes: &[u8]) -> Result<C, InferenceError> {
    let malformed = |source| InferenceError::Config { path: folder.join(file), source };
    let Whole { config, others } = serde_json::from_slice(bytes).map_err(malformed)?;
    others.iter().try_for_each(|(key, value)| check::<C>(file, key, value))?;
    Ok(config)
}

fn check<C: Config>(file: &'static str, key: &str, value: &Value) -> Result<(), InferenceError> {
    let only = C::FIXED.iter().find(|(fixed, _)| *fixed == key).map(|(_, only)| *only);
    let harmless = match only {
        Some(only) => only.split(" or ").any(|only| same(value, only)),
        // What is switched off changes nothing, whatever it is.
        None => key.starts_with('_') || C::IGNORED.contains(&key) || value.is_null() || *value == Value::Bool(false),
    };
    match harmless {
        true => Ok(()),
        false => Err(unsupported(file, key, value.clone(), only.unwrap_or("nothing of that name"))),
    }
}

fn same(value: &Value, json: &str) -> bool {
    match value.as_f64() {
        // 1 and 1.0 are one number.
        Some(number) => json.parse() == Ok(number),
        None => serde_json::from_str::<Value>(json).is_ok_and(|only| only == *value),
    }
}

pub(super) fn unsupported(
    file: &'static str,
    key: &str,
    value: impl Into<Value>,
    supported: &'static str,
) -> InferenceError {
    InferenceError::Unsupported { file, key: key.to_owned(), value: value.into(), supported }
}
