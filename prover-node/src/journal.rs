//! The journal: what must survive a crash, in SQLite or Postgres. Each function is one transaction, on disk when it
//! returns. Both take the same queries; numbers are 64 bits wide, and hashes and ids are bytes.

mod backup;
mod error;
mod intents;
mod location;
mod rows;
mod view;

use std::{collections::HashSet, time::Duration};

use alloy::{
    hex,
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};
use oracle::{
    chain::{Deployment, Request},
    commitment::Opening,
    follower::Trail,
};
use sqlx::AnyPool;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::rows::{DrawRow, RequestRow, bind, from_json, to_json};
pub use self::{
    backup::{Backup, BackupError},
    error::JournalError,
    location::{FILE, Location},
    view::{LatestDraw, Trouble},
};
use crate::{
    job::{DrawKey, Drawn, RoundKey, Sealed, Vote},
    pace::{Pace, Paces},
};

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
    at: Location,
    database: AnyPool,
    taken: CancellationToken,
    /// When an answer is not waited for any more.
    patience: Duration,
}

type Result<T> = std::result::Result<T, JournalError>;

// What is asked again and again, and must not take longer the more is over.
const AWAITED: &str = "SELECT job, number FROM rounds WHERE awaited = 1 ORDER BY rowid";
const OPEN_DRAWS: &str = "SELECT job, number, seed FROM draws WHERE ending IS NULL ORDER BY rowid";
const SEALED_DRAWS: &str = "SELECT count(*) FROM draws WHERE ending IS NULL AND EXISTS (SELECT 1 FROM seats
    WHERE seats.job = draws.job AND seats.number = draws.number AND seats.seed = draws.seed AND digest IS NOT NULL)";
const UNOPENED: &str = "SELECT count(*) FROM draws JOIN seats USING (job, number, seed)
    WHERE ending IS NULL AND digest IS NOT NULL AND content_hash NOT IN (SELECT content_hash FROM outputs)";
const NEEDED_OUTPUTS: &str = "SELECT content_hash FROM draws JOIN seats USING (job, number, seed)
    WHERE ending IS NULL AND content_hash IS NOT NULL";

impl Journal {
    /// Opens the journal, or makes it if there is none. In a folder, that must be locked.
    pub async fn open(at: impl Into<Location>, owner: Owner) -> Result<Self> {
        let at = at.into();
        let (database, taken) = at.open().await?;
        let journal = Self { at, database, taken, patience: location::GIVEN_UP };
        journal.claim(owner).await?;
        Ok(journal)
    }

    /// Opens the journal for looking only; a node may be writing it.
    pub async fn read(at: impl Into<Location>) -> Result<Self> {
        let at = at.into();
        let (database, taken) = (at.read().await?, CancellationToken::new());
        Ok(Self { at, database, taken, patience: location::GIVEN_UP })
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.at
    }

    /// Returns once another node with this key writes the journal: this one can write nothing any more.
    pub async fn taken(&self) {
        self.taken.cancelled().await;
    }

    async fn claim(&self, owner: Owner) -> Result<()> {
        let claim = sqlx::query("INSERT INTO owner VALUES (1, $1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(owner.chain_id.cast_signed())
            .bind(owner.genesis.as_slice())
            .bind(owner.oracle.as_slice())
            .bind(owner.operator.as_slice());
        self.run(claim).await?;
        let select = sqlx::query_as("SELECT chain_id, genesis, oracle, operator FROM owner");
        let found: Owner = self.done(select.fetch_one(&self.database)).await?;
        match found == owner {
            true => Ok(()),
            false => {
                let (found, expected) = (found.into(), owner.into());
                Err(JournalError::OtherOwner { at: self.at.clone(), found, expected })
            }
        }
    }

    // -------------------------------------------------------------------------------------------------------- the chain

    /// Where the chain has been followed to.
    pub async fn trail(&self) -> Result<Option<Trail>> {
        let select = sqlx::query_scalar("SELECT trail FROM trail");
        let trail: Option<String> = self.done(select.fetch_optional(&self.database)).await?;
        self.check(trail.map(|text| from_json(&text)).transpose())
    }

    /// To be called after the effects of everything before its end are stored.
    pub async fn put_trail(&self, trail: &Trail) -> Result<()> {
        let text = self.check(to_json(trail))?;
        self.run(
            sqlx::query("INSERT INTO trail VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET trail = excluded.trail")
                .bind(text),
        )
        .await
    }

    /// The URL that was announced last.
    pub async fn announced(&self) -> Result<Option<String>> {
        let select = sqlx::query_scalar("SELECT url FROM announced");
        self.done(select.fetch_optional(&self.database)).await
    }

    /// The URL is on chain.
    pub async fn put_announced(&self, url: &str) -> Result<()> {
        self.run(
            sqlx::query("INSERT INTO announced VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET url = excluded.url")
                .bind(url),
        )
        .await
    }

    // --------------------------------------------------------------------------------------------------------- the jobs

    /// A job for our model was paid. Told again, its block may be another.
    pub async fn put_request(&self, request: &Request) -> Result<()> {
        let spec = self.check(to_json(&request.spec))?;
        let insert = sqlx::query(
            "INSERT INTO jobs (job, block, fixed, spec) VALUES ($1, $2, $3, $4)
             ON CONFLICT (job) DO UPDATE SET block = excluded.block",
        )
        .bind(request.id.as_slice())
        .bind(request.block.cast_signed())
        .bind(request.job.abi_encode())
        .bind(spec);
        self.run(insert).await
    }

    /// The job, if it is for our model.
    pub async fn request(&self, job: B256) -> Result<Option<Request>> {
        let select = sqlx::query_as("SELECT job, block, fixed, spec FROM jobs WHERE job = $1").bind(job.as_slice());
        let row: Option<RequestRow> = self.done(select.fetch_optional(&self.database)).await?;
        Ok(row.map(|row| row.0))
    }

    /// A round of such a job waits for its draw as far as we know, until `draw_deadline` at most.
    pub async fn put_round(&self, round: RoundKey, draw_deadline: u64) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO rounds (job, number, draw_deadline) VALUES ($1, $2, $3)
             ON CONFLICT (job, number) DO UPDATE SET draw_deadline = excluded.draw_deadline, awaited = 1",
        )
        .bind(round.job.as_slice())
        .bind(i64::from(round.number))
        .bind(draw_deadline.cast_signed());
        self.run(insert).await
    }

    /// Rounds that wait for their draw.
    pub async fn awaited(&self) -> Result<Vec<RoundKey>> {
        self.done(sqlx::query_as(AWAITED).fetch_all(&self.database)).await
    }

    /// The round was drawn, or never will be.
    pub async fn stop_awaiting(&self, round: RoundKey) -> Result<()> {
        let update = sqlx::query("UPDATE rounds SET awaited = 0 WHERE job = $1 AND number = $2");
        self.run(update.bind(round.job.as_slice()).bind(i64::from(round.number))).await
    }

    /// Seats of ours were drawn, or will be. Told again, it changes nothing.
    pub async fn put_draw(&self, drawn: &Drawn) -> Result<()> {
        let mut transaction = self.done(self.database.begin()).await?;
        let DrawKey { job, number, seed } = drawn.key;
        let insert = sqlx::query(
            "INSERT INTO draws (job, number, seed, noise, deadline) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(job.as_slice())
        .bind(i64::from(number))
        .bind(seed.as_slice())
        .bind(drawn.noise_seed.as_slice())
        .bind(drawn.deadline.cast_signed());
        self.done(insert.execute(&mut *transaction)).await?;
        for seat in &drawn.seats {
            let insert =
                sqlx::query("INSERT INTO seats (job, number, seed, seat, member) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
                    .bind(job.as_slice())
                    .bind(i64::from(number))
                    .bind(seed.as_slice())
                    .bind(i64::from(seat.number))
                    .bind(i64::from(seat.member));
            self.done(insert.execute(&mut *transaction)).await?;
        }
        self.done(transaction.commit()).await
    }

    /// Draws in which there is something left to do, oldest first.
    pub async fn open_draws(&self) -> Result<Vec<DrawKey>> {
        self.done(sqlx::query_as(OPEN_DRAWS).fetch_all(&self.database)).await
    }

    /// The draw, as it was stored.
    pub async fn drawn(&self, key: DrawKey) -> Result<Option<Drawn>> {
        let Some(request) = self.request(key.job).await? else { return Ok(None) };
        let select = sqlx::query_as("SELECT noise, deadline FROM draws WHERE job = $1 AND number = $2 AND seed = $3");
        let row: Option<DrawRow> = self.done(bind(select, key).fetch_optional(&self.database)).await?;
        let Some(DrawRow { noise_seed, deadline }) = row else { return Ok(None) };
        let select = sqlx::query_as(
            "SELECT seat, member FROM seats WHERE job = $1 AND number = $2 AND seed = $3 ORDER BY member",
        );
        let seats = self.done(bind(select, key).fetch_all(&self.database)).await?;
        Ok(Some(Drawn { key, spec: request.spec, noise_seed, seats, deadline }))
    }

    /// Stores every opening. Only then may a commitment be sent.
    pub async fn put_sealed(&self, sealed: &Sealed) -> Result<()> {
        let mut transaction = self.done(self.database.begin()).await?;
        for vote in &sealed.votes {
            let Opening { digest, content_hash, salt } = vote.opening;
            let update = sqlx::query(
                "UPDATE seats SET digest = $1, content_hash = $2, salt = $3
                 WHERE job = $4 AND number = $5 AND seed = $6 AND seat = $7",
            )
            .bind(digest.0.to_vec())
            .bind(content_hash.as_slice())
            .bind(salt.as_slice())
            .bind(sealed.key.job.as_slice())
            .bind(i64::from(sealed.key.number))
            .bind(sealed.key.seed.as_slice())
            .bind(i64::from(vote.seat.number));
            self.done(update.execute(&mut *transaction)).await?;
        }
        self.done(transaction.commit()).await
    }

    /// The openings of a draw, if they have been stored.
    pub async fn sealed(&self, key: DrawKey) -> Result<Option<Sealed>> {
        let select = sqlx::query_as(
            "SELECT seat, member, digest, content_hash, salt FROM seats
             WHERE job = $1 AND number = $2 AND seed = $3 AND digest IS NOT NULL ORDER BY member",
        );
        let votes: Vec<Vote> = self.done(bind(select, key).fetch_all(&self.database)).await?;
        Ok((!votes.is_empty()).then_some(Sealed { key, votes }))
    }

    /// Seats whose commitments may be on chain and are not opened for good.
    pub async fn unopened(&self) -> Result<u64> {
        self.count(UNOPENED).await
    }

    /// There is nothing left to do in this draw, since `now`, in seconds since the epoch.
    pub async fn end(&self, key: DrawKey, ending: Ending, now: u64) -> Result<()> {
        let update =
            sqlx::query("UPDATE draws SET ending = $1, ended = $2 WHERE job = $3 AND number = $4 AND seed = $5")
                .bind(ending.name())
                .bind(now.cast_signed())
                .bind(key.job.as_slice())
                .bind(i64::from(key.number))
                .bind(key.seed.as_slice());
        self.run(update).await
    }

    /// The chain was reorganised, and what was done after `time` may have to be done again: rounds that could be drawn
    /// then are awaited, and draws that ended after it are open once more.
    pub async fn reopen(&self, time: u64) -> Result<()> {
        let mut transaction = self.done(self.database.begin()).await?;
        let await_again =
            sqlx::query("UPDATE rounds SET awaited = 1 WHERE draw_deadline > $1").bind(time.cast_signed());
        self.done(await_again.execute(&mut *transaction)).await?;
        let open_again =
            sqlx::query("UPDATE draws SET ending = NULL, ended = NULL WHERE ended > $1").bind(time.cast_signed());
        self.done(open_again.execute(&mut *transaction)).await?;
        self.done(transaction.commit()).await
    }

    /// How many rounds are open.
    pub async fn open_jobs(&self) -> Result<OpenJobs> {
        let sealed = self.count(SEALED_DRAWS).await?;
        let drawn = self.count("SELECT count(*) FROM draws WHERE ending IS NULL").await? - sealed;
        let requested = self.count("SELECT count(*) FROM rounds WHERE awaited = 1").await?;
        Ok(OpenJobs { requested, drawn, sealed })
    }

    // ------------------------------------------------------------------------------------------------- outputs and pace

    /// The file may be shown from now on.
    pub async fn publish(&self, content_hash: B256) -> Result<()> {
        let insert =
            sqlx::query("INSERT INTO outputs VALUES ($1) ON CONFLICT DO NOTHING").bind(content_hash.as_slice());
        self.run(insert).await
    }

    /// Whether the file may be shown.
    pub async fn is_published(&self, content_hash: B256) -> Result<bool> {
        let select = sqlx::query_scalar("SELECT count(*) FROM outputs WHERE content_hash = $1");
        let count: i64 = self.done(select.bind(content_hash.as_slice()).fetch_one(&self.database)).await?;
        Ok(count > 0)
    }

    /// Content hashes of what draws that are not over have made.
    pub async fn needed_outputs(&self) -> Result<HashSet<B256>> {
        let hashes: Vec<Vec<u8>> = self.done(sqlx::query_scalar(NEEDED_OUTPUTS).fetch_all(&self.database)).await?;
        Ok(hashes.iter().filter_map(|hash| B256::try_from(hash.as_slice()).ok()).collect())
    }

    /// What was measured with these settings.
    pub async fn paces(&self, settings: &str) -> Result<Paces> {
        let select = sqlx::query_as("SELECT size, seconds FROM paces WHERE settings = $1").bind(settings);
        let paces: Vec<(i64, f64)> = self.done(select.fetch_all(&self.database)).await?;
        Ok(paces.into_iter().map(|(size, seconds)| (size.cast_unsigned(), Pace(seconds))).collect())
    }

    /// Stores the pace at a size.
    pub async fn put_pace(&self, settings: &str, size: u64, pace: Pace) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO paces VALUES ($1, $2, $3) ON CONFLICT (settings, size) DO UPDATE SET seconds = excluded.seconds",
        );
        self.run(insert.bind(settings).bind(size.cast_signed()).bind(pace.0)).await
    }

    async fn count(&self, query: &'static str) -> Result<u64> {
        let count: i64 = self.done(sqlx::query_scalar(query).fetch_one(&self.database)).await?;
        Ok(count.cast_unsigned())
    }

    async fn run(&self, query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>) -> Result<()> {
        self.done(query.execute(&self.database)).await.map(|_| ())
    }

    /// A database that has gone without a word must not keep a job waiting for longer than its window.
    async fn done<T>(&self, doing: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        let done = timeout(self.patience, doing).await;
        self.check(done.unwrap_or(Err(sqlx::Error::PoolTimedOut)))
    }

    fn check<T>(&self, result: sqlx::Result<T>) -> Result<T> {
        self.at.check(result)
    }
}

impl Owner {
    /// Of a deployment's contracts.
    #[must_use]
    pub fn new(deployment: &Deployment, genesis: B256, operator: Address) -> Self {
        Self { chain_id: deployment.chain_id, genesis, oracle: deployment.generation_oracle, operator }
    }

    /// In file names and the like: `operator_<address>_<of which deployment>`.
    #[must_use]
    pub fn name(&self) -> String {
        let Self { chain_id, genesis, oracle, operator } = self;
        let deployment = keccak256((U256::from(*chain_id), genesis, oracle).abi_encode());
        format!("operator_{}_{}", hex::encode(operator), hex::encode(&deployment[..4]))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
