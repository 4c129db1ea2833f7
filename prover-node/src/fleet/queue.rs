//! The queue: orders for inference, and who is there to ask and to work. All of it may be lost: what is still wanted is
//! asked for again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use alloy::primitives::B256;
use oracle::spec::Spec;
use sha2::{Digest as _, Sha256};
use sqlx::{
    ConnectOptions as _, Connection as _, PgPool, Row as _,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

use crate::{
    database::{Database, DatabaseError},
    inference::Asked,
    job::short,
    output::{File, Format},
};

/// The queue's tables, in a database that may hold much else.
const SCHEMA: &str = "quorate_queue";

/// How often an order is begun before it is what is wrong. A worker that falls silent once is bad luck.
const TRIES: i32 = 3;

/// How long a database may take to come back before a call fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Postgres' word for it.
const UNDEFINED_TABLE: &str = "42P01";

static LAYOUT: Migrator = sqlx::migrate!("migrations/queue");

/// A handle; clones share its connections.
#[derive(Debug, Clone)]
pub struct Queue {
    pool: PgPool,
}

/// Why nothing can be ordered or leased.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Out of reach.
    #[error("the workers' queue cannot be used: {0}; check that the database runs and that --database names it")]
    Database(#[from] sqlx::Error),
    /// Made by a newer version, perhaps.
    #[error("the workers' queue has another layout than this version's: {0}; nodes and workers must be of one version")]
    Layout(#[from] MigrateError),
    /// What was typed is none.
    #[error(transparent)]
    NoDatabase(#[from] DatabaseError),
}

type Result<T> = std::result::Result<T, QueueError>;

/// Something that a node wants made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The same for the same.
    pub id: B256,
    /// For log lines.
    pub job: String,
    /// The manifest's hash.
    pub model: B256,
    /// What to make.
    pub spec: Spec,
    /// What generation starts from.
    pub noise_seed: B256,
    /// By the chain's clock, in seconds since the epoch.
    pub deadline: u64,
}

/// What has become of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Somebody is at it, or will be.
    Open,
    /// There is a file.
    Made {
        /// Of what kind.
        format: Format,
        /// What is in it.
        bytes: Vec<u8>,
        /// How long the model took.
        took: Duration,
    },
    /// Nobody can make it.
    Failed(String),
}

/// An order that one worker is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What to make.
    pub order: Order,
    /// Which lease of it, from 1: an older one counts no more.
    number: i32,
}

impl Order {
    /// Of the node with this name.
    #[must_use]
    pub fn new(node: &str, asked: Asked) -> Self {
        let Asked { model, spec, noise_seed, deadline, job } = asked;
        let mut hash = Sha256::new();
        for part in [model, noise_seed, spec.hash()] {
            hash.update(part);
        }
        hash.update(node);
        let id = B256::from_slice(&hash.finalize());
        Self { id, job: job.map_or_else(|| "trial".to_owned(), short), model, spec, noise_seed, deadline }
    }
}

impl Queue {
    /// Reaches the database, and makes the tables if they are not there.
    pub async fn open(database: &Database) -> Result<Self> {
        // A pool does not say why it has no connection.
        Self::make_tables(&options(database)?).await?;
        Self::reach(database)
    }

    /// The same, if the tables are there.
    pub fn reach(database: &Database) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
        Ok(Self { pool: pool.connect_lazy_with(options(database)?) })
    }

    async fn make_tables(options: &PgConnectOptions) -> Result<()> {
        let mut connection = options.connect().await?;
        let there = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(SCHEMA);
        if !there.fetch_one(&mut connection).await? {
            // Two may come at the same time.
            sqlx::raw_sql("CREATE SCHEMA IF NOT EXISTS quorate_queue").execute(&mut connection).await?;
        }
        LAYOUT.run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    // --------------------------------------------------------------------------------------------------------- for nodes

    /// Places the order, or says that it is still wanted; and what has become of it.
    pub async fn ask(&self, order: &Order) -> Result<State> {
        let spec = serde_json::to_string(&order.spec).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let ask = sqlx::query(
            "INSERT INTO orders (id, job, model, spec, noise, deadline) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET wanted = now(), deadline = excluded.deadline
             RETURNING format, output, seconds, failure, tries >= $7 AND is_silent(leased) AS hopeless",
        )
        .bind(order.id.as_slice())
        .bind(&order.job)
        .bind(order.model.as_slice())
        .bind(spec)
        .bind(order.noise_seed.as_slice())
        .bind(i64::try_from(order.deadline).unwrap_or(i64::MAX))
        .bind(TRIES);
        Ok(state(&ask.fetch_one(&self.pool).await?)?)
    }

    /// Nobody wants it any more.
    pub async fn take_back(&self, id: B256) -> Result<()> {
        let delete = sqlx::query("DELETE FROM orders WHERE id = $1").bind(id.as_slice());
        delete.execute(&self.pool).await?;
        Ok(())
    }

    /// How many workers serve a model; none if there has never been one.
    pub async fn workers(&self, model: B256) -> Result<i64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM workers WHERE $1 = ANY (models) AND NOT is_silent(seen)");
        match count.bind(model.as_slice()).fetch_one(&self.pool).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => Ok(0),
            counted => Ok(counted?),
        }
    }

    /// Says that the node is there; which workers it has, each by its models. That is its part of them where several nodes
    /// share them.
    pub async fn hands(&self, node: &str, models: &[B256]) -> Result<Vec<Vec<B256>>> {
        let greet = sqlx::query(
            "INSERT INTO nodes (node, model) SELECT $1, unnest($2)
             ON CONFLICT (node, model) DO UPDATE SET seen = now()",
        );
        greet.bind(node).bind(bytes(models)).execute(&self.pool).await?;
        let workers = sqlx::query_scalar("SELECT models FROM workers WHERE models && $1 AND NOT is_silent(seen)");
        let workers: Vec<Vec<Vec<u8>>> = workers.bind(bytes(models)).fetch_all(&self.pool).await?;
        let nodes = sqlx::query_as("SELECT node, model FROM nodes WHERE NOT is_silent(seen)");
        let nodes: Vec<(String, Vec<u8>)> = nodes.fetch_all(&self.pool).await?;

        let workers = workers.iter().map(|models| models.iter().map(|model| hash(model)).collect());
        let nodes: Vec<(String, B256)> =
            nodes.into_iter().map(|(node, model)| Ok((node, hash(&model)?))).collect::<sqlx::Result<_>>()?;
        Ok(part_of(&workers.collect::<sqlx::Result<Vec<_>>>()?, &nodes, node))
    }

    // ------------------------------------------------------------------------------------------------------- for workers

    /// A worker is there for these models; its number.
    pub async fn enlist(&self, name: &str, models: &[B256]) -> Result<i64> {
        let insert = sqlx::query_scalar("INSERT INTO workers (models, name) VALUES ($1, $2) RETURNING worker");
        Ok(insert.bind(bytes(models)).bind(name).fetch_one(&self.pool).await?)
    }

    /// It is still there. False if it has been silent so long that it was forgotten. Sweeps away who and what was
    /// forgotten, too.
    pub async fn is_enlisted(&self, worker: i64) -> Result<bool> {
        let seen = sqlx::query("UPDATE workers SET seen = now() WHERE worker = $1").bind(worker);
        let seen = seen.execute(&self.pool).await?.rows_affected() > 0;
        let sweep = "
            DELETE FROM workers WHERE seen < now() - interval '1 min';
            DELETE FROM nodes WHERE seen < now() - interval '1 min';
            DELETE FROM orders WHERE wanted < now() - interval '10 min'";
        sqlx::raw_sql(sweep).execute(&self.pool).await?;
        Ok(seen)
    }

    /// It goes.
    pub async fn discharge(&self, worker: i64) -> Result<()> {
        sqlx::query("DELETE FROM workers WHERE worker = $1").bind(worker).execute(&self.pool).await?;
        Ok(())
    }

    /// The order with the earliest deadline, for one of these models, that nobody is at, if there is one.
    pub async fn lease(&self, models: &[B256]) -> Result<Option<Lease>> {
        let lease = sqlx::query(
            "UPDATE orders SET leased = now(), tries = tries + 1 WHERE id = (
                 SELECT id FROM orders WHERE model = ANY ($1) AND output IS NULL AND failure IS NULL AND tries < $2
                 AND NOT is_silent(wanted) AND (leased IS NULL OR is_silent(leased))
                 ORDER BY deadline LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, job, model, spec, noise, deadline, tries",
        );
        let row = lease.bind(bytes(models)).bind(TRIES).fetch_optional(&self.pool).await?;
        Ok(row.as_ref().map(leased).transpose()?)
    }

    /// Its worker is at it. False if there is no point any more: nobody wants it, or another has taken it over.
    pub async fn is_leased(&self, lease: &Lease) -> Result<bool> {
        let beat = sqlx::query("UPDATE orders SET leased = now() WHERE id = $1 AND tries = $2 AND output IS NULL");
        let beat = beat.bind(lease.order.id.as_slice()).bind(lease.number).execute(&self.pool).await?;
        Ok(beat.rows_affected() > 0)
    }

    /// Its worker has to stop, and it was not the order's fault.
    pub async fn give_back(&self, lease: &Lease) -> Result<()> {
        let free = sqlx::query("UPDATE orders SET leased = NULL, tries = tries - 1 WHERE id = $1 AND tries = $2");
        free.bind(lease.order.id.as_slice()).bind(lease.number).execute(&self.pool).await?;
        Ok(())
    }

    /// It is made. Whoever is first is right, even if it was taken for dead meanwhile.
    pub async fn deliver(&self, lease: &Lease, file: &File, took: Duration) -> Result<()> {
        let put =
            sqlx::query("UPDATE orders SET format = $2, output = $3, seconds = $4 WHERE id = $1 AND output IS NULL")
                .bind(lease.order.id.as_slice())
                .bind(file.format().extension())
                .bind(file.bytes().as_ref())
                .bind(took.as_secs_f64());
        put.execute(&self.pool).await?;
        Ok(())
    }

    /// The model cannot make it.
    pub async fn fail(&self, lease: &Lease, reason: &str) -> Result<()> {
        let put = sqlx::query("UPDATE orders SET failure = $3 WHERE id = $1 AND tries = $2 AND output IS NULL");
        put.bind(lease.order.id.as_slice()).bind(lease.number).bind(reason).execute(&self.pool).await?;
        Ok(())
    }
}

/// What is lost is asked for again, and need not be waited for on disk.
fn options(database: &Database) -> Result<PgConnectOptions> {
    Ok(database.postgres()?.options([("search_path", SCHEMA), ("synchronous_commit", "off")]))
}

fn state(row: &PgRow) -> sqlx::Result<State> {
    let (bytes, format): (Option<Vec<u8>>, Option<&str>) = (row.try_get("output")?, row.try_get("format")?);
    if let (Some(bytes), Some(format)) = (bytes, format.and_then(Format::with_extension)) {
        let took = Duration::try_from_secs_f64(row.try_get("seconds")?).unwrap_or_default();
        return Ok(State::Made { format, bytes, took });
    }
    let failure: Option<String> = row.try_get("failure")?;
    match (failure, row.try_get("hopeless")?) {
        (Some(reason), _) => Ok(State::Failed(reason)),
        (None, Some(true)) => Ok(State::Failed(format!("{TRIES} workers began it and fell silent"))),
        (None, _) => Ok(State::Open),
    }
}

fn bytes(hashes: &[B256]) -> Vec<&[u8]> {
    hashes.iter().map(|hash| hash.as_slice()).collect()
}

fn hash(bytes: &[u8]) -> sqlx::Result<B256> {
    B256::try_from(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A node's part of the workers: of those with the same models, as many as each node has that asks for one of them. Where
/// there are more nodes than workers, they share one.
fn part_of(workers: &[Vec<B256>], nodes: &[(String, B256)], node: &str) -> Vec<Vec<B256>> {
    let mut alike: BTreeMap<BTreeSet<B256>, usize> = BTreeMap::new();
    for models in workers {
        *alike.entry(models.iter().copied().collect()).or_default() += 1;
    }
    let part = |(models, count): (BTreeSet<B256>, usize)| {
        let sharing: BTreeSet<_> =
            nodes.iter().filter(|(_, model)| models.contains(model)).map(|(node, _)| node.as_str()).collect();
        let before = sharing.iter().take_while(|other| **other < node).count();
        let (all, rest) = (count / sharing.len().max(1), count % sharing.len().max(1));
        let mine = (all + usize::from(before < rest)).max(1);
        std::iter::repeat_n(models.into_iter().collect(), mine)
    };
    alike.into_iter().flat_map(part).collect()
}

fn leased(row: &PgRow) -> sqlx::Result<Lease> {
    let hash = |column| hash(row.try_get(column)?);
    let spec = serde_json::from_str(row.try_get("spec")?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let deadline = row.try_get::<i64, _>("deadline")?.cast_unsigned();
    let (id, model, noise_seed) = (hash("id")?, hash("model")?, hash("noise")?);
    let order = Order { id, job: row.try_get("job")?, model, spec, noise_seed, deadline };
    Ok(Lease { order, number: row.try_get("tries")? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oracle::output::{Output, Text};
    use quorate_tests::postgres::Postgres;

    use super::*;
    use crate::job::tests::spec;

    const MODEL: B256 = B256::repeat_byte(1);

    async fn open(server: &Postgres) -> Queue {
        Queue::open(&server.database().await.unwrap().into()).await.unwrap()
    }

    fn order(noise: u8, deadline: u64) -> Order {
        let (spec, noise_seed) = (spec(64, 4), B256::repeat_byte(noise));
        Order::new("node", Asked { model: MODEL, spec, noise_seed, deadline, job: None })
    }

    fn file() -> File {
        File::of(&Output::Text(Text { text: "text".to_owned(), tokens: vec![1] })).unwrap()
    }

    impl Queue {
        /// As if so many seconds had passed for all that was leased.
        async fn pass(&self, seconds: f64) {
            let pass = sqlx::query("UPDATE orders SET leased = leased - make_interval(secs => $1)").bind(seconds);
            pass.execute(&self.pool).await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_earliest_deadline_is_leased_first_and_nothing_twice() {
        let server = Postgres::start().await.unwrap();
        let queue = open(&server).await;
        for (noise, deadline) in [(1, 300), (2, 100), (3, 200)] {
            assert_eq!(queue.ask(&order(noise, deadline)).await.unwrap(), State::Open);
        }
        assert_eq!(queue.lease(&[B256::ZERO]).await.unwrap(), None, "another model");

        let leases = futures_util::future::join_all((0..4).map(|_| queue.lease(&[MODEL]))).await;
        let mut deadlines: Vec<_> =
            leases.into_iter().filter_map(|lease| Some(lease.unwrap()?.order.deadline)).collect();
        deadlines.sort_unstable();
        assert_eq!(deadlines, [100, 200, 300]);
        queue.take_back(order(1, 300).id).await.unwrap();
        queue.ask(&order(4, 50)).await.unwrap();
        assert_eq!(queue.lease(&[MODEL]).await.unwrap().unwrap().order, order(4, 50));
    }

    #[tokio::test]
    async fn what_a_silent_worker_had_goes_to_another() {
        let server = Postgres::start().await.unwrap();
        let queue = open(&server).await;
        queue.ask(&order(1, 100)).await.unwrap();
        let first = queue.lease(&[MODEL]).await.unwrap().unwrap();
        queue.pass(4.0).await;
        assert!(queue.lease(&[MODEL]).await.unwrap().is_none());
        assert!(queue.is_leased(&first).await.unwrap());
        queue.pass(6.0).await;
        let second = queue.lease(&[MODEL]).await.unwrap().unwrap();
        assert!(!queue.is_leased(&first).await.unwrap() && queue.is_leased(&second).await.unwrap());

        // It was only slow: it can say nothing against the order any more, but what it has made is as good.
        queue.fail(&first, "out of memory").await.unwrap();
        assert_eq!(queue.ask(&order(1, 100)).await.unwrap(), State::Open);
        queue.deliver(&first, &file(), Duration::from_secs(3)).await.unwrap();
        assert!(!queue.is_leased(&second).await.unwrap());
        let made = State::Made { format: Format::Json, bytes: file().bytes().to_vec(), took: Duration::from_secs(3) };
        assert_eq!(queue.ask(&order(1, 100)).await.unwrap(), made);
        assert!(queue.lease(&[MODEL]).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_order_that_silences_everybody_is_given_up_and_one_given_back_is_not() {
        let server = Postgres::start().await.unwrap();
        let queue = open(&server).await;
        for _ in 0..TRIES {
            assert_eq!(queue.ask(&order(1, 100)).await.unwrap(), State::Open);
            let lease = queue.lease(&[MODEL]).await.unwrap().unwrap();
            queue.give_back(&lease).await.unwrap();
            queue.lease(&[MODEL]).await.unwrap().unwrap();
            queue.pass(6.0).await;
        }
        assert!(queue.lease(&[MODEL]).await.unwrap().is_none());
        assert!(matches!(queue.ask(&order(1, 100)).await.unwrap(), State::Failed(_)));
    }

    #[tokio::test]
    async fn nodes_share_the_workers_of_a_model() {
        const OTHER: B256 = B256::repeat_byte(2);
        let server = Postgres::start().await.unwrap();
        let queue = open(&server).await;
        let mut numbers = Vec::new();
        for name in ["a", "b", "c"] {
            numbers.push(queue.enlist(name, &[MODEL]).await.unwrap());
        }
        queue.enlist("d", &[MODEL, OTHER]).await.unwrap();
        queue.enlist("e", &[B256::ZERO]).await.unwrap();

        assert_eq!(queue.hands("one", &[MODEL, OTHER]).await.unwrap().len(), 4);
        assert_eq!(queue.hands("two", &[MODEL]).await.unwrap(), [vec![MODEL], vec![MODEL, OTHER]]);
        assert_eq!(queue.hands("one", &[MODEL, OTHER]).await.unwrap().len(), 3, "two, and the one that both share");
        queue.discharge(numbers[0]).await.unwrap();
        assert!(!queue.is_enlisted(numbers[0]).await.unwrap() && queue.is_enlisted(numbers[1]).await.unwrap());
        assert_eq!((queue.workers(MODEL).await.unwrap(), queue.workers(OTHER).await.unwrap()), (3, 1));
    }

    #[tokio::test]
    async fn a_worker_takes_orders_of_all_its_models() {
        let server = Postgres::start().await.unwrap();
        let queue = open(&server).await;
        let other = Order { id: B256::ZERO, model: B256::repeat_byte(2), ..order(2, 100) };
        for order in [&order(1, 200), &other] {
            queue.ask(order).await.unwrap();
        }

        let models = [MODEL, other.model];
        assert_eq!(queue.lease(&models).await.unwrap().unwrap().order, other);
        assert_eq!(queue.lease(&models).await.unwrap().unwrap().order, order(1, 200));
    }
}
