//! What every crash happens in: a chain whose blocks the test makes, three nodes in all its seats, and a requester.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use alloy::{
    consensus::Transaction as _,
    primitives::{Address, B256, U256},
    providers::{Provider as _, ext::AnvilApi as _},
    sol_types::SolCall as _,
};
use eyre::{OptionExt as _, Result, ensure};
use oracle::chain::IGenerationOracle::{Outcome, Step, commitCall, drawAndCommitCall, revealCall};
use quorate_tests::{
    play::{PATIENCE, Play, share},
    programs,
    verifier::Verifier,
};
use tokio::{sync::watch, task::AbortHandle};

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
    pub(crate) play: Play,
    pub(crate) nodes: [Verifier; 3],
    /// Whether there are blocks.
    time: watch::Sender<bool>,
    clock: AbortHandle,
}

impl Scene {
    /// None of the nodes is started yet.
    pub(crate) async fn set() -> Result<Self> {
        let play = Play::begin().await?;
        let fragile = programs::built("fragile")?;
        // What is announced does not depend on the port: nothing but votes is sent after the first start.
        let nodes = play.verifiers(["alice", "bob", "carol"]).await?.map(|node| {
            let url = format!("http://{}.example", node.party.name);
            node.with(&["--public-url", &url]).by(fragile.clone())
        });

        let provider = play.devnet.chain.provider.clone();
        provider.anvil_set_interval_mining(0).await?;
        let (time, mut runs) = watch::channel(true);
        let clock = tokio::spawn(async move {
            while runs.wait_for(|runs| *runs).await.is_ok() {
                // The chain ends with the scene.
                let _ = provider.evm_mine(None).await;
                tokio::time::sleep(BLOCK).await;
            }
        });
        Ok(Self { play, nodes, time, clock: clock.abort_handle() })
    }

    /// Starts a node, to crash there if anywhere. Time stands still until it is up, or has crashed.
    pub(crate) async fn start(&mut self, node: usize, crash: Option<&str>) -> Result<()> {
        self.time.send_replace(false);
        let node = &mut self.nodes[node];
        node.set(CRASH_AT, crash);
        node.start()?;
        let up = node.up(&self.play.devnet).await;
        if crash.is_none() || node.ended()?.is_none() {
            up?;
        }
        self.time.send_replace(true);
        Ok(())
    }

    /// Waits until the node has ended by its crash point.
    pub(crate) async fn crashed(&mut self, node: usize, point: &str) -> Result<()> {
        let (devnet, node) = (&self.play.devnet, &mut self.nodes[node]);
        let status = devnet.until(&format!("the crash at {point:?}"), PATIENCE, async || node.ended()).await?;
        ensure!(status.signal() == Some(SIGABRT), "at {point:?} the node ended with {status}");
        Ok(())
    }

    /// Throws blocks away until the node, which may not have seen those, has noticed and ended. In between the chain grows:
    /// one that is as long as before, at the same time, is no news.
    pub(crate) async fn reorganise_until_crashed(&mut self, node: usize) -> Result<()> {
        let (devnet, node) = (&self.play.devnet, &mut self.nodes[node]);
        let mut last = devnet.chain.now().await?.block;
        devnet
            .until("the reorganisation to be noticed", PATIENCE, async || {
                let (ended, newest) = (node.ended()?, devnet.chain.now().await?.block);
                if ended.is_none() && newest >= last + 10 {
                    devnet.reorganise(5).await?;
                    last = newest;
                }
                Ok(ended.map(|_| ()))
            })
            .await
    }

    /// Waits until everybody has his money, and sees that each node has earned it, has lost nothing, and since the request
    /// has sent one commitment and one opening, whatever came of them.
    pub(crate) async fn end(&self, job: B256, story: &str) -> Result<()> {
        let end = self.play.end(job).await?;
        ensure!(end.outcome() == Outcome::Accepted, "after {story:?} the job ended {:?}", end.outcome());
        let sent = self.sent_since(end.request.block).await?;
        for node in &self.nodes {
            let name = &node.party.name;
            let step = end.ballot(node.seat)?.step;
            ensure!(step == Step::Revealed, "after {story:?} {name} has {step:?}");
            let (paid, lost) = (end.paid_to(node.seat), end.slashed_from(node.seat));
            ensure!((paid, lost) == (share(), U256::ZERO), "after {story:?} {name} got {paid} and lost {lost}");

            let count = |selectors: &[Selector]| {
                let theirs = sent.iter().filter(|(sender, _)| *sender == node.party.address());
                theirs.filter(|(_, selector)| selectors.contains(selector)).count()
            };
            let votes = (count(&[commitCall::SELECTOR, drawAndCommitCall::SELECTOR]), count(&[revealCall::SELECTOR]));
            ensure!(votes == (1, 1), "after {story:?} {name} sent so many commitments and openings: {votes:?}");
        }
        Ok(())
    }

    /// Who has called what since that block.
    async fn sent_since(&self, block: u64) -> Result<Vec<(Address, Selector)>> {
        let chain = &self.play.devnet.chain;
        let mut sent = Vec::new();
        for number in block..=chain.now().await?.block {
            let block = chain.provider.get_block_by_number(number.into()).full().await?;
            let transactions = block.ok_or_eyre("a block is missing")?.transactions.into_transactions();
            let call = |input: &[u8]| Selector::try_from(input.get(..4)?).ok();
            sent.extend(transactions.filter_map(|sent| Some((sent.inner.signer(), call(sent.input())?))));
        }
        Ok(sent)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.clock.abort();
    }
}
