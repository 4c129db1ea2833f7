//! How this machine computes: the numeric choices that are the operator's, within what the model permits.

use std::{num::NonZeroUsize, thread};

pub use oracle::manifest::Arithmetic;
use oracle::manifest::Manifest;

use super::{Device, InferenceError};

/// An operator's numeric profile. Any of them makes the same picture; the last bits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What computes.
    pub device: Device,
    /// What activations are kept in. The model's manifest must permit it.
    pub arithmetic: Arithmetic,
    /// How the two predictions of classifier-free guidance are made.
    pub guidance: GuidanceMode,
    /// How the UNet's attention is evaluated.
    pub attention: Attention,
    /// In which order a language model's products are summed.
    pub sums: Sums,
    /// Threads of this pipeline's own pool. More of them change the speed and not the bits.
    pub threads: NonZeroUsize,
}

/// Classifier-free guidance needs a prediction with the prompt and one without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum GuidanceMode {
    /// Both in one batch of two: fewer, larger products.
    #[default]
    Batched,
    /// One after the other: half the memory.
    TwoPass,
}

/// How scores and weighted values are computed, in f32 either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Attention {
    /// All keys at once, for as many queries as keeps the scores below 256 MB.
    #[default]
    Full,
    /// Keys in slices, of which the scores stay below 256 MB, with a running softmax (arXiv 2112.05682).
    Sliced,
}

/// A product of matrices is a sum for each of its numbers, and the order decides the last bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sums {
    /// Of a few rows in an order that depends on nothing but the processor's vectors, so that a text is the same in company;
    /// of many as candle does.
    #[default]
    Pinned,
    /// Of any number as candle does, by the crate gemm.
    Gemm,
}

impl Settings {
    /// Whether the manifest permits this arithmetic on this device: whoever serves a model must compute as it was
    /// measured to agree.
    pub fn check(&self, manifest: &Manifest) -> Result<(), InferenceError> {
        let (device, asked) = (self.device, self.arithmetic);
        let permitted = manifest.arithmetic.on(device.kind());
        match permitted.contains(&asked) {
            true => Ok(()),
            false => {
                let (model, permitted) = (manifest.name.clone(), permitted.to_vec());
                Err(InferenceError::NotPermitted { model, device, asked, permitted })
            }
        }
    }
}

impl Default for Settings {
    /// The processor, f32, batched, full attention, all cores.
    fn default() -> Self {
        Self {
            device: Device::default(),
            arithmetic: Arithmetic::F32,
            guidance: GuidanceMode::default(),
            attention: Attention::default(),
            sums: Sums::default(),
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}
