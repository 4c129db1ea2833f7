//! The stories: the real programs on a real chain, each to its end.
//!
//! Where somebody has to misbehave on the chain, the test sends that party's transactions itself; whoever misbehaves
//! with the model runs the `cheater`, the node with other pictures. Time is moved, never slept away.

#![allow(clippy::unwrap_used)]

mod appeal;
mod bad_input;
mod calibrate;
mod delegated;
mod disk;
mod drand;
mod duty;
mod faults;
mod fleet;
mod fraud;
mod models;
mod money;
mod no_quorum;
mod operations;
mod restart;
mod simulate;
mod texts;
mod wallet;

use quorate_tests::play;
