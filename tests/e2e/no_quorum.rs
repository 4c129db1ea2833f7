//! Where no digest finds a majority, nobody is slashed for disagreeing, and what nobody earned goes back.

use alloy::primitives::U256;
use eyre::Result;
use oracle::chain::IGenerationOracle::{Outcome, Phase, Step};
use quorate_tests::by_hand::made_up;

use crate::play::{Play, SEATS, share};

#[tokio::test(flavor = "multi_thread")]
async fn too_few_commitments_decide_nothing_and_silence_is_penalised() -> Result<()> {
    let play = Play::begin().await?;
    let [node] = play.nodes(["alice"]).await?;
    let silent = [play.by_hand("bob").await?, play.by_hand("carol").await?];

    let job = play.submit("a boat").await?;
    play.step(job, node.seat, Step::Committed).await?;
    play.close_commits(job).await?;
    let end = play.end(job).await?;

    let half = share() / U256::from(2);
    assert_eq!(end.job.outcome, Outcome::Unresolved);
    assert_eq!(end.paid_to(node.seat), half);
    assert_eq!(end.slashed_from(node.seat), U256::ZERO);
    assert_eq!(end.refunded, share() * U256::from(SEATS) - half);
    for seat in silent.iter().map(|party| party.seat) {
        assert_eq!(end.slashed_from(seat), half);
        let seat = play.devnet.chain.stakes().seatOf(play.model, seat).call().await?;
        assert_ne!(seat.leftAt, 0, "who is silent leaves the pool");
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
    assert_eq!(end.job.outcome, Outcome::Unresolved);
    assert_eq!(end.refunded, half * U256::from(SEATS));
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
    let deadline = play.devnet.chain.oracle().job(job).call().await?.drawDeadline;
    let now = play.devnet.chain.now().await?.block;
    play.devnet.mine(deadline - now + 1).await?;
    play.phase(job, Phase::Expired).await?;
    play.advance(job).await?;
    let end = play.end(job).await?;

    let fee = share() * U256::from(SEATS);
    assert_eq!(end.job.outcome, Outcome::Expired);
    assert_eq!(end.refunded, fee);
    let credit = async || play.devnet.chain.oracle().creditOf(play.requester.address()).call().await;
    assert_eq!(credit().await?, fee);
    play.devnet.oracle()?.arg("withdraw").signed_by(&play.requester).succeed().await?;
    assert_eq!(credit().await?, U256::ZERO);
    Ok(())
}
