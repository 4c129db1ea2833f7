//! `oracle simulate`: what honest and other verifiers make of thousands of jobs.

mod plot;
mod region;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::B256;
use clap::{ValueEnum, value_parser};
use eyre::ensure;
use oracle::{
    dataset::Dataset,
    digest::{NEVER, ToleranceProfile},
    manifest::{LocalModel, Pipeline},
    odds::{Committee, LEAST_SUPER_MAJORITY},
    simulation::{
        Account, Appeals, LEAST_BOND, MOST_MAKING, Measured, Outcome, Population, Profit, Setting, Strategy, play,
    },
    spec::Spec,
    tolerance::{Share, upper_bound},
};
use serde::Serialize;

use super::{
    Context,
    assurance::chance,
    terminal::{listing, percent, printable, table},
    terms::committee_size,
    typed::lanes,
};

/// An honest verifier may be slashed in so many of its jobs at most.
const HONEST_SLASHED: f64 = 1e-5;

/// From which data sets, and by which rules.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Data sets of the same jobs: honest ones of two device profiles at least, and any with a fraud
    #[arg(required = true, value_name = "FILE")]
    sets: Vec<PathBuf>,
    /// Jobs to play
    #[arg(long, value_name = "JOBS", default_value_t = 300_000, value_parser = value_parser!(u64).range(1..))]
    jobs: u64,
    /// The same number plays the same jobs
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Seats in the first committee: odd, 3 to 31
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = committee_size)]
    committee: u8,
    /// Decide by more than two thirds of the committee instead of more than half; from 5 seats
    #[arg(long)]
    super_majority: bool,
    /// Who appeals
    #[arg(long, value_enum, default_value_t = WhoAppeals::Outvoted)]
    appeals: WhoAppeals,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    money: MoneyArgs,
    #[command(flatten)]
    profile: ProfileArgs,
    /// Draw where fraud loses and honest seats are safe, by the ring's share of the pool, as SVG; with --json its numbers are `region`
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Seats by what they do.
#[derive(clap::Args)]
#[command(next_help_heading = "Pool")]
struct PoolArgs {
    /// Seats that make each job, each on one of the measured device profiles
    #[arg(long, value_name = "SEATS", default_value_t = 80, value_parser = seats())]
    honest: u32,
    /// Seats that submit an old digest of the same prompt
    #[arg(long, value_name = "SEATS", default_value_t = 4, value_parser = seats())]
    lazy: u32,
    /// Seats that submit random bits
    #[arg(long, value_name = "SEATS", default_value_t = 4, value_parser = seats())]
    random: u32,
    /// Seats that say nothing
    #[arg(long, value_name = "SEATS", default_value_t = 1, value_parser = seats())]
    silent: u32,
    /// Seats that commit, and never reveal
    #[arg(long, value_name = "SEATS", default_value_t = 1, value_parser = seats())]
    hiding: u32,
    /// Seats that stand together for one wrong digest
    #[arg(long, value_name = "SEATS", default_value_t = 10, value_parser = seats())]
    ring: u32,
    /// Seats of each fraud that the data sets show
    #[arg(long, value_name = "SEATS", default_value_t = 2, value_parser = seats())]
    cheap: u32,
}

/// In shares.
#[derive(clap::Args)]
#[command(next_help_heading = "Money, in shares of what a seat earns")]
struct MoneyArgs {
    /// What a seat has at risk; the registry takes 20 or more
    #[arg(long, value_name = "SHARES", default_value_t = LEAST_BOND, value_parser = bond)]
    bond: f64,
    /// What making a job costs, up to 0.8, and is its price; a vote's gas is what this leaves of a share, which is 5/4 of the price
    /// and three times that gas
    #[arg(long, value_name = "SHARES", default_value_t = 0.5, value_parser = making)]
    making: f64,
    /// The part of it that a fraud of the data sets costs
    #[arg(long, value_name = "PART", default_value_t = 0.5, value_parser = chance)]
    cheap_cost: f64,
}

/// What is accepted and rejected.
#[derive(clap::Args)]
#[command(next_help_heading = "Tolerance profile")]
struct ProfileArgs {
    /// A model's folder: take the profile of its manifest
    #[arg(long, value_name = "DIR", conflicts_with_all = ["accept", "reject"])]
    model_dir: Option<PathBuf>,
    /// Accept distances in bits: aHash, dHash, pHash, colour [default of pictures: 10,10,10,10]
    #[arg(long, value_name = "A,B,C,D", value_parser = lanes, requires = "reject")]
    accept: Option<[u8; 4]>,
    /// Reject distances in bits [default of pictures: 20,20,20,20]
    #[arg(long, value_name = "A,B,C,D", value_parser = lanes, requires = "accept")]
    reject: Option<[u8; 4]>,
}

/// As typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum WhoAppeals {
    /// Nobody: the first verdict is the last word
    Nobody,
    /// Honest seats that are outvoted and can expect to gain, as `prover-node` does
    Outvoted,
    /// Somebody who makes every job again, against all verdicts that are not right
    Watched,
    /// The same, and the ring against all that are right
    Contested,
}

const AFTER_HELP: &str = "\
Jobs are drawn from those that all data sets have. Committees are drawn, their votes tallied, and rounds appealed, paid and \
slashed as the contracts do it. Profits are of a seat for each round that it is drawn in, with their 95 % intervals. Who is \
evicted is replaced by a seat of its kind.

However many jobs are played, they show no drift that was not measured: `machines part` says how often honest machines may \
reject each other as far as the measured jobs tell.

Examples:
  oracle simulate measurements/emoji-64/*.parquet
  oracle simulate measured/*.parquet measured/frauds/*.parquet --jobs 1000000 --committee 7 --ring 25 --honest 65
  oracle simulate measured/*.parquet --model-dir models/emoji-64 --appeals nobody --json
  oracle simulate measured/*.parquet --plot region.svg";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    seed: u64,
    committee_size: u8,
    super_majority: bool,
    appeals: Appeals,
    profile: ToleranceProfile,
    /// In shares.
    bond: f64,
    making: f64,
    cheap_cost: f64,
    gas: f64,
    pool: Population,
    measured: Data,
    #[serde(flatten)]
    outcome: Outcome,
    names: Vec<String>,
    /// Upper bound at 95 % of the share of jobs in which an honest seat is slashed, as far as drift was measured.
    honest_slashed_at_most: f64,
    /// Whether every other strategy loses money at 95 %.
    fraud_loses: bool,
    /// Whether the bound is below once in 100,000 jobs.
    honest_safe: bool,
    /// What is drawn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    region: Vec<region::Curve>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    jobs: usize,
    profiles: Vec<String>,
    frauds: Vec<String>,
    /// Honest pairs that accept each other.
    agreeing: Share,
    /// Jobs on which two honest machines reject each other.
    parted: Share,
    parted_at_most: f64,
}

pub(crate) fn run(args: &Args, context: &Context) -> eyre::Result<ExitCode> {
    ensure!(
        !args.super_majority || args.committee >= LEAST_SUPER_MAJORITY,
        "a super-majority takes a committee of {LEAST_SUPER_MAJORITY} or more"
    );
    let sets = args.sets.iter().map(|file| Dataset::read(file)).collect::<Result<Vec<_>, _>>()?;
    let measured = Measured::of(&sets)?;
    let setting = Setting {
        committee: Committee { size: args.committee, super_majority: args.super_majority },
        profile: args.profile.resolve(&sets, &measured)?,
        appeals: args.appeals.into(),
        bond: args.money.bond,
        making: args.money.making,
        cheap: args.money.cheap_cost,
    };
    let population = Population::from(&args.pool);
    if measured.frauds.is_empty() && population.cheap > 0 {
        context.terminal.note("no data set shows a fraud: no seat approximates cheaply");
    }

    let mut progress = context.terminal.progress();
    progress.step(format!("playing {} jobs", args.jobs));
    let outcome = play(&measured, &setting, &population, args.jobs, args.seed)?;
    let mut region = Vec::new();
    if let Some(path) = &args.plot {
        let seats = population.seats(measured.frauds.len());
        region = region::explore(&measured, &setting, seats, args.jobs / 10, args.seed, &mut progress)?;
        super::plot::write(path, plot::draw(&region, seats, setting.bond))?;
    }
    drop(progress);
    let report = Report { region, ..report(args, &setting, population, &measured, outcome) };
    context.terminal.result(&report, human)?;
    Ok(ExitCode::SUCCESS)
}

fn report(args: &Args, setting: &Setting, pool: Population, measured: &Measured, outcome: Outcome) -> Report {
    let others = outcome.accounts.iter().filter(|account| account.strategy != Strategy::Honest);
    let fraud_loses = others.filter_map(|account| account.profit).all(|Profit { mean, within }| mean + within < 0.0);
    let honest_slashed_at_most = upper_bound(outcome.honest_slashed);
    let parted = measured.parted(&setting.profile);
    Report {
        seed: args.seed,
        committee_size: setting.committee.size,
        super_majority: setting.committee.super_majority,
        appeals: setting.appeals,
        profile: setting.profile,
        bond: setting.bond,
        making: setting.making,
        cheap_cost: setting.cheap,
        gas: setting.gas(),
        pool,
        measured: Data {
            jobs: measured.jobs(),
            profiles: measured.profiles.clone(),
            frauds: measured.frauds.clone(),
            agreeing: measured.agreeing(&setting.profile),
            parted,
            parted_at_most: upper_bound(parted),
        },
        names: outcome.accounts.iter().map(|account| name(account.strategy, &measured.frauds)).collect(),
        outcome,
        honest_slashed_at_most,
        fraud_loses,
        honest_safe: honest_slashed_at_most < HONEST_SLASHED,
        region: Vec::new(),
    }
}

fn human(report: &Report) -> String {
    let mut accounts =
        table(["strategy", "seats", "drawn", "earned", "bonds lost", "lost", "cost", "appeals", "profit when drawn"]);
    for (name, account) in report.names.iter().zip(&report.outcome.accounts) {
        let Account { seats, served, earned, slashed, lost, cost, appeals, profit, .. } = account;
        accounts.add_row([
            printable(name),
            seats.to_string(),
            served.to_string(),
            format!("{earned:.0}"),
            slashed.to_string(),
            format!("{lost:.0}"),
            format!("{cost:.0}"),
            format!("{appeals:.0}"),
            profit.map_or_else(|| "-".to_owned(), |Profit { mean, within }| format!("{mean:.4} ± {within:.4}")),
        ]);
    }
    let Outcome { jobs, first, last, rounds, honest_slashed, watching, .. } = &report.outcome;
    let Data { jobs: known, profiles, agreeing, parted, parted_at_most, .. } = &report.measured;
    let verdicts = |verdicts: &oracle::odds::Verdicts| {
        let [right, wrong, none] = [verdicts.right, verdicts.wrong, verdicts.unresolved].map(percent);
        format!("{right} right, {wrong} wrong, {none} unresolved")
    };
    let holds = |holds| if holds { "yes" } else { "no" };
    let lines = listing(&[
        ("jobs", format!("{jobs}, of {known} measured on {} device profiles", profiles.len())),
        ("first verdicts", verdicts(first)),
        ("last words", format!("{}; {rounds:.4} rounds a job", verdicts(last))),
        (
            "honest slashed",
            format!("in {} jobs: {} at most", honest_slashed.count, percent(report.honest_slashed_at_most)),
        ),
        (
            "machines part",
            format!("in {} of {} measured jobs: {} at most", parted.count, parted.of, percent(*parted_at_most)),
        ),
        ("machines agree", format!("{} of {} pairs", agreeing.count, agreeing.of)),
        ("watching", format!("{watching:.0} shares spent on appeals by who is on no committee")),
        ("fraud loses", holds(report.fraud_loses).to_owned()),
        ("honest safe", format!("{}: slashed in less than one of 100,000 jobs", holds(report.honest_safe))),
    ]);
    format!("{accounts}\n\n{lines}{}", limits(&report.region))
}

/// Up to which ring the protocol keeps what it promises, if that was explored.
fn limits(region: &[region::Curve]) -> String {
    if region.is_empty() {
        return String::new();
    }
    let mut limits = table(["committee", "fraud loses up to a ring of", "honest safe, watched", "without appeals"]);
    for curve in region {
        let rings = [curve.fraud_loses_up_to, curve.honest_safe_up_to, curve.honest_safe_at_once_up_to];
        let [loses, safe, at_once] = rings.map(|ring| format!("{:.0} %", 100.0 * ring));
        limits.add_row([curve.committee.to_string(), loses, safe, at_once]);
    }
    format!("\n{limits}\n")
}

fn name(strategy: Strategy, frauds: &[String]) -> String {
    match strategy {
        Strategy::Honest => "honest".to_owned(),
        Strategy::Lazy => "lazy".to_owned(),
        Strategy::Random => "random".to_owned(),
        Strategy::Silent => "silent".to_owned(),
        Strategy::Hiding => "hiding".to_owned(),
        Strategy::Ring => "ring".to_owned(),
        Strategy::Cheap { fraud } => {
            frauds.get(fraud).map_or_else(|| "cheap".to_owned(), |name| format!("cheap: {name}"))
        }
    }
}

impl ProfileArgs {
    /// What was typed, the model's, or the default for what the sets are of.
    fn resolve(&self, sets: &[Dataset], measured: &Measured) -> eyre::Result<ToleranceProfile> {
        if let Some(folder) = &self.model_dir {
            return profile_of(folder, sets);
        }
        if let (Some(accept), Some(reject)) = (self.accept, self.reject) {
            let profile = ToleranceProfile { accept, reject, evidence: B256::ZERO };
            profile.check()?;
            return Ok(profile);
        }
        Ok(match measured.spec {
            Spec::Image(_) => ToleranceProfile { accept: [10; 4], reject: [20; 4], evidence: B256::ZERO },
            Spec::Text(_) => ToleranceProfile { accept: [0; 4], reject: NEVER.0, evidence: B256::ZERO },
        })
    }
}

/// Of the model that the honest sets are of.
fn profile_of(folder: &Path, sets: &[Dataset]) -> eyre::Result<ToleranceProfile> {
    let manifest = LocalModel::open(folder)?.manifest;
    let files = manifest.files_hash();
    let mut honest = sets.iter().map(|set| &set.provenance).filter(|provenance| provenance.fraud.is_none());
    ensure!(
        honest.all(|provenance| provenance.files == files),
        "the sets are of a model with other files than {}",
        folder.display()
    );
    Ok(match manifest.pipeline {
        Pipeline::Image(pipeline) => pipeline.profile,
        Pipeline::Text(pipeline) => pipeline.profile.into(),
    })
}

impl From<&PoolArgs> for Population {
    fn from(args: &PoolArgs) -> Self {
        let &PoolArgs { honest, lazy, random, silent, hiding, ring, cheap } = args;
        Self { honest, lazy, random, silent, hiding, ring, cheap }
    }
}

impl From<WhoAppeals> for Appeals {
    fn from(typed: WhoAppeals) -> Self {
        match typed {
            WhoAppeals::Nobody => Self::Nobody,
            WhoAppeals::Outvoted => Self::Outvoted,
            WhoAppeals::Watched => Self::Watched,
            WhoAppeals::Contested => Self::Contested,
        }
    }
}

/// Sums of them are numbers of 32 bits.
fn seats() -> clap::builder::RangedI64ValueParser<u32> {
    value_parser!(u32).range(0..=1_000_000)
}

fn bond(text: &str) -> Result<f64, String> {
    let bond = text.parse().ok().filter(|bond: &f64| (0.0..=1e6).contains(bond));
    bond.ok_or_else(|| "a bond is a number of shares from 0 to 1000000, such as 20".to_owned())
}

fn making(text: &str) -> Result<f64, String> {
    let making = text.parse().ok().filter(|making: &f64| (0.0..=MOST_MAKING).contains(making));
    making.ok_or_else(|| format!("what making costs is a number of shares from 0 to {MOST_MAKING}, such as 0.5"))
}
