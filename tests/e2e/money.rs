//! What a node does not do for want of money.

use std::fs;

use alloy::{primitives::U256, transports::http::reqwest};
use eyre::{Result, ensure};
use oracle::chain::IGenerationOracle::{Outcome, Step};

use crate::play::{Play, share};

/// One of three nodes has these flags, declines therefore, and says why. Gives what it has said of being ready.
async fn declines(flags: &[&str], says: &str) -> Result<String> {
    let play = Play::begin().await?;
    let [careful, mut bob, mut carol] = play.verifiers(["alice", "bob", "carol"]).await?;
    let mut careful = careful.with(flags);
    for node in [&mut careful, &mut bob, &mut carol] {
        node.start()?;
        node.up(&play.devnet).await?;
    }
    let ready = reqwest::get(format!("{}/ready", careful.metrics_url()?)).await?.text().await?;
    let job = play.submit("a sun").await?;
    play.step(job, careful.seat, Step::Out).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted, "two are a quorum");
    assert_eq!(end.slashed_from(careful.seat), share() / U256::from(4), "half of what silence costs");
    let log = fs::read_to_string(careful.log())?;
    ensure!(log.contains(says), "{says:?} is not in\n{log}");
    Ok(ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_that_does_not_pay_is_declined_with_the_arithmetic() -> Result<()> {
    let ready = declines(&["--min-profit", "1"], "it does not pay: voting earns 0.01 ETH and takes 0.000").await?;
    ensure!(ready.contains(r#""ready":true"#), "another job may pay: {ready}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_committed_that_could_not_be_opened_for_want_of_gas() -> Result<()> {
    let says = "20000 ETH are kept to open what 0 other seats have committed";
    let ready = declines(&["--reserve", "20000"], says).await?;
    ensure!(ready.contains(r#""ready":false"#) && ready.contains(says), "one rule for both: {ready}");
    Ok(())
}
