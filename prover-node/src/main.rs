//! `prover-node`: stake seats, serve them, and take the money home.

use std::{path::PathBuf, process::ExitCode};

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use prover_node::{
    commands::{
        attack_board, backup, calibrate, doctor, explain, generate, init, register, run, seats, selftest,
        settings::Settings, status, worker,
    },
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
    /// Settings, TOML: flags by their names. Flags and QUORATE_* come first [default: ~/.config/quorate/prover-node.toml, if
    /// it is there]
    #[arg(long, global = true, env = "QUORATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Ask for what `run` needs, make the operator's key, and write the settings file
    Init(Box<init::InitArgs>),
    /// See whether everything that `run` needs is in order, and what to do where it is not
    Doctor(Box<doctor::DoctorArgs>),
    /// Take seats in a model's pool (owner's key)
    Register(Box<register::RegisterArgs>),
    /// Serve the operator's seats (operator's key)
    Run(Box<run::RunArgs>),
    /// Compute for nodes on other machines (no key)
    Worker(Box<worker::WorkerArgs>),
    /// Show seats, stakes, earnings and jobs
    Status(status::StatusArgs),
    /// Copy the node's journal while it runs
    Backup(backup::BackupArgs),
    /// Say why this node was paid, not paid or slashed for a job
    Explain(explain::ExplainArgs),
    /// Leave a model's pool (owner's key)
    Leave(seats::LeaveArgs),
    /// Withdraw what was earned, and the stakes of seats that have left (owner's key)
    Withdraw(seats::WithdrawArgs),
    /// Make any job's picture or text again
    Generate(Box<generate::GenerateArgs>),
    /// See whether this machine may serve its models
    Selftest(selftest::SelftestArgs),
    /// Make many jobs in every way that this machine computes in, to measure a model's tolerance profile
    Calibrate(calibrate::CalibrateArgs),
    /// See how often frauds pass for honest outputs of a model
    AttackBoard(attack_board::AttackBoardArgs),
}

fn main() -> ExitCode {
    // It may start the program again, and so comes before everything else.
    fix_environment();
    let (cli, matches) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => return failed(&error, std::env::args().any(|argument| argument == "--json")),
    };
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(execute(cli, &matches)),
        Err(error) => failed(&eyre::eyre!("cannot start the async runtime: {error}"), cli.json),
    }
}

/// What was typed, else what the environment has, else what the settings file says.
fn parse() -> eyre::Result<(Cli, ArgMatches)> {
    // First only to find the file; what is wrong is said the second time.
    let first = Cli::command().ignore_errors(true).try_get_matches();
    let typed = |matches: &ArgMatches| matches.get_one::<PathBuf>("config").cloned();
    let settings = match &first {
        // It is about to write the file.
        Ok(matches) if matches.subcommand_name() == Some("init") => Settings::default(),
        Ok(matches) => Settings::read(typed(matches).as_deref(), &Cli::command())?,
        Err(_) => Settings::read(None, &Cli::command()).unwrap_or_default(),
    };
    let matches = settings.as_defaults_of(Cli::command()).try_get_matches().unwrap_or_else(|error| {
        if let Some(path) = settings.culprit(&error) {
            eprintln!("in the settings {}:", path.display());
        }
        error.exit()
    });
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((cli, matches))
}

async fn execute(Cli { command, json, config }: Cli, matches: &ArgMatches) -> ExitCode {
    let done = match command {
        Command::Init(args) => init::execute(*args, config, matches, json).await.map(|()| ExitCode::SUCCESS),
        Command::Doctor(args) => doctor::execute(*args, json).await,
        Command::Explain(args) => explain::execute(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Register(args) => register::execute(*args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Run(args) => run::execute(*args, json, |pipeline| pipeline).await,
        Command::Worker(args) => worker::execute(*args, json, |pipeline| pipeline).await.map(|()| ExitCode::SUCCESS),
        Command::Status(args) => status::execute(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Backup(args) => backup::execute(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Leave(args) => seats::leave(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Withdraw(args) => seats::withdraw(args, json).await.map(|()| ExitCode::SUCCESS),
        Command::Selftest(args) => selftest::execute(&args, json),
        Command::Calibrate(args) => calibrate::execute(&args, json).map(|()| ExitCode::SUCCESS),
        Command::AttackBoard(args) => attack_board::execute(&args, json).map(|()| ExitCode::SUCCESS),
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
