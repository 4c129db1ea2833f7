//! What a node does for its money, and what it leaves undone.

use std::fs;

use alloy::{
    primitives::{Address, U256},
    providers::ext::AnvilApi as _,
    transports::http::reqwest::{self, StatusCode},
};
use eyre::{OptionExt as _, Result, ensure};
use oracle::{
    chain::IGenerationOracle::{Outcome, Phase, Step},
    finality::Finality,
};
use quorate_tests::{
    by_hand::{ByHand, draw, made_up},
    verifier::{Verifier, endpoint},
};

use crate::play::{PATIENCE, Play, share};

/// Nobody else sends anything after the request: the nodes draw, vote, settle, and call the consumer.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_alone_bring_a_job_to_its_end_for_the_bounties() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob", "carol"]).await?;
    let consumer = Address::repeat_byte(0xc0);

    let job = play.submit_with("a fox", &["--consumer", &consumer.to_string()]).await?;
    let end = play.end(job).await?;

    assert_eq!((end.outcome(), end.history.delivered), (Outcome::Accepted, Some(true)));
    let (mut bounties, mut delivered) = (U256::ZERO, U256::ZERO);
    for node in &nodes {
        let seat = play.devnet.chain.stakes().seatOf(play.model, node.seat).call().await?;
        bounties += U256::from(seat.earned) - share();
        delivered += play.devnet.chain.oracle().balanceOf(node.party.address()).call().await?;
    }
    let job = &end.request.job;
    assert_eq!(bounties, oracle::fees::draw_bounty(job, 1) + oracle::fees::settle_bounty(job, 1));
    assert_eq!(delivered, oracle::fees::deliver_bounty(job));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dissents_from_a_job_with_fixed_noise_loses_its_share_only() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob"]).await?;
    let dissenter = play.by_hand("carol").await?;

    let job = play.submit_with("a bell", &["--seed", "7", "--fixed-seed"]).await?;
    play.phase(job, Phase::Commit).await?;
    dissenter.commit(job, &made_up(1)).await?;
    play.phase(job, Phase::Reveal).await?;
    dissenter.reveal(job, &made_up(1)).await?;
    let end = play.end(job).await?;

    let verdict = end.history.verdict.as_ref().ok_or_eyre("there is a verdict")?;
    assert_eq!((verdict.outcome, verdict.safeValue), (Outcome::Accepted, U256::ZERO));
    assert_eq!((end.paid_to(dissenter.seat), end.slashed_from(dissenter.seat)), (U256::ZERO, U256::ZERO));
    for node in &nodes {
        assert_eq!(end.paid_to(node.seat), share(), "{}", node.party.name);
    }
    Ok(())
}

/// It was down while it was drawn. Had it been silent, it would have lost twice as much, and its seat.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_too_late_declines() -> Result<()> {
    let play = Play::begin().await?;
    let [mut node] = play.nodes(["alice"]).await?;
    let others = [play.by_hand("bob").await?, play.by_hand("carol").await?];
    node.kill();

    let job = play.submit("a key").await?;
    play.phase(job, Phase::Draw).await?;
    draw(&others[0].account, job).await?;
    let look = play.look(job).await?;
    let latest = look.history.latest().ok_or_eyre("the job has no rounds")?;
    let deadline = latest.deadline(&look.request.job, &play.devnet.chain.windows, Phase::Commit);
    // Time stands still but for what is sent, while the node starts.
    play.devnet.chain.provider.anvil_set_auto_mine(true).await?;
    play.devnet.pass_until(deadline.ok_or_eyre("no deadline")? - prover_node::schedule::SENDING + 1).await?;
    play.devnet.mine(1).await?;
    node.start()?;
    play.step(job, node.seat, Step::Out).await?;
    play.close(job, Phase::Commit).await?;
    play.devnet.chain.provider.anvil_set_interval_mining(1).await?;
    play.phase(job, Phase::Appeal).await?;
    play.close(job, Phase::Appeal).await?;
    play.advance(job).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Unresolved);
    assert_eq!(end.slashed_from(node.seat), share() / U256::from(4));
    let seat = play.devnet.chain.stakes().seatOf(play.model, node.seat).call().await?;
    assert!(seat.leftAt.is_zero(), "it keeps its seat");
    Ok(())
}

/// Whoever could fetch a picture earlier could commit to it, if a reorganisation gave it the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_served_once_its_reveal_is_deep_enough() -> Result<()> {
    const DEPTH: u64 = 12;
    let play = Play::begin().await?;
    let [node] = play.verifiers(["alice"]).await?;
    let mut node = node.with_finality(Finality::Depth(DEPTH));
    node.start()?;
    node.ready(&play.devnet).await?;
    let others = [play.by_hand("bob").await?, play.by_hand("carol").await?];

    let job = play.submit("a sun").await?;
    play.phase(job, Phase::Commit).await?;
    for (number, other) in (1..).zip(&others) {
        other.commit(job, &made_up(number)).await?;
    }
    play.step(job, node.seat, Step::Revealed).await?;
    play.devnet.chain.provider.anvil_set_auto_mine(true).await?;

    let hash = play.look(job).await?.ballot(node.seat)?.revealed.ok_or_eyre("it has revealed")?.content_hash;
    let url = endpoint(&play.devnet, node.party.address()).await?.ok_or_eyre("it has announced")?;
    let url = format!("{url}/outputs/{hash}");
    let kept = play.devnet.folder.join("alice/outputs").join(format!("{hash:#x}.png"));
    ensure!(kept.is_file(), "it has its picture");
    ensure!(reqwest::get(&url).await?.status() == StatusCode::NOT_FOUND, "it shows its picture too early");

    play.devnet.mine(DEPTH).await?;
    let served = play
        .devnet
        .until("the picture", PATIENCE, async || {
            let answer = reqwest::get(&url).await?;
            Ok(if answer.status().is_success() { Some(answer.bytes().await?) } else { None })
        })
        .await?;
    assert_eq!(served, fs::read(kept)?);
    Ok(())
}

/// anvil calls a block safe once 32 are on top of it.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_wait_for_safe_blocks_vote_in_time() -> Result<()> {
    const AGE: u64 = 32;
    let play = Play::begin().await?;
    let mut nodes = play.verifiers(["alice", "bob", "carol"]).await?.map(|node| node.with_finality(Finality::Safe));
    nodes.iter_mut().try_for_each(Verifier::start)?;
    for node in &mut nodes {
        node.ready(&play.devnet).await?;
    }

    let end = play.end(play.submit("a moon").await?).await?;
    assert_eq!(end.outcome(), Outcome::Accepted);
    let drawn = end.history.rounds[0].drawn.as_ref().ok_or_eyre("it was drawn")?;
    ensure!(
        drawn.block >= end.request.block + AGE,
        "drawn in block {} of a request in {}",
        drawn.block,
        end.request.block
    );
    for node in &nodes {
        assert_eq!((end.paid_to(node.seat), end.slashed_from(node.seat)), (share(), U256::ZERO), "{}", node.party.name);
    }
    Ok(())
}

/// Anyone can enrol a seat that names a node's key.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_works_for_the_owners_it_was_told_of_and_for_nobody_else() -> Result<()> {
    let play = Play::begin().await?;
    let [node] = play.verifiers(["alice"]).await?;
    let operator = node.party.address();
    let (cold, stranger) = (play.by_hand("cold").await?, play.by_hand("stranger").await?);
    for seat in [&cold, &stranger] {
        seat.appoint(play.model, operator).await?;
    }
    let mut node = node.with(&["--owner", &cold.owner().to_string()]);
    node.start()?;
    node.ready(&play.devnet).await?;

    let job = play.submit("a cup").await?;
    for seat in [node.seat, cold.seat] {
        play.step(job, seat, Step::Committed).await?;
    }
    play.close(job, Phase::Commit).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    for seat in [node.seat, cold.seat] {
        assert_eq!((end.paid_to(seat), end.slashed_from(seat)), (share(), U256::ZERO));
    }
    assert_eq!(end.ballot(stranger.seat)?.step, Step::Drawn, "nothing is done for it");
    assert_eq!(end.slashed_from(stranger.seat), share() / U256::from(2));
    warned_once(&node, &stranger)
}

fn warned_once(node: &Verifier, stranger: &ByHand) -> Result<()> {
    let warning = format!(
        "seat {} names this key but belongs to {owner}; pass --owner {owner} to serve it",
        stranger.seat,
        owner = stranger.owner()
    );
    let log = fs::read_to_string(node.log())?;
    assert_eq!(log.matches(&warning).count(), 1, "{log}");
    Ok(())
}
