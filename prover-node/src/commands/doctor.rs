//! `prover-node doctor`: whether everything that `run` needs is in order, and what to do where it is not. Changes nothing.

mod account;
mod chain;
mod fleet;
mod machine;
mod outside;

use std::process::ExitCode;

use alloy::primitives::Address;
use oracle::chain::Chain;
use serde::Serialize;

use super::{print_json, printable, run::RunArgs};

/// What was typed after `doctor`: what is typed after `run`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Give it what you give `run`, or let both read the same settings file. The keystore's password is used if it is in a file \
or in QUORATE_PASSWORD, and not asked for.

Exit status: 0 nothing is failing, 1 something is.

Examples:
  prover-node doctor
  prover-node doctor --config node.toml --json")]
pub struct DoctorArgs {
    /// Address of the key that the node runs with [default: the keystore's]
    #[arg(long, env = "QUORATE_OPERATOR", value_name = "ADDRESS")]
    operator: Option<Address>,
    #[command(flatten)]
    run: RunArgs,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    name: &'static str,
    state: State,
    /// What is so.
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// `run` works, and may lose money or jobs.
    Warning,
    /// `run` does not work.
    Failing,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    checks: Vec<Check>,
    warnings: usize,
    failing: usize,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), advice: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    fn failing(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Failing, found: found.into(), advice: Some(advice.into()) }
    }

    /// The errors of this program say themselves what to do.
    fn error(name: &'static str, error: &impl ToString) -> Self {
        Self { name, state: State::Failing, found: error.to_string(), advice: None }
    }
}

/// Looks at everything, and prints what it found.
pub async fn execute(args: DoctorArgs, json: bool) -> eyre::Result<ExitCode> {
    let checks = examine(&args).await;
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let report = Report { warnings: count(State::Warning), failing: count(State::Failing), checks };
    match json {
        true => print_json(&report)?,
        false => report.print(),
    }
    Ok(if report.failing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(args: &DoctorArgs) -> Vec<Check> {
    let mut checks = Vec::new();
    let chain = chain::examine(&args.run.chain, &mut checks).await;
    let operator = account::examine_key(args, chain.as_ref(), &mut checks);
    let models = machine::examine_models(&args.run, &mut checks);
    machine::examine_device(args.run.profile.settings(), &mut checks);

    let known = match (&chain, operator) {
        (Some(chain), Some(operator)) => Some((chain, operator)),
        _ => None,
    };
    if let Some((chain, operator)) = known {
        let registered = account::examine_models(chain, &args.run, &models, &mut checks).await;
        account::examine_funds(chain, &args.run, operator, &registered, &mut checks).await;
        machine::examine_data_dir(&args.run, chain, operator, &models, &mut checks).await;
        fleet::examine(&args.run, chain, operator, &models, &mut checks).await;
    }
    outside::examine(&args.run, known, &mut checks).await;
    checks
}

/// A chain and whose node it is.
type Known<'a> = Option<(&'a Chain, Address)>;

impl Report {
    fn print(&self) {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
        for Check { name, state, found, advice } in &self.checks {
            let state = match state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Failing => "FAILING",
            };
            println!("{state:7}  {name:width$}  {}", printable(found));
            if let Some(advice) = advice {
                println!("{:7}  {:width$}  -> {}", "", "", printable(advice));
            }
        }
        match (self.failing, self.warnings) {
            (0, 0) => println!("\nall is well"),
            (0, warnings) => println!("\nnothing is failing; {warnings} warnings"),
            (failing, warnings) => println!("\n{failing} failing, {warnings} warnings"),
        }
    }
}
