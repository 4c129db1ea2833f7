//! `prover-node generate --batch`: many pictures, in parallel, and again from where it was stopped.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Instant,
};

use alloy::primitives::B256;
use eyre::{bail, eyre};
use oracle::{files::write_atomically, spec::Spec};

use super::{
    Made, Studio,
    list::{Line, read_list},
};
use crate::{
    commands::{parallel::in_parallel, progress_bar},
    output::Format,
};

struct Task {
    name: String,
    spec: Spec,
    noise_seed: Option<B256>,
    file: PathBuf,
}

pub(super) fn execute(
    list: &Path,
    folder: &Path,
    open: impl FnOnce() -> eyre::Result<Studio>,
    workers: NonZeroUsize,
    force: bool,
    json: bool,
) -> eyre::Result<()> {
    let lines = read_list(list)?;
    let studio = open()?;
    fs::create_dir_all(folder).map_err(|error| eyre!("cannot make {}: {error}", folder.display()))?;
    let results = folder.join("results.jsonl");
    let done = if force { BTreeMap::new() } else { read_results(&results, folder)? };
    let tasks = tasks(lines, folder, &studio, &done)?;
    let (before, missing) = (done.len(), tasks.len());

    // Rewritten without a last line that a crash may have cut short.
    let kept: String =
        done.values().map(|made| Ok(serde_json::to_string(made)? + "\n")).collect::<eyre::Result<_>>()?;
    let unwritable = |error| eyre!("cannot write {}: {error}", results.display());
    write_atomically(&results, kept.as_bytes()).map_err(unwritable)?;
    let mut log = OpenOptions::new().append(true).open(&results).map_err(unwritable)?;

    let start = Instant::now();
    let bar = progress_bar(missing as u64, "outputs");
    let make =
        |task: &Task| studio.make(Some(task.name.clone()), &task.spec, task.noise_seed, Some(&task.file), |_| ());
    in_parallel(&tasks, workers, make, |made| {
        let line = serde_json::to_string(&made?)?;
        writeln!(log, "{line}").map_err(unwritable)?;
        if json {
            println!("{line}");
        }
        bar.inc(1);
        eyre::Ok(())
    })?;
    bar.finish_and_clear();

    let seconds = start.elapsed().as_secs_f64();
    let rate = missing as f64 / seconds.max(1e-9);
    eprintln!("{missing} outputs in {seconds:.1} s ({rate:.2} a second); {before} were there already");
    Ok(())
}

fn read_results(results: &Path, folder: &Path) -> eyre::Result<BTreeMap<String, Made>> {
    let text = match fs::read_to_string(results) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => bail!("cannot read {}: {error}", results.display()),
    };
    let made = text.lines().filter_map(|line| serde_json::from_str::<Made>(line).ok());
    let named = made.filter_map(|made| Some((made.name.clone()?, made)));
    let is_there = |made: &Made| {
        let file = made.file.as_ref().and_then(|file| file.file_name());
        file.is_some_and(|file| folder.join(file).exists())
    };
    Ok(named.filter(|(_, made)| is_there(made)).collect())
}

/// What is still to be made.
fn tasks(lines: Vec<Line>, folder: &Path, studio: &Studio, done: &BTreeMap<String, Made>) -> eyre::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for line in lines {
        let (name, noise_seed) = (line.name.clone(), line.noise_seed);
        let spec = line.spec(&studio.files.manifest.pipeline)?;
        match done.get(&name) {
            Some(made) if made.inputs == studio.inputs(&spec, noise_seed) => {}
            Some(_) => bail!(
                "{} holds {name:?} of another spec, seed, model or profile; choose another folder or add --force",
                folder.display()
            ),
            None => {
                let file = folder.join(format!("{name}.{}", extension(&spec)));
                tasks.push(Task { name, spec, noise_seed, file });
            }
        }
    }
    Ok(tasks)
}

fn extension(spec: &Spec) -> &'static str {
    match spec {
        Spec::Image(_) => Format::Png.extension(),
        Spec::Text(_) => Format::Json.extension(),
    }
}
