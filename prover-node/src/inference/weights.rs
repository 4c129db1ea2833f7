//! Weights and configs, each file read once, checked against the manifest, and parsed from those very bytes.

use std::{
    fs::File,
    io::{self, Read},
};

use alloy::primitives::B256;
use candle_core::{DType, Device, safetensors};
use candle_nn::VarBuilder;
use oracle::manifest::{LocalModel, ManifestError};
use sha2::{Digest, Sha256};

use super::{
    InferenceError,
    config::{self, Config},
};

/// The bytes of the pinned file `path`, which the manifest's size and sha256 hold for.
pub(super) fn read(model: &LocalModel, path: &str) -> Result<Vec<u8>, InferenceError> {
    let location = model.path(path)?;
    let pinned = model
        .manifest
        .files
        .iter()
        .find(|file| file.path == path)
        .ok_or_else(|| ManifestError::NotPinned { name: model.manifest.name.clone(), path: path.to_owned() })?;

    let unreadable = |source: io::Error| ManifestError::Unreadable { path: location.clone(), source };
    let mut bytes = Vec::new();
    // One byte more than there should be: enough to tell that a file is too long, whatever its size.
    let file = File::open(&location).map_err(unreadable)?;
    file.take(pinned.size.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;

    let (actual_size, actual) = (bytes.len() as u64, B256::from_slice(&Sha256::digest(&bytes)));
    if actual_size != pinned.size {
        return Err(ManifestError::WrongSize { path: location, expected: pinned.size, actual: actual_size }.into());
    }
    if actual != pinned.sha256 {
        return Err(ManifestError::WrongHash { path: location, expected: pinned.sha256, actual }.into());
    }
    Ok(bytes)
}

/// A component's config.
pub(super) fn config<C: Config>(model: &LocalModel) -> Result<C, InferenceError> {
    config::parse(&model.folder.join(C::FILE), &read(model, C::FILE)?)
}

/// Builds a component from the safetensors file `path`, with weights rounded to `dtype`.
pub(super) fn component<T>(
    model: &LocalModel,
    path: &str,
    dtype: DType,
    build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<T>,
) -> Result<T, InferenceError> {
    let bytes = read(model, path)?;
    safetensors::load_buffer(&bytes, &Device::Cpu)
        .and_then(|tensors| build(VarBuilder::from_tensors(tensors, dtype, &Device::Cpu)))
        .map_err(|source| InferenceError::Weights { path: model.folder.join(path), source })
}
