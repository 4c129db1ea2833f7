//! `oracle consensus`: how often honest machines write the same text, and how often a fraud passes.

use std::{path::PathBuf, process::ExitCode};

use oracle::{
    consensus::{Consensus, Margins, consensus},
    dataset::Dataset,
    tolerance::Share,
};
use serde::Serialize;

use super::{
    Context,
    terminal::{percent, printable, table},
    typed::share,
};

/// Of which texts.
#[derive(clap::Args)]
#[command(after_help = "\
Texts are taken together that are of one model and one spec: a decoding. The shares are of jobs, with the 95 % interval of \
Clopper and Pearson. A check of a greedy text in one pass tolerates tokens that are up to tau logits below the likeliest; \
the tau that is proposed is the smallest that honest texts keep to, but for --beyond of them, with 95 % confidence.

Examples:
  oracle consensus measured/*.parquet
  oracle consensus mine/*.parquet yours/*.parquet --beyond 0.01
  oracle consensus measured/*.parquet --tau 0.1 --json")]
pub(crate) struct Args {
    /// Data sets of texts, as `prover-node calibrate` writes them; frauds among them are judged by the others
    #[arg(required = true, value_name = "FILE")]
    sets: Vec<PathBuf>,
    /// Share of honest texts, at most, that a check may not accept
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    beyond: f64,
    /// Judge frauds by this, in logits [default: the tau that is proposed]
    #[arg(long, value_name = "LOGITS", value_parser = tau)]
    tau: Option<f32>,
}

#[derive(Serialize)]
struct Report {
    texts: usize,
    decodings: Vec<Consensus>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, context: &Context) -> eyre::Result<ExitCode> {
    let mut sets = Vec::new();
    for file in &args.sets {
        sets.push(Dataset::read(file)?);
    }
    let texts = sets.iter().map(|set| set.rows.len()).sum();
    let report = Report { texts, decodings: consensus(&sets, args.beyond, args.tau)? };
    context.terminal.result(&report, human)?;
    Ok(ExitCode::SUCCESS)
}

fn tau(text: &str) -> Result<f32, String> {
    let tau: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if tau >= 0.0 && tau.is_finite() { Ok(tau) } else { Err("must be 0 or more".to_owned()) }
}

fn human(report: &Report) -> String {
    let mut text = format!("{} texts\n", report.texts);
    for decoding in &report.decodings {
        let Consensus { model, spec, stacks, agreeing, pairs, margins, frauds, .. } = decoding;
        let search = if spec.beams == 1 { "greedy".to_owned() } else { format!("{} beams", spec.beams) };
        text += &format!("\n{}, {search}, up to {} tokens\n", printable(model), spec.max_tokens);

        let mut rows = table(["stack", "program", "machine", "texts", "margin: median", "largest", "tau"]);
        let margin = |margins: &Option<Margins>| match margins {
            Some(Margins { median, largest, tau, .. }) => {
                [logits(*median), logits(*largest), tau.map_or_else(|| "measure more".to_owned(), logits)]
            }
            None => ["-", "-", "-"].map(ToOwned::to_owned),
        };
        for stack in stacks {
            let said = [&stack.device_profile, &stack.build, &stack.machine].map(|text| printable(text));
            rows.add_row(said.into_iter().chain([stack.texts.to_string()]).chain(margin(&stack.margins)));
        }
        if stacks.len() > 1 {
            let all = ["all", "", "", ""].map(ToOwned::to_owned);
            rows.add_row(all.into_iter().chain(margin(margins)));
        }
        text += &format!("{rows}\n");

        let mut rows = table(["the same text", "jobs", "of", "share", "95 %"]);
        for (count, share) in (2..).zip(agreeing) {
            rows.add_row([format!("at least {count} of {} stacks", stacks.len())].into_iter().chain(cells(share)));
        }
        for pair in pairs.iter().filter(|_| stacks.len() > 2) {
            let who = format!("{} and {}", printable(&pair.one), printable(&pair.other));
            rows.add_row([who].into_iter().chain(cells(&pair.same)));
        }
        if !agreeing.is_empty() {
            text += &format!("{rows}\n");
        }

        let mut rows = table(["fraud", "", "texts", "of", "share", "95 %"]);
        for fraud in frauds {
            let of = [
                ("is an honest text", Some(&fraud.same)),
                ("passes a check", fraud.accepted.as_ref()),
                ("is drawn twice", fraud.alike.as_ref()),
            ];
            for (what, share) in of.into_iter().filter_map(|(what, share)| Some((what, share?))) {
                rows.add_row([printable(&fraud.fraud), what.to_owned()].into_iter().chain(cells(share)));
            }
        }
        if !frauds.is_empty() {
            text += &format!("{rows}\n");
        }
    }
    text
}

fn cells(share: &Share) -> [String; 4] {
    let (from, to) = share.interval();
    let interval = format!("{} to {}", percent(from), percent(to));
    [share.count.to_string(), share.of.to_string(), percent(share.value()), interval]
}

fn logits(margin: f32) -> String {
    match margin {
        0.0 => "0".to_owned(),
        margin if margin.is_infinite() => "none will do".to_owned(),
        margin if margin < 0.01 => format!("{margin:.1e}"),
        margin => format!("{margin:.3}"),
    }
}
