//! The view: what the journal says to people, who look at it while the node writes.

use std::cmp::Ordering;

use alloy::primitives::B256;
use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{Journal, JournalError, Result, rows::hash};
use crate::job::DrawKey;

/// Troubles that are kept.
const TROUBLES: u32 = 100;

/// A draw, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestDraw {
    /// Which.
    pub key: DrawKey,
    /// When nobody votes in it any more at the latest, in seconds since the epoch.
    pub deadline: u64,
    /// Whether the opening is on disk.
    pub sealed: bool,
    /// How it ended; none while there is something left to do.
    pub ending: Option<String>,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// The job, if it was about one.
    pub job: Option<B256>,
    /// In seconds since the epoch, by the chain's clock.
    pub time: u64,
    /// In one line.
    pub message: String,
}

impl Journal {
    /// Whether the journal, opened for looking only, has this version's layout: a node brings it there at its start.
    pub async fn check_layout(&self) -> Result<()> {
        let select = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')";
        let is_made: bool = self.check(sqlx::query_scalar(select).fetch_one(&self.database).await)?;
        let select = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations");
        let has: i64 = if is_made { self.check(select.fetch_one(&self.database).await)? } else { 0 };
        let known = sqlx::migrate!().iter().map(|migration| migration.version).max().unwrap_or_default();
        match has.cmp(&known) {
            Ordering::Less => Err(JournalError::Older(self.path.clone())),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(JournalError::Newer(self.path.clone())),
        }
    }

    /// The newest draws with seats of ours, open ones first.
    pub async fn latest_draws(&self, most: u32) -> Result<Vec<LatestDraw>> {
        let select = sqlx::query_as(
            "SELECT job, number, seed, deadline, ending, EXISTS (SELECT 1 FROM seats WHERE seats.job = draws.job
             AND seats.number = draws.number AND seats.seed = draws.seed AND digest IS NOT NULL) AS sealed
             FROM draws ORDER BY ending IS NOT NULL, rowid DESC LIMIT ?",
        );
        self.check(select.bind(most).fetch_all(&self.database).await)
    }

    /// Something went wrong, at `time` by the chain's clock. The oldest are forgotten.
    pub async fn put_trouble(&self, trouble: &Trouble) -> Result<()> {
        let insert = sqlx::query("INSERT INTO troubles (job, time, message) VALUES (?, ?, ?)")
            .bind(trouble.job.map(|job| job.to_vec()))
            .bind(trouble.time.cast_signed())
            .bind(&trouble.message);
        self.run(insert).await?;
        let forget = sqlx::query("DELETE FROM troubles WHERE rowid <= (SELECT max(rowid) FROM troubles) - ?");
        self.run(forget.bind(TROUBLES)).await
    }

    /// What went wrong lately, newest first; with a job, only what was about it.
    pub async fn troubles(&self, job: Option<B256>, most: u32) -> Result<Vec<Trouble>> {
        let select = sqlx::query_as(
            "SELECT job, time, message FROM troubles WHERE ?1 IS NULL OR job = ?1 ORDER BY rowid DESC LIMIT ?2",
        );
        self.check(select.bind(job.map(|job| job.to_vec())).bind(most).fetch_all(&self.database).await)
    }
}

impl FromRow<'_, SqliteRow> for LatestDraw {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            key: DrawKey::from_row(row)?,
            deadline: row.try_get::<i64, _>("deadline")?.cast_unsigned(),
            sealed: row.try_get("sealed")?,
            ending: row.try_get("ending")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Trouble {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let job = match row.try_get::<Option<&[u8]>, _>("job")? {
            Some(_) => Some(hash(row, "job")?),
            None => None,
        };
        Ok(Self { job, time: row.try_get::<i64, _>("time")?.cast_unsigned(), message: row.try_get("message")? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{
        job::tests::{drawn, request, sealed},
        journal::{Ending, Owner},
    };

    async fn open(folder: &TempDir) -> Journal {
        let [oracle, operator] = [alloy::primitives::Address::ZERO; 2];
        Journal::open(folder.path(), Owner { chain_id: 1, genesis: B256::ZERO, oracle, operator }).await.unwrap()
    }

    #[tokio::test]
    async fn the_newest_troubles_are_kept() {
        let folder = TempDir::new().unwrap();
        let journal = open(&folder).await;
        for time in 0..150 {
            let job = (time % 2 == 0).then_some(request().id);
            journal.put_trouble(&Trouble { job, time, message: format!("number {time}") }).await.unwrap();
        }

        let newest = journal.troubles(None, 2).await.unwrap();
        assert_eq!(newest.iter().map(|trouble| trouble.time).collect::<Vec<_>>(), [149, 148]);
        assert_eq!(newest[1].job, Some(request().id));
        assert_eq!(journal.troubles(None, 1_000).await.unwrap().len(), 100);
        assert_eq!(journal.troubles(Some(request().id), 1_000).await.unwrap().len(), 50);
    }

    #[tokio::test]
    async fn open_draws_are_shown_before_those_that_ended() {
        let folder = TempDir::new().unwrap();
        let journal = open(&folder).await;
        journal.put_request(&request()).await.unwrap();
        for seed in [2, 3] {
            journal.put_draw(&drawn(seed)).await.unwrap();
        }
        journal.put_sealed(&sealed(drawn(2), 200)).await.unwrap();
        journal.end(drawn(3).key, Ending::Missed, 300).await.unwrap();

        let [open, ended] = <[_; 2]>::try_from(journal.latest_draws(9).await.unwrap()).unwrap();
        assert_eq!((open.key, open.sealed, open.ending), (drawn(2).key, true, None));
        assert_eq!((ended.key, ended.sealed, ended.ending.as_deref()), (drawn(3).key, false, Some("missed")));
    }
}
