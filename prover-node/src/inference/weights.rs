//! Weights and configs, each file read once, checked against the manifest, and parsed from those very bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
};

use alloy::primitives::B256;
use candle_core::{DType, Device, Error, Shape, Tensor, safetensors::BufferedSafetensors};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use oracle::manifest::{LocalModel, ManifestError};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    InferenceError,
    config::{self, Config},
    error::in_one_line,
};

/// Variants that weights are saved in, as their files' names have them; the first that is pinned is taken.
const VARIANTS: [&str; 2] = ["", ".fp16"];

/// The bytes of the pinned file `path`, which the manifest's size and sha256 hold for.
pub(super) fn read(model: &LocalModel, path: &str) -> Result<Vec<u8>, ManifestError> {
    let location = model.path(path)?;
    let pinned = model
        .manifest
        .files
        .iter()
        .find(|file| file.path.as_str() == path)
        .ok_or_else(|| not_pinned(model, path.to_owned()))?;

    let unreadable = |source: io::Error| ManifestError::Unreadable { path: location.clone(), source };
    let mut bytes = Vec::new();
    // One byte more than there should be: enough to tell that a file is too long, whatever its size.
    let file = File::open(&location).map_err(unreadable)?;
    file.take(pinned.size.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;

    let (actual_size, actual) = (bytes.len() as u64, B256::from_slice(&Sha256::digest(&bytes)));
    if actual_size != pinned.size {
        return Err(ManifestError::WrongSize { path: location, expected: pinned.size, actual: actual_size });
    }
    if actual != pinned.sha256 {
        return Err(ManifestError::WrongHash { path: location, expected: pinned.sha256, actual });
    }
    Ok(bytes)
}

/// A component's config.
pub(super) fn config<C: Config>(model: &LocalModel) -> Result<C, InferenceError> {
    config_at(model, C::FILE)
}

/// The config of a component of which the model has several.
pub(super) fn config_at<C: Config>(model: &LocalModel, file: &'static str) -> Result<C, InferenceError> {
    config::parse(&model.folder, file, &read(model, file)?)
}

/// Builds a component from the safetensors `{stem}.safetensors`, whole or in shards, in full or half precision, with
/// weights on `device` and rounded to `dtype`. Each tensor is made when it is asked for: beside what is built, the files' bytes are held.
pub(super) fn component<T>(
    model: &LocalModel,
    stem: &str,
    (device, dtype): (&Device, DType),
    build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<T>,
) -> Result<T, InferenceError> {
    let broken =
        |path: &str, source| InferenceError::Weights { path: model.folder.join(path), source: in_one_line(source) };
    let files = files(model, stem)?;
    let load = |path: &String| BufferedSafetensors::new(read(model, path)?).map_err(|source| broken(path, source));
    let shards = Shards(files.iter().map(load).collect::<Result<_, _>>()?);
    build(VarBuilder::from_backend(Box::new(shards), dtype, device.clone())).map_err(|source| broken(&files[0], source))
}

/// `*.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    /// From a tensor to the file that holds it.
    weight_map: BTreeMap<String, String>,
}

/// The files that hold a component's weights; at least one.
fn files(model: &LocalModel, stem: &str) -> Result<Vec<String>, InferenceError> {
    for variant in VARIANTS {
        let whole = format!("{stem}{variant}.safetensors");
        if model.manifest.lists(&whole) {
            return Ok(vec![whole]);
        }
        let index = format!("{stem}.safetensors.index{variant}.json");
        if model.manifest.lists(&index) {
            return shards(model, &index);
        }
    }
    Err(not_pinned(model, format!("{stem}.safetensors")).into())
}

fn shards(model: &LocalModel, index: &str) -> Result<Vec<String>, InferenceError> {
    let malformed = |source| InferenceError::Config { path: model.folder.join(index), source };
    let Index { weight_map } = serde_json::from_slice(&read(model, index)?).map_err(malformed)?;
    let folder = index.rsplit_once('/').map_or("", |(folder, _)| folder);
    let names: BTreeSet<String> = weight_map.into_values().collect();
    let paths: Vec<String> = names.iter().map(|name| format!("{folder}/{name}")).collect();
    match paths.is_empty() {
        true => Err(malformed(serde::de::Error::custom("its weight_map names no file"))),
        false => Ok(paths),
    }
}

fn not_pinned(model: &LocalModel, path: String) -> ManifestError {
    ManifestError::NotPinned { name: model.manifest.name.clone(), path }
}

/// The tensors of several files.
struct Shards(Vec<BufferedSafetensors>);

impl Shards {
    fn holding(&self, name: &str) -> candle_core::Result<&BufferedSafetensors> {
        let missing = || Error::CannotFindTensor { path: name.to_owned() };
        self.0.iter().find(|shard| shard.contains_tensor(name)).ok_or_else(missing)
    }
}

impl SimpleBackend for Shards {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        SimpleBackend::get(self.holding(name)?, shape, name, init, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        self.holding(name)?.get_unchecked(name, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.iter().any(|shard| shard.contains_tensor(name))
    }
}
