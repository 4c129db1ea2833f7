//! Endpoints that fail in every way.

use std::time::Duration;

use alloy::primitives::U256;
use eyre::{Result, ensure};
use oracle::chain::IGenerationOracle::{Phase, Step};
use quorate_tests::{
    devnet::Pace,
    play::{PATIENCE, Play, share},
    proxy::{Fault, Proxy},
    verifier::Verifier,
};

use crate::{all_went_well, log_of};

/// As long as four blocks take here.
const SLOW: Duration = Duration::from_secs(1);

/// One for each of three nodes at a time.
const FAULTS: [[Fault; 3]; 4] = [
    [Fault::Down, Fault::Truncates, Fault::Lags(20)],
    [Fault::Hangs, Fault::RateLimits(3), Fault::HalfOfLogs],
    [Fault::Drops, Fault::OtherChain, Fault::Delays(SLOW)],
    [Fault::Duplicates, Fault::Lags(2), Fault::RateLimits(60)],
];

/// Blocks for which the only endpoint fails: fewer than the 32 after which a node looks at a block again.
const WHILE: u64 = 20;

/// Requests that submit a job and look at it some times.
const LOOKS: u64 = 100;

/// Blocks that the nodes are away for.
const AWAY: u64 = 500;

/// What providers set to what they list at once.
const LIMITS: [Fault; 3] = [Fault::LimitsRange(10), Fault::LimitsRange(100), Fault::LimitsLogs(10)];

async fn nodes(play: &Play, proxies: &[Vec<Proxy>; 3]) -> Result<Vec<Verifier>> {
    let verifiers = play.verifiers(["alice", "bob", "carol"]).await?;
    let mut nodes: Vec<_> = verifiers.into_iter().zip(proxies).map(|(node, proxies)| node.through(proxies)).collect();
    nodes.iter_mut().try_for_each(Verifier::start)?;
    for node in &mut nodes {
        node.ready(&play.devnet).await?;
    }
    Ok(nodes)
}

async fn proxies(play: &Play, each: usize) -> Result<[Vec<Proxy>; 3]> {
    let mut all = [const { Vec::new() }; 3];
    for proxies in &mut all {
        for _ in 0..each {
            proxies.push(Proxy::start(&play.devnet.rpc_url()).await?);
        }
    }
    Ok(all)
}

/// The one that is asked the most.
async fn in_use<'a>(play: &Play, proxies: &'a [Proxy]) -> Result<&'a Proxy> {
    let before: Vec<_> = proxies.iter().map(Proxy::asked).collect();
    let asked = || proxies.iter().zip(&before).map(|(proxy, before)| proxy.asked() - before);
    let busy = play.devnet.until("requests", PATIENCE, async || {
        Ok(asked().enumerate().max_by_key(|&(_, asked)| asked).filter(|&(_, asked)| asked >= 4))
    });
    Ok(&proxies[busy.await?.0])
}

/// The chain's clock is an hour ahead of the machine's, too: a node goes by the blocks' time only.
#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_one_of_two_endpoints_costs_anybody_anything() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Fast, None).await?;
    play.devnet.pass(3_600).await?;
    let proxies = proxies(&play, 2).await?;
    let nodes = nodes(&play, &proxies).await?;

    for faults in FAULTS {
        for (pair, fault) in proxies.iter().zip(faults) {
            in_use(&play, pair).await?.set(Some(fault));
        }
        let end = play.end(play.submit("a tree").await?).await?;
        all_went_well(&end, &nodes, &format!("one of two endpoints: {faults:?}"))?;
        proxies.iter().flatten().for_each(|proxy| proxy.set(None));
    }
    let log = log_of(&nodes[1])?;
    ensure!(log.contains("it is on chain 1, not on 31337"), "{log}");
    Ok(())
}

/// As on most chains, no block is faster than an answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_only_endpoint_that_takes_a_second_for_every_answer_costs_nothing() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Live, None).await?;
    let proxies = proxies(&play, 1).await?;
    let nodes = nodes(&play, &proxies).await?;

    proxies.iter().flatten().for_each(|only| only.set(Some(Fault::Delays(SLOW))));
    let end = play.end(play.submit("a cloud").await?).await?;
    all_went_well(&end, &nodes, "a second for every answer")
}

/// It lists half of what it should just while everybody commits, and the others reveal.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_opened_though_the_only_endpoint_left_the_commitment_out() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Fast, None).await?;
    let proxies = proxies(&play, 1).await?;
    let nodes = nodes(&play, &proxies).await?;
    let job = play.submit("a bell").await?;
    let drawn = async || Ok(log_of(&nodes[0])?.contains(" drawn job").then_some(()));
    play.devnet.until("the draw to be foretold", PATIENCE, drawn).await?;

    proxies[0][0].set(Some(Fault::HalfOfLogs));
    for other in &nodes[1..] {
        play.step(job, other.seat, Step::Revealed).await?;
    }
    proxies[0][0].set(None);
    all_went_well(&play.end(job).await?, &nodes, "logs left out")
}

/// A node that knows of a request, and finds no event of it, does not take it for one that a reorganisation took away.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_though_the_only_endpoint_left_its_events_out() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Fast, None).await?;
    let proxies = proxies(&play, 1).await?;
    let nodes = nodes(&play, &proxies).await?;

    proxies[0][0].set(Some(Fault::NoneOfJobs));
    let job = play.submit("a key").await?;
    let noticed = async || Ok(log_of(&nodes[0])?.contains("has not listed all events of this job").then_some(()));
    play.devnet.until("the node to notice", PATIENCE, noticed).await?;
    proxies[0][0].set(None);
    all_went_well(&play.end(job).await?, &nodes, "a request's events left out")
}

/// Nor does the command that waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_the_verdict_though_the_only_endpoint_left_the_events_out() -> Result<()> {
    let play = Play::begin().await?;
    let _nodes = play.nodes(["alice", "bob", "carol"]).await?;
    play.age().await?;
    let (direct, only) = (play.devnet.rpc_url(), Proxy::start(&play.devnet.rpc_url()).await?);
    let through = play.devnet.chain_args().map(|flag| if flag == direct { only.url() } else { flag });

    only.set(Some(Fault::NoneOfJobs));
    let submit = play.submission("a kite")?.arg("--wait").on(through).json();
    let looked = async || Ok((only.asked() > LOOKS).then_some(()));
    let mended = async {
        play.devnet.until("some looks at the job", PATIENCE, looked).await?;
        only.set(None);
        Ok(())
    };
    let (end, ()) = tokio::try_join!(submit, mended)?;
    ensure!(end["outcome"] == "accepted", "{end}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_were_away_catch_up_on_what_a_provider_lists_at_once() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Fast, None).await?;
    let proxies = proxies(&play, 1).await?;
    let mut nodes = nodes(&play, &proxies).await?;
    let end = play.end(play.submit("a lake").await?).await?;
    all_went_well(&end, &nodes, "no limit yet")?;

    nodes.iter_mut().for_each(Verifier::kill);
    play.devnet.mine(AWAY).await?;
    let job = play.submit("a hill").await?;
    for (only, limit) in proxies.iter().flatten().zip(LIMITS) {
        only.set(Some(limit));
    }
    nodes.iter_mut().try_for_each(Verifier::start)?;
    all_went_well(&play.end(job).await?, &nodes, &format!("{LIMITS:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_only_endpoint_does_for_a_while_costs_nothing_and_its_loss_for_a_window_the_vote() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Fast, None).await?;
    let proxies = proxies(&play, 1).await?;
    let nodes = nodes(&play, &proxies).await?;

    for faults in FAULTS {
        let job = play.submit("a house").await?;
        let began = play.devnet.chain.now().await?.block;
        for (only, fault) in proxies.iter().flatten().zip(faults) {
            // Nobody waits so long for an only endpoint.
            only.set((fault != Fault::RateLimits(60)).then_some(fault));
        }
        let over = async || Ok((play.devnet.chain.now().await?.block > began + WHILE).then_some(()));
        play.devnet.until("the end of the fault", PATIENCE, over).await?;
        proxies.iter().flatten().for_each(|proxy| proxy.set(None));
        let end = play.end(job).await?;
        all_went_well(&end, &nodes, &format!("the only endpoint, for a while: {faults:?}"))?;
    }

    let (alice, others) = (&nodes[0], &nodes[1..]);
    proxies[0][0].set(Some(Fault::Down));
    let job = play.submit("a boat").await?;
    for other in others {
        play.step(job, other.seat, Step::Committed).await?;
    }
    play.close(job, Phase::Commit).await?;
    for other in others {
        play.step(job, other.seat, Step::Revealed).await?;
    }
    proxies[0][0].set(None);
    let end = play.end(job).await?;

    ensure!(end.ballot(alice.seat)?.step == Step::Drawn, "it neither voted nor declined");
    assert_eq!((end.paid_to(alice.seat), end.slashed_from(alice.seat)), (U256::ZERO, share() / U256::from(2)));
    for other in others {
        assert_eq!((end.paid_to(other.seat), end.slashed_from(other.seat)), (share(), U256::ZERO));
    }
    let said = async || {
        let log = log_of(alice)?;
        let says = ["no word from the chain", "the chain is back", "the commit window closed without a vote of ours"];
        Ok(says.iter().all(|words| log.contains(words)).then_some(()))
    };
    play.devnet.until("the log to say what it cost and why", PATIENCE, said).await
}
