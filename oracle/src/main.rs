//! `oracle`: asks for generations, follows them to their verdict, and fetches what was made.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use oracle::chain::ChainArgs;

use crate::commands::{
    Context, account, advance, appeal, balance, compare, consensus, fetch, models, odds, quote, relay, sign, simulate,
    status, submit, terminal::Terminal, tolerance, verifiers, withdraw,
};

/// Pay for a generation, have a drawn committee of staked verifiers agree on it, fetch it.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    /// Print one JSON value on stdout; amounts in wei as strings, times in seconds since the epoch
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    chain: ChainArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Pay for an image
    Submit(submit::Args),
    /// Sign a request that somebody else sends
    Sign(sign::Args),
    /// Send a request that somebody else has signed
    Relay(relay::Args),
    /// Show where a job stands
    Status(status::Args),
    /// Get a job's image from its verifiers, checked
    Fetch(fetch::Args),
    /// Draw, settle, expire or deliver a job: whatever is due
    Advance(advance::Args),
    /// Pay for a larger committee to look again
    Appeal(appeal::Args),
    /// List, show, add, pull, verify, remove, pin and register models
    Models(models::Args),
    /// Show the seats of a model's pool
    Verifiers(verifiers::Args),
    /// Show what a job costs and what it puts at risk
    Quote(quote::Args),
    /// Count how far the digests of the same prompt are apart
    Compare(compare::Args),
    /// Tell how often honest machines write the same text, and how often a fraud passes
    Consensus(consensus::Args),
    /// Show how often a committee is right, and what a fraud stands to lose
    Odds(odds::Args),
    /// Play thousands of jobs with honest and other verifiers, and show what each of them makes of it
    Simulate(simulate::Args),
    /// Show what an account has
    Balance(balance::Args),
    /// Add to the balance that pays for requests and appeals
    Deposit(withdraw::DepositArgs),
    /// Pay out the balance of the key's account
    Withdraw(withdraw::WithdrawArgs),
    /// Tell a model's tolerance profile from the digests that machines have made
    Tolerance(tolerance::Args),
    /// Make an account
    #[command(subcommand)]
    Account(account::Command),
}

const AFTER_HELP: &str = "\
Examples:
  oracle account new --keystore me.json
  oracle models list
  oracle submit \"a red apple on a blue plate\" --model emoji-64 --keystore me.json --wait
  oracle status 0x3fa9
  oracle fetch 0x3fa9 --out apple.png

Exit codes: 0 done, 1 failed, 2 not understood, 3 unresolved and 4 expired (submit and relay --wait).";

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { chain, json, command } = Cli::parse();
    let context = Context { chain, terminal: Terminal::new(json) };
    match run(command, &context).await {
        Ok(code) => code,
        Err(report) => context.terminal.failure(&report),
    }
}

async fn run(command: Command, context: &Context) -> eyre::Result<ExitCode> {
    match command {
        Command::Submit(args) => submit::run(args, context).await,
        Command::Sign(args) => sign::run(args, context).await,
        Command::Relay(args) => relay::run(args, context).await,
        Command::Status(args) => status::run(args, context).await,
        Command::Fetch(args) => fetch::run(args, context).await,
        Command::Advance(args) => advance::run(args, context).await,
        Command::Appeal(args) => appeal::run(args, context).await,
        Command::Models(args) => models::run(args, context).await,
        Command::Verifiers(args) => verifiers::run(args, context).await,
        Command::Quote(args) => quote::run(args, context).await,
        Command::Compare(args) => compare::run(&args, context),
        Command::Consensus(args) => consensus::run(&args, context),
        Command::Odds(args) => odds::run(&args, context),
        Command::Simulate(args) => simulate::run(&args, context),
        Command::Balance(args) => balance::run(args, context).await,
        Command::Deposit(args) => withdraw::deposit(args, context).await,
        Command::Withdraw(args) => withdraw::withdraw(args, context).await,
        Command::Tolerance(args) => tolerance::run(&args, context),
        Command::Account(command) => account::run(command, context),
    }
}
