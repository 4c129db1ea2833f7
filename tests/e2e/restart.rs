//! What a node has committed it reveals, whatever happened to it in between.

use alloy::primitives::U256;
use eyre::Result;
use oracle::chain::IGenerationOracle::{Outcome, Phase, Step};
use quorate_tests::by_hand::made_up;

use crate::play::{Play, share};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_between_commit_and_reveal_reveals_after_its_restart() -> Result<()> {
    let play = Play::begin().await?;
    let mut nodes = play.nodes(["alice", "bob"]).await?;
    // Nobody can reveal before this one has committed.
    let last = play.by_hand("carol").await?;

    let job = play.submit("a sun").await?;
    for node in &nodes {
        play.step(job, node.seat, Step::Committed).await?;
    }
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
