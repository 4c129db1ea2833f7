//! Finality: from when on a block counts.

use std::{fmt, str::FromStr};

use alloy::eips::BlockNumberOrTag;

/// Which blocks count. A reorganisation of those that do is survived, too; what was shown meanwhile stays shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// Those with at least so many others on top of them.
    Depth(u64),
    /// Those that most validators have voted for once: some 6 minutes old on Ethereum.
    Safe,
    /// Those that no longer change unless a third of all stake is slashed: some 13 minutes old on Ethereum.
    Finalized,
}

/// Text that names no finality.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a number of blocks, `safe` or `finalized`")]
pub struct UnknownFinality(String);

impl Finality {
    /// The newest block that counts, if `newest` is the number of the newest of all.
    #[must_use]
    pub fn tag(self, newest: u64) -> BlockNumberOrTag {
        match self {
            Self::Depth(depth) => newest.saturating_sub(depth).into(),
            Self::Safe => BlockNumberOrTag::Safe,
            Self::Finalized => BlockNumberOrTag::Finalized,
        }
    }
}

impl FromStr for Finality {
    type Err = UnknownFinality;

    fn from_str(text: &str) -> Result<Self, UnknownFinality> {
        match text {
            "safe" => Ok(Self::Safe),
            "finalized" => Ok(Self::Finalized),
            depth => depth.parse().map(Self::Depth).map_err(|_| UnknownFinality(text.to_owned())),
        }
    }
}

impl fmt::Display for Finality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(depth) => write!(f, "{depth}"),
            Self::Safe => f.write_str("safe"),
            Self::Finalized => f.write_str("finalized"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["0", "2", "64", "safe", "finalized"] {
            assert_eq!(text.parse::<Finality>().unwrap().to_string(), text);
        }
        for unknown in ["", "-1", "latest", "Safe", "2 blocks"] {
            assert!(unknown.parse::<Finality>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn a_depth_is_counted_from_the_newest_block_and_the_chain_knows_the_others() {
        assert_eq!(Finality::Depth(2).tag(10), BlockNumberOrTag::Number(8));
        assert_eq!(Finality::Depth(2).tag(1), BlockNumberOrTag::Number(0));
        assert_eq!(Finality::Finalized.tag(10), BlockNumberOrTag::Finalized);
    }
}
