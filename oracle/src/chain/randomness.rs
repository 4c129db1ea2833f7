//! Where draws get their seeds from, and how what a round waits for is proved: by a block's header (RANDAO), or by drand.

use alloy::{
    primitives::{Address, B256, Bytes, keccak256},
    providers::{DynProvider, Provider},
    rlp,
};

use super::{Chain, ChainArgs, ChainError, ChainTime, DrandRandomness, IRandomness};
use crate::{
    drand::{self, Beacon, NoRelay, Relays},
    round::draw_seed,
};

/// What `RandaoRandomness.sol` calls itself.
const RANDAO: &str = "randao";

/// A source of seeds, by the contract that checks its proofs.
#[derive(Debug, Clone)]
pub enum Randomness {
    /// `RandaoRandomness`: values are numbered by their blocks, and proved by their headers.
    Randao,
    /// `DrandRandomness`: values are a network's rounds.
    Drand(Box<Beacon>, Relays),
}

/// When a value can be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Once a block is on top of this one.
    After(u64),
    /// From this time on, in seconds since the epoch.
    At(u64),
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The chain could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The block is not mined yet.
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
    /// drand's signature is not to be had.
    #[error(transparent)]
    NoRelay(#[from] NoRelay),
}

impl Known {
    /// Whether it can be proved in a block of that time.
    #[must_use]
    pub fn by(self, now: ChainTime) -> bool {
        match self {
            Self::After(block) => now.block > block,
            Self::At(time) => now.time >= time,
        }
    }

    /// Whether it will not change any more once that block counts.
    #[must_use]
    pub fn stands_at(self, counting: ChainTime) -> bool {
        match self {
            Self::After(block) => counting.block >= block,
            Self::At(time) => counting.time >= time,
        }
    }
}

impl Randomness {
    /// Asks the contract what it is.
    pub(super) async fn of(provider: &DynProvider, at: Address, args: &ChainArgs) -> Result<Self, ChainError> {
        let scheme = IRandomness::new(at, provider.clone()).scheme().call().await?;
        match scheme.as_str() {
            RANDAO => Ok(Self::Randao),
            drand::SCHEME => {
                let contract = DrandRandomness::new(at, provider.clone());
                let (genesis, period) = (contract.genesis().call().await?, contract.period().call().await?);
                let key = contract.publicKey().call().await?;
                let beacon = Beacon::new(genesis, period, &key);
                let beacon = beacon.ok_or_else(|| ChainError::OtherInterface(format!("the key {key}")))?;
                Ok(Self::Drand(Box::new(beacon), Relays::new(&args.drand_urls).map_err(ChainError::HttpClient)?))
            }
            _ => Err(ChainError::UnknownRandomness(scheme)),
        }
    }

    /// When value `id` can be proved. Twin of `isKnown`.
    #[must_use]
    pub fn known(&self, id: u64) -> Known {
        match self {
            Self::Randao => Known::After(id),
            Self::Drand(beacon, _) => Known::At(beacon.time_of(id)),
        }
    }
}

impl Chain {
    /// What round `number` of a job will be drawn with, if the value that it waits for can be proved by now.
    pub async fn foretold_seed(&self, id: u64, job: B256, number: u8) -> Result<B256, ProofError> {
        let value = match &self.randomness {
            Randomness::Randao => {
                let mined = self.provider.get_block_by_number(id.into()).await.map_err(ChainError::from)?;
                mined.ok_or(ProofError::NotMined { number: id })?.header.mix_hash
            }
            Randomness::Drand(beacon, relays) => relays.signed(beacon, id).await?.randomness(),
        };
        Ok(draw_seed(value, job, number))
    }

    /// The proof of value `id`, as `draw` takes it.
    pub async fn proof(&self, id: u64) -> Result<Bytes, ProofError> {
        match &self.randomness {
            Randomness::Randao => self.header(id).await,
            Randomness::Drand(beacon, relays) => Ok(relays.signed(beacon, id).await?.proof()),
        }
    }

    /// The RLP-encoded header of block `number`, checked against the block's hash.
    async fn header(&self, number: u64) -> Result<Bytes, ProofError> {
        let block = self.provider.get_block_by_number(number.into()).await.map_err(ChainError::from)?;
        let block = block.ok_or(ProofError::NotMined { number })?;
        let header = rlp::encode(&block.header.inner);
        let actual = keccak256(&header);
        match actual == block.header.hash {
            true => Ok(header.into()),
            false => Err(ProofError::UnknownFields { number, expected: block.header.hash, actual }),
        }
    }
}
