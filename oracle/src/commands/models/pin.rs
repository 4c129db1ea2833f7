//! `oracle models pin`: completes a manifest with its files.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::B256;
use oracle::{
    manifest::{
        FilePath, ListedFile, LocalDraft, LocalModel, MANIFEST_FILE, Manifest, ManifestError, ModelFile, files_of,
        hash_file,
    },
    models_dir::ModelsDirArgs,
};
use serde::Serialize;

use crate::commands::{Context, files::write_whole, terminal::Terminal};

/// Folders below the model's that are looked into.
const DEPTH: usize = 2;

/// Which model.
#[derive(clap::Args)]
#[command(after_help = "\
The folder holds the model and a quorate-model.json, whose \"files\" may be out of date: they are replaced. Everything else \
in it stays. A manifest that changes is another model: register it anew.")]
pub(crate) struct Args {
    /// The model's folder, or the name of one in the models folder
    #[arg(value_name = "MODEL")]
    model: PathBuf,
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

pub(crate) fn run(args: &Args, models: &ModelsDirArgs, context: &Context) -> eyre::Result<ExitCode> {
    let folder = models.resolve(&args.model);
    let before = LocalDraft::open(&folder)?;
    let paths = files_of(&before.draft.pipeline, &available(&folder)?)?;
    let files = pin(&folder, paths, &context.terminal)?;
    let unchanged = before.draft.files.iter().cloned().eq(files.iter().cloned().map(ListedFile::from));
    let path = folder.join(MANIFEST_FILE);
    if !unchanged {
        let manifest: Manifest = before.draft.with_files(files);
        write_whole(&path, &manifest.to_bytes()?, true)?;
    }

    let after = LocalModel::open(&folder)?;
    let pinned = Pinned {
        manifest: path,
        manifest_hash: after.hash,
        bytes: after.manifest.bytes(),
        files: after.manifest.files,
        changed: !unchanged,
    };
    context.terminal.result(&pinned, human)?;
    Ok(ExitCode::SUCCESS)
}

/// The files of a folder, by their paths below it.
pub(super) fn available(folder: &Path) -> Result<BTreeSet<String>, ManifestError> {
    let mut found = BTreeSet::new();
    let mut look = |folder: &Path| look_into(folder, "", DEPTH, &mut found);
    look(folder).map_err(|source| ManifestError::Unreadable { path: folder.to_owned(), source })?;
    Ok(found)
}

fn look_into(folder: &Path, below: &str, depth: usize, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // No manifest names a file that is not text.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{below}{name}");
        if entry.path().is_file() {
            found.insert(path);
        } else if depth > 0 && entry.file_type()?.is_dir() {
            look_into(&entry.path(), &format!("{path}/"), depth - 1, found)?;
        }
    }
    Ok(())
}

/// Hashes the files.
pub(super) fn pin(folder: &Path, paths: Vec<FilePath>, terminal: &Terminal) -> Result<Vec<ModelFile>, ManifestError> {
    let mut progress = terminal.progress();
    let pin_file = |path: FilePath| {
        progress.step(format!("hashing {path}"));
        let full = folder.join(&path);
        let (size, sha256) =
            hash_file(&full).map_err(|source| ManifestError::Unreadable { path: full.clone(), source })?;
        Ok(ModelFile { path, size, sha256 })
    };
    paths.into_iter().map(pin_file).collect()
}

fn human(pinned: &Pinned) -> String {
    let done = if pinned.changed { "pinned" } else { "unchanged" };
    format!(
        "{done}: {} files, {}; sha256 of {} is {}",
        pinned.files.len(),
        size(pinned.bytes),
        pinned.manifest.display(),
        pinned.manifest_hash
    )
}

/// In megabytes.
pub(super) fn size(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}
