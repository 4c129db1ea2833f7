//! A job's identity, and what generation starts from in all of its rounds.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};

use crate::{chain::IGenerationOracle::Job, spec::noise_seed};

/// Hash of everything that was fixed at the request, with chain and contract. Twin of `idOf` in `GenerationOracle.sol`;
/// `tests/vectors/job.json` holds both to it.
#[must_use]
pub fn id_of(chain_id: u64, oracle: Address, job: &Job) -> B256 {
    keccak256((U256::from(chain_id), oracle, job.clone()).abi_encode_params())
}

/// What generation starts from, in every round.
#[must_use]
pub fn noise_of(job: &Job, first_draw_seed: B256) -> B256 {
    noise_seed(job.specSeed, first_draw_seed, job.terms.fixedSeed)
}
