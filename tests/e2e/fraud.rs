//! Who is honest is paid; who makes another picture, hides, or copies is not.

use alloy::{
    consensus::Transaction as _,
    primitives::{B256, U256},
    providers::Provider as _,
    sol_types::SolCall as _,
};
use eyre::{OptionExt as _, Result};
use oracle::{
    chain::{
        IGenerationOracle::{IGenerationOracleErrors, Opening as Shown, Outcome, Phase, Step, revealCall},
        Revert,
    },
    commitment::Opening,
    digest::{Digest, ToleranceProfile, Zone},
};
use quorate_tests::{
    by_hand::made_up,
    programs,
    verifier::{PROFILES, Verifier},
};

use crate::play::{PATIENCE, Play, bond, share};

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_majority_is_paid_and_its_picture_fetched() -> Result<()> {
    let play = Play::begin().await?;
    let seats = play.verifiers(["alice", "bob", "carol"]).await?;
    let mut nodes: Vec<_> = seats.into_iter().zip(PROFILES).map(|(node, profile)| node.with(profile.flags)).collect();
    nodes.iter_mut().try_for_each(Verifier::start)?;
    for node in &mut nodes {
        node.ready(&play.devnet).await?;
    }

    let job = play.submit("a fox").await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!(end.refunded(), U256::ZERO);
    for node in &nodes {
        assert_eq!(end.paid_to(node.seat), share(), "{}", node.party.name);
        assert_eq!(end.slashed_from(node.seat), U256::ZERO, "{}", node.party.name);
    }

    let file = play.devnet.folder.join("fox.png");
    play.devnet
        .until("the reveals to be deep enough", PATIENCE, async || {
            let fetch = play.devnet.oracle()?.args(["fetch", &job.to_string(), "--out"]).arg(&file);
            Ok(fetch.end().await?.status.success().then_some(()))
        })
        .await?;
    let picture = image::open(&file)?;
    let digest = Digest::of_image(&picture.into_rgb8());
    let winner = end.winner().ok_or_eyre("an accepted job has a winner")?;
    assert_eq!(ToleranceProfile::from(&end.request.job).zone(&winner, &digest), Zone::Accepted);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dissenter_loses_its_bond_and_the_others_get_none_of_it() -> Result<()> {
    let play = Play::begin().await?;
    let honest = play.nodes(["alice", "bob"]).await?;
    let [cheater] = play.verifiers(["mallory"]).await?;
    let mut cheater = cheater.by(programs::built("cheater")?).with(&["--no-appeal"]);
    cheater.start()?;
    cheater.ready(&play.devnet).await?;

    let job = play.submit("a house").await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    let judged = end.ballot(cheater.seat)?.judged.ok_or_eyre("the cheater has not revealed")?;
    assert_eq!(judged.zone, Zone::Rejected, "distances {:?}", judged.distances);
    assert_eq!(end.slashed_from(cheater.seat), bond());
    assert_eq!(end.paid_to(cheater.seat), U256::ZERO);
    assert_eq!(end.refunded(), share(), "the share that the cheater has not earned");
    for node in &honest {
        assert_eq!(end.paid_to(node.seat), share());
        assert_eq!(play.stake_of(node.seat).await?, bond() * U256::from(8));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_after_a_commitment_costs_the_bond() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob"]).await?;
    let hider = play.by_hand("mallory").await?;

    let job = play.submit("a bee").await?;
    play.step(job, nodes[0].seat, Step::Committed).await?;
    hider.commit(job, &made_up(1)).await?;
    for node in &nodes {
        play.step(job, node.seat, Step::Revealed).await?;
    }
    play.close(job, Phase::Reveal).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!(end.slashed_from(hider.seat), bond());
    assert_eq!(end.paid_to(nodes[0].seat), share());
    assert_eq!(end.paid_to(nodes[1].seat), share());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_commitment_cannot_be_opened() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob"]).await?;
    let copier = play.by_hand("mallory").await?;

    let job = play.submit("a bee").await?;
    let victim = nodes[0].seat;
    play.step(job, victim, Step::Committed).await?;
    let look = play.look(job).await?;
    let mut votes = look.history.rounds[0].votes().iter();
    let copied = votes.find(|vote| vote.member.seat == victim).and_then(|vote| vote.commitment).unwrap_or_default();
    copier.commit_to(job, copied).await?;

    play.step(job, victim, Step::Revealed).await?;
    let seen = opening_of(&play, job, victim).await?;
    let refused = copier.reveal(job, &seen).await.expect_err("the commitment binds its seat");
    assert!(matches!(refused.revert(), Some(Revert::Oracle(IGenerationOracleErrors::WrongOpening(_)))), "{refused}");

    play.step(job, nodes[1].seat, Step::Revealed).await?;
    play.close(job, Phase::Reveal).await?;
    let end = play.end(job).await?;
    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!(end.slashed_from(copier.seat), bond());
    assert_eq!(end.paid_to(copier.seat), U256::ZERO);
    Ok(())
}

/// The opening that a seat has shown, as anybody can read it from its transaction.
async fn opening_of(play: &Play, job: B256, seat: u32) -> Result<Opening> {
    let look = play.look(job).await?;
    let member = look.history.rounds[0].votes().iter().position(|vote| vote.member.seat == seat);
    let oracle = play.devnet.chain.oracle();
    let reveals = oracle.Revealed_filter().topic1(job).from_block(look.request.block).query().await?;
    let its = reveals.iter().find(|(event, _)| Some(event.member) == member.map(U256::from));
    let (_, log) = its.ok_or_eyre("it has not revealed")?;
    let hash = log.transaction_hash.ok_or_eyre("a log without a transaction")?;
    let transaction = play.devnet.chain.provider.get_transaction_by_hash(hash).await?.ok_or_eyre("it is gone")?;
    let Shown { digest, contentHash: content_hash, salt } = revealCall::abi_decode(transaction.input())?.opening;
    Ok(Opening { digest: digest.into(), content_hash, salt })
}
