//! `oracle tolerance`: how far apart honest machines are, and which profile follows.

mod plot;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::{hex, primitives::B256};
use eyre::{WrapErr as _, ensure};
use oracle::{
    dataset::{Dataset, Provenance},
    digest::{LANES, MAX_ACCEPT, ToleranceProfile},
    files::write_atomically,
    manifest::{LocalModel, MANIFEST_FILE, Manifest, Pipeline, hash_file},
    tolerance::{Distances, Measurement, Search, Share, Wanted, Zones, upper_bound},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    Context,
    terminal::{listing, percent, printable, table},
    typed::share,
};

/// From which data sets.
#[derive(clap::Args)]
#[command(after_help = "\
A profile's accept distance is the smallest at which honest machines are paid, its reject distance the smallest at which \
they are not slashed, each with 95 % confidence and over all lanes, and --margin on top; the registry takes accept <= 10 and 2 x accept <= \
reject <= 24. The sets may come from any number of operators: each is made by `prover-node calibrate`, of the same prompts.

Examples:
  oracle tolerance measured/*.parquet
  oracle tolerance mine/*.parquet yours/*.parquet --unpaid 0.0005 --write models/my-model")]
pub(crate) struct Args {
    /// Data sets, one for each device profile
    #[arg(required = true, value_name = "FILE")]
    sets: Vec<PathBuf>,
    /// Share of jobs, at most, where two honest machines may not accept each other
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    unpaid: f64,
    /// Share of jobs, at most, where two honest machines may reject each other
    #[arg(long, value_name = "SHARE", default_value = "0.005", value_parser = share)]
    slashed: f64,
    /// Bits that every accept distance gets on top, for machines that were not measured
    #[arg(long, value_name = "BITS", default_value = "2")]
    margin: u8,
    /// A model's folder: put the profile and the evidence into its manifest, which makes another model of it
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Draw the shares by distance, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    sets: Vec<Set>,
    /// sha256 of the sets' sha256s, in the order of their bytes.
    evidence: B256,
    /// Jobs that were made on more than one device profile.
    jobs: u64,
    /// By distance.
    table: Vec<Within>,
    /// By lane, the furthest that two honest machines were apart.
    furthest: [u8; 4],
    profile: Option<ToleranceProfile>,
    /// Why there is none.
    no_profile: Option<String>,
    /// Jobs, by the two honest machines that differ most.
    honest: Zones,
    same_prompt: Zones,
    other_prompt: Zones,
    search: Option<Search>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    file: PathBuf,
    digests: usize,
    #[serde(flatten)]
    provenance: Provenance,
}

/// Shares of pairs that are within some bits of each other.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Within {
    bits: u8,
    honest: Shares,
    same_prompt: Shares,
    other_prompt: Shares,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shares {
    lanes: [Share; 4],
    joint: Share,
}

/// Runs the command.
pub(crate) fn run(args: &Args, context: &Context) -> eyre::Result<ExitCode> {
    let mut sets = Vec::new();
    for file in &args.sets {
        sets.push(Dataset::read(file)?);
    }
    let model = args.write.as_deref().map(|folder| open(folder, &sets)).transpose()?;
    let evidence = evidence(&args.sets)?;
    let measured = Measurement::of(&sets)?;
    let proposed = measured.propose(Wanted { unpaid: args.unpaid, slashed: args.slashed, margin: args.margin });
    let profile = proposed.map(|profile| ToleranceProfile { evidence, ..profile });
    let honest = profile.as_ref().map(|profile| measured.honest_by(profile)).unwrap_or_default();
    let (same_prompt, other_prompt) = profile.as_ref().map(|profile| measured.others_by(profile)).unwrap_or_default();

    let shares = |distances: &Distances, bits| Shares {
        lanes: [0, 1, 2, 3].map(|lane| distances.within(lane, bits)),
        joint: distances.within_all(bits),
    };
    let within = |bits| Within {
        bits,
        honest: shares(&measured.honest, bits),
        same_prompt: shares(&measured.same_prompt, bits),
        other_prompt: shares(&measured.other_prompt, bits),
    };
    let files = args.sets.iter().zip(&sets);
    let report = Report {
        sets: files
            .map(|(file, Dataset { provenance, rows })| Set {
                file: file.clone(),
                digests: rows.len(),
                provenance: provenance.clone(),
            })
            .collect(),
        evidence,
        jobs: measured.jobs.pairs(),
        table: (0..=MAX_ACCEPT).map(within).collect(),
        furthest: [0, 1, 2, 3].map(|lane| measured.honest.furthest(lane)),
        profile: profile.as_ref().ok().copied(),
        no_profile: profile.as_ref().err().map(ToString::to_string),
        honest,
        same_prompt,
        other_prompt,
        search: profile.as_ref().ok().map(|profile| measured.search(profile)),
    };
    if let Some(path) = &args.plot {
        super::plot::write(path, plot::draw(&measured, report.profile.as_ref()))?;
    }
    context.terminal.result(&report, human)?;

    let profile = match profile {
        Ok(profile) => profile,
        Err(reason) => {
            context.terminal.note(format!("error: {reason}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(model) = model {
        let path = model.folder.join(MANIFEST_FILE);
        let manifest_hash = write(model.manifest, &profile, &path)?;
        context.terminal.note(format!("{}: its sha256 is {manifest_hash} now", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The model that the sets are of.
fn open(folder: &Path, sets: &[Dataset]) -> eyre::Result<LocalModel> {
    let model = LocalModel::open(folder)?;
    let files = model.manifest.files_hash();
    ensure!(
        sets.iter().all(|set| set.provenance.files == files),
        "the sets are of a model with other files than {}",
        folder.display()
    );
    Ok(model)
}

/// One hash for all of them, whatever their order.
fn evidence(files: &[PathBuf]) -> eyre::Result<B256> {
    let hash = |file: &PathBuf| hash_file(file).wrap_err_with(|| format!("cannot read {}", file.display()));
    let mut hashes = files.iter().map(|file| Ok(hash(file)?.1)).collect::<eyre::Result<Vec<_>>>()?;
    hashes.sort_unstable();
    Ok(B256::new(Sha256::digest(hashes.concat()).into()))
}

/// Returns the hash of the new manifest.
fn write(mut manifest: Manifest, profile: &ToleranceProfile, path: &Path) -> eyre::Result<B256> {
    match &mut manifest.pipeline {
        Pipeline::Image(pipeline) => pipeline.profile = *profile,
        Pipeline::Text(pipeline) => pipeline.profile.evidence = profile.evidence,
    }
    let bytes = manifest.to_bytes()?;
    write_atomically(path, &bytes).wrap_err_with(|| format!("cannot write {}", path.display()))?;
    Ok(B256::new(Sha256::digest(&bytes).into()))
}

fn human(report: &Report) -> String {
    let mut text = String::new();
    for Set { file, digests, provenance: Provenance { device_profile, machine, .. } } in &report.sets {
        let (profile, machine) = (printable(device_profile), printable(machine));
        text += &format!("{}: {digests} digests, {profile}, {machine}\n", file.display());
    }
    for (title, of) in [
        ("Honest pairs within so many bits", (|row| &row.honest) as fn(&Within) -> &Shares),
        ("Pairs of one prompt from other noise", |row| &row.same_prompt),
        ("Pairs of other prompts", |row| &row.other_prompt),
    ] {
        let [first, second, third, fourth] = LANES;
        let mut rows = table(["bits", first, second, third, fourth, "all four"]);
        for row in &report.table {
            let Shares { lanes, joint } = of(row);
            let mut cells = vec![row.bits.to_string()];
            cells.extend(lanes.iter().chain([joint]).map(|&share| shown(share)));
            rows.add_row(cells);
        }
        let pairs = report.table.first().map_or(0, |row| of(row).joint.of);
        text += &format!("\n{title}: {pairs} pairs\n{rows}\n");
    }

    let lanes = |bits: &[u8; 4]| bits.map(|bits| bits.to_string()).join(" ");
    let zones = |Zones { accepted, grey, rejected }: Zones| {
        format!("{} of {} accepted, {} grey, {} rejected", accepted.count, accepted.of, grey.count, rejected.count)
    };
    let mut lines = vec![
        ("jobs", report.jobs.to_string()),
        ("furthest", lanes(&report.furthest)),
        ("evidence", hex::encode_prefixed(report.evidence)),
    ];
    if let Some(profile) = &report.profile {
        lines.push(("accept", lanes(&profile.accept)));
        lines.push(("reject", lanes(&profile.reject)));
        lines.push(("honest jobs", zones(report.honest)));
        lines.push(("other noise", zones(report.same_prompt)));
        lines.push(("other prompts", zones(report.other_prompt)));
    }
    if let Some(Search { fixed_seed, prompts, fresh_noise, bits, bits_of_prompts }) = &report.search {
        let prompts: Vec<_> = prompts.iter().map(|prompt| printable(prompt)).collect();
        lines.push((
            "searched",
            format!("{} of all jobs part honest machines; {bits:.2} bits on average", shown(*fixed_seed)),
        ));
        let found = format!("{}; {bits_of_prompts:.2} bits", shown(*fresh_noise));
        lines.push(("with fresh noise", format!("{found}, of the worst prompts ({})", prompts.join(", "))));
    }
    text + "\n" + &listing(&lines)
}

/// What was not seen is not zero: its upper bound, with 95 % confidence.
fn shown(share: Share) -> String {
    match (share.count, share.of) {
        (_, 0) => "-".to_owned(),
        (0, _) => format!("< {}", percent(upper_bound(share))),
        _ => percent(share.value()),
    }
}
