//! pHash: the low frequencies of a picture's cosine transform, in integers.

use std::f64::consts::PI;

use super::lane;

/// Pixels of the transformed square's side.
pub(super) const SIDE: usize = 16;

/// Frequencies kept in each direction, the constant one among them.
const KEPT: usize = 8;

/// Fractional bits of a cosine. Two passes over 16 pixels of 8 bits each stay below 2^44.
const COSINE_BITS: u32 = 14;

/// Which of the lowest 8x8 coefficients of `SIDE` x `SIDE` pixels are not below their median, the mean of the middle two.
pub(super) fn hash(pixels: &[u8]) -> u64 {
    let coefficients = low_frequencies(pixels);
    let mut sorted = coefficients.clone();
    sorted.sort_unstable();
    let middle = sorted[sorted.len() / 2 - 1] + sorted[sorted.len() / 2];
    lane(coefficients.iter().map(|&coefficient| 2 * coefficient >= middle))
}

/// The two-dimensional DCT-II, not normalised, row by row: vertical frequency first.
fn low_frequencies(pixels: &[u8]) -> Vec<i64> {
    let cosines = cosines();
    let project =
        |values: &[i64]| cosines.map(|wave| wave.iter().zip(values).map(|(cosine, value)| cosine * value).sum());
    let rows: Vec<[i64; KEPT]> = pixels
        .chunks(SIDE)
        .map(|row| project(&row.iter().map(|&pixel| i64::from(pixel)).collect::<Vec<_>>()))
        .collect();
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

    /// A wave of one horizontal and one vertical frequency, around grey.
    fn wave(u: usize, v: usize) -> Vec<u8> {
        let part = |frequency: usize, n: usize| libm::cos(PI * ((2 * n + 1) * frequency) as f64 / 32.0);
        (0..SIDE * SIDE).map(|at| (128.0 + 100.0 * part(u, at % SIDE) * part(v, at / SIDE)) as u8).collect()
    }

    #[test]
    fn a_wave_is_found_at_its_frequency() {
        for (u, v) in [(1, 0), (0, 3), (5, 2), (7, 7)] {
            let mut found = low_frequencies(&wave(u, v));
            found[0] = 0; // of the grey
            let strongest = (0..64).max_by_key(|&at| found[at].abs());
            assert_eq!(strongest, Some(8 * v + u));
        }
    }

    #[test]
    fn half_of_the_bits_are_set() {
        let picture: Vec<u8> = (0..256_u32).map(|n| (n * n * 7 % 251) as u8).collect();
        assert_eq!(hash(&picture).count_ones(), 32);
    }
}
