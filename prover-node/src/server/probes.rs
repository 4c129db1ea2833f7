//! Probes: what load balancers, orchestrators and Prometheus ask.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use oracle::chain::ChainTime;
use serde_json::json;

use crate::{journal::JournalError, metrics::CONTENT_TYPE, vitals::Vitals};

/// For everybody: whether this is a node, which one, and whether it works.
pub(super) fn health(vitals: Vitals) -> Router {
    Router::new().route("/health", get(is_healthy)).with_state(vitals)
}

/// For the operator.
pub(super) fn private(vitals: Vitals) -> Router {
    Router::new().route("/ready", get(is_ready)).route("/metrics", get(metrics)).with_state(vitals)
}

/// The process answers, and its journal can be read.
async fn is_healthy(State(vitals): State<Vitals>) -> Response {
    let ChainTime { block, time } = vitals.head();
    match vitals.open_jobs().await {
        Ok(open) => {
            let node = &vitals.identity;
            let answer = json!({ "status": "ok", "node": node, "block": block, "blockTime": time, "openJobs": open });
            Json(answer).into_response()
        }
        Err(error) => failing(&error),
    }
}

/// The node can take part in jobs.
async fn is_ready(State(vitals): State<Vitals>) -> Response {
    if let Err(error) = vitals.open_jobs().await {
        return failing(&error);
    }
    let reasons: Vec<_> = vitals.unready().iter().map(ToString::to_string).collect();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn metrics(State(vitals): State<Vitals>) -> Response {
    match vitals.metrics().await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => failing(&error),
    }
}

fn failing(error: &JournalError) -> Response {
    let answer = json!({ "status": "failing", "reason": error.to_string() });
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
}
