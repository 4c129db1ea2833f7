//! Two nodes with one key, by mistake.

use eyre::{Result, ensure};
use quorate_tests::{
    devnet::Pace,
    play::{PATIENCE, Play},
};

use crate::{all_went_well, log_of};

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_with_one_key_vote_once_and_lose_nothing_and_it_is_noticed() -> Result<()> {
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
    // What both send alike is one transaction; the twin's announcement is the other's first sign of it.
    let warnings = |log: &str| log.matches("another program sends transactions with the key of").count();
    let noticed = async || Ok((warnings(&log_of(&nodes[0])?) > 0).then_some(()));
    play.devnet.until("the twin to be noticed", PATIENCE, noticed).await?;
    for node in [&nodes[0], &twin] {
        let log = log_of(node)?;
        ensure!(log.contains("drawn"), "each did its best:\n{log}");
        ensure!(warnings(&log) <= 1, "it says so once:\n{log}");
    }
    Ok(())
}
