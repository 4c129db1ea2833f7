//! The digest: what is left of a picture when everything that machines disagree on is taken away. Four perceptual
//! hashes in 32 bytes, compared lane by lane by Hamming distance.
//!
//! | lane | hash | how |
//! | --- | --- | --- |
//! | 0, most significant | aHash | 8x8 grey, bit = pixel not below the mean |
//! | 1 | dHash | 9x8 grey, bit = pixel brighter than its left neighbour |
//! | 2 | pHash | 16x16 grey, cosine transform, lowest 8x8, bit = coefficient not below the median |
//! | 3 | colour hash | shares of black, grey and twelve colours, in 42 bits, right-aligned |
//!
//! The first bit of a hash is the most significant one of its lane, row by row. Grey conversion and the colour hash are
//! integer arithmetic and the same on every machine. What `image_hasher` does after that, the Lanczos resize and the
//! cosine transform, is single precision floating point: last bits may differ between processors, and the tolerance
//! profile absorbs that as it absorbs the drift of the generation itself.

mod colour;

use std::fmt;

use alloy::primitives::B256;
use image::{GrayImage, Luma, RgbImage};
use image_hasher::{BitOrder, FilterType, HashAlg, HasherConfig};
use serde::{Deserialize, Serialize};

use crate::chain::IModelRegistry;

/// Names of the lanes, most significant first.
pub const LANES: [&str; 4] = ["aHash", "dHash", "pHash", "colour"];

/// Largest accept distance that the registry takes, in bits.
pub const MAX_ACCEPT: u8 = 10;

/// Largest reject distance that the registry takes, in bits.
pub const MAX_REJECT: u8 = 24;

/// Four 64-bit lanes, big-endian; ordered as the number that the contracts see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "B256", into = "B256")]
pub struct Digest(pub [u8; 32]);

/// How far digests of the same job may be apart, in bits, per lane. Twin of `IModelRegistry.ToleranceProfile`.
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
    /// Digest of a picture. An empty one has a digest too, and nothing to say.
    #[must_use]
    pub fn of_image(image: &RgbImage) -> Self {
        let grey = grey(image);
        Self::from_lanes([
            perceptual(&grey, hasher(HashAlg::Mean)),
            perceptual(&grey, hasher(HashAlg::Gradient)),
            perceptual(&grey, hasher(HashAlg::Median).preproc_dct()),
            colour::hash(image),
        ])
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

fn hasher(algorithm: HashAlg) -> HasherConfig<[u8; 8]> {
    HasherConfig::with_bytes_type()
        .hash_size(8, 8)
        .hash_alg(algorithm)
        .resize_filter(FilterType::Lanczos3)
        .bit_order(BitOrder::MsbFirst)
}

fn perceptual(grey: &GrayImage, hasher: HasherConfig<[u8; 8]>) -> u64 {
    let hash = hasher.to_hasher().hash_image(grey);
    hash.as_bytes().iter().fold(0, |lane, &byte| lane << 8 | u64::from(byte))
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

impl From<&ToleranceProfile> for IModelRegistry::ToleranceProfile {
    fn from(profile: &ToleranceProfile) -> Self {
        Self { accept: profile.accept, reject: profile.reject, evidence: profile.evidence }
    }
}

impl From<&IModelRegistry::ToleranceProfile> for ToleranceProfile {
    fn from(profile: &IModelRegistry::ToleranceProfile) -> Self {
        Self { accept: profile.accept, reject: profile.reject, evidence: profile.evidence }
    }
}
