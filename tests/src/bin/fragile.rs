//! The real node, built with the places where `QUORATE_CRASH_AT` kills it. The product has none.

use std::process::ExitCode;

use clap::Parser;
use prover_node::commands::run::{RunArgs, execute};

/// Takes what `prover-node` takes.
#[derive(Parser)]
enum Command {
    /// Runs the node
    Run(RunArgs),
}

#[tokio::main]
async fn main() -> eyre::Result<ExitCode> {
    let Command::Run(args) = Command::parse();
    execute(args, false, |model| model).await
}
