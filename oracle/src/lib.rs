//! Quorate's protocol: everything that requesters and verifiers must agree on.
//!
//! Data travels one way: chain event ([`follower`]) -> job ([`spec`], [`manifest`]) -> output -> [`digest`] ->
//! [`commitment`] -> [`tally`]. The pure parts have twins in Solidity, held together by `tests/vectors`.

pub mod chain;
pub mod commitment;
pub mod digest;
pub mod follower;
pub mod keys;
pub mod manifest;
pub mod spec;
pub mod tally;
