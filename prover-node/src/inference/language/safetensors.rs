//! Weights in safetensors, in one file or in several.

use std::collections::{BTreeSet, HashMap};

use candle_core::{DType, Device, Error, Tensor};
use safetensors::SafeTensors;
use serde::Deserialize;

use super::{Files, LanguageError};

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Which file holds which tensor.
#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

/// All weights, in f32.
pub(super) fn weights(files: &impl Files) -> Result<HashMap<String, Tensor>, LanguageError> {
    let parts = match files.names().iter().any(|name| name == INDEX) {
        true => {
            let malformed = |source| LanguageError::Json { file: INDEX.to_owned(), source };
            let index: Index = serde_json::from_slice(&files.read(INDEX)?).map_err(malformed)?;
            index.weight_map.into_values().collect()
        }
        false => BTreeSet::from([WHOLE.to_owned()]),
    };
    let mut weights = HashMap::new();
    for part in parts {
        let bytes = files.read(&part)?;
        let tensors = in_f32(&bytes).map_err(|source| LanguageError::Weights { file: part, source })?;
        weights.extend(tensors);
    }
    Ok(weights)
}

fn in_f32(bytes: &[u8]) -> candle_core::Result<HashMap<String, Tensor>> {
    // The only kinds of number that are rounded by nobody.
    use safetensors::Dtype::{BF16, F16, F32};
    let file = SafeTensors::deserialize(bytes)?;
    let odd = file.tensors().into_iter().find(|(_, view)| ![BF16, F16, F32].contains(&view.dtype()));
    if let Some((name, view)) = odd {
        return Err(Error::msg(format!("the tensor {name} is of {:?}; supported: F32, F16, BF16", view.dtype())));
    }
    let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
    tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?))).collect()
}
