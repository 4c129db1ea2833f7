//! Where a model's files are to be had.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where `oracle models pull` gets the files. What comes is checked against the manifest, wherever it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A repository of the Hugging Face hub.
    Hub {
        /// `owner/name`.
        repository: Repository,
        /// Of a pinned manifest: a commit.
        revision: Revision,
    },
    /// An HTTP server that has each file at `{url}/{path}`.
    Url {
        /// `http` or `https`, without query and fragment.
        url: BaseUrl,
    },
    /// A folder of this machine or of the network's, for machines that share a disk.
    Path {
        /// Absolute, or relative to the manifest's folder.
        path: PathBuf,
    },
}

/// A repository of the hub: `owner/name`, or `name` alone for the oldest ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

/// A revision of a hub repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Revision {
    /// Stays what it is.
    Commit(Commit),
    /// A branch or tag, which may move: nothing that names one is pinned.
    Named(String),
}

/// 40 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit(String);

/// Where paths are appended to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl(String);

impl Repository {
    /// `owner/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the owner.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl Commit {
    /// 40 lower-case hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BaseUrl {
    /// Without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self::Named("main".to_owned())
    }
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && !part.contains("..")
        };
        match text.split('/').count() <= 2 && text.len() <= 96 && text.split('/').all(is_part) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} is not a hub repository, which is owner/name")),
        }
    }
}

impl FromStr for Commit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} is not a commit, which has 40 hex digits")),
        }
    }
}

impl FromStr for Revision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(commit) = text.parse() {
            return Ok(Self::Commit(commit));
        }
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && !part.contains("..")
        };
        match text.len() <= 96 && text.split('/').all(is_part) {
            true => Ok(Self::Named(text.to_owned())),
            false => Err(format!("{text:?} is not a revision, which is a commit, a branch or a tag")),
        }
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("{text:?} is not the URL of a folder, such as https://example.org/models/name");
        let url: reqwest::Url = text.parse().map_err(|_| error())?;
        let is_plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        // A password would be published with the manifest.
        let is_open = url.username().is_empty() && url.password().is_none();
        match is_plain && is_open {
            true => Ok(Self(url.as_str().trim_end_matches('/').to_owned())),
            false => Err(error()),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(commit) => f.write_str(&commit.0),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub { repository, revision } => write!(f, "{repository}@{revision}"),
            Self::Url { url } => url.fmt(f),
            Self::Path { path } => path.display().fmt(f),
        }
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text!(Repository, Revision, BaseUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_a_url_is_no_repository_and_no_revision() {
        for text in ["", "a/b/c", "../b", "a/..", "a b", "a/b?x", "a/b#x", "a%2fb", "/b", "a/", "https://x", "-a/b"] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
        for text in ["", "..", "a..b", ".git", "a b", "a?b", "/main", "main/", "a//b", "refs/pr/1?x"] {
            assert!(text.parse::<Revision>().is_err(), "{text}");
        }
        for text in ["owner/Name_1.0-x", "gpt2"] {
            assert_eq!(text.parse::<Repository>().map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn only_forty_hex_digits_are_a_commit() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert!(matches!(commit.parse(), Ok(Revision::Commit(_))));
        for text in [&commit[1..], &commit.to_uppercase(), "main", "refs/pr/7"] {
            assert_eq!(text.parse(), Ok(Revision::Named(text.to_owned())));
        }
    }

    #[test]
    fn a_base_url_is_plain_and_holds_no_password() {
        let of = |text: &str| text.parse().map(|BaseUrl(url)| url);
        assert_eq!(of("https://example.org/models/x/"), Ok("https://example.org/models/x".to_owned()));
        for text in
            ["", "example.org", "ftp://x/y", "file:///etc", "https://me:pw@x/y", "https://x/y?z", "https://x/#z"]
        {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
