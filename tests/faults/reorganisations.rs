//! The chain forgets its newest blocks, whatever is in them.

use alloy::primitives::{B256, U256};
use eyre::{Result, ensure};
use oracle::chain::{
    IGenerationOracle::{Phase, Step},
    Request, RoundHistory,
};
use quorate_tests::{
    devnet::Pace,
    outcome::JobOutcome,
    play::{PATIENCE, Play, share},
    verifier::Verifier,
};

use crate::{all_went_well, log_of};

/// How far a job has come when the chain is reorganised.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Requested,
    Drawn,
    Committed,
    Revealed,
    Settled,
}

const STAGES: [Stage; 5] = [Stage::Requested, Stage::Drawn, Stage::Committed, Stage::Revealed, Stage::Settled];

/// An hour behind the machine's clock: a node goes by the blocks' time only.
async fn play() -> Result<(Play, Vec<Verifier>)> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let play = Play::begin_unhurried(Pace::Fast, Some(now.as_secs() - 3_600)).await?;
    let nodes = play.nodes(["alice", "bob", "carol"]).await?;
    // What made the seats, and made them old enough, is not to be forgotten.
    play.age().await?;
    play.devnet.mine(30).await?;
    Ok((play, nodes.into()))
}

async fn survive(depths: [u64; 5]) -> Result<()> {
    let (play, nodes) = play().await?;
    for (stage, depth) in STAGES.into_iter().zip(depths) {
        let job = play.submit("a lamp").await?;
        let request = play.look(job).await?.request;
        come_to(&play, job, stage).await?;
        play.devnet.reorganise(depth).await?;
        if let Some(end) = end(&play, &request).await? {
            nothing_lost(&end, &nodes, &format!("{depth} blocks, {stage:?}"))?;
        }
    }
    let end = play.end(play.submit("a chair").await?).await?;
    all_went_well(&end, &nodes, "after all of it")
}

#[tokio::test(flavor = "multi_thread")]
async fn shallow_reorganisations_at_every_stage_cost_nobody_anything() -> Result<()> {
    survive([1, 2, 3, 2, 5]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_reorganisations_at_every_stage_cost_nobody_anything() -> Result<()> {
    survive([20, 7, 12, 10, 20]).await
}

async fn come_to(play: &Play, job: B256, stage: Stage) -> Result<()> {
    if stage == Stage::Settled {
        play.end(job).await?;
        return Ok(());
    }
    let reached = async || {
        let look = play.look(job).await?;
        let voted = |step| {
            let votes = look.history.latest().map(RoundHistory::votes).unwrap_or_default();
            votes.iter().any(|vote| vote.step == step)
        };
        let drawn = look.history.latest().is_some_and(|round| round.drawn.is_some());
        let reached = match stage {
            Stage::Requested | Stage::Settled => true,
            Stage::Drawn => drawn,
            Stage::Committed => voted(Step::Committed),
            Stage::Revealed => voted(Step::Revealed),
        };
        Ok(reached.then_some(()))
    };
    play.devnet.until(&format!("{stage:?}"), PATIENCE, reached).await
}

/// How the job ended; nothing if the request was forgotten, too.
async fn end(play: &Play, request: &Request) -> Result<Option<JobOutcome>> {
    let ended = async || {
        if play.devnet.chain.history(request).await?.rounds.is_empty() {
            return Ok(Some(None));
        }
        let look = play.look(request.id).await?;
        if look.phase == Phase::Appeal {
            play.close(request.id, Phase::Appeal).await?;
        }
        Ok(look.is_closed().then_some(Some(look)))
    };
    play.devnet.until("the end of the job, or its being forgotten", PATIENCE, ended).await
}

fn nothing_lost(end: &JobOutcome, nodes: &[Verifier], story: &str) -> Result<()> {
    for node in nodes {
        let (name, paid, lost) = (&node.party.name, end.paid_to(node.seat), end.slashed_from(node.seat));
        ensure!(lost == U256::ZERO, "{story}: {name} lost {lost}\n{}", log_of(node)?);
        ensure!(paid == share(), "{story}: {name} got {paid}\n{}", log_of(node)?);
    }
    Ok(())
}
