//! Where a model's files come from.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::LanguageError;

/// A model's files, by their names. Whoever implements it decides what is checked before a file is believed.
pub trait Files {
    /// Names of all that there are.
    fn names(&self) -> Vec<String>;

    /// The whole file.
    fn read(&self, name: &str) -> Result<Vec<u8>, LanguageError>;

    /// For messages.
    fn place(&self) -> String;
}

/// Files as they lie on the disk, not checked against any manifest: all of a folder, or a single one.
pub(super) struct OnDisk {
    folder: PathBuf,
    names: Vec<String>,
}

impl OnDisk {
    /// `path` is a folder or a file.
    pub(super) fn at(path: &Path) -> Result<Self, LanguageError> {
        let unreadable = |source: io::Error| LanguageError::Unreadable { file: path.display().to_string(), source };
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        if path.metadata().map_err(unreadable)?.is_file() {
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            return Ok(Self { folder, names: name(path).into_iter().collect() });
        }
        let entries = fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let mut names: Vec<_> = entries.iter().filter_map(|entry| name(&entry.path())).collect();
        names.sort_unstable();
        Ok(Self { folder: path.to_owned(), names })
    }
}

impl Files for OnDisk {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, LanguageError> {
        let path = self.folder.join(name);
        fs::read(&path).map_err(|source| LanguageError::Unreadable { file: path.display().to_string(), source })
    }

    fn place(&self) -> String {
        match self.names.as_slice() {
            [only] => self.folder.join(only).display().to_string(),
            _ => self.folder.display().to_string(),
        }
    }
}
