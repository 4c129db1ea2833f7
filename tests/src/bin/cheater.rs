//! A verifier that cheats: the real node, but for the pictures, which it makes in fewer steps and from noise of its own
//! choice. It exists for the demo and the tests; the product has no such setting.

use std::process::ExitCode;

use alloy::primitives::{B256, keccak256};
use clap::Parser;
use oracle::{
    output::Output,
    spec::{ImageSpec, Spec, TextSpec},
};
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

/// Saves three steps or tokens of four, and ignores the job's noise.
struct Cheap<G>(G);

impl<G: Generator> Generator for Cheap<G> {
    fn generate(
        &self,
        spec: &Spec,
        noise_seed: B256,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Output, InferenceError> {
        let cheap = match spec.clone() {
            Spec::Image(spec) => Spec::Image(ImageSpec { steps: spec.steps.div_ceil(4), ..spec }),
            Spec::Text(spec) => Spec::Text(TextSpec { max_tokens: spec.max_tokens.div_ceil(4), ..spec }),
        };
        self.0.generate(&cheap, keccak256(noise_seed), on_progress)
    }
}

#[tokio::main]
async fn main() -> eyre::Result<ExitCode> {
    let Command::Run(args) = Command::parse();
    execute(args, false, Cheap).await
}
