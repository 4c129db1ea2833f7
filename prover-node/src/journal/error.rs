//! Why the journal cannot be used.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use super::Owner;

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Disk full, no permission, or damaged.
    #[error("the journal {} cannot be used: {source}; check the disk's space and permissions", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// In SQLite's words.
        source: sqlx::Error,
    },
    /// Made by a newer version, or not a journal.
    #[error("the journal {} has another layout than this version's: {source}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What differs.
        source: MigrateError,
    },
    /// It belongs to another operator or deployment.
    #[error("{} is the journal of {found}, and this is {expected}: name another --data-dir", path.display())]
    OtherOwner {
        /// The file.
        path: PathBuf,
        /// In the journal.
        found: Box<Owner>,
        /// Of this process.
        expected: Box<Owner>,
    },
    /// Nothing was written yet.
    #[error("there is no journal {}: this node has not run yet", .0.display())]
    Missing(PathBuf),
}
