//! `ResnetBlock2D` of `diffusers`, which UNet and decoder are made of.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::{Module, VarBuilder, ops};

use super::layers::{Conv2d, ConvShape, GroupNorm, Linear};

/// Two convolutions around a shortcut.
#[derive(Debug)]
pub(super) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl Resnet {
    pub(super) fn new(
        inputs: usize,
        outputs: usize,
        time_width: Option<usize>,
        (groups, eps): (usize, f64),
        weights: &VarBuilder<'_>,
    ) -> Result<Self> {
        let conv = |from, name: &str| Conv2d::new(from, outputs, ConvShape::Same, &weights.pp(name));
        Ok(Self {
            norm1: GroupNorm::new(groups, inputs, eps, &weights.pp("norm1"))?,
            conv1: conv(inputs, "conv1")?,
            time: time_width.map(|width| Linear::new(width, outputs, &weights.pp("time_emb_proj"))).transpose()?,
            norm2: GroupNorm::new(groups, outputs, eps, &weights.pp("norm2"))?,
            conv2: conv(outputs, "conv2")?,
            shortcut: (inputs != outputs)
                .then(|| Conv2d::new(inputs, outputs, ConvShape::Point, &weights.pp("conv_shortcut")))
                .transpose()?,
        })
    }

    /// `time` is `[batch, time width]`.
    pub(super) fn forward(&self, xs: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let mut ys = self.conv1.forward(&silu(&self.norm1.forward(xs)?)?)?;
        if let (Some(projection), Some(time)) = (&self.time, time) {
            let time = projection.forward(&silu(time)?)?.unsqueeze(D::Minus1)?.unsqueeze(D::Minus1)?;
            ys = ys.broadcast_add(&time)?;
        }
        let ys = self.conv2.forward(&silu(&self.norm2.forward(&ys)?)?)?;
        match &self.shortcut {
            Some(shortcut) => shortcut.forward(xs)? + ys,
            None => xs + ys,
        }
    }
}

/// `x sigmoid(x)`, in f32.
pub(super) fn silu(xs: &Tensor) -> Result<Tensor> {
    ops::silu(&xs.to_dtype(DType::F32)?)?.to_dtype(xs.dtype())
}
