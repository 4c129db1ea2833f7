//! Where a journal lies, and how it is reached: a file of the data directory, or a schema of a Postgres database.
//!
//! Both have one connection. On Postgres it is also what keeps a second node with the same key away: it holds a lock that
//! ends with it, so that a node which lost the lock can write nothing, and what is not written is not sent.

use std::{
    cmp::Ordering,
    fmt,
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Url;
use sqlx::{
    AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions as _, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migrator},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{JournalError, Owner, Result};
use crate::database::Database;

/// The file's name in the data directory.
pub const FILE: &str = "journal.sqlite";

/// How long another program, a backup perhaps, may hold the file, and how long a database may take to come back before a
/// step fails and is tried again at the next block.
const PATIENCE: Duration = Duration::from_secs(30);

/// When an answer is not waited for any more: later than a file or a database would say itself that it takes too long.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(40);

/// How long a connection that nobody uses may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(5);

/// On disk when a transaction ends.
const DURABLE_FILE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";

/// The same; and what a machine held that vanished is free half a minute later.
const DURABLE_DATABASE: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 4;
    SET lock_timeout = '5s'";

/// Postgres' word for a lock that somebody else has.
const LOCK_NOT_AVAILABLE: &str = "55P03";

static FILE_LAYOUT: Migrator = sqlx::migrate!("migrations/sqlite");
static DATABASE_LAYOUT: Migrator = sqlx::migrate!("migrations/postgres");

/// Where a journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a file of this folder, which must be locked.
    Folder(PathBuf),
    /// In this schema, which is one operator's for one deployment.
    Postgres {
        /// Where it is.
        database: Database,
        /// `operator_<address>_<of which deployment>`.
        schema: String,
    },
}

/// What a connection is for.
#[derive(Debug, Clone)]
enum Session {
    /// The only writer of a file.
    WriteFile,
    /// Looks into a file.
    ReadFile,
    /// The only writer of a schema, as long as its term lasts.
    WriteSchema { schema: String, term: i64, taken: CancellationToken },
    /// Looks into a schema.
    ReadSchema { schema: String },
}

impl Location {
    /// In the database, if there is one, else in the folder.
    #[must_use]
    pub fn of(owner: &Owner, database: Option<&Database>, folder: &Path) -> Self {
        match database {
            Some(database) => Self::Postgres { database: database.clone(), schema: owner.name() },
            None => Self::Folder(folder.to_owned()),
        }
    }

    /// For writing, with its tables. The token is cancelled if another node begins to write.
    pub(super) async fn open(&self) -> Result<(AnyPool, CancellationToken)> {
        let taken = CancellationToken::new();
        let pool = match self {
            Self::Folder(folder) => {
                create_private(&folder.join(FILE)).map_err(|error| self.failed(error.into()))?;
                let pool = self.connect(Session::WriteFile).await?;
                FILE_LAYOUT.run(&pool).await.map_err(|source| self.other_layout(source))?;
                pool
            }
            Self::Postgres { schema, .. } => {
                let term = self.begin_term(schema).await?;
                self.connect(Session::WriteSchema { schema: schema.clone(), term, taken: taken.clone() }).await?
            }
        };
        Ok((pool, taken))
    }

    /// For looking only; a node may be writing.
    pub(super) async fn read(&self) -> Result<AnyPool> {
        match self {
            Self::Folder(folder) if !folder.join(FILE).exists() => Err(JournalError::Missing(self.clone())),
            Self::Folder(_) => self.connect(Session::ReadFile).await,
            Self::Postgres { schema, .. } => {
                let pool = self.connect(Session::ReadSchema { schema: schema.clone() }).await?;
                let there = sqlx::query_scalar("SELECT to_regclass('owner') IS NOT NULL").fetch_one(&pool).await;
                match self.check(there)? {
                    true => Ok(pool),
                    false => Err(JournalError::Missing(self.clone())),
                }
            }
        }
    }

    /// Whether its tables are this version's.
    pub(super) async fn check_layout(&self, pool: &AnyPool) -> Result<()> {
        let (count, layout) = match self {
            Self::Folder(_) => ("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'", &FILE_LAYOUT),
            Self::Postgres { .. } => ("SELECT count(to_regclass('_sqlx_migrations'))", &DATABASE_LAYOUT),
        };
        let tables: i64 = self.check(sqlx::query_scalar(count).fetch_one(pool).await)?;
        let select = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations");
        let has: i64 = if tables > 0 { self.check(select.fetch_one(pool).await)? } else { 0 };
        let known = layout.iter().map(|migration| migration.version).max().unwrap_or_default();
        match has.cmp(&known) {
            Ordering::Less => Err(JournalError::Older(self.clone())),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(JournalError::Newer(self.clone())),
        }
    }

    /// Says where it went wrong.
    pub(super) fn check<T>(&self, result: sqlx::Result<T>) -> Result<T> {
        result.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: sqlx::Error) -> JournalError {
        JournalError::Database { at: self.clone(), source }
    }

    fn other_layout(&self, source: MigrateError) -> JournalError {
        JournalError::Layout { at: self.clone(), source }
    }

    /// Says to all who wrote before that their time is over.
    async fn begin_term(&self, schema: &str) -> Result<i64> {
        let mut connection = self.check(self.options(false)?.connect().await)?;
        let term = self.take(&mut connection, schema).await;
        self.check(connection.close().await)?;
        term
    }

    /// Takes the schema's lock, brings its tables up to date, and counts on.
    async fn take(&self, connection: &mut AnyConnection, schema: &str) -> Result<i64> {
        let fsync: String = self.check(sqlx::query_scalar("SHOW fsync").fetch_one(&mut *connection).await)?;
        if fsync != "on" {
            return Err(JournalError::Forgetful(self.clone()));
        }
        self.check(prepare(connection, schema).await)?;
        lock(connection, schema).await.map_err(|source| match &source {
            sqlx::Error::Database(error) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                JournalError::InUse(self.clone())
            }
            _ => self.failed(source),
        })?;
        self.check(create_schema(connection, schema).await)?;
        DATABASE_LAYOUT.run(&mut *connection).await.map_err(|source| self.other_layout(source))?;
        let raise = sqlx::query_scalar(
            "INSERT INTO term VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET number = term.number + 1 RETURNING number",
        );
        self.check(raise.fetch_one(connection).await)
    }

    /// The first connection is tried by itself: a pool does not say why it has none.
    async fn connect(&self, session: Session) -> Result<AnyPool> {
        let options = self.options(matches!(session, Session::ReadFile))?;
        let mut first = self.check(options.connect().await)?;
        self.check(session.settle(&mut first).await)?;
        self.check(first.close().await)?;
        let pool = AnyPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            // One that was given up in the middle may never answer again.
            .after_release(|connection, _| Box::pin(async move { is_alive(connection).await }))
            .after_connect(move |connection, _| {
                let session = session.clone();
                Box::pin(async move { session.settle(connection).await })
            });
        Ok(pool.connect_lazy_with(options))
    }

    fn options(&self, read_only: bool) -> Result<AnyConnectOptions> {
        install_default_drivers();
        match self {
            Self::Postgres { database, .. } => Ok(database.any()?),
            Self::Folder(folder) => {
                let path = std::path::absolute(folder.join(FILE)).map_err(|error| self.failed(error.into()))?;
                let url = Url::from_file_path(path)
                    .map_err(|()| self.failed(sqlx::Error::InvalidArgument("no path".to_owned())))?;
                let mode = if read_only { "ro" } else { "rw" };
                format!("sqlite://{}?mode={mode}", url.path()).parse().map_err(|source| self.failed(source))
            }
        }
    }
}

impl Session {
    /// Makes a new connection what it is for.
    async fn settle(&self, connection: &mut AnyConnection) -> sqlx::Result<()> {
        match self {
            Self::WriteFile => {
                wait_for_others(connection).await?;
                sqlx::raw_sql(DURABLE_FILE).execute(connection).await?;
            }
            Self::ReadFile => wait_for_others(connection).await?,
            Self::WriteSchema { schema, term, taken } => {
                prepare(connection, schema).await?;
                // Who has taken over has the lock: it is looked for that first, and again, for the lock may be free again.
                check_term(connection, *term, taken).await?;
                lock(connection, schema).await?;
                check_term(connection, *term, taken).await?;
            }
            Self::ReadSchema { schema } => {
                search(connection, schema).await?;
                sqlx::raw_sql("SET default_transaction_read_only = on").execute(connection).await?;
            }
        }
        Ok(())
    }
}

/// An error closes the connection at once.
async fn is_alive(connection: &mut AnyConnection) -> sqlx::Result<bool> {
    timeout(ANSWER, connection.ping()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

async fn wait_for_others(connection: &mut AnyConnection) -> sqlx::Result<()> {
    let pragma = format!("PRAGMA busy_timeout = {}", PATIENCE.as_millis());
    sqlx::raw_sql(AssertSqlSafe(pragma)).execute(connection).await.map(|_| ())
}

async fn prepare(connection: &mut AnyConnection, schema: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(DURABLE_DATABASE).execute(&mut *connection).await?;
    search(connection, schema).await
}

async fn check_term(connection: &mut AnyConnection, term: i64, taken: &CancellationToken) -> sqlx::Result<()> {
    let now: i64 = sqlx::query_scalar("SELECT number FROM term").fetch_one(connection).await?;
    if now != term {
        taken.cancel();
        return Err(sqlx::Error::PoolClosed);
    }
    Ok(())
}

/// Waits a few seconds for who has the schema's lock: a node that has just been stopped, perhaps.
async fn lock(connection: &mut AnyConnection, schema: &str) -> sqlx::Result<()> {
    let lock = sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))").bind(schema);
    lock.execute(connection).await.map(|_| ())
}

async fn search(connection: &mut AnyConnection, schema: &str) -> sqlx::Result<()> {
    let path = sqlx::query("SELECT set_config('search_path', $1, false)").bind(schema);
    path.execute(connection).await.map(|_| ())
}

/// Somebody who may not make schemas may have had it made.
async fn create_schema(connection: &mut AnyConnection, schema: &str) -> sqlx::Result<()> {
    let there = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(schema);
    if !there.fetch_one(&mut *connection).await? {
        // Its name has no characters but digits, letters and underscores.
        let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        sqlx::raw_sql(create).execute(connection).await?;
    }
    Ok(())
}

/// Salts are in it: nobody else may read it, wherever it lies. SQLite's other files take its permissions.
fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map(|_| ())
}

impl From<&Self> for Location {
    fn from(at: &Self) -> Self {
        at.clone()
    }
}

impl From<&Path> for Location {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.join(FILE).display()),
            Self::Postgres { database, schema } => write!(f, "{schema} at {database}"),
        }
    }
}
