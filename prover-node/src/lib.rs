//! The prover node: a staked verifier of Quorate.
//!
//! [`node`] is the whole pipeline on one page; [`job`] has a type for each of its stages. [`journal`] keeps what must
//! survive a crash, [`wallet`] owns the key, [`inference`] the model, [`server`] gives out what was revealed.

pub mod archive;
pub mod attacks;
pub mod budget;
pub mod commands;
pub mod config;
pub mod crash;
pub mod data_dir;
pub mod database;
pub mod error;
pub mod fleet;
pub mod funds;
pub mod heads;
pub mod inference;
pub mod job;
pub mod journal;
pub mod look;
pub mod metrics;
pub mod node;
pub mod output;
pub mod owners;
pub mod pace;
pub mod pool;
pub mod salt;
pub mod schedule;
pub mod selftest;
pub mod served;
pub mod server;
mod service;
pub mod stop;
pub mod vitals;
pub mod wallet;
