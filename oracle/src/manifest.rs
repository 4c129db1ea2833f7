//! The manifest: what a model is, down to the last byte of its weights. It lies beside them as `quorate-model.json`.

mod arithmetic;
mod error;
mod file;
mod layout;
pub(crate) mod local;
mod pipeline;
mod source;

use std::collections::HashSet;

use alloy::{
    hex,
    primitives::{Address, B256, aliases::U96},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::{
    arithmetic::{Arithmetic, Device, PermittedArithmetic},
    error::{ManifestError, Unsound},
    file::{FilePath, FilePathError, ListedFile, ModelFile},
    layout::{LayoutError, files_of},
    local::{LocalDraft, LocalModel, hash_file},
    pipeline::{
        ImageDefaults, ImageFamily, ImagePipeline, Kind, Pipeline, TextDefaults, TextFamily, TextPipeline, TextProfile,
        Weights,
    },
    source::{BaseUrl, Commit, Repository, Revision, Source},
};
use crate::{
    chain::IModelRegistry,
    digest::Digest,
    spec::{ImageBounds, Spec, TextBounds},
};

/// The manifest's name in a model's folder.
pub const MANIFEST_FILE: &str = "quorate-model.json";

/// Bytes in a manifest, at most.
pub const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// Golden jobs, at most.
const MAX_GOLDEN: usize = 16;

/// Bytes in a name, at most: the registry takes no more.
const MAX_NAME_BYTES: usize = 64;

/// What `quorate-model.json` says; docs/MODELS.md has every field. Integers only; its hash is the sha256 of the file.
///
/// With [`ModelFile`]s every file is pinned, and the manifest has an id. With [`ListedFile`]s it is a [`Draft`]: some
/// hashes may not be known yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest<F = ModelFile> {
    /// A name for people and folders, such as `emoji-64`: ASCII letters, digits, `.`, `_` and `-`, at most 64.
    pub name: String,
    /// SPDX expression, or `LicenseRef-` and a name.
    pub license: String,
    /// Where the files are to be had; none if they come with the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What the files make, and within which bounds.
    pub pipeline: Pipeline,
    /// The arithmetic that a verifier may use.
    pub arithmetic: PermittedArithmetic,
    /// Jobs with what they come to, by which a verifier sees whether its machine serves. At most 16; may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
    /// Every file that the pipeline reads, and no other.
    pub files: Vec<F>,
}

/// A job, and the digest of what the model's author got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Golden {
    /// What is made.
    pub spec: Spec,
    /// What a picture's generation starts from; zero for a text.
    #[serde(default)]
    pub noise_seed: B256,
    /// Of what came out.
    pub digest: Digest,
}

/// A manifest whose hashes may not all be known: it has no id, and nothing registers, enrols for or serves it.
pub type Draft = Manifest<ListedFile>;

/// What its author asks of those who use or serve a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelTerms {
    /// Who registers it, and gets the royalty.
    pub owner: Address,
    /// The stake of one seat, in wei.
    pub seat_stake: U96,
    /// Wei for a million units of work.
    pub price: u64,
    /// Milliseconds that a million units of work take.
    pub time: u32,
    /// In ten-thousandths.
    pub royalty: u16,
}

impl Draft {
    /// Reads the bytes of a `quorate-model.json`, and checks all that can be checked without its files.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unsound> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(Unsound::TooLong { bytes: bytes.len() });
        }
        let draft: Self = serde_json::from_slice(bytes)?;
        draft.check()?;
        Ok(draft)
    }

    /// What is wrong with it, if anything: names, paths, bounds and profile that contradict themselves or each other.
    pub fn check(&self) -> Result<(), Unsound> {
        if !is_name(&self.name) {
            return Err(Unsound::Name { name: self.name.clone() });
        }
        if self.license.trim().is_empty() {
            return Err(Unsound::NoLicense);
        }
        if self.files.is_empty() {
            return Err(Unsound::NoFiles);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.files.iter().find(|file| !seen.insert(&file.path)) {
            return Err(Unsound::Twice { path: twice.path.clone() });
        }
        if let Some(empty) = self.files.iter().find(|file| file.size == Some(0)) {
            return Err(Unsound::Empty { path: empty.path.clone() });
        }
        self.files
            .iter()
            .try_fold(0_u64, |sum, file| sum.checked_add(file.size.unwrap_or_default()))
            .ok_or(Unsound::TooLarge)?;
        self.arithmetic.check()?;
        self.pipeline.check()?;
        if self.golden.len() > MAX_GOLDEN {
            return Err(Unsound::Golden { jobs: self.golden.len() });
        }
        self.golden.iter().try_for_each(|golden| self.pipeline.takes(&golden.spec)).map_err(Unsound::GoldenSpec)?;
        self.weights().map(drop)
    }

    /// The manifest with an id, if every file is pinned, and the hub's revision too.
    pub fn pinned(self) -> Result<Manifest, ManifestError> {
        let name = self.name.clone();
        if let Some(Source::Hub { revision: Revision::Named(revision), .. }) = &self.source {
            return Err(ManifestError::Unpinned { name, what: format!("revision {revision}") });
        }
        let pin = |file: ListedFile| match (file.size, file.sha256) {
            (Some(size), Some(sha256)) => Ok(ModelFile { path: file.path, size, sha256 }),
            _ => Err(ManifestError::Unpinned { name: name.clone(), what: file.path.to_string() }),
        };
        let files = self.files.iter().cloned().map(pin).collect::<Result<_, _>>()?;
        Ok(self.with_files(files))
    }
}

impl<F> Manifest<F> {
    /// The same model with other files.
    pub fn with_files<G>(self, files: Vec<G>) -> Manifest<G> {
        let Self { name, license, source, pipeline, arithmetic, golden, .. } = self;
        Manifest { name, license, source, pipeline, arithmetic, golden, files }
    }
}

impl<F: Serialize> Manifest<F> {
    /// The bytes of its file: the same for everybody who writes this manifest, and so is the hash.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl<F: AsRef<FilePath>> Manifest<F> {
    /// Whether `path` is among its files.
    pub fn lists(&self, path: &str) -> bool {
        self.files.iter().any(|file| *file.as_ref() == *path)
    }

    /// The pipeline of a model that makes pictures.
    pub fn image(&self) -> Result<&ImagePipeline, ManifestError> {
        self.pipeline.image().ok_or_else(|| ManifestError::WrongKind { name: self.name.clone(), makes: "texts" })
    }

    /// The pipeline of a model that makes texts.
    pub fn text(&self) -> Result<&TextPipeline, ManifestError> {
        self.pipeline.text().ok_or_else(|| ManifestError::WrongKind { name: self.name.clone(), makes: "images" })
    }

    /// Which of the files hold a text model's weights, and how; for pictures each component has its own.
    pub fn weights(&self) -> Result<Option<Weights>, Unsound> {
        let Pipeline::Text(_) = self.pipeline else { return Ok(None) };
        Weights::among(self.files.iter().map(F::as_ref)).map(Some)
    }
}

impl Manifest {
    /// Of all its files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// sha256 of what its files are, a line each: `sha256  path`, by path. It stays what it is when a tolerance profile is
    /// measured, which makes another manifest.
    #[must_use]
    pub fn files_hash(&self) -> B256 {
        let mut lines: Vec<_> = self.files.iter().map(|file| (&file.path, file.sha256)).collect();
        lines.sort_by_key(|(path, _)| path.as_str());
        let text: String = lines.iter().map(|(path, sha256)| format!("{}  {path}\n", hex::encode(sha256))).collect();
        B256::new(Sha256::digest(text).into())
    }

    /// What the registry is told; its hash is the model's id.
    #[must_use]
    pub fn on_chain(&self, hash: B256, terms: ModelTerms) -> IModelRegistry::Model {
        // What bounds the other kind is zero.
        let (kind, profile, image, text) = match self.pipeline {
            Pipeline::Image(ImagePipeline { bounds, profile, .. }) => {
                (IModelRegistry::Kind::Image, profile, bounds, TextBounds::default())
            }
            Pipeline::Text(TextPipeline { bounds, profile, .. }) => {
                (IModelRegistry::Kind::Text, profile.into(), ImageBounds::default(), bounds)
            }
        };
        IModelRegistry::Model {
            manifestHash: hash,
            evidence: profile.evidence,
            owner: terms.owner,
            seatStake: terms.seat_stake,
            kind,
            accept: profile.accept.into(),
            reject: profile.reject.into(),
            price: terms.price,
            time: terms.time,
            royalty: terms.royalty,
            minSide: image.min_side,
            maxSide: image.max_side,
            sideStep: image.side_step,
            maxSteps: image.max_steps,
            maxGuidance: image.max_guidance,
            maxTokens: text.max_tokens,
            maxBeams: text.max_beams,
        }
    }
}

impl From<Manifest> for Draft {
    fn from(manifest: Manifest) -> Self {
        let files = manifest.files.iter().cloned().map(ListedFile::from).collect();
        manifest.with_files(files)
    }
}

/// Whether it can name a folder on any system, and a model on a command line.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests;
