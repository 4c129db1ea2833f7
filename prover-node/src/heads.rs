//! Heads: the newest block, which is the node's only clock.

use std::time::{Duration, Instant};

use oracle::chain::{Chain, ChainTime, NEAR};
use tokio::sync::watch;
use tracing::{info, warn};

/// How often the chain is asked for a new block.
const POLL: Duration = Duration::from_millis(500);

/// Follows the newest block from `first` on, for as long as anybody listens.
#[must_use]
pub fn watch_heads(chain: Chain, first: ChainTime) -> watch::Receiver<ChainTime> {
    let (sender, receiver) = watch::channel(first);
    tokio::spawn(async move {
        let mut silent: Option<Instant> = None;
        while !sender.is_closed() {
            tokio::time::sleep(POLL).await;
            match chain.now().await {
                Ok(head) => {
                    let last = *sender.borrow();
                    if let Some(since) = silent.take() {
                        let missed = head.block.saturating_sub(last.block);
                        info!(block = head.block, missed, seconds = since.elapsed().as_secs(), "the chain is back");
                    }
                    sender.send_if_modified(|last| is_news(*last, head) && std::mem::replace(last, head) != head);
                }
                Err(error) if silent.is_none() => {
                    silent = Some(Instant::now());
                    warn!(%error, "no word from the chain: nothing can be computed, committed or revealed in time until it is back");
                }
                Err(_) => {}
            }
        }
    });
    receiver
}

/// The same, told only when `blocks` more have come, or the chain has gone back: thousands who merely wait need not be woken by
/// each.
#[must_use]
pub fn every(blocks: u64, mut heads: watch::Receiver<ChainTime>) -> watch::Receiver<ChainTime> {
    let (sender, receiver) = watch::channel(*heads.borrow_and_update());
    tokio::spawn(async move {
        while !sender.is_closed() && heads.changed().await.is_ok() {
            let head = *heads.borrow_and_update();
            let is_due = |last: &ChainTime| head.block < last.block || head.block >= last.block + blocks;
            sender.send_if_modified(|last| is_due(last) && std::mem::replace(last, head) != head);
        }
    });
    receiver
}

/// Time does not go back for an endpoint that is a few blocks behind; for a chain that is shorter than it was, it does.
fn is_news(last: ChainTime, head: ChainTime) -> bool {
    head.block >= last.block || head.block + NEAR < last.block
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_merely_waits_is_woken_now_and_then() {
        let at = |block| ChainTime { block, time: block * 12 };
        let (sender, heads) = watch::channel(at(100));
        let mut calm = every(8, heads);
        let mut told = Vec::new();
        for block in (101..=117).chain([90, 91, 98]) {
            sender.send(at(block)).unwrap();
            // It has nothing else to do before it has passed this one on.
            tokio::task::yield_now().await;
            if calm.has_changed().unwrap() {
                told.push(calm.borrow_and_update().block);
            }
        }
        assert_eq!(told, [108, 116, 90, 98]);
    }

    #[test]
    fn time_goes_back_only_if_the_chain_has_become_much_shorter() {
        let at = |block| ChainTime { block, time: block * 12 };

        assert!(is_news(at(10), at(11)));
        assert!(is_news(at(10), ChainTime { block: 10, time: 121 }), "reorganised");
        assert!(!is_news(at(10), at(9)));
        assert!(is_news(at(10), at(5)));
    }
}
