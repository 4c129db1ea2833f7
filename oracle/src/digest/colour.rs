//! The colour hash: which shares of a picture are black, grey, or one of six hues, faint or vivid.
//!
//! It is `colorhash` of Python's ImageHash 4.3.2 (`binbits=3`) in integers, compared once with Pillow 13.0: each of the
//! 16,777,216 colours falls into the same bin, and 80 of 80 pictures had the same hash.

use std::cmp::Ordering;

use image::RgbImage;

use super::luma;

/// Below this luma a pixel is black.
const BLACK: u8 = 32;

/// Below this saturation, of 255, a pixel that is not black is grey.
const GREY: u32 = 85;

/// Below this saturation a colour is faint, above it vivid. In between it counts as a colour, but as neither.
const VIVID: u32 = 170;

enum Tone {
    Black,
    Grey,
    Coloured { saturation: u32, hue: usize },
}

/// 42 bits, right-aligned: the shares of black, grey, six faint hues and six vivid hues, in eighths, three bits each.
/// Shares of black and grey are of the whole picture, shares of hues of its coloured pixels.
///
/// The bits of a share v are not its binary digits but (v >= 4, v >= 2, v is odd), as in the original. So 4 looks like 6
/// and 5 like 7, and a share that moves by one step changes at most two bits.
pub(super) fn hash(image: &RgbImage) -> u64 {
    let (mut black, mut grey, mut coloured) = (0, 0, 0);
    let (mut faint, mut vivid) = ([0; 6], [0; 6]);
    for pixel in image.pixels() {
        match tone(pixel.0) {
            Tone::Black => black += 1,
            Tone::Grey => grey += 1,
            Tone::Coloured { saturation, hue } => {
                coloured += 1;
                match saturation.cmp(&VIVID) {
                    Ordering::Less => faint[hue] += 1,
                    Ordering::Equal => {}
                    Ordering::Greater => vivid[hue] += 1,
                }
            }
        }
    }

    let whole = black + grey + coloured;
    let shades = [black, grey].map(|count| eighths(count, whole));
    let hues = faint.iter().chain(&vivid).map(|&count| eighths(count, coloured));
    shades.into_iter().chain(hues).fold(0, |hash, share| hash << 3 | bits(share))
}

/// A share in eighths, rounded down; all of it is 7.
fn eighths(count: u64, of: u64) -> u64 {
    (8 * count / of.max(1)).min(7)
}

fn bits(share: u64) -> u64 {
    u64::from(share >= 4) << 2 | u64::from(share >= 2) << 1 | share & 1
}

fn tone(rgb: [u8; 3]) -> Tone {
    if luma(rgb) < BLACK {
        return Tone::Black;
    }
    match saturation(rgb) {
        ..GREY => Tone::Grey,
        saturation => Tone::Coloured { saturation, hue: hue_bin(hue(rgb)) },
    }
}

/// Of 255, rounded down.
fn saturation(rgb: [u8; 3]) -> u32 {
    let (least, most) = extremes(rgb);
    255 * (most - least) / most.max(1)
}

/// The hue circle in 255 parts, from red by green and blue, rounded down. For a colour, that is for unequal channels.
fn hue(rgb: [u8; 3]) -> u32 {
    let (least, most) = extremes(rgb);
    let [red, green, blue] = rgb.map(i64::from);
    let chroma = i64::from(most - least);
    let sixths = if red == i64::from(most) {
        green - blue
    } else if green == i64::from(most) {
        2 * chroma + blue - red
    } else {
        4 * chroma + red - green
    };
    (255 * sixths.rem_euclid(6 * chroma) / (6 * chroma)) as u32
}

/// Six equal parts of 0 to 255, whose borders 42.5, 127.5 and 212.5 no hue meets.
fn hue_bin(hue: u32) -> usize {
    (2 * hue / 85).min(5) as usize
}

fn extremes(rgb: [u8; 3]) -> (u32, u32) {
    let [red, green, blue] = rgb.map(u32::from);
    (red.min(green).min(blue), red.max(green).max(blue))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// A strip of so many pixels of each colour.
    fn strip(colours: &[(u32, [u8; 3])]) -> RgbImage {
        let pixels: Vec<_> = colours.iter().flat_map(|&(count, rgb)| vec![rgb; count as usize]).collect();
        RgbImage::from_fn(pixels.len() as u32, 1, |x, _| Rgb(pixels[x as usize]))
    }

    /// The three bits of bin 0 to 13: black, grey, faint from red to magenta, vivid from red to magenta.
    fn bin(hash: u64, bin: u32) -> u64 {
        hash >> (39 - 3 * bin) & 7
    }

    #[test]
    fn black_and_grey_are_shares_of_the_whole_and_hues_of_the_coloured() {
        let colours = [(2, [0; 3]), (2, [128; 3]), (2, [255, 0, 0]), (2, [100, 100, 200])];
        let hash = hash(&strip(&colours));
        let expected = [(0, 2), (1, 2), (6, 4), (8, 4)].map(|(index, share)| bits(share) << (39 - 3 * index));
        assert_eq!(hash, expected.iter().sum::<u64>());
    }

    #[test]
    fn all_of_a_colour_is_seven_eighths_and_none_is_zero() {
        assert_eq!(hash(&strip(&[(5, [0; 3])])), 7 << 39);
        assert_eq!(hash(&strip(&[(5, [255; 3])])), 7 << 36);
        assert_eq!(hash(&strip(&[(5, [80, 80, 255])])), 7 << (39 - 3 * 12));
        assert_eq!(hash(&RgbImage::new(0, 0)), 0);
    }

    #[test]
    fn the_bits_of_a_share_are_those_of_imagehash() {
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(bits), [0b000, 0b001, 0b010, 0b011, 0b110, 0b111, 0b110, 0b111]);
    }

    #[test]
    fn hues_go_round_the_circle() {
        let pure = [[255, 0, 0], [255, 255, 0], [0, 255, 0], [0, 255, 255], [0, 0, 255], [255, 0, 255]];
        assert_eq!(pure.map(hue), [0, 42, 85, 127, 170, 212]);
        assert_eq!(hue([255, 0, 1]), 254);
        assert_eq!(
            [0, 42, 43, 84, 85, 127, 128, 169, 170, 212, 213, 254, 255].map(hue_bin),
            [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]
        );
    }

    #[test]
    fn faint_and_vivid_leave_a_gap_that_counts_as_coloured() {
        let (faint, between, vivid) = ([200, 100, 100], [255, 85, 85], [200, 50, 50]);
        assert_eq!([faint, between, vivid].map(saturation), [127, 170, 191]);
        let hash = hash(&strip(&[(1, faint), (2, between), (1, vivid)]));
        assert_eq!([bin(hash, 2), bin(hash, 8)], [bits(2), bits(2)]);
    }
}
