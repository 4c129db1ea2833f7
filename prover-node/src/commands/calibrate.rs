//! `prover-node calibrate`: makes the same jobs in every way that this machine computes in, and keeps their digests, by which
//! `oracle tolerance` tells how far honest machines are apart.

use std::{
    collections::HashSet,
    fs,
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use eyre::{bail, ensure, eyre};
use oracle::{
    dataset::{Dataset, Provenance, Row, noise_seed},
    manifest::{LocalModel, Pipeline},
    models_dir::ModelsDirArgs,
    spec::{Spec, TextArgs},
};
use serde::Serialize;

use super::{
    generate::complete,
    parallel::in_parallel,
    print_json,
    profile::{arithmetic, described},
    progress_bar,
};
use crate::inference::{Arithmetic, Attention, Device, Generator as _, GuidanceMode, Model, Settings};

/// How often what was made is written down.
pub(super) const SAVED: Duration = Duration::from_secs(30);

/// Of which jobs, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every device profile gets a file of its own, which grows as jobs are made: what is there already is not made again, so that \
it can be stopped at any time, and --seeds raised later. Run it on every kind of machine that is to serve the model, and \
give all files to `oracle tolerance`.

Examples:
  prover-node calibrate --prompts classes.txt --seeds 40 --out measured
  prover-node calibrate --prompts imagenet.txt --template 'A photo of {}' --out measured --model-dir sd-1.5 --device cuda
  oracle tolerance measured/*.parquet")]
pub struct CalibrateArgs {
    /// What to ask for: a file with a class on each line
    #[arg(long, value_name = "FILE")]
    prompts: PathBuf,
    /// The prompt that is made of a class, which takes the place of {}
    #[arg(long, value_name = "TEXT", default_value = "{}")]
    template: String,
    /// Pictures of each prompt, the noise seeds being 1 to N; a text has none
    #[arg(long, value_name = "N", default_value = "10")]
    seeds: u32,
    /// The folder of the data sets
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The model's folder, or the name of one that `oracle models pull` has put on this machine
    #[arg(long, env = "QUORATE_MODEL_DIR", value_name = "DIR", default_value = "models/emoji-64")]
    model_dir: PathBuf,
    #[command(flatten)]
    models_dir: ModelsDirArgs,
    /// What computes: cpu, or cuda:N or metal:N for a GPU, in a program that was built with it
    #[arg(long, env = "QUORATE_DEVICE", value_name = "DEVICE", default_value = "cpu")]
    device: Device,
    /// Only this; may be given several times [default: all that the manifest permits on the device]
    #[arg(long, env = "QUORATE_ARITHMETIC", value_parser = arithmetic)]
    arithmetic: Vec<Arithmetic>,
    /// Outputs made at once, each by a thread of its own [default: one for each core]
    #[arg(long, env = "QUORATE_THREADS", value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    text: TextArgs,
}

/// A file of digests.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    device_profile: String,
    file: PathBuf,
    digests: usize,
    /// Of them, those that this run has made.
    new: usize,
}

/// A prompt and the number of its noise seed.
pub(super) type Job = (Arc<str>, u32);

/// What all jobs have in common.
struct Study<'a> {
    files: &'a LocalModel,
    text: &'a TextArgs,
    jobs: Vec<Job>,
    threads: NonZeroUsize,
}

/// Runs the command.
pub fn execute(args: &CalibrateArgs, json: bool) -> eyre::Result<()> {
    let files = LocalModel::open(&args.models_dir.resolve(&args.model_dir))?;
    let study = Study {
        files: &files,
        text: &args.text,
        jobs: jobs(&read_prompts(&args.prompts, &args.template)?, &files.manifest.pipeline, args.seeds),
        threads: args.threads.or(thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
    };
    for (prompt, _) in &study.jobs {
        let spec = study.spec(prompt)?;
        let taken = files.manifest.pipeline.takes(&spec);
        taken.map_err(|error| eyre!("{prompt:?} cannot be asked for: {error}"))?;
    }
    fs::create_dir_all(&args.out).map_err(|error| eyre!("cannot make {}: {error}", args.out.display()))?;

    let mut measured = Vec::new();
    for settings in ways(args.device, &args.arithmetic, &files) {
        let profile = described(&settings, &files.manifest.pipeline);
        let file = args.out.join(profile.replace([' ', ':'], "-")).with_extension("parquet");
        eprintln!("{profile}: {}", file.display());
        let (digests, new) = study.measure(settings, &file)?;
        measured.push(Measured { device_profile: profile, file, digests, new });
    }
    match json {
        true => print_json(&measured)?,
        false => {
            for Measured { device_profile, file, digests, new } in &measured {
                println!("{device_profile}: {digests} digests in {}, {new} of them new", file.display());
            }
        }
    }
    Ok(())
}

/// All ways to compute: the same sums in another order each.
pub(super) fn ways(device: Device, only: &[Arithmetic], files: &LocalModel) -> Vec<Settings> {
    let permitted = files.manifest.arithmetic.on(device.kind());
    let arithmetic = if only.is_empty() { permitted } else { only };
    let orders: &[_] = match files.manifest.pipeline {
        Pipeline::Image(_) => &[(GuidanceMode::Batched, Attention::Full), (GuidanceMode::TwoPass, Attention::Sliced)],
        Pipeline::Text(_) => &[(GuidanceMode::Batched, Attention::Full)],
    };
    let way = |&arithmetic| {
        let settings = Settings { device, arithmetic, threads: NonZeroUsize::MIN, ..Settings::default() };
        orders.iter().map(move |&(guidance, attention)| Settings { guidance, attention, ..settings })
    };
    arithmetic.iter().flat_map(way).collect()
}

impl Study<'_> {
    fn spec(&self, prompt: &str) -> eyre::Result<Spec> {
        complete(&self.files.manifest.pipeline, prompt, self.text)
    }

    /// Makes what is missing; returns how many digests there are, and how many of them are new.
    fn measure(&self, settings: Settings, file: &Path) -> eyre::Result<(usize, usize)> {
        let manifest = &self.files.manifest;
        let provenance = Provenance {
            model: manifest.name.clone(),
            files: manifest.files_hash(),
            spec: self.spec("")?,
            device_profile: described(&settings, &manifest.pipeline),
            machine: machine(settings.device),
            build: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            fraud: None,
            digest: None,
        };
        let mut dataset = match file.exists() {
            true => Dataset::read(file)?,
            false => Dataset { provenance: provenance.clone(), rows: Vec::new() },
        };
        ensure!(
            dataset.provenance == provenance,
            "{} was measured otherwise: with another model, spec, machine or version; choose another --out",
            file.display()
        );
        let done: HashSet<Job> = dataset.rows.iter().map(|row| (row.prompt.clone(), row.seed)).collect();
        let missing: Vec<_> = self.jobs.iter().filter(|job| !done.contains(*job)).collect();
        if missing.is_empty() {
            return Ok((dataset.rows.len(), 0));
        }

        let model = Model::try_out(self.files, settings)?;
        let make = |(prompt, seed): &&Job| {
            let start = Instant::now();
            let output = model.generate(&self.spec(prompt)?, noise_seed(*seed), &mut |_| ControlFlow::Continue(()))?;
            let seconds = start.elapsed().as_secs_f32();
            eyre::Ok(Row { prompt: prompt.clone(), seed: *seed, digest: output.digest(), seconds })
        };
        let bar = progress_bar(missing.len() as u64, "digests");
        let mut saved = Instant::now();
        let ended = in_parallel(&missing, self.threads, make, |made| {
            dataset.rows.push(made?);
            bar.inc(1);
            if saved.elapsed() > SAVED {
                save(&mut dataset, file)?;
                saved = Instant::now();
            }
            Ok(())
        });
        bar.finish_and_clear();
        save(&mut dataset, file)?;
        ended.map(|()| (dataset.rows.len(), missing.len()))
    }
}

/// In an order that does not tell who was faster.
pub(super) fn save(dataset: &mut Dataset, file: &Path) -> eyre::Result<()> {
    dataset.rows.sort_by(|a, b| (&a.prompt, a.seed).cmp(&(&b.prompt, b.seed)));
    Ok(dataset.write(file)?)
}

pub(super) fn read_prompts(file: &Path, template: &str) -> eyre::Result<Vec<Arc<str>>> {
    ensure!(template.contains("{}"), "--template has no {{}}, which the class takes the place of");
    let text = fs::read_to_string(file).map_err(|error| eyre!("cannot read {}: {error}", file.display()))?;
    let mut seen = HashSet::new();
    let mut prompts = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let class = line.trim();
        if class.is_empty() {
            continue;
        }
        if !seen.insert(class) {
            bail!("{}, line {number}: {class:?} is there twice", file.display());
        }
        prompts.push(template.replace("{}", class).into());
    }
    ensure!(!prompts.is_empty(), "{} has no classes: write one on each line", file.display());
    Ok(prompts)
}

/// One seed of all prompts after the other, so that whatever is there covers all of them.
pub(super) fn jobs(prompts: &[Arc<str>], pipeline: &Pipeline, seeds: u32) -> Vec<Job> {
    let seeds = match pipeline {
        Pipeline::Image(_) => 1..=seeds,
        Pipeline::Text(_) => 0..=0,
    };
    seeds.flat_map(|seed| prompts.iter().map(move |prompt| (prompt.clone(), seed))).collect()
}

/// What computes, in its maker's words.
pub(super) fn machine(device: Device) -> String {
    let said = |file: &str, what: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(what))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = said("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    match device {
        Device::Cuda(number) => {
            let mut gpus: Vec<_> = fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten().collect();
            gpus.sort_by_key(fs::DirEntry::path);
            let gpu = gpus.get(number).and_then(|gpu| said(&gpu.path().join("information").to_string_lossy(), "Model"));
            gpu.unwrap_or_else(|| format!("a GPU beside {processor}"))
        }
        Device::Metal(_) => format!("the GPU of {processor}"),
        Device::Cpu => processor,
    }
}
