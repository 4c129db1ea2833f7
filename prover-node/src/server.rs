//! The server: gives published outputs to whoever asks, by content hash.

use alloy::primitives::B256;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use oracle::chain::ChainTime;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use tracing::warn;

use crate::{
    journal::Journal,
    output::{File, OutputStore},
};

/// What is served.
#[derive(Clone)]
pub struct Shelf {
    /// Says which outputs may be shown.
    pub journal: Journal,
    /// Where they are.
    pub outputs: OutputStore,
    /// The newest block seen.
    pub heads: watch::Receiver<ChainTime>,
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, shelf: Shelf) {
    let routes = Router::new().route("/outputs/{hash}", get(output)).route("/health", get(health)).with_state(shelf);
    if let Err(error) = axum::serve(listener, routes).await {
        warn!(%error, "the output server has stopped");
    }
}

/// A file never changes: its name is its hash.
async fn output(State(shelf): State<Shelf>, Path(hash): Path<String>) -> Response {
    let Ok(hash) = name(&hash).parse::<B256>() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match published(&shelf, hash).await {
        Ok(Some(file)) => {
            let headers = [
                (header::CONTENT_TYPE, file.format().media_type()),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, file.bytes().to_vec()).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            warn!(%error, "cannot serve an output");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Without an extension, which browsers like to see.
fn name(path: &str) -> &str {
    path.split_once('.').map_or(path, |(name, _)| name)
}

/// Nothing is shown before our own reveal is confirmed: whoever saw it earlier could commit to it.
async fn published(shelf: &Shelf, hash: B256) -> eyre::Result<Option<File>> {
    if !shelf.journal.is_published(hash).await? {
        return Ok(None);
    }
    Ok(shelf.outputs.get(hash)?)
}

async fn health(State(shelf): State<Shelf>) -> Response {
    let ChainTime { block, time } = *shelf.heads.borrow();
    match shelf.journal.open_jobs().await {
        Ok(open) => {
            Json(json!({ "status": "ok", "block": block, "blockTime": time, "openJobs": open })).into_response()
        }
        Err(error) => {
            let body = Json(json!({ "status": "failing", "reason": error.to_string() }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}
