//! `ResnetBlock2D` of `diffusers`, which UNet and decoder are made of.

use candle_core::{D, Result, Tensor};
use candle_nn::{Module, VarBuilder};

use super::layers::{Conv2d, GroupNorm, Linear, PointConv, silu};

/// Two convolutions around a shortcut.
#[derive(Debug)]
pub(super) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<PointConv>,
}

impl Resnet {
    pub(super) fn new(
        inputs: usize,
        outputs: usize,
        time_width: Option<usize>,
        (groups, eps): (usize, f64),
        weights: &VarBuilder<'_>,
    ) -> Result<Self> {
        Ok(Self {
            norm1: GroupNorm::new(groups, inputs, eps, &weights.pp("norm1"))?,
            conv1: Conv2d::new(inputs, outputs, &weights.pp("conv1"))?,
            time: time_width.map(|width| Linear::new(width, outputs, &weights.pp("time_emb_proj"))).transpose()?,
            norm2: GroupNorm::new(groups, outputs, eps, &weights.pp("norm2"))?,
            conv2: Conv2d::new(outputs, outputs, &weights.pp("conv2"))?,
            shortcut: (inputs != outputs)
                .then(|| PointConv::new(inputs, outputs, &weights.pp("conv_shortcut")))
                .transpose()?,
        })
    }

    /// `time` is `[batch, time width]`.
    pub(super) fn forward(&self, xs: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let mut ys = self.conv1.activated(&self.norm1, xs)?;
        if let (Some(projection), Some(time)) = (&self.time, time) {
            let time = projection.forward(&silu(time)?)?.unsqueeze(D::Minus1)?.unsqueeze(D::Minus1)?;
            ys = ys.broadcast_add(&time)?;
        }
        let ys = self.conv2.activated(&self.norm2, &ys)?;
        match &self.shortcut {
            Some(shortcut) => shortcut.forward(xs)? + ys,
            None => xs + ys,
        }
    }
}
