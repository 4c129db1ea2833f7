//! The layers that all three networks are made of.
//!
//! Activations are kept in the operator's arithmetic; sums and products are taken in f32 and every layer's result is
//! rounded back, as the matrix units of GPUs do it. So half precision costs no time on a CPU, which has no fast half
//! precision products (candle's f16 product takes twice as long there, and bf16 has none).

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Module, VarBuilder, ops};

use crate::inference::Attention;

/// Elements of a 3x3 convolution's patches that are held at once: 256 MB.
const MAX_PATCHES: usize = 1 << 26;

/// `y = x W^T + b`.
#[derive(Debug)]
pub(super) struct Linear(candle_nn::Linear);

impl Linear {
    pub(super) fn new(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        let bias = weights.get(outputs, "bias")?.to_dtype(DType::F32)?;
        Ok(Self(candle_nn::Linear::new(matrix(inputs, outputs, weights)?, Some(bias))))
    }

    pub(super) fn without_bias(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        Ok(Self(candle_nn::Linear::new(matrix(inputs, outputs, weights)?, None)))
    }
}

/// Also takes a matrix that was saved as a 1x1 convolution.
fn matrix(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Tensor> {
    let matrix = weights.get((outputs, inputs), "weight").or_else(|error| {
        let convolution = weights.get((outputs, inputs, 1, 1), "weight").map_err(|_| error)?;
        convolution.reshape((outputs, inputs))
    })?;
    matrix.to_dtype(DType::F32)
}

impl Module for Linear {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.0.forward(&xs.to_dtype(DType::F32)?)?.to_dtype(xs.dtype())
    }
}

/// Convolutions, as matrix products where that is possible: the weights are laid out for it once.
#[derive(Debug)]
pub(super) struct Conv2d {
    kernel: Kernel,
    /// `[1, outputs, 1, 1]`.
    bias: Tensor,
}

/// The convolutions of Stable Diffusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConvShape {
    /// One pixel.
    Point,
    /// 3x3, the size stays.
    Same,
    /// 3x3, half the size.
    Halving,
}

#[derive(Debug)]
enum Kernel {
    /// `[outputs, inputs]`.
    Point(Tensor),
    /// `[outputs, 9 inputs]`, in the order of [`patches`].
    Same(Tensor),
    /// `[outputs, inputs, 3, 3]`.
    Halving(Tensor),
}

impl Conv2d {
    pub(super) fn new(inputs: usize, outputs: usize, shape: ConvShape, weights: &VarBuilder<'_>) -> Result<Self> {
        let kernel = |side| weights.get((outputs, inputs, side, side), "weight")?.to_dtype(DType::F32);
        let kernel = match shape {
            ConvShape::Point => Kernel::Point(kernel(1)?.reshape((outputs, inputs))?),
            ConvShape::Same => Kernel::Same(kernel(3)?.permute((0, 2, 3, 1))?.reshape((outputs, 9 * inputs))?),
            ConvShape::Halving => Kernel::Halving(kernel(3)?),
        };
        let bias = weights.get(outputs, "bias")?.to_dtype(DType::F32)?.reshape((1, outputs, 1, 1))?;
        Ok(Self { kernel, bias })
    }
}

impl Module for Conv2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let dtype = xs.dtype();
        let xs = xs.to_dtype(DType::F32)?;
        let ys = match &self.kernel {
            Kernel::Point(matrix) => product(matrix, &xs)?,
            Kernel::Same(matrix) => same(matrix, &xs)?,
            Kernel::Halving(kernel) => xs.conv2d(kernel, 1, 2, 1, 1)?,
        };
        ys.broadcast_add(&self.bias)?.to_dtype(dtype)
    }
}

/// `matrix` times the channels of every pixel.
fn product(matrix: &Tensor, xs: &Tensor) -> Result<Tensor> {
    let (batch, _, height, width) = xs.dims4()?;
    matrix.broadcast_left(batch)?.matmul(&xs.flatten_from(2)?)?.reshape((batch, (), height, width))
}

/// A 3x3 convolution, in as many bands of rows as it takes to keep their patches small.
fn same(matrix: &Tensor, xs: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = xs.dims4()?;
    let padded = xs.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
    let rows = (MAX_PATCHES / (9 * batch * channels * width).max(1)).clamp(1, height.max(1));
    let bands = (0..height).step_by(rows).map(|top| {
        let rows = rows.min(height - top);
        product(matrix, &patches(&padded.narrow(2, top, rows + 2)?)?)
    });
    Tensor::cat(&bands.collect::<Result<Vec<_>>>()?, 2)
}

/// The 3x3 surroundings of every pixel within the outermost: `[batch, channels, height + 2, width + 2]` to
/// `[batch, 9 channels, height, width]`, in the order row, column, channel.
fn patches(padded: &Tensor) -> Result<Tensor> {
    let (height, width) = (padded.dim(2)? - 2, padded.dim(3)? - 2);
    let shifted =
        (0..9).map(|i| padded.narrow(2, i / 3, height)?.narrow(3, i % 3, width)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&shifted, 1)
}

/// Group normalisation, computed in f32.
#[derive(Debug)]
pub(super) struct GroupNorm(candle_nn::GroupNorm);

impl GroupNorm {
    pub(super) fn new(groups: usize, channels: usize, eps: f64, weights: &VarBuilder<'_>) -> Result<Self> {
        let [weight, bias] = ["weight", "bias"].map(|name| weights.get(channels, name)?.to_dtype(DType::F32));
        Ok(Self(candle_nn::GroupNorm::new(weight?, bias?, channels, groups, eps)?))
    }
}

impl Module for GroupNorm {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.0.forward(&xs.to_dtype(DType::F32)?)?.to_dtype(xs.dtype())
    }
}

/// Layer normalisation, computed in f32.
#[derive(Debug)]
pub(super) struct LayerNorm(candle_nn::LayerNorm);

impl LayerNorm {
    pub(super) fn new(width: usize, eps: f64, weights: &VarBuilder<'_>) -> Result<Self> {
        let [weight, bias] = ["weight", "bias"].map(|name| weights.get(width, name)?.to_dtype(DType::F32));
        Ok(Self(candle_nn::LayerNorm::new(weight?, bias?, eps)))
    }
}

impl Module for LayerNorm {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.0.forward(&xs.to_dtype(DType::F32)?.contiguous()?)?.to_dtype(xs.dtype())
    }
}

/// Softmax of scaled scores times values, in f32 throughout. `queries` are `[batch, n, heads x d]`, `keys` and `values`
/// `[batch, m, heads x d]`; with `causal` a query sees the keys up to its own place.
pub(super) fn attention(
    [queries, keys, values]: [&Tensor; 3],
    heads: usize,
    causal: bool,
    how: Attention,
) -> Result<Tensor> {
    let dtype = queries.dtype();
    let (batch, length, width) = queries.dims3()?;
    let split = |xs: &Tensor| {
        let xs = xs.to_dtype(DType::F32)?.reshape((batch, xs.dim(1)?, heads, width / heads))?;
        xs.transpose(1, 2)?.contiguous()?.flatten_to(1)
    };
    let scale = ((width / heads) as f64).powf(-0.5);
    let queries = (split(queries)? * scale)?;
    let (keys, values) = (split(keys)?, split(values)?);

    let mixed = match how {
        Attention::Full => whole(&queries, &keys, &values, causal)?,
        Attention::Sliced => sliced(&queries, &keys, &values)?,
    };
    let mixed = mixed.reshape((batch, heads, length, width / heads))?;
    mixed.transpose(1, 2)?.contiguous()?.reshape((batch, length, width))?.to_dtype(dtype)
}

fn whole(queries: &Tensor, keys: &Tensor, values: &Tensor, causal: bool) -> Result<Tensor> {
    let mut scores = queries.matmul(&keys.t()?)?;
    if causal {
        let length = queries.dim(1)?;
        let mask = (0..length * length).map(|i| if i % length > i / length { f32::NEG_INFINITY } else { 0.0 });
        scores = scores.broadcast_add(&Tensor::from_iter(mask, queries.device())?.reshape((length, length))?)?;
    }
    ops::softmax_last_dim(&scores)?.matmul(values)
}

/// Keys and values in [`SLICES`] parts, with the largest score and the sum so far carried along.
fn sliced(queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
    let count = keys.dim(1)?;
    let part = count.div_ceil(SLICES);
    let mut running: Option<[Tensor; 3]> = None;
    for start in (0..count).step_by(part) {
        let part = part.min(count - start);
        let scores = queries.matmul(&keys.narrow(1, start, part)?.t()?)?;
        let largest = scores.max_keepdim(D::Minus1)?;
        let largest = match &running {
            Some([before, ..]) => before.maximum(&largest)?,
            None => largest,
        };
        let shares = scores.broadcast_sub(&largest)?.exp()?;
        let mut sum = shares.sum_keepdim(D::Minus1)?;
        let mut mixed = shares.matmul(&values.narrow(1, start, part)?.contiguous()?)?;
        if let Some([before, sum_before, mixed_before]) = &running {
            let fade = (before - &largest)?.exp()?;
            sum = (sum + (sum_before * &fade)?)?;
            mixed = (mixed + mixed_before.broadcast_mul(&fade)?)?;
        }
        running = Some([largest, sum, mixed]);
    }
    match running {
        Some([_, sum, mixed]) => mixed.broadcast_div(&sum),
        None => queries.zeros_like(),
    }
}

const SLICES: usize = 4;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::inference::image::noise::gaussian;

    fn random(seed: u8, shape: &[usize]) -> Tensor {
        let values = gaussian(alloy::primitives::B256::repeat_byte(seed), shape.iter().product());
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn difference(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn a_convolution_is_a_matrix_product() {
        let (xs, kernel) = (random(1, &[2, 3, 5, 4]), random(2, &[6, 3, 3, 3]));
        let matrix = kernel.permute((0, 2, 3, 1)).unwrap().reshape((6, 27)).unwrap();
        let expected = xs.conv2d(&kernel, 1, 1, 1, 1).unwrap();
        assert!(difference(&same(&matrix, &xs).unwrap(), &expected) < 1e-5);
    }

    #[test]
    fn slices_make_the_same_attention() {
        // Seven keys: the last slice is shorter than the others.
        let [queries, keys, values] = [(3, 5), (4, 7), (5, 7)].map(|(seed, length)| random(seed, &[2, length, 8]));
        let parts = [&queries, &keys, &values];
        let full = attention(parts, 2, false, Attention::Full).unwrap();
        assert!(difference(&attention(parts, 2, false, Attention::Sliced).unwrap(), &full) < 1e-5);
    }

    #[test]
    fn causal_queries_do_not_see_what_comes_after() {
        let [queries, keys, values] = [3, 4, 5].map(|seed| random(seed, &[1, 4, 8]));
        let whole = attention([&queries, &keys, &values], 2, true, Attention::Full).unwrap();
        let [first_queries, first_keys, first_values] =
            [&queries, &keys, &values].map(|xs| xs.narrow(1, 0, 2).unwrap());
        let first = attention([&first_queries, &first_keys, &first_values], 2, true, Attention::Full).unwrap();
        assert!(difference(&whole.narrow(1, 0, 2).unwrap(), &first) < 1e-6);
    }
}
