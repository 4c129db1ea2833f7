//! Packets: what matters here of what is asked and answered.

use alloy::{
    primitives::U64,
    rpc::json_rpc::{ErrorPayload, RequestPacket, ResponsePacket, ResponsePayload},
};
use serde::{Deserialize, de::DeserializeOwned};

/// What is asked, as far as it matters who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// For the newest block or its number.
    Head,
    /// For logs.
    Logs,
    /// To pass on a signed transaction.
    Broadcast,
    /// For anything else.
    Other,
}

impl Kind {
    pub(super) fn of(packet: &RequestPacket) -> Self {
        let Some(request) = packet.as_single() else { return Self::Other };
        match request.method() {
            "eth_blockNumber" => Self::Head,
            "eth_getBlockByNumber" if request.params().is_some_and(|params| params.get().contains("\"latest\"")) => {
                Self::Head
            }
            "eth_getLogs" => Self::Logs,
            "eth_sendRawTransaction" => Self::Broadcast,
            _ => Self::Other,
        }
    }
}

/// What was asked for, if that is what was answered.
pub(super) fn result<T: DeserializeOwned>(answer: &ResponsePacket) -> Option<T> {
    match answer.single_payload()? {
        ResponsePayload::Success(result) => serde_json::from_str(result.get()).ok(),
        ResponsePayload::Failure(_) => None,
    }
}

/// The number of the newest block, as an answer to [`Kind::Head`].
pub(super) fn head(answer: &ResponsePacket) -> Option<u64> {
    #[derive(Deserialize)]
    struct Block {
        number: U64,
    }
    let number = result::<U64>(answer).or_else(|| result::<Block>(answer).map(|block| block.number));
    number.map(|number| number.to())
}

/// What an endpoint says of its own trouble; nothing if the answer would be the same elsewhere: a revert, a nonce that is
/// too low, a range that is too wide.
pub(super) fn trouble(packet: &RequestPacket, answer: &ResponsePacket) -> Option<String> {
    let error = answer.as_error()?;
    let message = error.message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["revert"]) {
        return None;
    }

    let rate =
        has(&["rate limit", "rate exceeded", "request rate", "too many requests", "request limit", "per second"])
            || has(&["request count", "credits", "quota", "capacity", "concurrent requests"]);
    // Infura refuses ranges of logs with the code that it limits rates with.
    let busy = matches!(error.code, 429 | -32005) && Kind::of(packet) != Kind::Logs;
    // A load balancer's back end that lacks the block, or any endpoint's that is broken.
    let lost = has(&["header not found", "missing trie node", "not synced", "is syncing", "no backend"]);
    let broken = error.code == ErrorPayload::<()>::internal_error().code
        && error.data.is_none()
        && Kind::of(packet) == Kind::Other;
    (rate || busy || lost || broken).then(|| error.message.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::rpc::json_rpc::{Id, Request};
    use serde_json::{Value, json};

    use super::*;

    fn asked(method: &'static str, params: Value) -> RequestPacket {
        Request::new(method, Id::Number(1), params).serialize().unwrap().into()
    }

    fn answered(answer: &Value) -> ResponsePacket {
        let mut whole = json!({ "jsonrpc": "2.0", "id": 1 });
        whole.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn is_trouble(method: &'static str, code: i64, message: &str) -> bool {
        let answer = answered(&json!({ "error": { "code": code, "message": message } }));
        trouble(&asked(method, json!([])), &answer).is_some()
    }

    #[test]
    fn limits_of_rate_are_trouble_whatever_code_they_come_with() {
        for (code, message) in [
            (-32005, "daily request count exceeded, request rate limited"),
            (-32007, "100/second request limit reached - reduce calls per second"),
            (429, "Your app has exceeded its compute units per second capacity."),
            (-32000, "Too Many Requests"),
            (-32012, "credits limited to 6000/sec"),
        ] {
            assert!(is_trouble("eth_call", code, message), "{message}");
            assert!(is_trouble("eth_getLogs", code, message), "{message}");
        }
    }

    #[test]
    fn refused_ranges_of_logs_are_answers() {
        for (code, message) in [
            (-32005, "query returned more than 10000 results"),
            (-32005, "query timeout exceeded"),
            (-32602, "range 1000000 exceeds limit of 10000"),
            (-32614, "eth_getLogs is limited to a 10,000 range"),
            (-32000, "block range is larger than max block range, block range = 5120, max block range = 5000"),
            (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 10 block range."),
        ] {
            assert!(!is_trouble("eth_getLogs", code, message), "{message}");
        }
    }

    #[test]
    fn what_the_chain_says_is_an_answer_and_a_broken_back_end_is_not() {
        assert!(!is_trouble("eth_call", 3, "execution reverted"));
        assert!(!is_trouble("eth_call", -32603, "VM Exception while processing transaction: reverted"));
        assert!(!is_trouble("eth_sendRawTransaction", -32000, "nonce too low"));
        assert!(!is_trouble("eth_sendRawTransaction", -32603, "already known"));
        assert!(is_trouble("eth_call", -32603, "Internal error"));
        assert!(is_trouble("eth_call", -32000, "header not found"));
        assert!(is_trouble("eth_call", -32000, "missing trie node 1234 (path )"));
    }

    #[test]
    fn the_newest_block_is_told_by_its_number_or_with_it() {
        assert_eq!(Kind::of(&asked("eth_getBlockByNumber", json!(["latest", false]))), Kind::Head);
        assert_eq!(Kind::of(&asked("eth_getBlockByNumber", json!(["0x10", false]))), Kind::Other);
        assert_eq!(head(&answered(&json!({ "result": "0x10" }))), Some(16));
        assert_eq!(head(&answered(&json!({ "result": { "number": "0x11", "hash": "0x" } }))), Some(17));
        assert_eq!(head(&answered(&json!({ "result": null }))), None);
    }
}
