//! How to compute, as typed: the flags of `run` and `generate`.

use std::num::NonZeroUsize;

use clap::ValueEnum;
use oracle::manifest::Pipeline;

use crate::inference::{Arithmetic, Attention, Device, GuidanceMode, Settings, Sums};

/// The operator's numeric choices. Each makes the same picture up to its last bits.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Numeric profile")]
pub struct ProfileArgs {
    /// What computes: cpu, or cuda:N or metal:N for a GPU, in a program that was built with it
    #[arg(long, env = "QUORATE_DEVICE", value_name = "DEVICE", default_value = "cpu")]
    device: Device,
    /// What activations are kept in; the model's manifest must permit it
    #[arg(long, env = "QUORATE_ARITHMETIC", default_value = "f32", value_parser = arithmetic)]
    arithmetic: Arithmetic,
    /// The predictions with and without the prompt: in one batch, or one after the other in half the memory
    #[arg(long, env = "QUORATE_GUIDANCE_MODE", default_value = "batched")]
    guidance_mode: GuidanceMode,
    /// All keys at once, or in slices that need less memory
    #[arg(long, env = "QUORATE_ATTENTION", default_value = "full")]
    attention: Attention,
    /// Threads of the model [default: one for each core]
    #[arg(long, env = "QUORATE_THREADS", value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl ProfileArgs {
    /// With the defaults for what was not typed.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let threads = self.threads.unwrap_or(Settings::default().threads);
        Settings {
            device: self.device,
            arithmetic: self.arithmetic,
            guidance: self.guidance_mode,
            attention: self.attention,
            sums: Sums::default(),
            threads,
        }
    }
}

/// All that the last bits of what a model makes depend on: the words of the flags.
pub(crate) fn described(settings: &Settings, pipeline: &Pipeline) -> String {
    let Settings { device, arithmetic, guidance, attention, sums, .. } = settings;
    let arithmetic = format!("{device} {}", format!("{arithmetic:?}").to_lowercase());
    match pipeline {
        Pipeline::Image(_) => format!("{arithmetic} {} {}", word(guidance), word(attention)),
        Pipeline::Text(_) if *sums == Sums::Gemm => format!("{arithmetic} gemm"),
        Pipeline::Text(_) => arithmetic,
    }
}

/// As it is typed.
fn word(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

pub(super) fn arithmetic(text: &str) -> Result<Arithmetic, &'static str> {
    match text {
        "f32" => Ok(Arithmetic::F32),
        "f16" => Ok(Arithmetic::F16),
        "bf16" => Ok(Arithmetic::Bf16),
        _ => Err("possible values: f32, f16, bf16"),
    }
}
