//! drand: a public beacon whose rounds a threshold of its operators signs, BLS on BLS12-381 with signatures on G1.
//!
//! Twin of `DrandRandomness.sol`. A round's signature is what the contract takes as proof, its hash the round's value. What
//! a relay hands out is checked against the contract's public key, so that none has to be trusted.

mod relays;

use alloy::primitives::{B256, Bytes};
use blst::{
    BLST_ERROR,
    min_sig::{PublicKey, Signature},
};
use sha2::{Digest as _, Sha256};

pub use self::relays::{NoRelay, Refusal, Relays};

/// What drand calls this way of signing.
pub const SCHEME: &str = "bls-unchained-g1-rfc9380";

/// The domain of its signatures (RFC 9380).
pub const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/// EIP-2537 writes a coordinate's 48 bytes into 64.
const PADDING: usize = 16;
const COORDINATE: usize = 48;

/// A network: when its rounds are, and whose signature they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beacon {
    /// When round 1 was, in seconds since the epoch.
    pub genesis: u64,
    /// Seconds from a round to the next.
    pub period: u32,
    key: PublicKey,
}

/// A round's signature that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed(Signature);

impl Beacon {
    /// With the key as the contract has it: 256 bytes (EIP-2537). None if that is no key.
    #[must_use]
    pub fn new(genesis: u64, period: u32, key: &[u8]) -> Option<Self> {
        let coordinates: Vec<_> = key.chunks(PADDING + COORDINATE).map(|padded| padded.get(PADDING..)).collect();
        // The real part of each first, where BLS libraries have the imaginary one.
        let [Some(x_real), Some(x), Some(y_real), Some(y)] = coordinates[..] else { return None };
        let key = PublicKey::key_validate(&[x, x_real, y, y_real].concat()).ok()?;
        Some(Self { genesis, period, key })
    }

    /// When a round is due, in seconds since the epoch. Rounds begin with 1.
    #[must_use]
    pub fn time_of(&self, round: u64) -> u64 {
        self.genesis.saturating_add(round.saturating_sub(1).saturating_mul(self.period.into()))
    }

    /// Checks a signature as drand publishes it, compressed to 48 bytes; none if it is not this network's of this round.
    #[must_use]
    pub fn check(&self, round: u64, signature: &[u8]) -> Option<Signed> {
        let signature = Signature::uncompress(signature).ok()?;
        let verified = signature.verify(true, &message(round), DOMAIN, &[], &self.key, false);
        (verified == BLST_ERROR::BLST_SUCCESS).then_some(Signed(signature))
    }
}

/// What is signed: a round does not depend on the one before it.
#[must_use]
pub fn message(round: u64) -> [u8; 32] {
    Sha256::digest(round.to_be_bytes()).into()
}

impl Signed {
    /// As the contract takes it: the point's 128 bytes (EIP-2537).
    #[must_use]
    pub fn proof(&self) -> Bytes {
        let padded = |coordinate: &[u8]| [&[0; PADDING], coordinate].concat();
        self.0.serialize().chunks(COORDINATE).flat_map(padded).collect()
    }

    /// The round's value, as the contract and drand compute it.
    #[must_use]
    pub fn randomness(&self) -> B256 {
        B256::from_slice(&Sha256::digest(self.0.compress()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::{b256, hex};

    use super::*;

    /// Quicknet's, as `scripts/Deploy.s.sol` has it.
    const KEY: [u8; 256] = hex!(
        "000000000000000000000000000000000d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        "0000000000000000000000000000000003cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        "000000000000000000000000000000000e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273"
        "0000000000000000000000000000000001a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b"
    );
    /// Of round 1000, as published.
    const SIGNATURE: [u8; 48] =
        hex!("b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39");
    const RANDOMNESS: B256 = b256!("0xfe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd");

    fn quicknet() -> Beacon {
        Beacon::new(1_692_803_367, 3, &KEY).unwrap()
    }

    #[test]
    fn a_published_round_is_checked_and_has_the_published_value() {
        let signed = quicknet().check(1000, &SIGNATURE).unwrap();

        assert_eq!(signed.randomness(), RANDOMNESS);
        assert_eq!(signed.proof().len(), 128);
        assert_eq!(quicknet().time_of(1), 1_692_803_367);
        assert_eq!(quicknet().time_of(1000), 1_692_803_367 + 999 * 3);
    }

    #[test]
    fn another_round_or_key_and_what_is_no_signature_are_refused() {
        let negated = |mut signature: [u8; 48]| {
            signature[0] ^= 0x20;
            signature
        };
        let infinity = [&[0xc0][..], &[0; 47]].concat();

        assert!(quicknet().check(1001, &SIGNATURE).is_none());
        assert!(quicknet().check(1000, &negated(SIGNATURE)).is_none());
        for signature in [&infinity[..], &[], &SIGNATURE[..47], &[0xff; 48], &[0; 96]] {
            assert!(quicknet().check(1000, signature).is_none(), "{signature:02x?}");
        }
        let stranger = blst::min_sig::SecretKey::key_gen(&[7; 32], &[]).unwrap();
        let signature = stranger.sign(&message(1000), DOMAIN, &[]).compress();
        assert!(quicknet().check(1000, &signature).is_none());
    }

    #[test]
    fn a_key_off_the_curve_or_of_another_length_is_none() {
        let mut off = KEY;
        off[255] ^= 1;
        for key in [&off[..], &KEY[..192], &KEY[..255], &[0; 256], &[]] {
            assert!(Beacon::new(0, 3, key).is_none());
        }
        assert!(Beacon::new(0, 3, &[&KEY[..], &[0; 64]].concat()).is_none());
    }
}
