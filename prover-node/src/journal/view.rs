//! The view: what the journal says to people, who look at it while the node writes.

use alloy::primitives::B256;
use serde::Serialize;
use sqlx::{FromRow, Row, any::AnyRow};

use super::{Journal, Result, rows::hash};
use crate::job::DrawKey;

/// Troubles that are kept.
const TROUBLES: i64 = 100;

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
        self.at.check_layout(&self.database).await
    }

    /// The newest draws with seats of ours, open ones first.
    pub async fn latest_draws(&self, most: u32) -> Result<Vec<LatestDraw>> {
        let select = sqlx::query_as(
            "SELECT job, number, seed, deadline, ending, (SELECT count(*) FROM seats WHERE seats.job = draws.job
             AND seats.number = draws.number AND seats.seed = draws.seed AND digest IS NOT NULL) AS sealed
             FROM draws ORDER BY ending IS NOT NULL, rowid DESC LIMIT $1",
        );
        self.done(select.bind(i64::from(most)).fetch_all(&self.database)).await
    }

    /// Something went wrong, at `time` by the chain's clock. The oldest are forgotten.
    pub async fn put_trouble(&self, trouble: &Trouble) -> Result<()> {
        let insert = sqlx::query("INSERT INTO troubles (job, time, message) VALUES ($1, $2, $3)")
            .bind(trouble.job.map(|job| job.to_vec()))
            .bind(trouble.time.cast_signed())
            .bind(&trouble.message);
        self.run(insert).await?;
        let forget = sqlx::query("DELETE FROM troubles WHERE rowid <= (SELECT max(rowid) FROM troubles) - $1");
        self.run(forget.bind(TROUBLES)).await
    }

    /// What went wrong lately, newest first; with a job, only what was about it.
    pub async fn troubles(&self, job: Option<B256>, most: u32) -> Result<Vec<Trouble>> {
        let select = sqlx::query_as(
            "SELECT job, time, message FROM troubles WHERE $1 IS NULL OR job = $1 ORDER BY rowid DESC LIMIT $2",
        );
        self.done(select.bind(job.map(|job| job.to_vec())).bind(i64::from(most)).fetch_all(&self.database)).await
    }
}

impl FromRow<'_, AnyRow> for LatestDraw {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            key: DrawKey::from_row(row)?,
            deadline: row.try_get::<i64, _>("deadline")?.cast_unsigned(),
            sealed: row.try_get::<i64, _>("sealed")? > 0,
            ending: row.try_get("ending")?,
        })
    }
}

impl FromRow<'_, AnyRow> for Trouble {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let job = match row.try_get::<Option<&[u8]>, _>("job")? {
            Some(_) => Some(hash(row, "job")?),
            None => None,
        };
        Ok(Self { job, time: row.try_get::<i64, _>("time")?.cast_unsigned(), message: row.try_get("message")? })
    }
}
