//! Which copies show the same picture, pixel by pixel, or are the same text. Pure, and blind to the copies' order.
//!
//! Digests that accept each other bound how far pictures differ in structure, not in every pixel. The two bounds here
//! are decided, not measured: honest numeric differences were expected well below them, and a calibration of the model
//! is to replace them.

use std::cmp::Reverse;

use alloy::primitives::B256;
use image::RgbImage;
use oracle::output::Output;

use super::copies::Copy;

/// Mean absolute difference of two copies' channels, at most, in levels of 255.
const MAX_MEAN: u64 = 4;
/// A pixel differs much if one of its channels differs by more levels than this.
const MUCH: u8 = 32;
/// Pixels that differ much, at most, in percent: what the mean would hide in a large picture.
const MAX_MUCH_PERCENT: u64 = 2;

/// A copy and those that agree with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The index of the copy.
    pub(super) centre: usize,
    /// The indices of those that agree with it, its own included.
    pub(super) members: Vec<usize>,
}

/// The copy that most copies agree with. Ties go to the one with the smaller total difference, then to the smaller
/// content hash. None if there are no copies.
pub(super) fn largest(copies: &[Copy]) -> Option<Group> {
    let outputs: Vec<_> = copies.iter().map(|copy| (copy.content_hash, &copy.output)).collect();
    largest_of(&outputs)
}

fn largest_of(outputs: &[(B256, &Output)]) -> Option<Group> {
    let differences: Vec<Vec<_>> = outputs
        .iter()
        .map(|(_, one)| outputs.iter().map(|(_, other)| Difference::between(one, other)).collect())
        .collect();
    let members = |of: &[Difference]| (0..of.len()).filter(|&index| of[index].is_agreement()).collect::<Vec<_>>();
    let total = |of: &[Difference]| of.iter().map(|difference| difference.sum).sum::<u64>();
    let rank = |&index: &usize| {
        let of = &differences[index];
        (Reverse(members(of).len()), total(of), outputs[index].0)
    };
    let centre = (0..outputs.len()).min_by_key(rank)?;
    Some(Group { centre, members: members(&differences[centre]) })
}

struct Difference {
    /// Over all channels, in levels.
    sum: u64,
    channels: u64,
    /// Pixels that differ much.
    much: u64,
    pixels: u64,
}

impl Difference {
    fn between(one: &Output, other: &Output) -> Self {
        match (one, other) {
            (Output::Picture(one), Output::Picture(other)) => Self::of_pictures(one, other),
            _ => Self { sum: u64::from(one != other), channels: 0, much: 0, pixels: 0 },
        }
    }

    /// Of the same size.
    fn of_pictures(one: &RgbImage, other: &RgbImage) -> Self {
        let mut difference = Self { sum: 0, channels: 0, much: 0, pixels: 0 };
        for (one, other) in one.pixels().zip(other.pixels()) {
            let channels = [0, 1, 2].map(|channel: usize| one.0[channel].abs_diff(other.0[channel]));
            difference.sum += channels.iter().map(|&levels| u64::from(levels)).sum::<u64>();
            difference.channels += 3;
            difference.much += u64::from(channels.iter().any(|&levels| levels > MUCH));
            difference.pixels += 1;
        }
        difference
    }

    fn is_agreement(&self) -> bool {
        self.sum <= MAX_MEAN * self.channels && self.much * 100 <= MAX_MUCH_PERCENT * self.pixels
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use oracle::output::Text;

    use super::*;

    fn flat(level: u8) -> RgbImage {
        RgbImage::from_pixel(10, 10, Rgb([level; 3]))
    }

    fn group(pictures: &[&RgbImage]) -> Option<(u8, Vec<u8>)> {
        let outputs: Vec<_> = pictures.iter().map(|&picture| Output::Picture(picture.clone())).collect();
        let hashes = pictures.iter().map(|picture| B256::with_last_byte(level(picture)));
        let group = largest_of(&hashes.zip(&outputs).collect::<Vec<_>>())?;
        let mut members: Vec<_> = group.members.iter().map(|&index| level(pictures[index])).collect();
        members.sort_unstable();
        Some((level(pictures[group.centre]), members))
    }

    fn level(picture: &RgbImage) -> u8 {
        picture.get_pixel(9, 9).0[0]
    }

    #[test]
    fn a_few_levels_everywhere_agree_and_more_do_not() {
        let differs = |by: u8| !Difference::of_pictures(&flat(100), &flat(100 + by)).is_agreement();

        assert!(!differs(4));
        assert!(differs(5));
    }

    #[test]
    fn a_small_patch_that_the_mean_would_hide_is_seen() {
        let patched = |pixels: u32| {
            let mut picture = flat(100);
            (0..pixels).for_each(|x| picture.put_pixel(x, 0, Rgb([140, 100, 100])));
            picture
        };

        assert!(Difference::of_pictures(&flat(100), &patched(2)).is_agreement());
        assert!(!Difference::of_pictures(&flat(100), &patched(3)).is_agreement());
    }

    #[test]
    fn the_largest_group_wins_in_any_order() {
        let [a, b, c, d, e] = [100, 103, 106, 200, 201].map(flat);
        let orders: [[&RgbImage; 5]; 4] =
            [[&a, &b, &c, &d, &e], [&e, &d, &c, &b, &a], [&d, &a, &e, &c, &b], [&c, &e, &b, &a, &d]];

        for order in orders {
            assert_eq!(group(&order), Some((103, vec![100, 103, 106])));
        }
    }

    #[test]
    fn texts_agree_if_they_are_equal() {
        let text = |text: &str, tokens: &[u32]| Output::Text(Text { text: text.to_owned(), tokens: tokens.to_vec() });
        let agree = |one, other| Difference::between(&one, &other).is_agreement();

        assert!(agree(text("a", &[1, 2]), text("a", &[1, 2])));
        assert!(!agree(text("a", &[1, 2]), text("a", &[1, 3])));
        assert!(!agree(text("a", &[1, 2]), text("b", &[1, 2])));
    }

    #[test]
    fn a_tie_goes_to_the_smaller_content_hash() {
        let (a, b) = (flat(100), flat(102));

        assert_eq!(group(&[&b, &a]), Some((100, vec![100, 102])));
        assert_eq!(group(&[&a, &b]), Some((100, vec![100, 102])));
        assert_eq!(group(&[]), None);
    }
}
