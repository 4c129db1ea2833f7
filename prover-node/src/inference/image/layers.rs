//! The layers that all three networks are made of.
//!
//! Activations are kept in the operator's arithmetic; sums and products are taken in f32 and every layer's result is
//! rounded back, as the matrix units of GPUs do it. So half precision costs no time on a CPU, which has no fast half
//! precision products (candle's f16 product takes twice as long there, and bf16 has none).

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Module, VarBuilder, ops};

use crate::inference::Attention;

/// Values that a layer makes on the way to its result are held so many at once: 256 MB. It bounds the memory, whatever the
/// size of the picture.
const MAX_VALUES: usize = 1 << 26;

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

/// A 3x3 convolution after which the size is what it was, as a matrix product over the surroundings of every pixel.
#[derive(Debug)]
pub(super) struct Conv2d {
    /// `[outputs, 9 inputs]`, in the order of [`patches`].
    matrix: Tensor,
    /// `[1, outputs, 1, 1]`.
    bias: Tensor,
}

impl Conv2d {
    pub(super) fn new(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        let (kernel, bias) = kernel(inputs, outputs, 3, weights)?;
        Ok(Self { matrix: kernel.permute((0, 2, 3, 1))?.reshape((outputs, 9 * inputs))?, bias })
    }

    /// Of the normalised `xs`, after [`silu`].
    pub(super) fn activated(&self, norm: &GroupNorm, xs: &Tensor) -> Result<Tensor> {
        let affine = norm.affine(xs)?;
        self.over(xs.dims(), xs, |first, count| silu(&affine.apply(&xs.narrow(2, first, count)?)?))
    }

    /// Of `xs` drawn at twice its size, or one pixel less: a side that is odd above was rounded up on the way down.
    pub(super) fn enlarged(&self, xs: &Tensor, height: usize, width: usize) -> Result<Tensor> {
        let (batch, channels, _, narrow) = xs.dims4()?;
        self.over(&[batch, channels, height, width], xs, |first, count| {
            let (from, to) = (first / 2, (first + count).div_ceil(2));
            let large = xs.narrow(2, from, to - from)?.to_dtype(DType::F32)?;
            let large = large.upsample_nearest2d(2 * (to - from), 2 * narrow)?;
            large.narrow(2, first - 2 * from, count)?.narrow(3, 0, width)
        })
    }

    /// The convolution of a picture of `shape` whose rows `rows` gives in f32, the first and how many, in as many bands as
    /// it takes to keep their patches small. The result is in the type of `like`.
    fn over(&self, shape: &[usize], like: &Tensor, rows: impl Fn(usize, usize) -> Result<Tensor>) -> Result<Tensor> {
        let &[batch, channels, height, width] = shape else { candle_core::bail!("{shape:?} is no picture's shape") };
        let band = (MAX_VALUES / (9 * batch * channels * width).max(1)).clamp(1, height.max(1));
        let make = |top: usize| {
            let bottom = (top + band).min(height);
            let (above, below) = (top.min(1), (height - bottom).min(1));
            let seen = rows(top - above, bottom - top + above + below)?;
            let padded = seen.pad_with_zeros(2, 1 - above, 1 - below)?.pad_with_zeros(3, 1, 1)?;
            product(&self.matrix, &patches(&padded)?)?.broadcast_add(&self.bias)?.to_dtype(like.dtype())
        };
        if band >= height {
            return make(0);
        }
        let whole = Tensor::zeros((batch, self.matrix.dim(0)?, height, width), like.dtype(), like.device())?;
        for top in (0..height).step_by(band) {
            whole.slice_set(&make(top)?.contiguous()?, 2, top)?;
        }
        Ok(whole)
    }
}

impl Module for Conv2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.over(xs.dims(), xs, |first, count| xs.narrow(2, first, count)?.to_dtype(DType::F32))
    }
}

/// A convolution of single pixels: a matrix.
#[derive(Debug)]
pub(super) struct PointConv {
    /// `[outputs, inputs]`.
    matrix: Tensor,
    /// `[1, outputs, 1, 1]`.
    bias: Tensor,
}

impl PointConv {
    pub(super) fn new(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        let (kernel, bias) = kernel(inputs, outputs, 1, weights)?;
        Ok(Self { matrix: kernel.reshape((outputs, inputs))?, bias })
    }
}

impl Module for PointConv {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        product(&self.matrix, &xs.to_dtype(DType::F32)?)?.broadcast_add(&self.bias)?.to_dtype(xs.dtype())
    }
}

/// A 3x3 convolution to half the size, rounded up.
#[derive(Debug)]
pub(super) struct HalvingConv {
    /// `[outputs, inputs, 3, 3]`.
    kernel: Tensor,
    /// `[1, outputs, 1, 1]`.
    bias: Tensor,
}

impl HalvingConv {
    pub(super) fn new(inputs: usize, outputs: usize, weights: &VarBuilder<'_>) -> Result<Self> {
        let (kernel, bias) = kernel(inputs, outputs, 3, weights)?;
        Ok(Self { kernel, bias })
    }
}

impl Module for HalvingConv {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let ys = xs.to_dtype(DType::F32)?.conv2d(&self.kernel, 1, 2, 1, 1)?;
        ys.broadcast_add(&self.bias)?.to_dtype(xs.dtype())
    }
}

/// `[outputs, inputs, side, side]` and `[1, outputs, 1, 1]`, in f32.
fn kernel(inputs: usize, outputs: usize, side: usize, weights: &VarBuilder<'_>) -> Result<(Tensor, Tensor)> {
    let kernel = weights.get((outputs, inputs, side, side), "weight")?.to_dtype(DType::F32)?;
    Ok((kernel, weights.get(outputs, "bias")?.to_dtype(DType::F32)?.reshape((1, outputs, 1, 1))?))
}

/// `matrix` times the channels of every pixel.
fn product(matrix: &Tensor, xs: &Tensor) -> Result<Tensor> {
    let (batch, _, height, width) = xs.dims4()?;
    matrix.broadcast_left(batch)?.matmul(&xs.flatten_from(2)?)?.reshape((batch, (), height, width))
}

/// The 3x3 surroundings of every pixel within the outermost: `[batch, channels, height + 2, width + 2]` to
/// `[batch, 9 channels, height, width]`, in the order row, column, channel.
fn patches(padded: &Tensor) -> Result<Tensor> {
    let (height, width) = (padded.dim(2)? - 2, padded.dim(3)? - 2);
    let shifted =
        (0..9).map(|i| padded.narrow(2, i / 3, height)?.narrow(3, i % 3, width)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&shifted, 1)
}

/// `x sigmoid(x)`, in f32.
pub(super) fn silu(xs: &Tensor) -> Result<Tensor> {
    ops::silu(&xs.to_dtype(DType::F32)?)?.to_dtype(xs.dtype())
}

/// Group normalisation of pictures, computed in f32.
#[derive(Debug)]
pub(super) struct GroupNorm {
    groups: usize,
    eps: f64,
    /// `[1, groups, channels / groups]`, as is the bias.
    weight: Tensor,
    bias: Tensor,
}

/// What a normalisation comes to, once means and deviations are known: `[batch, channels, 1, 1]` each, in f32.
struct Affine {
    scale: Tensor,
    shift: Tensor,
}

impl Affine {
    /// In f32.
    fn apply(&self, xs: &Tensor) -> Result<Tensor> {
        xs.to_dtype(DType::F32)?.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)
    }
}

impl GroupNorm {
    /// `groups` must divide `channels`.
    pub(super) fn new(groups: usize, channels: usize, eps: f64, weights: &VarBuilder<'_>) -> Result<Self> {
        let get = |name| weights.get(channels, name)?.to_dtype(DType::F32)?.reshape((1, groups, channels / groups));
        Ok(Self { groups, eps, weight: get("weight")?, bias: get("bias")? })
    }

    /// Of `xs` `[batch, channels, height, width]`.
    fn affine(&self, xs: &Tensor) -> Result<Affine> {
        let (batch, channels, height, width) = xs.dims4()?;
        let (groups, lines) = (batch * self.groups, channels / self.groups * height);
        let xs = xs.contiguous()?.reshape((groups, lines, width))?;
        let mean = |xs: &Tensor| xs.sum_keepdim(2)?.sum_keepdim(1)? / (lines * width) as f64;
        let part = (MAX_VALUES / (lines * width).max(1)).clamp(1, groups);
        let statistics = (0..groups).step_by(part).map(|first| {
            let part = xs.narrow(0, first, part.min(groups - first))?.to_dtype(DType::F32)?;
            let centre = mean(&part)?;
            let variance = mean(&part.broadcast_sub(&centre)?.sqr()?)?;
            Tensor::cat(&[centre, (variance + self.eps)?.sqrt()?.recip()?], 1)
        });
        let statistics = Tensor::cat(&statistics.collect::<Result<Vec<_>>>()?, 0)?;
        let [centre, inverse] = [0, 1].map(|i| statistics.narrow(1, i, 1)?.reshape((batch, self.groups, 1)));
        let scale = inverse?.broadcast_mul(&self.weight)?;
        let shift = self.bias.broadcast_sub(&scale.broadcast_mul(&centre?)?)?;
        let shape = (batch, channels, 1, 1);
        Ok(Affine { scale: scale.reshape(shape)?, shift: shift.reshape(shape)? })
    }
}

impl Module for GroupNorm {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.affine(xs)?.apply(xs)?.to_dtype(xs.dtype())
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

/// All keys at once, for as many queries as fit.
fn whole(queries: &Tensor, keys: &Tensor, values: &Tensor, causal: bool) -> Result<Tensor> {
    let (batch, length, _) = queries.dims3()?;
    let count = keys.dim(1)?;
    let keys = keys.t()?;
    let part = (MAX_VALUES / (batch * count).max(1)).clamp(1, length.max(1));
    let mixed = (0..length).step_by(part).map(|first| {
        let part = part.min(length - first);
        let mut scores = queries.narrow(1, first, part)?.contiguous()?.matmul(&keys)?;
        if causal {
            let mask = (0..part * count).map(|i| if i % count > first + i / count { f32::NEG_INFINITY } else { 0.0 });
            scores = scores.broadcast_add(&Tensor::from_iter(mask, queries.device())?.reshape((part, count))?)?;
        }
        ops::softmax_last_dim(&scores)?.matmul(values)
    });
    Tensor::cat(&mixed.collect::<Result<Vec<_>>>()?, 1)
}

/// Keys and values in [`SLICES`] parts or more, with the largest score and the sum so far carried along.
fn sliced(queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
    let (batch, length, _) = queries.dims3()?;
    let count = keys.dim(1)?;
    let part = (MAX_VALUES / (batch * length).max(1)).clamp(1, count.div_ceil(SLICES).max(1));
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

    fn weights(tensors: &[(&str, &Tensor)]) -> VarBuilder<'static> {
        let tensors = tensors.iter().map(|(name, tensor)| ((*name).to_owned(), (*tensor).clone())).collect();
        VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
    }

    #[test]
    fn a_convolution_is_a_matrix_product() {
        let (xs, kernel, bias) = (random(1, &[2, 3, 5, 4]), random(2, &[6, 3, 3, 3]), random(3, &[6]));
        let conv = Conv2d::new(3, 6, &weights(&[("weight", &kernel), ("bias", &bias)])).unwrap();
        let direct = |xs: &Tensor| {
            xs.conv2d(&kernel, 1, 1, 1, 1).unwrap().broadcast_add(&bias.reshape((1, 6, 1, 1)).unwrap()).unwrap()
        };
        assert!(difference(&conv.forward(&xs).unwrap(), &direct(&xs)) < 1e-5);
        for (height, width) in [(10, 8), (9, 7), (10, 7)] {
            let large = xs.upsample_nearest2d(height, width).unwrap();
            assert!(difference(&conv.enlarged(&xs, height, width).unwrap(), &direct(&large)) < 1e-5);
        }
    }

    #[test]
    fn bands_of_rows_make_the_same_picture() {
        // 9 x 16 channels x 1024 columns: a band of 455 rows, and one of 45.
        let xs = Tensor::arange(0f32, 16.0 * 500.0 * 1024.0, &Device::Cpu).unwrap().sin().unwrap();
        let xs = xs.reshape((1, 16, 500, 1024)).unwrap();
        let (kernel, bias) = (random(2, &[1, 16, 3, 3]), random(3, &[1]));
        let conv = Conv2d::new(16, 1, &weights(&[("weight", &kernel), ("bias", &bias)])).unwrap();
        let (weight, shift) = (random(4, &[16]), random(5, &[16]));
        let norm = GroupNorm::new(8, 16, 1e-5, &weights(&[("weight", &weight), ("bias", &shift)])).unwrap();

        let reference = candle_nn::GroupNorm::new(weight, shift, 16, 8, 1e-5).unwrap();
        let activated = ops::silu(&reference.forward(&xs).unwrap()).unwrap();
        let direct = activated.conv2d(&kernel, 1, 1, 1, 1).unwrap().broadcast_add(&bias).unwrap();
        assert!(difference(&conv.activated(&norm, &xs).unwrap(), &direct) < 1e-3);
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
