//! Whatever line a node dies on, after its restart it reveals in time what it committed, is paid, and has sent nothing
//! twice. Each place between two effects has a name in `prover_node::crash::POINTS`; a node is killed at every one of
//! them, and at times drawn from a seed.
//!
//! Blocks come from the test, and none while a node starts: no window closes because this machine is slow.

#![allow(clippy::unwrap_used)]

mod points;
mod random;
mod scene;
