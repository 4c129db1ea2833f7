//! What the demo asks for: prompts from the model's own vocabulary, drawn by a seed, so that none is picked by hand.

use std::path::Path;

use alloy::primitives::keccak256;
use eyre::{Result, WrapErr as _, ensure};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// Backgrounds that the bundled model's captions name.
const BACKGROUNDS: [&str; 7] = ["red", "green", "blue", "yellow", "purple", "pink", "brown"];

/// `count` different prompts: one of the model's classes each, every other one with a background.
pub(crate) fn draw(model: &Path, seed: u64, count: usize) -> Result<Vec<String>> {
    let file = model.join("classes.txt");
    let text = std::fs::read_to_string(&file).wrap_err_with(|| format!("reading {}", file.display()))?;
    let mut classes: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    ensure!(classes.len() >= count, "{} names fewer than {count} classes", file.display());

    let mut rng = ChaCha20Rng::from_seed(keccak256(seed.to_be_bytes()).0);
    let mut pick = |choices: usize| (rng.next_u64() % choices as u64) as usize;
    let prompts = (0..count).map(|number| {
        let class = classes.swap_remove(pick(classes.len()));
        match number % 2 {
            0 => format!("{} on a {} background", with_article(class), BACKGROUNDS[pick(BACKGROUNDS.len())]),
            _ => with_article(class),
        }
    });
    Ok(prompts.collect())
}

/// The captions leave the article out of plurals, and now and then elsewhere, so that none is never wrong.
fn with_article(class: &str) -> String {
    match class.chars().next() {
        _ if class.ends_with('s') => class.to_owned(),
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {class}"),
        _ => format!("a {class}"),
    }
}
