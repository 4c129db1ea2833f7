//! The digest: what is left of a picture when everything that machines disagree on is taken away. Four perceptual
//! hashes in 32 bytes, compared lane by lane by Hamming distance.
//!
//! | lane | hash | how |
//! | --- | --- | --- |
//! | 0, most significant | aHash | 8x8 grey, bit = pixel brighter than their mean |
//! | 1 | dHash | 9x8 grey, bit = pixel brighter than its left neighbour |
//! | 2 | pHash | 16x16 grey around the middle grey, cosine transform, lowest 8x8, bit = coefficient positive |
//! | 3 | colour hash | shares of black, grey and twelve colours, in 42 bits, right-aligned |
//!
//! The first bit of a hash is the most significant one of its lane, row by row. All of it is integer arithmetic, so that
//! every machine gets the same bits from the same pixels. The three grey hashes are those of Python's ImageHash in kind
//! (Lanczos resize, the cosine transform of pHash on 16x16), not bit for bit: the small pictures keep fractions of a grey level, and
//! what sets a bit has to exceed its threshold by a whole one. Where nothing happens in a picture, machines differ by
//! hundredths of a level, which then move no bit; and pixels that are nearly the same cross a threshold one at a time and not all
//! at once, as they do when they are rounded to the same level (docs/decisions/0022-thresholds-of-one-grey-level.md).

mod colour;
mod cosine;
mod shrink;

use std::fmt;

use alloy::primitives::{B256, FixedBytes, keccak256};
use image::{GrayImage, Luma, RgbImage};
use serde::{Deserialize, Serialize};

use self::shrink::LEVEL;
use crate::chain::{IGenerationOracle, IModelRegistry};

/// Names of the lanes, most significant first.
pub const LANES: [&str; 4] = ["aHash", "dHash", "pHash", "colour"];

/// Largest accept distance that the registry takes, in bits.
pub const MAX_ACCEPT: u8 = 10;

/// Largest reject distance that the registry takes, in bits.
pub const MAX_REJECT: u8 = 24;

/// The reject distances of a model that makes texts, which no distance exceeds.
pub const NEVER: FixedBytes<4> = FixedBytes([64; 4]);

/// Four 64-bit lanes, big-endian; ordered as the number that the contracts see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "B256", into = "B256")]
pub struct Digest(pub [u8; 32]);

/// How far digests of the same job may be apart, in bits, per lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToleranceProfile {
    /// Up to here a lane agrees.
    pub accept: [u8; 4],
    /// Beyond this a lane is fraud; in between it is grey.
    pub reject: [u8; 4],
    /// Hash of the measurements behind the distances; zero if they are not measured yet.
    #[serde(default)]
    pub evidence: B256,
}

/// How one digest is seen by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Zone {
    /// Every lane is within its accept distance.
    Accepted,
    /// Neither.
    Grey,
    /// Some lane is beyond its reject distance.
    Rejected,
}

/// A profile under which a minority could get an honest verifier slashed. The registry refuses it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tolerance profile's {} lane has accept {accept} and reject {reject}; accept must be at most {MAX_ACCEPT}, \
     and reject from 2 x accept to {MAX_REJECT}",
    LANES[*lane]
)]
pub struct ProfileError {
    /// 0 is the most significant.
    pub lane: usize,
    /// In bits.
    pub accept: u8,
    /// In bits.
    pub reject: u8,
}

impl Digest {
    /// Digest of a picture; zero for one without pixels.
    #[must_use]
    pub fn of_image(image: &RgbImage) -> Self {
        if image.is_empty() {
            return Self([0; 32]);
        }
        let grey = grey(image);
        Self::from_lanes([
            average(&shrink::shrink(&grey, 8, 8)),
            gradient(&shrink::shrink(&grey, 9, 8)),
            cosine::hash(&shrink::shrink(&grey, cosine::SIDE, cosine::SIDE)),
            colour::hash(image),
        ])
    }

    /// Digest of a text: keccak256 of its token ids, the end token included, as big-endian 32-bit numbers, without the top
    /// bit of the last lane, which no digest has: on chain it tells a commitment from a digest (`Votes.sol`).
    #[must_use]
    pub fn of_tokens(tokens: &[u32]) -> Self {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_be_bytes()).collect();
        let mut digest = keccak256(bytes).0;
        digest[24] &= 0x7f;
        Self(digest)
    }

    /// The lanes, most significant first.
    #[must_use]
    pub fn lanes(&self) -> [u64; 4] {
        let (lanes, _) = self.0.as_chunks::<8>();
        [0, 1, 2, 3].map(|lane: usize| u64::from_be_bytes(lanes[lane]))
    }

    /// The inverse of [`Self::lanes`].
    #[must_use]
    pub fn from_lanes(lanes: [u64; 4]) -> Self {
        let mut bytes = [0; 32];
        for (chunk, lane) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(lanes) {
            *chunk = lane.to_be_bytes();
        }
        Self(bytes)
    }

    /// Hamming distance of each lane, in bits, most significant lane first.
    #[must_use]
    pub fn distances(&self, other: &Self) -> [u32; 4] {
        let (mine, theirs) = (self.lanes(), other.lanes());
        [0, 1, 2, 3].map(|lane: usize| (mine[lane] ^ theirs[lane]).count_ones())
    }
}

impl ToleranceProfile {
    /// Checks the profile as `ModelRegistry.sol` does.
    pub fn check(&self) -> Result<(), ProfileError> {
        for (lane, (&accept, &reject)) in self.accept.iter().zip(&self.reject).enumerate() {
            if accept > MAX_ACCEPT || reject < 2 * accept || reject > MAX_REJECT {
                return Err(ProfileError { lane, accept, reject });
            }
        }
        Ok(())
    }

    /// How `reference` sees `digest`; the same the other way round.
    #[must_use]
    pub fn zone(&self, reference: &Digest, digest: &Digest) -> Zone {
        let distances = reference.distances(digest);
        let within = |bounds: &[u8; 4]| distances.iter().zip(bounds).all(|(&bits, &bound)| bits <= u32::from(bound));
        if within(&self.accept) {
            Zone::Accepted
        } else if within(&self.reject) {
            Zone::Grey
        } else {
            Zone::Rejected
        }
    }
}

/// Which pixels are brighter than their mean, by more than one grey level.
fn average(pixels: &[i64]) -> u64 {
    let (count, sum) = (pixels.len() as i64, pixels.iter().sum::<i64>());
    lane(pixels.iter().map(|&pixel| count * (pixel - LEVEL) > sum))
}

/// Which pixels of 8 rows of 9 are brighter than their left neighbour, by more than one grey level.
fn gradient(pixels: &[i64]) -> u64 {
    lane(pixels.chunks(9).flat_map(|row| row.windows(2)).map(|pair| pair[1] - pair[0] > LEVEL))
}

/// 64 bits, the first one most significant.
fn lane(bits: impl Iterator<Item = bool>) -> u64 {
    bits.fold(0, |lane, bit| lane << 1 | u64::from(bit))
}

fn grey(image: &RgbImage) -> GrayImage {
    GrayImage::from_fn(image.width(), image.height(), |x, y| Luma([luma(image.get_pixel(x, y).0)]))
}

/// ITU-R 601 luma as Pillow rounds it: 299/587/114 thousandths, in 16-bit fixed point.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
    ((sum + 0x8000) >> 16) as u8
}

impl From<B256> for Digest {
    fn from(word: B256) -> Self {
        Self(word.0)
    }
}

impl From<Digest> for B256 {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&B256::from(*self), f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&B256::from(*self), f)
    }
}

impl From<&IModelRegistry::Model> for ToleranceProfile {
    fn from(model: &IModelRegistry::Model) -> Self {
        Self { accept: model.accept.0, reject: model.reject.0, evidence: model.evidence }
    }
}

impl From<&IGenerationOracle::Job> for ToleranceProfile {
    fn from(job: &IGenerationOracle::Job) -> Self {
        Self { accept: job.accept.0, reject: job.reject.0, evidence: B256::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::b256;
    use image::Rgb;

    use super::*;

    const PROFILE: ToleranceProfile =
        ToleranceProfile { accept: [10, 4, 10, 0], reject: [20, 8, 24, 0], evidence: B256::ZERO };

    /// A soft ball on a gradient, as the bundled model paints them.
    fn ball(side: u32) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| {
            let (x, y) = (x as i32 * 64 / side as i32, y as i32 * 64 / side as i32);
            let apart = (x - 24).pow(2) + (y - 36).pow(2);
            if apart < 250 {
                Rgb([230, (140 - apart / 4) as u8, 40])
            } else {
                Rgb([(120 + x) as u8, (200 - y) as u8, (90 + 2 * x) as u8])
            }
        })
    }

    #[test]
    fn a_picture_keeps_its_digest() {
        let stored = Digest(b256!("ff7f0f0707070301ffff9f2f676f9fffa680c986043000c000000070c0030000").0);
        assert_eq!(Digest::of_image(&ball(64)), stored);
    }

    /// Where a processor, or a library, would make a difference: thousands of pixels and coefficients near a threshold.
    #[test]
    fn many_pictures_keep_their_digests() {
        let wave = |at: u32, length: u32| ((at * 256 / length) % 256).abs_diff(128);
        let picture = |n: u32| {
            RgbImage::from_fn(64 + 7 * n, 64 + 5 * (n % 9), |x, y| {
                let bumps = wave(x + n, 20 + n) + wave(y * (1 + n % 3), 33);
                Rgb([bumps, wave(x + y, 50), (bumps + wave(y, 90)) / 2].map(|channel| channel as u8))
            })
        };
        let digests: Vec<u8> = (0..100).flat_map(|n| Digest::of_image(&picture(n)).0).collect();
        let all = b256!("1c34bb659bd040f2a656f8e38eb2eedd2fe296bcc133b3012e0bf7c7ccc5f0d2");
        assert_eq!(keccak256(digests), all);
    }

    #[test]
    fn a_text_is_its_tokens_big_endian() {
        // `cast keccak 0x000000010000c00001020304`, of which the bit is zero, and `cast keccak 0x00000003`, of which it is one.
        let stored = b256!("20d619dfdfc67079c9ec6b53d7a4e1a23aae09c6ac9f01bc0e5bd2e7f27432f2");
        assert_eq!(Digest::of_tokens(&[1, 0xc000, 0x0102_0304]), Digest(stored.0));
        assert_ne!(Digest::of_tokens(&[1, 0xc000]), Digest(stored.0));
        let cut = b256!("3ef5a213fe22de1cea28d60f518364ff95fe0b73660793e36fcfbe31bda68aec");
        assert_eq!(Digest::of_tokens(&[3]), Digest(cut.0));
    }

    #[test]
    fn each_lane_has_all_its_bits() {
        let lanes = |image: &RgbImage| Digest::of_image(image).lanes();
        let ramp = RgbImage::from_fn(64, 64, |x, _| Rgb([4 * x as u8; 3]));
        let [mean, gradient, ..] = lanes(&ramp);
        assert_eq!(mean, 0x0f0f_0f0f_0f0f_0f0f, "the right half is brighter; the first bit is the top left one");
        assert_eq!(gradient, u64::MAX, "8 rows of 8 comparisons, each brighter than its left neighbour");
        assert_eq!(lanes(&image::imageops::flip_horizontal(&ramp))[1], 0);

        let [.., cosine, colour] = lanes(&ball(64));
        assert!((16..=48).contains(&cosine.count_ones()), "{cosine:016x}");
        assert!(colour < 1 << 42);
    }

    #[test]
    fn drift_in_the_last_bits_of_pixels_moves_few_bits() {
        let picture = ball(64);
        let digest = Digest::of_image(&picture);
        for run in 0..20_u32 {
            let mut drifted = picture.clone();
            for (index, pixel) in drifted.pixels_mut().enumerate() {
                let noise = keccak256([run.to_be_bytes(), (index as u32).to_be_bytes()].concat());
                for (channel, random) in pixel.0.iter_mut().zip(noise) {
                    *channel = channel.saturating_add(random % 3).saturating_sub(1);
                }
            }
            let distances = digest.distances(&Digest::of_image(&drifted));
            assert!(distances.iter().all(|&bits| bits <= 4), "{distances:?}");
        }
    }

    #[test]
    fn where_nothing_happens_noise_moves_no_bit() {
        for grey in [3, 90, 200] {
            let noisy = RgbImage::from_fn(64, 64, |x, y| Rgb([(grey + keccak256([x as u8, y as u8])[0] % 3) as u8; 3]));
            let [mean, gradient, cosine, _] = Digest::of_image(&noisy).lanes();
            assert_eq!([mean, gradient, cosine & (u64::MAX >> 1)], [0; 3]);
        }
    }

    /// Half of the picture is nearly as bright as all of it on average, its pixels spread over three grey levels.
    #[test]
    fn pixels_that_are_nearly_the_same_cross_a_threshold_one_at_a_time() {
        let picture = |darker: u32| {
            RgbImage::from_fn(64, 64, |x, y| {
                let (cell, place) = (y / 8 * 4 + x % 32 / 8, y % 8 * 8 + x % 8);
                let parts = if x < 32 { darker } else { 6 * cell };
                Rgb([(90 + parts / 64 + u32::from(place < parts % 64)) as u8; 3])
            })
        };
        let digests: Vec<_> = (0..=64).map(|darker| Digest::of_image(&picture(darker))).collect();
        let moved: Vec<_> = digests.windows(2).map(|pair| pair[0].distances(&pair[1])[0]).collect();
        assert!(moved.iter().all(|&bits| bits <= 2) && moved.iter().sum::<u32>() >= 4, "{moved:?}");
    }

    #[test]
    fn another_picture_is_far_away() {
        let turned = image::imageops::rotate180(&ball(64));
        let [mean, gradient, cosine, _] = Digest::of_image(&ball(64)).distances(&Digest::of_image(&turned));
        assert!(mean > 20 && gradient > 20 && cosine > 12, "{mean} {gradient} {cosine}");
    }

    #[test]
    fn any_picture_has_a_digest() {
        for (width, height) in [(0, 0), (0, 5), (1, 1), (1, 300), (300, 1), (8, 8), (9, 8), (513, 17)] {
            let flat = RgbImage::from_pixel(width, height, Rgb([9, 200, 30]));
            assert_eq!(Digest::of_image(&flat), Digest::of_image(&flat), "{width}x{height}");
        }
    }

    #[test]
    fn luma_is_pillows() {
        assert_eq!([luma([0; 3]), luma([255; 3])], [0, 255]);
        assert_eq!([luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255])], [76, 150, 29]);
    }

    #[test]
    fn lanes_are_big_endian_and_most_significant_first() {
        let digest = Digest::from_lanes([1, 2, 3, 4]);
        let hex = "0x0000000000000001000000000000000200000000000000030000000000000004";
        assert_eq!(digest.to_string(), hex);
        assert_eq!(serde_json::to_string(&digest).unwrap_or_default(), format!("\"{hex}\""));
        assert_eq!(serde_json::from_str::<Digest>(&format!("\"{hex}\"")).ok(), Some(digest));
        assert_eq!(digest.lanes(), [1, 2, 3, 4]);
    }

    #[test]
    fn zones_meet_at_their_borders() {
        let zone = |lanes| PROFILE.zone(&Digest([0; 32]), &Digest::from_lanes(lanes));
        let ones = |bits: u32| (1_u64 << bits) - 1;
        assert_eq!(zone([ones(10), ones(4), ones(10), 0]), Zone::Accepted);
        assert_eq!(zone([ones(11), ones(4), ones(10), 0]), Zone::Grey);
        assert_eq!(zone([ones(20), ones(8), ones(24), 0]), Zone::Grey);
        assert_eq!(zone([0, ones(9), 0, 0]), Zone::Rejected);
        assert_eq!(zone([0, 0, 0, 1]), Zone::Rejected);
    }

    #[test]
    fn a_profile_is_taken_as_the_registry_takes_it() {
        let with = |accept, reject| ToleranceProfile {
            accept: [10, 10, accept, 10],
            reject: [20, 20, reject, 20],
            evidence: B256::ZERO,
        };
        for (accept, reject) in [(0, 0), (0, 24), (10, 20), (10, 24), (3, 6)] {
            assert_eq!(with(accept, reject).check(), Ok(()));
        }
        for (accept, reject) in [(11, 24), (10, 19), (0, 25), (255, 255), (200, 3)] {
            assert_eq!(with(accept, reject).check(), Err(ProfileError { lane: 2, accept, reject }));
        }
        let message = ProfileError { lane: 2, accept: 11, reject: 24 }.to_string();
        assert!(message.contains("pHash lane has accept 11"), "{message}");
    }
}
