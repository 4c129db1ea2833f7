//! Matrix products: `xs W^T`, with the weights as the file has them, one row for each output.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor};
use oracle::manifest::Arithmetic;
use pulp::{Arch, Simd, WithSimd};
use rayon::{
    iter::{IndexedParallelIterator as _, ParallelIterator as _},
    slice::ParallelSliceMut as _,
};

use crate::inference::Sums;

/// Up to so many rows, reading the weights takes the time, and each core reads its part once. Beyond, it is the
/// multiplications, which candle's product is made for.
pub(super) const FEW: usize = 8;

/// Weights that are worth waking a thread for: 64 kB.
const MIN_SHARE: usize = 1 << 14;

/// How products are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Products {
    pub(super) arithmetic: Arithmetic,
    pub(super) sums: Sums,
}

impl Products {
    /// To the nearest numbers that the arithmetic has, in f32: GPUs multiply these, and sum in f32 too.
    pub(super) fn rounded(self, xs: Tensor) -> Result<Tensor> {
        let dtype = match self.arithmetic {
            Arithmetic::F32 => return Ok(xs),
            Arithmetic::F16 => DType::F16,
            Arithmetic::Bf16 => DType::BF16,
        };
        xs.to_dtype(dtype)?.to_dtype(DType::F32)
    }
}

/// A matrix, `[outputs, inputs]`, and perhaps a bias, `[outputs]`.
#[derive(Debug)]
pub(super) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    products: Products,
}

impl Linear {
    /// Weights are rounded already.
    pub(super) fn new(weight: Tensor, bias: Option<Tensor>, products: Products) -> Self {
        Self { weight, bias, products }
    }

    /// `[.., inputs]` to `[.., outputs]`.
    pub(super) fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (outputs, inputs) = self.weight.dims2()?;
        let mut shape = xs.dims().to_vec();
        let rows = xs.elem_count() / inputs;
        let xs = self.products.rounded(xs.reshape((rows, inputs))?)?;
        let pinned = rows <= FEW && xs.device().is_cpu() && self.products.sums == Sums::Pinned;
        let ys = match pinned {
            true => xs.contiguous()?.apply_op2_no_bwd(&self.weight, &FewRows)?,
            false => xs.matmul(&self.weight.t()?)?,
        };
        let ys = match &self.bias {
            Some(bias) => ys.broadcast_add(bias)?,
            None => ys,
        };
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        self.products.rounded(ys)?.reshape(shape)
    }
}

/// The product of a few rows, `[rows, inputs]`, with `[outputs, inputs]` transposed, both contiguous and f32.
///
/// candle's product uses one thread for one row. A sum's order depends on nothing but the processor's vectors: not on
/// the number of rows, nor on that of the threads.
struct FewRows;

impl CustomOp2 for FewRows {
    fn name(&self) -> &'static str {
        "few-rows"
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        xs_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = xs_layout.shape().dims2()?;
        let (outputs, _) = weight_layout.shape().dims2()?;
        let xs = contiguous(xs, xs_layout)?;
        let weight = contiguous(weight, weight_layout)?;

        // `[outputs, rows]`: what one thread makes lies together.
        let mut columns = vec![0_f32; outputs * rows];
        let share = outputs.div_ceil(4 * rayon::current_num_threads()).max(MIN_SHARE.div_ceil(inputs));
        let arch = Arch::new();
        columns.par_chunks_mut(share * rows).zip(weight_chunks(weight, share * inputs)).for_each(
            |(columns, weight)| {
                arch.dispatch(Share { xs, weight, inputs, columns });
            },
        );
        let ys = if rows == 1 { columns } else { transposed(&columns, rows) };
        Ok((CpuStorage::F32(ys), (rows, outputs).into()))
    }
}

fn weight_chunks(weight: &[f32], size: usize) -> rayon::slice::Chunks<'_, f32> {
    rayon::slice::ParallelSlice::par_chunks(weight, size)
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((from, to)), CpuStorage::F32(numbers)) => Ok(&numbers[from..to]),
        _ => candle_core::bail!("a product of few rows takes contiguous f32 tensors"),
    }
}

fn transposed(columns: &[f32], rows: usize) -> Vec<f32> {
    (0..rows).flat_map(|row| columns.iter().skip(row).step_by(rows).copied()).collect()
}

/// One thread's outputs.
struct Share<'a> {
    /// `[rows, inputs]`.
    xs: &'a [f32],
    /// `[outputs, inputs]`.
    weight: &'a [f32],
    inputs: usize,
    /// `[outputs, rows]`.
    columns: &'a mut [f32],
}

impl WithSimd for Share<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.xs.len() / self.inputs;
        for (weight, outputs) in self.weight.chunks_exact(self.inputs).zip(self.columns.chunks_exact_mut(rows)) {
            for (xs, output) in self.xs.chunks_exact(self.inputs).zip(outputs) {
                *output = dot(simd, weight, xs);
            }
        }
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, one: &[f32], other: &[f32]) -> f32 {
    let ((one, one_rest), (other, other_rest)) = (S::as_simd_f32s(one), S::as_simd_f32s(other));
    let ((one, one_few), (other, other_few)) = (one.as_chunks::<4>(), other.as_chunks::<4>());
    // Four sums at once hide how long an addition takes.
    let zero = simd.splat_f32s(0.0);
    let [mut a, mut b, mut c, mut d] = [zero; 4];
    for ([p, q, r, s], [t, u, v, w]) in one.iter().zip(other) {
        a = simd.mul_add_f32s(*p, *t, a);
        b = simd.mul_add_f32s(*q, *u, b);
        c = simd.mul_add_f32s(*r, *v, c);
        d = simd.mul_add_f32s(*s, *w, d);
    }
    for (p, t) in one_few.iter().zip(other_few) {
        a = simd.mul_add_f32s(*p, *t, a);
    }
    let (p, t) = (simd.partial_load_f32s(one_rest), simd.partial_load_f32s(other_rest));
    b = simd.mul_add_f32s(p, t, b);
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 % 1013) as f32 - 506.0) / 500.0).collect()
    }

    #[test]
    fn few_rows_are_candles_product_whatever_their_number() {
        let device = Device::Cpu;
        for (outputs, inputs) in [(5, 3), (1, 1), (300, 67), (1030, 128)] {
            let weight = Tensor::from_vec(numbers(outputs * inputs), (outputs, inputs), &device).unwrap();
            let all = Tensor::from_vec(numbers(FEW * inputs), (FEW, inputs), &device).unwrap();
            let wide = all.to_dtype(DType::F64).unwrap();
            let exact = wide.matmul(&weight.to_dtype(DType::F64).unwrap().t().unwrap()).unwrap();
            let exact: Vec<Vec<f64>> = exact.to_vec2().unwrap();
            let products = Products { arithmetic: Arithmetic::F32, sums: Sums::Pinned };
            let linear = Linear::new(weight, None, products);
            let whole: Vec<Vec<f32>> = linear.forward(&all).unwrap().to_vec2().unwrap();
            for (ours, exact) in whole.iter().flatten().zip(exact.iter().flatten()) {
                assert!((f64::from(*ours) - exact).abs() < 1e-4, "{ours} {exact}");
            }
            for (row, expected) in whole.iter().enumerate() {
                let single = linear.forward(&all.narrow(0, row, 1).unwrap()).unwrap().to_vec2::<f32>().unwrap();
                assert_eq!(&single[0], expected, "a row's bits depend on nothing but the row");
            }
        }
    }
}
