//! Output files: a picture's PNG or a text's JSON, their content hash, and where they are kept.

mod store;

use alloy::primitives::B256;
use axum::body::Bytes;
use image::{
    ExtendedColorType, ImageEncoder, ImageFormat, ImageResult, RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use oracle::output::Output;
use sha2::{Digest, Sha256};

pub use self::store::{OutputStore, Storage, StoreError};

/// An output as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    bytes: Bytes,
    format: Format,
    content_hash: B256,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A picture.
    Png,
    /// A text with its tokens.
    Json,
}

/// Why an output cannot be written down, or not read.
#[derive(Debug, thiserror::Error)]
pub enum EncodingError {
    /// A picture that is none.
    #[error(transparent)]
    Png(#[from] image::ImageError),
    /// A text that is none.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Format {
    const ALL: [Self; 2] = [Self::Png, Self::Json];

    /// As HTTP says it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Json => "application/json",
        }
    }

    /// With this at the end of its files' names.
    #[must_use]
    pub fn with_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// Of a file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Json => "json",
        }
    }
}

impl File {
    /// The same output gives the same bytes: a picture's filter and compression are fixed.
    pub fn of(output: &Output) -> Result<Self, EncodingError> {
        Ok(match output {
            Output::Picture(picture) => Self::new(Format::Png, png(picture)?),
            Output::Text(text) => Self::new(Format::Json, text.to_bytes()?),
        })
    }

    fn new(format: Format, bytes: Vec<u8>) -> Self {
        let content_hash = B256::from_slice(&Sha256::digest(&bytes));
        Self { bytes: bytes.into(), format, content_hash }
    }

    /// What such a file holds.
    pub fn read(format: Format, bytes: &[u8]) -> Result<Output, EncodingError> {
        Ok(match format {
            Format::Png => Output::Picture(image::load_from_memory_with_format(bytes, ImageFormat::Png)?.into_rgb8()),
            Format::Json => Output::Text(serde_json::from_slice(bytes)?),
        })
    }

    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What it is.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// sha256 of the bytes: its name at `/outputs/{hash}`.
    #[must_use]
    pub fn content_hash(&self) -> B256 {
        self.content_hash
    }
}

fn png(picture: &RgbImage) -> ImageResult<Vec<u8>> {
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Paeth);
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8)?;
    Ok(png)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oracle::output::Text;

    use super::*;

    fn gradient() -> RgbImage {
        RgbImage::from_fn(16, 8, |x, y| image::Rgb([x as u8 * 16, y as u8 * 32, 7]))
    }

    #[test]
    fn the_same_pixels_are_the_same_file() {
        let picture = Output::Picture(gradient());
        let file = File::of(&picture).unwrap();
        assert_eq!(file, File::of(&picture).unwrap());
        assert_eq!(file.content_hash(), B256::from_slice(&Sha256::digest(file.bytes())));
        assert_eq!(image::load_from_memory(file.bytes()).unwrap().to_rgb8(), gradient());
    }

    #[test]
    fn what_a_file_holds_can_be_read_again() {
        let text = Text { text: "a \"fox\"".to_owned(), tokens: vec![7, 0] };
        for output in [Output::Picture(gradient()), Output::Text(text)] {
            let file = File::of(&output).unwrap();
            assert_eq!(File::read(file.format(), file.bytes()).unwrap(), output);
        }
        assert!(File::read(Format::Png, b"{}").is_err() && File::read(Format::Json, b"[]").is_err());
    }
}
