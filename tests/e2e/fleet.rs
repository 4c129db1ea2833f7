//! A fleet: nodes whose state is in Postgres and S3, and workers on other machines that compute for them.

use std::fs;

use alloy::primitives::{B256, U256};
use eyre::{Result, bail, ensure};
use oracle::{
    chain::IGenerationOracle::{Outcome, Phase, Step},
    manifest::{LocalModel, Pipeline},
    spec::{Prompt, Spec},
};
use prover_node::{
    database::Database,
    fleet::queue::{Order, Queue},
    inference::Asked,
};
use quorate_tests::{
    by_hand::made_up,
    command::Cli,
    devnet::{Devnet, Pace},
    postgres::{PASSWORD, Postgres},
    programs,
    s3::{BUCKET, S3},
    verifier::Verifier,
    worker::Worker,
};
use serde_json::Value;

use crate::play::{PATIENCE, Play, SEATS, share};

const WORKERS: [&str; 2] = ["--inference", "workers"];

/// Three operators share database, bucket and worker; one computes itself.
/// Players, and a database that is there as long as its server is.
async fn begin() -> Result<(Play, Postgres, String)> {
    let (play, postgres) = (Play::begin().await?, Postgres::start().await?);
    let database = postgres.database().await?;
    Ok((play, postgres, database))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_on_postgres_and_s3_are_paid_and_serve_what_they_made() -> Result<()> {
    let play = Play::begin().await?;
    let postgres = Postgres::start().await?;
    let (database, s3) = (postgres.database().await?, S3::start(&play.devnet).await?);
    let mut worker = Worker::start(&play.devnet, "worker", &database).await?;
    let [alice, bob, carol] = play.verifiers(["alice", "bob", "carol"]).await?;
    let mut nodes = [alice, bob.with(&WORKERS), carol.with(&WORKERS)].map(|node| shared(node, &database, Some(&s3)));
    for node in &mut nodes {
        node.set("RUST_LOG", Some("trace"));
        node.start()?;
    }
    for node in &mut nodes {
        node.ready(&play.devnet).await?;
    }

    let job = play.submit("a sun").await?;
    let end = play.end(job).await?;
    assert_eq!(end.outcome(), Outcome::Accepted);
    for node in &nodes {
        assert_eq!((end.paid_to(node.seat), end.slashed_from(node.seat)), (share(), U256::ZERO));
        ensure!(!node.data_dir().join("journal.sqlite").exists() && !node.data_dir().join("outputs").exists());
        let log = fs::read_to_string(node.log())?;
        ensure!(!log.contains(PASSWORD), "the database's password is in the log");
        ensure!(!log.contains("out of reach"), "the queue did not answer");
    }
    worker.says(&play.devnet, "made").await?;
    let picture = play.devnet.folder.join("picture.png");
    play.devnet.oracle()?.args(["fetch", &job.to_string(), "--out"]).arg(&picture).succeed().await?;
    let listing = s3.listing().await?;
    for node in &nodes {
        let part = format!("outputs/operator_{:x}_", node.party.address());
        ensure!(listing.contains(&part), "no {part} in {listing}");
    }

    // Both say the same of it, wherever the journal is.
    let status = || Ok::<_, eyre::Report>(play.devnet.prover_node()?.env("QUORATE_DATABASE", &database));
    let alice = &nodes[0].party;
    let shown = status()?.args(["status", &alice.address().to_string()]).json().await?;
    assert_eq!(shown["draws"][0]["job"], job.to_string());
    let explained = status()?.args(["explain", &job.to_string(), "--operator", &alice.address().to_string()]);
    assert_eq!(explained.json().await?["seats"][0]["settled"], true);
    let alone = || Ok::<_, eyre::Report>(Cli::prover_node()?.env("QUORATE_DATABASE", &database));
    let help = alone()?.args(["run", "--help"]).succeed().await?.stdout;
    ensure!(help.contains("--database") && !help.contains(PASSWORD), "{help}");
    let mut doctor = status()?.args(["doctor", "--json", "--store", &format!("s3://{BUCKET}/outputs")]).args(WORKERS);
    doctor = doctor.arg("--model-dir").arg(programs::bundled_model()).signed_by(alice);
    for (name, value) in s3.environment() {
        doctor = doctor.env(name, value);
    }
    let found: Value = serde_json::from_str(&doctor.end().await?.stdout)?;
    for check in ["database", "workers", "store"] {
        let state = found["checks"].as_array().into_iter().flatten().find(|found| found["name"] == check);
        ensure!(state.is_some_and(|found| found["state"] == "ok"), "{check} in {found}");
    }
    let said = alone()?.args(["backup", "copy"]).refuse().await?;
    ensure!(said.contains("pg_dump --format=custom --file=copy") && !said.contains(PASSWORD), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_was_making_when_it_was_killed_another_makes_in_time() -> Result<()> {
    let (play, _postgres, database) = begin().await?;
    let [alice, bob] = play.verifiers(["alice", "bob"]).await?;
    let [mut alice, mut bob] = [shared(alice.with(&WORKERS), &database, None), bob];
    let last = play.by_hand("carol").await?;
    // Something is made on trial.
    let first = Worker::start(&play.devnet, "first", &database).await?;
    for node in [&mut alice, &mut bob] {
        node.start()?;
        node.ready(&play.devnet).await?;
    }
    first.kill();

    let mut stuck = Worker::stuck(&play.devnet, "stuck", &database).await?;
    let job = play.submit("a sun").await?;
    stuck.says(&play.devnet, "making").await?;
    let mut second = Worker::start(&play.devnet, "second", &database).await?;
    ensure!(!second.log()?.contains("making"), "an order has one worker as long as that is alive");
    stuck.kill();
    second.says(&play.devnet, "made").await?;
    for node in [&alice, &bob] {
        play.step(job, node.seat, Step::Committed).await?;
    }
    last.commit(job, &made_up(1)).await?;
    play.phase(job, Phase::Reveal).await?;
    last.reveal(job, &made_up(1)).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!((end.paid_to(alice.seat), end.slashed_from(alice.seat)), (share(), U256::ZERO));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_at_once_gives_back_what_it_has() -> Result<()> {
    let (devnet, postgres) = (Devnet::start(Pace::Fast).await?, Postgres::start().await?);
    let database = postgres.database().await?;
    let mut stuck = Worker::stuck(&devnet, "stuck", &database).await?;
    let model = LocalModel::open(&programs::bundled_model())?;
    let Pipeline::Image(pipeline) = &model.manifest.pipeline else { bail!("the bundled model makes pictures") };
    let spec = Spec::Image(pipeline.spec(Prompt::default()));
    let order = Order::new("node", Asked { model: model.hash, spec, noise_seed: B256::ZERO, deadline: 0, job: None });
    let queue = Queue::open(&Database::from(database)).await?;
    queue.ask(&order).await?;
    stuck.says(&devnet, "making").await?;

    stuck.terminate()?;
    stuck.says(&devnet, "at_once=false").await?;
    stuck.terminate()?;
    let ended = devnet.until("the worker to end", PATIENCE, async || stuck.ended()).await?;
    assert_eq!(ended.code(), Some(0));
    queue.ask(&order).await?;
    ensure!(queue.lease(&[model.hash]).await?.is_some(), "nobody has to wait until it is missed");
    assert_eq!(queue.workers(model.hash).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_with_the_same_key_and_database_does_not_start() -> Result<()> {
    let (play, _postgres, database) = begin().await?;
    let [alice] = play.verifiers(["alice"]).await?;
    let mut alice = shared(alice, &database, None);
    alice.start()?;
    alice.ready(&play.devnet).await?;

    let mut twin = alice.twin(&play.devnet);
    twin.start()?;
    let ended = play.devnet.until("the twin to end", PATIENCE, async || twin.ended()).await?;
    assert_eq!(ended.code(), Some(1));
    let said = fs::read_to_string(twin.log())?;
    let schema = format!("operator_{:x}", alice.party.address());
    ensure!(said.contains("error: another node writes the journal") && said.contains(&schema), "{said}");
    ensure!(!said.contains(PASSWORD), "{said}");
    ensure!(alice.ended()?.is_none(), "the first one goes on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_machine_is_lost_reveals_from_another() -> Result<()> {
    let (play, _postgres, database) = begin().await?;
    let [alice, mut bob] = play.verifiers(["alice", "bob"]).await?;
    let mut alice = shared(alice, &database, None);
    for node in [&mut alice, &mut bob] {
        node.start()?;
        node.ready(&play.devnet).await?;
    }
    let last = play.by_hand("carol").await?;

    let job = play.submit("a sun").await?;
    for node in [&alice, &bob] {
        play.step(job, node.seat, Step::Committed).await?;
    }
    alice.kill();
    let mut elsewhere = alice.twin(&play.devnet);
    elsewhere.start()?;
    elsewhere.up(&play.devnet).await?;
    last.commit(job, &made_up(1)).await?;
    play.phase(job, Phase::Reveal).await?;
    last.reveal(job, &made_up(1)).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!((end.paid_to(alice.seat), end.slashed_from(alice.seat)), (share(), U256::ZERO));
    // It has read it, and not made it again.
    ensure!(!fs::read_to_string(elsewhere.log())?.contains("not in the journal"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_for_a_while_costs_nothing() -> Result<()> {
    let (play, mut postgres, database) = begin().await?;
    let nodes = play.verifiers(["alice", "bob", "carol"]).await?;
    let [alice, bob, carol] = nodes;
    let mut nodes = [shared(alice, &database, None), bob, carol];
    for node in &mut nodes {
        node.start()?;
    }
    for node in &mut nodes {
        node.ready(&play.devnet).await?;
    }

    let job = play.submit("a sun").await?;
    play.step(job, nodes[0].seat, Step::Committed).await?;
    postgres.crash()?;
    play.phase(job, Phase::Reveal).await?;
    for node in &nodes[1..] {
        play.step(job, node.seat, Step::Revealed).await?;
    }
    ensure!(nodes[0].ended()?.is_none(), "it waits for its journal");
    postgres.resume().await?;
    play.step(job, nodes[0].seat, Step::Revealed).await?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!(nodes.each_ref().map(|node| end.paid_to(node.seat)), [share(); SEATS as usize]);
    Ok(())
}

/// With its journal in the database, and its outputs in the bucket.
fn shared(node: Verifier, database: &str, s3: Option<&S3>) -> Verifier {
    let mut node = node.with(&["--database", database]);
    if let Some(s3) = s3 {
        node = node.with(&["--store", &format!("s3://{BUCKET}/outputs")]);
        for (name, value) in s3.environment() {
            node.set(name, Some(value));
        }
    }
    node
}
