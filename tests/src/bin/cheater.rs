//! A verifier that cheats: the real node, but for the pictures, which it makes in fewer steps and from noise of its own
//! choice. It exists for the demo and the tests; the product has no such setting.

use std::process::ExitCode;

use alloy::primitives::{B256, keccak256};
use clap::Parser;
use image::RgbImage;
use oracle::spec::ImageSpec;
use prover_node::{
    commands::run::{RunArgs, execute},
    inference::{Generator, InferenceError, OnProgress},
};

/// Takes what `prover-node` takes.
#[derive(Parser)]
enum Command {
    /// Runs the node
    Run(RunArgs),
}

/// Saves three steps of four, and ignores the job's noise.
struct Cheap<G>(G);

impl<G: Generator> Generator for Cheap<G> {
    fn generate(
        &mut self,
        spec: &ImageSpec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<RgbImage, InferenceError> {
        let cheap = ImageSpec { steps: spec.steps.div_ceil(4), ..spec.clone() };
        self.0.generate(&cheap, keccak256(noise_seed), on_progress)
    }
}

#[tokio::main]
async fn main() -> eyre::Result<ExitCode> {
    let Command::Run(args) = Command::parse();
    execute(args, false, Cheap).await
}
