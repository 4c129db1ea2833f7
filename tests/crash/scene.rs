//! What every crash happens in: a chain whose blocks the test makes, three nodes in all its seats, and a requester.

use std::{sync::Arc, time::Duration};

use alloy::{
    consensus::Transaction as _,
    primitives::{B256, U256, utils::parse_ether},
    providers::{Provider as _, ext::AnvilApi as _},
    sol_types::SolCall as _,
};
use eyre::{OptionExt as _, Result, ensure};
use oracle::chain::IGenerationOracle::{Outcome, Step, commitCall, drawAndCommitCall, revealCall};
use quorate_tests::{
    devnet::{Devnet, Pace},
    model,
    outcome::JobOutcome,
    party::Party,
    programs,
    verifier::Verifier,
};
use tokio::{sync::watch, task::AbortHandle};

/// Longer than anything takes on a busy machine with two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between two blocks, each a second of the chain.
const BLOCK: Duration = Duration::from_millis(150);

/// By which a node ends at a crash point.
const SIGABRT: i32 = 6;

/// Says where a node is to crash.
const CRASH_AT: &str = "QUORATE_CRASH_AT";

/// Which function a transaction calls.
type Selector = [u8; 4];

/// A chain, three nodes and a requester.
pub(crate) struct Scene {
    pub(crate) devnet: Arc<Devnet>,
    pub(crate) nodes: [Verifier; 3],
    model: B256,
    requester: Party,
    /// Whether there are blocks.
    time: watch::Sender<bool>,
    clock: AbortHandle,
}

impl Scene {
    /// None of the nodes is started yet.
    pub(crate) async fn set() -> Result<Self> {
        let devnet = Arc::new(Devnet::start(Pace::Fast).await?);
        let model = model::register(&devnet, &devnet.party("author")?).await?;
        let requester = devnet.party("requester")?;
        let parties = ["alice", "bob", "carol"].map(|name| devnet.party(name)).into_iter().collect::<Result<_>>()?;
        let verifiers = Verifier::register(&devnet, parties, model).await?;
        let fragile = programs::built("fragile")?;
        // What is announced does not depend on the port: nothing but votes is sent after the first start.
        let node = |verifier: Verifier| {
            let url = format!("http://{}.example", verifier.party.name);
            verifier.with(&["--public-url", &url]).by(fragile.clone())
        };
        let nodes = <[_; 3]>::try_from(verifiers.into_iter().map(node).collect::<Vec<_>>());
        let nodes = nodes.map_err(|_| eyre::eyre!("as many verifiers as names"))?;

        devnet.chain.provider.anvil_set_interval_mining(0).await?;
        let (time, mut runs) = watch::channel(true);
        let chain = Arc::clone(&devnet);
        let clock = tokio::spawn(async move {
            while runs.wait_for(|runs| *runs).await.is_ok() {
                // The chain ends with the scene.
                let _ = chain.chain.provider.evm_mine(None).await;
                tokio::time::sleep(BLOCK).await;
            }
        });
        Ok(Self { devnet, nodes, model, requester, time, clock: clock.abort_handle() })
    }

    /// Starts a node, to crash there if anywhere. Time stands still until it is up, or has crashed.
    pub(crate) async fn start(&mut self, node: usize, crash: Option<&str>) -> Result<()> {
        self.time.send_replace(false);
        self.nodes[node].set(CRASH_AT, crash);
        self.nodes[node].start()?;
        let up = self.nodes[node].up(&self.devnet).await;
        if crash.is_none() || self.nodes[node].ended()?.is_none() {
            up?;
        }
        self.time.send_replace(true);
        Ok(())
    }

    /// Waits until the node has been killed by its crash point.
    pub(crate) async fn crashed(&mut self, node: usize, point: &str) -> Result<()> {
        use std::os::unix::process::ExitStatusExt as _;

        let (devnet, node) = (&self.devnet, &mut self.nodes[node]);
        let status = devnet.until(&format!("the crash at {point:?}"), PATIENCE, async || node.ended()).await?;
        ensure!(status.signal() == Some(SIGABRT), "at {point:?} the node ended with {status}");
        Ok(())
    }

    /// Throws blocks away until the node, which may not have seen those, has noticed and ended.
    pub(crate) async fn reorganise_until_crashed(&mut self, node: usize) -> Result<()> {
        let (devnet, node) = (&self.devnet, &mut self.nodes[node]);
        devnet
            .until("the reorganisation to be noticed", PATIENCE, async || {
                let ended = node.ended()?;
                if ended.is_none() {
                    devnet.reorganise(3).await?;
                }
                Ok(ended.map(|_| ()))
            })
            .await
    }

    /// Pays for a picture by a committee of all three.
    pub(crate) async fn submit(&self) -> Result<B256> {
        let age = self.devnet.chain.stakes().seatAge().call().await?;
        self.devnet.pass(2 * u64::from(age)).await?;
        let submitted = self
            .devnet
            .oracle()?
            .args(["submit", "a sun", "--model", &self.model.to_string(), "--steps", "2", "--committee", "3"])
            .arg("--manifest")
            .arg(programs::bundled_model())
            .args(["--share", &model::SHARE.to_string()])
            .signed_by(&self.requester)
            .json()
            .await?;
        Ok(submitted["jobId"].as_str().ok_or_eyre("no job id was printed")?.parse()?)
    }

    /// Whether everybody has his money.
    pub(crate) async fn is_closed(&self, job: B256) -> Result<bool> {
        Ok(JobOutcome::read(&self.devnet.chain, job).await?.is_closed())
    }

    /// Waits until everybody has his money, and sees that each node has earned it and lost nothing.
    pub(crate) async fn end(&self, job: B256, story: &str) -> Result<()> {
        let end = self
            .devnet
            .until(&format!("the end of the job after {story:?}"), PATIENCE, async || {
                let look = JobOutcome::read(&self.devnet.chain, job).await?;
                Ok(look.is_closed().then_some(look))
            })
            .await?;
        ensure!(end.outcome() == Outcome::Accepted, "after {story:?} the job ended {:?}", end.outcome());
        let share = parse_ether(&model::SHARE.to_string())?;
        for node in &self.nodes {
            let name = &node.party.name;
            let step = end.ballot(node.seat)?.step;
            ensure!(step == Step::Revealed, "after {story:?} {name} has {step:?}");
            ensure!(end.paid_to(node.seat) == share, "after {story:?} {name} earned {}", end.paid_to(node.seat));
            ensure!(end.slashed_from(node.seat) == U256::ZERO, "after {story:?} {name} was slashed");
        }
        self.nothing_twice(end.request.block, story).await
    }

    /// Since that block each node has sent one commitment and one opening, whatever came of them.
    async fn nothing_twice(&self, since: u64, story: &str) -> Result<()> {
        let mut sent = Vec::new();
        for number in since..=self.devnet.chain.now().await?.block {
            let block = self.devnet.chain.provider.get_block_by_number(number.into()).full().await?;
            let transactions = block.ok_or_eyre("a block is missing")?.transactions.into_transactions();
            sent.extend(
                transactions
                    .filter_map(|sent| Some((sent.inner.signer(), Selector::try_from(sent.input().get(..4)?).ok()?))),
            );
        }
        for node in &self.nodes {
            let count = |selectors: &[Selector]| {
                let of_node = sent.iter().filter(|(sender, _)| *sender == node.party.address());
                of_node.filter(|(_, selector)| selectors.contains(selector)).count()
            };
            let votes = (count(&[commitCall::SELECTOR, drawAndCommitCall::SELECTOR]), count(&[revealCall::SELECTOR]));
            ensure!(
                votes == (1, 1),
                "after {story:?} {} sent so many commitments and openings: {votes:?}",
                node.party.name
            );
        }
        Ok(())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.clock.abort();
    }
}
