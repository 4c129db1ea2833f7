//! Pictures that were changed after they were made.

use std::io::Cursor;

use image::{
    ImageFormat, Rgb, RgbImage,
    codecs::jpeg::JpegEncoder,
    imageops::{self, FilterType},
};

/// What is done to a picture. Sizes are shares of the picture's area, so that they mean the same at any resolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edit {
    /// Saved as JPEG of this quality, 1 to 100.
    Jpeg(u8),
    /// Made half as wide and high, and enlarged again.
    Resampled,
    /// All channels brighter by this percentage.
    Brighter(u8),
    /// A white mark over the lower right sixteenth, by half.
    Watermark,
    /// A square of the colours' opposites in the lower left corner, of this percentage of the area: as visible as can be.
    Pasted(u8),
    /// The same square in the middle.
    PastedInTheMiddle(u8),
    /// Another picture that is given this one's coarse look: the details are those of this one upside down, everything that
    /// 16x16 pixels show is this one's. What hashes look at is hardly more.
    CoarseLook,
}

impl Edit {
    /// All that are measured.
    pub const ALL: [Self; 14] = [
        Self::Jpeg(90),
        Self::Jpeg(75),
        Self::Jpeg(50),
        Self::Jpeg(20),
        Self::Resampled,
        Self::Brighter(10),
        Self::Watermark,
        Self::Pasted(1),
        Self::Pasted(2),
        Self::Pasted(5),
        Self::Pasted(10),
        Self::PastedInTheMiddle(1),
        Self::PastedInTheMiddle(5),
        Self::CoarseLook,
    ];

    /// For people.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Jpeg(quality) => format!("JPEG, quality {quality}"),
            Self::Resampled => "scaled to a half and back".into(),
            Self::Brighter(percent) => format!("{percent} % brighter"),
            Self::Watermark => "watermark".into(),
            Self::Pasted(percent) => format!("object in a corner, {percent} % of the area"),
            Self::PastedInTheMiddle(percent) => format!("object in the middle, {percent} % of the area"),
            Self::CoarseLook => "other details under the same coarse look".into(),
        }
    }

    /// The changed picture, of the same size.
    pub fn apply(self, picture: &RgbImage) -> image::ImageResult<RgbImage> {
        let (width, height) = picture.dimensions();
        let mut edited = picture.clone();
        match self {
            Self::Jpeg(quality) => {
                let mut bytes = Vec::new();
                JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture)?;
                let reader = image::ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
                edited = reader.decode()?.into_rgb8();
            }
            Self::Resampled => {
                let half = imageops::resize(picture, width.div_ceil(2), height.div_ceil(2), FilterType::Lanczos3);
                edited = imageops::resize(&half, width, height, FilterType::Lanczos3);
            }
            Self::Brighter(percent) => {
                let brighter = |channel: u8| (u32::from(channel) * (100 + u32::from(percent)) / 100).min(255) as u8;
                edited.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(brighter));
            }
            Self::Watermark => {
                let mixed = |channel: u8| channel / 2 + 128;
                paint(&mut edited, (width - width / 4, height - height / 4), (width / 4, height / 4), mixed);
            }
            Self::Pasted(percent) => {
                let (wide, high) = square(width, height, percent);
                paint(&mut edited, (0, height - high), (wide, high), opposite);
            }
            Self::PastedInTheMiddle(percent) => {
                let (wide, high) = square(width, height, percent);
                paint(&mut edited, ((width - wide) / 2, (height - high) / 2), (wide, high), opposite);
            }
            Self::CoarseLook => {
                edited = imageops::rotate180(picture);
                let (theirs, ours) = (coarse(&edited), coarse(picture));
                for ((pixel, theirs), ours) in edited.pixels_mut().zip(theirs.pixels()).zip(ours.pixels()) {
                    for ((channel, theirs), ours) in pixel.0.iter_mut().zip(theirs.0).zip(ours.0) {
                        let given = i16::from(*channel) + i16::from(ours) - i16::from(theirs);
                        *channel = given.clamp(0, 255) as u8;
                    }
                }
            }
        }
        Ok(edited)
    }
}

/// A rectangle of the picture's proportions and so many percent of its area.
fn square(width: u32, height: u32, percent: u8) -> (u32, u32) {
    let side = |whole: u32| (f64::from(whole) * (f64::from(percent) / 100.0).sqrt()).round() as u32;
    (side(width), side(height))
}

/// What 16x16 pixels show of it.
fn coarse(picture: &RgbImage) -> RgbImage {
    let small = imageops::resize(picture, 16, 16, FilterType::Triangle);
    imageops::resize(&small, picture.width(), picture.height(), FilterType::CatmullRom)
}

/// Black or white, whichever is further away.
fn opposite(channel: u8) -> u8 {
    if channel < 128 { 255 } else { 0 }
}

fn paint(picture: &mut RgbImage, (left, top): (u32, u32), (wide, high): (u32, u32), colour: impl Fn(u8) -> u8) {
    for y in top..top + high {
        for x in left..left + wide {
            let Rgb(channels) = picture.get_pixel_mut(x, y);
            *channels = channels.map(&colour);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| Rgb([(4 * x) as u8, (3 * y) as u8, (x * y / 16) as u8]))
    }

    #[test]
    fn each_changes_the_picture_and_keeps_its_size() {
        for edit in Edit::ALL {
            let edited = edit.apply(&picture()).unwrap();
            assert_eq!(edited.dimensions(), (64, 64), "{}", edit.name());
            assert_ne!(edited, picture(), "{}", edit.name());
        }
    }

    #[test]
    fn an_object_covers_its_share_of_the_area() {
        for (percent, pixels) in [(1, 36), (2, 81), (5, 196), (10, 400)] {
            let edited = Edit::Pasted(percent).apply(&picture()).unwrap();
            let changed = edited.pixels().zip(picture().pixels()).filter(|(one, other)| one != other).count();
            assert_eq!(changed, pixels, "{percent} % of 4096");
        }
    }
}
