//! Weights in fewer bits than they are sold as.

use std::{collections::HashMap, fs, path::Path};

use candle_core::{
    DType, Device, Tensor,
    quantized::{GgmlDType, QTensor},
    safetensors,
};
use eyre::{WrapErr as _, eyre};
use oracle::manifest::{LocalModel, MANIFEST_FILE, hash_file};

/// Weights that share a scale.
const BLOCK: usize = 32;

/// A copy of `model` in the folder `room`, whose matrices and kernels have been kept in `bits` and are given back in the
/// type that they had. Vectors (biases and norms) stay as they are, as do tensors that have no whole number of blocks.
pub(super) fn rounded(model: &LocalModel, bits: GgmlDType, room: &Path) -> eyre::Result<LocalModel> {
    let mut copy = LocalModel { folder: room.to_owned(), ..model.clone() };
    for file in &mut copy.manifest.files {
        let (from, to) = (model.path(file.path.as_str())?, room.join(file.path.as_str()));
        let parent = to.parent().ok_or_else(|| eyre!("{} has no folder", to.display()))?;
        fs::create_dir_all(parent).wrap_err_with(|| format!("cannot make {}", parent.display()))?;
        if file.path.has_extension("safetensors") {
            let mut tensors = HashMap::new();
            for (name, tensor) in safetensors::load(&from, &Device::Cpu)? {
                tensors.insert(name, round(&tensor, bits)?);
            }
            safetensors::save(&tensors, &to)?;
            (file.size, file.sha256) = hash_file(&to).wrap_err_with(|| format!("cannot read {}", to.display()))?;
        } else {
            fs::copy(&from, &to).wrap_err_with(|| format!("cannot copy {}", from.display()))?;
        }
    }
    let path = room.join(MANIFEST_FILE);
    fs::write(&path, copy.manifest.to_bytes()?).wrap_err_with(|| format!("cannot write {}", path.display()))?;
    Ok(LocalModel::open(room)?)
}

/// Kept in `bits` and given back in the type that it has; vectors, and what has no whole number of blocks, as they are.
pub(super) fn round(tensor: &Tensor, bits: GgmlDType) -> candle_core::Result<Tensor> {
    if tensor.rank() < 2 || !tensor.elem_count().is_multiple_of(BLOCK) || !tensor.dtype().is_float() {
        return Ok(tensor.clone());
    }
    let rows = tensor.to_dtype(DType::F32)?.reshape(((), BLOCK))?;
    QTensor::quantize(&rows, bits)?.dequantize(tensor.device())?.reshape(tensor.shape())?.to_dtype(tensor.dtype())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn fewer_bits_are_further_away_and_vectors_stay() {
        let weights: Vec<f32> = (0..512).map(|at| ((at * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let matrix = Tensor::new(weights.clone(), &Device::Cpu).unwrap().reshape((16, 32)).unwrap();
        let away = |bits| {
            let rounded = round(&matrix, bits).unwrap();
            assert_eq!(rounded.dims(), [16, 32]);
            let apart = (rounded - &matrix).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            apart.to_scalar::<f32>().unwrap()
        };
        let (eight, four) = (away(GgmlDType::Q8_0), away(GgmlDType::Q4_0));
        assert!(eight > 0.0 && eight < 0.005, "{eight}");
        assert!(four > 0.03 && four < 0.13, "{four}");

        let vector = Tensor::new(weights, &Device::Cpu).unwrap();
        let kept = round(&vector, GgmlDType::Q4_0).unwrap();
        assert_eq!(kept.to_vec1::<f32>().unwrap(), vector.to_vec1::<f32>().unwrap());
    }
}
