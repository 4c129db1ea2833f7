//! Data sets: the digests of many jobs, all made in one way, as a Parquet file that says which way that was.
//!
//! | column | type | |
//! | --- | --- | --- |
//! | `prompt` | string | what was asked for: the class of a job |
//! | `seed` | uint32 | the number that a picture's noise seed is; 0 of texts, but for those that were drawn by chance |
//! | `digest` | 32 bytes | see [`Digest`] |
//! | `seconds` | float | that it took |
//! | `margin` | float | only of sets with texts that were checked: see [`Row::margin`] |
//!
//! Rows lie in no particular order, each job once. The file's metadata have the [`Provenance`] as JSON, under `quorate`.

mod error;

use std::{collections::HashSet, fs::File, panic::AssertUnwindSafe, path::Path, sync::Arc};

use alloy::primitives::{B256, U256};
use parquet::{
    basic::{LogicalType, Repetition, Type as Physical},
    column::reader::ColumnReader,
    data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type},
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        reader::{FileReader, RowGroupReader, SerializedFileReader},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};
use serde::{Deserialize, Serialize};

pub use self::error::DatasetError;
use crate::{digest::Digest, files::write_atomically, panics::without_panic, spec::Spec};

/// What its provenance is called in a file's metadata.
const KEY: &str = "quorate";

/// Rows that are read or written together.
const GROUP: usize = 1 << 16;

/// How the digests of a data set came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The model's name.
    pub model: String,
    /// The model's [`files_hash`](crate::manifest::Manifest::files_hash): its tolerance profile comes of what is measured.
    pub files: B256,
    /// Every job's, without its prompt.
    pub spec: Spec,
    /// What computed, and how: device, arithmetic and order of the sums.
    pub device_profile: String,
    /// The processor or GPU.
    pub machine: String,
    /// The program that made it.
    pub build: String,
    /// What was done that an honest verifier does not do; none of honest sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraud: Option<String>,
    /// Which digest it is, where it is not the protocol's: one that was tried out beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// One job's digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was asked for.
    pub prompt: Arc<str>,
    /// Of a picture's noise: see [`noise_seed`].
    pub seed: u32,
    /// What came out.
    pub digest: Digest,
    /// How long it took.
    pub seconds: f32,
    /// Of a text that was checked, by how many logits its least likely token is below the likeliest, each after the tokens
    /// before it: a check that tolerates as much accepts it. Infinite if no tolerance would do, since it does not end where
    /// it must.
    pub margin: Option<f32>,
}

/// A data set in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Of all its rows.
    pub provenance: Provenance,
    /// Each job once.
    pub rows: Vec<Row>,
}

/// A file that is read piece by piece: it may be larger than memory.
pub struct Reader {
    file: SerializedFileReader<File>,
    provenance: Provenance,
}

impl Provenance {
    /// Whether digests of the one can be held against those of the other: of the same model, spec and kind of digest.
    #[must_use]
    pub fn same_jobs(&self, other: &Self) -> bool {
        (self.files, &self.spec, &self.digest) == (other.files, &other.spec, &other.digest)
    }
}

/// The noise seed that a number stands for: the number itself.
#[must_use]
pub fn noise_seed(seed: u32) -> B256 {
    U256::from(seed).into()
}

impl Dataset {
    /// Reads a whole file.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let reader = Reader::open(path)?;
        let mut rows = Vec::new();
        for group in reader.groups() {
            rows.extend(group.map_err(|reason| DatasetError::unreadable(path, reason))?);
        }
        let mut seen = HashSet::new();
        if let Some(row) = rows.iter().position(|row: &Row| !seen.insert((row.prompt.clone(), row.seed))) {
            let Row { prompt, seed, .. } = &rows[row];
            return Err(DatasetError::Twice {
                path: path.to_owned(),
                row: row + 1,
                prompt: prompt.to_string(),
                seed: *seed,
            });
        }
        Ok(Self { provenance: reader.provenance, rows })
    }

    /// Writes it in the place of what is there; whoever reads meanwhile sees the one or the other.
    pub fn write(&self, path: &Path) -> Result<(), DatasetError> {
        let bytes = self.to_bytes().map_err(|reason| DatasetError::unreadable(path, reason))?;
        write_atomically(path, &bytes).map_err(|source| DatasetError::Write { path: path.to_owned(), source })
    }

    /// The same set always makes the same bytes.
    fn to_bytes(&self) -> ParquetResult<Vec<u8>> {
        let provenance =
            serde_json::to_string(&self.provenance).map_err(|error| ParquetError::External(error.into()))?;
        let properties = WriterProperties::builder()
            .set_key_value_metadata(Some(vec![KeyValue::new(KEY.to_owned(), provenance)]))
            .set_created_by("quorate".to_owned())
            .build();
        let mut bytes = Vec::new();
        let checked = self.rows.iter().any(|row| row.margin.is_some());
        let mut file = SerializedFileWriter::new(&mut bytes, Arc::new(schema(checked)?), Arc::new(properties))?;
        for rows in self.rows.chunks(GROUP) {
            let mut group = file.next_row_group()?;
            let prompts: Vec<_> = rows.iter().map(|row| ByteArray::from(&*row.prompt)).collect();
            put::<ByteArrayType>(&mut group, &prompts, None)?;
            let seeds: Vec<_> = rows.iter().map(|row| row.seed.cast_signed()).collect();
            put::<Int32Type>(&mut group, &seeds, None)?;
            let digests: Vec<_> =
                rows.iter().map(|row| FixedLenByteArray::from(ByteArray::from(row.digest.0.to_vec()))).collect();
            put::<FixedLenByteArrayType>(&mut group, &digests, None)?;
            let seconds: Vec<_> = rows.iter().map(|row| row.seconds).collect();
            put::<FloatType>(&mut group, &seconds, None)?;
            if checked {
                let margins: Vec<_> = rows.iter().filter_map(|row| row.margin).collect();
                let is_there: Vec<_> = rows.iter().map(|row| i16::from(row.margin.is_some())).collect();
                put::<FloatType>(&mut group, &margins, Some(&is_there))?;
            }
            group.close()?;
        }
        file.close()?;
        Ok(bytes)
    }
}

impl Reader {
    /// Reads what a file says of itself.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
        let unreadable = |reason| DatasetError::unreadable(path, reason);
        let file = SerializedFileReader::new(file).map_err(unreadable)?;
        let metadata = file.metadata().file_metadata();
        let known = [schema(false), schema(true)].into_iter().collect::<ParquetResult<Vec<_>>>().map_err(unreadable)?;
        if !known.iter().any(|known| known.get_fields() == metadata.schema().get_fields()) {
            return Err(DatasetError::Columns(path.to_owned()));
        }
        let said = metadata.key_value_metadata().into_iter().flatten().find(|pair| pair.key == KEY);
        let said = said.and_then(|pair| pair.value.as_ref()).ok_or_else(|| DatasetError::Columns(path.to_owned()))?;
        let provenance =
            serde_json::from_str(said).map_err(|source| DatasetError::Provenance { path: path.to_owned(), source })?;
        Ok(Self { file, provenance })
    }

    /// How its digests came to be.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// How many there are.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.file.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// All rows, some at a time.
    pub fn groups(&self) -> impl Iterator<Item = ParquetResult<Vec<Row>>> {
        (0..self.file.num_row_groups()).map(|group| {
            let rows = AssertUnwindSafe(|| rows_of(&*self.file.get_row_group(group)?));
            // The library panics over some damage.
            without_panic(rows).map_err(ParquetError::General).flatten()
        })
    }
}

fn rows_of(group: &dyn RowGroupReader) -> ParquetResult<Vec<Row>> {
    let count = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    let (mut prompts, mut seeds, mut digests, mut seconds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut margins, mut is_there) = (Vec::new(), Vec::new());
    for column in 0..group.num_columns() {
        let (read, ..) = match group.get_column_reader(column)? {
            ColumnReader::ByteArrayColumnReader(mut reader) => reader.read_records(count, None, None, &mut prompts)?,
            ColumnReader::Int32ColumnReader(mut reader) => reader.read_records(count, None, None, &mut seeds)?,
            ColumnReader::FixedLenByteArrayColumnReader(mut reader) => {
                reader.read_records(count, None, None, &mut digests)?
            }
            ColumnReader::FloatColumnReader(mut reader) if column == 3 => {
                reader.read_records(count, None, None, &mut seconds)?
            }
            ColumnReader::FloatColumnReader(mut reader) => {
                reader.read_records(count, Some(&mut is_there), None, &mut margins)?
            }
            _ => return Err(ParquetError::General("a column of another type".into())),
        };
        if read != count {
            return Err(ParquetError::EOF(format!("{read} rows of a column, and not {count}")));
        }
    }

    is_there.resize(count, 0);
    let mut margins = margins.into_iter();
    let mut known = HashSet::<Arc<str>>::new();
    let mut rows = Vec::with_capacity(count);
    let columns = prompts.iter().zip(seeds).zip(digests).zip(seconds).zip(is_there);
    for ((((prompt, seed), digest), seconds), is_there) in columns {
        let prompt = prompt.as_utf8()?;
        let prompt = known.get(prompt).cloned().unwrap_or_else(|| {
            let prompt: Arc<str> = prompt.into();
            known.insert(prompt.clone());
            prompt
        });
        let digest = <[u8; 32]>::try_from(digest.data()).map_err(|error| ParquetError::External(error.into()))?;
        let margin = if is_there == 0 { None } else { margins.next() };
        rows.push(Row { prompt, seed: seed.cast_unsigned(), digest: Digest(digest), seconds, margin });
    }
    Ok(rows)
}

/// Values of the next column, and of an optional one which rows have one.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    is_there: Option<&[i16]>,
) -> ParquetResult<()> {
    let mut column = group.next_column()?.ok_or_else(|| ParquetError::General("no such column".into()))?;
    column.typed::<T>().write_batch(values, is_there, None)?;
    column.close()
}

/// The columns, with the optional one if texts were checked.
fn schema(checked: bool) -> ParquetResult<Type> {
    let column = |name, physical| Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
    let unsigned = LogicalType::integer(32, false);
    let columns = [
        column("prompt", Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()?,
        column("seed", Physical::INT32).with_logical_type(Some(unsigned)).build()?,
        column("digest", Physical::FIXED_LEN_BYTE_ARRAY).with_length(32).build()?,
        column("seconds", Physical::FLOAT).build()?,
    ];
    let margin = Type::primitive_type_builder("margin", Physical::FLOAT).with_repetition(Repetition::OPTIONAL);
    let columns = columns.into_iter().chain(checked.then(|| margin.build()).transpose()?);
    Type::group_type_builder("digests").with_fields(columns.map(Arc::new).collect()).build()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use std::fs;

    use alloy::primitives::keccak256;

    use super::*;
    use crate::spec::{ImageSpec, Prompt, Solver};

    /// Of the bundled model, with so many steps.
    pub(crate) fn provenance(device_profile: &str, steps: u32) -> Provenance {
        let spec = ImageSpec {
            prompt: Prompt::default(),
            negative_prompt: Prompt::default(),
            width: 64,
            height: 64,
            steps,
            solver: Solver::Ddim,
            guidance: 3_000,
            seed: B256::ZERO,
        };
        Provenance {
            model: "emoji-64".into(),
            files: B256::repeat_byte(1),
            spec: Spec::Image(spec),
            device_profile: device_profile.into(),
            machine: "a machine".into(),
            build: "0.1.0".into(),
            fraud: None,
            digest: None,
        }
    }

    fn dataset(rows: u32) -> Dataset {
        let row = |number: u32| Row {
            prompt: ["a fox", "ein Fuchs, grün"][number as usize % 2].into(),
            seed: number,
            digest: keccak256(number.to_be_bytes()).into(),
            seconds: 0.5,
            margin: None,
        };
        Dataset { provenance: provenance("cpu f32 batched full", 20), rows: (0..rows).map(row).collect() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.parquet");
        for rows in [0, 1, 70_000] {
            let written = dataset(rows);
            written.write(&path).unwrap();
            assert_eq!(Dataset::read(&path).unwrap(), written);
            let reader = Reader::open(&path).unwrap();
            assert_eq!(reader.rows(), u64::from(rows));
            let counts: Vec<_> = reader.groups().map(|group| group.unwrap().len()).collect();
            assert_eq!(counts.iter().sum::<usize>(), rows as usize);
            assert!(counts.iter().all(|&count| count <= GROUP), "{counts:?}");
        }
    }

    #[test]
    fn margins_are_those_of_the_rows_that_have_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.parquet");
        let mut written = dataset(70_000);
        for (row, margin) in written.rows.iter_mut().step_by(3).zip([0.0, 0.25, f32::INFINITY].into_iter().cycle()) {
            row.margin = Some(margin);
        }
        written.write(&path).unwrap();
        assert_eq!(Dataset::read(&path).unwrap(), written);
    }

    #[test]
    fn a_damaged_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.parquet");
        let whole = dataset(100).to_bytes().unwrap();
        for length in [0, 3, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = Dataset::read(&path).unwrap_err().to_string();
            assert!(error.contains("set.parquet"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(Dataset::read(&path), Err(DatasetError::Read { .. })));
    }

    #[test]
    fn a_flipped_bit_is_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.parquet");
        let whole = dataset(20).to_bytes().unwrap();
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1 << (byte % 8);
            fs::write(&path, damaged).unwrap();
            let _ = Dataset::read(&path);
        }
    }

    #[test]
    fn a_job_that_is_there_twice_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.parquet");
        let mut twice = dataset(5);
        twice.rows.push(twice.rows[2].clone());
        twice.write(&path).unwrap();
        let error = Dataset::read(&path).unwrap_err();
        assert!(matches!(&error, DatasetError::Twice { row: 6, seed: 2, .. }), "{error}");
    }
}
