//! Text-to-image diffusion in the layout of Stable Diffusion.

mod config;
mod ddim;
mod layers;
mod noise;
mod pipeline;
mod prompts;
mod resnet;
mod schedule;
mod text;
mod tokenizer;
mod transformer;
mod unet;
mod unipc;
mod vae;

pub use pipeline::Pipeline;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod damage;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod golden;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
