//! Outside: whether others reach the outputs where the chain says that they are. As far as that can be seen from here:
//! a router that does not lead its own address back inside looks like one that is closed.

use std::{error::Error, net::SocketAddr, time::Duration};

use alloy::primitives::Address;
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{Check, Known};
use crate::commands::{printable, run::RunArgs};

/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Who answers at a URL.
enum Answer {
    /// A node, with its operator's address.
    Node(Option<Address>),
    /// Something else.
    Other(String),
    /// Nobody.
    None(String),
}

pub(super) async fn examine(args: &RunArgs, known: Known<'_>, checks: &mut Vec<Check>) {
    let operator = known.map(|(_, operator)| operator);
    let listen = args.server.listen;
    let runs = port(listen, args.server.scheme(), operator, checks).await;

    let url = args.server.public_url();
    match &url {
        Some(url) => checks.push(reach(url, operator, runs).await),
        None if listen.ip().is_loopback() => checks.push(Check::warning(
            "outside",
            format!("outputs are served at {listen}, which no other machine reaches"),
            "serve at --listen 0.0.0.0:9700, or behind a proxy, and name the address for others with --public-url",
        )),
        None => checks.push(Check::warning(
            "outside",
            format!("{listen} would be announced on chain"),
            "name the address at which others reach this machine with --public-url",
        )),
    }
    if let Some((chain, operator)) = known {
        let announced = chain.endpoints(&[operator]).await;
        checks.push(match announced {
            Ok(announced) => compare(announced.get(&operator), url.as_ref()),
            Err(error) => Check::error("announced", &error),
        });
    }
}

/// Whether the node can listen, or does; says whether it runs.
async fn port(listen: SocketAddr, scheme: &str, operator: Option<Address>, checks: &mut Vec<Check>) -> bool {
    if listen.port() == 0 || TcpListener::bind(listen).await.is_ok() {
        checks.push(Check::ok("port", format!("{listen} is free: the node does not run")));
        return false;
    }
    let host = match listen.ip() {
        ip if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], listen.port())),
        _ => listen,
    };
    let answer = ask(&format!("{scheme}://{host}"), true).await;
    let (is_ours, check) = match answer {
        Answer::Node(node) if node.is_some() && (operator.is_none() || node == operator) => {
            (true, Check::ok("port", format!("the node runs and answers at {listen}")))
        }
        Answer::Node(_) => (
            false,
            Check::failing("port", format!("another operator's node listens on {listen}"), "choose another --listen"),
        ),
        Answer::Other(what) | Answer::None(what) => (
            false,
            Check::failing(
                "port",
                format!("{listen} cannot be had, and what is there is no node: {what}"),
                "choose another --listen",
            ),
        ),
    };
    checks.push(check);
    is_ours
}

async fn reach(url: &str, operator: Option<Address>, runs: bool) -> Check {
    let name = "outside";
    let ports = "see that its name leads to this machine, and that firewall and router let its port through";
    match ask(url, false).await {
        Answer::Node(node) if node.is_some() && node == operator => {
            Check::ok(name, format!("this node answers at {url}"))
        }
        Answer::Node(_) => {
            Check::failing(name, format!("another operator's node answers at {url}"), "correct --public-url")
        }
        Answer::Other(what) => Check::failing(name, format!("what answers at {url} is no node: {what}"), ports),
        Answer::None(_) if !runs => Check::warning(
            name,
            format!("nothing answers at {url}, and the node does not run"),
            "start it, and ask again",
        ),
        Answer::None(what) => Check::failing(name, format!("nothing answers at {url}: {what}"), ports),
    }
}

/// This machine's own certificate need not be for its local address.
async fn ask(url: &str, is_local: bool) -> Answer {
    let client = match Client::builder().timeout(TIMEOUT).tls_danger_accept_invalid_certs(is_local).build() {
        Ok(client) => client,
        Err(error) => return Answer::None(error.to_string()),
    };
    let answer = match client.get(format!("{url}/health")).send().await {
        Ok(answer) => answer,
        Err(error) => return Answer::None(root_of(&error)),
    };
    let status = answer.status();
    match answer.json::<Value>().await {
        Ok(said) if said["status"].is_string() => {
            Answer::Node(said["node"]["operator"].as_str().and_then(|operator| operator.parse().ok()))
        }
        _ => Answer::Other(format!("HTTP status {status}")),
    }
}

/// In the words of what failed first.
fn root_of(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

fn compare(announced: Option<&String>, url: Option<&String>) -> Check {
    let name = "announced";
    match (announced, url) {
        (Some(announced), Some(url)) if announced == url => {
            Check::ok(name, format!("{} on chain", printable(announced)))
        }
        (Some(announced), Some(url)) => Check::warning(
            name,
            format!("{} on chain, and {url} in the settings", printable(announced)),
            "`run` announces the new one when it starts; until then nobody finds the outputs",
        ),
        (Some(announced), None) => Check::ok(name, format!("{} on chain", printable(announced))),
        (None, _) => Check::warning(name, "nothing on chain yet", "`run` announces it when it starts"),
    }
}
