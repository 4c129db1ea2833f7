//! Gas: whole jobs on a chain, every vote sent, every figure from a receipt.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, aliases::U96};
use eyre::{OptionExt as _, Result, ensure};
use oracle::{
    chain::{
        Account,
        IGenerationOracle::{Outcome, Requested, Terms},
    },
    commitment::Opening,
    digest::Digest,
    due::Due,
    fees::{fee_of, foreseen},
    manifest::LocalModel,
    spec::{ImageSpec, Prompt, Solver},
};
use quorate_tests::{
    by_hand::{ByHand, draw, made_up},
    devnet::{Devnet, Pace},
    model,
    outcome::JobOutcome,
    party::Party,
    programs,
};
use serde::Serialize;

use crate::pool::grow;

/// Committees that are measured.
const SIZES: [u8; 5] = [3, 5, 7, 15, 31];

/// Seats of the pools that a committee of three is drawn from.
const POOLS: [u32; 2] = [10, 100_000];

/// What a job costs, by the size of its committee; of each step the mean.
#[derive(Serialize)]
pub(crate) struct Gas {
    job: BTreeMap<u8, u64>,
    per_extra_verifier: u64,
    steps: BTreeMap<u8, BTreeMap<String, u64>>,
    /// By the size of the pool.
    draw: BTreeMap<u32, u64>,
}

/// Who plays: a requester, and a verifier that holds all the seats.
struct Cast {
    devnet: Devnet,
    model: B256,
    requester: Account,
    verifier: Party,
    seats: Vec<ByHand>,
}

/// Runs a job of each size, twice: the second writes to warm slots, as a busy deployment does, and is the one told.
pub(crate) async fn measure() -> Result<Gas> {
    let devnet = Devnet::start(Pace::Fast).await?;
    let model = model::register(&devnet, &devnet.party("author")?).await?;
    let requester = devnet.chain.account(devnet.party("requester")?.signer)?;
    let verifier = devnet.party("verifier")?;
    let mut cast = Cast { devnet, model, requester, verifier, seats: Vec::new() };

    let (mut job, mut steps, mut draw) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for size in SIZES {
        cast.enrol(usize::from(size)).await?;
        cast.play(size).await?;
        let gas = cast.play(size).await?;
        job.insert(size, gas.iter().map(|(_, gas)| gas).sum());
        steps.insert(size, means(&gas));
    }
    for pool in POOLS {
        draw.insert(pool, cast.draw_from(pool).await?);
    }
    let (few, many) = (SIZES[0], SIZES[SIZES.len() - 1]);
    let per_extra_verifier = (job[&many] - job[&few]) / u64::from(many - few);
    Ok(Gas { job, per_extra_verifier, steps, draw })
}

impl Cast {
    async fn enrol(&mut self, seats: usize) -> Result<()> {
        while self.seats.len() < seats {
            self.seats.push(ByHand::enrol(&self.devnet, &self.verifier, self.model).await?);
        }
        self.age().await
    }

    async fn age(&self) -> Result<()> {
        let age = self.devnet.chain.stakes().seatAge().call().await?;
        self.devnet.pass(u64::from(age) + 1).await
    }

    /// Of each transaction of a job from its request to its settlement.
    async fn play(&self, size: u8) -> Result<Vec<(String, u64)>> {
        let job = self.request(size).await?;
        let committee = self.committee(job).await?;
        // One picture, as honest nodes make it; each its own salt.
        let opening =
            |number: usize| Opening { digest: Digest::from(B256::repeat_byte(0x5a)), ..made_up(number as u8) };
        for (number, seat) in committee.iter().enumerate() {
            match number {
                0 => seat.draw_and_commit(job, &opening(number)).await?,
                _ => seat.commit(job, &opening(number)).await?,
            }
        }
        for (number, seat) in committee.iter().enumerate() {
            seat.reveal(job, &opening(number)).await?;
        }
        let decided = JobOutcome::read(&self.devnet.chain, job).await?;
        let latest = decided.history.latest().ok_or_eyre("the job has no rounds")?;
        let appeal_deadline = latest.appeal_deadline(&decided.request.job, &self.devnet.chain.windows);
        self.devnet.pass_until(appeal_deadline).await?;
        self.settle(job).await?;

        let outcome = JobOutcome::read(&self.devnet.chain, job).await?;
        ensure!(outcome.outcome() == Outcome::Accepted, "the job was not accepted");
        let name = |step: &str| if step == "draw+commit" { "drawAndCommit".to_owned() } else { step.to_owned() };
        Ok(outcome.gas.iter().map(|step| (name(&step.step), step.gas)).collect())
    }

    async fn settle(&self, job: B256) -> Result<()> {
        let look = JobOutcome::read(&self.devnet.chain, job).await?;
        ensure!(matches!(look.due, Due::Settle(_)), "the job is not ready to be settled: {}", look.due);
        let data = look.due.calldata(&look.request.job, &look.history, &Default::default());
        self.seats[0].account.send_raw(data.ok_or_eyre("settling is a call")?).await?;
        Ok(())
    }

    /// Our seats as the draw will have them, in its order; the seed is known afterwards.
    async fn committee(&self, job: B256) -> Result<Vec<&ByHand>> {
        let chain = &self.devnet.chain;
        let look = JobOutcome::read(chain, job).await?;
        let opened = look.history.latest().ok_or_eyre("the job has no rounds")?;
        let missing = (opened.randomness + 1).saturating_sub(chain.now().await?.block);
        self.devnet.mine(missing).await?;
        let round = quorate_tests::by_hand::foretold(chain, &look.request, opened).await?;
        let seat = |word: &B256| {
            let number = oracle::round::Member::from(*word).seat;
            self.seats.iter().find(|seat| seat.seat == number).ok_or_eyre("a seat is drawn that nobody here holds")
        };
        round.members.iter().map(seat).collect()
    }

    async fn request(&self, size: u8) -> Result<B256> {
        let spec = spec()?;
        let chain = &self.devnet.chain;
        let model = chain.models().modelOf(self.model).call().await?;
        let terms = Terms {
            committeeSize: size,
            superMajority: false,
            fixedSeed: false,
            share: model.seatStake / U96::from(160),
            commitWindow: chain.windows.mostCommit,
            consumer: Address::ZERO,
            consumerGas: 0,
        };
        let fee = fee_of(&foreseen(&model, &terms, chain.base_fee().await?.saturating_mul(2)));
        let oracle = chain.oracle();
        let call = oracle.requestImage(self.model, (&spec).into(), terms);
        let receipt = self.requester.send(call.value(fee)).await?;
        Ok(receipt.decoded_log::<Requested>().ok_or_eyre("requested without an event")?.jobId)
    }

    /// A draw of three from a pool of that many seats.
    async fn draw_from(&self, pool: u32) -> Result<u64> {
        grow(&self.devnet, self.model, pool).await?;
        let job = self.request(3).await?;
        let look = JobOutcome::read(&self.devnet.chain, job).await?;
        let opened = look.history.latest().ok_or_eyre("the job has no rounds")?;
        let missing = (opened.randomness + 1).saturating_sub(self.devnet.chain.now().await?.block);
        self.devnet.mine(missing).await?;
        crate::pool::fill(&self.devnet, &look.request, opened.randomness).await?;
        draw(&self.requester, job).await?;
        let outcome = JobOutcome::read(&self.devnet.chain, job).await?;
        let drawn = outcome.history.latest().and_then(|round| round.drawn.as_ref());
        ensure!(drawn.is_some_and(|drawn| drawn.votes.len() == 3), "the committee of a pool of {pool} came out short");
        let gas = outcome.gas.iter().find(|step| step.step == "draw").map(|step| step.gas);
        gas.ok_or_eyre("there was no draw")
    }
}

fn spec() -> Result<ImageSpec> {
    let defaults = LocalModel::open(&programs::bundled_model())?.manifest.defaults;
    Ok(ImageSpec {
        prompt: Prompt::from("a fox on a blue background"),
        negative_prompt: Prompt::default(),
        width: defaults.width,
        height: defaults.height,
        steps: defaults.steps,
        solver: Solver::Ddim,
        guidance: defaults.guidance,
        seed: B256::ZERO,
    })
}

fn means(gas: &[(String, u64)]) -> BTreeMap<String, u64> {
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (step, gas) in gas {
        all.entry(step.clone()).or_default().push(*gas);
    }
    all.into_iter().map(|(step, gas)| (step, gas.iter().sum::<u64>() / gas.len() as u64)).collect()
}

/// Figures for people, and a last line for programs.
pub(crate) fn print(gas: &Gas) {
    for (size, total) in &gas.job {
        println!("committee of {size}: {total} gas");
        for (step, mean) in &gas.steps[size] {
            println!("  {step:14} {mean}");
        }
    }
    println!("each verifier more: {} gas", gas.per_extra_verifier);
    for (pool, draw) in &gas.draw {
        println!("a draw of three from {pool} seats: {draw} gas");
    }
    let line = serde_json::to_string(gas).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
    println!("{line}");
}
