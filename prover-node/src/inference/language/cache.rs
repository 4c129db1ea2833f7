//! What attention keeps of the positions behind it, so that each is computed once.

use candle_core::{DType, Device, Result, Tensor};

use super::config::Config;

/// Keys and values of all layers, with room for as many positions as will be needed: nothing is moved to append one.
pub(super) struct Cache {
    layers: Vec<KeysAndValues>,
    length: usize,
}

/// Each `[batch, kv_heads, capacity, head_dim]`.
struct KeysAndValues {
    keys: Tensor,
    values: Tensor,
}

impl Cache {
    /// Empty, for one sequence of at most `capacity` positions.
    pub(super) fn new(config: &Config, capacity: usize, device: &Device) -> Result<Self> {
        let shape = (1, config.kv_heads, capacity, config.head_dim);
        let empty = || Tensor::zeros(shape, DType::F32, device);
        let layer = |_: &_| Ok(KeysAndValues { keys: empty()?, values: empty()? });
        Ok(Self { layers: config.windows.iter().map(layer).collect::<Result<_>>()?, length: 0 })
    }

    /// Positions so far.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Appends the keys and values of new positions, `[batch, kv_heads, new, head_dim]`, to a layer, and returns all of
    /// the layer's from position `from`.
    pub(super) fn append(&self, layer: usize, new: [&Tensor; 2], from: usize) -> Result<[Tensor; 2]> {
        let KeysAndValues { keys, values } = &self.layers[layer];
        let [new_keys, new_values] = new;
        keys.slice_set(&new_keys.contiguous()?, 2, self.length)?;
        values.slice_set(&new_values.contiguous()?, 2, self.length)?;
        let count = self.length + new_keys.dim(2)? - from;
        Ok([keys.narrow(2, from, count)?, values.narrow(2, from, count)?])
    }

    /// Says that `count` positions were appended to all layers.
    pub(super) fn advance(&mut self, count: usize) {
        self.length += count;
    }

    /// Makes sequence `i` go on from what was sequence `parents[i]`. There may be more of them than before, or fewer.
    pub(super) fn branch(&mut self, parents: &[u32]) -> Result<()> {
        if parents.iter().zip(0..).all(|(parent, i)| *parent == i) && Some(parents.len()) == self.batch() {
            return Ok(());
        }
        let length = self.length;
        for KeysAndValues { keys, values } in &mut self.layers {
            for tensor in [keys, values] {
                *tensor = branched(tensor, parents, length)?;
            }
        }
        Ok(())
    }

    fn batch(&self) -> Option<usize> {
        self.layers.first().and_then(|layer| layer.keys.dim(0).ok())
    }
}

fn branched(tensor: &Tensor, parents: &[u32], length: usize) -> Result<Tensor> {
    let (batch, heads, capacity, dim) = tensor.dims4()?;
    let parents_on_device = Tensor::new(parents, tensor.device())?;
    let chosen = tensor.narrow(2, 0, length)?.contiguous()?.index_select(&parents_on_device, 0)?;
    let tensor = match batch == parents.len() {
        true => tensor.clone(),
        false => Tensor::zeros((parents.len(), heads, capacity, dim), tensor.dtype(), tensor.device())?,
    };
    tensor.slice_set(&chosen, 2, 0)?;
    Ok(tensor)
}
