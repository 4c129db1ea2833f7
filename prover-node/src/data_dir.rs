//! The data directory: everything one operator keeps for one deployment. Only one process at a time may hold it.

use std::{
    env,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256};

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Two nodes with one key would race for nonces and seats.
    #[error("another prover-node uses {}; stop it, or give this one its own --data-dir", .0.display())]
    InUse(PathBuf),
    /// Not there and not to be made, not ours, or the disk is full.
    #[error("cannot use {} as the data directory: {source}; name another with --data-dir", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not clear which is meant.
    #[error("{}; name one with --data-dir", match .0.as_slice() {
        [] => "there is no data directory in its usual place".to_owned(),
        several => format!("there are {} data directories: {}", several.len(), names(several)),
    })]
    NotOne(Vec<PathBuf>),
    /// There is no home to put it in.
    #[error("neither XDG_DATA_HOME nor HOME is set: name a directory with --data-dir")]
    NoHome,
}

impl DataDir {
    /// Makes the directory if it is not there (readable by its owner only), and locks it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: path.to_owned(), source };
        let lock = create(path).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is noted that this machine passed the self-test of the model whose manifest has this hash.
    #[must_use]
    pub fn selftest_marker(&self, model: B256) -> PathBuf {
        marker_in(&self.path, model)
    }

    /// Where the output files lie.
    #[must_use]
    pub fn outputs(&self) -> PathBuf {
        self.path.join("outputs")
    }
}

/// Where an operator's data are unless it says otherwise. The genesis block is part of the name because development
/// chains share an id.
pub fn default_path(chain_id: u64, genesis: B256, operator: Address) -> Result<PathBuf, DataDirError> {
    let genesis = alloy::hex::encode(&genesis[..4]);
    Ok(usual_place()?.join(format!("{chain_id}-{genesis}-{operator}")))
}

/// The data directory of the only operator that has run here without naming one.
pub fn only_path() -> Result<PathBuf, DataDirError> {
    let place = usual_place()?;
    let entries = match fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(DataDirError::NotOne(Vec::new())),
        Err(source) => return Err(DataDirError::Unusable { path: place, source }),
    };
    let mut found: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    found.sort();
    <[_; 1]>::try_from(found).map(|[path]| path).map_err(DataDirError::NotOne)
}

/// Where data directories are that nobody named.
fn usual_place() -> Result<PathBuf, DataDirError> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|home| home.join(".local/share"));
    let data = set("XDG_DATA_HOME").or_else(home).ok_or(DataDirError::NoHome)?;
    Ok(data.join("quorate/prover-node"))
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Where it is noted that a machine with this data directory passed the self-test of the model whose manifest has this
/// hash.
#[must_use]
pub fn marker_in(data_dir: &Path, model: B256) -> PathBuf {
    data_dir.join(format!("selftest-{}", alloy::hex::encode(&model[..4])))
}

fn create(path: &Path) -> io::Result<File> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join("lock"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_at_a_time_and_for_its_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        let first = DataDir::open(&path).unwrap();

        assert!(matches!(DataDir::open(&path), Err(DataDirError::InUse(_))));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(first);
        assert!(DataDir::open(&path).is_ok());
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(DataDir::open(file.path()), Err(DataDirError::Unusable { .. })));
    }
}
