//! What can be wrong with a model on disk.

use std::{io, path::PathBuf};

use alloy::primitives::B256;

use super::{FilePath, MAX_MANIFEST_BYTES, MAX_NAME_BYTES};
use crate::{digest::ProfileError, spec::SpecError};

/// Why some bytes are not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// Not JSON, or not these fields.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// Nobody writes such a manifest.
    #[error("it has {bytes} bytes, and a manifest at most {MAX_MANIFEST_BYTES}")]
    TooLong {
        /// Of the file.
        bytes: usize,
    },
    /// The name would not do for a folder.
    #[error(
        "the name {name:?} is not of 1 to {MAX_NAME_BYTES} ASCII letters, digits, '.', '_' and '-', beginning with a letter or digit"
    )]
    Name {
        /// As written.
        name: String,
    },
    /// Nobody could know what is allowed.
    #[error("it names no license")]
    NoLicense,
    /// A model is files.
    #[error("its list of files is empty")]
    NoFiles,
    /// One entry would contradict the other, or say the same.
    #[error("it lists {path} twice")]
    Twice {
        /// The file.
        path: FilePath,
    },
    /// No file that is read has no bytes.
    #[error("it pins {path} with 0 bytes")]
    Empty {
        /// The file.
        path: FilePath,
    },
    /// More bytes than can be counted.
    #[error("its files have more bytes together than any disk")]
    TooLarge,
    /// A verifier could not compute at all.
    #[error("it permits no arithmetic on any device")]
    NoArithmetic,
    /// The order is one of preference.
    #[error("it permits an arithmetic twice on one device")]
    RepeatedArithmetic,
    /// The registry would refuse it.
    #[error(
        "its bounds have sides from {min} to {max} in steps of {step}: sides must be multiples of the step, from 1 to 4096"
    )]
    Sides {
        /// `minSide`.
        min: u16,
        /// `maxSide`.
        max: u16,
        /// `sideStep`.
        step: u8,
    },
    /// The registry would refuse it.
    #[error("its bounds have maxSteps {max}: from 1 to 1000 are possible")]
    Steps {
        /// `maxSteps`.
        max: u16,
    },
    /// The registry would refuse it.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A request that says nothing would be refused.
    #[error("its defaults are out of its bounds: {0}")]
    Defaults(#[source] SpecError),
    /// The registry would refuse it.
    #[error("its bounds have maxTokens {tokens} and maxBeams {beams}: from 1 to 32768 and from 1 to 16 are possible")]
    TextBounds {
        /// `maxTokens`.
        tokens: u32,
        /// `maxBeams`.
        beams: u8,
    },
    /// A self-test is not to take all day.
    #[error("it has {jobs} golden jobs: at most 16 are possible")]
    Golden {
        /// How many.
        jobs: usize,
    },
    /// It could not be asked for.
    #[error("one of its golden jobs is out of its bounds: {0}")]
    GoldenSpec(#[source] SpecError),
    /// It is not clear which file to load.
    #[error("a text model has either one .gguf file or .safetensors files, and this lists neither or both")]
    Weights,
}

/// Why a model on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Nothing lies there.
    #[error(
        "there is no model in {}: name the folder of a quorate-model.json, or get a model with `oracle models pull NAME`",
        folder.display()
    )]
    NoModel {
        /// The folder.
        folder: PathBuf,
    },
    /// It could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a manifest.
    #[error("{} is not a model manifest: {source}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Unsound,
    },
    /// It has no id: anything could be passed off as it.
    #[error(
        "the manifest of {name} does not pin {what}, so it has no id: `oracle models pull {name}` gets the files and pins them"
    )]
    Unpinned {
        /// The model's name.
        name: String,
        /// A file, or the revision.
        what: String,
    },
    /// A symbolic link leads out of the model's folder.
    #[error("{} is a symbolic link that leads out of the model's folder; put the file itself there", path.display())]
    OutsideFolder {
        /// The file.
        path: PathBuf,
    },
    /// The file is not the one that was registered.
    #[error("{} is not the file that the manifest pins: sha256 {actual}, expected {expected}; get the model again", path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// In the manifest.
        expected: B256,
        /// On disk.
        actual: B256,
    },
    /// The same, told by its length.
    #[error("{} has {actual} bytes and the manifest pins {expected}; get the model again", path.display())]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// In the manifest.
        expected: u64,
        /// On disk.
        actual: u64,
    },
    /// The pipeline asks for a file that the manifest does not pin.
    #[error("the manifest of {name} does not pin {path}, which its pipeline needs")]
    NotPinned {
        /// The model's name.
        name: String,
        /// The file.
        path: String,
    },
    /// A picture was wanted of a text model, or the other way round.
    #[error("{name} makes {makes}, which is not what is asked of it here")]
    WrongKind {
        /// The model's name.
        name: String,
        /// Texts or images.
        makes: &'static str,
    },
}
