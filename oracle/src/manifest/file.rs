//! The files of a model: where each lies below the manifest, and what is known of its bytes.

use std::{borrow::Borrow, fmt};

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

use super::MANIFEST_FILE;

/// Bytes in a path, at most.
const MAX_PATH_BYTES: usize = 240;

/// What Quorate reads: weights without code, and texts.
const FORMATS: [&str; 5] = [".safetensors", ".gguf", ".json", ".txt", ".jinja"];

/// The one file that is none of [`FORMATS`]: SentencePiece's vocabulary.
const SENTENCE_PIECE: &str = "tokenizer.model";

/// Formats that unpickle: reading such a file can run whatever code is in it.
const PICKLED: [&str; 8] = [".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".npy", ".npz"];

/// A path inside the model's folder, with `/`, to a file of a format that is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// A path that no manifest may name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilePathError {
    /// It leads elsewhere, on some system.
    #[error("{0:?} is not a path inside the model's folder")]
    Outside(String),
    /// Such files are never loaded.
    #[error("{0:?} is a pickled file, which can run code when it is read: use the safetensors or GGUF file instead")]
    Pickled(String),
    /// Nothing reads it.
    #[error("{0:?} is not a file that a model is made of: {formats} and tokenizer.model are", formats = FORMATS.join(", "))]
    Format(String),
}

/// One pinned file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Relative to the manifest.
    pub path: FilePath,
    /// In bytes.
    pub size: u64,
    /// Of the whole file.
    pub sha256: B256,
}

/// One file of a manifest whose hashes may not be known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// Relative to the manifest.
    pub path: FilePath,
    /// In bytes, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Of the whole file, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<B256>,
}

impl FilePath {
    /// With `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends so.
    #[must_use]
    pub fn has_extension(&self, extension: &str) -> bool {
        self.0.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.'))
    }
}

impl TryFrom<String> for FilePath {
    type Error = FilePathError;

    fn try_from(path: String) -> Result<Self, FilePathError> {
        // On Windows, backslashes part folders and a colon names a drive or a stream.
        let strange = |c: char| c.is_control() || c == '\\' || c == ':';
        let is_inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if path.len() > MAX_PATH_BYTES || !is_inside || path.contains(strange) || path == MANIFEST_FILE {
            return Err(FilePathError::Outside(path));
        }
        let (lower, file) = (path.to_ascii_lowercase(), path.rsplit('/').next().unwrap_or_default());
        if PICKLED.iter().any(|end| lower.ends_with(end)) {
            return Err(FilePathError::Pickled(path));
        }
        if file != SENTENCE_PIECE && !FORMATS.iter().any(|end| file.len() > end.len() && file.ends_with(end)) {
            return Err(FilePathError::Format(path));
        }
        Ok(Self(path))
    }
}

impl TryFrom<&str> for FilePath {
    type Error = FilePathError;

    fn try_from(path: &str) -> Result<Self, FilePathError> {
        path.to_owned().try_into()
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl From<ModelFile> for ListedFile {
    fn from(file: ModelFile) -> Self {
        Self { path: file.path, size: Some(file.size), sha256: Some(file.sha256) }
    }
}

impl From<FilePath> for ListedFile {
    fn from(path: FilePath) -> Self {
        Self { path, size: None, sha256: None }
    }
}

impl AsRef<FilePath> for ModelFile {
    fn as_ref(&self) -> &FilePath {
        &self.path
    }
}

impl AsRef<FilePath> for ListedFile {
    fn as_ref(&self) -> &FilePath {
        &self.path
    }
}

impl AsRef<std::path::Path> for FilePath {
    fn as_ref(&self) -> &std::path::Path {
        self.0.as_ref()
    }
}

impl Borrow<str> for FilePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for FilePath {
    fn eq(&self, other: &str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<&str> for FilePath {
    fn eq(&self, other: &&str) -> bool {
        self.0 == **other
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str) -> Option<FilePathError> {
        FilePath::try_from(path).err()
    }

    #[test]
    fn no_path_leads_out_of_the_folder_on_any_system() {
        for path in [
            "",
            "/",
            "/etc/passwd.txt",
            "../weights.json",
            "unet/../../weights.json",
            "./config.json",
            "unet//config.json",
            "unet/",
            "..",
            "..\\weights.json",
            "c:weights.json",
            "unet\\config.json",
            "a\0.json",
            "a\n.json",
            MANIFEST_FILE,
            &format!("{}.json", "x".repeat(300)),
        ] {
            assert_eq!(refused(path), Some(FilePathError::Outside(path.to_owned())));
        }
    }

    #[test]
    fn pickles_are_refused_as_such_in_whatever_case() {
        for path in ["pytorch_model.bin", "model.ckpt", "weights.pt", "unet/weights.PTH", "x.pkl", "x.Pickle", "x.npy"]
        {
            assert_eq!(refused(path), Some(FilePathError::Pickled(path.to_owned())));
        }
    }

    #[test]
    fn only_what_is_read_is_named() {
        for path in
            ["README.md", "model.onnx", "run.py", "model", ".json", "unet/.safetensors", "x.JSON", "spiece.model"]
        {
            assert_eq!(refused(path), Some(FilePathError::Format(path.to_owned())));
        }
        for path in [
            "model.safetensors",
            "unet/config.json",
            "a.b.gguf",
            "tokenizer/merges.txt",
            "tokenizer.model",
            "t/x.jinja",
        ] {
            assert_eq!(refused(path), None, "{path}");
        }
    }
}
