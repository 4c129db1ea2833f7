//! Quorate's protocol: everything that requesters and verifiers must agree on.
//!
//! Data travels one way: chain event ([`follower`]) -> job ([`spec`], [`manifest`]) -> output -> [`digest`] ->
//! [`commitment`] -> [`tally`] -> [`due`]. The pure parts have twins in Solidity, held together by `tests/vectors`.

pub mod appeal;
pub mod board;
pub mod chain;
pub mod commitment;
pub mod compare;
pub mod consensus;
pub mod dataset;
pub mod delegation;
pub mod digest;
pub mod drand;
pub mod due;
pub mod fees;
pub mod files;
pub mod finality;
pub mod follower;
pub mod job;
pub mod keys;
pub mod manifest;
pub mod models_dir;
pub mod odds;
pub mod output;
pub mod panics;
pub mod pull;
pub mod round;
pub mod safe_value;
pub mod simulation;
pub mod spec;
pub mod standing;
pub mod tally;
pub mod tolerance;
