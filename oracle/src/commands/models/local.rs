//! `oracle models list --local`, `verify` and `remove`: the models on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::B256;
use oracle::{
    manifest::{Kind, LocalDraft, LocalModel},
    models_dir::{ModelsDir, as_name},
};
use serde::Serialize;

use super::{pin::size, shipped};
use crate::commands::{
    Context,
    terminal::{printable, table},
};

/// What to check.
#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Names or folders [default: all that were pulled]
    #[arg(value_name = "MODEL")]
    models: Vec<PathBuf>,
}

/// What to remove.
#[derive(clap::Args)]
pub(crate) struct RemoveArgs {
    /// Name of a model in the models folder
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    kind: Option<Kind>,
    state: State,
    /// None if it is not pinned.
    manifest_hash: Option<B256>,
    /// Of the files that are pinned.
    bytes: u64,
    /// None if it was not pulled or added.
    folder: Option<PathBuf>,
    license: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// Comes with Quorate; its files do not.
    NotPulled,
    /// Some of its files are missing, or have another length.
    Incomplete,
    /// All files are there, with the right length: `verify` says whether they are right.
    Complete,
    /// Its manifest cannot be used.
    Broken,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    name: String,
    folder: PathBuf,
    manifest_hash: B256,
    files: usize,
}

pub(crate) fn list(models: &ModelsDir, context: &Context) -> eyre::Result<ExitCode> {
    let mut listed: Vec<Listed> = models.models().into_iter().map(|(folder, model)| here(folder, model)).collect();
    for (name, manifest) in shipped::SHIPPED {
        if !listed.iter().any(|model| model.name == *name) {
            let model = LocalDraft::parse(manifest.as_bytes(), &models.folder_of(name))?;
            listed.push(Listed { state: State::NotPulled, ..described(&model, None) });
        }
    }
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    context.terminal.result(&listed, |models| rows(models))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn verify(args: &VerifyArgs, models: &ModelsDir, context: &Context) -> eyre::Result<ExitCode> {
    let folders = match args.models.is_empty() {
        true => models.models().into_iter().map(|(folder, _)| folder).collect(),
        false => args.models.iter().map(|model| models.resolve(model)).collect::<Vec<_>>(),
    };
    eyre::ensure!(!folders.is_empty(), "no model was pulled yet: `oracle models pull NAME` pulls one");
    let mut verified = Vec::new();
    for folder in folders {
        verified.push(verify_one(&folder, context)?);
    }
    context.terminal.result(&verified, |verified| {
        verified
            .iter()
            .map(|model| format!("{}: {} files are right; manifest {}\n", model.name, model.files, model.manifest_hash))
            .collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The folder of that name with all that is in it, and nothing outside the models folder.
pub(crate) fn remove(args: &RemoveArgs, models: &ModelsDir, context: &Context) -> eyre::Result<ExitCode> {
    let known = || models.models().into_iter().map(|(folder, _)| folder).find(|folder| folder.ends_with(&args.name));
    let folder = as_name(Path::new(&args.name)).and_then(|_| known()).ok_or_else(|| {
        eyre::eyre!("no model {:?} was pulled or added: `oracle models list --local` shows those that were", args.name)
    })?;
    let is_link = fs::symlink_metadata(&folder).is_ok_and(|found| found.is_symlink());
    let removed = if is_link { fs::remove_file(&folder) } else { fs::remove_dir_all(&folder) };
    removed.map_err(|error| eyre::eyre!("cannot remove {}: {error}", folder.display()))?;
    context.terminal.result(&serde_json::json!({ "removed": folder }), |_| format!("removed {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn verify_one(folder: &Path, context: &Context) -> eyre::Result<Verified> {
    let model = LocalModel::open(folder)?;
    let mut progress = context.terminal.progress();
    for file in &model.manifest.files {
        progress.step(format!("checking {} {}", model.manifest.name, file.path));
        file.verify(folder)?;
    }
    let files = model.manifest.files.len();
    Ok(Verified { name: model.manifest.name, folder: model.folder, manifest_hash: model.hash, files })
}

fn here(folder: PathBuf, model: Result<LocalDraft, oracle::manifest::ManifestError>) -> Listed {
    match model {
        Ok(model) => described(&model, Some(folder)),
        Err(error) => Listed {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: None,
            state: State::Broken,
            manifest_hash: None,
            bytes: 0,
            folder: Some(folder),
            license: None,
            error: Some(error.to_string()),
        },
    }
}

fn described(model: &LocalDraft, folder: Option<PathBuf>) -> Listed {
    let draft = &model.draft;
    let complete = draft.files.iter().all(|file| {
        let there = model.path(&file.path).ok().and_then(|path| fs::metadata(path).ok());
        there.is_some_and(|there| Some(there.len()) == file.size)
    });
    Listed {
        name: draft.name.clone(),
        kind: Some(draft.pipeline.kind()),
        state: if complete { State::Complete } else { State::Incomplete },
        manifest_hash: draft.clone().pinned().is_ok().then_some(model.hash),
        bytes: draft.files.iter().filter_map(|file| file.size).sum(),
        folder,
        license: Some(draft.license.clone()),
        error: None,
    }
}

fn rows(models: &[Listed]) -> String {
    let mut table = table(["name", "makes", "state", "size", "manifest", "license"]);
    for model in models {
        let kind = match model.kind {
            Some(Kind::Image) => "images",
            Some(Kind::Text) => "texts",
            None => "",
        };
        let state = match (&model.state, &model.error) {
            (_, Some(error)) => printable(error),
            (State::NotPulled, None) => "not pulled".to_owned(),
            (State::Complete, None) => "complete".to_owned(),
            (State::Incomplete | State::Broken, None) => "incomplete".to_owned(),
        };
        table.add_row([
            printable(&model.name),
            kind.to_owned(),
            state,
            if model.bytes > 0 { size(model.bytes) } else { String::new() },
            model.manifest_hash.map_or_else(|| "not pinned".to_owned(), crate::commands::terminal::short),
            printable(model.license.as_deref().unwrap_or_default()),
        ]);
    }
    table.to_string()
}
