//! Output files: a picture's PNG or a text's JSON, their content hash, and where they are kept.

use std::{fs, io, path::PathBuf};

use alloy::primitives::B256;
use image::{
    ExtendedColorType, ImageEncoder, ImageResult, RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use oracle::{files::write_atomically, output::Output};
use sha2::{Digest, Sha256};

/// An output as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    bytes: Vec<u8>,
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

/// Why an output cannot be written down.
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
        Self { bytes, format, content_hash }
    }

    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
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

/// A folder of outputs, each under its content hash.
#[derive(Debug, Clone)]
pub struct OutputStore {
    folder: PathBuf,
}

impl OutputStore {
    /// Opens the folder, and makes it if there is none.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Keeps `file`; on disk when this returns. Putting it twice is the same as once.
    pub fn put(&self, file: &File) -> io::Result<PathBuf> {
        let path = self.path(file.content_hash, file.format);
        if !path.exists() {
            write_atomically(&path, &file.bytes)?;
        }
        Ok(path)
    }

    /// The file with this content hash, if it is here.
    pub fn get(&self, content_hash: B256) -> io::Result<Option<File>> {
        for format in Format::ALL {
            match fs::read(self.path(content_hash, format)) {
                Ok(bytes) => return Ok(Some(File { bytes, format, content_hash })),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn path(&self, content_hash: B256, format: Format) -> PathBuf {
        self.folder.join(format!("{content_hash:#x}.{}", format.extension()))
    }
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
    fn outputs_are_found_by_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let store = OutputStore::open(folder.path().join("outputs")).unwrap();
        let text = Text { text: "a \"fox\"".to_owned(), tokens: vec![7, 0] };
        for (output, format) in [(Output::Picture(gradient()), Format::Png), (Output::Text(text), Format::Json)] {
            let file = File::of(&output).unwrap();
            assert_eq!(file.format(), format);
            assert_eq!(store.get(file.content_hash()).unwrap(), None);
            store.put(&file).unwrap();
            store.put(&file).unwrap();
            assert_eq!(store.get(file.content_hash()).unwrap(), Some(file));
        }
        assert_eq!(fs::read_dir(folder.path().join("outputs")).unwrap().count(), 2);
    }
}
