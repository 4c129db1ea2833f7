//! Pictures in bulk, made by the real `prover-node generate --batch`, and what a numeric profile costs.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use alloy::primitives::{B256, keccak256};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use oracle::digest::Digest;
use quorate_tests::{programs, verifier::PROFILES};
use serde::{Deserialize, Serialize};

/// Prompts of the speed measurement.
const PROMPTS: [&str; 4] = ["a fox", "a house on a blue background", "a bee", "a cookie on a pink background"];

/// One line of the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) noise_seed: B256,
    pub(crate) prompt: String,
}

/// One picture that was made.
#[derive(Deserialize)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) file: std::path::PathBuf,
    pub(crate) seconds: f64,
}

/// A numeric profile: how long a picture takes, and how far its digests are from the first profile's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Speed {
    profile: &'static str,
    seconds_per_picture: f64,
    /// In bits, lane by lane, over all pictures.
    most_distance: [u32; 4],
    /// Pictures with other bits than the first profile's.
    differing_files: usize,
    pictures: usize,
}

pub(crate) fn measure() -> Result<Vec<Speed>> {
    let folder = tempfile::tempdir()?;
    let list: Vec<_> = (0..)
        .zip(PROMPTS)
        .map(|(number, prompt)| Wanted {
            name: format!("{number}"),
            noise_seed: noise(0, number),
            prompt: prompt.into(),
        })
        .collect();
    let mut made = Vec::new();
    for profile in PROFILES {
        let out = folder.path().join(profile.name.replace(' ', "-"));
        // One thread makes them one after the other: what is measured is one picture's time.
        made.push((profile.name, make(&list, &out, profile.flags)?));
    }
    let (_, reference) = made.first().ok_or_eyre("there is no profile")?;
    made.iter().map(|(profile, made)| compare(profile, reference, made)).collect()
}

fn compare(profile: &'static str, reference: &[Made], made: &[Made]) -> Result<Speed> {
    let mut most_distance = [0; 4];
    let mut differing_files = 0;
    for (one, other) in reference.iter().zip(made) {
        for (most, bits) in most_distance.iter_mut().zip(one.digest.distances(&other.digest)) {
            *most = bits.max(*most);
        }
        differing_files += usize::from(std::fs::read(&one.file)? != std::fs::read(&other.file)?);
    }
    let seconds: f64 = made.iter().map(|made| made.seconds).sum();
    let pictures = made.len();
    Ok(Speed { profile, seconds_per_picture: seconds / pictures as f64, most_distance, differing_files, pictures })
}

/// Makes the pictures of a list, in its order; those that are there already are not made again.
pub(crate) fn make(list: &[Wanted], out: &Path, flags: &[&str]) -> Result<Vec<Made>> {
    std::fs::create_dir_all(out)?;
    let file = out.join("list.jsonl");
    let lines: Vec<_> = list.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    std::fs::write(&file, lines.join("\n"))?;
    let ended = Command::new(programs::built("prover-node")?)
        .args(["generate", "--batch"])
        .arg(&file)
        .arg("--model-dir")
        .arg(programs::bundled_model())
        .arg("--out")
        .arg(out)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    ensure!(ended.success(), "`prover-node generate --batch` ended with {ended}");

    let results = std::fs::read_to_string(out.join("results.jsonl"))?;
    let made: Vec<Made> =
        results.lines().map(serde_json::from_str).collect::<Result<_, _>>().wrap_err("reading results.jsonl")?;
    let mut made: std::collections::BTreeMap<_, _> = made.into_iter().map(|made| (made.name.clone(), made)).collect();
    list.iter()
        .map(|wanted| made.remove(&wanted.name).ok_or_else(|| eyre::eyre!("{} is missing", wanted.name)))
        .collect()
}

/// The noise of seed `seed` for prompt `prompt`.
pub(crate) fn noise(seed: u64, prompt: u64) -> B256 {
    keccak256([seed.to_be_bytes(), prompt.to_be_bytes()].concat())
}

pub(crate) fn print(speeds: &[Speed]) {
    println!("{:14} {:>10}  {:24} other bits", "profile", "s/picture", "most bits from f32");
    for speed in speeds {
        let bits = speed.most_distance.map(|bits| bits.to_string()).join(" ");
        let files = format!("{} of {}", speed.differing_files, speed.pictures);
        println!("{:14} {:10.2}  {bits:24} {files}", speed.profile, speed.seconds_per_picture);
    }
}
