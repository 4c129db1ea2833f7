//! From messages to a text, and from a claimed text to a judgement.
//!
//! [`Model`] is a decoder-only transformer with its tokenizer and chat template, read from GGUF or safetensors. A text is
//! a function of the model and the spec alone, up to near-ties that the last bits of f32 decide; [`Checker::check`]
//! judges one in a single forward pass, with room for them.
//!
//! Weights are f32 in memory, four bytes a parameter, whatever the file holds: quantised products round activations in a
//! way that depends on how many positions are computed together, and a pass over a whole text would then disagree with
//! the passes that made it. What f16 and bf16 cannot hold is rounded before it is multiplied. A model of 135 million parameters takes 540 MB, one of a billion 4 GB, and writing a token
//! reads all of it once.

mod beams;
mod cache;
mod check;
mod config;
mod decoder;
mod error;
mod files;
mod forgery;
mod gguf;
mod greedy;
mod keys;
mod model;
mod pinned;
mod product;
mod rope;
mod safetensors;
mod template;
mod together;
mod tokenizer;

pub use check::{Fault, Judgement, Reason};
pub use error::LanguageError;
pub use files::Files;
pub use model::{Model, Settings};
pub use together::{MOST_AT_ONCE, Reader};

/// Judges what others say they have made, for less than making it again.
pub trait Checker: Send + 'static {
    /// What was asked for.
    type Spec;
    /// What somebody says came out.
    type Claim: ?Sized;
    /// How far honest machines may be apart.
    type Tolerance;
    /// What is found.
    type Judgement;

    /// Whether `claim` is what `spec` asks for, within `tolerance`.
    fn check(
        &mut self,
        spec: &Self::Spec,
        claim: &Self::Claim,
        tolerance: Self::Tolerance,
    ) -> Result<Self::Judgement, LanguageError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
