//! Heads: the newest block, which is the node's only clock.

use std::time::Duration;

use oracle::chain::{Chain, ChainTime};
use tokio::sync::watch;
use tracing::{info, warn};

/// How often the chain is asked for a new block.
const POLL: Duration = Duration::from_millis(500);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Follows the newest block from `first` on, for as long as anybody listens.
#[must_use]
pub fn watch_heads(chain: Chain, first: ChainTime) -> watch::Receiver<ChainTime> {
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(async move {
        let mut pause = POLL;
        while !sender.is_closed() {
            tokio::time::sleep(pause).await;
            pause = match chain.now().await {
                Ok(head) => {
                    if pause > POLL {
                        info!(block = head.block, "the Ethereum node answers again");
                    }
                    sender.send_if_modified(|last| std::mem::replace(last, head) != head);
                    POLL
                }
                Err(error) => {
                    if pause == POLL {
                        warn!(%error, "no word from the chain; trying on");
                    }
                    (pause * 2).min(LONGEST_PAUSE)
                }
            };
        }
    });
    receiver
}
