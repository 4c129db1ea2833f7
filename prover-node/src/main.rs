//! `prover-node`: stake seats, serve them, and take the money home.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use prover_node::{
    commands::{backup, generate, register, run, seats, selftest, status},
    inference::fix_environment,
};

/// Quorate's prover node: a staked verifier that makes pictures again and votes on them.
///
/// Exit status: 0 done; 1 failed, with one line that says why; 2 the command line is wrong; 3 `run` was stopped at once
/// with jobs open, and should be started again before their windows close.
#[derive(Parser)]
#[command(name = "prover-node", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Write results for machines to stdout; for `run`, log lines
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Take seats in a model's pool (owner's key)
    Register(Box<register::RegisterArgs>),
    /// Serve the operator's seats (operator's key)
    Run(Box<run::RunArgs>),
    /// Show seats, stakes, earnings and open jobs
    Status(status::StatusArgs),
    /// Copy the node's journal while it runs
    Backup(backup::BackupArgs),
    /// Leave a model's pool (owner's key)
    Leave(seats::LeaveArgs),
    /// Withdraw what was earned, and the stakes of seats that have left (owner's key)
    Withdraw(seats::WithdrawArgs),
    /// Make any job's picture or text again
    Generate(Box<generate::GenerateArgs>),
    /// See whether this machine may serve its models
    Selftest(selftest::SelftestArgs),
}

fn main() -> ExitCode {
    // It may start the program again, and so comes before everything else.
    fix_environment();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(execute(Cli::parse())),
        Err(error) => failed(&eyre::eyre!("cannot start the async runtime: {error}"), false),
    }
}

async fn execute(Cli { command, json }: Cli) -> ExitCode {
    let done = match command {
        Command::Register(args) => register::execute(*args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Run(args) => run::execute(*args, json, |pipeline| pipeline).await,
        Command::Status(args) => status::execute(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Backup(args) => backup::execute(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Leave(args) => seats::leave(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Withdraw(args) => seats::withdraw(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Selftest(args) => selftest::execute(&args, json),
        Command::Generate(args) => generate::execute(*args, json).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| failed(&error, json))
}

/// Says why, in one line, and again for machines if that was asked for.
fn failed(error: &eyre::Report, json: bool) -> ExitCode {
    let line = error.to_string().replace('\n', " ");
    eprintln!("error: {line}");
    if json {
        println!("{}", serde_json::json!({ "error": line }));
    }
    ExitCode::FAILURE
}
