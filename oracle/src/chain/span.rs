//! Span: of how many blocks logs are asked for at once. Providers limit the range, the results, the size or the time, and
//! say so in many ways; what they have lately served is what they are asked for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy::transports::{RpcError, TransportError};

use super::asks_for_less;

/// Blocks asked for at once, at most.
const WIDEST: u64 = 10_000;

/// After so many answers in a row, a range that was refused is tried again: the limit may be on the logs in it.
const TRUST: u32 = 64;

/// The width of the next range.
#[derive(Debug)]
pub struct Span(Mutex<Width>);

#[derive(Debug)]
struct Width {
    blocks: u64,
    /// The narrowest that was refused.
    refused: u64,
    /// Answers since then.
    served: u32,
}

impl Span {
    /// In blocks; at least one.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.lock().blocks
    }

    /// The logs of so many blocks came.
    pub fn served(&self, blocks: u64) {
        let mut width = self.lock();
        if blocks < width.blocks {
            return;
        }
        width.served += 1;
        if width.served >= TRUST {
            (width.served, width.refused) = (0, WIDEST);
        }
        // Half the way to what was refused, so that few more are.
        width.blocks = (width.blocks * 2).min(width.blocks.midpoint(width.refused));
    }

    /// The logs of so many blocks did not come. Whether to ask for fewer at once; who did not answer at all should
    /// be left alone first.
    pub fn refused(&self, blocks: u64, error: &TransportError) -> bool {
        if blocks <= 1 || !asks_for_less(error) {
            return false;
        }
        *self.lock() = Width { blocks: blocks / 2, refused: blocks, served: 0 };
        matches!(error, RpcError::ErrorResp(_))
    }

    fn lock(&self) -> MutexGuard<'_, Width> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Span {
    fn default() -> Self {
        Self(Mutex::new(Width { blocks: WIDEST, refused: WIDEST, served: 0 }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::transports::TransportErrorKind;

    use super::*;

    fn too_wide() -> TransportError {
        RpcError::ErrorResp(serde_json::from_str(r#"{"code":-32602,"message":"range is too wide"}"#).unwrap())
    }

    /// Asks `times` times of who serves `limit` blocks at most, and tells how many were refused.
    fn ask(span: &Span, limit: u64, times: u32) -> u32 {
        let ask = |_| match span.width() {
            blocks if blocks > limit => u32::from(span.refused(blocks, &too_wide())),
            blocks => {
                span.served(blocks);
                0
            }
        };
        (0..times).map(ask).sum()
    }

    #[test]
    fn it_finds_the_limit_and_stays_there() {
        let span = Span::default();
        ask(&span, 300, 15);
        assert!((250..=300).contains(&span.width()), "{}", span.width());
        assert!(ask(&span, 300, 1_000) < 150, "most of what is asked for is served");
    }

    #[test]
    fn a_limit_that_goes_away_is_forgotten() {
        let span = Span::default();
        ask(&span, 10, 100);
        assert!(span.width() <= 10);
        ask(&span, u64::MAX, 3 * TRUST);
        assert!(span.width() > WIDEST / 2, "{}", span.width());
    }

    #[test]
    fn one_block_that_is_refused_and_a_lost_connection_change_nothing() {
        let span = Span::default();
        assert!(!span.refused(1, &too_wide()));
        assert!(!span.refused(100, &TransportErrorKind::backend_gone()));
        assert_eq!(span.width(), WIDEST);
    }
}
