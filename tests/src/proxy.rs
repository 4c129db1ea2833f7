//! A proxy in front of an RPC endpoint, that misbehaves as it is told.
//!
//! It speaks HTTP/1.1 by hand, one request per connection, since what it is for no HTTP server does: to answer half, or to
//! hang up.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alloy::transports::http::reqwest;
use eyre::{OptionExt as _, Result};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// What a proxy's URL ends with, as a provider's does with an access key. No log may have it.
pub const ACCESS_KEY: &str = "5ec2e7acce55";

/// What the proxy does to requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It hangs up on everybody.
    Down,
    /// It hangs up on every other request: before it is passed on, or after.
    Drops,
    /// It takes the request, and never answers.
    Hangs,
    /// It answers late.
    Delays(Duration),
    /// It passes every request on twice, and gives the second answer.
    Duplicates,
    /// Its answers end in the middle.
    Truncates,
    /// It answers 429 and asks to be left alone for so many seconds.
    RateLimits(u64),
    /// It is so many blocks behind.
    Lags(u64),
    /// It is on another chain, or says so.
    OtherChain,
    /// It lists the first half of the logs.
    HalfOfLogs,
    /// It lists no logs where those of certain jobs are asked for.
    NoneOfJobs,
    /// It refuses to list the logs of more blocks at once.
    LimitsRange(u64),
    /// It refuses to list more logs at once.
    LimitsLogs(usize),
}

/// A running proxy; gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    client: reqwest::Client,
    fault: Mutex<Option<Fault>>,
    asked: AtomicU64,
}

impl Proxy {
    /// Starts one on a free port, without a fault.
    pub async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: reqwest::Client::new(),
            fault: Mutex::default(),
            asked: AtomicU64::new(0),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Where it listens, with an access key.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/{ACCESS_KEY}", self.address)
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Misbehaves from now on, or behaves again.
    pub fn set(&self, fault: Option<Fault>) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Requests that came so far.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((connection, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // Whoever is hung up on finds out by himself.
        tokio::spawn(async move { shared.handle(connection).await });
    }
}

impl Shared {
    async fn handle(&self, connection: TcpStream) -> Result<()> {
        let mut connection = BufReader::new(connection);
        let request = read(&mut connection).await?;
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match fault {
            None => self.pass_on(&request).await?,
            Some(Fault::Down) => return Ok(()),
            Some(Fault::Drops) => match number % 4 {
                0 => return Ok(()),
                2 => return self.pass_on(&request).await.map(drop),
                _ => self.pass_on(&request).await?,
            },
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Delays(time)) => {
                tokio::time::sleep(time).await;
                self.pass_on(&request).await?
            }
            Some(Fault::Duplicates) => {
                self.pass_on(&request).await?;
                self.pass_on(&request).await?
            }
            Some(Fault::Truncates) => {
                let answer = self.pass_on(&request).await?.to_string();
                return write(&mut connection, "200 OK", &answer[..answer.len() / 2], answer.len()).await;
            }
            Some(Fault::RateLimits(seconds)) => {
                let status = format!("429 Too Many Requests\r\nretry-after: {seconds}");
                return write(&mut connection, &status, "slow down", 9).await;
            }
            Some(Fault::Lags(blocks)) => self.lag(request, blocks).await?,
            Some(Fault::OtherChain) if request["method"] == "eth_chainId" => answer_to(&request, &json!("0x1")),
            Some(Fault::OtherChain) => self.pass_on(&request).await?,
            Some(Fault::HalfOfLogs) => {
                let mut answer = self.pass_on(&request).await?;
                if request["method"] == "eth_getLogs"
                    && let Some(logs) = answer["result"].as_array_mut()
                {
                    logs.truncate(logs.len() / 2);
                }
                answer
            }
            Some(Fault::NoneOfJobs) if !request["params"][0]["topics"][1].is_null() => answer_to(&request, &json!([])),
            Some(Fault::NoneOfJobs) => self.pass_on(&request).await?,
            Some(Fault::LimitsRange(blocks)) => match self.blocks_of(&request).await? {
                Some(asked) if asked > blocks => refusal_of(&request, -32602, "block range is too wide"),
                _ => self.pass_on(&request).await?,
            },
            Some(Fault::LimitsLogs(most)) => {
                let answer = self.pass_on(&request).await?;
                let listed = answer["result"].as_array().filter(|_| request["method"] == "eth_getLogs");
                match listed.is_some_and(|logs| logs.len() > most) {
                    true => refusal_of(&request, -32005, "query returned more results than the limit"),
                    false => answer,
                }
            }
        };
        let answer = answer.to_string();
        write(&mut connection, "200 OK", &answer, answer.len()).await
    }

    async fn pass_on(&self, request: &Value) -> Result<Value> {
        let body = serde_json::to_vec(request)?;
        let post = self.client.post(&self.upstream).header("content-type", "application/json").body(body);
        Ok(serde_json::from_slice(&post.send().await?.bytes().await?)?)
    }

    async fn newest(&self) -> Result<u64> {
        let newest =
            self.pass_on(&json!({ "jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": [] })).await?;
        number(&newest["result"]).ok_or_eyre("no block number")
    }

    /// Of how many blocks logs are asked for, if they are.
    async fn blocks_of(&self, request: &Value) -> Result<Option<u64>> {
        let filter = &request["params"][0];
        if request["method"] != "eth_getLogs" || !filter["blockHash"].is_null() {
            return Ok(None);
        }
        let newest = self.newest().await?;
        let bound = |name: &str| number(&filter[name]).unwrap_or(newest);
        Ok(Some((bound("toBlock") + 1).saturating_sub(bound("fromBlock"))))
    }

    /// As if the newest `blocks` blocks had not come yet.
    async fn lag(&self, mut request: Value, blocks: u64) -> Result<Value> {
        let head = self.newest().await?.saturating_sub(blocks);
        match request["method"].as_str() {
            Some("eth_blockNumber") => return Ok(answer_to(&request, &json!(format!("{head:#x}")))),
            Some("eth_getBlockByNumber") if number(&request["params"][0]).is_some_and(|number| number > head) => {
                return Ok(answer_to(&request, &Value::Null));
            }
            Some("eth_getLogs") => {
                let filter = &mut request["params"][0];
                if number(&filter["fromBlock"]).is_some_and(|from| from > head) {
                    return Ok(answer_to(&request, &json!([])));
                }
                if number(&filter["toBlock"]).is_none_or(|to| to > head) {
                    filter["toBlock"] = json!(format!("{head:#x}"));
                }
            }
            _ => {}
        }
        if let Some(params) = request["params"].as_array_mut() {
            for param in params.iter_mut().filter(|param| **param == "latest") {
                *param = json!(format!("{head:#x}"));
            }
        }
        self.pass_on(&request).await
    }
}

/// A request's body, as JSON.
async fn read(connection: &mut BufReader<TcpStream>) -> Result<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

async fn write(connection: &mut BufReader<TcpStream>, status: &str, body: &str, length: usize) -> Result<()> {
    let head = "content-type: application/json\r\nconnection: close";
    let answer = format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    connection.write_all(answer.as_bytes()).await?;
    Ok(connection.shutdown().await?)
}

fn answer_to(request: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })
}

fn refusal_of(request: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": request["id"], "error": { "code": code, "message": message } })
}

fn number(quantity: &Value) -> Option<u64> {
    u64::from_str_radix(quantity.as_str()?.strip_prefix("0x")?, 16).ok()
}
