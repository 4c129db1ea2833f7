//! A second opinion on logs: an endpoint may leave some out, because it has not indexed or not got them yet, and nothing in
//! its answer shows it. Where two answers differ, the receipt of a log that only one of them lists settles it: who
//! did not list the log and knows its receipt has left it out; who does not know it either may be on another fork, or
//! the one that lists it has made it up.

use std::collections::HashSet;

use alloy::{
    primitives::{B256, U64},
    rpc::json_rpc::{Id, Request, ResponsePacket},
};
use serde::Deserialize;

use super::{endpoint::Endpoint, packet::result};

/// The place of a log in the chain, and all of it that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    block_hash: B256,
    transaction_hash: B256,
    log_index: U64,
}

#[derive(Deserialize)]
struct Receipt {
    logs: Vec<Place>,
}

/// The logs of an answer; none if it is a refusal.
pub(super) fn places(answer: &ResponsePacket) -> Option<HashSet<Place>> {
    result::<Vec<Place>>(answer).map(|places| places.into_iter().collect())
}

/// Whether `endpoint`, which listed `own`, has left out some of `others`.
pub(super) async fn leaves_out(endpoint: &Endpoint, own: &HashSet<Place>, others: &HashSet<Place>) -> bool {
    let Some(missing) = others.difference(own).next() else { return false };
    let params = (missing.transaction_hash,);
    let Ok(request) = Request::new("eth_getTransactionReceipt", Id::Number(0), params).serialize() else {
        return false;
    };
    let Ok(answer) = endpoint.ask(&request.into(), super::PATIENCE).await else { return false };
    result::<Receipt>(&answer).is_some_and(|receipt| receipt.logs.contains(missing))
}
