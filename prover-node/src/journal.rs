//! The journal: what must survive a crash, in SQLite. Each function is one transaction, on disk when it returns.

mod backup;
mod error;
mod intents;
mod rows;
mod view;

use std::{
    collections::HashSet,
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::{
    primitives::{Address, B256},
    sol_types::SolValue,
};
use oracle::{chain::Request, commitment::Opening, follower::Trail};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::rows::{DrawRow, RequestRow, bind, from_json, to_json};
pub use self::{
    backup::{Backup, BackupError},
    error::JournalError,
    view::{LatestDraw, Trouble},
};
use crate::{
    job::{DrawKey, Drawn, RoundKey, Sealed, Vote},
    pace::{Pace, Paces},
};

/// How long another program, a backup perhaps, may hold the file.
const BUSY: Duration = Duration::from_secs(30);

/// The file's name in the data directory.
pub const FILE: &str = "journal.sqlite";

/// Whose journal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// EIP-155.
    pub chain_id: u64,
    /// Hash of block 0: development chains share an id.
    pub genesis: B256,
    /// The `GenerationOracle`.
    pub oracle: Address,
    /// The key whose seats are served.
    pub operator: Address,
}

/// Why there is nothing more to do in a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The job is over.
    Settled,
    /// We said that we cannot make it.
    Declined,
    /// A window closed before we were done.
    Missed,
    /// The chain forgot this draw.
    Reorganised,
}

/// Open rounds by how far they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenJobs {
    /// Waiting for their draw.
    pub requested: u64,
    /// Ours to make.
    pub drawn: u64,
    /// Made: the opening is on disk, and the commitment may be on chain.
    pub sealed: u64,
}

/// A handle to the journal; clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    database: SqlitePool,
}

type Result<T> = std::result::Result<T, JournalError>;

impl Journal {
    /// Opens or makes the journal in `folder`, which must be locked.
    pub async fn open(folder: &Path, owner: Owner) -> Result<Self> {
        create_private(&folder.join(FILE))?;
        let journal = Self::connect(folder, |options| options).await?;
        sqlx::migrate!()
            .run(&journal.database)
            .await
            .map_err(|source| JournalError::Layout { path: journal.path.clone(), source })?;
        journal.claim(owner).await?;
        Ok(journal)
    }

    /// Opens the journal in `folder` for looking only; a node may be writing it.
    pub async fn read(folder: &Path) -> Result<Self> {
        if !folder.join(FILE).exists() {
            return Err(JournalError::Missing(folder.join(FILE)));
        }
        Self::connect(folder, |options| options.read_only(true)).await
    }

    async fn connect(folder: &Path, how: fn(SqliteConnectOptions) -> SqliteConnectOptions) -> Result<Self> {
        let path = folder.join(FILE);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(how(options)).await;
        let database = pool.map_err(|source| JournalError::Database { path: path.clone(), source })?;
        Ok(Self { path, database })
    }

    async fn claim(&self, owner: Owner) -> Result<()> {
        let claim = sqlx::query("INSERT OR IGNORE INTO owner VALUES (1, ?, ?, ?, ?)")
            .bind(owner.chain_id.cast_signed())
            .bind(owner.genesis.as_slice())
            .bind(owner.oracle.as_slice())
            .bind(owner.operator.as_slice());
        self.run(claim).await?;
        let select = sqlx::query_as("SELECT chain_id, genesis, oracle, operator FROM owner");
        let found: Owner = self.check(select.fetch_one(&self.database).await)?;
        match found == owner {
            true => Ok(()),
            false => {
                let (found, expected) = (found.into(), owner.into());
                Err(JournalError::OtherOwner { path: self.path.clone(), found, expected })
            }
        }
    }

    // -------------------------------------------------------------------------------------------------------- the chain

    /// Where the chain has been followed to.
    pub async fn trail(&self) -> Result<Option<Trail>> {
        let select = sqlx::query_scalar("SELECT trail FROM trail");
        let trail: Option<String> = self.check(select.fetch_optional(&self.database).await)?;
        self.check(trail.map(|text| from_json(&text)).transpose())
    }

    /// To be called after the effects of everything before its end are stored.
    pub async fn put_trail(&self, trail: &Trail) -> Result<()> {
        let text = self.check(to_json(trail))?;
        self.run(sqlx::query("INSERT OR REPLACE INTO trail VALUES (1, ?)").bind(text)).await
    }

    /// The URL that was announced last.
    pub async fn announced(&self) -> Result<Option<String>> {
        let select = sqlx::query_scalar("SELECT url FROM announced");
        self.check(select.fetch_optional(&self.database).await)
    }

    /// The URL is on chain.
    pub async fn put_announced(&self, url: &str) -> Result<()> {
        self.run(sqlx::query("INSERT OR REPLACE INTO announced VALUES (1, ?)").bind(url)).await
    }

    // --------------------------------------------------------------------------------------------------------- the jobs

    /// A job for our model was paid. Told again, its block may be another.
    pub async fn put_request(&self, request: &Request) -> Result<()> {
        let spec = self.check(to_json(&request.spec))?;
        let insert = sqlx::query(
            "INSERT INTO jobs (job, block, fixed, spec) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET block = excluded.block",
        )
        .bind(request.id.as_slice())
        .bind(request.block.cast_signed())
        .bind(request.job.abi_encode())
        .bind(spec);
        self.run(insert).await
    }

    /// The job, if it is for our model.
    pub async fn request(&self, job: B256) -> Result<Option<Request>> {
        let select = sqlx::query_as("SELECT job, block, fixed, spec FROM jobs WHERE job = ?").bind(job.as_slice());
        let row: Option<RequestRow> = self.check(select.fetch_optional(&self.database).await)?;
        Ok(row.map(|row| row.0))
    }

    /// A round of such a job waits for its draw as far as we know, until `draw_deadline` at most.
    pub async fn put_round(&self, round: RoundKey, draw_deadline: u64) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO rounds (job, number, draw_deadline) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET draw_deadline = excluded.draw_deadline, awaited = 1",
        )
        .bind(round.job.as_slice())
        .bind(round.number)
        .bind(draw_deadline.cast_signed());
        self.run(insert).await
    }

    /// Rounds that wait for their draw.
    pub async fn awaited(&self) -> Result<Vec<RoundKey>> {
        let select = sqlx::query_as("SELECT job, number FROM rounds WHERE awaited = 1 ORDER BY rowid");
        self.check(select.fetch_all(&self.database).await)
    }

    /// The round was drawn, or never will be.
    pub async fn stop_awaiting(&self, round: RoundKey) -> Result<()> {
        let update = sqlx::query("UPDATE rounds SET awaited = 0 WHERE job = ? AND number = ?");
        self.run(update.bind(round.job.as_slice()).bind(round.number)).await
    }

    /// Seats of ours were drawn, or will be. Told again, it changes nothing.
    pub async fn put_draw(&self, drawn: &Drawn) -> Result<()> {
        let mut transaction = self.check(self.database.begin().await)?;
        let DrawKey { job, number, seed } = drawn.key;
        let insert =
            sqlx::query("INSERT OR IGNORE INTO draws (job, number, seed, noise, deadline) VALUES (?, ?, ?, ?, ?)")
                .bind(job.as_slice())
                .bind(number)
                .bind(seed.as_slice())
                .bind(drawn.noise_seed.as_slice())
                .bind(drawn.deadline.cast_signed());
        self.check(insert.execute(&mut *transaction).await)?;
        for seat in &drawn.seats {
            let insert =
                sqlx::query("INSERT OR IGNORE INTO seats (job, number, seed, seat, member) VALUES (?, ?, ?, ?, ?)")
                    .bind(job.as_slice())
                    .bind(number)
                    .bind(seed.as_slice())
                    .bind(seat.number)
                    .bind(seat.member);
            self.check(insert.execute(&mut *transaction).await)?;
        }
        self.check(transaction.commit().await)
    }

    /// Draws in which there is something left to do, oldest first.
    pub async fn open_draws(&self) -> Result<Vec<DrawKey>> {
        let select = sqlx::query_as("SELECT job, number, seed FROM draws WHERE ending IS NULL ORDER BY rowid");
        self.check(select.fetch_all(&self.database).await)
    }

    /// The draw, as it was stored.
    pub async fn drawn(&self, key: DrawKey) -> Result<Option<Drawn>> {
        let Some(request) = self.request(key.job).await? else { return Ok(None) };
        let select = sqlx::query_as("SELECT noise, deadline FROM draws WHERE job = ? AND number = ? AND seed = ?");
        let row: Option<DrawRow> = self.check(bind(select, key).fetch_optional(&self.database).await)?;
        let Some(DrawRow { noise_seed, deadline }) = row else { return Ok(None) };
        let select =
            sqlx::query_as("SELECT seat, member FROM seats WHERE job = ? AND number = ? AND seed = ? ORDER BY member");
        let seats = self.check(bind(select, key).fetch_all(&self.database).await)?;
        Ok(Some(Drawn { key, spec: request.spec, noise_seed, seats, deadline }))
    }

    /// Stores every opening. Only then may a commitment be sent.
    pub async fn put_sealed(&self, sealed: &Sealed) -> Result<()> {
        let mut transaction = self.check(self.database.begin().await)?;
        for vote in &sealed.votes {
            let Opening { digest, content_hash, salt } = vote.opening;
            let update = sqlx::query(
                "UPDATE seats SET digest = ?, content_hash = ?, salt = ?
                 WHERE job = ? AND number = ? AND seed = ? AND seat = ?",
            )
            .bind(digest.0.to_vec())
            .bind(content_hash.as_slice())
            .bind(salt.as_slice())
            .bind(sealed.key.job.as_slice())
            .bind(sealed.key.number)
            .bind(sealed.key.seed.as_slice())
            .bind(vote.seat.number);
            self.check(update.execute(&mut *transaction).await)?;
        }
        self.check(transaction.commit().await)
    }

    /// The openings of a draw, if they have been stored.
    pub async fn sealed(&self, key: DrawKey) -> Result<Option<Sealed>> {
        let select = sqlx::query_as(
            "SELECT seat, member, digest, content_hash, salt FROM seats
             WHERE job = ? AND number = ? AND seed = ? AND digest IS NOT NULL ORDER BY member",
        );
        let votes: Vec<Vote> = self.check(bind(select, key).fetch_all(&self.database).await)?;
        Ok((!votes.is_empty()).then_some(Sealed { key, votes }))
    }

    /// Seats whose commitments may be on chain and are not opened for good.
    pub async fn unopened(&self) -> Result<u64> {
        let select = sqlx::query_scalar(
            "SELECT count(*) FROM seats JOIN draws USING (job, number, seed)
             WHERE ending IS NULL AND digest IS NOT NULL AND content_hash NOT IN (SELECT content_hash FROM outputs)",
        );
        let count: i64 = self.check(select.fetch_one(&self.database).await)?;
        Ok(count.cast_unsigned())
    }

    /// There is nothing left to do in this draw, since `now`, in seconds since the epoch.
    pub async fn end(&self, key: DrawKey, ending: Ending, now: u64) -> Result<()> {
        let update = sqlx::query("UPDATE draws SET ending = ?, ended = ? WHERE job = ? AND number = ? AND seed = ?")
            .bind(ending.name())
            .bind(now.cast_signed())
            .bind(key.job.as_slice())
            .bind(key.number)
            .bind(key.seed.as_slice());
        self.run(update).await
    }

    /// The chain was reorganised, and what was done after `time` may have to be done again: rounds that could be drawn
    /// then are awaited, and draws that ended after it are open once more.
    pub async fn reopen(&self, time: u64) -> Result<()> {
        let mut transaction = self.check(self.database.begin().await)?;
        let await_again = sqlx::query("UPDATE rounds SET awaited = 1 WHERE draw_deadline > ?").bind(time.cast_signed());
        self.check(await_again.execute(&mut *transaction).await)?;
        let open_again =
            sqlx::query("UPDATE draws SET ending = NULL, ended = NULL WHERE ended > ?").bind(time.cast_signed());
        self.check(open_again.execute(&mut *transaction).await)?;
        self.check(transaction.commit().await)
    }

    /// How many rounds are open.
    pub async fn open_jobs(&self) -> Result<OpenJobs> {
        let count = async |query: &'static str| -> Result<u64> {
            let count: i64 = self.check(sqlx::query_scalar(query).fetch_one(&self.database).await)?;
            Ok(count.cast_unsigned())
        };
        let sealed = count(
            "SELECT count(*) FROM draws WHERE ending IS NULL AND EXISTS (SELECT 1 FROM seats
             WHERE seats.job = draws.job AND seats.number = draws.number AND seats.seed = draws.seed
             AND digest IS NOT NULL)",
        )
        .await?;
        let drawn = count("SELECT count(*) FROM draws WHERE ending IS NULL").await? - sealed;
        let requested = count("SELECT count(*) FROM rounds WHERE awaited = 1").await?;
        Ok(OpenJobs { requested, drawn, sealed })
    }

    // ------------------------------------------------------------------------------------------------- outputs and pace

    /// The file may be shown from now on.
    pub async fn publish(&self, content_hash: B256) -> Result<()> {
        let insert = sqlx::query("INSERT OR IGNORE INTO outputs VALUES (?)").bind(content_hash.as_slice());
        self.run(insert).await
    }

    /// Whether the file may be shown.
    pub async fn is_published(&self, content_hash: B256) -> Result<bool> {
        let select = sqlx::query_scalar("SELECT count(*) FROM outputs WHERE content_hash = ?");
        let count: i64 = self.check(select.bind(content_hash.as_slice()).fetch_one(&self.database).await)?;
        Ok(count > 0)
    }

    /// Content hashes of what draws that are not over have made.
    pub async fn needed_outputs(&self) -> Result<HashSet<B256>> {
        let select = sqlx::query_scalar(
            "SELECT content_hash FROM seats JOIN draws USING (job, number, seed)
             WHERE ending IS NULL AND content_hash IS NOT NULL",
        );
        let hashes: Vec<Vec<u8>> = self.check(select.fetch_all(&self.database).await)?;
        Ok(hashes.iter().filter_map(|hash| B256::try_from(hash.as_slice()).ok()).collect())
    }

    /// What was measured with these settings.
    pub async fn paces(&self, settings: &str) -> Result<Paces> {
        let select = sqlx::query_as("SELECT size, seconds FROM paces WHERE settings = ?").bind(settings);
        let paces: Vec<(i64, f64)> = self.check(select.fetch_all(&self.database).await)?;
        Ok(paces.into_iter().map(|(size, seconds)| (size.cast_unsigned(), Pace(seconds))).collect())
    }

    /// Stores the pace at a size.
    pub async fn put_pace(&self, settings: &str, size: u64, pace: Pace) -> Result<()> {
        let insert = sqlx::query("INSERT OR REPLACE INTO paces VALUES (?, ?, ?)");
        self.run(insert.bind(settings).bind(size.cast_signed()).bind(pace.0)).await
    }

    async fn run(&self, query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>) -> Result<()> {
        self.check(query.execute(&self.database).await).map(|_| ())
    }

    fn check<T>(&self, result: sqlx::Result<T>) -> Result<T> {
        result.map_err(|source| JournalError::Database { path: self.path.clone(), source })
    }
}

impl Ending {
    /// In lower case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Declined => "declined",
            Self::Missed => "missed",
            Self::Reorganised => "reorganised",
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chain_id, genesis, oracle, operator } = self;
        let genesis = alloy::hex::encode(&genesis[..4]);
        write!(f, "operator {operator} on chain {chain_id} (genesis {genesis}, oracle {oracle})")
    }
}

/// Salts are in it: nobody else may read it, wherever it lies. SQLite's other files take its permissions.
fn create_private(path: &Path) -> Result<()> {
    let created = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    created.map(|_| ()).map_err(|error| JournalError::Database { path: path.to_owned(), source: error.into() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
