//! Ids as people type them: all of one, or its beginning.

use std::{fmt, str::FromStr};

use alloy::primitives::{B256, hex};

/// Fewest hex digits that name something.
const MIN_PREFIX_DIGITS: usize = 4;

/// The beginning of an id, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPrefix(String);

/// Text that is no beginning of an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 0x and 64 hex digits; at least {MIN_PREFIX_DIGITS} of them are needed, and {0:?} is something else")]
pub struct MalformedId(String);

impl IdPrefix {
    /// Whether `id` begins so.
    #[must_use]
    pub fn matches(&self, id: B256) -> bool {
        hex::encode(id).starts_with(&self.0)
    }

    /// The id, if all of it is there.
    #[must_use]
    pub fn whole(&self) -> Option<B256> {
        self.0.parse().ok()
    }
}

impl From<B256> for IdPrefix {
    fn from(id: B256) -> Self {
        Self(hex::encode(id))
    }
}

impl FromStr for IdPrefix {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
        let fits = (MIN_PREFIX_DIGITS..=64).contains(&digits.len());
        if !fits || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(MalformedId(text.to_owned()));
        }
        Ok(Self(digits))
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_named_by_at_least_four_of_its_digits() {
        let id = B256::repeat_byte(0xab);
        let prefix = |text: &str| text.parse::<IdPrefix>();

        assert!(prefix("0xABab").unwrap().matches(id));
        assert!(prefix("abab").unwrap().matches(id));
        assert!(!prefix("0xabac").unwrap().matches(id));
        assert_eq!(prefix(&id.to_string()).unwrap().whole(), Some(id));
        assert_eq!(prefix("0xabab").unwrap().whole(), None);
        for malformed in ["", "0x", "0xabc", "abc", "0xghij", "0xab cd", &format!("{id}0")] {
            assert!(prefix(malformed).is_err(), "{malformed}");
        }
    }
}
