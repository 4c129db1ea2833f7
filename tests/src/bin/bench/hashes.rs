//! How many digests a second, beside ImageHash on the same picture, on one thread.

use std::{hint::black_box, path::Path, process::Command, time::Instant};

use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use image::{Rgb, RgbImage};
use oracle::digest::Digest;
use serde::Serialize;

/// Width and height of the picture, in pixels.
const SIDE: u32 = 512;

/// Digests that are timed together.
const COUNT: u32 = 50;

/// Of each measurement the best of so many counts: what else the machine does only ever adds.
const TRIES: usize = 3;

/// Digests a second, ours and the peer's.
#[derive(Serialize)]
pub(crate) struct Hashes {
    side: u32,
    digests_s: f64,
    peer: &'static str,
    peer_digests_s: Option<f64>,
    /// Why there is no figure of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_run: Option<String>,
}

/// With the peer if there is a Python that has it.
pub(crate) fn measure(python: Option<&Path>) -> Result<Hashes> {
    let picture = RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([(x / 2) as u8, (y / 2) as u8, (x * y / 512) as u8]));
    let ours = || {
        let begun = Instant::now();
        (0..COUNT).for_each(|_| _ = black_box(Digest::of_image(black_box(&picture))));
        Ok(begun.elapsed().as_secs_f64())
    };
    let digests_s = rate(ours)?;
    let theirs = python.ok_or_eyre("no Python has it").and_then(|python| rate(|| theirs(python, &picture)));
    let (peer_digests_s, not_run) = match theirs {
        Ok(rate) => (Some(rate), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Hashes { side: SIDE, digests_s, peer: "ImageHash: aHash, dHash, pHash, colorhash", peer_digests_s, not_run })
}

fn rate(seconds: impl Fn() -> Result<f64>) -> Result<f64> {
    let tries = (0..TRIES).map(|_| seconds()).collect::<Result<Vec<_>>>()?;
    Ok(f64::from(COUNT) / tries.into_iter().fold(f64::INFINITY, f64::min))
}

fn theirs(python: &Path, picture: &RgbImage) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("picture.png");
    picture.save(&file)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/hashes.py");
    let output = Command::new(python).arg(script).arg(&file).arg(COUNT.to_string()).output()?;
    ensure!(output.status.success(), "ImageHash ended with {}", output.status);
    serde_json::from_slice(&output.stdout).wrap_err("ImageHash gave no answer")
}

pub(crate) fn print(hashes: &Hashes) {
    let Hashes { side, digests_s, peer, peer_digests_s, not_run } = hashes;
    let not_run = || format!("not run: {}", not_run.as_deref().unwrap_or_default());
    let theirs = peer_digests_s.map_or_else(not_run, |rate| format!("{rate:.0}"));
    println!("digests a second of {side}x{side} pixels: {digests_s:.0}; {peer}: {theirs}");
}
