//! Salts of commitments: secret, and known again to whoever has the operator's key and nothing else.
//!
//! ```text
//! salt = HMAC-SHA256(operator's private key, abi.encode(
//!     uint256 chainId, address oracle, bytes32 jobId, uint256 round, uint32 seat, bytes32 drawSeed))
//! ```
//!
//! The journal holds every opening before its commitment is sent. Should the journal be lost, this derivation and the
//! picture, made again from the job's noise seed on the same machine, give the same opening.

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
    sol_types::SolValue,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::job::DrawKey;

/// Makes the salts of one operator on one deployment. No `Debug`: it holds the key.
#[derive(Clone)]
pub struct SaltKey {
    mac: Hmac<Sha256>,
    chain_id: u64,
    oracle: Address,
}

impl SaltKey {
    /// The operator's, for the contract at `oracle`.
    #[must_use]
    pub fn new(operator: &PrivateKeySigner, chain_id: u64, oracle: Address) -> Self {
        let key = Zeroizing::new(operator.to_bytes().0);
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mac = Hmac::new_from_slice(key.as_slice()).expect("HMAC takes keys of any length");
        Self { mac, chain_id, oracle }
    }

    /// The salt of one seat's commitment in one draw.
    #[must_use]
    pub fn salt(&self, draw: DrawKey, seat: u32) -> B256 {
        let (chain_id, round) = (U256::from(self.chain_id), U256::from(draw.number));
        let message = (chain_id, self.oracle, draw.job, round, seat, draw.seed).abi_encode_params();
        B256::from_slice(&self.mac.clone().chain_update(message).finalize().into_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::{address, b256};

    use super::*;

    const ORACLE: Address = address!("0x5FbDB2315678afecb367f032d93F642f64180aa3");

    fn salts(chain_id: u64) -> SaltKey {
        SaltKey::new(&PrivateKeySigner::from_bytes(&B256::repeat_byte(0x11)).unwrap(), chain_id, ORACLE)
    }

    fn draw() -> DrawKey {
        DrawKey { job: B256::repeat_byte(0x22), number: 1, seed: B256::repeat_byte(0x33) }
    }

    /// Made with Python's hmac and the six words written out.
    #[test]
    fn the_salt_is_the_hmac_of_the_six_words() {
        let expected = b256!("0x7370aa1980015672f5a17a0cf0511ef7e673c7afa54ba49fffd781baecf3dab8");
        assert_eq!(salts(31_337).salt(draw(), 7), expected);
    }

    #[test]
    fn every_part_changes_the_salt() {
        let salt = salts(31_337).salt(draw(), 7);
        let (job, seed) = (B256::ZERO, B256::ZERO);

        assert_ne!(salts(1).salt(draw(), 7), salt);
        assert_ne!(salts(31_337).salt(draw(), 8), salt);
        assert_ne!(salts(31_337).salt(DrawKey { job, ..draw() }, 7), salt);
        assert_ne!(salts(31_337).salt(DrawKey { number: 2, ..draw() }, 7), salt);
        assert_ne!(salts(31_337).salt(DrawKey { seed, ..draw() }, 7), salt);
    }
}
