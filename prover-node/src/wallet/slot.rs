//! Slots: each nonce that is not deep in the chain, with everything that was sent with it.

use alloy::primitives::B256;

use super::Fees;

/// Blocks that a transaction may wait before more is paid for it.
pub(super) const PATIENCE: u64 = 4;

/// A broadcast, or what is about to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Of the signed transaction.
    pub hash: B256,
    /// The account's.
    pub nonce: u64,
    /// What it does; none if it was given up, and if it does nothing but fill a gap.
    pub intent: Option<i64>,
    /// Limit.
    pub gas: u64,
    /// For each unit of it.
    pub fees: Fees,
}

/// One nonce.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// What is to be mined with it; none if it stands empty.
    pub(super) intent: Option<i64>,
    /// Oldest first: any of them may be the one that is mined.
    pub(super) sent: Vec<Sent>,
    /// The block when something was sent for the first time, or more was paid for it.
    pub(super) since: u64,
    /// Up to which block it is left to another program's transaction that was seen with it.
    pub(super) reserved: u64,
    /// The block when it was broadcast last.
    pub(super) tried: u64,
    /// How often no receipt was found though the nonce is used.
    pub(super) looks: u32,
    /// In which block, once it is.
    pub(super) mined: Option<u64>,
    /// The state may have changed since it was sent: to be simulated before it is sent again.
    pub(super) doubtful: bool,
    /// The endpoint asks for more than was paid.
    pub(super) outbid: bool,
}

impl Slot {
    /// Whether what it holds is still to be mined.
    pub(super) fn is_busy(&self) -> bool {
        self.intent.is_some() && self.mined.is_none()
    }

    /// Whether something else may take it at `block`.
    pub(super) fn is_free(&self, block: u64) -> bool {
        self.intent.is_none() && self.mined.is_none() && block >= self.reserved
    }

    /// Whether it has waited long enough for more to be paid.
    pub(super) fn is_overdue(&self, block: u64) -> bool {
        self.outbid || block >= self.since + PATIENCE
    }
}
