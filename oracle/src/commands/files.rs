//! Writing files: whole or not at all.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("{} exists already; name another file, or replace it with --force", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}: {source}", path.display())]
    Failed { path: PathBuf, source: io::Error },
}

/// Says that `path` could not be written before the work for it is done.
pub(crate) fn check_absent(path: &Path, force: bool) -> Result<(), WriteError> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        let source = io::Error::other(format!("{} is not a folder", folder.display()));
        return Err(WriteError::Failed { path: path.to_owned(), source });
    }
    match path.exists() && !force {
        true => Err(WriteError::Exists(path.to_owned())),
        false => Ok(()),
    }
}

/// Writes to a temporary file in the same folder, then puts it into place: at `path` is all of it or what was there.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], force: bool) -> Result<(), WriteError> {
    check_absent(path, force)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder_of(path).join(format!(".{name}.{}.tmp", std::process::id()));
    let placed = write_new(&temporary, bytes).and_then(|()| place(&temporary, path, force));
    if placed.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&temporary);
    }
    placed.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => WriteError::Exists(path.to_owned()),
        _ => WriteError::Failed { path: path.to_owned(), source },
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn place(temporary: &Path, path: &Path, force: bool) -> io::Result<()> {
    if force {
        return fs::rename(temporary, path);
    }
    // A link fails where something has come to lie meanwhile; a rename would replace it. Not every disk has links.
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => fs::rename(temporary, path),
        Ok(()) => fs::remove_file(temporary),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_without_force_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.png");

        write_whole(&path, b"one", false).unwrap();
        assert!(matches!(write_whole(&path, b"two", false), Err(WriteError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_whole(&path, b"two", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(write_whole(&folder.path().join("no/out.png"), b"x", false).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
