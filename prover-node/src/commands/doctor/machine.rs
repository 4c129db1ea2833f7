//! The machine: the models' files, their memory, what computes, and the disk.

use std::{io, path::Path, thread::available_parallelism};

use alloy::primitives::Address;
use bytesize::ByteSize;
use oracle::{chain::Chain, manifest::LocalModel};

use super::Check;
use crate::{
    commands::{fleet::Place, printable, run::RunArgs},
    config::genesis,
    data_dir::{default_path, marker_in},
    inference::{Device, Memory, Settings, footprint},
    selftest::is_noted,
};

/// Too little to go on.
const LEAST_SPACE: u64 = 100 << 20;

/// Enough for a while.
const SPACE: u64 = 1 << 30;

/// Reads and hashes every file of each model, and sees whether each has room.
pub(super) fn examine_models(args: &RunArgs, checks: &mut Vec<Check>) -> Vec<LocalModel> {
    let models = match args.models.open() {
        Ok(models) => models,
        Err(error) => {
            checks.push(Check::error("model", &error));
            return Vec::new();
        }
    };
    let whole = |model: &LocalModel| {
        let (name, count) = (printable(&model.manifest.name), model.manifest.files.len());
        let verified = model.verify();
        checks.push(match &verified {
            Ok(()) => Check::ok("model", format!("{name}: {count} files are as its manifest says")),
            Err(error) => Check::error("model", error),
        });
        verified.is_ok()
    };
    let models: Vec<_> = models.into_iter().filter(whole).collect();
    if args.fleet.inference == Place::Local {
        checks.push(memory(args, &models).unwrap_or_else(|error| Check::error("memory", &error)));
    }
    models
}

/// Whether all models can be in memory at the same time.
fn memory(args: &RunArgs, models: &[LocalModel]) -> eyre::Result<Check> {
    let (name, settings) = ("memory", args.profile.settings());
    let mut memory = Memory::new(args.models.memory(settings.device)?);
    for model in models {
        memory.admit(model.hash, &printable(&model.manifest.name), footprint(model, settings.arithmetic)?)?;
    }
    let (needed, limit) = memory.needed_for_all();
    let found = format!("the models' weights take {}, and may have {}", ByteSize(needed), ByteSize(limit));
    Ok(match needed <= limit {
        true => Check::ok(name, found),
        false => Check::warning(
            name,
            found,
            "each is loaded when it is needed and another goes, which takes time; --model-memory gives them more",
        ),
    })
}

/// What the model runs on.
pub(super) fn examine_device(settings: Settings, checks: &mut Vec<Check>) {
    checks.push(match settings.device {
        Device::Cpu => cpu(settings),
        device => match device.check() {
            Ok(()) => Check::ok("device", format!("{device} answers")),
            Err(error) => Check::error("device", &error),
        },
    });
}

fn cpu(settings: Settings) -> Check {
    let cores = available_parallelism().map_or(1, usize::from);
    let (threads, features) = (settings.threads.get(), features());
    let found = format!("CPU with {cores} cores, {threads} of them for the model; {}", features.join(", "));
    match () {
        () if threads > cores => {
            Check::warning("device", found, format!("more threads than cores make it slower: use --threads {cores}"))
        }
        () if cfg!(target_arch = "x86_64") && !features.contains(&"avx2") => Check::warning(
            "device",
            found,
            "without AVX2 inference is many times slower: look at `prover-node selftest`",
        ),
        () => Check::ok("device", found),
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let known = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512", is_x86_feature_detected!("avx512f")),
    ];
    known.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    vec![std::env::consts::ARCH]
}

/// Where journal and outputs are, or will be; and what is noted there of the self-test.
pub(super) async fn examine_data_dir(
    args: &RunArgs,
    chain: &Chain,
    operator: Address,
    models: &[LocalModel],
    checks: &mut Vec<Check>,
) {
    let folder = match (&args.data_dir, genesis(chain).await) {
        (Some(folder), _) => folder.clone(),
        (None, Ok(genesis)) => match default_path(chain.deployment.chain_id, genesis, operator) {
            Ok(folder) => folder,
            Err(error) => return checks.push(Check::error("disk", &error)),
        },
        (None, Err(error)) => return checks.push(Check::error("disk", &error)),
    };
    checks.push(disk(&folder));
    for files in models {
        let (settings, name) = (args.profile.settings(), printable(&files.manifest.name));
        checks.push(match is_noted(files, settings, &marker_in(&folder, files.hash)) {
            true => {
                Check::ok("self-test", format!("this machine has made the golden jobs of {name} as its author did"))
            }
            false => Check::warning(
                "self-test",
                format!("not passed yet with {name}, these settings and this version"),
                "`run` does it when it starts; `prover-node selftest` says how it goes",
            ),
        });
    }
}

fn disk(folder: &Path) -> Check {
    let (name, place) = ("disk", folder.display());
    let space = match space(folder) {
        Ok(space) => space,
        Err(error) => return Check::failing(name, format!("{place}: {error}"), "name another --data-dir"),
    };
    let found = format!("{} MiB free for {place}", space >> 20);
    match space {
        0..LEAST_SPACE => Check::failing(name, found, "make room: what cannot be written cannot be committed to"),
        LEAST_SPACE..SPACE => Check::warning(name, found, "make room soon"),
        _ => Check::ok(name, found),
    }
}

/// In bytes, of the folder or of what is there on the way to it.
fn space(folder: &Path) -> io::Result<u64> {
    let folder = std::path::absolute(folder)?;
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
    let disk = rustix::fs::statvfs(there)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
