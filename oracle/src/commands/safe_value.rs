//! The safe value as it is shown: with the reason, where it is zero.

use std::fmt;

use oracle::{
    chain::IGenerationOracle::Job,
    safe_value::{NoSafeValue, safe_value},
};
use serde::Serialize;

use super::typed::Ether;

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SafeValue {
    safe_value: Ether,
    /// Why it is zero.
    no_safe_value: Option<NoSafeValue>,
}

impl From<&Job> for SafeValue {
    fn from(job: &Job) -> Self {
        let value = safe_value(job);
        Self { safe_value: Ether(value.unwrap_or_default()), no_safe_value: value.err() }
    }
}

impl fmt::Display for SafeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.no_safe_value {
            Some(reason) => write!(f, "{}: {reason}", self.safe_value),
            None => self.safe_value.fmt(f),
        }
    }
}
