//! Texts: machines write the same tokens, or earn nothing and lose nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy::primitives::{B256, U256};
use eyre::{OptionExt as _, Result};
use oracle::{chain::IGenerationOracle::Outcome, digest::Digest, output::Text};
use quorate_tests::{
    devnet::{Devnet, Pace},
    model, programs,
    verifier::Verifier,
};

use crate::play::{PATIENCE, Play, SEATS, share};

/// Of the tiny language model in `tests/golden/language/llama`.
pub(crate) const FILES: [&str; 6] = [
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// A chain with a tiny language model on it.
async fn begin() -> Result<(Play, PathBuf)> {
    let devnet = Devnet::start(Pace::Fast).await?;
    let (folder, model) = tiny(&devnet).await?;
    let requester = devnet.party("requester")?;
    Ok((Play { devnet, model, requester }, folder))
}

/// A tiny language model, whose manifest `oracle models add` has written; its folder, and what it is registered as.
pub(crate) async fn tiny(devnet: &Devnet) -> Result<(PathBuf, B256)> {
    let folder = devnet.folder.join("tiny");
    fs::create_dir(&folder)?;
    for file in FILES {
        fs::copy(programs::repository().join("tests/golden/language/llama").join(file), folder.join(file))?;
    }
    devnet.oracle()?.args(["models", "add"]).arg(&folder).args(["--license", "MIT"]).succeed().await?;
    let model = model::register_folder(devnet, &devnet.party("author of texts")?, &folder, model::TIME).await?;
    Ok((folder, model))
}

async fn submit(play: &Play, folder: &Path, prompt: &str) -> Result<B256> {
    submit_to(play, play.model, folder, prompt).await
}

/// Pays for a short text by that model.
pub(crate) async fn submit_to(play: &Play, model: B256, folder: &Path, prompt: &str) -> Result<B256> {
    play.age_of(model).await?;
    let submitted = play
        .devnet
        .oracle()?
        .args(["submit", prompt, "--model", &model.to_string(), "--max-tokens", "24", "--beams", "2", "--manifest"])
        .arg(folder)
        .args(["--committee", &SEATS.to_string(), "--share", &model::SHARE.to_string()])
        .signed_by(&play.requester)
        .json()
        .await?;
    Ok(submitted["jobId"].as_str().ok_or_eyre("no job id was printed")?.parse()?)
}

async fn start(play: &Play, nodes: &mut [Verifier]) -> Result<()> {
    nodes.iter_mut().try_for_each(Verifier::start)?;
    for node in nodes {
        node.ready(&play.devnet).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_machines_write_the_same_tokens_and_the_text_is_fetched() -> Result<()> {
    let (play, folder) = begin().await?;
    let seats = play.verifiers(["alice", "bob", "carol"]).await?;
    let threads = ["1", "2", "1"];
    let mut nodes: Vec<_> =
        seats.into_iter().zip(threads).map(|(node, n)| node.serving(&folder).with(&["--threads", n])).collect();
    start(&play, &mut nodes).await?;

    let job = submit(&play, &folder, "a b c").await?;
    let end = play.end(job).await?;
    assert_eq!(end.outcome(), Outcome::Accepted);
    for node in &nodes {
        assert_eq!(end.paid_to(node.seat), share(), "{}", node.party.name);
    }

    let (file, copies) = (play.devnet.folder.join("said.txt"), play.devnet.folder.join("copies"));
    play.devnet
        .until("the reveals to be deep enough", PATIENCE, async || {
            let fetch = play.devnet.oracle()?.args(["fetch", &job.to_string(), "--force", "--out"]).arg(&file);
            Ok(fetch.arg("--all-to").arg(&copies).end().await?.status.success().then_some(()))
        })
        .await?;
    let served: Text = serde_json::from_slice(&fs::read(copies.join(format!("seat-{}.json", nodes[0].seat)))?)?;
    assert_eq!(Some(served.digest()), end.winner());
    assert_eq!(fs::read_to_string(&file)?, served.text);

    // Anybody can write it again.
    let spec = play.devnet.folder.join("spec.json");
    play.devnet
        .oracle()?
        .args(["fetch", &job.to_string(), "--force", "--out"])
        .arg(&file)
        .arg("--spec-out")
        .arg(&spec)
        .succeed()
        .await?;
    let again = quorate_tests::command::Cli::prover_node()?
        .args(["generate", "--spec"])
        .arg(&spec)
        .arg("--model-dir")
        .arg(&folder)
        .json()
        .await?;
    assert_eq!(serde_json::from_value::<Digest>(again["digest"].clone())?, served.digest());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_text_earns_nothing_and_costs_no_bond() -> Result<()> {
    let (play, folder) = begin().await?;
    let [alice, bob, mallory] = play.verifiers(["alice", "bob", "mallory"]).await?;
    let mallory = mallory.by(programs::built("cheater")?).with(&["--no-appeal"]);
    let mut nodes = [alice, bob, mallory].map(|node| node.serving(&folder));
    start(&play, &mut nodes).await?;

    let job = submit(&play, &folder, "c b a").await?;
    let end = play.end(job).await?;
    let [alice, _, mallory] = &nodes;
    assert_eq!(end.outcome(), Outcome::Accepted);
    assert_eq!(end.paid_to(alice.seat), share());
    assert_eq!((end.paid_to(mallory.seat), end.slashed_from(mallory.seat)), (U256::ZERO, U256::ZERO));
    assert_eq!(end.refunded(), share(), "the share that nobody earned");
    Ok(())
}
