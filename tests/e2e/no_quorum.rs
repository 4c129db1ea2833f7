//! Where no digest finds a majority, nobody is slashed for disagreeing, and what nobody earned goes back.

use alloy::primitives::U256;
use eyre::Result;
use oracle::{
    chain::IGenerationOracle::{Outcome, Phase, Step},
    fees::fee_of,
};
use quorate_tests::by_hand::made_up;

use crate::play::{Play, SEATS, share};

#[tokio::test(flavor = "multi_thread")]
async fn too_few_commitments_decide_nothing_and_silence_is_penalised() -> Result<()> {
    let play = Play::begin().await?;
    let [node] = play.nodes(["alice"]).await?;
    let silent = [play.by_hand("bob").await?, play.by_hand("carol").await?];

    let job = play.submit("a boat").await?;
    let before = play.credit().await?;
    play.step(job, node.seat, Step::Committed).await?;
    play.close(job, Phase::Commit).await?;
    let end = play.end(job).await?;

    let half = share() / U256::from(2);
    assert_eq!(end.outcome(), Outcome::Unresolved);
    assert_eq!(end.paid_to(node.seat), half);
    assert_eq!(end.slashed_from(node.seat), U256::ZERO);
    assert_eq!(end.refunded(), share() * U256::from(SEATS) - half);
    assert_eq!(play.credit().await? - before, end.refunded(), "the requester has it");
    for seat in silent.iter().map(|party| party.seat) {
        assert_eq!(end.slashed_from(seat), half);
        let seat = play.devnet.chain.stakes().seatOf(play.model, seat).call().await?;
        assert!(!seat.leftAt.is_zero(), "who is silent leaves the pool");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn disagreement_pays_half_shares_and_slashes_nobody() -> Result<()> {
    let play = Play::begin().await?;
    let [node] = play.nodes(["alice"]).await?;
    let others = [play.by_hand("bob").await?, play.by_hand("carol").await?];

    let job = play.submit("a cookie").await?;
    play.phase(job, Phase::Commit).await?;
    for (number, other) in (1..).zip(&others) {
        other.commit(job, &made_up(number)).await?;
    }
    play.phase(job, Phase::Reveal).await?;
    for (number, other) in (1..).zip(&others) {
        other.reveal(job, &made_up(number)).await?;
    }
    let end = play.end(job).await?;

    let half = share() / U256::from(2);
    assert_eq!(end.outcome(), Outcome::Unresolved);
    assert_eq!(end.refunded(), half * U256::from(SEATS));
    for seat in [node.seat, others[0].seat, others[1].seat] {
        assert_eq!(end.paid_to(seat), half);
        assert_eq!(end.slashed_from(seat), U256::ZERO);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_draws_expires_and_the_fee_comes_back() -> Result<()> {
    let play = Play::begin().await?;
    for name in ["alice", "bob", "carol"] {
        play.by_hand(name).await?;
    }

    let job = play.submit("a kite").await?;
    let before = play.credit().await?;
    play.close(job, Phase::Draw).await?;
    play.phase(job, Phase::Expired).await?;
    play.advance(job).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Expired);
    assert_eq!(end.refunded(), fee_of(&end.request.job));
    assert_eq!(play.credit().await? - before, end.refunded());
    play.devnet.oracle()?.arg("withdraw").signed_by(&play.requester).succeed().await?;
    assert_eq!(play.credit().await?, U256::ZERO);
    Ok(())
}
