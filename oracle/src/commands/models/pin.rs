//! `oracle models pin`: completes a manifest with its files.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::B256;
use oracle::manifest::{Family, LocalModel, MANIFEST_FILE, Manifest, ManifestError, ModelFile, hash_file};
use serde::Serialize;

use crate::commands::{Context, files::write_whole, terminal::Terminal};

/// Which model.
#[derive(clap::Args)]
#[command(after_help = "\
The folder holds the model in the layout of diffusers and a quorate-model.json, whose \"files\" may be empty or out of \
date: they are replaced. Everything else in it stays. A manifest that changes is another model: register it anew.")]
pub(crate) struct Args {
    /// The model's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pinned {
    manifest: PathBuf,
    manifest_hash: B256,
    files: Vec<ModelFile>,
    bytes: u64,
    changed: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> eyre::Result<ExitCode> {
    let before = LocalModel::open(&args.folder)?;
    before.manifest.profile.check()?;
    let files = pin(&args.folder, before.manifest.family, &context.terminal)?;
    let changed = files != before.manifest.files;
    let path = args.folder.join(MANIFEST_FILE);
    if changed {
        let manifest = Manifest { files, ..before.manifest };
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        write_whole(&path, &text, true)?;
    }

    let after = LocalModel::open(&args.folder)?;
    let pinned = Pinned {
        manifest: path,
        manifest_hash: after.hash,
        bytes: after.manifest.files.iter().map(|file| file.size).sum(),
        files: after.manifest.files,
        changed,
    };
    context.terminal.result(&pinned, human)?;
    Ok(ExitCode::SUCCESS)
}

fn pin(folder: &Path, family: Family, terminal: &Terminal) -> Result<Vec<ModelFile>, ManifestError> {
    let mut progress = terminal.progress();
    let pin_file = |path: &str| {
        progress.step(format!("hashing {path}"));
        let full = folder.join(path);
        let (size, sha256) =
            hash_file(&full).map_err(|source| ManifestError::Unreadable { path: full.clone(), source })?;
        Ok(ModelFile { path: path.to_owned(), size, sha256 })
    };
    files_of(family, |path| folder.join(path).is_file()).into_iter().map(pin_file).collect()
}

/// What the family's pipeline reads.
fn files_of(family: Family, exists: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let Family::StableDiffusion = family;
    let mut files = vec![
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
    ];
    match exists("tokenizer/tokenizer.json") {
        true => files.push("tokenizer/tokenizer.json"),
        false => files.extend(["tokenizer/merges.txt", "tokenizer/vocab.json"]),
    }
    files.extend([
        "tokenizer/tokenizer_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ]);
    files
}

fn human(pinned: &Pinned) -> String {
    let done = if pinned.changed { "pinned" } else { "unchanged" };
    let size = fs_size(pinned.bytes);
    format!(
        "{done}: {} files, {size}; sha256 of {} is {}",
        pinned.files.len(),
        pinned.manifest.display(),
        pinned.manifest_hash
    )
}

fn fs_size(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_tokenizer_is_pinned_where_there_is_one_and_its_parts_where_not() {
        let files = |whole| files_of(Family::StableDiffusion, |_| whole);

        assert!(files(true).contains(&"tokenizer/tokenizer.json") && !files(true).contains(&"tokenizer/vocab.json"));
        assert!(files(false).contains(&"tokenizer/vocab.json") && files(false).contains(&"tokenizer/merges.txt"));
    }
}
