//! `prover-node attack-board`: makes what frauds would make of the same jobs, and tells how often it passes for an honest output.

mod texts;

use std::{
    collections::BTreeMap,
    fs,
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use alloy::primitives::{B256, keccak256};
use clap::ValueEnum as _;
use eyre::{WrapErr as _, ensure};
use image::{RgbImage, imageops};
use oracle::{
    board::{Answers, Outcome},
    dataset::{Dataset, Provenance, Row, noise_seed},
    digest::{Digest, LANES, ToleranceProfile},
    manifest::{LocalModel, Pipeline as Makes},
    spec::{ImageSpec, Spec},
    tolerance::{Measurement, Share, upper_bound},
};
use serde::Serialize;

use super::{
    print_json,
    profile::described,
    study::{Job, Stored, StudyArgs, make_all, provenance, ways},
    table,
};
use crate::{
    attacks::{Edit, How, Kind, Made, collide},
    inference::{Pipeline, Settings},
};

/// Of which jobs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each job is made honestly in the two ways that differ most, and by every fraud; every picture that was made honestly is also changed in \
many ways. A fraud passes where either honest verifier accepts its digest by the model's tolerance profile. Other kinds \
of digest than the protocol's are measured beside it, each with the tightest distances that its honest pairs keep to. What is made is \
kept as data sets, so that it can be stopped at any time and goes on. Of a model that writes, greedy texts are judged by whether \
they are an honest one, and by a check in one pass with the tolerance that honest texts need.

Examples:
  prover-node attack-board --prompts classes.txt --seeds 10 --out attacks
  prover-node attack-board --prompts classes.txt --out attacks --other older/emoji-64 --json
  prover-node attack-board --prompts questions.txt --out attacks --model-dir smollm2-135m-gguf --max-tokens 32")]
pub struct AttackBoardArgs {
    #[command(flatten)]
    study: StudyArgs,
    /// Pictures of each prompt, the noise seeds being 1 to N; at least 2. A text has none
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(2..))]
    seeds: u32,
    /// A model that is sold as this one; may be given several times
    #[arg(long, value_name = "DIR")]
    other: Vec<PathBuf>,
}

/// Changes that somebody makes who searches for a collision.
const TRIES: usize = 2_000;

/// What is known of all jobs.
struct Study<'a> {
    files: &'a LocalModel,
    out: &'a Path,
    jobs: Vec<Job>,
    threads: NonZeroUsize,
}

/// One way to run a model, and what becomes of its pictures.
struct Batch {
    settings: Settings,
    how: Option<How>,
    outputs: Vec<Finish>,
}

/// What is done with a picture that was made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Finish {
    AsMade,
    Edited(Edit),
    /// Another picture, changed until the protocol's digest of it is this one's.
    Collided,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    jobs: usize,
    profile: ToleranceProfile,
    /// By the protocol's digest and that profile.
    frauds: Vec<Line>,
    /// Kinds of digest, at the furthest that their honest pairs are apart.
    digests: Vec<OfKind>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    fraud: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfKind {
    digest: String,
    /// By lane, the furthest that the two honest ways were apart.
    accept: [u8; 4],
    frauds: Vec<Passing>,
}

/// Jobs in which a fraud passes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Passing {
    fraud: String,
    alone: Share,
    /// With the protocol's digest as another word.
    with_hashes: Share,
}

/// Runs the command.
pub fn execute(args: &AttackBoardArgs, json: bool) -> eyre::Result<()> {
    let files = args.study.model()?;
    let Makes::Image(image) = &files.manifest.pipeline else {
        return texts::execute(args, json);
    };
    if let Some(flag) = args.study.text.first_typed() {
        eyre::bail!("{flag} is for texts; this model makes pictures");
    }
    let study = Study {
        files: &files,
        out: &args.study.out,
        jobs: args.study.jobs(1..=args.seeds)?,
        threads: args.study.threads(),
    };
    let sets = study.batches(args)?.iter().map(|batch| study.measure(batch)).collect::<eyre::Result<Vec<_>>>()?;
    let report = report(image.profile, sets.concat(), study.jobs.len())?;
    match json {
        true => print_json(&report)?,
        false => println!("{}", human(&report)),
    }
    Ok(())
}

impl Study<'_> {
    fn batches(&self, args: &AttackBoardArgs) -> eyre::Result<Vec<Batch>> {
        let ways = ways(&args.study, &[], self.files);
        let (Some(&first), Some(&last)) = (ways.first(), ways.last()) else {
            eyre::bail!("the manifest permits no arithmetic on {}", args.study.device);
        };
        ensure!(first != last, "the manifest permits one way to compute on {}: nothing to compare", args.study.device);
        let edits = Edit::ALL.map(Finish::Edited).into_iter().chain([Finish::Collided]);
        let mut batches = vec![
            Batch { settings: first, how: None, outputs: [Finish::AsMade].into_iter().chain(edits).collect() },
            Batch { settings: last, how: None, outputs: vec![Finish::AsMade] },
        ];
        let others = args.other.iter().map(|folder| How::Model(args.study.models_dir.resolve(folder)));
        batches.extend(How::ALL.into_iter().chain(others).map(|how| Batch {
            settings: first,
            how: Some(how),
            outputs: vec![Finish::AsMade],
        }));
        Ok(batches)
    }

    /// Makes what is missing. The data sets are those of one output after the other, and of each in the order of the kinds.
    fn measure(&self, batch: &Batch) -> eyre::Result<Vec<(Kind, Dataset)>> {
        let kinds = Kind::value_variants().iter().copied();
        let of_output = |&finish| kinds.clone().map(move |kind| self.stored(batch, finish, kind));
        let mut sets = batch.outputs.iter().flat_map(of_output).collect::<eyre::Result<Vec<_>>>()?;
        // Killed between two files, a job is in some of them: it is made again.
        let done = sets.iter().map(Stored::done).reduce(|all, done| all.intersection(&done).cloned().collect());
        let done = done.unwrap_or_default();
        sets.iter_mut().for_each(|stored| stored.keep(&done));
        let missing: Vec<_> = self.jobs.iter().filter(|job| !done.contains(*job)).collect();
        if !missing.is_empty() {
            self.make(batch, &missing, &mut sets)?;
        }
        let wanted = self.jobs.iter().cloned().collect();
        sets.iter_mut().for_each(|stored| stored.keep(&wanted));
        Ok(kinds.cycle().zip(sets.into_iter().map(|stored| stored.set)).collect())
    }

    /// A data set as far as there is any. What another machine has made is taken as it is, if it is whole.
    fn stored(&self, batch: &Batch, finish: Finish, kind: Kind) -> eyre::Result<Stored> {
        let provenance = self.provenance(batch, finish, kind);
        let stored = Stored::open(self.file(&provenance), provenance.clone())?;
        let same = stored.set.provenance.same_jobs(&provenance) && stored.set.provenance.fraud == provenance.fraud;
        ensure!(same, "{} is of another model, spec or fraud; choose another --out", stored.file.display());
        Ok(stored)
    }

    /// Of what this machine makes.
    fn provenance(&self, batch: &Batch, finish: Finish, kind: Kind) -> Provenance {
        Provenance {
            fraud: finish.fraud(batch.how.as_ref()),
            digest: (kind != Kind::Hashes).then(|| kind.name()),
            ..provenance(self.files, self.files.manifest.pipeline.spec(""), &batch.settings)
        }
    }

    /// Where a data set lies: in a folder for its kind of digest.
    fn file(&self, provenance: &Provenance) -> PathBuf {
        let name = match &provenance.fraud {
            Some(fraud) => fraud.clone(),
            None => format!("honest {}", provenance.device_profile),
        };
        let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("-").to_lowercase();
        let kind = provenance.digest.clone().unwrap_or_else(|| Kind::Hashes.name());
        self.out.join(kind).join(name).with_extension("parquet")
    }

    fn make(&self, batch: &Batch, missing: &[&Job], sets: &mut [Stored]) -> eyre::Result<()> {
        let here = provenance(self.files, self.files.manifest.pipeline.spec(""), &batch.settings);
        for Stored { set, file } in &*sets {
            let Provenance { device_profile, machine, build, .. } = &set.provenance;
            ensure!(
                (device_profile, machine, build) == (&here.device_profile, &here.machine, &here.build),
                "{} was begun on another machine or by another version; choose another --out",
                file.display()
            );
        }
        for folder in sets.iter().filter_map(|stored| stored.file.parent()) {
            fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
        }
        let room = tempfile::tempdir().wrap_err("no temporary folder can be made")?;
        let files = match &batch.how {
            None => self.files.clone(),
            Some(how) => how.model(self.files, room.path())?,
        };
        let model = Pipeline::load(&files, batch.settings)?;
        let what = batch.how.as_ref().map_or_else(|| described(&batch.settings, &files.manifest.pipeline), How::name);
        eprintln!("{what}");
        let tasks: Vec<_> = missing.chunks(1).collect();
        let make = |jobs: &[&Job]| {
            let mut made = vec![Vec::new(); batch.outputs.len() * Kind::value_variants().len()];
            for job in jobs {
                made.iter_mut().zip(self.rows(batch, &model, job)?).for_each(|(rows, row)| rows.push(row));
            }
            Ok(made)
        };
        make_all(&tasks, self.threads, make, sets)
    }

    /// A job's row in each of the data sets.
    fn rows(&self, batch: &Batch, model: &Pipeline, (prompt, seed): &Job) -> eyre::Result<Vec<Row>> {
        let asked = self.spec(prompt)?;
        let spec = batch.how.as_ref().map_or_else(|| asked.clone(), |how| how.spec(asked.clone()));
        let start = Instant::now();
        let mut latents = Vec::new();
        let picture =
            model.generate_seen(&spec, noise_seed(*seed), &mut |_| ControlFlow::Continue(()), &mut |latent| {
                latents.push(latent.to_vec())
            })?;
        let picture = match picture.dimensions() == (asked.width, asked.height) {
            true => picture,
            false => imageops::resize(&picture, asked.width, asked.height, imageops::FilterType::Lanczos3),
        };
        let key = keccak256(format!("{prompt} {seed}"));
        let honest = Made { picture, latents, key };
        let made_in = start.elapsed().as_secs_f32();

        let mut rows = Vec::new();
        for finish in &batch.outputs {
            let start = Instant::now();
            let picture = match finish {
                Finish::AsMade => honest.picture.clone(),
                Finish::Edited(edit) => edit.apply(&honest.picture)?,
                Finish::Collided => collision(&honest.picture, key),
            };
            let finished = Made { picture, ..honest.clone() };
            let digests: Vec<_> = Kind::value_variants().iter().map(|kind| kind.of(&finished)).collect();
            let seconds = made_in + start.elapsed().as_secs_f32();
            let row = |digest| Row { prompt: prompt.clone(), seed: *seed, digest, seconds, margin: None };
            rows.extend(digests.into_iter().map(row));
        }
        Ok(rows)
    }

    fn spec(&self, prompt: &str) -> eyre::Result<ImageSpec> {
        match self.files.manifest.pipeline.spec(prompt) {
            Spec::Image(spec) => Ok(spec),
            Spec::Text(_) => eyre::bail!("{} makes no pictures", self.files.manifest.name),
        }
    }
}

/// Another picture, with the protocol's digest of this one.
fn collision(honest: &RgbImage, seed: B256) -> RgbImage {
    collide(&imageops::rotate180(honest), &Digest::of_image(honest), Digest::of_image, TRIES, seed)
}

impl Finish {
    /// What an output is called that was made so; none if it is honest.
    fn fraud(self, how: Option<&How>) -> Option<String> {
        match self {
            Self::AsMade => how.map(How::name),
            Self::Edited(edit) => Some(edit.name()),
            Self::Collided => Some(format!("collision of the hashes, {TRIES} tries")),
        }
    }
}

fn report(profile: ToleranceProfile, sets: Vec<(Kind, Dataset)>, jobs: usize) -> eyre::Result<Report> {
    let mut by_kind: BTreeMap<Kind, Vec<Dataset>> = BTreeMap::new();
    for (kind, set) in sets {
        by_kind.entry(kind).or_default().push(set);
    }
    for sets in by_kind.values_mut() {
        let copied = sets.first().map(copies).unwrap_or_default();
        sets.splice(0..0, copied);
    }
    let of = |kind: Kind| by_kind.get(&kind).map_or(&[][..], Vec::as_slice);
    let line = |(fraud, answers): (String, Answers<'_>)| Line { fraud, outcome: answers.outcome() };
    let frauds = answers(of(Kind::Hashes), &profile)?.into_iter().map(line).collect();
    let tight = |kind| {
        let honest: Vec<_> = of(kind).iter().filter(|set| set.provenance.fraud.is_none()).cloned().collect();
        let apart = Measurement::of(&honest)?.honest;
        let accept = [0, 1, 2, 3].map(|lane| apart.furthest(lane));
        eyre::Ok(ToleranceProfile { accept, reject: [64; 4], evidence: B256::ZERO })
    };
    let hashes = answers(of(Kind::Hashes), &tight(Kind::Hashes)?)?;
    let mut digests = Vec::new();
    for &kind in Kind::value_variants() {
        let passing = |((fraud, answers), (_, hashes)): ((String, Answers<'_>), &(String, Answers<'_>))| Passing {
            fraud,
            alone: answers.outcome().accepted,
            with_hashes: answers.and(hashes).outcome().accepted,
        };
        let profile = tight(kind)?;
        let frauds = answers(of(kind), &profile)?.into_iter().zip(&hashes).map(passing).collect();
        digests.push(OfKind { digest: kind.name(), accept: profile.accept, frauds });
    }
    Ok(Report { jobs, profile, frauds, digests })
}

/// What the honest ones among the sets say to each of the others.
fn answers<'a>(sets: &'a [Dataset], profile: &ToleranceProfile) -> eyre::Result<Vec<(String, Answers<'a>)>> {
    let (honest, frauds): (Vec<_>, Vec<_>) = sets.iter().partition(|set| set.provenance.fraud.is_none());
    let mut answers = Vec::new();
    for fraud in frauds {
        let name = fraud.provenance.fraud.clone().unwrap_or_default();
        answers.push((name, Answers::to(fraud, &honest, profile)?));
    }
    Ok(answers)
}

/// What costs no work: the output of another seed of the same prompt, and that of another prompt.
fn copies(honest: &Dataset) -> Vec<Dataset> {
    let mut rows = honest.rows.clone();
    let mut copied = |fraud: &str, order: fn(&Row) -> (u32, Arc<str>), same: fn(&Row, &Row) -> bool| {
        rows.sort_by_key(order);
        let next = |at: usize| {
            let others = rows[at + 1..].iter().chain(&rows[..at]);
            let mut others = others.filter(|other| same(&rows[at], other));
            others.next().map(|other| Row { digest: other.digest, ..rows[at].clone() })
        };
        let provenance = Provenance { fraud: Some(fraud.to_owned()), ..honest.provenance.clone() };
        Dataset { provenance, rows: (0..rows.len()).filter_map(next).collect() }
    };
    vec![
        copied("other seed", |row| (row.seed, row.prompt.clone()), |one, other| one.prompt == other.prompt),
        copied("an earlier output", |row| (row.seed, row.prompt.clone()), |one, other| one.prompt != other.prompt),
    ]
}

fn human(report: &Report) -> String {
    let ToleranceProfile { accept, reject, .. } = report.profile;
    let mut frauds = table(["fraud", "passes", "rejected"].into_iter().chain(LANES));
    for Line { fraud, outcome: Outcome { accepted, rejected, told } } in &report.frauds {
        let mut cells = vec![fraud.clone(), rare(*accepted), percent(*rejected)];
        cells.extend(told.iter().map(|&share| percent(share)));
        frauds.add_row(cells);
    }
    let mut kinds = table(
        ["passes with the digest".to_owned()]
            .into_iter()
            .chain(report.digests.iter().map(|of| format!("{}\n{:?}", of.digest, of.accept))),
    );
    for (at, line) in report.frauds.iter().enumerate() {
        let passing = |of: &OfKind| {
            of.frauds.get(at).map_or_else(String::new, |it| match of.digest == Kind::Hashes.name() {
                true => percent(it.alone),
                false => format!("{} / {}", percent(it.alone), percent(it.with_hashes)),
            })
        };
        kinds.add_row([line.fraud.clone()].into_iter().chain(report.digests.iter().map(passing)));
    }
    format!(
        "{} jobs; accept {accept:?}, reject {reject:?}. By lane: how often it alone tells the fraud.\n\n{frauds}\n\n\
         By kind of digest, each at the furthest that its honest pairs are apart; alone / beside the protocol's:\n\n{kinds}",
        report.jobs
    )
}

fn percent(share: Share) -> String {
    format!("{:.1} %", 100.0 * share.value())
}

/// What was not seen is not zero: its upper bound, with 95 % confidence.
fn rare(share: Share) -> String {
    if share.count == 0 { format!("< {:.2} %", 100.0 * upper_bound(share)) } else { percent(share) }
}
