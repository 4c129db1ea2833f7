//! The demo: paid jobs on a chain of their own, five staked verifiers, one of them a cheater, and what became of it.
//!
//! [`cast`] puts everybody on the stage, [`jobs`] asks and waits, [`findings`] reads the chain, [`show`] tells.

mod cast;
mod findings;
mod jobs;
mod money;
mod prompts;
mod report;
mod show;
mod texts;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use alloy::signers::k256::elliptic_curve::rand_core::{OsRng, RngCore as _};
use clap::Parser;
use eyre::{Result, WrapErr as _};
use quorate_tests::{
    devnet::{Devnet, Pace},
    process::conclude,
    programs,
    verifier::PROFILES,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{cast::Cast, jobs::Order};

/// Shows paid jobs from request to settlement, with a cheater among the verifiers
#[derive(Parser)]
#[command(name = "demo")]
struct Args {
    /// Draws the prompts [default: another one each run]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Texts of a small language model instead of pictures; `scripts/setup --with-text` gets it
    #[arg(long)]
    text: bool,
    /// Where pictures, contact sheet, report and logs go [default: demo-out in the repository]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Seats of each job's committee. The last job has everybody on it, the cheater too.
const COMMITTEES: [u8; 4] = [3, 3, 3, 5];

#[tokio::main]
async fn main() -> ExitCode {
    tokio::select! {
        told = run(Args::parse()) => conclude(told),
        // Everything that was started ends as it is dropped.
        () = stopped() => ExitCode::from(130),
    }
}

async fn run(args: Args) -> Result<()> {
    if args.text {
        return texts::run(args.out).await;
    }
    let seed = args.seed.unwrap_or_else(|| OsRng.next_u64());
    let prompts = prompts::draw(&programs::bundled_model(), seed, COMMITTEES.len())?;
    let out = Output::prepare(&args.out.unwrap_or_else(|| programs::repository().join("demo-out")))?;

    println!("seed {seed} draws the prompts (`scripts/demo --seed {seed}` asks for the same again)");
    println!("starting a chain and deploying the contracts ...");
    let devnet = Devnet::start(Pace::Live).await?;
    let played = play(&devnet, &out, seed, &prompts).await;
    out.keep_logs(&devnet.folder)?;
    played.wrap_err_with(|| format!("the demo failed; the logs are in {}", out.folder.join("logs").display()))
}

async fn play(devnet: &Devnet, out: &Output, seed: u64, prompts: &[String]) -> Result<()> {
    let began = Instant::now();
    let folder = programs::bundled_model();
    let cast = Cast::enter(devnet, &folder, &PROFILES).await?;
    let before = cast.money(devnet).await?;

    let mut orders = Vec::new();
    for ((number, prompt), size) in (1..).zip(prompts).zip(COMMITTEES) {
        orders.push(Order::submit(devnet, &cast, &folder, number, prompt, size).await?);
    }
    jobs::await_verdicts(devnet, &orders).await?;
    for order in &mut orders {
        order.fetch(devnet, &out.images).await?;
    }

    let after = cast.money(devnet).await?;
    let report =
        findings::gather(devnet, &cast, &orders, [before, after], (seed, began.elapsed()), &out.folder).await?;
    show::contact_sheet(&report, &out.folder)?;
    report.save(&out.folder.join("report.json"))?;
    show::print(&report, &out.folder);
    findings::check(&report)
}

/// Where results go.
pub(crate) struct Output {
    pub(crate) folder: PathBuf,
    images: PathBuf,
}

impl Output {
    /// Makes room: what an earlier demo left there goes, and nothing else.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder)?;
        let images = folder.join("images");
        for leftover in [&images, &folder.join("logs")] {
            if leftover.is_dir() {
                std::fs::remove_dir_all(leftover)?;
            }
        }
        for leftover in [show::CONTACT_SHEET, "report.json"].map(|name| folder.join(name)) {
            if leftover.is_file() {
                std::fs::remove_file(leftover)?;
            }
        }
        std::fs::create_dir_all(&images).wrap_err_with(|| format!("cannot write to {}", folder.display()))?;
        Ok(Self { folder, images })
    }

    pub(crate) fn keep_logs(&self, from: &Path) -> Result<()> {
        let logs = self.folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        for entry in std::fs::read_dir(from)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log")
                && let Some(name) = path.file_name()
            {
                std::fs::copy(&path, logs.join(name))?;
            }
        }
        Ok(())
    }
}

/// Waits to be told to stop.
async fn stopped() {
    let asked = |kind| signal(kind).expect("a signal handler can be set");
    let (mut interrupt, mut terminate) = (asked(SignalKind::interrupt()), asked(SignalKind::terminate()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
