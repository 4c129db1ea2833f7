//! Measuring a model's tolerance and its consensus: by the real programs, with the bundled model and a tiny one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use eyre::{Result, bail, ensure};
use oracle::dataset::Dataset;
use quorate_tests::{command::Cli, process::Process, programs};
use serde_json::Value;

use crate::texts;

const PROMPTS: &str = "a fox\n\na red apple\n";

/// The first device profile's.
const FIRST: &str = "cpu-f32-batched-full.parquet";

fn calibrate(folder: &Path, seeds: u32) -> Result<Cli> {
    let cli = Cli::prover_node()?.arg("calibrate").arg("--prompts").arg(folder.join("prompts.txt"));
    Ok(cli.arg("--out").arg(folder.join("measured")).args(["--seeds", &seeds.to_string()]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measurement_goes_on_where_it_was_killed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (folder, first) = (folder.path(), folder.path().join("measured").join(FIRST));
    fs::write(folder.join("prompts.txt"), PROMPTS)?;

    let mut command = Command::new(programs::built("prover-node")?);
    command.current_dir(programs::repository()).arg("calibrate").arg("--prompts").arg(folder.join("prompts.txt"));
    command.arg("--out").arg(folder.join("measured")).args(["--seeds", "2"]);
    let mut process = Process::start(command, &folder.join("log"))?;
    while !first.exists() {
        ensure!(process.ended()?.is_none(), "it ended before it wrote anything: {}", process.printed()?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process.kill();
    let before = Dataset::read(&first)?;
    ensure!(before.rows.len() == 4, "two prompts, two seeds");

    let measured = calibrate(folder, 3)?.json().await?;
    let counts: Vec<_> = measured.as_array().into_iter().flatten().map(|set| set["digests"].as_u64()).collect();
    ensure!(counts == [Some(6); 4], "{measured}");
    ensure!(measured[0]["new"] == 2, "what was there was made again: {measured}");
    let after = Dataset::read(&first)?;
    ensure!(before.rows.iter().all(|row| after.rows.contains(row)), "what was there has changed");

    // Six jobs prove little, and that is said rather than a profile made of it.
    let sets: Vec<_> = measured.as_array().into_iter().flatten().filter_map(|set| set["file"].as_str()).collect();
    let ended = Cli::oracle()?.arg("tolerance").args(&sets).arg("--json").end().await?;
    let report: Value = serde_json::from_str(&ended.stdout)?;
    ensure!(!ended.status.success() && ended.stderr.contains("measure more jobs"), "{}", ended.stderr);
    ensure!(report["jobs"] == 6 && report["profile"].is_null(), "{report}");
    ensure!(report["table"][10]["honest"]["joint"]["of"] == 36, "six jobs on four device profiles: {report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_becomes_the_models_profile() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    fs::write(folder.join("prompts.txt"), PROMPTS)?;
    let measured = calibrate(folder, 1)?.json().await?;
    let sets: Vec<_> = measured.as_array().into_iter().flatten().filter_map(|set| set["file"].as_str()).collect();

    // As if it had been measured on many jobs more.
    for file in &sets {
        let mut set = Dataset::read(Path::new(file))?;
        let one = set.rows[0].clone();
        set.rows = (1..=500).map(|seed| oracle::dataset::Row { seed, ..one.clone() }).collect();
        set.write(Path::new(file))?;
    }
    let model = folder.join("model");
    let tolerance = || {
        Ok::<_, eyre::Report>(Cli::oracle()?.arg("tolerance").args(&sets).args([
            "--unpaid",
            "0.05",
            "--slashed",
            "0.05",
        ]))
    };
    let refused = tolerance()?.arg("--write").arg(&model).refuse().await?;
    ensure!(refused.contains("model"), "{refused}");

    fs::create_dir(&model)?;
    let manifest = model.join("quorate-model.json");
    fs::copy(programs::bundled_model().join("quorate-model.json"), &manifest)?;
    let report = tolerance()?.arg("--write").arg(&model).json().await?;
    let written: Value = serde_json::from_slice(&fs::read(&manifest)?)?;
    ensure!(written["pipeline"]["profile"] == report["profile"], "{report} {written}");
    ensure!(report["profile"]["evidence"] == report["evidence"], "{report}");

    let damaged = fs::read(sets[0])?;
    fs::write(sets[0], &damaged[..damaged.len() / 2])?;
    let refused = tolerance()?.refuse().await?;
    if !refused.contains(FIRST) {
        bail!("the damaged file is not named: {refused}");
    }
    Ok(())
}

/// A tiny language model, with the manifest that `oracle models add` writes.
async fn tiny(folder: &Path) -> Result<PathBuf> {
    let tiny = folder.join("tiny");
    fs::create_dir(&tiny)?;
    for file in texts::FILES {
        fs::copy(programs::repository().join("tests/golden/language/llama").join(file), tiny.join(file))?;
    }
    Cli::oracle()?.args(["models", "add"]).arg(&tiny).args(["--license", "MIT"]).succeed().await?;
    Ok(tiny)
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_texts_agree_and_frauds_do_not_pass() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (folder, model) = (folder.path(), tiny(folder.path()).await?);
    let prompts: String = (0..20).map(|number| format!("Where do {number} foxes sleep?\n")).collect();
    fs::write(folder.join("prompts.txt"), prompts)?;
    let calibrate = |flags: &[&str]| -> Result<Cli> {
        let cli = calibrate(folder, 2)?.arg("--model-dir").arg(&model).args(["--max-tokens", "12"]);
        Ok(cli.args(flags))
    };
    let mut files = Vec::new();
    for flags in [
        &[][..],
        &["--beams", "3"],
        &["--fraud", "sampled"],
        &["--fraud", "one-token"],
        &["--fraud", "cut-short"],
        &["--fraud", "8-bit"],
        &["--fraud", "4-bit"],
        &["--fraud", &format!("other:{}", model.display())],
    ] {
        let measured = calibrate(flags)?.json().await?;
        for set in measured.as_array().into_iter().flatten() {
            let wanted = if flags == ["--fraud", "sampled"] { 40 } else { 20 };
            ensure!(set["digests"] == wanted && set["new"] == wanted, "{flags:?}: {measured}");
            files.extend(set["file"].as_str().map(ToOwned::to_owned));
        }
        let again = calibrate(flags)?.json().await?;
        ensure!(again[0]["new"] == 0, "{flags:?}: what was there was made again: {again}");
    }
    ensure!(files.len() == 10, "two ways of two decodings, and six frauds: {files:?}");

    let report = Cli::oracle()?.arg("consensus").args(&files).args(["--tau", "0.001"]).json().await?;
    let [greedy, beams] = [0, 1].map(|number: usize| &report["decodings"][number]);
    ensure!(report["texts"] == 220 && beams["spec"]["beams"] == 3, "{report}");
    for decoding in [greedy, beams] {
        ensure!(
            decoding["agreeing"][0]["of"] == 20 && decoding["stacks"].as_array().map_or(0, Vec::len) == 2,
            "{report}"
        );
    }
    ensure!(beams["margins"].is_null() && greedy["margins"]["checked"] == 20, "{report}");
    ensure!(greedy["stacks"][0]["margins"]["largest"].as_f64().is_some_and(|margin| margin < 1e-4), "{report}");
    let frauds = greedy["frauds"].as_array().into_iter().flatten();
    let of =
        |name: &str| frauds.clone().find(|fraud| fraud["fraud"].as_str().is_some_and(|said| said.starts_with(name)));
    for name in ["sampled", "one token", "cut short"] {
        let Some(fraud) = of(name) else { bail!("{name} is not there: {report}") };
        ensure!(fraud["same"]["count"].as_u64() < Some(5) && fraud["accepted"]["count"].as_u64() < Some(5), "{fraud}");
    }
    ensure!(of("sampled").is_some_and(|sampled| sampled["alike"]["of"] == 20), "{report}");

    // All of it at once, from what is there.
    let board = Cli::prover_node()?.arg("attack-board").arg("--prompts").arg(folder.join("prompts.txt"));
    let board = board.arg("--model-dir").arg(&model).arg("--other").arg(&model).args(["--max-tokens", "12"]);
    let board = board.arg("--out").arg(folder.join("measured")).json().await?;
    ensure!(board[0]["frauds"].as_array().map_or(0, Vec::len) == 6, "{board}");
    let passing = |report: &Value| -> Vec<_> {
        let frauds = report["frauds"].as_array().into_iter().flatten();
        frauds.map(|fraud| (fraud["fraud"].clone(), fraud["same"].clone())).collect()
    };
    ensure!(passing(&board[0]) == passing(greedy), "{board} {report}");

    for (flags, reason) in [
        (&["--fraud", "sampled", "--beams", "3"][..], "for greedy texts"),
        (&["--fraud", "theft"], "possible values: sampled, one-token"),
    ] {
        let refused = calibrate(flags)?.refuse().await?;
        ensure!(refused.contains(reason), "{refused}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_attack_board_tells_frauds_from_honest_outputs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (folder, out) = (folder.path(), folder.path().join("attacks"));
    fs::write(folder.join("prompts.txt"), PROMPTS)?;
    let board = || {
        let cli = Cli::prover_node()?.arg("attack-board").arg("--prompts").arg(folder.join("prompts.txt"));
        Ok::<_, eyre::Report>(cli.arg("--out").arg(&out).args(["--seeds", "2"]))
    };
    let report = board()?.json().await?;
    ensure!(report["jobs"] == 4, "{report}");
    let outcome = |fraud: &str, of: &str| {
        let lines = report["frauds"].as_array().into_iter().flatten();
        lines.into_iter().find(|line| line["fraud"] == fraud).map(|line| line[of]["count"].clone())
    };
    ensure!(outcome("an earlier output", "accepted") == Some(0.into()), "{report}");
    ensure!(outcome("other seed", "rejected") == Some(4.into()), "{report}");
    ensure!(outcome("half the size, scaled up", "accepted") == Some(0.into()), "{report}");
    ensure!(outcome("JPEG, quality 90", "accepted") == Some(4.into()), "it is the same picture: {report}");
    ensure!(report["digests"].as_array().is_some_and(|kinds| kinds.len() == 8), "{report}");

    // What is there is not made again, and says the same.
    let (honest, steps) =
        (out.join("hashes/honest-cpu-f32-batched-full.parquet"), out.join("latent/90-of-the-steps.parquet"));
    let (before, half) = (fs::read(&honest)?, Dataset::read(&steps)?);
    ensure!(half.provenance.fraud.as_deref() == Some("90 % of the steps"), "{:?}", half.provenance);
    ensure!(half.provenance.digest.as_deref() == Some("latent"), "{:?}", half.provenance);
    fs::remove_file(&steps)?;
    ensure!(board()?.json().await? == report, "what was made again is another");
    ensure!(fs::read(&honest)? == before, "what was there has changed");
    let same = Dataset::read(&steps)?;
    ensure!(
        half.rows.iter().zip(&same.rows).all(|(one, other)| one.digest == other.digest),
        "made again it is another"
    );

    // What another machine has made can be read here, and not gone on with.
    let mut elsewhere = same.clone();
    elsewhere.provenance.machine = "another machine".into();
    elsewhere.write(&steps)?;
    ensure!(board()?.json().await? == report, "whose machine it was changes nothing");
    elsewhere.rows.pop();
    elsewhere.write(&steps)?;
    let refused = board()?.refuse().await?;
    ensure!(refused.contains("another machine"), "{refused}");

    fs::write(&steps, b"PAR1 and nothing else")?;
    let refused = board()?.refuse().await?;
    ensure!(refused.contains("90-of-the-steps.parquet"), "{refused}");
    Ok(())
}
