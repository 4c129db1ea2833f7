//! `oracle odds`: how often a committee is right, and what a fraud stands to lose.

mod plot;

use std::{path::PathBuf, process::ExitCode};

use oracle::odds::{Appealed, Committee, Fraud, LEAST_SUPER_MAJORITY, Odds, Verdicts};
use serde::Serialize;

use super::{
    Context,
    assurance::{BeliefArgs, chance, smallest},
    terminal::{listing, percent, table},
    terms::committee_size,
};

/// Of what.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Seats in the first committee: odd, 3 to 31
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = committee_size)]
    committee: u8,
    /// Decide by more than two thirds of the committee instead of more than half; from 5 seats
    #[arg(long)]
    super_majority: bool,
    /// Take the smallest committee whose first verdict is right with this chance
    #[arg(long, value_name = "CHANCE", conflicts_with = "committee", value_parser = chance)]
    assurance: Option<f64>,
    #[command(flatten)]
    beliefs: BeliefArgs,
    /// Seats that are drawn from, --hostile of them rounded to whole ones [default: endlessly many]
    #[arg(long, value_name = "SEATS")]
    pool: Option<u32>,
    /// Chance that an honest seat is beyond the reject distance, which costs its bond; the rest of what does not agree is grey
    /// [default: all that does not agree]
    #[arg(long, value_name = "CHANCE", value_parser = chance)]
    rejection: Option<f64>,
    /// What a wrong verdict is worth to each hostile seat besides its share, in shares
    #[arg(long, value_name = "SHARES", default_value_t = 0.0, value_parser = gain)]
    gain: f64,
    /// Draw how often a verdict is right by the number of verifiers, 3 to 31, as SVG; with --json its numbers are `figure`
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
A verdict is right if a quorum of honest seats agrees, wrong if hostile seats are a quorum, else unresolved. `slashed` \
is the chance that an honest seat on the committee loses its bond if that round has the last word. All of it is exact, \
for pictures; for texts nobody is slashed. A seat's bond is 20 shares or more (`oracle quote`).

Examples:
  oracle odds --committee 7 --agreement 0.98 --hostile 0.2
  oracle odds --assurance 0.9999 --agreement 0.995 --hostile 0.1
  oracle odds --committee 5 --super-majority --pool 100 --hostile 0.1 --gain 50
  oracle odds --agreement 0.98 --plot odds.svg
  oracle odds --hostile 0 --json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    committee_size: u8,
    super_majority: bool,
    agreement: f64,
    rejection: f64,
    hostile: f64,
    pool: Option<u32>,
    /// The first one and those that appeals can open.
    rounds: Vec<Round>,
    /// Of a wrong last word.
    wrong_after_appeals: Appealed,
    bounds: Bounds,
    /// Paid in, and paid to seats on average.
    shares: u8,
    expected_shares: f64,
    fraud: Fraud,
    /// What is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<Vec<plot::Point>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Round {
    seats: u8,
    quorum: u8,
    #[serde(flatten)]
    verdicts: Verdicts,
    honest_slashed: f64,
}

/// Chances of a right verdict with so many honest seats: all, the fewest that are more than a half, and more than two thirds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bounds {
    all_honest: f64,
    majority_honest: f64,
    two_thirds_honest: f64,
}

pub(crate) fn run(args: &Args, context: &Context) -> eyre::Result<ExitCode> {
    let odds = resolve(args)?;
    let figure = args.plot.as_ref().map(|_| plot::points(odds.agreement));
    if let (Some(path), Some(points)) = (&args.plot, &figure) {
        super::plot::write(path, plot::draw(points, odds.agreement))?;
    }
    context.terminal.result(&Report { figure, ..report(args, odds) }, human)?;
    Ok(ExitCode::SUCCESS)
}

fn resolve(args: &Args) -> eyre::Result<Odds> {
    let committee = Committee { size: args.committee, super_majority: args.super_majority };
    let odds = args.beliefs.odds(committee, args.pool);
    let rejection = args.rejection.unwrap_or(odds.rejection);
    eyre::ensure!(
        rejection <= odds.rejection,
        "--rejection {rejection} and --agreement {} are more than 1 together",
        odds.agreement
    );
    let odds = Odds { rejection, ..odds };
    if let Some(assurance) = args.assurance {
        return smallest(odds, assurance);
    }
    eyre::ensure!(
        !args.super_majority || args.committee >= LEAST_SUPER_MAJORITY,
        "a super-majority takes a committee of {LEAST_SUPER_MAJORITY} or more"
    );
    if let Some(seats) = args.pool.filter(|&seats| seats < args.committee.into()) {
        eyre::bail!("a pool of {seats} seats cannot staff a committee of {}", args.committee);
    }
    Ok(odds)
}

fn report(args: &Args, odds: Odds) -> Report {
    let Committee { size, super_majority } = odds.committee;
    let round = |odds: Odds| Round {
        seats: odds.committee.size,
        quorum: odds.committee.quorum(),
        verdicts: odds.verdicts(),
        honest_slashed: odds.honest_slashed(),
    };
    let with_honest = |honest: u8| odds.committee.right_against(size - honest, odds.agreement);
    Report {
        committee_size: size,
        super_majority,
        agreement: odds.agreement,
        rejection: odds.rejection,
        hostile: args.beliefs.hostile,
        pool: args.pool,
        rounds: odds.rounds().map(round).collect(),
        wrong_after_appeals: odds.appealed(),
        bounds: Bounds {
            all_honest: with_honest(size),
            majority_honest: with_honest(size / 2 + 1),
            two_thirds_honest: with_honest(2 * size / 3 + 1),
        },
        shares: size,
        expected_shares: odds.expected_shares(),
        fraud: odds.fraud(args.gain),
        figure: None,
    }
}

fn human(report: &Report) -> String {
    let mut rounds = table(["round", "seats", "quorum", "right", "wrong", "unresolved", "slashed"]);
    for (number, round) in (1..).zip(&report.rounds) {
        let Verdicts { right, wrong, unresolved } = round.verdicts;
        rounds.add_row([
            format!("{number}"),
            round.seats.to_string(),
            round.quorum.to_string(),
            percent(right),
            percent(wrong),
            percent(unresolved),
            percent(round.honest_slashed),
        ]);
    }
    let Appealed { watched, contested } = report.wrong_after_appeals;
    let Bounds { all_honest, majority_honest, two_thirds_honest } = report.bounds;
    let lines = listing(&[
        (
            "wrong at the end",
            format!("{} if somebody watches and appeals; {} if both sides do", percent(watched), percent(contested)),
        ),
        (
            "right with so many honest",
            format!(
                "{} all, {} over half, {} over two thirds",
                percent(all_honest),
                percent(majority_honest),
                percent(two_thirds_honest)
            ),
        ),
        ("cost", format!("{} shares paid in, {:.3} earned on average", report.shares, report.expected_shares)),
        ("a drawn fraud succeeds", percent(report.fraud.verdicts.wrong)),
        ("and never pays", never_pays(report.fraud.bond)),
    ]);
    format!("{rounds}\n\n{lines}")
}

fn never_pays(bond: f64) -> String {
    match bond.is_finite() {
        true => format!("with {bond:.3} shares at risk"),
        false => "only with endless shares at risk: the verdict is never right".to_owned(),
    }
}

fn gain(text: &str) -> Result<f64, String> {
    let gain = text.parse().ok().filter(|gain: &f64| gain.is_finite() && *gain >= 0.0);
    gain.ok_or_else(|| "a gain is a number of shares from 0, such as 50".to_owned())
}
