//! The Hugging Face hub, by its documented addresses, with the settings of its own tools: `HF_ENDPOINT`, `HF_TOKEN`,
//! `HF_TOKEN_PATH`, `HF_HOME`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`
//! (huggingface.co/docs/huggingface_hub/package_reference/environment_variables).

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use alloy::primitives::{B256, hex};
use reqwest::{Client, StatusCode, Url, header::HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use super::{
    OnProgress, PullError,
    arrival::Arrival,
    transfer::{Gate, refusal, transfer, with_token},
};
use crate::manifest::{Commit, FilePath, Repository, Revision};

/// Bytes of an answer that is read at once: a listing or a config.
const MAX_ANSWER: usize = 32 << 20;

/// How this machine reaches the hub.
#[derive(Clone)]
pub struct Hub {
    endpoint: String,
    /// Never printed; sent to the endpoint alone.
    token: Option<HeaderValue>,
    cache: Option<PathBuf>,
    offline: bool,
}

/// What a repository has at a commit.
#[derive(Debug, Clone)]
pub struct Listing {
    /// What the revision stands for now.
    pub commit: Commit,
    /// The licence as the repository's card has it, such as `apache-2.0`.
    pub license: Option<String>,
    /// Its files.
    pub files: Vec<HubFile>,
}

/// A file of a repository. The hub tells the sha256 of large files only.
#[derive(Debug, Clone, Deserialize)]
pub struct HubFile {
    /// Below the repository.
    #[serde(rename = "rfilename")]
    pub path: String,
    /// In bytes.
    pub size: Option<u64>,
    lfs: Option<Large>,
}

#[derive(Debug, Clone, Deserialize)]
struct Large {
    sha256: String,
}

/// As the hub answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    sha: String,
    #[serde(default)]
    card_data: Option<Card>,
    #[serde(default)]
    siblings: Vec<HubFile>,
}

#[derive(Deserialize)]
struct Card {
    /// Text, or a list.
    #[serde(default)]
    license: Value,
}

impl HubFile {
    /// Of its bytes, if the hub tells it.
    #[must_use]
    pub fn sha256(&self) -> Option<B256> {
        hex::decode_to_array(&self.lfs.as_ref()?.sha256).ok().map(B256::new)
    }
}

impl Listing {
    /// What is told of a file.
    #[must_use]
    pub fn file(&self, path: &FilePath) -> Option<&HubFile> {
        self.files.iter().find(|file| *path == *file.path)
    }

    /// The paths of all files.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<String> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }
}

impl Hub {
    /// With the settings of the hub's own tools.
    #[must_use]
    pub fn from_env(offline: bool) -> Self {
        let home = path("HF_HOME").or_else(|| Some(path("XDG_CACHE_HOME").or_else(cache_home)?.join("huggingface")));
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let file = path("HF_TOKEN_PATH").or_else(|| Some(home.as_ref()?.join("token")));
        let token = text("HF_TOKEN").or_else(|| fs::read_to_string(file?).ok());
        Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            token: token.filter(|_| !is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN")).and_then(|token| bearer(&token)),
            cache: cache.or_else(|| Some(home?.join("hub"))),
            offline: offline || is_on("HF_HUB_OFFLINE"),
        }
    }

    /// What `revision` stands for, and what is there. Offline: what the cache says of it, and no files.
    pub async fn listing(
        &self,
        client: &Client,
        repository: &Repository,
        revision: &Revision,
    ) -> Result<Listing, PullError> {
        if self.offline {
            let commit = self.cached_commit(repository, revision);
            let what = format!("{repository} at {revision}");
            return commit
                .map(|commit| Listing { commit, license: None, files: Vec::new() })
                .ok_or(PullError::Offline { what });
        }
        let mut url = self.url(&["api", "models"], repository)?;
        extend(&mut url, ["revision", &revision.to_string()]);
        url.set_query(Some("blobs=true"));
        let gate = self.gate(repository, format!("{repository} at {revision}"));
        let malformed = |reason: String| PullError::Listing { url: url.to_string(), reason };
        let answer = self.answer(client, &url, &gate).await?;
        let info: Info = serde_json::from_slice(&answer).map_err(|error| malformed(error.to_string()))?;
        let license = info.card_data.and_then(|card| card.license.as_str().map(str::to_owned));
        Ok(Listing { commit: info.sha.parse().map_err(malformed)?, license, files: info.siblings })
    }

    /// A small file, such as a config.
    pub async fn read(
        &self,
        client: &Client,
        repository: &Repository,
        commit: &Commit,
        path: &FilePath,
    ) -> Result<Vec<u8>, PullError> {
        if let Some(cached) = self.cached(repository, commit, path) {
            return fs::read(&cached).map_err(|source| PullError::Disk { path: cached, source });
        }
        let what = format!("{path} of {repository}");
        if self.offline {
            return Err(PullError::Offline { what });
        }
        let url = self.file_url(repository, commit, path)?;
        self.answer(client, &url, &self.gate(repository, what)).await
    }

    pub(super) async fn get(
        &self,
        client: &Client,
        repository: &Repository,
        commit: &Commit,
        arrival: &mut Arrival,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), PullError> {
        let what = format!("{} of {repository}", arrival.path);
        if self.offline {
            return Err(PullError::Offline { what });
        }
        let url = self.file_url(repository, commit, &arrival.path)?;
        transfer(client, &url, self.token.as_ref(), &self.gate(repository, what), arrival, on_progress).await
    }

    /// Where the hub's own tools have put the file, if they have.
    pub(super) fn cached(&self, repository: &Repository, commit: &Commit, path: &FilePath) -> Option<PathBuf> {
        let file = self.cache_of(repository)?.join("snapshots").join(commit.as_str()).join(path);
        file.is_file().then_some(file)
    }

    fn cached_commit(&self, repository: &Repository, revision: &Revision) -> Option<Commit> {
        match revision {
            Revision::Commit(commit) => Some(commit.clone()),
            Revision::Named(name) => {
                let file = self.cache_of(repository)?.join("refs").join(name);
                fs::read_to_string(file).ok()?.trim().parse().ok()
            }
        }
    }

    fn cache_of(&self, repository: &Repository) -> Option<PathBuf> {
        Some(self.cache.as_ref()?.join(format!("models--{}", repository.as_str().replace('/', "--"))))
    }

    async fn answer(&self, client: &Client, url: &Url, gate: &Gate) -> Result<Vec<u8>, PullError> {
        let cut = |error: reqwest::Error| PullError::unreachable(url, &error);
        let request = with_token(client.get(url.clone()), self.token.as_ref());
        let mut response = request.send().await.map_err(cut)?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(refusal(&response, status, url, gate));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(cut)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER {
                let reason = format!("it has more than {MAX_ANSWER} bytes");
                return Err(PullError::Listing { url: url.to_string(), reason });
            }
        }
        Ok(bytes)
    }

    fn file_url(&self, repository: &Repository, commit: &Commit, path: &FilePath) -> Result<Url, PullError> {
        let mut url = self.url(&[], repository)?;
        extend(&mut url, ["resolve", commit.as_str()].into_iter().chain(path.as_str().split('/')));
        Ok(url)
    }

    fn url(&self, before: &[&str], repository: &Repository) -> Result<Url, PullError> {
        let malformed = || PullError::Url { url: self.endpoint.clone() };
        let mut url: Url = self.endpoint.parse().map_err(|_| malformed())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(malformed());
        }
        extend(&mut url, before.iter().copied().chain(repository.as_str().split('/')));
        Ok(url)
    }

    fn gate(&self, repository: &Repository, what: String) -> Gate {
        Gate::Hub {
            repository: repository.to_string(),
            page: format!("{}/{repository}", self.endpoint.trim_end_matches('/')),
            what,
        }
    }
}

/// Appends to the path; what is special in URLs is escaped.
fn extend<'a>(url: &mut Url, parts: impl IntoIterator<Item = &'a str>) {
    // Only URLs without a host have no path, and `Hub::url` takes none of them.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let token = Some(token.trim()).filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn is_on(name: &str) -> bool {
    text(name).is_some_and(|value| matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

fn cache_home() -> Option<PathBuf> {
    path("HOME").map(|home| home.join(".cache"))
}
