//! Gas: whole jobs on a chain, every vote sent, every figure from a receipt.

use std::collections::BTreeMap;

use alloy::primitives::{B256, U256};
use eyre::{OptionExt as _, Result, ensure};
use oracle::{
    chain::IGenerationOracle::{Outcome, Requested, Terms},
    commitment::Opening,
    digest::Digest,
    manifest::LocalModel,
    spec::{ImageSpec, Prompt, Solver},
};
use quorate_tests::{
    by_hand::{ByHand, draw, made_up},
    devnet::{Devnet, Pace},
    model,
    outcome::JobOutcome,
    programs,
};
use serde::Serialize;

/// Committees that are measured.
const SIZES: [u8; 3] = [3, 5, 7];

#[derive(Serialize)]
pub(crate) struct Job {
    committee: u8,
    steps: BTreeMap<String, Vec<u64>>,
    total: u64,
}

/// Runs a job of each size, twice: the second writes to warm slots, as a busy deployment does, and is the one told.
pub(crate) async fn measure() -> Result<Vec<Job>> {
    let devnet = Devnet::start(Pace::Fast).await?;
    let model = model::register(&devnet, &devnet.party("author")?).await?;
    let mut jobs = Vec::new();
    let mut voters = Vec::new();
    for size in SIZES {
        while voters.len() < usize::from(size) {
            let voter = devnet.party(&format!("voter-{}", voters.len()))?;
            voters.push(ByHand::enrol(&devnet, &voter, model).await?);
        }
        run(&devnet, model, size, &voters).await?;
        jobs.push(run(&devnet, model, size, &voters).await?);
    }
    Ok(jobs)
}

async fn run(devnet: &Devnet, model: B256, size: u8, voters: &[ByHand]) -> Result<Job> {
    let age = devnet.chain.stakes().seatAge().call().await?;
    devnet.pass(u64::from(age) + 1).await?;
    let job = request(devnet, model, size, &voters[0]).await?;
    let delay = devnet.chain.oracle().windows().call().await?.seedDelay;
    devnet.mine(u64::from(delay) + 1).await?;
    draw(&voters[0].account, job).await?;

    // One picture, as honest nodes make it; each its own salt.
    let opening = |number: u8| Opening { digest: Digest::from(B256::repeat_byte(0x5a)), ..made_up(number) };
    for (number, voter) in (0..).zip(voters) {
        voter.commit(job, &opening(number)).await?;
    }
    for (number, voter) in (0..).zip(voters) {
        voter.reveal(job, &opening(number)).await?;
    }
    voters[0].account.send(devnet.chain.oracle().settle(job)).await?;

    let outcome = JobOutcome::read(&devnet.chain, job).await?;
    ensure!(outcome.job.outcome == Outcome::Accepted, "the job was not accepted");
    let mut steps: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for step in &outcome.gas {
        steps.entry(step.step.clone()).or_default().push(step.gas);
    }
    Ok(Job { committee: size, steps, total: outcome.gas.iter().map(|step| step.gas).sum() })
}

async fn request(devnet: &Devnet, model: B256, size: u8, requester: &ByHand) -> Result<B256> {
    let defaults = LocalModel::open(&programs::bundled_model())?.manifest.defaults;
    let spec = ImageSpec {
        prompt: Prompt::from("a fox on a blue background"),
        negative_prompt: Prompt::default(),
        width: defaults.width,
        height: defaults.height,
        steps: defaults.steps,
        solver: Solver::Ddim,
        guidance: defaults.guidance,
        seed: B256::ZERO,
    };
    let seat_stake = devnet.chain.models().modelOf(model).call().await?.seatStake;
    let share = seat_stake / alloy::primitives::aliases::U96::from(160);
    let terms = Terms { committeeSize: size, fixedSeed: false, share };
    let oracle = devnet.chain.oracle();
    let call = oracle.requestImage(model, (&spec).into(), terms);
    let receipt = requester.account.send(call.value(U256::from(share) * U256::from(size))).await?;
    Ok(receipt.decoded_log::<Requested>().ok_or_eyre("requested without an event")?.jobId)
}

pub(crate) fn print(jobs: &Vec<Job>) {
    for job in jobs {
        println!("committee of {}: {} gas", job.committee, job.total);
        for (step, gas) in &job.steps {
            let all: Vec<_> = gas.iter().map(u64::to_string).collect();
            println!("  {step:12} {}", all.join(" "));
        }
    }
}
