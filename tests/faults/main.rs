//! Everything around a node fails: its endpoints, the chain, the clock, its operator. The real nodes on a real chain, some
//! of them behind a proxy that misbehaves as it is told.
//!
//! What holds in each story: nobody honest is slashed, unless the fault took the whole of a window; nothing is paid twice;
//! and no event is passed over, since every vote that was drawn is cast.
//!
//! Windows are those of a mainnet, and close when a story says so: a slow machine takes longer, and that is all.

#![allow(clippy::unwrap_used)]

mod endpoints;
mod reorganisations;
mod twins;

use alloy::primitives::U256;
use eyre::{Result, ensure};
use oracle::chain::IGenerationOracle::{Outcome, Step};
use quorate_tests::{outcome::JobOutcome, play::share, proxy::ACCESS_KEY, verifier::Verifier};

/// Checks that everybody has voted, got his share once, and lost nothing.
fn all_went_well(end: &JobOutcome, nodes: &[Verifier], story: &str) -> Result<()> {
    ensure!(end.outcome() == Outcome::Accepted, "{story}: {:?}", end.outcome());
    for node in nodes {
        let (name, ballot) = (&node.party.name, end.ballot(node.seat)?);
        ensure!(ballot.step == Step::Revealed, "{story}: {name} has only {:?}\n{}", ballot.step, log_of(node)?);
        let (paid, lost) = (end.paid_to(node.seat), end.slashed_from(node.seat));
        ensure!((paid, lost) == (share(), U256::ZERO), "{story}: {name} got {paid} and lost {lost}");
    }
    Ok(())
}

/// What a node has said; never its access key.
fn log_of(node: &Verifier) -> Result<String> {
    let log = std::fs::read_to_string(node.log())?;
    ensure!(!log.contains(ACCESS_KEY), "the log holds the access key of the endpoint:\n{log}");
    Ok(log)
}
