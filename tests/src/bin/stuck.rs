//! A worker that begins whatever it gets, and never finishes it, alive as it is: the real one, but for the model. It exists
//! for tests of what becomes of its orders.

use std::{process::ExitCode, time::Duration};

use alloy::primitives::B256;
use clap::Parser;
use oracle::{output::Output, spec::Spec};
use prover_node::{
    commands::worker::{WorkerArgs, execute},
    inference::{Generator, InferenceError, OnProgress, Progress},
};

/// Takes what `prover-node` takes.
#[derive(Parser)]
enum Command {
    /// Works
    Worker(WorkerArgs),
}

struct Stuck;

impl Generator for Stuck {
    fn generate(&self, _: &Spec, _: B256, on_progress: &mut OnProgress<'_>) -> Result<Output, InferenceError> {
        while on_progress(Progress { step: 0, steps: 1 }).is_continue() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(InferenceError::Cancelled)
    }
}

#[tokio::main]
async fn main() -> eyre::Result<ExitCode> {
    let Command::Worker(args) = Command::parse();
    execute(args, false, |_| Stuck).await?;
    Ok(ExitCode::SUCCESS)
}
