//! A verifier whose every move the test makes: for parties that misbehave on the chain, which the product cannot.

use alloy::primitives::{Address, B256, U256, keccak256};
use eyre::{OptionExt as _, Result};
use oracle::{
    chain::{
        Account, Chain, ChainError, IGenerationOracle::Round, IVerifierStakes, IdPrefix, JobLookupError, Request,
        RoundHistory,
    },
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
        Self::seated(devnet.chain.account(party.signer.clone())?, model).await
    }

    /// Takes another seat for the same party.
    pub async fn another(&self, model: B256) -> Result<Self> {
        Self::seated(self.account.clone(), model).await
    }

    async fn seated(account: Account, model: B256) -> Result<Self> {
        let stake = account.chain.models().modelOf(model).call().await?.seatStake;
        let stakes = account.chain.stakes();
        let call = stakes.enrol(model, account.address).value(U256::from(stake));
        let receipt = account.send(call).await?;
        let enrolled = receipt.decoded_log::<IVerifierStakes::Enrolled>().ok_or_eyre("enrolled without an event")?;
        Ok(Self { account, seat: enrolled.seat })
    }

    /// Commits to `opening` in the latest round.
    pub async fn commit(&self, job: B256, opening: &Opening) -> Result<(), ByHandError> {
        let round = latest(self.chain(), job).await?;
        self.commit_to(job, self.commitment(job, round.number, opening)).await
    }

    /// Sends any 32 bytes as a commitment.
    pub async fn commit_to(&self, job: B256, commitment: B256) -> Result<(), ByHandError> {
        let round = latest(self.chain(), job).await?;
        let member = self.member(&round);
        self.account.send(self.chain().oracle().commit(job, round.calldata(), member, commitment)).await?;
        Ok(())
    }

    /// Draws and commits to `opening`, as the first of a committee does.
    pub async fn draw_and_commit(&self, job: B256, opening: &Opening) -> Result<(), ByHandError> {
        let request = self.chain().find_job(&IdPrefix::from(job)).await?;
        let opened = latest(self.chain(), job).await?;
        let round = foretold(self.chain(), &request, &opened).await?;
        let commitment = self.commitment(job, opened.number, opening);
        let header = self.chain().proof(opened.randomness).await.map_err(|error| eyre::eyre!(error))?;
        let place = round.members.iter().position(|&word| oracle::round::Member::from(word).seat == self.seat);
        let member = U256::from(place.unwrap_or(round.members.len()));
        let oracle = self.chain().oracle();
        self.account.send(oracle.drawAndCommit(request.job, header, round, member, commitment)).await?;
        Ok(())
    }

    /// Opens a commitment.
    pub async fn reveal(&self, job: B256, opening: &Opening) -> Result<(), ByHandError> {
        let round = latest(self.chain(), job).await?;
        let member = self.member(&round);
        let seat = round.votes().iter().find(|vote| vote.member.seat == self.seat);
        let slot = seat.map_or(U256::ZERO, |vote| vote.member.slot());
        let oracle = self.chain().oracle();
        self.account.send(oracle.reveal(job, round.number, member, slot, (*opening).into())).await?;
        Ok(())
    }

    /// Declines.
    pub async fn decline(&self, job: B256) -> Result<(), ByHandError> {
        let round = latest(self.chain(), job).await?;
        let member = self.member(&round);
        self.account.send(self.chain().oracle().decline(job, round.calldata(), member)).await?;
        Ok(())
    }

    /// Names another operator.
    pub async fn appoint(&self, model: B256, operator: Address) -> Result<(), ByHandError> {
        self.account.send(self.chain().stakes().setOperator(model, self.seat, operator)).await?;
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

    fn commitment(&self, job: B256, number: u8, opening: &Opening) -> B256 {
        let deployment = &self.chain().deployment;
        commitment_of(deployment.chain_id, deployment.generation_oracle, job, number, self.seat, opening)
    }

    /// Place in the committee; of a seat that was not drawn, one that nobody has.
    fn member(&self, round: &RoundHistory) -> U256 {
        let votes = round.votes();
        U256::from(votes.iter().position(|vote| vote.member.seat == self.seat).unwrap_or(votes.len()))
    }
}

/// Why a move could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    /// The chain or the contract says no.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is no such job.
    #[error(transparent)]
    Job(#[from] JobLookupError),
    /// Something else is wrong.
    #[error("{0}")]
    Other(eyre::Report),
}

impl From<eyre::Report> for ByHandError {
    fn from(report: eyre::Report) -> Self {
        Self::Other(report)
    }
}

impl ByHandError {
    /// What the contract said, if it was the contract.
    #[must_use]
    pub fn revert(&self) -> Option<&oracle::chain::Revert> {
        match self {
            Self::Chain(error) => error.revert(),
            _ => None,
        }
    }
}

/// The latest round of a job.
pub async fn latest(chain: &Chain, job: B256) -> Result<RoundHistory, ByHandError> {
    let request = chain.find_job(&IdPrefix::from(job)).await?;
    let history = chain.history(&request).await?;
    Ok(history.latest().cloned().ok_or_eyre("the job has no rounds")?)
}

/// A round that is not drawn yet, as a draw would make it now.
pub async fn foretold(chain: &Chain, request: &Request, opened: &RoundHistory) -> Result<Round, ByHandError> {
    let (job, number) = (&request.job, opened.number);
    let seed = chain.foretold_seed(opened.randomness, request.id, number);
    let seed = seed.await.map_err(|error| eyre::eyre!(error))?;
    let size = oracle::round::size_of(job.terms.committeeSize, number);
    let stakes = chain.stakes();
    let committee = stakes.committee(job.modelId, seed, job.poolSlots, job.requestedAt, size);
    let members = committee.call().await.map_err(ChainError::from)?;
    Ok(Round { number, drawSeed: seed, members })
}

/// Draws the committee of a job whose seed is known.
pub async fn draw(account: &Account, job: B256) -> Result<()> {
    let request = account.chain.find_job(&IdPrefix::from(job)).await?;
    let opened = latest(&account.chain, job).await?;
    let header = account.chain.proof(opened.randomness).await?;
    account.send(account.chain.oracle().draw(request.job, header)).await?;
    Ok(())
}

/// An opening whose digest is far from that of any other `number` and of any honest picture, in all likelihood.
#[must_use]
pub fn made_up(number: u8) -> Opening {
    Opening {
        digest: Digest::of_tokens(&[number.into()]),
        content_hash: keccak256([number, 1]),
        salt: keccak256([number, 2]),
    }
}
