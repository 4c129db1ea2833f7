//! `prover-node calibrate`: makes the same jobs in every way that this machine computes in, and keeps their digests, by which
//! `oracle tolerance` tells how far honest pictures are apart, and `oracle consensus` how often honest texts are the same.

use std::{fs, num::NonZeroUsize, ops::ControlFlow, path::PathBuf, slice, time::Instant};

use eyre::{ensure, eyre};
use oracle::{
    dataset::{Provenance, Row, noise_seed},
    manifest::{LocalModel, Pipeline},
    output::{Output, Text},
    spec::{Spec, TextArgs, TextSpec},
};
use serde::Serialize;

use super::{
    generate::complete,
    print_json,
    profile::{arithmetic, described},
    study::{Job, Stored, StudyArgs, make_all, provenance, ways},
};
use crate::{
    attacks::text::{Cheater, Fraud},
    inference::{Arithmetic, Generator as _, Model, Settings, Sums, language},
};

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
    #[command(flatten)]
    pub(super) study: StudyArgs,
    /// Pictures of each prompt, the noise seeds being 1 to N; a text has none, unless it is sampled
    #[arg(long, value_name = "N", default_value = "10")]
    pub(super) seeds: u32,
    /// Only this; may be given several times [default: all that the manifest permits on the device]
    #[arg(long, env = "QUORATE_ARITHMETIC", value_parser = arithmetic)]
    pub(super) arithmetic: Vec<Arithmetic>,
    /// Cheat, to see how often it passes: `sampled`, `one-token`, `cut-short`, `8-bit`, `4-bit` (weights), or `other:DIR`,
    /// another model. For greedy texts; the file says that it is a fraud
    #[arg(long, value_name = "FRAUD")]
    pub(super) fraud: Option<Fraud>,
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
    let files = args.study.model()?;
    let seeds = match (&files.manifest.pipeline, &args.fraud) {
        (Pipeline::Image(_), _) | (_, Some(Fraud::Sampled)) => 1..=args.seeds,
        (Pipeline::Text(_), _) => 0..=0,
    };
    let mut study = Study {
        files: &files,
        text: &args.study.text,
        fraud: args.fraud.as_ref(),
        jobs: args.study.jobs(seeds)?,
        threads: args.study.threads(),
        judge: None,
    };
    for (prompt, _) in &study.jobs {
        let spec = study.spec(prompt)?;
        let taken = files.manifest.pipeline.takes(&spec);
        taken.map_err(|error| eyre!("{prompt:?} cannot be asked for: {error}"))?;
    }
    let out = &args.study.out;
    fs::create_dir_all(out).map_err(|error| eyre!("cannot make {}: {error}", out.display()))?;
    let ways = ways(&args.study, &args.arithmetic, &files);

    match study.spec("")? {
        Spec::Text(TextSpec { beams: 1, .. }) => {
            study.judge =
                Some(language::Model::of(&files, Settings { threads: study.threads, ..Settings::default() })?);
        }
        _ => ensure!(args.fraud.is_none(), "--fraud is for greedy texts: without --beams, of a model that writes"),
    }

    let mut measured = Vec::new();
    // Frauds are made in one way only.
    for settings in ways.into_iter().filter(|way| args.fraud.is_none() || way.sums == Sums::Pinned) {
        let profile = described(&settings, &files.manifest.pipeline);
        let file = out.join(study.file_name(&profile)?);
        eprintln!("{profile}: {}", file.display());
        let (digests, new) = study.measure(settings, file.clone())?;
        measured.push(Measured { device_profile: profile, file, digests, new });
    }
    Ok(measured)
}

impl Study<'_> {
    fn spec(&self, prompt: &str) -> eyre::Result<Spec> {
        complete(&self.files.manifest.pipeline, prompt, self.text)
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
    fn measure(&self, settings: Settings, file: PathBuf) -> eyre::Result<(usize, usize)> {
        let fraud = self.fraud.map(ToString::to_string);
        let provenance = Provenance { fraud, ..provenance(self.files, self.spec("")?, &settings) };
        let mut stored = Stored::open(file, provenance.clone())?;
        ensure!(
            stored.set.provenance == provenance,
            "{} was measured otherwise: with another model, spec, machine or version; choose another --out",
            stored.file.display()
        );
        let done = stored.done();
        let missing: Vec<_> = self.jobs.iter().filter(|job| !done.contains(*job)).collect();
        if !missing.is_empty() {
            let maker = self.maker(settings)?;
            let tasks: Vec<_> = missing.chunks(self.at_once(&maker)).collect();
            let make = |jobs: &[&Job]| Ok(vec![self.rows(&maker, jobs)?]);
            make_all(&tasks, self.threads, make, slice::from_mut(&mut stored))?;
        }
        Ok((stored.set.rows.len(), missing.len()))
    }
}
