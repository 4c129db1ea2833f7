//! A grey picture made small, in integers, so that every processor gets the same pixels, fractions of a grey level included.

use image::GrayImage;

/// The kernel reaches so many output pixels to either side.
const LOBES: f64 = 3.0;

/// Fractional bits of a weight.
const WEIGHT_BITS: u32 = 22;

/// Fractional bits of a pixel; a weighted sum of 8-bit pixels with them stays below 2^46.
const FRACTION_BITS: u32 = 12;

/// One grey level, of the 256 from black to white.
pub(super) const LEVEL: i64 = 1 << FRACTION_BITS;

/// What one output pixel is made of: input pixels from `start` on, by weights that add up to about 2^22.
struct Taps {
    start: usize,
    weights: Vec<i64>,
}

/// `width` x `height` pixels, row by row, by the Lanczos kernel of three lobes, widened to the scale. Columns come first.
/// The picture must have pixels. Those returned count in parts of a [`LEVEL`], from 0 to 255 levels.
pub(super) fn shrink(image: &GrayImage, width: usize, height: usize) -> Vec<i64> {
    let (columns, rows) = (taps(image.width() as usize, width), taps(image.height() as usize, height));
    let narrow: Vec<i64> = image
        .rows()
        .flat_map(|row| {
            let pixels: Vec<i64> = row.map(|pixel| i64::from(pixel.0[0])).collect();
            columns.iter().map(|taps| rounded(taps.sum(&pixels), WEIGHT_BITS - FRACTION_BITS)).collect::<Vec<_>>()
        })
        .collect();

    let column_of = |x: usize| narrow.iter().copied().skip(x).step_by(width).collect::<Vec<_>>();
    let columns: Vec<Vec<i64>> = (0..width).map(column_of).collect();
    let pixel = |taps: &Taps, column: &Vec<i64>| rounded(taps.sum(column), WEIGHT_BITS).clamp(0, 255 * LEVEL);
    rows.iter().flat_map(|taps| columns.iter().map(move |column| pixel(taps, column))).collect()
}

impl Taps {
    fn sum(&self, pixels: &[i64]) -> i64 {
        self.weights.iter().zip(&pixels[self.start..]).map(|(weight, pixel)| weight * pixel).sum()
    }
}

/// For each output pixel. The weights are rounded from 53 bits to 22, and `libm` is the same code everywhere.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let reach = LOBES * scale.max(1.0);
    (0..to)
        .map(|index| {
            let centre = (index as f64 + 0.5) * scale;
            let start = libm::floor(centre - reach).max(0.0) as usize;
            let end = (libm::ceil(centre + reach) as usize).min(from);
            let weight = |pixel: usize| lanczos((pixel as f64 + 0.5 - centre) / scale.max(1.0));
            let sum: f64 = (start..end).map(weight).sum();
            let fixed = |pixel| libm::round(weight(pixel) / sum * f64::from(1 << WEIGHT_BITS)) as i64;
            Taps { start, weights: (start..end).map(fixed).collect() }
        })
        .collect()
}

/// sinc(x) sinc(x / 3), zero from three on.
fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { libm::sin(x) / x };
    let angle = std::f64::consts::PI * x;
    if libm::fabs(x) < LOBES { sinc(angle) * sinc(angle / LOBES) } else { 0.0 }
}

/// Without so many fractional bits; halves go up.
fn rounded(sum: i64, bits: u32) -> i64 {
    (sum + (1 << (bits - 1))) >> bits
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use super::*;

    #[test]
    fn a_flat_picture_stays_flat() {
        for (width, height) in [(1, 1), (1, 300), (7, 5), (8, 8), (513, 17), (1024, 1024)] {
            let flat = GrayImage::from_pixel(width, height, Luma([200]));
            assert!(
                shrink(&flat, 9, 8).iter().all(|pixel| pixel.abs_diff(200 * LEVEL) <= LEVEL as u64 / 500),
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn a_picture_of_the_same_size_stays_as_it_is() {
        let picture = GrayImage::from_fn(16, 16, |x, y| Luma([(x * 37 + y * y * 11) as u8]));
        let levels: Vec<i64> = picture.as_raw().iter().map(|&pixel| i64::from(pixel) * LEVEL).collect();
        assert_eq!(shrink(&picture, 16, 16), levels);
    }

    #[test]
    fn pixels_are_those_of_the_image_crate_up_to_rounding() {
        let picture =
            GrayImage::from_fn(100, 61, |x, y| Luma([(x * 2 + y + 40 * u32::from((x / 9 + y / 7) % 2 == 0)) as u8]));
        let theirs = image::imageops::resize(&picture, 16, 12, image::imageops::FilterType::Lanczos3);
        for (ours, theirs) in shrink(&picture, 16, 12).iter().zip(theirs.as_raw()) {
            assert!(ours.abs_diff(i64::from(*theirs) * LEVEL) <= LEVEL as u64, "{ours} {theirs}");
        }
    }
}
