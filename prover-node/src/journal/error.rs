//! Why the journal cannot be used.

use sqlx::migrate::MigrateError;

use super::{Location, Owner};
use crate::database::DatabaseError;

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Disk full, no permission, damaged, or out of reach.
    #[error("the journal {at} cannot be used: {source}; {}", match at {
        Location::Folder(_) => "check the disk's space and permissions",
        Location::Postgres { .. } => "check that the database runs, and that --database names it and a role of it that may make schemas",
    })]
    Database {
        /// Where it is.
        at: Location,
        /// In the database's words.
        source: sqlx::Error,
    },
    /// Made by a newer version, or not a journal.
    #[error("the journal {at} has another layout than this version's: {source}")]
    Layout {
        /// Where it is.
        at: Location,
        /// What differs.
        source: MigrateError,
    },
    /// Not brought to this version's layout yet.
    #[error(
        "the journal {0} was written by an older version, or by a node that was ended while it made it: start the node with \
         this version, which brings it up to date, or look with the older version's programs"
    )]
    Older(Location),
    /// This version does not know what is in it.
    #[error("the journal {0} was written by a newer version: use that version's programs")]
    Newer(Location),
    /// It belongs to another operator or deployment.
    #[error("{at} is the journal of {found}, and this is {expected}: name another --data-dir")]
    OtherOwner {
        /// Where it is.
        at: Location,
        /// In the journal.
        found: Box<Owner>,
        /// Of this process.
        expected: Box<Owner>,
    },
    /// Nothing was written yet.
    #[error("there is no journal {0}: this node has not run yet")]
    Missing(Location),
    /// Two nodes with one key would race for nonces and seats.
    #[error(
        "another node writes the journal {0}: stop it first, or give this one a key of its own; what a machine held that vanished is free after half a minute"
    )]
    InUse(Location),
    /// What it says is stored may be lost.
    #[error(
        "the database of the journal {0} runs with fsync = off, and may forget openings: set fsync = on in its postgresql.conf"
    )]
    Forgetful(Location),
    /// What was typed is none.
    #[error(transparent)]
    NoDatabase(#[from] DatabaseError),
}
