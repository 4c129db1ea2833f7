//! Stopping: the first signal drains, the second one stops at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// What a running node listens to; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Take no new jobs, finish those that were taken, then end.
    pub drain: CancellationToken,
    /// End now. What was committed is revealed after the next start.
    pub now: CancellationToken,
}

impl Stop {
    /// Listens to SIGINT (Ctrl-C) and SIGTERM.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let Self { drain, now } = stop.clone();
        tokio::spawn(async move {
            for token in [drain, now] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                warn!(at_once = token.is_cancelled(), "stopping");
                token.cancel();
            }
        });
        Ok(stop)
    }
}
