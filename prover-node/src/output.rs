//! Output files: a picture's PNG or a text's JSON, their content hash, and where they are kept.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

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
    /// Bytes of all files together at most, after [`Self::prune`].
    limit: u64,
    size: Arc<AtomicU64>,
}

/// A file in the folder.
struct Kept {
    path: PathBuf,
    written: SystemTime,
    size: u64,
}

impl OutputStore {
    /// Opens the folder, and makes it if there is none; it is to hold `limit` bytes at most.
    pub fn open(folder: impl Into<PathBuf>, limit: u64) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let size = kept_in(&folder)?.iter().map(|file| file.size).sum();
        Ok(Self { folder, limit, size: Arc::new(AtomicU64::new(size)) })
    }

    /// Keeps `file`; on disk when this returns. Putting it twice is the same as once.
    pub fn put(&self, file: &File) -> io::Result<PathBuf> {
        let path = self.path(file.content_hash, file.format);
        if !path.exists() {
            write_atomically(&path, &file.bytes)?;
            self.size.fetch_add(file.bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(path)
    }

    /// Whether there is more than there should be.
    #[must_use]
    pub fn is_over_its_limit(&self) -> bool {
        self.size.load(Ordering::Relaxed) > self.limit
    }

    /// Removes the oldest files, though none of `needed`, until a tenth of the limit is free, and returns how many went.
    pub fn prune(&self, needed: &HashSet<B256>) -> io::Result<usize> {
        let mut files = kept_in(&self.folder)?;
        files.sort_by_key(|file| file.written);
        let (mut size, mut removed) = (files.iter().map(|file| file.size).sum::<u64>(), 0);
        for file in files {
            if size <= self.limit - self.limit / 10 {
                break;
            }
            if content_hash_of(&file.path).is_some_and(|hash| !needed.contains(&hash)) {
                fs::remove_file(&file.path)?;
                (size, removed) = (size - file.size, removed + 1);
            }
        }
        self.size.store(size, Ordering::Relaxed);
        Ok(removed)
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

fn kept_in(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (path, metadata) = (entry.as_ref().map(fs::DirEntry::path), entry.as_ref().map(fs::DirEntry::metadata));
        if let (Ok(path), Ok(Ok(metadata))) = (path, metadata) {
            files.push(Kept { path, written: metadata.modified()?, size: metadata.len() });
        }
    }
    Ok(files)
}

/// None for what is not ours.
fn content_hash_of(path: &Path) -> Option<B256> {
    path.file_stem()?.to_str()?.parse().ok()
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
        let store = OutputStore::open(folder.path().join("outputs"), u64::MAX).unwrap();
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

    #[test]
    fn the_oldest_go_first_and_what_is_needed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["the first", "the second", "a third", "a fourth"];
        let file = |text: &str| File::of(&Output::Text(Text { text: text.to_owned(), tokens: Vec::new() })).unwrap();
        let files = texts.map(file);
        let size = files.iter().map(|file| file.bytes().len() as u64).sum::<u64>();
        let store = OutputStore::open(folder.path(), size - 1).unwrap();
        for (file, age) in files.iter().zip([40, 30, 20, 10]) {
            let path = store.put(file).unwrap();
            let written = SystemTime::now() - std::time::Duration::from_secs(age);
            fs::File::open(path).unwrap().set_modified(written).unwrap();
        }
        fs::write(folder.path().join("not ours"), "").unwrap();
        assert!(store.is_over_its_limit());
        let is_there = |file: &File| store.get(file.content_hash()).unwrap().is_some();

        let removed = store.prune(&HashSet::from([files[0].content_hash()])).unwrap();
        assert_eq!(removed, 1);
        assert_eq!(files.each_ref().map(is_there), [true, false, true, true]);
        assert!(!store.is_over_its_limit() && folder.path().join("not ours").exists());

        // Opened again it knows how much there is.
        assert!(OutputStore::open(folder.path(), 10).unwrap().is_over_its_limit());
    }
}
