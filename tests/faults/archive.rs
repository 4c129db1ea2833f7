//! What a node remembers of the chain, where an endpoint has not told all of it.

use eyre::Result;
use oracle::{
    chain::{ChainArgs, connect},
    finality::Finality,
};
use prover_node::archive::Archive;
use quorate_tests::{
    devnet::Pace,
    play::Play,
    proxy::{Fault, Proxy},
};
use tokio::sync::watch;

/// Events are fetched once, so that what is missing of a job stays missing, unless somebody notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_opening_was_left_out_is_asked_for_again() -> Result<()> {
    let play = Play::begin_unhurried(Pace::Fast, None).await?;
    play.verifiers(["alice", "bob", "carol"]).await?;
    let job = play.submit("a fox").await?;
    let request = play.devnet.chain.find_job(&job.to_string().parse()?).await?;

    let proxy = Proxy::start(&play.devnet.rpc_url()).await?;
    let args = ChainArgs {
        rpc_urls: vec![proxy.url().parse()?],
        deployment: Some(play.devnet.deployment_file.clone()),
        drand_urls: Vec::new(),
    };
    let chain = connect(&args).await?;
    let now = chain.now().await?;
    let (_heads, heads) = watch::channel(now);
    let archive = Archive::new(chain, heads, Finality::Depth(0));

    proxy.set(Some(Fault::HalfOfLogs));
    assert!(archive.history_at(&request, now.block).await?.round(1).is_none());
    proxy.set(None);
    assert!(archive.history_at(&request, now.block).await?.round(1).is_some());
    Ok(())
}
