//! `oracle models pull`: gets a model's files, checks them, and pins those that were not pinned.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::B256;
use oracle::{
    manifest::{LocalDraft, MANIFEST_FILE},
    models_dir::{ModelsDir, as_name},
    pull::{Progress, hub::Hub, pull},
};
use serde::Serialize;

use super::{pin::size, shipped};
use crate::commands::{Context, files::write_whole, terminal::FileBar};

/// Which model.
#[derive(clap::Args)]
#[command(after_help = "\
A pull that was cut off is taken up where it stopped. Every file is checked against the manifest (or, where that does not \
pin it yet, against the hub's word and its length) before it is put into place; then the manifest is pinned.

The hub is reached as its own tools reach it: HF_TOKEN or `hf auth login` say who you are, HF_ENDPOINT names a mirror, \
HF_HUB_OFFLINE=1 uses the hub's cache alone. What the hub's cache has is not downloaded again.

Examples:
  oracle models pull smollm2-135m
  oracle models pull llama-3.2-1b --from /media/disk/llama")]
pub(crate) struct Args {
    /// Name of a model that comes with Quorate or was added, or a folder with a quorate-model.json
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Take the files from this folder
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Do not use the network: only the hub's cache
    #[arg(long)]
    offline: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pulled {
    name: String,
    folder: PathBuf,
    manifest_hash: B256,
    files: usize,
    bytes: u64,
}

pub(crate) async fn run(args: Args, models: &ModelsDir, context: &Context) -> eyre::Result<ExitCode> {
    let folder = prepared(&args.model, models)?;
    let model = LocalDraft::open(&folder)?;
    let mut bar = FileBar::new();
    let hub = Hub::from_env(args.offline);
    let mut on_progress = |progress: Progress<'_>| bar.set(progress.path.as_str(), progress.done, progress.total);
    let pulled = pull(model, args.from.as_deref(), hub, &mut on_progress).await?;
    drop(bar);
    let pulled = Pulled {
        manifest_hash: pulled.hash,
        files: pulled.manifest.files.len(),
        bytes: pulled.manifest.bytes(),
        name: pulled.manifest.name,
        folder: pulled.folder,
    };
    context.terminal.result(&pulled, |pulled| {
        format!(
            "{}: {} files, {}, verified, in {}\nmanifest {}",
            pulled.name,
            pulled.files,
            size(pulled.bytes),
            pulled.folder.display(),
            pulled.manifest_hash
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The model's folder; for one that comes with Quorate it is made first.
fn prepared(typed: &Path, models: &ModelsDir) -> eyre::Result<PathBuf> {
    let folder = models.resolve(typed);
    if folder.join(MANIFEST_FILE).is_file() {
        return Ok(folder);
    }
    let Some((name, manifest)) = as_name(typed).and_then(shipped::find) else {
        eyre::bail!(
            "there is no model {}: `oracle models list --local` shows those there are, and `oracle models add` makes one",
            typed.display()
        );
    };
    let folder = models.folder_of(name);
    fs::create_dir_all(&folder).map_err(|error| eyre::eyre!("cannot make {}: {error}", folder.display()))?;
    write_whole(&folder.join(MANIFEST_FILE), manifest.as_bytes(), false)?;
    Ok(folder)
}
