//! A command that runs to its end: the real binary, with what it printed and how it ended.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use eyre::{Result, WrapErr as _, bail, eyre};
use serde_json::Value;

use crate::{party::Party, programs};

/// No command that does not wait for the chain takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes us root of namespaces of our own, for a shell.
const UNSHARE: [&str; 4] = ["--map-root-user", "--mount", "sh", "-c"];
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=4k tmpfs "$0" && "$@"; code=$?; ls -A "$0" >&2; exit $code"#;

/// One call of `oracle` or `prover-node`, as a user would type it.
#[derive(Debug)]
pub struct Cli {
    program: &'static str,
    command: tokio::process::Command,
    chain: Vec<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed for programs.
    pub stdout: String,
    /// What it printed for people.
    pub stderr: String,
}

impl Cli {
    /// `oracle ...`
    pub fn oracle() -> Result<Self> {
        Self::new("oracle")
    }

    /// `prover-node ...`
    pub fn prover_node() -> Result<Self> {
        Self::new("prover-node")
    }

    fn new(program: &'static str) -> Result<Self> {
        let mut command = tokio::process::Command::new(programs::built(program)?);
        command.current_dir(programs::repository()).stdin(Stdio::null()).kill_on_drop(true);
        for setting in programs::settings() {
            command.env_remove(setting);
        }
        command.env("QUORATE_CONFIG", programs::NO_SETTINGS);
        Ok(Self { program, command, chain: Vec::new() })
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<std::ffi::OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Signs as `party`.
    #[must_use]
    pub fn signed_by(self, party: &Party) -> Self {
        self.arg("--keystore").arg(&party.keystore).arg("--password-file").arg(&party.password_file)
    }

    /// Says which chain, after everything else: these flags are the subcommands' own.
    #[must_use]
    pub fn on(mut self, chain: impl Into<Vec<String>>) -> Self {
        self.chain = chain.into();
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Whether this system lets us mount a disk that is full at once, in a namespace of our own.
    #[must_use]
    pub fn can_mount(folder: &Path) -> bool {
        let tried =
            std::process::Command::new("unshare").args(UNSHARE).arg(SMALL_DISK).arg(folder).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    }

    /// Runs with a disk of four kilobytes mounted at `folder`. What is left on it in the end is printed to stderr.
    #[must_use]
    pub fn with_full_disk(self, folder: &Path) -> Self {
        let inner = self.command.as_std();
        let mut command = tokio::process::Command::new("unshare");
        command.args(UNSHARE).arg(SMALL_DISK).arg(folder).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(programs::repository()).stdin(Stdio::null()).kill_on_drop(true);
        Self { command, ..self }
    }

    /// Waits until it has ended.
    pub async fn end(mut self) -> Result<Ended> {
        let output = tokio::time::timeout(PATIENCE, self.command.args(&self.chain).output())
            .await
            .map_err(|_| eyre!("{} has not ended within {PATIENCE:?}", self.line()))??;
        Ok(Ended {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Expects success.
    pub async fn succeed(self) -> Result<Ended> {
        let line = self.line();
        let ended = self.end().await?;
        if !ended.status.success() {
            bail!("{line} ended with {}:\n{}", ended.status, ended.stderr);
        }
        Ok(ended)
    }

    /// Expects success and one JSON document.
    pub async fn json(self) -> Result<Value> {
        let cli = self.arg("--json");
        let line = cli.line();
        let ended = cli.succeed().await?;
        serde_json::from_str(&ended.stdout).wrap_err_with(|| format!("{line} printed {:?}", ended.stdout))
    }

    /// Expects it to refuse: a code that is not zero, and one line that says why, which it returns. Progress may come
    /// before it; only what was not understood at all is explained over some more lines.
    pub async fn refuse(self) -> Result<String> {
        let line = self.line();
        let ended = self.end().await?;
        let said = ended.stderr.trim();
        if ended.status.success() || ended.status.code().is_none() {
            bail!("{line} should have refused, and ended with {}:\n{said}", ended.status);
        }
        let mut errors = said.lines().filter(|line| line.starts_with("error:"));
        let (Some(error), None) = (errors.next(), errors.next()) else {
            bail!("{line} should have refused in one line, and said:\n{said}");
        };
        let misunderstood = ended.status.code() == Some(2);
        if said.contains("panicked") || !(misunderstood || said.ends_with(error)) {
            bail!("{line} should have ended with one line, and said:\n{said}");
        }
        if !ended.stdout.is_empty() {
            bail!("{line} refused, yet printed a result:\n{}", ended.stdout);
        }
        Ok(error.to_owned())
    }

    fn line(&self) -> String {
        let arguments: Vec<_> =
            self.command.as_std().get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
        format!("`{} {}`", self.program, arguments.join(" "))
    }
}
