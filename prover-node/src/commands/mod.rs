//! The commands of `prover-node`, one file each.

pub mod profile;
pub mod register;
pub mod run;
pub mod seats;
pub mod status;

use std::io::IsTerminal;

use eyre::WrapErr;
use tracing_subscriber::{EnvFilter, fmt};

/// Logs for people on stderr, or as JSON lines on stdout. `RUST_LOG` chooses what is logged.
pub fn init_logs(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    match json {
        true => fmt().json().with_env_filter(filter).with_target(false).init(),
        false => {
            let colour = std::io::stderr().is_terminal();
            fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr).with_ansi(colour).init();
        }
    }
}

/// Prints what a command found, for machines.
pub(crate) fn print_json(value: &impl serde::Serialize) -> eyre::Result<()> {
    println!("{}", serde_json::to_string(value).wrap_err("the result cannot be written as JSON")?);
    Ok(())
}

/// Seat numbers for people.
pub(crate) fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
