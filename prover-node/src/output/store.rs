//! The output store: files under their content hashes, in a folder or in a bucket of S3 or of what speaks like it.

use std::{
    collections::HashSet,
    convert::Infallible,
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alloy::primitives::B256;
use futures_util::TryStreamExt as _;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path as Name, prefix::PrefixStore,
};

use super::{File, Format};

/// How long a bucket that fails is tried again. A job that cannot be stored by then declines.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where outputs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket, below a prefix that may be empty.
    S3 {
        /// Its name.
        bucket: String,
        /// Without a slash at either end.
        prefix: String,
    },
}

/// Outputs, each under its content hash; clones share it.
#[derive(Debug, Clone)]
pub struct OutputStore {
    storage: Storage,
    files: Arc<dyn ObjectStore>,
    /// Bytes of all files together at most, after [`Self::prune`].
    limit: u64,
    size: Arc<AtomicU64>,
}

/// Why outputs cannot be kept or fetched.
#[derive(Debug, thiserror::Error)]
#[error("the outputs in {storage} cannot be kept: {source}; {}", match **storage {
    Storage::Folder(_) => "make room on the disk, or name another place with --data-dir or --store",
    Storage::S3 { .. } => "check the bucket, and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
})]
pub struct StoreError {
    storage: Box<Storage>,
    source: Box<object_store::Error>,
}

type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    fn new(storage: &Storage, source: object_store::Error) -> Self {
        Self { storage: storage.clone().into(), source: source.into() }
    }
}

impl Storage {
    /// A part of it, for one of those that share it.
    #[must_use]
    pub fn part(self, name: &str) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.join(name)),
            Self::S3 { bucket, prefix } if prefix.is_empty() => Self::S3 { bucket, prefix: name.to_owned() },
            Self::S3 { bucket, prefix } => Self::S3 { bucket, prefix: format!("{prefix}/{name}") },
        }
    }

    fn open(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        match self {
            Self::Folder(folder) => Ok(Arc::new(open_folder(folder)?)),
            Self::S3 { bucket, prefix } => {
                let retry = RetryConfig { retry_timeout: PATIENCE, ..RetryConfig::default() };
                let bucket = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).build()?;
                Ok(Arc::new(PrefixStore::new(bucket, prefix.as_str())))
            }
        }
    }
}

/// Makes it if there is none.
fn open_folder(folder: &Path) -> object_store::Result<LocalFileSystem> {
    let unusable = |source: io::Error| object_store::Error::Generic { store: "folder", source: source.into() };
    fs::create_dir_all(folder).map_err(unusable)?;
    // On disk before a commitment depends on it.
    Ok(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
}

impl OutputStore {
    /// Opens the storage; it is to hold `limit` bytes at most.
    pub async fn open(storage: Storage, limit: u64) -> Result<Self> {
        let files = storage.open().map_err(|source| StoreError::new(&storage, source))?;
        let store = Self { storage, files, limit, size: Arc::default() };
        let size = store.kept().await?.iter().map(|file| file.size).sum();
        store.size.store(size, Ordering::Relaxed);
        Ok(store)
    }

    /// Keeps `file`; it is safe when this returns. Putting it twice is the same as once.
    pub async fn put(&self, file: &File) -> Result<()> {
        let name = name_of(file.content_hash, file.format);
        if self.found(self.files.head(&name).await)?.is_none() {
            self.check(self.files.put(&name, file.bytes.clone().into()).await)?;
            self.size.fetch_add(file.bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether there is more than there should be.
    #[must_use]
    pub fn is_over_its_limit(&self) -> bool {
        self.size.load(Ordering::Relaxed) > self.limit
    }

    /// Removes the oldest files, though none of `needed`, until a tenth of the limit is free, and returns how many went.
    pub async fn prune(&self, needed: &HashSet<B256>) -> Result<usize> {
        let mut files = self.kept().await?;
        files.sort_by_key(|file| file.last_modified);
        let (mut size, mut removed) = (files.iter().map(|file| file.size).sum::<u64>(), 0);
        for file in files {
            if size <= self.limit - self.limit / 10 {
                break;
            }
            if content_hash_of(&file.location).is_some_and(|hash| !needed.contains(&hash)) {
                self.check(self.files.delete(&file.location).await)?;
                (size, removed) = (size - file.size, removed + 1);
            }
        }
        self.size.store(size, Ordering::Relaxed);
        Ok(removed)
    }

    /// The file with this content hash, if it is here.
    pub async fn get(&self, content_hash: B256) -> Result<Option<File>> {
        for format in Format::ALL {
            if let Some(found) = self.found(self.files.get(&name_of(content_hash, format)).await)? {
                let bytes = self.check(found.bytes().await)?;
                return Ok(Some(File { bytes, format, content_hash }));
            }
        }
        Ok(None)
    }

    async fn kept(&self) -> Result<Vec<ObjectMeta>> {
        self.check(self.files.list(None).try_collect().await)
    }

    fn found<T>(&self, result: object_store::Result<T>) -> Result<Option<T>> {
        match result {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            other => self.check(other.map(Some)),
        }
    }

    fn check<T>(&self, result: object_store::Result<T>) -> Result<T> {
        result.map_err(|source| StoreError::new(&self.storage, source))
    }
}

fn name_of(content_hash: B256, format: Format) -> Name {
    Name::from(format!("{content_hash:#x}.{}", format.extension()))
}

/// None for what is not ours.
fn content_hash_of(name: &Name) -> Option<B256> {
    name.filename()?.split('.').next()?.parse().ok()
}

impl FromStr for Storage {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        let Some(place) = text.strip_prefix("s3://") else { return Ok(Self::Folder(text.into())) };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use image::RgbImage;
    use oracle::output::{Output, Text};

    use super::*;

    fn gradient() -> RgbImage {
        RgbImage::from_fn(16, 8, |x, y| image::Rgb([x as u8 * 16, y as u8 * 32, 7]))
    }

    async fn open(folder: &Path, limit: u64) -> OutputStore {
        OutputStore::open(Storage::Folder(folder.to_owned()), limit).await.unwrap()
    }

    #[tokio::test]
    async fn outputs_are_found_by_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("outputs"), u64::MAX).await;
        let text = Text { text: "a \"fox\"".to_owned(), tokens: vec![7, 0] };
        for (output, format) in [(Output::Picture(gradient()), Format::Png), (Output::Text(text), Format::Json)] {
            let file = File::of(&output).unwrap();
            assert_eq!(file.format(), format);
            assert_eq!(store.get(file.content_hash()).await.unwrap(), None);
            store.put(&file).await.unwrap();
            store.put(&file).await.unwrap();
            assert_eq!(store.get(file.content_hash()).await.unwrap(), Some(file.clone()));
            let name = format!("outputs/{:#x}.{}", file.content_hash(), format.extension());
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), file.bytes().as_ref());
        }
        assert_eq!(fs::read_dir(folder.path().join("outputs")).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn the_oldest_go_first_and_what_is_needed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["the first", "the second", "a third", "a fourth"];
        let file = |text: &str| File::of(&Output::Text(Text { text: text.to_owned(), tokens: Vec::new() })).unwrap();
        let files = texts.map(file);
        let size = files.iter().map(|file| file.bytes().len() as u64).sum::<u64>();
        let store = open(folder.path(), size - 1).await;
        for (file, age) in files.iter().zip([40, 30, 20, 10]) {
            store.put(file).await.unwrap();
            let path = folder.path().join(format!("{:#x}.json", file.content_hash()));
            let written = std::time::SystemTime::now() - Duration::from_secs(age);
            fs::File::open(path).unwrap().set_modified(written).unwrap();
        }
        fs::write(folder.path().join("not ours"), "").unwrap();
        assert!(store.is_over_its_limit());

        let removed = store.prune(&HashSet::from([files[0].content_hash()])).await.unwrap();
        assert_eq!(removed, 1);
        for (file, is_there) in files.iter().zip([true, false, true, true]) {
            assert_eq!(store.get(file.content_hash()).await.unwrap().is_some(), is_there);
        }
        assert!(!store.is_over_its_limit() && folder.path().join("not ours").exists());

        // Opened again it knows how much there is.
        assert!(open(folder.path(), 10).await.is_over_its_limit());
    }

    #[test]
    fn a_storage_is_typed_as_it_is_shown() {
        for text in ["s3://bucket/a/b", "/srv/outputs"] {
            assert_eq!(text.parse::<Storage>().map(|storage| storage.to_string()), Ok(text.to_owned()));
        }
        let bucket: Storage = "s3://bucket".parse().unwrap();
        assert_eq!(bucket.part("operator").to_string(), "s3://bucket/operator");
        assert_eq!("s3://bucket/a/".parse::<Storage>().unwrap().part("operator").to_string(), "s3://bucket/a/operator");
    }
}
