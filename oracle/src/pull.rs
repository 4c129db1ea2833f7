//! Pulling: getting the files of a model from where its manifest says that they are. What comes is written beside its
//! place, and put there once its length and sha256 are right; what was cut off is taken up where it stopped.

mod arrival;
mod error;
pub mod hub;
mod transfer;

use std::path::{Path, PathBuf};

use reqwest::{Client, Url};

use self::{
    arrival::{Arrival, Expected},
    hub::{Hub, HubFile, Listing},
    transfer::transfer,
};
pub use self::{
    error::PullError,
    transfer::{Gate, client},
};
use crate::{
    files::write_atomically,
    manifest::{
        BaseUrl, Draft, FilePath, ListedFile, LocalDraft, LocalModel, MANIFEST_FILE, Manifest, ManifestError,
        ModelFile, Repository, Revision, Source,
    },
};

/// How far a file is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Which.
    pub path: &'a FilePath,
    /// Bytes that are here.
    pub done: u64,
    /// All of them, if known.
    pub total: Option<u64>,
}

/// Is told how far each file is.
pub type OnProgress<'a> = dyn FnMut(Progress<'_>) + Send + 'a;

/// Where files come from, once that is settled.
enum Origin {
    Folder(PathBuf),
    Url(BaseUrl),
    Hub(Box<HubOrigin>),
}

struct HubOrigin {
    hub: Hub,
    repository: Repository,
    listing: Listing,
}

/// Gets all files of a model that are not there yet, and pins those that were not pinned. `from` is a folder to take
/// them from instead of the manifest's source.
pub async fn pull(
    model: LocalDraft,
    from: Option<&Path>,
    hub: Hub,
    on_progress: &mut OnProgress<'_>,
) -> Result<LocalModel, PullError> {
    let client = client()?;
    let LocalDraft { draft, folder, .. } = model;
    // A branch is pinned too, even if all files are there.
    let mut origin = match (&draft.source, from) {
        (Some(Source::Hub { revision: Revision::Named(_), .. }), None) => {
            Some(locate(&draft, &folder, from, &hub, &client).await?)
        }
        _ => None,
    };
    let mut pinned = Vec::new();
    for file in &draft.files {
        if let Some(there) = already_there(&folder, file)? {
            pinned.push(there);
            continue;
        }
        if origin.is_none() {
            origin = Some(locate(&draft, &folder, from, &hub, &client).await?);
        }
        if let Some(origin) = &origin {
            pinned.push(get(origin, &folder, file, &client, on_progress).await?);
        }
    }

    let source = match origin {
        Some(Origin::Hub(origin)) => {
            Some(Source::Hub { repository: origin.repository, revision: Revision::Commit(origin.listing.commit) })
        }
        _ => draft.source.clone(),
    };
    let manifest = Manifest { source, ..draft.clone().with_files(pinned) };
    if Draft::from(manifest.clone()) != draft {
        let path = folder.join(MANIFEST_FILE);
        write_atomically(&path, &manifest.to_bytes()?).map_err(|source| PullError::Disk { path, source })?;
    }
    Ok(LocalModel::open(&folder)?)
}

/// The file, if it is there and right; what is not pinned is not known to be right.
fn already_there(folder: &Path, file: &ListedFile) -> Result<Option<ModelFile>, PullError> {
    let (Some(size), Some(sha256)) = (file.size, file.sha256) else { return Ok(None) };
    let pinned = ModelFile { path: file.path.clone(), size, sha256 };
    match pinned.verify(folder) {
        Ok(()) => Ok(Some(pinned)),
        Err(ManifestError::OutsideFolder { path }) => Err(ManifestError::OutsideFolder { path }.into()),
        Err(_) => Ok(None),
    }
}

async fn locate(
    draft: &Draft,
    folder: &Path,
    from: Option<&Path>,
    hub: &Hub,
    client: &Client,
) -> Result<Origin, PullError> {
    if let Some(from) = from {
        return Ok(Origin::Folder(from.to_owned()));
    }
    match draft.source.clone() {
        None => Err(PullError::NoSource { name: draft.name.clone() }),
        Some(Source::Path { path }) => Ok(Origin::Folder(folder.join(path))),
        Some(Source::Url { url }) => Ok(Origin::Url(url)),
        Some(Source::Hub { repository, revision }) => {
            let is_pinned = draft.files.iter().all(|file| file.size.is_some() && file.sha256.is_some());
            let listing = match revision {
                // All is known already.
                Revision::Commit(commit) if is_pinned => Listing { commit, files: Vec::new(), license: None },
                revision => hub.listing(client, &repository, &revision).await?,
            };
            Ok(Origin::Hub(Box::new(HubOrigin { hub: hub.clone(), repository, listing })))
        }
    }
}

async fn get(
    origin: &Origin,
    folder: &Path,
    file: &ListedFile,
    client: &Client,
    on_progress: &mut OnProgress<'_>,
) -> Result<ModelFile, PullError> {
    let told = match origin {
        Origin::Hub(origin) => origin.listing.file(&file.path),
        _ => None,
    };
    let expected = Expected {
        size: file.size.or(told.and_then(|told| told.size)),
        sha256: file.sha256.or(told.and_then(HubFile::sha256)),
    };
    // The hub may know what the manifest does not: an earlier pull that failed has left files that are right.
    let told = ListedFile { path: file.path.clone(), size: expected.size, sha256: expected.sha256 };
    if let Some(there) = already_there(folder, &told)? {
        return Ok(there);
    }
    let mut arrival = Arrival::open(folder, &file.path, expected)?;
    match origin {
        Origin::Folder(from) => arrival.copy(&from.join(&file.path), on_progress)?,
        Origin::Url(url) => {
            transfer(client, &below(url, &file.path)?, None, &Gate::Url, &mut arrival, on_progress).await?;
        }
        Origin::Hub(origin) => {
            let HubOrigin { hub, repository, listing } = &**origin;
            match hub.cached(repository, &listing.commit, &file.path) {
                Some(cached) => arrival.copy(&cached, on_progress)?,
                None => hub.get(client, repository, &listing.commit, &mut arrival, on_progress).await?,
            }
        }
    }
    arrival.finish()
}

/// The address of a file below another; what is special in URLs is escaped.
fn below(base: &BaseUrl, path: &FilePath) -> Result<Url, PullError> {
    let malformed = || PullError::Url { url: base.to_string() };
    let mut url: Url = base.as_str().parse().map_err(|_| malformed())?;
    url.path_segments_mut().map_err(|()| malformed())?.pop_if_empty().extend(path.as_str().split('/'));
    Ok(url)
}
