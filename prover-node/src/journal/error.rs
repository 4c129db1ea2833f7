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
    /// Not brought to this version's layout yet.
    #[error(
        "the journal {} was written by an older version, or by a node that was ended while it made it: start the node with \
         this version, which brings it up to date, or look with the older version's programs",
        .0.display()
    )]
    Older(PathBuf),
    /// This version does not know what is in it.
    #[error("the journal {} was written by a newer version: use that version's programs", .0.display())]
    Newer(PathBuf),
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
