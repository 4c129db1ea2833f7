//! Rotary position embeddings (arXiv 2104.09864), in the layout of `transformers`: the first half of a head turns
//! with the second.

use std::f64::consts::PI;

use candle_core::{Device, Result, Tensor};
use candle_nn::rotary_emb;

/// How fast each pair of a head's numbers turns: radians a position, half as many as the head has numbers.
///
/// Made with `libm` in f64 and rounded once, so that every machine gets the same bits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frequencies(pub(super) Vec<f32>);

/// How frequencies are changed for contexts longer than the first training's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scaling {
    /// Not at all.
    None,
    /// All of them are divided by this.
    Linear(f64),
    /// The slow ones are divided, the fast ones kept, those in between blended, as Llama 3.1 and 3.2 do it.
    Llama3 {
        /// What the slow ones are divided by.
        factor: f64,
        /// Waves longer than the original context over this are slow.
        low: f64,
        /// Waves shorter than the original context over this are fast.
        high: f64,
        /// In positions.
        original_context: f64,
    },
}

impl Frequencies {
    /// `base ^ (-2i / head_dim)`, scaled.
    pub(super) fn new(base: f64, head_dim: usize, scaling: Scaling) -> Self {
        let frequency = |i: usize| scaling.apply(libm::pow(base, -(2.0 * i as f64) / head_dim as f64)) as f32;
        Self((0..head_dim / 2).map(frequency).collect())
    }

    /// Cosines and sines of the positions from `start`, each `[count, head_dim / 2]`.
    pub(super) fn angles(&self, start: usize, count: usize, device: &Device) -> Result<(Tensor, Tensor)> {
        let angle = |position: usize, frequency: f32| f64::from(position as f32 * frequency);
        let all = |turn: fn(f64) -> f64| {
            let positions = start..start + count;
            let values: Vec<f32> =
                positions.flat_map(|p| self.0.iter().map(move |f| turn(angle(p, *f)) as f32)).collect();
            Tensor::from_vec(values, (count, self.0.len()), device)
        };
        Ok((all(libm::cos)?, all(libm::sin)?))
    }
}

impl Scaling {
    fn apply(self, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear(factor) => frequency / factor,
            Self::Llama3 { factor, low, high, original_context } => {
                let waves = original_context * frequency / (2.0 * PI);
                let kept = ((waves - low) / (high - low)).clamp(0.0, 1.0);
                frequency * (kept + (1.0 - kept) / factor)
            }
        }
    }
}

/// Turns `xs`, `[batch, heads, positions, head_dim]`.
pub(super) fn rotate(xs: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
    rotary_emb::rope(&xs.contiguous()?, cos, sin)
}
