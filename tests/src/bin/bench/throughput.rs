//! Throughput: jobs a second through one node whose model costs nothing, while others wait; and how fast a node that was
//! away catches up.
//!
//! The jobs that wait were requested before the node had seats: their committees will be of verifiers who do not turn up,
//! and the node sees to them as to every job of its model, since it may have to draw them in the end. The jobs that are
//! measured draw three of its own seats each. A seat takes longer to count than a request waits for its draw, so that the
//! node's are made older in the contract's storage.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use alloy::{
    network::{EthereumWallet, TransactionBuilder as _},
    primitives::{Address, B256, U256, aliases::U96},
    providers::{Provider as _, ProviderBuilder},
    rpc::types::{Filter, TransactionRequest},
    sol_types::{SolCall as _, SolEvent as _},
};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use oracle::{
    chain::IGenerationOracle::{ImageRequested, Revealed, Terms, requestImageCall},
    fees::{fee_of, foreseen},
    manifest::LocalModel,
    spec::ImageSpec,
};
use prover_node::journal::Journal;
use quorate_tests::{
    by_hand::ByHand,
    devnet::{Devnet, Pace, Profile},
    model,
    party::Party,
    programs,
    verifier::Verifier,
};
use serde::Serialize;

use crate::pool;

/// Jobs that wait beside those that are measured.
const WAITING: [usize; 3] = [1, 100, 10_000];

/// Jobs that are measured, requested at once.
const JOBS: usize = 64;

/// Seats of the node: so many that none is drawn for more than its eight jobs.
const SEATS: usize = 160;

/// Blocks that a node which was away catches up on.
const AWAY: u64 = 20_000;

/// The jobs that wait meanwhile. Beside the most, anvil takes more than a minute to mine the blocks.
const CAUGHT_UP_ON: usize = WAITING[1];

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(900);

/// A node that uses less of a processor than this has looked at all that waits.
const AT_REST: f64 = 0.3;

/// How long it is watched for that.
const WATCHED: Duration = Duration::from_secs(3);

/// Linux counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a node does in how much time.
#[derive(Serialize)]
pub(crate) struct Throughput {
    /// Processor time of the node for a job, from its request to its last opening, the model's left out.
    overhead_ms_per_job: f64,
    /// The same by the number of jobs that wait.
    overhead_by_waiting_ms: BTreeMap<usize, f64>,
    /// Share of a processor that a node takes which only watches that many jobs wait.
    watching_by_waiting: BTreeMap<usize, f64>,
    /// By the number of jobs that wait.
    jobs_per_second: BTreeMap<usize, f64>,
    /// From its start to the newest block.
    catch_up_blocks_per_second: f64,
}

/// One chain with its players.
struct Stage {
    devnet: Devnet,
    model: B256,
    requester: Party,
    node: Verifier,
}

pub(crate) async fn measure() -> Result<Throughput> {
    let (mut jobs_per_second, mut overhead_by_waiting_ms) = (BTreeMap::new(), BTreeMap::new());
    let mut watching_by_waiting = BTreeMap::new();
    let mut catch_up_blocks_per_second = 0.0;
    for waiting in WAITING {
        let (mut stage, watching) = Stage::set(waiting).await?;
        let (per_second, overhead) = stage.play().await?;
        let still = Journal::read(stage.node.data_dir()).await?.open_jobs().await?.requested;
        ensure!(
            still >= waiting as u64,
            "only {still} of {waiting} jobs still wait: this machine is too slow for that"
        );
        eprintln!("{}", line(waiting, per_second, overhead, watching));
        jobs_per_second.insert(waiting, per_second);
        overhead_by_waiting_ms.insert(waiting, overhead);
        watching_by_waiting.insert(waiting, watching);
        if waiting == CAUGHT_UP_ON {
            catch_up_blocks_per_second = stage.catch_up().await?;
        }
    }
    Ok(Throughput {
        overhead_ms_per_job: overhead_by_waiting_ms[&WAITING[0]],
        overhead_by_waiting_ms,
        watching_by_waiting,
        jobs_per_second,
        catch_up_blocks_per_second,
    })
}

impl Stage {
    /// Beside so many waiting jobs, of which the node takes the given share of a processor.
    async fn set(waiting: usize) -> Result<(Self, f64)> {
        let devnet = Devnet::start_as(Pace::Fast, Profile::Mainnet).await?;
        let model = model::register(&devnet, &devnet.party("author")?).await?;
        let requester = devnet.party("requester")?;
        let others = devnet.party("others")?;
        let mut seats = vec![ByHand::enrol(&devnet, &others, model).await?];
        for _ in 1..3 {
            seats.push(seats[0].another(model).await?);
        }
        let stakes = devnet.chain.stakes();
        let age = u64::from(stakes.seatAge().call().await?);
        devnet.pass(2 * age + 1).await?;
        request(&devnet, model, &requester, waiting).await?;
        for seat in &seats {
            seat.account.send(stakes.leavePool(model, seat.seat)).await?;
        }

        let party = devnet.party("node")?;
        let account = devnet.chain.account(party.signer.clone())?;
        let stake = U256::from(devnet.chain.models().seatStakeOf(model).call().await?);
        let mut calls = Vec::new();
        for _ in 0..SEATS {
            calls.push((stakes.enrol(model, account.address).calldata().clone(), stake));
        }
        send_all(&devnet, &party, devnet.chain.deployment.generation_oracle, calls).await?;
        pool::age(&devnet, model, 3..3 + SEATS as u32, 2 * age).await?;

        let mut node = Verifier::unseated(&devnet, party)?.by(programs::built("instant")?);
        node.start()?;
        node.ready(&devnet).await?;
        follow_to(&devnet, &node, devnet.chain.now().await?.block).await?;
        let stage = Self { devnet, model, requester, node };
        let watching = stage.at_rest().await?;
        Ok((stage, watching))
    }

    /// Waits until the node has seen to everything, and says which share of a processor it takes then.
    async fn at_rest(&self) -> Result<f64> {
        self.devnet
            .until("the node to come to rest", PATIENCE, async || {
                let (began, busy) = (Instant::now(), self.processor_time()?);
                tokio::time::sleep(WATCHED).await;
                let share = (self.processor_time()? - busy) / began.elapsed().as_secs_f64();
                Ok((share < AT_REST).then_some(share))
            })
            .await
    }

    /// Jobs a second, and milliseconds of the processor for each.
    async fn play(&mut self) -> Result<(f64, f64)> {
        let (began, busy) = (Instant::now(), self.processor_time()?);
        let since = self.devnet.chain.now().await?.block;
        let jobs = request(&self.devnet, self.model, &self.requester, JOBS).await?;
        ensure!(jobs.len() == JOBS, "only {} of {JOBS} requests were taken", jobs.len());
        let filter = Filter::new()
            .address(self.devnet.chain.deployment.generation_oracle)
            .event_signature(Revealed::SIGNATURE_HASH)
            .from_block(since);
        self.devnet
            .until("all votes to be opened", PATIENCE, async || {
                let logs = self.devnet.chain.provider.get_logs(&filter).await?;
                let ours = logs.iter().filter(|log| log.topics().get(1).is_some_and(|job| jobs.contains(job)));
                Ok((ours.count() == 3 * JOBS).then_some(()))
            })
            .await?;
        let busy = self.processor_time()? - busy;
        Ok((JOBS as f64 / began.elapsed().as_secs_f64(), 1e3 * busy / JOBS as f64))
    }

    /// Blocks a second of a node that was away, its start included.
    async fn catch_up(&mut self) -> Result<f64> {
        self.node.kill();
        let last = followed(self.node.data_dir()).await?.ok_or_eyre("the node has followed nothing")?;
        // At once, anvil would be silent for longer than anybody waits.
        for _ in 0..AWAY / 100 {
            self.devnet.mine(100).await?;
        }
        let newest = self.devnet.chain.now().await?.block;
        let began = Instant::now();
        self.node.start()?;
        follow_to(&self.devnet, &self.node, newest).await?;
        Ok((newest - last) as f64 / began.elapsed().as_secs_f64())
    }

    fn processor_time(&self) -> Result<f64> {
        let id = self.node.process_id().ok_or_eyre("the node does not run")?;
        let stat =
            fs::read_to_string(format!("/proc/{id}/stat")).wrap_err("processor time is measured on Linux only")?;
        // After the name, which may hold anything: utime and stime are the 14th and 15th field.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<f64>().ok());
        Ok((ticks(14).ok_or_eyre("no utime")? + ticks(15).ok_or_eyre("no stime")?) / TICKS_PER_SECOND)
    }
}

/// Pays for so many jobs, and returns their ids once all are on chain.
async fn request(devnet: &Devnet, model: B256, requester: &Party, count: usize) -> Result<HashSet<B256>> {
    let chain = &devnet.chain;
    let registered = chain.models().modelOf(model).call().await?;
    let terms = Terms {
        committeeSize: 3,
        superMajority: false,
        fixedSeed: true,
        share: registered.seatStake / U96::from(160),
        commitWindow: chain.windows.mostCommit,
        consumer: Address::ZERO,
        consumerGas: 0,
    };
    let fee = fee_of(&foreseen(&registered, &terms, chain.base_fee().await?.saturating_mul(100)));
    let bundled = LocalModel::open(&programs::bundled_model())?;
    let spec = bundled.manifest.image()?.spec("a fox on a blue background".into());
    let call = |number: usize| {
        let spec = ImageSpec { seed: B256::from(U256::from(number)), ..spec.clone() };
        let call = requestImageCall { modelId: model, spec: (&spec).into(), terms: terms.clone() };
        (call.abi_encode().into(), fee)
    };
    let since = chain.now().await?.block;
    send_all(devnet, requester, chain.deployment.generation_oracle, (0..count).map(call).collect()).await?;
    let filter = Filter::new()
        .address(chain.deployment.generation_oracle)
        .event_signature(ImageRequested::SIGNATURE_HASH)
        .topic2(requester.address().into_word())
        .from_block(since);
    let logs = chain.provider.get_logs(&filter).await?;
    Ok(logs.iter().filter_map(|log| log.topics().get(1).copied()).collect())
}

/// Sends all calls without waiting for one another, and waits until the last one is on chain.
async fn send_all(
    devnet: &Devnet,
    from: &Party,
    to: Address,
    calls: Vec<(alloy::primitives::Bytes, U256)>,
) -> Result<()> {
    let provider = ProviderBuilder::new()
        .wallet(EthereumWallet::from(from.signer.clone()))
        .connect_http(devnet.rpc_url().parse()?);
    let (mut nonce, gas_price) =
        (provider.get_transaction_count(from.address()).await?, provider.get_gas_price().await?);
    let last = nonce + calls.len() as u64;
    for (data, value) in calls {
        let transaction = TransactionRequest::default()
            .with_to(to)
            .with_input(data)
            .with_value(value)
            .with_nonce(nonce)
            .with_gas_limit(400_000)
            .with_max_fee_per_gas(20 * gas_price)
            .with_max_priority_fee_per_gas(1);
        let _ = provider.send_transaction(transaction).await?;
        nonce += 1;
    }
    devnet
        .until("the transactions to be mined", PATIENCE, async || {
            let mined = provider.get_transaction_count(from.address()).await?;
            Ok((mined >= last).then_some(()))
        })
        .await
}

/// Waits until the node has taken in everything up to `block`, or as near as its depth lets it.
async fn follow_to(devnet: &Devnet, node: &Verifier, block: u64) -> Result<()> {
    devnet
        .until("the node to catch up", PATIENCE, async || {
            Ok(followed(node.data_dir()).await?.filter(|followed| followed + 2 >= block).map(|_| ()))
        })
        .await
}

async fn followed(data_dir: &Path) -> Result<Option<u64>> {
    let Ok(journal) = Journal::read(data_dir).await else { return Ok(None) };
    Ok(journal.trail().await.ok().flatten().and_then(|trail| trail.last()).map(|cursor| cursor.number))
}

pub(crate) fn print(figures: &Throughput) {
    for (&waiting, &per_second) in &figures.jobs_per_second {
        let (overhead, watching) = (figures.overhead_by_waiting_ms[&waiting], figures.watching_by_waiting[&waiting]);
        println!("{}", line(waiting, per_second, overhead, watching));
    }
    println!("catching up: {:.0} blocks a second", figures.catch_up_blocks_per_second);
}

fn line(waiting: usize, per_second: f64, overhead: f64, watching: f64) -> String {
    format!(
        "beside {waiting} waiting jobs: {per_second:.2} jobs a second, {overhead:.1} ms of the processor for each; \
         watching takes {:.1} % of one",
        100.0 * watching
    )
}
