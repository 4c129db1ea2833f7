//! The manifest: what a model is, down to the last byte of its weights. It lies beside them as `quorate-model.json`.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256, aliases::U96};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    chain::IModelRegistry,
    digest::ToleranceProfile,
    spec::{ImageBounds, Solver},
};

/// The manifest's name in a model's folder.
pub const MANIFEST_FILE: &str = "quorate-model.json";

/// What `quorate-model.json` says. Integers only; its hash is the sha256 of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// A name for people, such as `emoji-64`.
    pub name: String,
    /// SPDX expression.
    pub license: String,
    /// The pipeline that the files are for.
    pub family: Family,
    /// The arithmetic that a verifier may use.
    pub arithmetic: Vec<Arithmetic>,
    /// What a request that says nothing gets.
    pub defaults: ImageDefaults,
    /// What a request may ask for.
    pub bounds: ImageBounds,
    /// How far honest digests may be apart.
    pub profile: ToleranceProfile,
    /// Every file that the pipeline reads, and no other.
    pub files: Vec<ModelFile>,
}

/// How a model's files are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// CLIP text encoder, UNet2DConditionModel, AutoencoderKL, in the folders of `diffusers`.
    StableDiffusion,
}

/// What the matrices are multiplied in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

/// Pipeline settings for a request that states none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageDefaults {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Denoising steps.
    pub steps: u32,
    /// The solver.
    pub solver: Solver,
    /// In thousandths.
    pub guidance: u32,
}

/// One pinned file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Relative to the manifest, with `/`.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Of the whole file.
    pub sha256: B256,
}

/// A manifest with its hash and the folder it was read from.
#[derive(Debug, Clone)]
pub struct LocalModel {
    /// What the manifest says.
    pub manifest: Manifest,
    /// sha256 of the manifest's bytes, as registered on chain.
    pub hash: B256,
    /// Where the files lie.
    pub folder: PathBuf,
}

/// Why a model on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
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
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it went wrong.
        source: serde_json::Error,
    },
    /// A path in it leads out of the model's folder.
    #[error("the manifest names {path:?}, which is not a path inside the model's folder")]
    OutsideFolder {
        /// As written.
        path: String,
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
}

impl LocalModel {
    /// Reads the manifest in `folder`. The weights are not touched: see [`Self::verify`].
    pub fn open(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(MANIFEST_FILE);
        let bytes = std::fs::read(&path).map_err(|source| ManifestError::Unreadable { path: path.clone(), source })?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|source| ManifestError::Malformed { path, source })?;
        if let Some(file) = manifest.files.iter().find(|file| !is_inside(&file.path)) {
            return Err(ManifestError::OutsideFolder { path: file.path.clone() });
        }
        Ok(Self { manifest, hash: B256::from_slice(&Sha256::digest(&bytes)), folder: folder.to_owned() })
    }

    /// Hashes every file and compares it with the manifest.
    pub fn verify(&self) -> Result<(), ManifestError> {
        self.manifest.files.iter().try_for_each(|file| self.verify_file(file))
    }

    /// Where a pinned file lies.
    pub fn path(&self, path: &str) -> Result<PathBuf, ManifestError> {
        if self.manifest.files.iter().any(|file| file.path == path) {
            return Ok(self.folder.join(path));
        }
        Err(ManifestError::NotPinned { name: self.manifest.name.clone(), path: path.to_owned() })
    }

    fn verify_file(&self, file: &ModelFile) -> Result<(), ManifestError> {
        let path = self.folder.join(&file.path);
        let (actual_size, actual) =
            hash_file(&path).map_err(|source| ManifestError::Unreadable { path: path.clone(), source })?;
        if actual_size != file.size {
            return Err(ManifestError::WrongSize { path, expected: file.size, actual: actual_size });
        }
        if actual != file.sha256 {
            return Err(ManifestError::WrongHash { path, expected: file.sha256, actual });
        }
        Ok(())
    }
}

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

impl Manifest {
    /// What the registry is told; its hash is the model's id.
    #[must_use]
    pub fn on_chain(&self, hash: B256, terms: ModelTerms) -> IModelRegistry::Model {
        let (bounds, profile) = (self.bounds, self.profile);
        IModelRegistry::Model {
            manifestHash: hash,
            evidence: profile.evidence,
            owner: terms.owner,
            seatStake: terms.seat_stake,
            kind: IModelRegistry::Kind::Image,
            accept: profile.accept.into(),
            reject: profile.reject.into(),
            price: terms.price,
            time: terms.time,
            royalty: terms.royalty,
            minSide: bounds.min_side,
            maxSide: bounds.max_side,
            sideStep: bounds.side_step,
            maxSteps: bounds.max_steps,
            maxGuidance: bounds.max_guidance,
        }
    }
}

/// Length and sha256 of a file, read in pieces.
pub fn hash_file(path: &Path) -> io::Result<(u64, B256)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, B256::from_slice(&hasher.finalize())));
        }
        size += read as u64;
        hasher.update(&buffer[..read]);
    }
}

fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    /// A model of one file that says `path` and holds "weights".
    fn model(path: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("unet")).unwrap();
        std::fs::write(folder.path().join("unet/weights"), "weights").unwrap();
        let manifest = json!({
            "name": "tiny",
            "license": "MIT",
            "family": "stable-diffusion",
            "arithmetic": ["f32", "bf16"],
            "defaults": {"width": 64, "height": 64, "steps": 20, "solver": "ddim", "guidance": 7500},
            "bounds": {"minSide": 64, "maxSide": 64, "sideStep": 64, "maxSteps": 50, "maxGuidance": 20000},
            "profile": {"accept": [10, 10, 10, 10], "reject": [20, 20, 20, 20]},
            "files": [{"path": path, "size": 7, "sha256": B256::from_slice(&Sha256::digest("weights"))}],
        });
        std::fs::write(folder.path().join(MANIFEST_FILE), manifest.to_string()).unwrap();
        folder
    }

    #[test]
    fn a_model_is_known_by_the_bytes_of_its_manifest() {
        let folder = model("unet/weights");
        let opened = LocalModel::open(folder.path()).unwrap();
        let bytes = std::fs::read(folder.path().join(MANIFEST_FILE)).unwrap();
        assert_eq!(opened.hash, B256::from_slice(&Sha256::digest(bytes)));
        assert_eq!(opened.path("unet/weights").unwrap(), folder.path().join("unet/weights"));
        opened.verify().unwrap();
    }

    #[test]
    fn other_weights_are_noticed() {
        let folder = model("unet/weights");
        let opened = LocalModel::open(folder.path()).unwrap();
        let weights = folder.path().join("unet/weights");
        std::fs::write(&weights, "Weights").unwrap();
        assert!(matches!(opened.verify(), Err(ManifestError::WrongHash { .. })));
        std::fs::write(&weights, "weights!").unwrap();
        assert!(matches!(opened.verify(), Err(ManifestError::WrongSize { expected: 7, actual: 8, .. })));
        std::fs::remove_file(&weights).unwrap();
        assert!(matches!(opened.verify(), Err(ManifestError::Unreadable { .. })));
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in ["", "/etc/passwd", "../weights", "unet/../../weights", "./unet/weights"] {
            let refused = LocalModel::open(model(path).path());
            assert!(matches!(refused, Err(ManifestError::OutsideFolder { .. })), "{path:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_pinned_is_not_given_out() {
        let folder = model("unet/weights");
        let refused = LocalModel::open(folder.path()).unwrap().path("vae/weights").unwrap_err();
        assert_eq!(refused.to_string(), "the manifest of tiny does not pin vae/weights, which its pipeline needs");
    }

    #[test]
    fn what_is_not_a_manifest_is_refused_with_the_place() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(LocalModel::open(folder.path()), Err(ManifestError::Unreadable { .. })));
        std::fs::write(folder.path().join(MANIFEST_FILE), r#"{"name": 7}"#).unwrap();
        let refused = LocalModel::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("is not a model manifest") && refused.contains("line 1"), "{refused}");
    }
}
