//! Trail: where a follower has been.

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

/// One block of one fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// The blocks up to which all is done: the last one, and some older ones to fall back to, about one per power of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    pub(super) start: u64,
    pub(super) cursors: Vec<Cursor>,
}

impl Trail {
    /// A trail that begins before block `start`, so that the first events are of that block.
    #[must_use]
    pub fn from_block(start: u64) -> Self {
        Self { start, cursors: Vec::new() }
    }

    /// The block up to which all is done; none at the very beginning.
    #[must_use]
    pub fn last(&self) -> Option<Cursor> {
        self.cursors.last().copied()
    }

    /// Keeps, of all cursors of about the same age, the oldest, which is the next to grow into the age before it.
    pub(super) fn push(&mut self, next: Cursor) {
        self.cursors.retain(|cursor| cursor.number < next.number);
        let mut kept = None;
        self.cursors.retain(|cursor| {
            let age = Some((next.number - cursor.number).ilog2());
            std::mem::replace(&mut kept, age) != age
        });
        self.cursors.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_stays_short_and_reaches_far_back() {
        let mut trail = Trail::from_block(0);
        for number in 0..5_000 {
            trail.push(Cursor { number, hash: B256::ZERO });
        }
        let ages: Vec<_> = trail.cursors.iter().map(|cursor| 4_999 - cursor.number).collect();
        assert!(ages.len() < 20, "{ages:?}");
        assert_eq!(ages.last(), Some(&0));
        assert!(ages[0] >= 2_048, "{ages:?}");
        let gap = |pair: &[u64]| pair[0] <= 4 * (pair[1] + 1);
        assert!(ages.windows(2).all(gap), "each is at most about four times as old as the next: {ages:?}");
    }
}
