//! What became of a job, read off the chain: votes, verdict, money and gas.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::SolEventInterface,
};
use eyre::{OptionExt as _, Result};
use oracle::{
    chain::{
        Chain,
        IGenerationOracle::{IGenerationOracleEvents as JobEvent, JobView, Outcome, Phase, Step},
        IVerifierStakes::IVerifierStakesEvents as StakeEvent,
    },
    digest::{Digest, ToleranceProfile, Zone},
};

/// A job with everything that happened to it so far.
#[derive(Debug)]
pub struct JobOutcome {
    /// Its id.
    pub id: B256,
    /// As the contract has it.
    pub job: JobView,
    /// In the order of the draw.
    pub ballots: Vec<Ballot>,
    /// What seats earned, in wei.
    pub paid: BTreeMap<u32, U256>,
    /// What seats lost by fraud and by penalties, in wei.
    pub slashed: BTreeMap<u32, U256>,
    /// What went back to the requester, in wei.
    pub refunded: U256,
    /// One entry per transaction, in the order of the chain.
    pub gas: Vec<StepGas>,
}

/// One drawn seat's part.
#[derive(Debug)]
pub struct Ballot {
    /// Number in the model's pool.
    pub seat: u32,
    /// Whose key voted.
    pub operator: Address,
    /// How far it came.
    pub step: Step,
    /// What it revealed.
    pub revealed: Option<Revealed>,
    /// How the winner sees it, if there is one.
    pub judged: Option<Judged>,
}

/// What a seat said that it had made.
#[derive(Debug, Clone, Copy)]
pub struct Revealed {
    /// Of the picture.
    pub digest: Digest,
    /// sha256 of the file.
    pub content_hash: B256,
}

/// How the winning digest sees another.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// In bits, lane by lane.
    pub distances: [u32; 4],
    /// What follows.
    pub zone: Zone,
}

/// What one transaction did, and its gas.
#[derive(Debug, Clone)]
pub struct StepGas {
    /// `request`, `draw`, `commit`, ...; joined by `+` if it did several.
    pub step: String,
    /// Of the receipt.
    pub gas: u64,
}

impl JobOutcome {
    /// Reads it.
    pub async fn read(chain: &Chain, id: B256) -> Result<Self> {
        let oracle = chain.oracle();
        let job = oracle.job(id).call().await?;
        let votes = oracle.votes(id).call().await?;
        let profile = (&chain.models().modelOf(job.modelId).call().await?.profile).into();
        let logs = logs_of(chain, id).await?;

        let mut outcome = Self {
            id,
            ballots: Vec::new(),
            paid: BTreeMap::new(),
            slashed: BTreeMap::new(),
            refunded: U256::ZERO,
            gas: gas_of(chain, &logs).await?,
            job,
        };
        let mut revealed = BTreeMap::new();
        for log in &logs {
            outcome.book(log, &mut revealed);
        }
        outcome.ballots = votes
            .iter()
            .map(|vote| {
                let revealed = revealed.get(&vote.seat).copied();
                let judged = outcome.judge(&profile, revealed);
                Ballot { seat: vote.seat, operator: vote.operator, step: vote.step, revealed, judged }
            })
            .collect();
        Ok(outcome)
    }

    /// The part of `seat`.
    pub fn ballot(&self, seat: u32) -> Result<&Ballot> {
        self.ballots.iter().find(|ballot| ballot.seat == seat).ok_or_eyre(format!("seat {seat} was not drawn"))
    }

    /// Wei that `seat` earned.
    #[must_use]
    pub fn paid_to(&self, seat: u32) -> U256 {
        self.paid.get(&seat).copied().unwrap_or_default()
    }

    /// Wei that `seat` lost.
    #[must_use]
    pub fn slashed_from(&self, seat: u32) -> U256 {
        self.slashed.get(&seat).copied().unwrap_or_default()
    }

    /// Whether nothing can happen any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.job.phase == Phase::Closed
    }

    fn book(&mut self, log: &Log, revealed: &mut BTreeMap<u32, Revealed>) {
        match JobEvent::decode_log(&log.inner).map(|log| log.data) {
            Ok(JobEvent::Revealed(event)) => {
                let digest = Digest::from(event.digest);
                revealed.insert(event.seat, Revealed { digest, content_hash: event.contentHash });
            }
            Ok(JobEvent::Paid(event)) => *self.paid.entry(event.seat).or_default() += event.amount,
            Ok(JobEvent::Refunded(event)) => self.refunded += event.amount,
            _ => {}
        }
        if let Ok(StakeEvent::Slashed(event)) = StakeEvent::decode_log(&log.inner).map(|log| log.data) {
            *self.slashed.entry(event.seat).or_default() += event.amount;
        }
    }

    fn judge(&self, profile: &ToleranceProfile, revealed: Option<Revealed>) -> Option<Judged> {
        let digest = revealed?.digest;
        let winner = (self.job.outcome == Outcome::Accepted).then(|| Digest::from(self.job.digest))?;
        Some(Judged { distances: winner.distances(&digest), zone: profile.zone(&winner, &digest) })
    }
}

/// Every log that has the job's id as its first topic: the oracle's and the stakes'.
async fn logs_of(chain: &Chain, id: B256) -> Result<Vec<Log>> {
    let deployment = &chain.deployment;
    let filter = Filter::new()
        .address(vec![deployment.generation_oracle, deployment.verifier_stakes])
        .from_block(deployment.block)
        .topic1(id);
    Ok(chain.provider.get_logs(&filter).await?)
}

async fn gas_of(chain: &Chain, logs: &[Log]) -> Result<Vec<StepGas>> {
    let mut transactions: Vec<(B256, Vec<&str>)> = Vec::new();
    for log in logs {
        let hash = log.transaction_hash.ok_or_eyre("a log without a transaction")?;
        if transactions.last().is_none_or(|(last, _)| *last != hash) {
            transactions.push((hash, Vec::new()));
        }
        if let Some((_, steps)) = transactions.last_mut()
            && let Some(step) = step_of(log)
        {
            steps.push(step);
        }
    }

    let mut gas = Vec::new();
    for (hash, steps) in transactions {
        let receipt = chain.provider.get_transaction_receipt(hash).await?.ok_or_eyre("a log without a receipt")?;
        gas.push(StepGas { step: steps.join("+"), gas: receipt.gas_used });
    }
    Ok(gas)
}

fn step_of(log: &Log) -> Option<&'static str> {
    match JobEvent::decode_log(&log.inner).ok()?.data {
        JobEvent::Requested(_) => Some("request"),
        JobEvent::Drawn(_) => Some("draw"),
        JobEvent::Committed(_) => Some("commit"),
        JobEvent::Declined(_) => Some("decline"),
        JobEvent::Revealed(_) => Some("reveal"),
        JobEvent::Settled(event) if event.outcome == Outcome::Expired => Some("expire"),
        JobEvent::Settled(_) => Some("settle"),
        JobEvent::Paid(_) | JobEvent::Refunded(_) | JobEvent::Withdrawn(_) => None,
    }
}
