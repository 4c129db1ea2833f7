//! Collisions: another picture with the same digest, by whoever knows the digest and how it is made.

use alloy::primitives::B256;
use image::{Rgb, RgbImage};
use oracle::digest::Digest;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// Bits in the furthest lane that are near enough for any measured profile.
const NEAR: u32 = 2;

/// Changes `source` until its digest is `target`'s, as far as `tries` changes take it: soft spots of light and colour, at
/// random, each kept if the digest is not further away for it, which is evolution with one parent (a (1+1)-ES).
pub fn collide(
    source: &RgbImage,
    target: &Digest,
    digest: impl Fn(&RgbImage) -> Digest,
    tries: usize,
    seed: B256,
) -> RgbImage {
    let mut rng = ChaCha8Rng::from_seed(seed.0);
    let away = |picture: &RgbImage| -> (u32, u32) {
        let distances = digest(picture).distances(target);
        (distances.iter().map(|bits| bits.saturating_sub(NEAR)).sum(), distances.iter().sum())
    };
    let mut best = source.clone();
    let mut least = away(&best);
    for _ in 0..tries {
        if least.0 == 0 {
            break;
        }
        let changed = spotted(&best, &mut rng);
        let now = away(&changed);
        if now <= least {
            (best, least) = (changed, now);
        }
    }
    best
}

/// With a spot more, somewhere.
fn spotted(picture: &RgbImage, rng: &mut ChaCha8Rng) -> RgbImage {
    let mut uniform = || (rng.next_u64() >> 11) as f32 / (1_u64 << 53) as f32;
    let side = picture.width().max(picture.height()) as f32;
    let (x, y) = (uniform() * picture.width() as f32, uniform() * picture.height() as f32);
    let radius = side * (0.03 + 0.17 * uniform());
    let colour = [0; 3].map(|_| 120.0 * (uniform() - 0.5));
    let mut changed = picture.clone();
    let reach = (2.0 * radius) as i64;
    let (left, top) = (x as i64, y as i64);
    for row in (top - reach).max(0)..(top + reach).min(picture.height().into()) {
        for column in (left - reach).max(0)..(left + reach).min(picture.width().into()) {
            let apart = ((column as f32 - x).powi(2) + (row as f32 - y).powi(2)) / (radius * radius);
            let weight = (-apart).exp();
            let Rgb(channels) = changed.get_pixel_mut(column as u32, row as u32);
            for (channel, colour) in channels.iter_mut().zip(colour) {
                *channel = (f32::from(*channel) + weight * colour).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gets_nearer_and_the_same_seed_gets_the_same() {
        let picture = |turn: u32| {
            RgbImage::from_fn(32, 32, |x, y| Rgb([(8 * x) as u8, (8 * y) as u8, ((x * turn + y) * 5 % 256) as u8]))
        };
        let (source, target) = (picture(3), Digest::of_image(&picture(1)));
        let away = |picture: &RgbImage| Digest::of_image(picture).distances(&target).iter().sum::<u32>();
        let found = collide(&source, &target, Digest::of_image, 300, B256::ZERO);
        assert!(away(&found) < away(&source), "{} and {}", away(&found), away(&source));
        assert_eq!(found, collide(&source, &target, Digest::of_image, 300, B256::ZERO));
        assert_eq!(collide(&source, &target, Digest::of_image, 0, B256::ZERO), source);
    }
}
