//! What a node has committed it reveals, whatever happened to it in between.

use std::fs;

use alloy::primitives::{B256, U256};
use eyre::Result;
use oracle::chain::IGenerationOracle::{Outcome, Phase, Step};
use quorate_tests::{
    by_hand::{ByHand, made_up},
    verifier::Verifier,
};

use crate::play::{PATIENCE, Play, bond, share};

/// Two nodes have committed. Nobody can reveal before carol has, too.
async fn two_have_committed() -> Result<(Play, [Verifier; 2], ByHand, B256)> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob"]).await?;
    let last = play.by_hand("carol").await?;
    let job = play.submit("a sun").await?;
    for node in &nodes {
        play.step(job, node.seat, Step::Committed).await?;
    }
    Ok((play, nodes, last, job))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_between_commit_and_reveal_reveals_after_its_restart() -> Result<()> {
    let (play, mut nodes, last, job) = two_have_committed().await?;
    nodes[0].kill();
    last.commit(job, &made_up(1)).await?;
    play.phase(job, Phase::Reveal).await?;
    last.reveal(job, &made_up(1)).await?;
    play.step(job, nodes[1].seat, Step::Revealed).await?;

    nodes[0].start()?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!(end.ballot(nodes[0].seat)?.step, Step::Revealed);
    assert_eq!(end.paid_to(nodes[0].seat), share());
    assert_eq!(end.slashed_from(nodes[0].seat), U256::ZERO);
    Ok(())
}

/// Its salt follows from its key, and its picture from the job.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_data_are_lost_after_its_commitment_makes_them_again_and_reveals() -> Result<()> {
    let (play, mut nodes, last, job) = two_have_committed().await?;
    nodes[0].kill();
    fs::remove_dir_all(nodes[0].data_dir())?;
    nodes[0].start()?;
    let said = "committed, and not in the journal: making it again to open it";
    play.devnet
        .until("the loss to be noticed", PATIENCE, async || Ok(log_of(&nodes[0])?.contains(said).then_some(())))
        .await?;
    last.commit(job, &made_up(1)).await?;
    play.phase(job, Phase::Reveal).await?;
    last.reveal(job, &made_up(1)).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!(end.ballot(nodes[0].seat)?.step, Step::Revealed);
    assert_eq!((end.paid_to(nodes[0].seat), end.slashed_from(nodes[0].seat)), (share(), U256::ZERO));
    Ok(())
}

/// Another machine, or another numeric profile, makes other bits.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_make_again_what_it_committed_says_so() -> Result<()> {
    let (play, mut nodes, last, job) = two_have_committed().await?;
    nodes[0].kill();
    fs::remove_dir_all(nodes[0].data_dir())?;
    let [alice, bob] = nodes;
    let mut alice = alice.with(&["--arithmetic", "f16"]);
    alice.start()?;
    let said = "the chain has another commitment than this node's";
    play.devnet
        .until("the difference to be said", PATIENCE, async || Ok(log_of(&alice)?.contains(said).then_some(())))
        .await?;
    last.commit(job, &made_up(1)).await?;
    play.step(job, bob.seat, Step::Revealed).await?;
    last.reveal(job, &made_up(1)).await?;
    play.close(job, Phase::Reveal).await?;
    let end = play.end(job).await?;

    assert_eq!(end.ballot(alice.seat)?.step, Step::Committed);
    assert_eq!(end.slashed_from(alice.seat), bond());
    Ok(())
}

fn log_of(node: &Verifier) -> Result<String> {
    Ok(fs::read_to_string(node.log())?)
}
