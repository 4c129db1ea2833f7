//! Soak: jobs by the hundred, while nodes are killed, endpoints misbehave and the chain is reorganised; then every vote and
//! every wei is counted.
//!
//! Blocks come every second and windows are the devnet's, commitments within 120 s and openings within 60 s. No misfortune
//! lasts that long, so nothing excuses a loss.

mod books;
mod mischief;
mod requester;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use alloy::{
    primitives::B256,
    providers::Provider as _,
    rpc::types::Filter,
    signers::k256::elliptic_curve::rand_core::{OsRng, RngCore as _},
    sol_types::SolEvent as _,
};
use eyre::{OptionExt as _, Result, WrapErr as _};
use oracle::{chain::IGenerationOracle::Settled, finality::Finality};
use quorate_tests::{
    by_hand::ByHand,
    devnet::{Devnet, Pace},
    model,
    party::Party,
    programs,
    proxy::Proxy,
    verifier::Verifier,
};
use serde::Serialize;

use self::{
    books::Books,
    mischief::{Mischief, Patient},
    requester::Requester,
};

/// Each with [`SEATS`] seats and two endpoints. The first one is never killed: what it holds is watched.
const NODES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// Of each node.
const SEATS: usize = 4;

/// Jobs that are open at once.
const OPEN: usize = 16;

/// Blocks that no reorganisation reaches through.
const SAFE: u64 = 12;

/// How often there is a look at everything.
const TICK: Duration = Duration::from_millis(500);

/// How often memory and file handles are looked at.
const SAMPLE: Duration = Duration::from_secs(30);

/// Without a job that ends in this time, those that are open are lost.
const STALL: Duration = Duration::from_secs(420);

/// How much of it.
#[derive(clap::Args)]
pub(crate) struct SoakArgs {
    /// Jobs
    #[arg(long, default_value_t = 500)]
    jobs: usize,
    /// How often a node is killed
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// Plays the misfortunes of that run again, as far as the machine is as fast [default: another every time]
    #[arg(long)]
    seed: Option<u64>,
    /// Keeps the nodes' logs there
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
}

/// What became of it.
#[derive(Serialize)]
pub(crate) struct Soak {
    seed: u64,
    jobs: usize,
    /// Jobs without a verdict, and drawn seats that were not paid in full.
    losses: usize,
    /// Drawn seats that lost any stake: all of them are honest.
    honest_slashes: usize,
    /// Of shares, bounties and refunds.
    double_payments: usize,
    jobs_per_minute: f64,
    /// Of the node that is never killed, every half minute.
    rss_mb: Vec<f64>,
    file_handles: Vec<usize>,
    kills: usize,
    /// Nodes that ended without being killed.
    exits: usize,
    /// How often each kind happened.
    faults: BTreeMap<&'static str, usize>,
}

pub(crate) async fn measure(args: &SoakArgs) -> Result<Soak> {
    let seed = args.seed.unwrap_or_else(|| OsRng.next_u64());
    eprintln!("--seed {seed}");
    let devnet = Devnet::start(Pace::Live).await?;
    let played = play(&devnet, args, seed).await;
    if let Some(folder) = &args.logs {
        keep_logs(&devnet, folder)?;
    }
    played
}

async fn play(devnet: &Devnet, args: &SoakArgs, seed: u64) -> Result<Soak> {
    let author = devnet.party("author")?;
    let model = model::register(devnet, &author).await?;
    let mut requester = Requester::of(devnet, model, devnet.party("requester")?).await?;
    let nodes = nodes(devnet, model).await?;
    let operators: Vec<Party> = nodes.iter().map(|patient| patient.node.party.clone()).collect();
    let mut mischief = Mischief::new(seed, nodes);
    let (mut rss_mb, mut file_handles) = (Vec::new(), Vec::new());

    let began = Instant::now();
    let (mut done, mut progress) = (0, began);
    while (done < args.jobs || mischief.kills < args.kills) && progress.elapsed() < STALL {
        while requester.sent() < args.jobs.min(done + OPEN) {
            requester.request().await?;
        }
        requester.insist().await?;
        mischief.turn(devnet, args.kills * requester.sent() / args.jobs).await?;
        let settled = settled(devnet, &requester).await?;
        if settled > done {
            progress = Instant::now();
        }
        done = settled;
        if began.elapsed() >= SAMPLE * u32::try_from(rss_mb.len())? {
            let (memory, handles) = held(mischief.spared()?)?;
            let Mischief { kills, exits, .. } = mischief;
            let seconds = began.elapsed().as_secs();
            eprintln!("{seconds:5} s: {done} jobs, {kills} kills, {exits} exits; {memory} MB, {handles} handles");
            rss_mb.push(memory);
            file_handles.push(handles);
        }
        tokio::time::sleep(TICK).await;
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    mischief.cease()?;
    let quiet = devnet.chain.now().await?.block + SAFE;
    devnet
        .until("the last blocks", STALL, async || Ok((devnet.chain.now().await?.block > quiet).then_some(())))
        .await?;

    let books = Books::audit(devnet, model, &author, &requester, &operators).await?;
    for complaint in &books.complaints {
        eprintln!("{complaint}");
    }
    Ok(Soak {
        seed,
        jobs: done,
        losses: books.losses,
        honest_slashes: books.honest_slashes,
        double_payments: books.double_payments,
        jobs_per_minute: done as f64 / minutes,
        rss_mb,
        file_handles,
        kills: mischief.kills,
        exits: mischief.exits,
        faults: mischief.faults,
    })
}

/// Nodes at work, with seats that are old enough.
async fn nodes(devnet: &Devnet, model: B256) -> Result<Vec<Patient>> {
    let mut patients = Vec::new();
    for name in NODES {
        let party = devnet.party(name)?;
        let seat = ByHand::enrol(devnet, &party, model).await?;
        for _ in 1..SEATS {
            seat.another(model).await?;
        }
        let endpoints = [Proxy::start(&devnet.rpc_url()).await?, Proxy::start(&devnet.rpc_url()).await?];
        // What is announced does not depend on the port: nothing but jobs is worked on after a restart.
        let url = format!("http://{name}.example");
        let node = Verifier::unseated(devnet, party)?
            .by(programs::built("instant")?)
            .through(&endpoints)
            .with(&["--public-url", &url])
            .with_finality(Finality::Depth(2));
        patients.push(Patient::new(node, endpoints));
    }
    patients.iter_mut().try_for_each(|patient| patient.node.start())?;
    for patient in &mut patients {
        patient.node.ready(devnet).await?;
    }
    let age = devnet.chain.stakes().seatAge().call().await?;
    devnet.pass(2 * u64::from(age) + 1).await?;
    devnet.mine(SAFE).await?;
    Ok(patients)
}

/// Jobs that are over, as the chain stands.
async fn settled(devnet: &Devnet, requester: &Requester) -> Result<usize> {
    let filter = Filter::new()
        .address(devnet.chain.deployment.generation_oracle)
        .event_signature(Settled::SIGNATURE_HASH)
        .from_block(requester.since());
    Ok(devnet.chain.provider.get_logs(&filter).await?.len())
}

/// Megabytes that a process has in memory, and file handles that it has open.
fn held(process: u32) -> Result<(f64, usize)> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))
        .wrap_err("memory and file handles are measured on Linux only")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or_eyre("no VmRSS")?;
    let kibibytes: f64 = resident.trim().trim_end_matches(" kB").parse()?;
    let megabytes = (kibibytes * 1024.0 / 1e5).round() / 10.0;
    Ok((megabytes, fs::read_dir(format!("/proc/{process}/fd"))?.count()))
}

fn keep_logs(devnet: &Devnet, folder: &PathBuf) -> Result<()> {
    fs::create_dir_all(folder)?;
    for name in NODES {
        let log = format!("{name}.log");
        let from = devnet.folder.join(&log);
        if from.exists() {
            fs::copy(from, folder.join(log))?;
        }
    }
    Ok(())
}

pub(crate) fn print(soak: &Soak) {
    let Soak { jobs, losses, honest_slashes, double_payments, kills, exits, .. } = soak;
    println!("{jobs} jobs, {:.1} a minute; {kills} kills, {exits} other ends of a node", soak.jobs_per_minute);
    println!("{losses} losses, {honest_slashes} honest seats slashed, {double_payments} double payments");
    println!("faults: {:?}", soak.faults);
    println!("memory of a node in MB: {:?}", soak.rss_mb);
    println!("its file handles: {:?}", soak.file_handles);
}
