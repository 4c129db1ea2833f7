//! Output files: a picture's PNG bytes, their content hash, and where they are kept.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use alloy::primitives::B256;
use image::{
    ExtendedColorType, ImageEncoder, ImageResult, RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

/// A picture as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    png: Vec<u8>,
    content_hash: B256,
}

impl Output {
    /// Encodes `picture`. The same pixels give the same bytes: filter and compression are fixed.
    pub fn of(picture: &RgbImage) -> ImageResult<Self> {
        let mut png = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Paeth);
        encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8)?;
        let content_hash = B256::from_slice(&Sha256::digest(&png));
        Ok(Self { png, content_hash })
    }

    /// The PNG file.
    #[must_use]
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// sha256 of the PNG file: its name at `/outputs/{hash}`.
    #[must_use]
    pub fn content_hash(&self) -> B256 {
        self.content_hash
    }
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

    /// Keeps `output`; on disk when this returns. Putting it twice is the same as once.
    pub fn put(&self, output: &Output) -> io::Result<PathBuf> {
        let path = self.path(output.content_hash);
        if !path.exists() {
            write_atomically(&path, &output.png)?;
        }
        Ok(path)
    }

    /// The file with this content hash, if it is here.
    pub fn get(&self, content_hash: B256) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(content_hash)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where the output with this content hash lies, or would.
    #[must_use]
    pub fn path(&self, content_hash: B256) -> PathBuf {
        self.folder.join(format!("{content_hash:#x}.png"))
    }
}

/// Writes `bytes` beside `path` and then moves them there, so that nobody ever sees half a file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The name is in the folder, and so the folder has to be on disk as well.
    File::open(folder)?.sync_all()
}

#[cfg(unix)]
fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // Outputs are public; tempfile alone would leave them to their owner.
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o644)).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn gradient() -> RgbImage {
        RgbImage::from_fn(16, 8, |x, y| image::Rgb([x as u8 * 16, y as u8 * 32, 7]))
    }

    #[test]
    fn the_same_pixels_are_the_same_file() {
        let output = Output::of(&gradient()).unwrap();
        assert_eq!(output, Output::of(&gradient()).unwrap());
        assert_eq!(output.content_hash(), B256::from_slice(&Sha256::digest(output.png())));
        assert_eq!(image::load_from_memory(output.png()).unwrap().to_rgb8(), gradient());
    }

    #[test]
    fn outputs_are_found_by_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let store = OutputStore::open(folder.path().join("outputs")).unwrap();
        let output = Output::of(&gradient()).unwrap();
        assert_eq!(store.get(output.content_hash()).unwrap(), None);
        store.put(&output).unwrap();
        store.put(&output).unwrap();
        assert_eq!(store.get(output.content_hash()).unwrap().as_deref(), Some(output.png()));
        assert_eq!(fs::read_dir(folder.path().join("outputs")).unwrap().count(), 1);
    }
}
