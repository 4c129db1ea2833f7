//! The commands of `prover-node`, one file each.

pub mod backup;
pub mod generate;
pub mod profile;
pub mod register;
pub mod run;
pub mod seats;
pub mod selftest;
pub mod status;

use std::io::IsTerminal;

use alloy::primitives::U256;
use eyre::WrapErr;
use oracle::chain::ether;
use serde::{Serialize, Serializer};
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
pub(crate) fn print_json(value: &impl Serialize) -> eyre::Result<()> {
    println!("{}", serde_json::to_string(value).wrap_err("the result cannot be written as JSON")?);
    Ok(())
}

/// An amount: exact for machines, in ETH for people.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wei(pub(crate) U256);

impl std::fmt::Display for Wei {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&ether(self.0))
    }
}

impl Serialize for Wei {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Text that others wrote, without what could command a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Seat numbers for people.
pub(crate) fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
