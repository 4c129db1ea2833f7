//! The proof of a RANDAO, as `draw` takes it: the header of its block.

use alloy::{
    primitives::{B256, Bytes, keccak256},
    providers::Provider,
    rlp,
};

use super::ChainError;
use crate::round::draw_seed;

/// Why a header cannot be given to `draw`.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The chain could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// It is not mined yet.
    #[error("block {number} is not mined yet; try again once it is")]
    NotMined {
        /// The block.
        number: u64,
    },
    /// The chain's headers have fields that this program does not know.
    #[error(
        "the header of block {number} hashes to {actual} and the chain says {expected}: this chain's headers have fields that this version does not know; use a newer one"
    )]
    UnknownFields {
        /// The block.
        number: u64,
        /// What the chain says.
        expected: B256,
        /// Of the fields that are known.
        actual: B256,
    },
}

/// What round `number` of a job will be drawn with, if block `block` keeps its place in the chain.
pub async fn foretold_seed(provider: &impl Provider, block: u64, job: B256, number: u8) -> Result<B256, HeaderError> {
    let mined = provider.get_block_by_number(block.into()).await.map_err(ChainError::from)?;
    let randao = mined.ok_or(HeaderError::NotMined { number: block })?.header.mix_hash;
    Ok(draw_seed(randao, job, number))
}

/// The RLP-encoded header of block `number`, checked against the block's hash.
pub async fn seed_header(provider: &impl Provider, number: u64) -> Result<Bytes, HeaderError> {
    let block = provider
        .get_block_by_number(number.into())
        .await
        .map_err(ChainError::from)?
        .ok_or(HeaderError::NotMined { number })?;
    let header = rlp::encode(&block.header.inner);
    let actual = keccak256(&header);
    if actual != block.header.hash {
        return Err(HeaderError::UnknownFields { number, expected: block.header.hash, actual });
    }
    Ok(header.into())
}
