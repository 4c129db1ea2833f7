//! pHash: the low frequencies of a picture's cosine transform, in integers.

use std::f64::consts::PI;

use super::{lane, shrink::LEVEL};

/// Pixels of the transformed square's side.
pub(super) const SIDE: usize = 16;

/// Frequencies kept in each direction, the constant one among them.
const KEPT: usize = 8;

/// Fractional bits of a cosine. Two passes over 16 pixels of 19 bits each stay below 2^55.
const COSINE_BITS: u32 = 14;

/// The grey in the middle.
const MIDDLE: i64 = 128 * LEVEL;

/// The coefficient of a wave, slanted, that is one grey level high: the squares of its cosines add up to half the pixels of
/// either direction.
const WAVE: i64 = (LEVEL * (SIDE * SIDE) as i64 / 4) << (2 * COSINE_BITS);

/// Which of the lowest 8x8 coefficients of `SIDE` x `SIDE` pixels are positive, by more than a wave of one grey level makes them.
/// The constant one is so if the picture is brighter than the middle grey.
pub(super) fn hash(pixels: &[i64]) -> u64 {
    lane(low_frequencies(pixels).iter().map(|&coefficient| coefficient > WAVE))
}

/// The two-dimensional DCT-II, not normalised, row by row: vertical frequency first.
fn low_frequencies(pixels: &[i64]) -> Vec<i64> {
    let cosines = cosines();
    let project =
        |values: &[i64]| cosines.map(|wave| wave.iter().zip(values).map(|(cosine, value)| cosine * value).sum());
    let rows: Vec<[i64; KEPT]> =
        pixels.chunks(SIDE).map(|row| project(&row.iter().map(|&pixel| pixel - MIDDLE).collect::<Vec<_>>())).collect();
    let columns: [[i64; KEPT]; KEPT] =
        std::array::from_fn(|u| project(&rows.iter().map(|row| row[u]).collect::<Vec<_>>()));
    (0..KEPT).flat_map(|v| columns.map(|column| column[v])).collect()
}

/// cos(pi (2n + 1) u / 32) for each frequency u and pixel n, rounded. `libm` is the same code everywhere.
fn cosines() -> [[i64; SIDE]; KEPT] {
    let angle = |u: usize, n: usize| PI * ((2 * n + 1) * u) as f64 / (2 * SIDE) as f64;
    let fixed = |angle: f64| libm::round(libm::cos(angle) * f64::from(1 << COSINE_BITS)) as i64;
    std::array::from_fn(|u| std::array::from_fn(|n| fixed(angle(u, n))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wave of one horizontal and one vertical frequency, so many levels high, around the middle grey.
    fn wave(u: usize, v: usize, levels: f64) -> Vec<i64> {
        let part = |frequency: usize, n: usize| libm::cos(PI * ((2 * n + 1) * frequency) as f64 / 32.0);
        let pixel = |at| 128.0 + levels * part(u, at % SIDE) * part(v, at / SIDE);
        (0..SIDE * SIDE).map(|at| (pixel(at) * LEVEL as f64) as i64).collect()
    }

    #[test]
    fn a_wave_is_found_at_its_frequency() {
        for (u, v) in [(1, 0), (0, 3), (5, 2), (7, 7)] {
            let found = low_frequencies(&wave(u, v, 100.0));
            let strongest = (0..64).max_by_key(|&at| found[at].abs());
            assert_eq!(strongest, Some(8 * v + u));
        }
    }

    #[test]
    fn a_wave_counts_from_one_grey_level_on() {
        for (u, v) in [(1, 1), (5, 2), (7, 7)] {
            let bit = 1 << (63 - (8 * v + u));
            assert_eq!([0.98, 1.02, -1.02].map(|levels| hash(&wave(u, v, levels))), [0, bit, 0], "{u} {v}");
        }
    }

    #[test]
    fn the_constant_bit_tells_bright_from_dark() {
        let flat = |levels: i64| hash(&[levels * LEVEL; SIDE * SIDE]);
        assert_eq!([0, 128, 129, 255].map(flat), [0, 0, 1 << 63, 1 << 63]);
    }
}
