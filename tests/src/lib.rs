//! The harness: a chain, parties with keys, and the real binaries on it.
//!
//! [`devnet`] starts anvil and deploys; [`party`] gives everybody an account in an encrypted keystore; [`command`] and
//! [`process`] run `oracle` and `prover-node`; [`verifier`] is a running node, [`by_hand`] a verifier whose every move
//! the test makes; [`play`] is what every story starts with, and [`proxy`] an endpoint that misbehaves; [`outcome`] reads off the chain what became of a job; [`drand`] signs rounds; [`postgres`], [`s3`]
//! and [`worker`] are what a fleet has; [`sheet`] draws the pictures side by side.

pub mod by_hand;
pub mod command;
pub mod devnet;
pub mod drand;
pub mod model;
pub mod outcome;
pub mod party;
pub mod play;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod s3;
pub mod sheet;
pub mod terminal;
pub mod verifier;
pub mod worker;
