//! A verifier whose every move the test makes: for parties that misbehave on the chain, which the product cannot.

use alloy::primitives::{Address, B256, keccak256};
use eyre::{OptionExt as _, Result};
use oracle::{
    chain::{Account, Chain, ChainError, IGenerationOracle::Vote, IVerifierStakes, seed_header},
    commitment::{Opening, commitment_of},
    digest::Digest,
};

use crate::{devnet::Devnet, party::Party};

/// One seat with its owner's and operator's key, which are the same.
pub struct ByHand {
    /// Signs.
    pub account: Account,
    /// Number in the model's pool.
    pub seat: u32,
}

impl ByHand {
    /// Takes a seat in the pool of `model`.
    pub async fn enrol(devnet: &Devnet, party: &Party, model: B256) -> Result<Self> {
        let account = devnet.chain.account(party.signer.clone())?;
        let stake = devnet.chain.models().modelOf(model).call().await?.seatStake;
        let stakes = devnet.chain.stakes();
        let call = stakes.enrol(model, party.address()).value(alloy::primitives::U256::from(stake));
        let receipt = account.send(call).await?;
        let enrolled = receipt.decoded_log::<IVerifierStakes::Enrolled>().ok_or_eyre("enrolled without an event")?;
        Ok(Self { account, seat: enrolled.seat })
    }

    /// Commits to `opening`.
    pub async fn commit(&self, job: B256, opening: &Opening) -> Result<(), ChainError> {
        let deployment = &self.chain().deployment;
        let contract = deployment.generation_oracle;
        let commitment = commitment_of(deployment.chain_id, contract, job, 1, self.seat, opening);
        self.commit_to(job, commitment).await
    }

    /// Sends any 32 bytes as a commitment.
    pub async fn commit_to(&self, job: B256, commitment: B256) -> Result<(), ChainError> {
        let oracle = self.chain().oracle();
        let draw_seed = oracle.job(job).call().await?.drawSeed;
        let member = self.member(job).await?;
        self.account.send(oracle.commit(job, member, draw_seed, commitment)).await?;
        Ok(())
    }

    /// Opens a commitment.
    pub async fn reveal(&self, job: B256, opening: &Opening) -> Result<(), ChainError> {
        let member = self.member(job).await?;
        let Opening { digest, content_hash, salt } = *opening;
        self.account.send(self.chain().oracle().reveal(job, member, digest.into(), content_hash, salt)).await?;
        Ok(())
    }

    /// Declines.
    pub async fn decline(&self, job: B256) -> Result<(), ChainError> {
        let member = self.member(job).await?;
        self.account.send(self.chain().oracle().decline(job, member)).await?;
        Ok(())
    }

    /// Its owner.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.account.address
    }

    fn chain(&self) -> &Chain {
        &self.account.chain
    }

    /// Place in the committee; of a seat that was not drawn, one that nobody has.
    async fn member(&self, job: B256) -> Result<alloy::primitives::U256, ChainError> {
        let votes: Vec<Vote> = self.chain().oracle().votes(job).call().await?;
        let place = votes.iter().position(|vote| vote.seat == self.seat).unwrap_or(votes.len());
        Ok(alloy::primitives::U256::from(place))
    }
}

/// Draws the committee of a job whose seed block is mined.
pub async fn draw(account: &Account, job: B256) -> Result<()> {
    let oracle = account.chain.oracle();
    let seed_block = oracle.job(job).call().await?.seedBlock;
    let header = seed_header(&account.chain.provider, seed_block).await?;
    account.send(oracle.draw(job, header)).await?;
    Ok(())
}

/// An opening whose digest is far from that of any other `number` and of any honest picture, in all likelihood.
#[must_use]
pub fn made_up(number: u8) -> Opening {
    Opening {
        digest: Digest::from(keccak256([number, 0])),
        content_hash: keccak256([number, 1]),
        salt: keccak256([number, 2]),
    }
}
