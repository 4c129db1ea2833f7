#![allow(clippy::unwrap_used)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use alloy::{
    primitives::{B256, TxHash},
    providers::{Provider, ProviderBuilder, RootProvider},
    rpc::types::Filter,
};
use axum::{
    Router,
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{health::PROBATION, *};

const CHAIN: u64 = 31_337;

/// What a scripted endpoint does with its next requests.
#[derive(Debug, Clone, PartialEq)]
enum Mood {
    Well,
    Hangs,
    RateLimited,
    Html,
    Half,
    LimitedInWords,
}

/// An endpoint in this process that says what the test wants.
#[derive(Debug, Clone)]
struct Scripted {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug)]
struct Script {
    mood: Mood,
    chain: u64,
    head: u64,
    logs: Vec<u64>,
    receipts: Vec<u64>,
    asked: Vec<String>,
}

impl Scripted {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Script {
            mood: Mood::Well,
            chain: CHAIN,
            head: 100,
            logs: vec![1, 2],
            receipts: vec![1, 2],
            asked: Vec::new(),
        };
        let scripted = Self { address: listener.local_addr().unwrap(), script: Arc::new(Mutex::new(script)) };
        let router = Router::new().route("/", post(answer)).with_state(scripted.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        scripted
    }

    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// How often it was asked for `method`.
    fn asked(&self, method: &str) -> usize {
        self.script.lock().unwrap().asked.iter().filter(|asked| *asked == method).count()
    }

    fn url(&self) -> Url {
        format!("http://{}", self.address).parse().unwrap()
    }
}

async fn answer(Shared(scripted): Shared<Scripted>, body: String) -> Response {
    let request: Value = serde_json::from_str(&body).unwrap();
    let method = request["method"].as_str().unwrap();
    let (mood, result) = {
        let mut script = scripted.script.lock().unwrap();
        script.asked.push(method.to_owned());
        (script.mood.clone(), script.result(method, &request["params"]))
    };
    let whole = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string();
    match mood {
        Mood::Well => whole.into_response(),
        Mood::Hangs => std::future::pending().await,
        Mood::RateLimited => {
            let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
            (StatusCode::TOO_MANY_REQUESTS, headers, "slow down").into_response()
        }
        Mood::Html => "<html>Bad gateway</html>".into_response(),
        Mood::Half => whole[..whole.len() / 2].to_owned().into_response(),
        Mood::LimitedInWords => {
            let error = json!({ "code": -32005, "message": "daily request count exceeded, request rate limited" });
            json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string().into_response()
        }
    }
}

impl Script {
    fn result(&self, method: &str, params: &Value) -> Value {
        let place = |number: &u64| {
            let hash = B256::with_last_byte(u8::try_from(*number).unwrap());
            json!({
                "address": "0x0101010101010101010101010101010101010101", "topics": [], "data": "0x",
                "blockHash": hash, "blockNumber": format!("{number:#x}"), "transactionHash": hash,
                "transactionIndex": "0x0", "logIndex": "0x0", "removed": false,
            })
        };
        match method {
            "eth_chainId" => json!(format!("{:#x}", self.chain)),
            "eth_blockNumber" => json!(format!("{:#x}", self.head)),
            "eth_getLogs" => self.logs.iter().map(place).collect(),
            "eth_getTransactionReceipt" => {
                let known = |number: &&u64| params[0] == place(number)["transactionHash"];
                self.receipts.iter().find(known).map_or(Value::Null, |number| json!({ "logs": [place(number)] }))
            }
            "eth_sendRawTransaction" => json!(TxHash::repeat_byte(7)),
            _ => json!("0x0"),
        }
    }
}

fn new_provider(urls: &[Url]) -> RootProvider {
    let rpc = Rpc::new(urls, Some(CHAIN)).unwrap();
    ProviderBuilder::default().connect_client(rpc.client())
}

async fn pair() -> (Scripted, Scripted, RootProvider) {
    let (first, second) = (Scripted::start().await, Scripted::start().await);
    let provider = new_provider(&[first.url(), second.url()]);
    (first, second, provider)
}

fn gone() -> Url {
    "http://127.0.0.1:1".parse().unwrap()
}

#[tokio::test]
async fn what_one_endpoint_cannot_answer_another_does() {
    for mood in [Mood::RateLimited, Mood::Html, Mood::Half, Mood::LimitedInWords] {
        let (first, second, provider) = pair().await;
        provider.get_gas_price().await.unwrap();
        assert_eq!(second.asked("eth_gasPrice"), 0, "one at a time");

        first.set(|script| script.mood = mood.clone());
        provider.get_gas_price().await.unwrap();
        assert_eq!(second.asked("eth_gasPrice"), 1, "{mood:?}");

        first.set(|script| script.mood = Mood::Well);
        provider.get_gas_price().await.unwrap();
        assert_eq!(second.asked("eth_gasPrice"), 2, "{mood:?}: who does its work goes on");
    }
}

#[tokio::test]
async fn an_endpoint_that_was_never_there_is_passed_over() {
    let there = Scripted::start().await;
    let provider = new_provider(&[gone(), there.url()]);
    assert_eq!(provider.get_block_number().await.unwrap(), 100);
}

#[tokio::test]
async fn with_none_left_each_is_named_with_its_reason_and_at_once_if_none_ever_answered() {
    let limited = Scripted::start().await;
    limited.set(|script| script.mood = Mood::RateLimited);
    let error = new_provider(&[gone(), limited.url()]).get_block_number().await.unwrap_err().to_string();
    assert!(error.contains("http://127.0.0.1:1 ("), "{error}");
    assert!(error.contains(&format!("http://{} (HTTP status 429)", limited.address)), "{error}");
}

#[tokio::test]
async fn the_only_endpoint_is_waited_for() {
    let only = Scripted::start().await;
    let provider = new_provider(&[only.url()]);
    provider.get_block_number().await.unwrap();
    only.set(|script| script.mood = Mood::Html);
    let asked = tokio::spawn(async move { provider.get_block_number().await });
    while only.asked("eth_blockNumber") < 3 {
        tokio::task::yield_now().await;
    }
    only.set(|script| script.mood = Mood::Well);
    assert_eq!(asked.await.unwrap().unwrap(), 100);
}

#[tokio::test]
async fn retry_after_is_waited_for_and_longer_than_a_request_lasts_it_fails() {
    let only = Scripted::start().await;
    let provider = new_provider(&[only.url()]);
    provider.get_block_number().await.unwrap();
    only.set(|script| script.mood = Mood::RateLimited);
    let asked = only.asked("eth_gasPrice");
    let _ = tokio::time::timeout(Duration::from_millis(600), provider.get_gas_price()).await;
    assert_eq!(only.asked("eth_gasPrice") - asked, 1, "it asked for 7 s");
}

#[tokio::test]
async fn another_chain_is_never_asked_for_anything() {
    let (first, second, provider) = pair().await;
    first.set(|script| script.chain = 1);
    provider.get_gas_price().await.unwrap();
    assert_eq!((first.asked("eth_gasPrice"), second.asked("eth_gasPrice")), (0, 1));

    second.set(|script| script.chain = 1);
    let error = new_provider(&[first.url(), second.url()]).get_gas_price().await.unwrap_err();
    assert_eq!(Unavailable::of(&error).unwrap().other_chain(), Some(1));
}

#[tokio::test]
async fn who_is_behind_is_left_for_who_is_not() {
    let (first, second, provider) = pair().await;
    assert_eq!(provider.get_block_number().await.unwrap(), 100);
    first.set(|script| script.head = 80);
    second.set(|script| script.head = 101);
    assert_eq!(provider.get_block_number().await.unwrap(), 101);
    assert_eq!(provider.get_block_number().await.unwrap(), 101);
}

#[tokio::test]
async fn who_stands_still_is_found_out_by_the_others() {
    let (first, second, _) = pair().await;
    second.set(|script| script.head = 200);
    let rpc = Rpc::new(&[first.url(), second.url()], Some(CHAIN)).unwrap();
    let provider: RootProvider = ProviderBuilder::default().connect_client(rpc.client());
    assert_eq!(provider.get_block_number().await.unwrap(), 100);
    // The first answer has set it off; here it is waited for.
    rpc.survey(Instant::now()).await;
    assert_eq!(provider.get_block_number().await.unwrap(), 200);
}

#[tokio::test]
async fn who_was_named_first_is_asked_again_after_a_while_without_trouble() {
    let (first, second, _) = pair().await;
    let rpc = Rpc::new(&[first.url(), second.url()], Some(CHAIN)).unwrap();
    let provider: RootProvider = ProviderBuilder::default().connect_client(rpc.client());
    first.set(|script| script.mood = Mood::Html);
    provider.get_gas_price().await.unwrap();
    let in_use = || rpc.report().iter().position(|endpoint| endpoint.in_use);
    assert_eq!(in_use(), Some(1));

    let now = Instant::now();
    rpc.clone().survey(now + PROBATION).await;
    assert_eq!(in_use(), Some(1), "it still fails");
    first.set(|script| script.mood = Mood::Well);
    rpc.clone().survey(Instant::now() + PROBATION / 2).await;
    assert_eq!(in_use(), Some(1), "it has not been well for long");
    first.set(|script| script.head = 98);
    rpc.clone().survey(Instant::now() + PROBATION).await;
    assert_eq!(in_use(), Some(1), "it is behind");
    first.set(|script| script.head = 100);
    rpc.clone().survey(Instant::now() + PROBATION).await;
    assert_eq!(in_use(), Some(0));
}

#[tokio::test]
async fn a_few_blocks_behind_is_near_enough() {
    let only = Scripted::start().await;
    let provider = new_provider(&[only.url()]);
    provider.get_block_number().await.unwrap();
    only.set(|script| script.head = 100 - NEAR);
    assert_eq!(provider.get_block_number().await.unwrap(), 100 - NEAR);
}

#[tokio::test]
async fn left_out_logs_are_found_in_the_other_answer() {
    let (first, second, provider) = pair().await;
    let logs = async || provider.get_logs(&Filter::new()).await.unwrap().len();

    second.set(|script| (script.logs, script.receipts) = (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(logs().await, 2, "the first one does not know of the third log");

    first.set(|script| script.receipts = vec![1, 2, 3]);
    assert_eq!(logs().await, 3, "it does, and has left it out");
}

#[tokio::test]
async fn the_very_first_logs_have_a_second_opinion() {
    let (first, _, provider) = pair().await;
    first.set(|script| script.logs = vec![1]);
    assert_eq!(provider.get_logs(&Filter::new()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_transaction_goes_to_all_and_one_that_takes_it_is_enough() {
    let (first, second, provider) = pair().await;
    let send = async || provider.send_raw_transaction(&[1, 2, 3]).await.map(|pending| *pending.tx_hash());
    assert_eq!(send().await.unwrap(), TxHash::repeat_byte(7));
    first.set(|script| script.mood = Mood::Hangs);
    assert_eq!(send().await.unwrap(), TxHash::repeat_byte(7));
    assert_eq!((first.asked("eth_sendRawTransaction"), second.asked("eth_sendRawTransaction")), (2, 2));
}
