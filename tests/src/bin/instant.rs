//! A verifier whose model costs nothing: the real node, but for the pictures, of which each is one colour that its noise
//! decides. It exists for benchmarks of everything else.

use std::process::ExitCode;

use alloy::primitives::B256;
use clap::Parser;
use image::{Rgb, RgbImage};
use oracle::{output::Output, spec::Spec};
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

struct Instant;

impl Generator for Instant {
    fn generate(&self, _: &Spec, noise_seed: B256, _: &mut OnProgress<'_>) -> Result<Output, InferenceError> {
        Ok(Output::Picture(RgbImage::from_pixel(8, 8, Rgb([noise_seed[0], noise_seed[1], noise_seed[2]]))))
    }
}

#[tokio::main]
async fn main() -> eyre::Result<ExitCode> {
    let Command::Run(args) = Command::parse();
    execute(args, false, |_| Instant).await
}
