//! The chain: whether it answers, is the right one, and is not behind.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy::{primitives::keccak256, providers::Provider, rpc::types::SyncStatus};
use oracle::chain::{Chain, ChainArgs, ChainError, connect};
use reqwest::Url;

use super::Check;
use crate::{
    commands::duration,
    vitals::{STALE, age},
};

/// How far the chain's clock may be ahead of this machine's.
const SKEW: Duration = Duration::from_secs(15);

/// None if there is nothing more to be asked there.
pub(super) async fn examine(args: &ChainArgs, checks: &mut Vec<Check>) -> Option<Chain> {
    let chain = match connect(args).await {
        Ok(chain) => chain,
        Err(error) => {
            checks.push(Check::error("chain", &error));
            return None;
        }
    };
    checks.push(Check::ok("chain", format!("chain {} answers", chain.deployment.chain_id)));
    if let [_, _, ..] = args.rpc_urls.as_slice() {
        for url in &args.rpc_urls {
            checks.push(endpoint(args, url).await);
        }
    }
    for check in [code(&chain).await, sync(&chain).await, clock(&chain).await] {
        checks.push(check.unwrap_or_else(|error| Check::error("chain", &error)));
    }
    Some(chain)
}

/// One of several: what one of them lacks, the others make up for.
async fn endpoint(args: &ChainArgs, url: &Url) -> Check {
    let name = "endpoint";
    // The rest of a URL may be an access key.
    let host = url.origin().ascii_serialization();
    let alone = ChainArgs { rpc_urls: vec![url.clone()], ..args.clone() };
    let head = match connect(&alone).await {
        Ok(chain) => chain.now().await,
        Err(error) => Err(error),
    };
    match head {
        Ok(head) if age(head) <= STALE => Check::ok(name, format!("{host} is at block {}", head.block)),
        Ok(head) => {
            Check::warning(name, format!("{host} is behind, at block {}", head.block), "see whether it is in sync")
        }
        Err(error) => Check::warning(name, error.to_string(), "until it answers, the node has one endpoint less"),
    }
}

/// That it is there and speaks the interface, `connect` has seen.
async fn code(chain: &Chain) -> Result<Check, ChainError> {
    const NAME: &str = "contracts";
    let oracle = chain.deployment.generation_oracle;
    let found = keccak256(chain.provider.get_code_at(oracle).await?);
    Ok(match chain.deployment.oracle_code_hash {
        Some(expected) if expected == found => {
            Check::ok(NAME, format!("the oracle {oracle} has the code that was deployed"))
        }
        Some(expected) => Check::failing(
            NAME,
            format!("the oracle {oracle} has the code {found}, and {expected} was deployed"),
            "get the deployment file again, and look whether --rpc-url is the node you think it is",
        ),
        None => Check::warning(
            NAME,
            format!("the oracle {oracle} speaks this version's interface; its code is {found}"),
            "compare the hash with what the project publishes: the deployment file does not state it",
        ),
    })
}

async fn sync(chain: &Chain) -> Result<Check, ChainError> {
    Ok(match chain.provider.syncing().await? {
        SyncStatus::None => Check::ok("sync", "the Ethereum node says that it is in sync"),
        SyncStatus::Info(info) => Check::failing(
            "sync",
            format!("the Ethereum node is at block {} of {}", info.current_block, info.highest_block),
            "wait until it is in sync: before that, jobs would be missed",
        ),
    })
}

async fn clock(chain: &Chain) -> Result<Check, ChainError> {
    const NAME: &str = "clock";
    let head = chain.now().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (old, ahead) = (age(head), Duration::from_secs(head.time).saturating_sub(now));
    let seconds = |time: Duration| duration(time.as_secs());
    Ok(match () {
        () if old > STALE => Check::failing(
            NAME,
            format!("the newest block, {}, is {} old by this machine's clock", head.block, seconds(old)),
            "see whether the Ethereum node follows its peers, and whether this machine's clock is right (`timedatectl`)",
        ),
        () if ahead > SKEW => Check::warning(
            NAME,
            format!("this machine's clock is {} behind that of the newest block", seconds(ahead)),
            "set the clock (`timedatectl set-ntp true`); on a development chain whose time was moved, it is to be expected",
        ),
        () => Check::ok(NAME, format!("block {} is {} old", head.block, seconds(old))),
    })
}
