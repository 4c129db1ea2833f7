//! A worker as a process, which computes for nodes with `--inference workers`.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use eyre::{Result, bail, ensure};

use crate::{devnet::Devnet, process::Process, programs};

/// Loading a model and making its golden jobs on a busy machine takes less.
const START: Duration = Duration::from_secs(180);

/// A running worker; killed when dropped.
#[derive(Debug)]
pub struct Worker {
    name: String,
    log: PathBuf,
    process: Process,
}

impl Worker {
    /// Starts `prover-node worker` on the queue in `database`, and waits until it waits for work.
    pub async fn start(devnet: &Devnet, name: &str, database: &str) -> Result<Self> {
        Self::by("prover-node", devnet, name, database).await
    }

    /// One that begins whatever it gets, and never finishes it.
    pub async fn stuck(devnet: &Devnet, name: &str, database: &str) -> Result<Self> {
        Self::by("stuck", devnet, name, database).await
    }

    async fn by(program: &str, devnet: &Devnet, name: &str, database: &str) -> Result<Self> {
        let mut command = Command::new(programs::built(program)?);
        command.args(["worker", "--worker-name", name, "--threads", "1", "--database", database, "--model-dir"]);
        command.arg(programs::bundled_model()).env("NO_COLOR", "1").env("RAYON_NUM_THREADS", "1");
        let log = devnet.folder.join(format!("{name}.log"));
        let mut worker = Self { name: name.to_owned(), process: Process::start(command, &log)?, log };
        worker.says(devnet, "waiting for work").await?;
        Ok(worker)
    }

    /// Waits until it says so in its log.
    pub async fn says(&mut self, devnet: &Devnet, text: &str) -> Result<()> {
        let what = format!("{} to say: {text}", self.name);
        devnet
            .until(&what, START, async || {
                let log = self.log()?;
                if let Some(status) = self.process.ended()? {
                    bail!("{} ended with {status}:\n{log}", self.name);
                }
                Ok(log.contains(text).then_some(()))
            })
            .await
    }

    /// Everything it has said.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Sends it SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        let sent = Command::new("kill").arg(self.process.id().to_string()).status()?;
        ensure!(sent.success(), "{} could not be told to stop", self.name);
        Ok(())
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.process.ended()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(self) {
        self.process.kill();
    }
}
