//! A file's keys and values, asked for by type.

use serde_json::{Map, Value};

use super::LanguageError;

/// What a file states.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// For messages.
    pub(super) file: String,
    pub(super) values: Map<String, Value>,
}

impl Keys {
    /// Of a JSON file, which must be an object.
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Self, LanguageError> {
        let malformed = |source| LanguageError::Json { file: file.to_owned(), source };
        Ok(Self { file: file.to_owned(), values: serde_json::from_slice(bytes).map_err(malformed)? })
    }

    /// Those of the object under `key`; `None` if there is none.
    pub(super) fn within(&self, key: &str) -> Option<Self> {
        let values = self.values.get(key)?.as_object()?;
        Some(Self { file: self.file.clone(), values: values.clone() })
    }

    /// The value, unless it is null.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn size(&self, key: &str) -> Result<Option<usize>, LanguageError> {
        let as_size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        self.read(key, "a whole number", as_size)
    }

    pub(super) fn real(&self, key: &str) -> Result<Option<f64>, LanguageError> {
        self.read(key, "a number above zero", |value| value.as_f64().filter(|real| real.is_finite() && *real > 0.0))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, LanguageError> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(super) fn word(&self, key: &str) -> Result<Option<&str>, LanguageError> {
        self.get(key).map(|value| value.as_str().ok_or_else(|| self.unsupported(key, "a text"))).transpose()
    }

    /// One token id or a list of them; none if the key is not there.
    pub(super) fn tokens(&self, key: &str) -> Result<Vec<u32>, LanguageError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let listed = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        let token = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        listed.into_iter().map(|value| token(value).ok_or_else(|| self.unsupported(key, "token ids"))).collect()
    }

    /// What `read` found, or an error that names the key.
    pub(super) fn need<T>(&self, key: &str, found: Option<T>) -> Result<T, LanguageError> {
        found.ok_or_else(|| LanguageError::Missing { file: self.file.clone(), key: key.to_owned() })
    }

    pub(super) fn unsupported(&self, key: &str, supported: &'static str) -> LanguageError {
        let value = self.values.get(key).map_or_else(|| "nothing".to_owned(), Value::to_string);
        LanguageError::Unsupported { file: self.file.clone(), key: key.to_owned(), value, supported }
    }

    fn read<T>(
        &self,
        key: &str,
        expected: &'static str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, LanguageError> {
        self.get(key).map(|value| convert(value).ok_or_else(|| self.unsupported(key, expected))).transpose()
    }
}
