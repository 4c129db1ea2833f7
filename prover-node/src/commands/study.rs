//! What `calibrate` and `attack-board` have in common: which jobs, of which model, made how, kept where.

use std::{
    collections::HashSet,
    fs,
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use eyre::{bail, ensure, eyre};
use oracle::{
    dataset::{Dataset, Provenance, Row},
    manifest::{LocalModel, Pipeline},
    models_dir::ModelsDirArgs,
    spec::{Spec, TextArgs},
};

use super::{parallel::in_parallel, profile::described, progress_bar};
use crate::inference::{Arithmetic, Attention, Device, GuidanceMode, Settings, Sums};

/// How often what was made is written down.
const SAVED: Duration = Duration::from_secs(30);

/// Of which jobs, and with what.
#[derive(Debug, Clone, clap::Args)]
pub struct StudyArgs {
    /// What to ask for: a file with a class on each line
    #[arg(long, value_name = "FILE")]
    pub(super) prompts: PathBuf,
    /// The prompt that is made of a class, which takes the place of {}
    #[arg(long, value_name = "TEXT", default_value = "{}")]
    pub(super) template: String,
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
    /// Outputs made at once, each by a thread of its own [default: one for each core]
    #[arg(long, env = "QUORATE_THREADS", value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) text: TextArgs,
}

/// A prompt and the number of its noise seed.
pub(super) type Job = (Arc<str>, u32);

impl StudyArgs {
    pub(super) fn model(&self) -> eyre::Result<LocalModel> {
        Ok(LocalModel::open(&self.models_dir.resolve(&self.model_dir))?)
    }

    pub(super) fn threads(&self) -> NonZeroUsize {
        self.threads.or(thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// One seed of all prompts after the other, so that whatever is there covers all of them.
    pub(super) fn jobs(&self, seeds: RangeInclusive<u32>) -> eyre::Result<Vec<Job>> {
        let prompts = read_prompts(&self.prompts, &self.template)?;
        Ok(seeds.flat_map(|seed| prompts.iter().map(move |prompt| (prompt.clone(), seed))).collect())
    }
}

/// All ways to compute: the same sums in another order each.
pub(super) fn ways(args: &StudyArgs, only: &[Arithmetic], files: &LocalModel) -> Vec<Settings> {
    let permitted = files.manifest.arithmetic.on(args.device.kind());
    let arithmetic = if only.is_empty() { permitted } else { only };
    let orders = match files.manifest.pipeline {
        Pipeline::Image(_) => [
            (GuidanceMode::Batched, Attention::Full, Sums::Pinned),
            (GuidanceMode::TwoPass, Attention::Sliced, Sums::Pinned),
        ],
        Pipeline::Text(_) => [Sums::Pinned, Sums::Gemm].map(|sums| (GuidanceMode::Batched, Attention::Full, sums)),
    };
    let way = |&arithmetic| {
        let settings = Settings { device: args.device, arithmetic, threads: args.threads(), ..Settings::default() };
        orders.map(|(guidance, attention, sums)| Settings { guidance, attention, sums, ..settings })
    };
    arithmetic.iter().flat_map(way).collect()
}

/// Where a data set comes from that this program makes on this machine.
pub(super) fn provenance(files: &LocalModel, spec: Spec, settings: &Settings) -> Provenance {
    let manifest = &files.manifest;
    Provenance {
        model: manifest.name.clone(),
        files: manifest.files_hash(),
        spec,
        device_profile: described(settings, &manifest.pipeline),
        machine: machine(settings.device),
        build: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        fraud: None,
        digest: None,
    }
}

/// A data set, and the file that it is kept in.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) set: Dataset,
    pub(super) file: PathBuf,
}

impl Stored {
    /// What the file holds; a set of that provenance without rows if there is none.
    pub(super) fn open(file: PathBuf, provenance: Provenance) -> eyre::Result<Self> {
        let set = match file.exists() {
            true => Dataset::read(&file)?,
            false => Dataset { provenance, rows: Vec::new() },
        };
        Ok(Self { set, file })
    }

    pub(super) fn done(&self) -> HashSet<Job> {
        self.set.rows.iter().map(|row| (row.prompt.clone(), row.seed)).collect()
    }

    /// Leaves out the rows of other jobs than these.
    pub(super) fn keep(&mut self, jobs: &HashSet<Job>) {
        self.set.rows.retain(|row| jobs.contains(&(row.prompt.clone(), row.seed)));
    }

    /// In an order that does not tell who was faster.
    fn save(&mut self) -> eyre::Result<()> {
        self.set.rows.sort_by(|a, b| (&a.prompt, a.seed).cmp(&(&b.prompt, b.seed)));
        Ok(self.set.write(&self.file)?)
    }
}

/// Does all tasks, which are jobs that are made together, on `workers` threads. What `make` returns are the rows of each of
/// the sets. They are written down twice a minute and at the end, also after an error.
pub(super) fn make_all(
    tasks: &[&[&Job]],
    workers: NonZeroUsize,
    make: impl Fn(&[&Job]) -> eyre::Result<Vec<Vec<Row>>> + Sync,
    sets: &mut [Stored],
) -> eyre::Result<()> {
    let bar = progress_bar(tasks.iter().map(|jobs| jobs.len() as u64).sum(), "jobs");
    let work = |jobs: &&[&Job]| make(jobs).map(|made| (jobs.len(), made));
    let mut saved = Instant::now();
    let ended = in_parallel(tasks, workers, work, |made| {
        let (jobs, made) = made?;
        sets.iter_mut().zip(made).for_each(|(stored, rows)| stored.set.rows.extend(rows));
        bar.inc(jobs as u64);
        if saved.elapsed() > SAVED {
            sets.iter_mut().try_for_each(Stored::save)?;
            saved = Instant::now();
        }
        Ok(())
    });
    bar.finish_and_clear();
    sets.iter_mut().try_for_each(Stored::save)?;
    ended
}

fn read_prompts(file: &Path, template: &str) -> eyre::Result<Vec<Arc<str>>> {
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
