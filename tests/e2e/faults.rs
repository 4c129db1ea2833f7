//! The chain itself misbehaves.

use alloy::primitives::U256;
use eyre::{Result, ensure};
use oracle::chain::IGenerationOracle::{Outcome, Step};

use crate::play::{PATIENCE, Play, share};

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_that_takes_draw_and_commitments_back_costs_nobody_anything() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob", "carol"]).await?;

    let job = play.submit("an anchor").await?;
    play.step(job, nodes[0].seat, Step::Committed).await?;
    let before = play.look(job).await?;
    let seed_block = before.history.rounds[0].randomness;
    let depth = play.devnet.chain.now().await?.block - before.request.block;
    let lost = play.devnet.block_hash(seed_block).await?;
    play.devnet.reorganise(depth).await?;
    ensure!(play.devnet.block_hash(seed_block).await? != lost, "the seed block has another hash now");

    let end = play.end(job).await?;
    assert_eq!(end.outcome(), Outcome::Accepted);
    for node in &nodes {
        assert_eq!(end.paid_to(node.seat), share(), "{}", node.party.name);
        assert_eq!(end.slashed_from(node.seat), U256::ZERO, "{}", node.party.name);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_reorganisation_took_back_leaves_the_nodes_working() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob", "carol"]).await?;

    let lost = play.submit("a bell").await?;
    play.step(lost, nodes[0].seat, Step::Committed).await?;
    let request = play.look(lost).await?.request;
    let depth = play.devnet.chain.now().await?.block - request.block + 1;
    play.devnet.reorganise(depth).await?;
    play.devnet
        .until("the request to be gone", PATIENCE, async || {
            Ok(play.devnet.chain.history(&request).await?.rounds.is_empty().then_some(()))
        })
        .await?;

    let job = play.submit("a star").await?;
    let end = play.end(job).await?;
    assert_eq!(end.outcome(), Outcome::Accepted);
    for node in &nodes {
        assert_eq!(end.slashed_from(node.seat), U256::ZERO, "{}", node.party.name);
    }
    Ok(())
}
