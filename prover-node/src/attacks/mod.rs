//! Frauds as data sets: what cheaters would hand in, to measure how much of it passes for honest.

pub mod text;
