//! The servers: one gives published outputs to whoever asks, by content hash; the other says to the operator how the
//! node is.
//!
//! ```text
//! --listen          /outputs/{hash}   /health                for everybody, within limits
//! --metrics-listen  /metrics          /health   /ready       for the operator's machine
//! ```

mod limits;
mod outputs;
mod probes;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, middleware, routing::get};
use axum_server::{
    Server,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use reqwest::Method;
use tokio::net::TcpListener;
use tower_http::cors::{Any, CorsLayer};
use tracing::warn;

use self::limits::{Gate, Rates};
use crate::{journal::Journal, output::OutputStore, vitals::Vitals};

pub use self::limits::Limits;

/// The longest wait for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that the head of a request may have.
const MAX_HEAD: usize = 16 << 10;

/// Requests that one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 32;

/// What is given out.
#[derive(Clone)]
pub struct Shelf {
    /// Says which outputs may be shown.
    pub journal: Journal,
    /// Where they are.
    pub outputs: OutputStore,
}

/// Gives out outputs until it is dropped.
pub async fn serve(listener: TcpListener, shelf: Shelf, vitals: Vitals, limits: Limits, tls: Option<RustlsConfig>) {
    let routes = public(shelf, vitals, limits.requests_per_second).into_make_service_with_connect_info::<SocketAddr>();
    let gate = Gate::new(limits.connections);
    let served = match (patient(listener), tls) {
        (Ok(server), Some(tls)) => server.acceptor(RustlsAcceptor::new(tls).acceptor(gate)).serve(routes).await,
        (Ok(server), None) => server.acceptor(gate).serve(routes).await,
        (Err(error), _) => Err(error),
    };
    if let Err(error) = served {
        warn!(%error, "the output server has stopped");
    }
}

/// Says how the node is until it is dropped.
pub async fn serve_metrics(listener: TcpListener, vitals: Vitals) {
    let routes = Router::new().merge(probes::health(vitals.clone())).merge(probes::private(vitals));
    let served = match patient(listener) {
        Ok(server) => server.acceptor(Gate::new(Limits::default().connections)).serve(routes.into_make_service()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        warn!(%error, "the metrics server has stopped");
    }
}

fn public(shelf: Shelf, vitals: Vitals, requests_per_second: u32) -> Router {
    // Pages of any origin may show the pictures, and ask for parts of them.
    let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::GET, Method::HEAD]);
    let cors = cors.allow_headers(Any).expose_headers(Any);
    let routes = Router::new().route("/outputs/{hash}", get(outputs::output)).with_state(shelf);
    let routes = routes.merge(probes::health(vitals));
    match Rates::new(requests_per_second) {
        Some(rates) => routes.layer(middleware::from_fn_with_state(Arc::new(rates), limits::limit_rate)),
        None => routes,
    }
    .layer(cors)
}

/// Up to a limit.
fn patient(listener: TcpListener) -> io::Result<Server<SocketAddr>> {
    let mut server = axum_server::from_tcp(listener.into_std()?)?.first_request_timeout(HEAD_TIMEOUT);
    let http = server.http_builder();
    http.http1().header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
    http.http2().max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEAD as u32);
    Ok(server)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::{Address, B256};
    use oracle::{
        chain::{ChainTime, Rpc},
        output::{Output, Text},
    };
    use reqwest::{Client, StatusCode};
    use tempfile::TempDir;
    use tokio::sync::watch;
    use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

    use super::*;
    use crate::{
        funds::Funds,
        inference::{Generator, Inference, InferenceError, OnProgress},
        journal::Owner,
        metrics::Metrics,
        output::{File, Storage},
        vitals::{Followed, Identity},
    };

    struct Nothing;

    impl Generator for Nothing {
        fn generate(&self, _: &oracle::spec::Spec, _: B256, _: &mut OnProgress<'_>) -> Result<Output, InferenceError> {
            Err(InferenceError::Crashed)
        }
    }

    /// A server with one file that may be shown and one that may not.
    struct Served {
        url: String,
        metrics_url: String,
        shown: File,
        hidden: File,
        heads: watch::Sender<ChainTime>,
        funds: watch::Sender<Funds>,
        _servers: [AbortOnDropHandle<()>; 2],
        _folder: TempDir,
    }

    async fn served(limits: Limits) -> Served {
        served_by(limits, None).await
    }

    async fn served_by(limits: Limits, tls: Option<RustlsConfig>) -> Served {
        let folder = TempDir::new().unwrap();
        let [operator, oracle] = [Address::ZERO; 2];
        let owner = Owner { chain_id: 1, genesis: B256::ZERO, oracle, operator };
        let journal = Journal::open(folder.path(), owner).await.unwrap();
        let outputs = OutputStore::open(Storage::Folder(folder.path().join("outputs")), u64::MAX).await.unwrap();
        let file = |text: &str| File::of(&Output::Text(Text { text: text.to_owned(), tokens: vec![] })).unwrap();
        let (shown, hidden) = (file("shown"), file("hidden"));
        outputs.put(&shown).await.unwrap();
        outputs.put(&hidden).await.unwrap();
        journal.publish(shown.content_hash()).await.unwrap();

        let heads = watch::Sender::new(ChainTime { block: 5, time: u64::MAX });
        let funds = watch::Sender::new(Funds::default());
        let vitals = Vitals {
            identity: Identity { version: "1", operator, chain_id: 1, oracle, models: vec![B256::ZERO] },
            heads: heads.subscribe(),
            followed: watch::Sender::new(Followed { block: 5, caught_up_at: 5 }).subscribe(),
            rpc: Rpc::new(&[], None).unwrap(),
            funds: funds.subscribe(),
            journal: journal.clone(),
            inference: Inference::of(Nothing),
            draining: CancellationToken::new(),
            metrics: Arc::new(Metrics::new(Vec::new())),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Served {
            url: format!("http://{}", listener.local_addr().unwrap()),
            metrics_url: format!("http://{}", metrics_listener.local_addr().unwrap()),
            shown,
            hidden,
            heads,
            funds,
            _servers: [
                tokio::spawn(serve(listener, Shelf { journal, outputs }, vitals.clone(), limits, tls)),
                tokio::spawn(serve_metrics(metrics_listener, vitals)),
            ]
            .map(AbortOnDropHandle::new),
            _folder: folder,
        }
    }

    async fn status(url: &str) -> StatusCode {
        reqwest::get(url).await.unwrap().status()
    }

    #[tokio::test]
    async fn only_what_was_published_is_shown_and_nothing_beside_it() {
        let served = served(Limits::default()).await;
        let (url, shown) = (&served.url, served.shown.content_hash());

        let file = reqwest::get(format!("{url}/outputs/{shown}")).await.unwrap();
        assert_eq!(file.headers()["access-control-allow-origin"], "*");
        assert_eq!(file.bytes().await.unwrap(), served.shown.bytes());
        assert_eq!(status(&format!("{url}/outputs/{shown:#x}.json")).await, StatusCode::OK);

        let hidden = served.hidden.content_hash();
        for path in [
            format!("outputs/{hidden}"),
            format!("outputs/..%2foutputs%2f{hidden:#x}.json"),
            "outputs/..%2fjournal.sqlite".to_owned(),
            "outputs/%2e%2e/journal.sqlite".to_owned(),
            "outputs/%2fetc%2fpasswd".to_owned(),
            "journal.sqlite".to_owned(),
            "metrics".to_owned(),
            "ready".to_owned(),
        ] {
            assert_eq!(status(&format!("{url}/{path}")).await, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn a_part_of_a_file_and_a_file_that_is_known_are_not_sent_whole() {
        let served = served(Limits::default()).await;
        let (url, bytes) = (format!("{}/outputs/{}", served.url, served.shown.content_hash()), served.shown.bytes());
        let client = Client::new();

        let part = client.get(&url).header("range", "bytes=2-5").send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()["content-range"], format!("bytes 2-5/{}", bytes.len()));
        let etag = part.headers()["etag"].clone();
        assert_eq!(part.bytes().await.unwrap(), bytes[2..=5]);

        let outside = client.get(&url).header("range", "bytes=100000-").send().await.unwrap();
        assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(outside.headers()["content-range"], format!("bytes */{}", bytes.len()));
        let known = client.get(&url).header("if-none-match", etag).send().await.unwrap();
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        let head = client.head(&url).send().await.unwrap();
        assert_eq!(head.headers()["content-length"], bytes.len().to_string());
        assert_eq!(client.post(&url).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn a_client_that_asks_too_often_has_to_wait() {
        let served = served(Limits { requests_per_second: 1, ..Limits::default() }).await;
        let url = format!("{}/outputs/{}", served.url, served.shown.content_hash());
        let mut refused = None;
        for _ in 0..10 {
            let answer = reqwest::get(&url).await.unwrap();
            refused = refused.or((answer.status() == StatusCode::TOO_MANY_REQUESTS).then_some(answer));
        }

        let refused = refused.unwrap();
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(refused.headers()["access-control-allow-origin"], "*", "a page can see why");
    }

    #[tokio::test]
    async fn more_connections_than_there_is_room_for_are_closed() {
        let served = served(Limits { connections: 4, ..Limits::default() }).await;
        let url = format!("{}/health", served.url);
        let first = Client::new();
        assert_eq!(first.get(&url).send().await.unwrap().status(), StatusCode::OK);

        assert!(Client::new().get(&url).send().await.is_err(), "one of four for one address");
        assert_eq!(first.get(&url).send().await.unwrap().status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_head_too_long_is_refused() {
        let served = served(Limits::default()).await;
        let long = Client::new().get(format!("{}/health", served.url)).header("x", "x".repeat(2 * MAX_HEAD));

        assert_eq!(long.send().await.unwrap().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_node_says_why_it_is_not_ready() {
        let served = served(Limits::default()).await;
        let ready = || async {
            let answer = reqwest::get(format!("{}/ready", served.metrics_url)).await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        };
        assert_eq!(ready().await.0, StatusCode::OK);

        served.heads.send_replace(ChainTime { block: 5, time: 0 });
        served.funds.send_modify(|funds| funds.cover.need += alloy::primitives::U256::from(1));
        let (status, said) = ready().await;

        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(said.contains("the newest block is") && said.contains("send it some ETH"), "{said}");
        let metrics = reqwest::get(format!("{}/metrics", served.metrics_url)).await.unwrap();
        assert_eq!(metrics.headers()["content-type"], crate::metrics::CONTENT_TYPE);
        assert!(metrics.text().await.unwrap().contains("quorate_ready 0\n"));
        assert_eq!(status_of_health(&served.url).await, StatusCode::OK, "it lives all the same");
    }

    #[tokio::test]
    async fn outputs_are_served_over_tls_to_those_who_trust_the_certificate() {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let tls = RustlsConfig::from_pem(cert.clone().into(), key.into()).await.unwrap();
        let served = served_by(Limits::default(), Some(tls)).await;
        let url = format!("{}/outputs/{:x}", served.url.replace("http:", "https:"), served.shown.content_hash());

        let trusts = reqwest::Certificate::from_pem(cert.as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([trusts]).build().unwrap();
        assert_eq!(client.get(&url).send().await.unwrap().bytes().await.unwrap(), served.shown.bytes());
        assert!(Client::new().get(&url).send().await.unwrap_err().is_connect(), "nobody vouches for it");
        assert!(Client::new().get(url.replace("https:", "http:")).send().await.is_err(), "it speaks nothing else");
    }

    async fn status_of_health(url: &str) -> StatusCode {
        status(&format!("{url}/health")).await
    }
}
