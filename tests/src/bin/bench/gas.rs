//! Gas: whole jobs on a chain, every vote sent, every figure from a receipt. Only the pools of the last figures are not
//! enrolled: see [`crate::pool`].

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, U256, aliases::U96};
use eyre::{OptionExt as _, Result, ensure};
use oracle::{
    chain::{
        Account,
        IGenerationOracle::{ImageRequested, Outcome, Terms},
        IVerifierStakes::Enrolled,
    },
    commitment::Opening,
    digest::Digest,
    due::Due,
    fees::{escrow_of, fee_of, foreseen},
    manifest::LocalModel,
    spec::ImageSpec,
};
use quorate_tests::{
    by_hand::{ByHand, draw, made_up},
    devnet::{Devnet, Pace},
    model,
    outcome::JobOutcome,
    programs,
};
use serde::Serialize;

use crate::pool::grow;

/// Committees that are measured.
const SIZES: [u8; 5] = [3, 5, 7, 15, 31];

/// Seats of the pools that a committee of three is drawn from.
const POOLS: [u32; 2] = [10, 100_000];

/// Step by step, of a committee of three, on slots that earlier jobs have used.
type Steps = BTreeMap<String, u64>;

/// What a job costs, by the size of its committee: the second one of each, which writes to slots that the first has used, as
/// on a busy deployment.
#[derive(Serialize)]
pub(crate) struct Gas {
    job: BTreeMap<u8, u64>,
    /// The very first one of a deployment, with three seats: nobody in it has used a slot before.
    first_job: u64,
    /// From the smallest committee to the third: it grows with the committee, as `job` shows.
    per_extra_verifier: u64,
    /// The mean of each kind; an appeal is the one to seven seats.
    steps: Steps,
    /// Of three seats, by the size of the pool.
    draw: BTreeMap<u32, u64>,
}

/// Who plays: a requester, and a verifier that holds all the seats.
struct Cast {
    devnet: Devnet,
    model: B256,
    requester: Account,
    /// One account, which counts its transactions.
    verifier: Account,
    seats: Vec<ByHand>,
}

/// Runs jobs of each size, and all that can happen to one of three.
pub(crate) async fn measure() -> Result<Gas> {
    let devnet = Devnet::start(Pace::Fast).await?;
    let model = model::register(&devnet, &devnet.party("author")?).await?;
    let requester = devnet.chain.account(devnet.party("requester")?.signer)?;
    let verifier = devnet.chain.account(devnet.party("verifier")?.signer)?;
    let mut cast = Cast { devnet, model, requester, verifier, seats: Vec::new() };

    let (mut job, mut first, mut steps) = (BTreeMap::new(), BTreeMap::new(), Steps::new());
    for size in SIZES {
        cast.enrol(usize::from(size)).await?;
        first.insert(size, total(&cast.play(size).await?));
        let gas = cast.play(size).await?;
        eprintln!("committee of {size}: {} gas, the first time {}", total(&gas), first[&size]);
        job.insert(size, total(&gas));
        if size == SIZES[0] {
            steps = means(&gas);
        }
    }
    steps.extend(cast.appeal(SIZES[0]).await?);
    steps.extend(cast.withdraw().await?);

    let mut draw = BTreeMap::new();
    for pool in POOLS {
        draw.insert(pool, cast.draw_from(pool).await?);
    }
    let (few, many) = (SIZES[0], SIZES[2]);
    let per_extra_verifier = (job[&many] - job[&few]) / u64::from(many - few);
    Ok(Gas { first_job: first[&few], job, per_extra_verifier, steps, draw })
}

impl Cast {
    async fn enrol(&mut self, seats: usize) -> Result<()> {
        while self.seats.len() < seats {
            let (chain, account) = (&self.devnet.chain, self.verifier.clone());
            let stake = chain.models().seatStakeOf(self.model).call().await?;
            let stakes = chain.stakes();
            let call = stakes.enrol(self.model, account.address).value(U256::from(stake));
            let enrolled =
                account.send(call).await?.decoded_log::<Enrolled>().ok_or_eyre("enrolled without an event")?;
            self.seats.push(ByHand { account, seat: enrolled.seat });
        }
        self.age().await
    }

    async fn age(&self) -> Result<()> {
        // A seat counts one to two seat ages after it enrolled.
        let age = self.devnet.chain.stakes().seatAge().call().await?;
        self.devnet.pass(2 * u64::from(age) + 1).await
    }

    /// Of each transaction of a job from its request to its settlement.
    async fn play(&self, size: u8) -> Result<Vec<(String, u64)>> {
        let job = self.request(size).await?;
        self.vote(job).await?;
        self.close(job).await?;
        let outcome = JobOutcome::read(&self.devnet.chain, job).await?;
        ensure!(outcome.outcome() == Outcome::Accepted, "the job was not accepted");
        let name = |step: &str| if step == "draw+commit" { "drawAndCommit".to_owned() } else { step.to_owned() };
        Ok(outcome.gas.iter().map(|step| (name(&step.step), step.gas)).collect())
    }

    /// An appeal, and the settlement of the round that it challenged in vain.
    async fn appeal(&self, size: u8) -> Result<Steps> {
        let job = self.request(size).await?;
        self.vote(job).await?;
        let request = JobOutcome::read(&self.devnet.chain, job).await?.request;
        let oracle = self.devnet.chain.oracle();
        let call = oracle.appeal(request.job.clone()).value(escrow_of(&request.job, 2));
        let appeal = self.requester.send(call).await?.gas_used;
        self.vote(job).await?;
        let settled = self.close(job).await?;
        let (name, earlier) = settled.last().cloned().ok_or_eyre("nothing was settled")?;
        ensure!(name == "settleEarlier", "the challenged round was not settled");
        Ok(Steps::from([("appeal".to_owned(), appeal), (name, earlier)]))
    }

    /// What the requester has at the oracle, and what one seat has earned.
    async fn withdraw(&self) -> Result<Steps> {
        let chain = &self.devnet.chain;
        let balance = self.requester.send(chain.oracle().withdraw(self.requester.address)).await?.gas_used;
        let (owner, seat) = (&self.seats[0].account, self.seats[0].seat);
        let earned = owner.send(chain.stakes().withdrawEarnings(self.model, vec![seat], owner.address)).await?.gas_used;
        Ok(Steps::from([("withdraw".to_owned(), balance), ("withdrawEarnings".to_owned(), earned)]))
    }

    /// All of the latest committee agree; the first of them draws.
    async fn vote(&self, job: B256) -> Result<()> {
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
        Ok(())
    }

    /// Lets the appeal window pass, and settles every round: what was sent, and its gas.
    async fn close(&self, job: B256) -> Result<Vec<(String, u64)>> {
        let decided = JobOutcome::read(&self.devnet.chain, job).await?;
        let latest = decided.history.latest().ok_or_eyre("the job has no rounds")?;
        let appeal_deadline = latest.appeal_deadline(&decided.request.job, &self.devnet.chain.windows);
        self.devnet.pass_until(appeal_deadline).await?;

        let mut sent = Vec::new();
        loop {
            let look = JobOutcome::read(&self.devnet.chain, job).await?;
            let (Due::Settle(_) | Due::SettleEarlier(_)) = look.due else { return Ok(sent) };
            let data = look.due.calldata(&look.request.job, &look.history, &Default::default());
            let receipt = self.seats[0].account.send_raw(data.ok_or_eyre("settling is a call")?).await?;
            sent.extend(look.due.name().map(|name| (name.to_owned(), receipt.gas_used)));
        }
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
        Ok(receipt.decoded_log::<ImageRequested>().ok_or_eyre("requested without an event")?.jobId)
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
    let model = LocalModel::open(&programs::bundled_model())?;
    Ok(model.manifest.image()?.spec("a fox on a blue background".into()))
}

fn total(gas: &[(String, u64)]) -> u64 {
    gas.iter().map(|(_, gas)| gas).sum()
}

fn means(gas: &[(String, u64)]) -> Steps {
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (step, gas) in gas {
        all.entry(step.clone()).or_default().push(*gas);
    }
    all.into_iter().map(|(step, gas)| (step, gas.iter().sum::<u64>() / gas.len() as u64)).collect()
}

pub(crate) fn print(gas: &Gas) {
    for (size, total) in &gas.job {
        println!("a job with a committee of {size}: {total} gas");
    }
    println!("each verifier more: {} gas", gas.per_extra_verifier);
    println!("the first job of a deployment, with a committee of {}: {} gas", SIZES[0], gas.first_job);
    println!("of a later one, step by step:");
    for (step, mean) in &gas.steps {
        println!("  {step:16} {mean}");
    }
    for (pool, draw) in &gas.draw {
        println!("a draw of {} from {pool} seats: {draw} gas", SIZES[0]);
    }
    println!(
        "(enrolling so many takes hours: the pool's size, and the seats that are drawn, were written into storage)"
    );
}
