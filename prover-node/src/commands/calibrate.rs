//! `prover-node calibrate`: makes the same jobs in every way that this machine computes in, and keeps their digests, by which
//! `oracle tolerance` tells how far honest pictures are apart, and `oracle consensus` how often honest texts are the same.

use std::{
    collections::HashSet,
    fs,
    num::NonZeroUsize,
    ops::{ControlFlow, RangeInclusive},
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
    output::{Output, Text},
    spec::{Spec, TextArgs, TextSpec},
};
use serde::Serialize;

use super::{
    generate::complete,
    parallel::in_parallel,
    print_json,
    profile::{arithmetic, described},
    progress_bar,
};
use crate::{
    attacks::text::{Cheater, Fraud},
    inference::{Arithmetic, Attention, Device, Generator as _, GuidanceMode, Model, Settings, Sums, language},
};

/// How often what was made is written down.
pub(super) const SAVED: Duration = Duration::from_secs(30);

/// Of which jobs, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every device profile gets a file of its own, which grows as jobs are made: what is there already is not made again, so that \
it can be stopped at any time, and --seeds raised later. Run it on every kind of machine that is to serve the model, and \
give all files to `oracle tolerance`, or those of texts to `oracle consensus`. Each greedy text is checked in one pass, too, \
and the file says how much the check had to tolerate.

Examples:
  prover-node calibrate --prompts classes.txt --seeds 40 --out measured
  prover-node calibrate --prompts imagenet.txt --template 'A photo of {}' --out measured --model-dir sd-1.5 --device cuda
  oracle tolerance measured/*.parquet

  prover-node calibrate --prompts questions.txt --out measured --model-dir smollm2-135m-gguf --beams 4
  prover-node calibrate --prompts questions.txt --out measured --model-dir smollm2-135m-gguf --fraud sampled --seeds 2
  oracle consensus measured/*.parquet")]
pub struct CalibrateArgs {
    /// What to ask for: a file with a class on each line
    #[arg(long, value_name = "FILE")]
    pub(super) prompts: PathBuf,
    /// The prompt that is made of a class, which takes the place of {}
    #[arg(long, value_name = "TEXT", default_value = "{}")]
    pub(super) template: String,
    /// Pictures of each prompt, the noise seeds being 1 to N; a text has none, unless it is sampled
    #[arg(long, value_name = "N", default_value = "10")]
    pub(super) seeds: u32,
    /// The folder of the data sets
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// The model's folder, or the name of one that `oracle models pull` has put on this machine
    #[arg(long, env = "QUORATE_MODEL_DIR", value_name = "DIR", default_value = "models/emoji-64")]
    pub(super) model_dir: PathBuf,
    #[command(flatten)]
    pub(super) models_dir: ModelsDirArgs,
    /// What computes: cpu, or cuda:N or metal:N for a GPU, in a program that was built with it
    #[arg(long, env = "QUORATE_DEVICE", value_name = "DEVICE", default_value = "cpu")]
    pub(super) device: Device,
    /// Only this; may be given several times [default: all that the manifest permits on the device]
    #[arg(long, env = "QUORATE_ARITHMETIC", value_parser = arithmetic)]
    pub(super) arithmetic: Vec<Arithmetic>,
    /// Outputs made at once, each by a thread of its own [default: one for each core]
    #[arg(long, env = "QUORATE_THREADS", value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    /// Cheat, to see how often it passes: `sampled`, `one-token`, `cut-short`, `8-bit`, `4-bit` (weights), or `other:DIR`,
    /// another model. For greedy texts; the file says that it is a fraud
    #[arg(long, value_name = "FRAUD")]
    pub(super) fraud: Option<Fraud>,
    #[command(flatten)]
    pub(super) text: TextArgs,
}

/// A file of digests.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    device_profile: String,
    pub(super) file: PathBuf,
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
    fraud: Option<&'a Fraud>,
    jobs: Vec<Job>,
    threads: NonZeroUsize,
    /// Checks greedy texts, as an honest node would.
    judge: Option<language::Model>,
}

/// What makes the outputs of a data set.
enum Maker {
    Honest(Model),
    Cheater(Box<Cheater>),
}

/// Runs the command.
pub fn execute(args: &CalibrateArgs, json: bool) -> eyre::Result<()> {
    let measured = measure(args)?;
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

/// Makes what is missing.
pub(super) fn measure(args: &CalibrateArgs) -> eyre::Result<Vec<Measured>> {
    let files = LocalModel::open(&args.models_dir.resolve(&args.model_dir))?;
    let seeds = match (&files.manifest.pipeline, &args.fraud) {
        (Pipeline::Image(_), _) | (_, Some(Fraud::Sampled)) => 1..=args.seeds,
        (Pipeline::Text(_), _) => 0..=0,
    };
    let mut study = Study {
        files: &files,
        text: &args.text,
        fraud: args.fraud.as_ref(),
        jobs: jobs(&read_prompts(&args.prompts, &args.template)?, seeds),
        threads: args.threads.or(thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
        judge: None,
    };
    for (prompt, _) in &study.jobs {
        let spec = study.spec(prompt)?;
        let taken = files.manifest.pipeline.takes(&spec);
        taken.map_err(|error| eyre!("{prompt:?} cannot be asked for: {error}"))?;
    }
    fs::create_dir_all(&args.out).map_err(|error| eyre!("cannot make {}: {error}", args.out.display()))?;

    match study.spec("")? {
        Spec::Text(TextSpec { beams: 1, .. }) => {
            study.judge = Some(language::Model::of(&files, study.settings(Settings::default()))?);
        }
        _ => ensure!(args.fraud.is_none(), "--fraud is for greedy texts: without --beams, of a model that writes"),
    }

    let mut measured = Vec::new();
    // Frauds are made in one way only.
    let ways = ways(args.device, &args.arithmetic, &files);
    for settings in ways.into_iter().filter(|way| args.fraud.is_none() || way.sums == Sums::Pinned) {
        let settings = study.settings(settings);
        let profile = described(&settings, &files.manifest.pipeline);
        let file = args.out.join(study.file_name(&profile)?);
        eprintln!("{profile}: {}", file.display());
        let (digests, new) = study.measure(settings, &file)?;
        measured.push(Measured { device_profile: profile, file, digests, new });
    }
    Ok(measured)
}

/// All ways to compute: the same sums in another order each.
pub(super) fn ways(device: Device, only: &[Arithmetic], files: &LocalModel) -> Vec<Settings> {
    let permitted = files.manifest.arithmetic.on(device.kind());
    let arithmetic = if only.is_empty() { permitted } else { only };
    let orders = match files.manifest.pipeline {
        Pipeline::Image(_) => [
            (GuidanceMode::Batched, Attention::Full, Sums::Pinned),
            (GuidanceMode::TwoPass, Attention::Sliced, Sums::Pinned),
        ],
        Pipeline::Text(_) => [Sums::Pinned, Sums::Gemm].map(|sums| (GuidanceMode::Batched, Attention::Full, sums)),
    };
    let way = |&arithmetic| {
        let settings = Settings { device, arithmetic, threads: NonZeroUsize::MIN, ..Settings::default() };
        orders.map(|(guidance, attention, sums)| Settings { guidance, attention, sums, ..settings })
    };
    arithmetic.iter().flat_map(way).collect()
}

impl Study<'_> {
    fn spec(&self, prompt: &str) -> eyre::Result<Spec> {
        complete(&self.files.manifest.pipeline, prompt, self.text)
    }

    /// Pictures are made by a thread each, and texts by all threads of their one model.
    fn settings(&self, settings: Settings) -> Settings {
        let threads = match self.files.manifest.pipeline {
            Pipeline::Image(_) => NonZeroUsize::MIN,
            Pipeline::Text(_) => self.threads,
        };
        Settings { threads, ..settings }
    }

    /// Sets that are not to be taken together do not get into each other's way.
    fn file_name(&self, profile: &str) -> eyre::Result<String> {
        let decoding = match self.spec("")? {
            Spec::Image(_) => String::new(),
            Spec::Text(TextSpec { beams: 1, .. }) => " greedy".to_owned(),
            Spec::Text(TextSpec { beams, .. }) => format!(" beams {beams}"),
        };
        let fraud = self.fraud.map(|fraud| format!(" {fraud}")).unwrap_or_default();
        let name = format!("{profile}{decoding}{fraud}").replace(", ", " ");
        Ok(name.replace(|c: char| !(c.is_alphanumeric() || "._-".contains(c)), "-") + ".parquet")
    }

    fn maker(&self, settings: Settings) -> eyre::Result<Maker> {
        Ok(match self.fraud {
            None => Maker::Honest(Model::try_out(self.files, settings)?),
            Some(fraud) => Maker::Cheater(Box::new(Cheater::load(fraud.clone(), self.files, settings)?)),
        })
    }

    /// The jobs of one task: greedy texts that are made together, or one.
    fn at_once(&self, maker: &Maker) -> usize {
        match (maker, &self.judge) {
            (Maker::Cheater(_), _) => language::MOST_AT_ONCE,
            (Maker::Honest(model), Some(_)) => model.at_once(),
            (Maker::Honest(_), None) => 1,
        }
    }

    fn make(&self, maker: &Maker, jobs: &[&Job]) -> eyre::Result<Vec<Output>> {
        let specs = jobs.iter().map(|(prompt, _)| self.spec(prompt)).collect::<eyre::Result<Vec<_>>>()?;
        let greedy = || specs.iter().filter_map(|spec| if let Spec::Text(spec) = spec { Some(spec) } else { None });
        let in_tokens = |tokens| Output::Text(Text { tokens, text: String::new() });
        match maker {
            Maker::Cheater(cheater) => {
                let jobs: Vec<_> = greedy().cloned().zip(jobs.iter().map(|(_, seed)| *seed)).collect();
                Ok(cheater.hand_in(&jobs)?.into_iter().map(in_tokens).collect())
            }
            Maker::Honest(Model::Text(model)) if self.judge.is_some() => {
                Ok(model.write_all(&greedy().cloned().collect::<Vec<_>>())?.into_iter().map(Output::Text).collect())
            }
            Maker::Honest(model) => {
                let one = |(spec, (_, seed)): (&Spec, &&Job)| {
                    Ok(model.generate(spec, noise_seed(*seed), &mut |_| ControlFlow::Continue(()))?)
                };
                specs.iter().zip(jobs).map(one).collect()
            }
        }
    }

    fn rows(&self, maker: &Maker, jobs: &[&Job]) -> eyre::Result<Vec<Row>> {
        let start = Instant::now();
        let made = self.make(maker, jobs)?;
        let seconds = start.elapsed().as_secs_f32() / jobs.len() as f32;
        let row = |(output, (prompt, seed)): (Output, &&Job)| {
            let margin = match (&self.judge, self.spec(prompt)?, &output) {
                (Some(judge), Spec::Text(spec), Output::Text(text)) => Some(judge.margin(&spec, &text.tokens)?),
                _ => None,
            };
            Ok(Row { prompt: prompt.clone(), seed: *seed, digest: output.digest(), seconds, margin })
        };
        made.into_iter().zip(jobs).map(row).collect()
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
            fraud: self.fraud.map(ToString::to_string),
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

        let maker = self.maker(settings)?;
        let tasks: Vec<_> = missing.chunks(self.at_once(&maker)).collect();
        let make = |jobs: &&[&Job]| self.rows(&maker, jobs);
        let bar = progress_bar(missing.len() as u64, "digests");
        let mut saved = Instant::now();
        let ended = in_parallel(&tasks, self.threads, make, |made| {
            let made = made?;
            bar.inc(made.len() as u64);
            dataset.rows.extend(made);
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
pub(super) fn jobs(prompts: &[Arc<str>], seeds: RangeInclusive<u32>) -> Vec<Job> {
    seeds.flat_map(|seed| prompts.iter().map(move |prompt| (prompt.clone(), seed))).collect()
}

/// What computes, in its maker's words.
#[must_use]
pub fn machine(device: Device) -> String {
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
