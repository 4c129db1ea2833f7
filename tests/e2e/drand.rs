//! Draws that are seeded by drand, as on chains without a fresh RANDAO.

use std::fs;

use eyre::{OptionExt as _, Result, ensure};
use oracle::chain::IGenerationOracle::{Outcome, Phase};
use quorate_tests::{
    drand::{Honesty, Network},
    verifier::Verifier,
};

use crate::play::{Play, share};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:1/chain";

#[tokio::test(flavor = "multi_thread")]
async fn nodes_draw_by_the_round_that_an_honest_relay_has() -> Result<()> {
    let network = Network::new(1)?;
    let (honest, lying) = (network.relay(Honesty::Honest).await?, network.relay(Honesty::Lying).await?);
    let play = Play::begin_by_drand(&network).await?;
    let urls = [lying.url(), NOWHERE.to_owned(), honest.url()].join(",");
    let nodes = play.verifiers(["alice", "bob", "carol"]).await?;
    let mut nodes = nodes.map(|node| node.with(&["--drand-url", &urls]));
    nodes.iter_mut().try_for_each(Verifier::start)?;
    for node in &mut nodes {
        node.ready(&play.devnet).await?;
    }

    let end = play.end(play.submit("a fox").await?).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    for node in &nodes {
        assert_eq!(end.paid_to(node.seat).min(share()), share(), "{}", node.party.name);
        let log = fs::read_to_string(node.log())?;
        ensure!(log.contains("its signature is not the network's of that round"), "the liar is not named in\n{log}");
        ensure!(log.contains("it does not answer"), "who is silent is not named in\n{log}");
    }
    let first = end.history.round(1).ok_or_eyre("it has no round")?;
    let drawn = first.drawn.as_ref().ok_or_eyre("it was not drawn")?;
    let time = play.devnet.chain.time_of(drawn.block).await?;
    ensure!(time >= end.request.job.requestedAt.to::<u64>() + 30, "drawn at {time}, before anybody could know");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn anyone_draws_with_a_relay_and_a_lie_never_reaches_the_chain() -> Result<()> {
    let (network, other) = (Network::new(1)?, Network::new(2)?);
    let (honest, foreign) = (network.relay(Honesty::Honest).await?, other.relay(Honesty::Honest).await?);
    let play = Play::begin_by_drand(&network).await?;
    for name in ["alice", "bob", "carol"] {
        play.by_hand(name).await?;
    }
    let job = play.submit("a fox").await?;
    let advance = |urls: &str| {
        let command = play.devnet.oracle()?.args(["advance", &job.to_string(), "--drand-url", urls]);
        Ok::<_, eyre::Report>(command.signed_by(&play.requester))
    };
    let early = advance(&honest.url())?.json().await?;
    ensure!(early["sent"].is_null() && early["next"].as_str().is_some_and(|next| next.ends_with(" s")), "{early}");
    play.phase(job, Phase::Draw).await?;

    let said = advance(&format!("{},{NOWHERE}", foreign.url()))?.refuse().await?;
    ensure!(said.contains("not the network's of that round") && said.contains("--drand-url"), "{said}");
    let drawn = advance(&honest.url())?.json().await?;
    assert_eq!((drawn["sent"].as_str(), drawn["phase"].as_str()), (Some("draw"), Some("commit")));
    Ok(())
}
