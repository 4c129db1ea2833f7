//! What verifiers make of thousands of jobs: by the real program, over data sets that it reads.

use std::{fs, path::Path};

use alloy::primitives::keccak256;
use eyre::{Result, ensure};
use oracle::{
    dataset::{Dataset, Provenance, Row},
    digest::Digest,
    manifest::LocalModel,
};
use quorate_tests::{command::Cli, programs};

/// Twenty jobs with so many bits of a lane turned over.
fn set(device_profile: &str, fraud: Option<&str>, turned: u32) -> Result<Dataset> {
    let bundled = LocalModel::open(&programs::repository().join("models/emoji-64"))?.manifest;
    let provenance = Provenance {
        spec: bundled.pipeline.spec(""),
        files: bundled.files_hash(),
        model: bundled.name,
        device_profile: device_profile.into(),
        machine: "a machine".into(),
        build: "0.1.0".into(),
        fraud: fraud.map(ToOwned::to_owned),
        digest: None,
    };
    let row = |seed: u32| {
        let mut lanes = Digest::from(keccak256(seed.to_be_bytes())).lanes();
        lanes[2] ^= (1 << turned) - 1;
        Row { prompt: "a fox".into(), seed, digest: Digest::from_lanes(lanes), seconds: 1.0, margin: None }
    };
    Ok(Dataset { provenance, rows: (0..20).map(row).collect() })
}

fn simulate(folder: &Path, files: &[&str]) -> Result<Cli> {
    let files = files.iter().map(|file| folder.join(file));
    Ok(Cli::oracle()?.arg("simulate").args(files).args(["--jobs", "5000"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cheats_loses_and_who_is_honest_does_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    set("f32", None, 0)?.write(&folder.join("f32"))?;
    set("f16", None, 3)?.write(&folder.join("f16"))?;
    set("f32", Some("10 steps"), 30)?.write(&folder.join("cheap"))?;

    let plot = folder.join("region.svg");
    let sets = ["f32", "f16", "cheap"];
    let report = simulate(folder, &sets)?.arg("--plot").arg(&plot).json().await?;
    ensure!(report["names"][6] == "cheap: 10 steps" && report["measured"]["jobs"] == 20, "{report}");
    ensure!(report["jobs"] == 5_000 && report["fraudLoses"] == true, "{report}");
    ensure!(report["honestSlashed"]["count"] == 0, "{report}");
    ensure!(report["honestSafe"] == false, "5,000 jobs are too few to say it: {report}");
    ensure!(report["accounts"][0]["profit"]["mean"].as_f64().is_some_and(|profit| profit > 0.3), "{report}");
    ensure!(fs::read_to_string(plot)?.starts_with("<svg"), "no picture");
    let again = simulate(folder, &sets)?.json().await?;
    ensure!(again["accounts"] == report["accounts"], "the same seed has played other jobs: {again}");

    let without = simulate(folder, &sets[..2])?.succeed().await?;
    ensure!(without.stderr.contains("no seat approximates cheaply"), "{}", without.stderr);
    ensure!(without.stdout.contains("fraud loses") && !without.stdout.contains("cheap"), "{}", without.stdout);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_simulation_is_refused_in_a_line_that_says_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    set("f32", None, 0)?.write(&folder.join("f32"))?;
    set("f16", None, 3)?.write(&folder.join("f16"))?;
    set("f32", Some("10 steps"), 30)?.write(&folder.join("cheap"))?;
    fs::write(folder.join("text"), "no data set")?;

    for (files, arguments, says) in [
        (&["f32"][..], &[][..], "two at least"),
        (&["cheap"], &[], "two at least"),
        (&["f32", "text"], &[], "no data set"),
        (
            &["f32", "f16"],
            &["--honest", "1", "--lazy", "0", "--random", "0", "--ring", "0", "--silent", "0"],
            "more seats",
        ),
        (&["f32", "f16"], &["--super-majority"], "5 or more"),
        (&["f32", "f16"], &["--accept", "11,0,0,0", "--reject", "24,0,0,0"], "accept 11"),
        (&["f32", "f16"], &["--making", "0.9"], "0.8"),
    ] {
        let refused = simulate(folder, files)?.args(arguments).refuse().await?;
        ensure!(refused.contains(says), "{refused} does not say {says:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_odds_are_drawn_and_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plot = folder.path().join("odds.svg");
    let report = Cli::oracle()?.args(["odds", "--agreement", "0.95", "--plot"]).arg(&plot).json().await?;
    let figure = report["figure"].as_array().map_or(0, Vec::len);
    ensure!(figure == 15 && report["figure"][14]["verifiers"] == 31, "{report}");
    ensure!(fs::read_to_string(plot)?.starts_with("<svg"), "no picture");
    Ok(())
}
