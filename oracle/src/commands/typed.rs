//! Values as people type them: sizes, decimals, seeds.

use std::str::FromStr;

use alloy::primitives::{B256, U256, aliases::U96};
use oracle::chain::ether;
use serde::{Serialize, Serializer};

/// Width and height in pixels: `64x48`, or `64` for a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A guidance scale such as `7.5`, kept in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guidance(pub(crate) u32);

/// A part in percent such as `2.5`, kept in ten-thousandths; at most 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) u16);

/// A spec's seed: `0x` and 64 hex digits, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) B256);

/// An amount of the native coin, typed in ETH, kept in wei, and written in wei as a string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ether(pub(crate) U256);

/// A part of all, between 0 and 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err("must be between 0 and 1".to_owned()) }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = text.split_once(['x', 'X']).unwrap_or((text, text));
        match (digits(width), digits(height)) {
            (Some(width), Some(height)) => Ok(Self { width, height }),
            _ => Err("a size is WIDTHxHEIGHT in pixels, such as 64x64, or one number for a square".to_owned()),
        }
    }
}

impl FromStr for Guidance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        decimal(text, 3)
            .and_then(|thousandths| thousandths.try_into().ok())
            .map(Self)
            .ok_or_else(|| "guidance is a decimal number with at most three places, such as 7.5".to_owned())
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        decimal(text, 2)
            .and_then(|ten_thousandths| ten_thousandths.try_into().ok())
            .filter(|ten_thousandths| *ten_thousandths <= 2_000)
            .map(Self)
            .ok_or_else(|| "a royalty is a decimal number from 0 to 20 with at most two places, such as 2.5".to_owned())
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = || text.strip_prefix("0x").filter(|hex| hex.len() == 64).and_then(|hex| hex.parse().ok());
        let number = || decimal(text, 0).map(B256::from);
        hex().or_else(number).map(Self).ok_or_else(|| "a seed is 0x and 64 hex digits, or a whole number".to_owned())
    }
}

impl FromStr for Ether {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        decimal(text, 18).map(Self).ok_or_else(|| "an amount is a decimal number of ETH, such as 0.05".to_owned())
    }
}

impl std::fmt::Display for Ether {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&ether(self.0))
    }
}

impl Serialize for Ether {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl From<U96> for Ether {
    fn from(wei: U96) -> Self {
        Self(U256::from(wei))
    }
}

/// A decimal number without sign or exponent, times 10^`places`; none if it has more places or does not fit.
fn decimal(text: &str, places: usize) -> Option<U256> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    if fraction.len() > places || whole.is_empty() {
        return None;
    }
    let all = format!("{whole}{fraction:0<places$}");
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    U256::from_str_radix(&all, 10).ok()
}

/// A number of digits only: `parse` would take a sign.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A distance in bits for each lane: `4,6,4,3`.
pub(crate) fn lanes(text: &str) -> Result<[u8; 4], String> {
    let bits = |bits: &str| bits.parse().ok().filter(|&bits: &u8| bits <= 64);
    let lanes: Option<Vec<_>> = text.split(',').map(bits).collect();
    lanes
        .and_then(|lanes| lanes.try_into().ok())
        .ok_or_else(|| "four distances from 0 to 64, such as 4,6,4,3".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_four_of_64_bits() {
        assert_eq!(lanes("4,6,4,64"), Ok([4, 6, 4, 64]));
        for text in ["", "4", "4,6,4", "4,6,4,3,2", "4,6,4,65", "4,6,4,-1", "4, 6,4,3"] {
            assert!(lanes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn guidance_is_exact_in_thousandths() {
        let of = |text: &str| text.parse().ok().map(|Guidance(thousandths)| thousandths);

        assert_eq!(of("7.5"), Some(7_500));
        assert_eq!(of("0"), Some(0));
        assert_eq!(of("1.001"), Some(1_001));
        assert_eq!(of("4294967.295"), Some(u32::MAX));
        for malformed in ["", ".", "7.", ".5", "7.0005", "-1", "+1", "1e3", "7,5", "4294967.296", "NaN", " 7"] {
            assert_eq!(of(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn a_royalty_is_exact_in_ten_thousandths_and_bounded() {
        let of = |text: &str| text.parse().ok().map(|Percent(part)| part);

        assert_eq!([of("2.5"), of("20"), of("0")], [Some(250), Some(2_000), Some(0)]);
        assert_eq!([of("20.01"), of("-1"), of("0.001")], [None; 3]);
    }

    #[test]
    fn a_size_is_one_number_or_two() {
        let of = |text: &str| text.parse().ok().map(|Size { width, height }| (width, height));

        assert_eq!(of("64"), Some((64, 64)));
        assert_eq!(of("64x48"), Some((64, 48)));
        for malformed in ["", "x", "64x", "x64", "64x64x64", "-64", "+64", "64 x 64", "4294967296"] {
            assert_eq!(of(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn a_seed_is_32_bytes_or_a_number() {
        let of = |text: &str| text.parse().ok().map(|Seed(seed)| seed);

        assert_eq!(of("7"), Some(B256::with_last_byte(7)));
        assert_eq!(of(&B256::repeat_byte(9).to_string()), Some(B256::repeat_byte(9)));
        for malformed in ["", "0x", "0x07", "-7", "7.5", "seven", &"9".repeat(78)] {
            assert_eq!(of(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn ether_is_exact_in_wei() {
        let of = |text: &str| text.parse().ok().map(|Ether(wei)| wei);

        assert_eq!(of("0.000000000000000001"), Some(U256::from(1)));
        assert_eq!(of("1.5"), Some(U256::from(1_500_000_000_000_000_000_u64)));
        assert_eq!(of("0.0000000000000000001"), None);
        assert_eq!(of("-1"), None);
        assert_eq!(Ether::from(U96::from(1_500_000_000_000_000_000_u64)).to_string(), "1.5 ETH");
        assert_eq!(Ether::default().to_string(), "0 ETH");
    }
}
