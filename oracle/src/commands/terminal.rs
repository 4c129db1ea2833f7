//! What people and programs read: results on stdout, progress and errors on stderr.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

/// Where output goes, and in which form.
pub(crate) struct Terminal {
    json: bool,
}

/// Something that takes a while. Gone when dropped.
pub(crate) struct Progress {
    spinner: Option<ProgressBar>,
    last: String,
}

impl Terminal {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// The result: JSON, or what `human` makes of it.
    pub(crate) fn result<T: Serialize>(&self, value: &T, human: impl FnOnce(&T) -> String) -> io::Result<()> {
        let text = match self.json {
            true => serde_json::to_string(value)?,
            false => human(value),
        };
        print(text.trim_end())
    }

    /// Something that a person should know, besides the result.
    pub(crate) fn note(&self, text: impl Display) {
        eprintln!("{text}");
    }

    /// Says why it failed, in one line.
    pub(crate) fn failure(&self, report: &eyre::Report) -> ExitCode {
        let line = one_line(&report.to_string());
        eprintln!("error: {line}");
        if self.json {
            // Where stdout is gone too there is nobody left to tell.
            let _ = print(&json!({ "error": line }).to_string());
        }
        ExitCode::FAILURE
    }

    /// A spinner where somebody watches; a line for each step where not.
    pub(crate) fn progress(&self) -> Progress {
        let spinner = io::stderr().is_terminal().then(|| {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        Progress { spinner, last: String::new() }
    }
}

impl Progress {
    /// What is being done now; a repetition says nothing.
    pub(crate) fn step(&mut self, text: impl Into<String>) {
        let text = text.into();
        if text == self.last {
            return;
        }
        match &self.spinner {
            Some(spinner) => spinner.set_message(text.clone()),
            None => eprintln!("{text}"),
        }
        self.last = text;
    }

    /// What is done, and stays on the screen.
    pub(crate) fn done(&self, text: impl Display) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

/// How far a file is: a bar where somebody watches, a line for each file where not. Gone when dropped.
pub(crate) struct FileBar {
    bar: Option<ProgressBar>,
    file: String,
}

impl FileBar {
    pub(crate) fn new() -> Self {
        Self { bar: None, file: String::new() }
    }

    /// Bytes that are here, of how many.
    pub(crate) fn set(&mut self, file: &str, done: u64, total: Option<u64>) {
        if file != self.file {
            self.clear();
            file.clone_into(&mut self.file);
            match io::stderr().is_terminal() {
                true => self.bar = Some(bar(file, total)),
                false => eprintln!("pulling {file}"),
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for FileBar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(file: &str, total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        None => "{msg} {bytes} {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    bar.with_style(style).with_message(file.to_owned())
}

/// A table as wide as the terminal allows.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table
        .load_style(TableStyle::new().header_separator(line))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

/// Text that others wrote, without what could command a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The beginning of an address or a hash, for tables; `--json` has all of it.
pub(crate) fn short(id: impl Display) -> String {
    let text = id.to_string();
    text.get(..10).map_or_else(|| text.clone(), |start| format!("{start}…"))
}

/// Names and values below each other.
pub(crate) fn listing(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

/// A share or a chance. A small one needs its exponent, and none is not the same as one that rounds to nothing.
pub(crate) fn percent(share: f64) -> String {
    match share {
        0.0 => "0".to_owned(),
        share if share < 1e-6 => format!("{share:.1e}"),
        share => format!("{:.4} %", 100.0 * share),
    }
}

fn print(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        // `oracle ... | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_share_keeps_its_digits_and_none_is_nothing() {
        assert_eq!([percent(0.0), percent(1.0), percent(0.998_9)], ["0", "100.0000 %", "99.8900 %"]);
        assert_eq!(percent(1.2e-9), "1.2e-9");
    }
}
