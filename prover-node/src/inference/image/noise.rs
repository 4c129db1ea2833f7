//! Starting noise, made on the host from the job's noise seed: the same on every machine and device.

use alloy::primitives::B256;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

/// `len` independent standard normal values: for a latent, in the order channel, row, column.
///
/// ChaCha20 keyed with the seed (stream 0) gives 64-bit words; the upper 53 bits of one make a uniform number. Box and
/// Muller's transform turns each pair of those into two values, cosine first. All in f64 with `libm`, whose results do
/// not depend on the platform, and rounded to f32 at the end.
pub(super) fn gaussian(seed: B256, len: usize) -> Vec<f32> {
    let mut rng = ChaCha20Rng::from_seed(seed.0);
    std::iter::repeat_with(|| box_muller(unit(&mut rng), unit(&mut rng))).flatten().take(len).collect()
}

/// Uniform in `[0, 1)`.
fn unit(rng: &mut ChaCha20Rng) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * STEP
}

fn box_muller(first: f64, second: f64) -> [f32; 2] {
    // 1 - first lies in (0, 1]: the logarithm is finite.
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - first));
    let angle = std::f64::consts::TAU * second;
    [(radius * libm::cos(angle)) as f32, (radius * libm::sin(angle)) as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_the_same_everywhere() {
        // By another implementation: ChaCha20 after RFC 8439 and doubles, in Python.
        let zeros = [0.695_733_4, 1.083_345_7, 0.081_202_68, -0.464_422, 0.268_733_56];
        assert_eq!(gaussian(B256::ZERO, 5), zeros);
        let counting = B256::from_slice(&(0..32).collect::<Vec<u8>>());
        let values = [-0.233_924_75, 1.007_822_5, -1.615_393_8, -0.771_032_63, -1.160_185_2];
        assert_eq!(gaussian(counting, 5), values);
    }

    #[test]
    fn noise_is_normal() {
        let values = gaussian(B256::repeat_byte(7), 100_000);
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / 1e5;
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }

    #[test]
    fn a_shorter_latent_is_a_prefix() {
        let seed = B256::repeat_byte(1);
        assert_eq!(gaussian(seed, 7), gaussian(seed, 12)[..7]);
    }
}
