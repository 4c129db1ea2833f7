//! The commands of `prover-node`, one file each.

pub mod attack_board;
pub mod backup;
pub mod calibrate;
pub mod doctor;
pub mod explain;
pub mod fleet;
pub mod generate;
pub mod init;
pub mod models;
pub mod operator;
mod parallel;
pub mod profile;
pub mod register;
pub mod run;
pub mod seats;
pub mod selftest;
pub mod server;
pub mod settings;
pub mod status;
pub mod study;
pub mod worker;

use std::io::IsTerminal;

use alloy::primitives::U256;
use comfy_table::{Cell, LineStyle, Table, TableStyle};
use eyre::WrapErr;
use indicatif::{ProgressBar, ProgressStyle};
use oracle::chain::ether;
use serde::{Serialize, Serializer};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Logs for people on stderr, or as JSON lines on stdout. `RUST_LOG` chooses what is logged.
///
/// Each draw is a span with its job and round. Log lines name their job themselves, so the spans are not repeated there:
/// they are for exporters, which take a layer of their own.
pub fn init_logs(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let layer = match json {
        true => fmt::layer().json().with_target(false).boxed(),
        false => {
            let colour = std::io::stderr().is_terminal();
            fmt::layer().with_target(false).with_writer(std::io::stderr).with_ansi(colour).boxed()
        }
    };
    let layer = layer.with_filter(filter).with_filter(filter_fn(|metadata| metadata.is_event()));
    tracing_subscriber::registry().with(layer).init();
}

/// A point in the chain's time as people say it: how long ago, or how long from now.
pub(crate) fn when(time: u64, now: u64) -> String {
    match time.checked_sub(now) {
        Some(0) => "now".to_owned(),
        Some(left) => format!("in {}", duration(left)),
        None => format!("{} ago", duration(now - time)),
    }
}

/// Seconds as people say them, in two units at most.
pub(crate) fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// A table with a line below its header and none else.
pub(crate) fn table(header: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
    let line = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    let header: Vec<Cell> = header.into_iter().map(Into::into).collect();
    table.load_style(TableStyle::new().header_separator(line)).set_header(header);
    table
}

/// How far something is, if there is a terminal.
pub(crate) fn progress_bar(len: u64, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{eta}} left"));
    ProgressBar::new(len).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
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
