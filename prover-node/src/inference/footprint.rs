//! The footprint: how much memory a model's weights take once they are loaded, told from the heads of its files.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read},
    panic::AssertUnwindSafe,
    path::Path,
};

use candle_core::quantized::gguf_file::Content;
use oracle::{
    manifest::{Arithmetic, LocalModel, Pipeline},
    panics::without_panic,
};
use serde::Deserialize;

use super::InferenceError;

/// No head of a file in safetensors is larger: it is the format's own limit.
const LARGEST_HEAD: u64 = 100_000_000;

/// Of one tensor, in a safetensors head.
#[derive(Deserialize)]
struct Described {
    shape: Vec<u64>,
}

/// Bytes that the weights of a model take, every tensor of every pinned file, in the arithmetic that it is computed in:
/// f32 for a text, whatever they are stored in.
pub fn footprint(model: &LocalModel, arithmetic: Arithmetic) -> Result<u64, InferenceError> {
    let width = match (&model.manifest.pipeline, arithmetic) {
        (Pipeline::Text(_), _) | (_, Arithmetic::F32) => 4,
        (_, Arithmetic::F16 | Arithmetic::Bf16) => 2,
    };
    let mut numbers: u64 = 0;
    for file in &model.manifest.files {
        let path = model.path(file.path.as_str())?;
        let counted = match () {
            () if file.path.has_extension("safetensors") => in_safetensors(&path),
            () if file.path.has_extension("gguf") => in_gguf(&path),
            () => Ok(0),
        };
        numbers = numbers.saturating_add(counted.map_err(|source| InferenceError::Head { path, source })?);
    }
    Ok(numbers.saturating_mul(width))
}

/// Numbers in all tensors.
fn in_safetensors(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if size > LARGEST_HEAD {
        return Err(io::Error::other("its head is larger than any"));
    }
    let mut tensors: BTreeMap<String, serde_json::Value> = serde_json::from_reader(BufReader::new(file.take(size)))?;
    tensors.remove("__metadata__");
    let tensors = tensors.into_values().map(serde_json::from_value::<Described>);
    Ok(tensors
        .map(|tensor| Ok(product(tensor?.shape)))
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .fold(0, u64::saturating_add))
}

/// The same.
fn in_gguf(path: &Path) -> io::Result<u64> {
    let mut file = BufReader::new(File::open(path)?);
    // candle divides by an alignment that may be zero, and the file is not checked yet.
    let content = without_panic(AssertUnwindSafe(|| Content::read(&mut file))).map_err(io::Error::other)?;
    let content = content.map_err(io::Error::other)?;
    let tensors =
        content.tensor_infos.values().map(|tensor| product(tensor.shape.dims().iter().map(|size| *size as u64)));
    Ok(tensors.fold(0, u64::saturating_add))
}

fn product(shape: impl IntoIterator<Item = u64>) -> u64 {
    shape.into_iter().fold(1, u64::saturating_mul)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn golden(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/language").join(name)
    }

    #[test]
    fn what_is_stored_in_two_formats_counts_the_same() {
        let (safetensors, gguf) = (golden("llama/model.safetensors"), golden("llama.gguf"));
        let counted = in_safetensors(&safetensors).unwrap();

        // Stored in bf16, the file is little more than its numbers.
        let size = safetensors.metadata().unwrap().len();
        assert!((counted * 2..counted * 2 + 4_096).contains(&size), "{counted} numbers in {size} bytes");
        // A GGUF file of this architecture has the four frequencies of its rotations, too.
        assert_eq!(in_gguf(&gguf).unwrap(), counted + 4);
    }

    #[test]
    fn what_is_no_such_file_is_an_error() {
        let broken = tempfile::NamedTempFile::new().unwrap();
        for bytes in [&b""[..], &[0xff; 64], b"GGUF", &[4, 0, 0, 0, 0, 0, 0, 0, b'{', b'"', b'a', b'"']] {
            std::fs::write(broken.path(), bytes).unwrap();
            assert!(in_safetensors(broken.path()).is_err() && in_gguf(broken.path()).is_err(), "{bytes:?}");
        }
    }
}
