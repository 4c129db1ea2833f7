//! Models on this machine: a folder with a manifest in it.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use alloy::primitives::B256;
use sha2::{Digest as _, Sha256};

use super::{Draft, FilePath, MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, ManifestError, ModelFile, Unsound};

/// A pinned manifest with its hash and the folder it was read from.
#[derive(Debug, Clone)]
pub struct LocalModel {
    /// What the manifest says.
    pub manifest: Manifest,
    /// sha256 of the manifest's bytes, as registered on chain.
    pub hash: B256,
    /// Where the files lie.
    pub folder: PathBuf,
}

/// A manifest that may lack hashes, and the folder it was read from.
#[derive(Debug, Clone)]
pub struct LocalDraft {
    /// What the manifest says.
    pub draft: Draft,
    /// sha256 of the manifest's bytes: its id once it is pinned.
    pub hash: B256,
    /// Where the files lie or will lie.
    pub folder: PathBuf,
}

impl LocalDraft {
    /// Reads the manifest in `folder`, and none of its files.
    pub fn open(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(MANIFEST_FILE);
        let unreadable = |source| ManifestError::Unreadable { path: path.clone(), source };
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => ManifestError::NoModel { folder: folder.to_owned() },
            _ => unreadable(source),
        })?;
        file.take(MAX_MANIFEST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::parse(&bytes, folder).map_err(|source| ManifestError::Unsound { path, source })
    }

    /// The manifest that lies or will lie in `folder`.
    pub fn parse(bytes: &[u8], folder: &Path) -> Result<Self, Unsound> {
        let hash = B256::from_slice(&Sha256::digest(bytes));
        Ok(Self { draft: Draft::parse(bytes)?, hash, folder: folder.to_owned() })
    }

    /// The model, if every file is pinned.
    pub fn pinned(self) -> Result<LocalModel, ManifestError> {
        Ok(LocalModel { manifest: self.draft.pinned()?, hash: self.hash, folder: self.folder })
    }

    /// Where a file lies or will lie.
    pub fn path(&self, path: &FilePath) -> Result<PathBuf, ManifestError> {
        inside(&self.folder, path.as_str())
    }
}

impl LocalModel {
    /// Reads the manifest in `folder`; one that does not pin every file is refused. The weights are not touched: see
    /// [`Self::verify`].
    pub fn open(folder: &Path) -> Result<Self, ManifestError> {
        LocalDraft::open(folder)?.pinned()
    }

    /// Hashes every file and compares it with the manifest.
    pub fn verify(&self) -> Result<(), ManifestError> {
        self.manifest.files.iter().try_for_each(|file| file.verify(&self.folder))
    }

    /// Where a pinned file lies.
    pub fn path(&self, path: &str) -> Result<PathBuf, ManifestError> {
        if self.manifest.lists(path) {
            return inside(&self.folder, path);
        }
        Err(ManifestError::NotPinned { name: self.manifest.name.clone(), path: path.to_owned() })
    }
}

impl ModelFile {
    /// Hashes the file below `folder` and compares it.
    pub fn verify(&self, folder: &Path) -> Result<(), ManifestError> {
        let path = inside(folder, self.path.as_str())?;
        let unreadable = |source| ManifestError::Unreadable { path: path.clone(), source };
        // Told by its length, a file need not be read.
        let actual = fs::metadata(&path).map_err(unreadable)?.len();
        if actual != self.size {
            return Err(ManifestError::WrongSize { path, expected: self.size, actual });
        }
        let (_, actual) = hash_file(&path).map_err(unreadable)?;
        if actual != self.sha256 {
            return Err(ManifestError::WrongHash { path, expected: self.sha256, actual });
        }
        Ok(())
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

/// `path` below `folder`, unless a link on the way leads out. What is not there leads nowhere.
pub(crate) fn inside(folder: &Path, path: &str) -> Result<PathBuf, ManifestError> {
    let full = folder.join(path);
    let real = |path: &Path| fs::canonicalize(path).ok();
    let deepest = full.ancestors().take_while(|ancestor| *ancestor != folder).find_map(real);
    match (deepest, real(folder)) {
        (Some(file), Some(root)) if !file.starts_with(&root) => Err(ManifestError::OutsideFolder { path: full }),
        _ => Ok(full),
    }
}
