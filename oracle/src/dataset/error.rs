use std::{
    io,
    path::{Path, PathBuf},
};

use parquet::errors::ParquetError;

/// Why a data set cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a Parquet file, or is damaged.
    #[error("{} is no data set, or a damaged one: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: ParquetError,
    },
    /// It is a Parquet file of something else.
    #[error(
        "{} is a Parquet file, but no data set of digests: its columns must be prompt, seed, digest, seconds and, of checked texts, margin, and its metadata say where they come from",
        .0.display()
    )]
    Columns(PathBuf),
    /// It does not say how it came to be.
    #[error("{} does not say how its digests came to be: {source}", path.display())]
    Provenance {
        /// The file.
        path: PathBuf,
        /// What is wrong with what it says.
        source: serde_json::Error,
    },
    /// A job is there twice.
    #[error("{}, row {row}: the job of {prompt:?} with seed {seed} is there already", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The second one, from 1.
        row: usize,
        /// What was asked for.
        prompt: String,
        /// With which seed.
        seed: u32,
    },
}

impl DatasetError {
    pub(super) fn unreadable(path: &Path, reason: ParquetError) -> Self {
        Self::Unreadable { path: path.to_owned(), reason }
    }
}
