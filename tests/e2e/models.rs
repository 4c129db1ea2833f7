//! Several models on one node, of which not all are in memory.

use alloy::transports::http::reqwest;
use eyre::{Result, ensure};
use oracle::{chain::IGenerationOracle::Outcome, manifest::LocalModel};
use prover_node::inference::{Arithmetic, footprint};
use quorate_tests::{party::Party, programs, verifier::Verifier};

use crate::{
    play::{Play, SEATS, share},
    texts,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_room_for_one_model_serves_two_and_is_paid_for_both() -> Result<()> {
    let play = Play::begin().await?;
    let (folder, writer) = texts::tiny(&play.devnet).await?;
    let seats = play.verifiers(["alice", "bob", "carol"]).await?;
    let owners: Vec<Party> = seats.iter().map(|node| node.party.clone()).collect();
    let writers = Verifier::register(&play.devnet, owners, writer).await?.into_iter().map(|node| node.seat);
    let writers: Vec<_> = writers.collect();

    let size = |folder: &_| Ok::<_, eyre::Report>(footprint(&LocalModel::open(folder)?, Arithmetic::F32)?);
    let (painter, text) = (size(&programs::bundled_model())?, size(&folder)?);
    let room = format!("{}B", painter + text / 2);
    let both = |node: Verifier| node.with(&["--threads", "1", "--model-dir", &folder.display().to_string()]);
    let [alice, bob, carol] = seats.map(both);
    let mut nodes = [alice.with(&["--model-memory", &room]), bob, carol];
    for node in &mut nodes {
        node.start()?;
    }
    for node in &mut nodes {
        node.ready(&play.devnet).await?;
    }

    for prompt in ["a sun", "a moon"] {
        let text = play.end(texts::submit_to(&play, writer, &folder, "a b c").await?).await?;
        let picture = play.end(play.submit(prompt).await?).await?;
        assert_eq!([picture.outcome(), text.outcome()], [Outcome::Accepted; 2]);
        assert_eq!(nodes.each_ref().map(|node| picture.paid_to(node.seat)), [share(); SEATS as usize]);
        assert!(writers.iter().all(|seat| text.paid_to(*seat) == share()));
    }

    let metrics = async |node: &Verifier| Ok::<_, eyre::Report>(said(&node.metrics_url()?).await?);
    let (small, large) = (metrics(&nodes[0]).await?, metrics(&nodes[1]).await?);
    ensure!(small.contains("quorate_models_loaded 1\n"), "there is room for one only: {small}");
    ensure!(small.contains("quorate_model_evictions_total 4\n"), "each had to go for the other, twice: {small}");
    for line in ["quorate_models_loaded 2\n", "quorate_model_loads_total 2\n", "quorate_model_evictions_total 0\n"] {
        ensure!(large.contains(line), "each is loaded once where there is room: {large}");
    }

    let status = play.devnet.prover_node()?.args(["status", &nodes[0].party.address().to_string()]).json().await?;
    assert_eq!(status["seats"].as_array().map(Vec::len), Some(2), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_fits_is_refused_with_the_arithmetic() -> Result<()> {
    let play = Play::begin().await?;
    let [node] = play.verifiers(["alice"]).await?;
    let run = |flags: &[&str]| {
        let command = play.devnet.prover_node()?.arg("run").args(flags);
        let command = command.arg("--data-dir").arg(play.devnet.folder.join("small"));
        Ok::<_, eyre::Report>(command.arg("--model-dir").arg(programs::bundled_model()).signed_by(&node.party))
    };
    let small = run(&["--model-memory", "1MiB"])?.refuse().await?;
    ensure!(
        ["emoji-64", "MiB of memory", "1.0 MiB", "--model-memory"].iter().all(|said| small.contains(said)),
        "{small}"
    );
    let bundled = programs::bundled_model().display().to_string();
    let twice = run(&["--model-dir", &bundled])?.refuse().await?;
    ensure!(twice.contains("named twice"), "{twice}");
    Ok(())
}

async fn said(metrics_url: &str) -> Result<String> {
    Ok(reqwest::get(format!("{metrics_url}/metrics")).await?.text().await?)
}
