//! A file on its way in: beside its place as `.NAME.part` until all of it is there and right.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use alloy::primitives::B256;
use sha2::{Digest as _, Sha256};

use super::{OnProgress, Progress, PullError};
use crate::manifest::{FilePath, ModelFile, local::inside};

/// What is known beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<B256>,
}

/// A file of which `len` bytes are here. Its part is locked: nobody else adds to it.
pub(super) struct Arrival {
    pub(super) path: FilePath,
    expected: Expected,
    target: PathBuf,
    part: PathBuf,
    file: File,
    hasher: Sha256,
    len: u64,
}

impl Arrival {
    /// Takes up what an earlier pull has left, if the sha256 will tell whether it belongs to the same file.
    pub(super) fn open(folder: &Path, path: &FilePath, expected: Expected) -> Result<Self, PullError> {
        let target = inside(folder, path.as_str())?;
        let (parent, name) = (target.parent().unwrap_or(folder), target.file_name().unwrap_or_default());
        let part = parent.join(format!(".{}.part", name.to_string_lossy()));
        fs::create_dir_all(parent).map_err(|source| PullError::Disk { path: parent.to_owned(), source })?;

        let failed = |source| PullError::Disk { path: part.clone(), source };
        let file = open_part(&part).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PullError::Busy(target)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut arrival = Self { path: path.clone(), expected, target, part, file, hasher: Sha256::new(), len: 0 };
        arrival.take_up()?;
        Ok(arrival)
    }

    /// Bytes that are here.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has all bytes that there should be, as far as that is known.
    pub(super) fn is_whole(&self) -> bool {
        self.expected.size == Some(self.len)
    }

    pub(super) fn progress(&self) -> Progress<'_> {
        Progress { path: &self.path, done: self.len, total: self.expected.size }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), PullError> {
        let len = self.len + bytes.len() as u64;
        if let Some(expected) = self.expected.size.filter(|&size| len > size) {
            self.discard();
            return Err(PullError::WrongSize { path: self.path.to_string(), expected, actual: len });
        }
        self.file.write_all(bytes).map_err(|source| self.failed(source))?;
        self.hasher.update(bytes);
        self.len = len;
        Ok(())
    }

    /// Forgets what is here.
    pub(super) fn restart(&mut self) -> Result<(), PullError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|source| self.failed(source))?;
        (self.hasher, self.len) = (Sha256::new(), 0);
        Ok(())
    }

    /// All of it from another file.
    pub(super) fn copy(&mut self, from: &Path, on_progress: &mut OnProgress<'_>) -> Result<(), PullError> {
        let failed = |source| PullError::Disk { path: from.to_owned(), source };
        self.restart()?;
        let mut file = File::open(from).map_err(failed)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut buffer).map_err(failed)?;
            if read == 0 {
                return Ok(());
            }
            self.write(&buffer[..read])?;
            on_progress(self.progress());
        }
    }

    /// Puts it into its place, if it is what was expected.
    pub(super) fn finish(self) -> Result<ModelFile, PullError> {
        let path = self.path.clone();
        if let Some(expected) = self.expected.size.filter(|&size| size != self.len) {
            self.discard();
            return Err(PullError::WrongSize { path: path.to_string(), expected, actual: self.len });
        }
        let sha256 = B256::from_slice(&self.hasher.clone().finalize());
        if let Some(expected) = self.expected.sha256.filter(|&expected| expected != sha256) {
            self.discard();
            return Err(PullError::WrongHash { path: path.to_string(), expected, actual: sha256 });
        }
        let placed = self.file.sync_all().and_then(|()| fs::rename(&self.part, &self.target));
        placed.map_err(|source| PullError::Disk { path: self.target.clone(), source })?;
        Ok(ModelFile { path, size: self.len, sha256 })
    }

    fn take_up(&mut self) -> Result<(), PullError> {
        let left = self.file.metadata().map_err(|source| self.failed(source))?.len();
        if self.expected.sha256.is_none() || self.expected.size.is_some_and(|size| left > size) {
            return self.restart();
        }
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = self.file.read(&mut buffer).map_err(|source| self.failed(source))?;
            if read == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..read]);
            self.len += read as u64;
        }
    }

    /// The error that counts is the one that is returned next.
    fn discard(&self) {
        let _ = fs::remove_file(&self.part);
    }

    fn failed(&self, source: io::Error) -> PullError {
        PullError::Disk { path: self.part.clone(), source }
    }
}

/// A part that somebody has made a link is not written through.
fn open_part(part: &Path) -> io::Result<File> {
    if fs::symlink_metadata(part).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is not a plain file; remove it"));
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(part)
}
