//! A program that keeps running: its output goes to a file, and it ends with its handle.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
};

use eyre::{Result, WrapErr as _};

use crate::programs;

/// A running program, killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let program = command.get_program().to_owned();
        for setting in programs::settings() {
            command.env_remove(setting);
        }
        command.env("QUORATE_CONFIG", programs::NO_SETTINGS);
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .wrap_err_with(|| format!("starting {}", program.display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Ends it as `kill -9` does: it gets no chance to tidy up.
    pub fn kill(mut self) {
        self.end();
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The operating system's number for it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    pub fn printed(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    fn end(&mut self) {
        // Both fail only if it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Says what went wrong in one line, and gives `main` its exit code.
#[must_use]
pub fn conclude(ended: Result<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The last `lines` lines of every log in `folder`, for messages about what went wrong.
#[must_use]
pub fn log_tails(folder: &Path, lines: usize) -> String {
    let mut logs: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    logs.iter().map(|log| tail(log, lines)).collect()
}

fn tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    let last = all[all.len().saturating_sub(lines)..].join("\n  ");
    format!("\n--- {}\n  {last}", log.file_name().unwrap_or_default().display())
}
