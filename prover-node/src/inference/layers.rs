//! The layers that all three networks are made of.
//!
//! Activations are kept in the operator's arithmetic; sums and products are taken in f32 and every layer's result is
//! rounded back, as the matrix units of GPUs do it. So half precision costs no time on a CPU, which has no fast half
//! precision products (candle's f16 product takes twice as long there, and bf16 has none).

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Module, VarBuilder, ops};

use super::settings::Attention;

/// Elements of a 3x3 convolution's gathered patches up to which they are held at once: 256 MB in f32.
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

/// Convolutions as matrix products, their weights laid out for it once.
#[derive(Debug)]
pub(super) struct Conv2d {
    shape: ConvShape,
    /// `[outputs, inputs]`, or `[outputs, 9 inputs]` in the order of [`patches`].
    matrix: Tensor,
    /// `[outputs, inputs, height, width]`.
    kernel: Tensor,
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

impl Conv2d {
    pub(super) fn new(inputs: usize, outputs: usize, shape: ConvShape, weights: &VarBuilder<'_>) -> Result<Self> {
        let side = if shape == ConvShape::Point { 1 } else { 3 };
        let kernel = weights.get((outputs, inputs, side, side), "weight")?.to_dtype(DType::F32)?;
        let matrix = kernel.permute((0, 2, 3, 1))?.reshape((outputs, side * side * inputs))?;
        let bias = weights.get(outputs, "bias")?.to_dtype(DType::F32)?.reshape((1, outputs, 1, 1))?;
        Ok(Self { shape, matrix, kernel, bias })
    }
}

impl Module for Conv2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let dtype = xs.dtype();
        let xs = xs.to_dtype(DType::F32)?;
        let (batch, channels, height, width) = xs.dims4()?;
        let product = |columns: &Tensor| {
            let columns = columns.reshape((batch, (), height * width))?;
            self.matrix.broadcast_left(batch)?.matmul(&columns)?.reshape((batch, (), height, width))
        };
        let ys = match self.shape {
            ConvShape::Point => product(&xs)?,
            ConvShape::Same if 9 * batch * channels * height * width <= MAX_PATCHES => product(&patches(&xs)?)?,
            ConvShape::Same => xs.conv2d(&self.kernel, 1, 1, 1, 1)?,
            ConvShape::Halving => xs.conv2d(&self.kernel, 1, 2, 1, 1)?,
        };
        ys.broadcast_add(&self.bias)?.to_dtype(dtype)
    }
}

/// The 3x3 surroundings of every pixel, zeros beyond the edge: `[batch, channels, height, width]` to
/// `[batch, 9 channels, height, width]`, in the order row, column, channel.
fn patches(xs: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = xs.dims4()?;
    let padded = xs.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
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
