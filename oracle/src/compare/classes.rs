//! Classes: the digests of data sets by what was asked for. The sets may be larger than memory: they are read once for
//! each part of the classes that fits, which misses no pair, as no class is in two parts.

use std::{
    collections::{HashMap, HashSet},
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Columns;
use crate::dataset::{DatasetError, Reader};

/// Data sets whose classes are taken together.
pub struct Classes {
    files: Vec<(PathBuf, Reader)>,
    parts: u64,
}

/// Why the digests cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClassesError {
    /// A file is no data set, or a damaged one, or has a job twice.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing to read.
    #[error("{} has no file that ends with .parquet", .0.display())]
    Empty(PathBuf),
    /// Their digests cannot be compared.
    #[error("{} is of other jobs than {}: the model, the spec or what was done to it differs", path.display(), first.display())]
    OtherJobs {
        /// The file.
        path: PathBuf,
        /// The one that came first.
        first: PathBuf,
    },
}

impl Classes {
    /// Opens files, and those in folders that end with `.parquet`. All must be of the same model and spec; what computed
    /// them may differ. About `at_once` digests are in memory at a time: more if a class is larger.
    pub fn open(paths: &[PathBuf], at_once: u64) -> Result<Self, ClassesError> {
        let mut files: Vec<(PathBuf, Reader)> = Vec::new();
        for path in paths {
            for path in files_of(path)? {
                let reader = Reader::open(&path)?;
                if let Some((first, known)) = files.first() {
                    let (mine, theirs) = (reader.provenance(), known.provenance());
                    if !mine.same_jobs(theirs) || mine.fraud != theirs.fraud {
                        return Err(ClassesError::OtherJobs { path, first: first.clone() });
                    }
                }
                files.push((path, reader));
            }
        }
        let rows: u64 = files.iter().map(|(_, reader)| reader.rows()).sum();
        Ok(Self { files, parts: rows.div_ceil(at_once.max(1)).max(1) })
    }

    /// How many times the files are read.
    #[must_use]
    pub fn parts(&self) -> u64 {
        self.parts
    }

    /// How many digests there are, in all parts.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|(_, reader)| reader.rows()).sum()
    }

    /// The classes of a part, from 0. A job that is there twice is an error: it is no pair of different jobs.
    pub fn part(&self, part: u64) -> Result<Vec<Columns>, ClassesError> {
        let (mut classes, mut known, mut seen) = (Vec::new(), HashMap::<Arc<str>, usize>::new(), HashSet::new());
        for (path, reader) in &self.files {
            let mut number = 0;
            for group in reader.groups() {
                let rows = group.map_err(|reason| DatasetError::Unreadable { path: path.clone(), reason })?;
                for row in rows {
                    number += 1;
                    if self.part_of(&row.prompt) != part {
                        continue;
                    }
                    let class = *known.entry(row.prompt.clone()).or_insert(classes.len());
                    if class == classes.len() {
                        classes.push(Columns::default());
                    }
                    if !seen.insert((class, row.seed)) {
                        let (path, prompt) = (path.clone(), row.prompt.to_string());
                        return Err(DatasetError::Twice { path, row: number, prompt, seed: row.seed }.into());
                    }
                    classes[class].push(&row.digest);
                }
            }
        }
        Ok(classes)
    }

    fn part_of(&self, prompt: &str) -> u64 {
        if self.parts == 1 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        prompt.hash(&mut hasher);
        hasher.finish() % self.parts
    }
}

/// The file itself, or those of a folder by name.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, ClassesError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |source| ClassesError::Folder { path: path.to_owned(), source };
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "parquet"));
    files.sort();
    if files.is_empty() {
        return Err(ClassesError::Empty(path.to_owned()));
    }
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::keccak256;

    use super::*;
    use crate::{
        compare::{Histogram, Pairs, largest},
        dataset::{Dataset, Row, tests::provenance},
    };

    /// Jobs by class and seed.
    fn write(path: &Path, jobs: &[(&str, u32)], steps: u32) {
        let row = |&(prompt, seed): &(&str, u32)| Row {
            prompt: prompt.into(),
            seed,
            digest: keccak256(format!("{prompt}{seed}")).into(),
            seconds: 0.5,
            margin: None,
        };
        Dataset { provenance: provenance("cpu", steps), rows: jobs.iter().map(row).collect() }.write(path).unwrap();
    }

    fn counted(classes: &Classes) -> Histogram {
        let mut all = Histogram::EMPTY;
        for part in 0..classes.parts() {
            let sets = classes.part(part).unwrap();
            all.add(&largest(&sets.iter().map(Pairs::Within).collect::<Vec<_>>()));
        }
        all
    }

    #[test]
    fn parts_miss_no_pair_and_files_are_taken_together() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("1.parquet"), &[("a", 1), ("b", 1), ("a", 2), ("c", 1)], 20);
        write(&folder.path().join("2.parquet"), &[("c", 2), ("a", 3), ("b", 2)], 20);
        fs::write(folder.path().join("notes.txt"), "something else").unwrap();
        let open = |at_once| Classes::open(&[folder.path().to_owned()], at_once).unwrap();
        let whole = open(100);

        assert_eq!((whole.parts(), whole.rows()), (1, 7));
        assert_eq!(whole.part(0).unwrap().iter().map(Columns::len).collect::<Vec<_>>(), [3, 2, 2]);
        assert_eq!(counted(&whole).pairs(), 3 + 1 + 1);
        for at_once in [0, 1, 2, 4] {
            let parts = open(at_once);
            assert!(parts.parts() > 1);
            assert_eq!(counted(&parts), counted(&whole));
        }
    }

    #[test]
    fn a_job_that_is_there_twice_is_named_by_file_and_row() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["1.parquet", "2.parquet"].map(|name| folder.path().join(name));
        write(&files[0], &[("a", 1)], 20);
        write(&files[1], &[("b", 1), ("a", 1)], 20);
        let error = Classes::open(&files, 10).unwrap().part(0).err().unwrap().to_string();
        assert!(error.contains("2.parquet, row 2") && error.contains("seed 1"), "{error}");
    }

    #[test]
    fn what_cannot_be_compared_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |paths: &[PathBuf]| Classes::open(paths, 10).err().unwrap().to_string();
        assert!(refused(&[folder.path().to_owned()]).contains("no file that ends with .parquet"));

        let files = ["1.parquet", "2.parquet"].map(|name| folder.path().join(name));
        write(&files[0], &[("a", 1)], 20);
        write(&files[1], &[("a", 2)], 30);
        assert!(refused(&files).contains("2.parquet is of other jobs than"), "{}", refused(&files));
        fs::write(&files[1], "not Parquet").unwrap();
        assert!(refused(&files).contains("2.parquet"), "{}", refused(&files));
    }
}
