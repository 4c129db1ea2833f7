//! The commitment: what a verifier says before it says what it saw.

use std::fmt;

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use crate::{chain::IGenerationOracle, digest::Digest};

/// What a commitment hides, and its reveal shows. The salt is a secret until then: whoever knows it can try digests.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Opening {
    /// Of the picture.
    pub digest: Digest,
    /// sha256 of the file that the verifier serves.
    pub content_hash: B256,
    /// 256 bits that nobody else knows.
    pub salt: B256,
}

/// Binds chain, contract, job, round, seat and opening: leave any one out and a commitment can be copied or replayed.
/// Twin of `commitmentOf` in `GenerationOracle.sol`; `tests/vectors/commitment.json` holds both to it.
#[must_use]
pub fn commitment_of(chain_id: u64, oracle: Address, job: B256, number: u8, seat: u32, opening: &Opening) -> B256 {
    let Opening { digest, content_hash, salt } = *opening;
    let (chain_id, number) = (U256::from(chain_id), U256::from(number));
    keccak256((chain_id, oracle, job, number, seat, B256::from(digest), content_hash, salt).abi_encode_params())
}

impl From<Opening> for IGenerationOracle::Opening {
    fn from(opening: Opening) -> Self {
        Self { digest: opening.digest.into(), contentHash: opening.content_hash, salt: opening.salt }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("digest", &self.digest)
            .field("content_hash", &self.content_hash)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening() -> Opening {
        Opening {
            digest: B256::repeat_byte(1).into(),
            content_hash: B256::repeat_byte(2),
            salt: B256::repeat_byte(0x5a),
        }
    }

    #[test]
    fn it_binds_every_part() {
        let (oracle, job) = (Address::repeat_byte(3), B256::repeat_byte(4));
        let other = |digest, content_hash, salt| Opening { digest, content_hash, salt };
        let Opening { digest, content_hash, salt } = opening();
        let commitments = [
            commitment_of(1, oracle, job, 1, 0, &opening()),
            commitment_of(2, oracle, job, 1, 0, &opening()),
            commitment_of(1, Address::ZERO, job, 1, 0, &opening()),
            commitment_of(1, oracle, B256::ZERO, 1, 0, &opening()),
            commitment_of(1, oracle, job, 2, 0, &opening()),
            commitment_of(1, oracle, job, 1, 1, &opening()),
            commitment_of(1, oracle, job, 1, 0, &other(B256::ZERO.into(), content_hash, salt)),
            commitment_of(1, oracle, job, 1, 0, &other(digest, B256::ZERO, salt)),
            commitment_of(1, oracle, job, 1, 0, &other(digest, content_hash, B256::ZERO)),
        ];
        for (index, commitment) in commitments.iter().enumerate() {
            assert!(!commitments[..index].contains(commitment), "{index} collides");
        }
    }

    #[test]
    fn the_salt_is_not_printed() {
        assert!(!format!("{:?}", opening()).contains("5a5a"));
    }
}
