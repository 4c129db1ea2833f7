//! Backups: one moment of a journal in a file of its own, checked before it has a name.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use alloy::primitives::B256;
use oracle::{files::write_atomically, manifest::hash_file};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::Journal;

/// A copy that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// Of its content.
    pub sha256: B256,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It could not be written.
    #[error("cannot write the copy to {}: {source}; make room, or name another file", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite could not copy it.
    #[error("the journal cannot be copied: {0}; check the disk's space and permissions")]
    Uncopied(#[from] sqlx::Error),
    /// What is in it makes no sense.
    #[error("the journal is damaged: {0}; go back to an older copy, or start with an empty data directory")]
    Damaged(String),
}

impl Journal {
    /// Copies the journal as it is now to `file`, with its checksum beside it. A node may be writing it. The copy is whole
    /// and checked, or there is none.
    pub async fn backup(&self, file: &Path) -> Result<Backup, BackupError> {
        let unwritable = |source| BackupError::Unwritable { path: file.to_owned(), source };
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Salts are in it: readable by its owner only.
        let copy = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
        sqlx::query("VACUUM INTO $1").bind(copy.path().to_string_lossy().into_owned()).execute(&self.database).await?;
        check(copy.path()).await?;

        // SQLite writes to the file that has the name, which need not be the one that was made here.
        File::open(copy.path()).and_then(|written| written.sync_all()).map_err(unwritable)?;
        let (bytes, sha256) = hash_file(copy.path()).map_err(unwritable)?;
        copy.persist(file).map_err(|error| unwritable(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;

        let name = file.file_name().unwrap_or_default();
        let line = format!("{sha256:x}  {}\n", name.display());
        let beside = file.with_file_name(format!("{}.sha256", name.display()));
        write_atomically(&beside, line.as_bytes()).map_err(unwritable)?;
        Ok(Backup { bytes, sha256 })
    }
}

/// Whether SQLite finds nothing wrong in it.
async fn check(file: &Path) -> Result<(), BackupError> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let copy: SqlitePool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&copy).await?;
    copy.close().await;
    match found.as_slice() {
        [only] if only == "ok" => Ok(()),
        wrong => Err(BackupError::Damaged(wrong.join("; "))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use tempfile::TempDir;

    use super::*;
    use crate::{
        job::tests::{drawn, request, sealed},
        journal::{
            FILE,
            tests::{open, owner},
        },
    };

    #[tokio::test]
    async fn a_copy_made_while_a_node_writes_is_a_journal_to_go_on_with() {
        let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let journal = open(folder.path()).await;
        journal.put_request(&request()).await.unwrap();
        journal.put_draw(&drawn(2)).await.unwrap();
        journal.put_sealed(&sealed(drawn(2), 200)).await.unwrap();

        let copy = elsewhere.path().join(FILE);
        fs::write(&copy, "an older one").unwrap();
        let backup = Journal::read(folder.path()).await.unwrap().backup(&copy).await.unwrap();
        journal.put_draw(&drawn(3)).await.unwrap();

        assert_eq!(backup.bytes, fs::metadata(&copy).unwrap().len());
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        let sums = fs::read_to_string(elsewhere.path().join("journal.sqlite.sha256")).unwrap();
        assert_eq!(sums, format!("{:x}  journal.sqlite\n", backup.sha256));
        let restored = Journal::open(elsewhere.path(), owner()).await.unwrap();
        assert_eq!(restored.sealed(drawn(2).key).await.unwrap(), Some(sealed(drawn(2), 200)));
        assert_eq!(restored.open_draws().await.unwrap(), [drawn(2).key]);
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_made_leaves_nothing() {
        let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let journal = open(folder.path()).await;
        let nowhere = elsewhere.path().join("no/such/folder");

        assert!(matches!(journal.backup(&nowhere).await, Err(BackupError::Unwritable { .. })));
        fs::write(elsewhere.path().join("b"), [7; 4096]).unwrap();
        assert!(check(&elsewhere.path().join("b")).await.is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    }
}
