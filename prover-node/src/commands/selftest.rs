//! `prover-node selftest`: whether this machine may serve the models that are installed on it.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::B256;
use eyre::{bail, ensure, eyre};
use oracle::{
    files::write_atomically,
    manifest::{Draft, Golden, LocalModel, MANIFEST_FILE, Manifest},
    models_dir::ModelsDirArgs,
};
use serde::Serialize;

use super::{
    generate::list::{Line, read_list},
    print_json, printable,
    profile::ProfileArgs,
    table,
};
use crate::{
    inference::{Generator as _, Model},
    selftest::{Finding, examine},
};

/// Which models.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A model's manifest states golden jobs with the digests that its author got. A machine whose digests are not within the \
model's accept distances would lose money, so `run` and `register --model-dir` refuse such a model.

Exit status: 0 every model may be served here, 1 one may not.

Examples:
  prover-node selftest
  prover-node selftest --model-dir models/emoji-64 --arithmetic f16
  prover-node selftest --device cuda
  prover-node selftest --model-dir my-model --record jobs.jsonl")]
pub struct SelftestArgs {
    /// A model's folder, or the name of an installed one; may be given several times, or list several with commas [default: all below models/ and all
    /// that `oracle models pull` has put on this machine]
    #[arg(long, env = "QUORATE_MODEL_DIR", value_name = "DIR", value_delimiter = ',')]
    model_dir: Vec<PathBuf>,
    #[command(flatten)]
    models_dir: ModelsDirArgs,
    #[command(flatten)]
    profile: ProfileArgs,
    /// For a model's author: make these jobs and write them into the manifest as its golden ones, which makes another
    /// model of it. One JSON object a line, as for `generate --batch`: name, spec or prompt, and noiseSeed for pictures
    #[arg(long, value_name = "FILE", requires = "model_dir")]
    record: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    model: String,
    manifest_hash: B256,
    /// Whether the manifest permits these settings.
    permitted: bool,
    /// Whether all golden jobs came out as they should; none if there are none.
    serves: Option<bool>,
    findings: Vec<Finding>,
}

/// Runs the command.
pub fn execute(args: &SelftestArgs, json: bool) -> eyre::Result<ExitCode> {
    if let (Some(list), [folder]) = (&args.record, args.model_dir.as_slice()) {
        record(args, &args.models_dir.resolve(folder), list)?;
    } else if args.record.is_some() {
        bail!("--record writes into one manifest: give one --model-dir");
    }

    let mut reports = Vec::new();
    for files in models(args)? {
        eprintln!("{}: {} golden jobs", printable(&files.manifest.name), files.manifest.golden.len());
        let settings = args.profile.settings();
        let permitted = settings.check(&files.manifest).is_ok();
        let model = Model::try_out(&files, settings)?;
        let findings = files.manifest.golden.iter().map(|golden| examine(&files, &model, golden));
        let findings = findings.collect::<Result<Vec<_>, _>>()?;
        let serves = (!findings.is_empty()).then(|| findings.iter().all(Finding::serves));
        reports.push(Report {
            model: files.manifest.name.clone(),
            manifest_hash: files.hash,
            permitted,
            serves,
            findings,
        });
    }
    ensure!(
        !reports.is_empty(),
        "no model is installed here: `oracle models pull NAME` gets one, or name a --model-dir"
    );

    match json {
        true => print_json(&reports)?,
        false => reports.iter().for_each(print),
    }
    Ok(if reports.iter().any(|report| !report.permitted || report.serves == Some(false)) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Those that were named, each with an id; or all that have their files here.
fn models(args: &SelftestArgs) -> eyre::Result<Vec<LocalModel>> {
    if !args.model_dir.is_empty() {
        let open = |folder: &PathBuf| LocalModel::open(&args.models_dir.resolve(folder));
        return Ok(args.model_dir.iter().map(open).collect::<Result<_, _>>()?);
    }
    let whole = |model: &LocalModel| {
        let is_there = |path: &str| model.folder.join(path).is_file();
        model.manifest.files.iter().all(|file| is_there(file.path.as_str()))
    };
    Ok(args.models_dir.local_models().into_iter().filter(whole).collect())
}

fn record(args: &SelftestArgs, folder: &Path, list: &Path) -> eyre::Result<()> {
    let lines = read_list(list)?;
    let files = LocalModel::open(folder)?;
    let model = Model::load(&files, args.profile.settings())?;
    let golden = |line: Line| {
        let noise_seed = line.noise_seed.unwrap_or_default();
        let spec = line.spec(&files.manifest.pipeline)?;
        let output = model.generate(&spec, noise_seed, &mut |_| ControlFlow::Continue(()))?;
        Ok(Golden { spec, noise_seed, digest: output.digest() })
    };
    let golden = lines.into_iter().map(golden).collect::<eyre::Result<_>>()?;
    let manifest = Manifest { golden, ..files.manifest };
    Draft::from(manifest.clone()).check()?;
    let path = folder.join(MANIFEST_FILE);
    write_atomically(&path, &manifest.to_bytes()?).map_err(|error| eyre!("cannot write {}: {error}", path.display()))
}

fn print(report: &Report) {
    let verdict = match report.serves {
        _ if !report.permitted => "its manifest does not permit this arithmetic on this device",
        None => "its manifest has no golden jobs: whether this machine may serve it is not known",
        Some(true) => "this machine may serve it",
        Some(false) => "this machine must not serve it: honest votes from here would not be paid, or even slashed",
    };
    println!("{} ({}): {verdict}", printable(&report.model), report.manifest_hash);
    if report.findings.is_empty() {
        return;
    }
    let mut table = table(["golden job", "distances", "zone", "seconds"]);
    for finding in &report.findings {
        table.add_row([
            printable(&finding.spec.prompt()),
            finding.distances.map(|bits| bits.to_string()).join(" "),
            format!("{:?}", finding.zone).to_lowercase(),
            format!("{:.1}", finding.seconds),
        ]);
    }
    println!("{table}");
}
