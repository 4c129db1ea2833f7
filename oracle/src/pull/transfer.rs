//! One file over HTTP.

use std::time::Duration;

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_RANGE, HeaderValue, RANGE},
};

use super::{OnProgress, PullError, arrival::Arrival};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Without a byte.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Whose word a refusal is.
#[derive(Debug)]
pub enum Gate {
    /// Any server's.
    Url,
    /// The hub's: the repository, the page with its licence, and what was asked for.
    Hub {
        /// `owner/name`.
        repository: String,
        /// Of the repository.
        page: String,
        /// A repository, its revision, or a file of it.
        what: String,
    },
}

/// An HTTP client for whole files: it waits as long as bytes come. Where it is sent to another server, it does not take
/// the token there.
pub fn client() -> Result<Client, PullError> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(PullError::Client)
}

/// Gets what is missing of a file. A connection that is cut is taken up again as long as each brings something.
pub(super) async fn transfer(
    client: &Client,
    url: &Url,
    token: Option<&HeaderValue>,
    gate: &Gate,
    arrival: &mut Arrival,
    on_progress: &mut OnProgress<'_>,
) -> Result<(), PullError> {
    while !arrival.is_whole() {
        let before = arrival.len();
        match attempt(client, url, token, gate, arrival, on_progress).await {
            Err(PullError::Unreachable { .. }) if arrival.len() > before => {}
            done => return done,
        }
    }
    Ok(())
}

async fn attempt(
    client: &Client,
    url: &Url,
    token: Option<&HeaderValue>,
    gate: &Gate,
    arrival: &mut Arrival,
    on_progress: &mut OnProgress<'_>,
) -> Result<(), PullError> {
    let mut request = with_token(client.get(url.clone()), token);
    if arrival.len() > 0 {
        request = request.header(RANGE, format!("bytes={}-", arrival.len()));
    }
    let cut = |error: reqwest::Error| PullError::unreachable(url, &error);
    let mut response = request.send().await.map_err(cut)?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT if starts_at(&response, arrival.len()) => {}
        // Not what was asked for, but the file from its beginning.
        StatusCode::OK => arrival.restart()?,
        status => return Err(refusal(&response, status, url, gate)),
    }
    on_progress(arrival.progress());
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        arrival.write(&chunk)?;
        on_progress(arrival.progress());
    }
    Ok(())
}

pub(super) fn with_token(request: reqwest::RequestBuilder, token: Option<&HeaderValue>) -> reqwest::RequestBuilder {
    match token {
        Some(token) => request.header(AUTHORIZATION, token),
        None => request,
    }
}

/// What a refusing answer means.
pub(super) fn refusal(response: &Response, status: StatusCode, url: &Url, gate: &Gate) -> PullError {
    let (url, status) = (url.to_string(), status.as_u16());
    let code = response.headers().get("x-error-code").and_then(|code| code.to_str().ok());
    match (gate, code, status) {
        (Gate::Hub { repository, page, .. }, Some("GatedRepo"), _) | (Gate::Hub { repository, page, .. }, _, 403) => {
            PullError::Gated { repository: repository.clone(), page: page.clone(), status }
        }
        // The hub does not say whether something is hidden or not there.
        (Gate::Hub { what, .. }, _, 401 | 404) => PullError::Hidden { what: what.clone(), status },
        _ => PullError::Status { url, status },
    }
}

fn starts_at(response: &Response, at: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()) == Some(at)
}
