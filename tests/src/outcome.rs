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
        Chain, History,
        IGenerationOracle::{IGenerationOracleEvents as JobEvent, Outcome, Phase, Step},
        IdPrefix, Request, Reveal,
    },
    digest::{Digest, ToleranceProfile, Zone},
    due::Due,
    fees::{fee_of, rest_of},
};

/// A job with everything that happened to it so far.
#[derive(Debug)]
pub struct JobOutcome {
    /// As it was requested.
    pub request: Request,
    /// Its rounds and votes.
    pub history: History,
    /// Of the latest round.
    pub phase: Phase,
    /// What anyone may send.
    pub due: Due,
    /// Of all rounds, in the order of the draws.
    pub ballots: Vec<Ballot>,
    /// One entry per transaction, in the order of the chain.
    pub gas: Vec<StepGas>,
}

/// One drawn seat's part in one round.
#[derive(Debug)]
pub struct Ballot {
    /// From 1.
    pub round: u8,
    /// Number in the model's pool.
    pub seat: u32,
    /// Whose key voted.
    pub operator: Address,
    /// How far it came.
    pub step: Step,
    /// What it revealed.
    pub revealed: Option<Reveal>,
    /// How the winner that judges it sees it, if there is one.
    pub judged: Option<Judged>,
    /// What it earned, in wei.
    pub paid: U256,
    /// What it lost by fraud and by penalties, in wei.
    pub slashed: U256,
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
        let request = chain.find_job(&IdPrefix::from(id)).await?;
        let now = chain.now().await?;
        let history = chain.history_at(&request, now.block).await?;
        let phase = history.phase(&request.job, &chain.windows, now);
        let due = Due::of(&request.job, &history, &chain.windows, now);
        let gas = gas_of(chain, &logs_of(chain, &request).await?).await?;
        let ballots = ballots(&request, &history);
        Ok(Self { request, history, phase, due, ballots, gas })
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.history.verdict.as_ref().map_or(Outcome::Open, |verdict| verdict.outcome)
    }

    /// The winner's digest.
    #[must_use]
    pub fn winner(&self) -> Option<Digest> {
        let verdict = self.history.verdict.as_ref().filter(|verdict| verdict.outcome == Outcome::Accepted);
        verdict.map(|verdict| verdict.digest.into())
    }

    /// The part of `seat` in the first round that drew it.
    pub fn ballot(&self, seat: u32) -> Result<&Ballot> {
        self.ballots.iter().find(|ballot| ballot.seat == seat).ok_or_eyre(format!("seat {seat} was not drawn"))
    }

    /// Wei that `seat` earned in all rounds.
    #[must_use]
    pub fn paid_to(&self, seat: u32) -> U256 {
        self.ballots.iter().filter(|ballot| ballot.seat == seat).map(|ballot| ballot.paid).sum()
    }

    /// Wei that `seat` lost in all rounds.
    #[must_use]
    pub fn slashed_from(&self, seat: u32) -> U256 {
        self.ballots.iter().filter(|ballot| ballot.seat == seat).map(|ballot| ballot.slashed).sum()
    }

    /// What went back to the requester, in wei.
    #[must_use]
    pub fn refunded(&self) -> U256 {
        let (job, outcome) = (&self.request.job, self.outcome());
        if outcome == Outcome::Expired {
            return fee_of(job);
        }
        let Some(first) = self.history.round(1) else { return U256::ZERO };
        let Some(settled) = &first.settled else { return U256::ZERO };
        rest_of(job, 1, settled.total_earned(), first.drawn.is_some(), outcome == Outcome::Accepted)
    }

    /// Whether everybody has his money.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.history.verdict.is_some() && self.due.name().is_none()
    }
}

/// Per amount that is not zero, by seat.
#[must_use]
pub fn by_seat(ballots: &[Ballot], amount: impl Fn(&Ballot) -> U256) -> BTreeMap<u32, U256> {
    let mut sums = BTreeMap::new();
    for ballot in ballots.iter().filter(|ballot| !amount(ballot).is_zero()) {
        *sums.entry(ballot.seat).or_default() += amount(ballot);
    }
    sums
}

fn ballots(request: &Request, history: &History) -> Vec<Ballot> {
    let profile = ToleranceProfile::from(&request.job);
    let mut ballots = Vec::new();
    for round in &history.rounds {
        let judge = history.judge_of(round.number, &request.job);
        let settled = round.settled.clone().unwrap_or_default();
        for (member, vote) in round.votes().iter().enumerate() {
            let seen = judge.zip(vote.reveal.map(|reveal| reveal.digest));
            let amount = |of: &[U256]| of.get(member).copied().unwrap_or_default();
            ballots.push(Ballot {
                round: round.number,
                seat: vote.member.seat,
                operator: vote.member.operator,
                step: vote.step,
                revealed: vote.reveal,
                judged: seen.map(|(winner, digest)| Judged {
                    distances: winner.distances(&digest),
                    zone: profile.zone(&winner, &digest),
                }),
                paid: amount(&settled.earned),
                slashed: amount(&settled.lost),
            });
        }
    }
    ballots
}

/// Every log that has the job's id as its first topic.
async fn logs_of(chain: &Chain, request: &Request) -> Result<Vec<Log>> {
    let filter = Filter::new().address(chain.deployment.generation_oracle).from_block(request.block).topic1(request.id);
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
        JobEvent::ImageRequested(_) | JobEvent::TextRequested(_) => Some("request"),
        JobEvent::Opened(event) if event.number > 1 => Some("appeal"),
        JobEvent::Drawn(_) => Some("draw"),
        JobEvent::Committed(_) => Some("commit"),
        JobEvent::Declined(_) => Some("decline"),
        JobEvent::Revealed(_) => Some("reveal"),
        JobEvent::Settled(event) if event.verdict.outcome == Outcome::Expired => Some("expire"),
        JobEvent::RoundSettled(_) => Some("settle"),
        JobEvent::Delivered(_) => Some("deliver"),
        _ => None,
    }
}
