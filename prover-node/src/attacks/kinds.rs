//! Kinds of digest: the protocol's, and those that were tried out beside it. Each has 256 bits in four lanes, so that all are
//! measured in the same way. Only the protocol's is defined to the bit on every machine; the others compute in floating point. What
//! sets a bit of a small picture exceeds its threshold by one of 256 grey levels, as in the protocol's.

use std::sync::OnceLock;

use alloy::primitives::{B256, keccak256};
use clap::ValueEnum;
use image::{
    DynamicImage, RgbImage,
    imageops::{self, FilterType},
};
use oracle::digest::Digest;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// What a model made for a job.
#[derive(Debug, Clone)]
pub struct Made {
    /// The picture.
    pub picture: RgbImage,
    /// The latents after each step, as far as they are known.
    pub latents: Vec<Vec<f32>>,
    /// What nobody knew before all had committed.
    pub key: B256,
}

/// What a digest is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// The protocol's four hashes.
    Hashes,
    /// A large pHash: the lowest 16x16 coefficients of 32x32 grey pixels around the middle grey, against zero.
    Cosine,
    /// A large dHash: 16x16 grey pixels, each against its left neighbour.
    Gradient,
    /// A block hash: 16x16 grey pixels, each against the median of its band of four rows.
    Blocks,
    /// 8x8 pixels in grey, blue and red differences, each against its median, and the vertical gradient.
    Colours,
    /// Signs of 256 projections of the final latent.
    Latent,
    /// Signs of 64 projections each of the latents after a quarter, a half, three quarters and all of the steps.
    Steps,
    /// Signs of 256 projections of 32x32 pixels in colour, by directions that are drawn after the commitments. It needs another
    /// phase, so it is measured and not an option.
    Keyed,
}

impl Kind {
    /// As it is typed.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The digest of what was made.
    #[must_use]
    pub fn of(self, made: &Made) -> Digest {
        let latent = |quarters: usize| made.latents.get((made.latents.len() * quarters / 4).saturating_sub(1));
        let signs = |quarters, count| latent(quarters).map_or_else(Vec::new, |latent| signs(latent, B256::ZERO, count));
        match self {
            Self::Hashes => Digest::of_image(&made.picture),
            Self::Cosine => cosine(&made.picture),
            Self::Gradient => gradient(&made.picture),
            Self::Blocks => blocks(&made.picture),
            Self::Colours => colours(&made.picture),
            Self::Latent => digest(signs(4, 256)),
            Self::Steps => digest((1..=4).flat_map(|quarters| signs(quarters, 64))),
            Self::Keyed => digest(self::signs(&centred(&made.picture), made.key, 256)),
        }
    }
}

/// The first bit is the most significant one; what is missing is zero.
fn digest(bits: impl IntoIterator<Item = bool>) -> Digest {
    let mut lanes = [0; 4];
    for (at, bit) in bits.into_iter().take(256).enumerate() {
        lanes[at / 64] |= u64::from(bit) << (63 - at % 64);
    }
    Digest::from_lanes(lanes)
}

/// One of 256 from black to white.
const LEVEL: f32 = 1.0;

/// `width` x `height` pixels in levels, fractions included.
fn shrunk(picture: &RgbImage, width: u32, height: u32) -> Vec<[f32; 3]> {
    // From 0 to 1, beyond which the image crate cuts floats off.
    let shares = DynamicImage::from(picture.clone()).into_rgb32f();
    let small = imageops::resize(&shares, width, height, FilterType::Lanczos3);
    small.pixels().map(|pixel| pixel.0.map(|share| 255.0 * share)).collect()
}

fn light([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

fn grey(picture: &RgbImage, width: u32, height: u32) -> Vec<f32> {
    shrunk(picture, width, height).into_iter().map(light).collect()
}

fn above_median(values: &[f32]) -> impl Iterator<Item = bool> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let middle = f32::midpoint(sorted[sorted.len() / 2 - 1], sorted[sorted.len() / 2]);
    values.iter().map(move |value| *value > middle + LEVEL)
}

fn cosine(picture: &RgbImage) -> Digest {
    const SIDE: usize = 32;
    const KEPT: usize = 16;
    /// The coefficient of a slanted wave that is a level high.
    const WAVE: f32 = LEVEL * (SIDE * SIDE / 4) as f32;
    static WAVES: OnceLock<Vec<f32>> = OnceLock::new();
    let waves = WAVES.get_or_init(|| {
        let wave =
            |u: usize, n: usize| (std::f64::consts::PI * ((2 * n + 1) * u) as f64 / (2 * SIDE) as f64).cos() as f32;
        (0..KEPT).flat_map(|u| (0..SIDE).map(move |n| wave(u, n))).collect()
    });
    let project = |values: &[f32]| -> Vec<f32> {
        waves.chunks(SIDE).map(|wave| wave.iter().zip(values).map(|(wave, value)| wave * value).sum()).collect()
    };
    let pixels: Vec<f32> = grey(picture, SIDE as u32, SIDE as u32).into_iter().map(|level| level - 128.0).collect();
    let rows: Vec<Vec<f32>> = pixels.chunks(SIDE).map(project).collect();
    let columns: Vec<Vec<f32>> =
        (0..KEPT).map(|u| project(&rows.iter().map(|row| row[u]).collect::<Vec<_>>())).collect();
    digest((0..KEPT).flat_map(|v| columns.iter().map(move |column| column[v] > WAVE)))
}

fn gradient(picture: &RgbImage) -> Digest {
    let pixels = grey(picture, 17, 16);
    digest(pixels.chunks(17).flat_map(|row| row.windows(2).map(|pair| pair[1] > pair[0] + LEVEL)))
}

fn blocks(picture: &RgbImage) -> Digest {
    let pixels = grey(picture, 16, 16);
    digest(pixels.chunks(64).flat_map(|band| above_median(band).collect::<Vec<_>>()))
}

fn colours(picture: &RgbImage) -> Digest {
    let small = shrunk(picture, 8, 9);
    let plane = |of: fn([f32; 3]) -> f32| small.iter().map(|&pixel| of(pixel)).collect::<Vec<f32>>();
    let light = plane(light);
    let bluer = plane(|[red, green, blue]| blue - 0.299 * red - 0.587 * green);
    let redder = plane(|[red, green, blue]| red - 0.587 * green - 0.114 * blue);
    let down = (0..64).map(|at| light[at + 8] > light[at] + LEVEL).collect::<Vec<_>>();
    let medians = [light, bluer, redder].into_iter().flat_map(|plane| above_median(&plane[..64]).collect::<Vec<_>>());
    digest(medians.chain(down))
}

/// 32x32 pixels in colour, each channel around its mean.
fn centred(picture: &RgbImage) -> Vec<f32> {
    let small = shrunk(picture, 32, 32);
    let plane = |channel: usize| {
        let values: Vec<f32> = small.iter().map(|pixel| pixel[channel]).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        values.into_iter().map(move |value| value - mean)
    };
    (0..3).flat_map(plane).collect()
}

/// On which side of `count` planes through the origin `values` lie; the planes are drawn by the key, with normals of ones
/// and minus ones.
fn signs(values: &[f32], key: B256, count: usize) -> Vec<bool> {
    let mut rng = ChaCha8Rng::from_seed(keccak256(key).0);
    let mut side = || {
        let mut words = 0;
        let project = |(at, value): (usize, &f32)| {
            if at % 64 == 0 {
                words = rng.next_u64();
            }
            f32::from_bits(value.to_bits() ^ (u32::from(words >> (at % 64) & 1 == 1) << 31))
        };
        values.iter().enumerate().map(project).sum::<f32>() >= 0.0
    };
    (0..count).map(|_| side()).collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn made(shift: u32) -> Made {
        let wave = |at: u32, length: u32| (((at + shift) * 256 / length) % 256).abs_diff(128) as u8;
        let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([wave(x, 23), wave(y, 31), wave(x + y, 41)]));
        let latents =
            (0..8).map(|step| (0..256).map(|at| (((at + shift) * (7 + step)) as f32).sin()).collect()).collect();
        Made { picture, latents, key: B256::with_last_byte(1) }
    }

    #[test]
    fn the_same_is_the_same_and_another_is_far_away() {
        for kind in Kind::value_variants() {
            let (one, other) = (kind.of(&made(0)), kind.of(&made(9)));
            assert_eq!(one, kind.of(&made(0)));
            let apart: u32 = one.distances(&other).iter().sum();
            assert!((20..=236).contains(&apart), "{}: {apart}", kind.name());
        }
    }

    #[test]
    fn a_key_draws_other_planes() {
        let (one, mut other) = (made(0), made(0));
        other.key = B256::with_last_byte(2);
        let apart: u32 = Kind::Keyed.of(&one).distances(&Kind::Keyed.of(&other)).iter().sum();
        assert!((90..=166).contains(&apart), "{apart}");
        assert_eq!(Kind::Hashes.of(&one), Kind::Hashes.of(&other));
    }

    #[test]
    fn a_scaled_latent_is_on_the_same_sides() {
        let values: Vec<f32> = (0..100_u8).map(|at| f32::from(at).sin()).collect();
        let doubled: Vec<f32> = values.iter().map(|value| 2.0 * value).collect();
        let turned: Vec<f32> = values.iter().map(|value| -value).collect();
        let sides = |values: &[f32]| signs(values, B256::ZERO, 256);
        assert_eq!(sides(&values), sides(&doubled));
        assert!(sides(&values).iter().zip(sides(&turned)).all(|(one, other)| *one != other));
    }
}
