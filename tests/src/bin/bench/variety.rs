//! Whether another seed makes another picture: pairs of the same prompt whose digests a verdict could not tell apart.

use std::path::Path;

use eyre::{Result, WrapErr as _};
use oracle::{digest::Zone, manifest::LocalModel};
use quorate_tests::programs;
use serde::{Deserialize, Serialize};

use crate::pictures::{Made, Wanted, make, noise};

/// Pictures of each prompt.
const SEEDS: usize = 10;

/// One of the model's evaluation prompts.
#[derive(Deserialize)]
struct Prompt {
    prompt: String,
    class: String,
}

/// What `models/train/evaluate.py` reads of a picture.
#[derive(Serialize)]
struct Indexed<'a> {
    file: String,
    prompt: &'a str,
    class: &'a str,
    seed: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variety {
    prompts: usize,
    seeds: usize,
    /// Of the same prompt and other seeds.
    pairs: usize,
    /// Pairs with every lane within its accept distance: fraud that would be paid.
    within_accept: usize,
    /// Pairs with every lane within its reject distance: fraud that would not be slashed.
    within_reject: usize,
}

pub(crate) fn measure(work: &Path) -> Result<Variety> {
    let file = programs::repository().join("models/train/prompts.jsonl");
    let text = std::fs::read_to_string(&file).wrap_err_with(|| format!("reading {}", file.display()))?;
    let prompts: Vec<Prompt> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let made = make(&wanted(&prompts), work, &[])?;
    index(&prompts, &made, work)?;

    let profile = LocalModel::open(&programs::bundled_model())?.manifest.image()?.profile;
    let mut variety = Variety { prompts: prompts.len(), seeds: SEEDS, pairs: 0, within_accept: 0, within_reject: 0 };
    for same_prompt in made.chunks(SEEDS) {
        for (number, one) in same_prompt.iter().enumerate() {
            for other in &same_prompt[number + 1..] {
                let zone = profile.zone(&one.digest, &other.digest);
                variety.pairs += 1;
                variety.within_accept += usize::from(zone == Zone::Accepted);
                variety.within_reject += usize::from(zone != Zone::Rejected);
            }
        }
    }
    Ok(variety)
}

fn wanted(prompts: &[Prompt]) -> Vec<Wanted> {
    let of_prompt = |(number, prompt): (u64, &Prompt)| {
        let prompt = prompt.prompt.clone();
        (0..SEEDS as u64).map(move |seed| Wanted {
            name: format!("{number:03}-{seed}"),
            noise_seed: noise(seed, number),
            prompt: prompt.clone(),
        })
    };
    (0..).zip(prompts).flat_map(of_prompt).collect()
}

/// Names the first seed's pictures, which the recognition is measured on.
fn index(prompts: &[Prompt], made: &[Made], work: &Path) -> Result<()> {
    let firsts = made.chunks(SEEDS).filter_map(<[Made]>::first);
    let lines: Vec<_> = prompts
        .iter()
        .zip(firsts)
        .map(|(Prompt { prompt, class }, made)| {
            let file = made.file.file_name().unwrap_or_default().display().to_string();
            serde_json::to_string(&Indexed { file, prompt, class, seed: 0 })
        })
        .collect::<Result<_, _>>()?;
    Ok(std::fs::write(work.join("index.jsonl"), lines.join("\n") + "\n")?)
}

pub(crate) fn print(variety: &Variety) {
    let Variety { prompts, seeds, pairs, within_accept, within_reject } = variety;
    let share = |count: usize| 100.0 * count as f64 / *pairs as f64;
    println!("{prompts} prompts, {seeds} seeds each: {pairs} pairs of the same prompt with other seeds");
    println!("  within accept {within_accept:6}  {:.3} %  (would be paid)", share(*within_accept));
    println!("  within reject {within_reject:6}  {:.3} %  (would not be slashed)", share(*within_reject));
}
