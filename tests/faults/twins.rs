//! Two nodes with one key, by mistake.

use eyre::{Result, ensure};
use quorate_tests::{
    devnet::Pace,
    play::{PATIENCE, Play},
};

use crate::{all_went_well, log_of};

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_one_key_vote_once_lose_nothing_and_both_say_so() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Fast, None).await?;
    let nodes = play.nodes(["alice", "bob", "carol"]).await?;
    let mut twin = nodes[0].twin(&play.devnet);
    twin.start()?;
    // It has an address of its own, and announces it in place of the other's.
    twin.ready(&play.devnet).await?;

    for prompt in ["a kite", "a drum"] {
        let end = play.end(play.submit(prompt).await?).await?;
        all_went_well(&end, &nodes, "a twin")?;
    }
    for node in [&nodes[0], &twin] {
        let noticed = async || Ok(log_of(node)?.contains("with the key of").then_some(()));
        play.devnet.until("the other to be noticed", PATIENCE, noticed).await?;
        let log = log_of(node)?;
        ensure!(log.contains("drawn"), "each did its best:\n{log}");
        let warnings = log.matches("another program sends transactions with the key of").count();
        ensure!(warnings == 1, "{warnings} warnings:\n{log}");
    }
    Ok(())
}
