//! A job as a person wants to see it: its request, its rounds and votes, and where it stands.

use alloy::primitives::{Address, B256, U256};
use oracle::{
    appeal::{NextRound, NoAppeal},
    chain::{Chain, ChainError, ChainTime, History, IGenerationOracle, Request, RoundHistory, Vote},
    digest::{Digest, ToleranceProfile, Zone},
    due::Due,
    fees::{fee_of, rest_of},
    job::noise_of,
    round::size_of,
    spec::Spec,
};
use serde::Serialize;

use super::{safe_value::SafeValue, typed::Ether};

pub(crate) use IGenerationOracle::{Outcome, Phase, Step};

/// Everything the chain says of one job.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobReport {
    pub(crate) job_id: B256,
    pub(crate) phase: &'static str,
    /// When the phase ends; none if it does not end by the clock.
    pub(crate) deadline: Option<u64>,
    /// What the job waits for.
    pub(crate) next: String,
    /// Open until the verdict is final.
    pub(crate) outcome: &'static str,
    /// The winner's.
    pub(crate) digest: Option<Digest>,
    /// What generation starts from; none until the first draw.
    pub(crate) noise_seed: Option<B256>,
    pub(crate) requester: Address,
    pub(crate) model_id: B256,
    pub(crate) spec: Spec,
    pub(crate) committee_size: u8,
    pub(crate) super_majority: bool,
    pub(crate) fixed_seed: bool,
    pub(crate) commit_window: u32,
    pub(crate) consumer: Option<Consumer>,
    pub(crate) fee: Ether,
    pub(crate) share: Ether,
    pub(crate) bond: Ether,
    #[serde(flatten)]
    pub(crate) safe_value: SafeValue,
    /// Of the fee, once the first round is settled.
    pub(crate) refunded: Ether,
    /// While the verdict can be appealed.
    pub(crate) appeal: Option<Appeal>,
    /// Why it cannot, though it is not final yet.
    pub(crate) no_appeal: Option<NoAppeal>,
    pub(crate) rounds: Vec<Round>,
    pub(crate) chain_time: ChainTime,
}

/// Who is told the verdict.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Consumer {
    pub(crate) address: Address,
    pub(crate) gas: u32,
    /// Whether it took it, once it was told.
    pub(crate) took_it: Option<bool>,
}

/// What another look would cost, and until when it can be paid.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Appeal {
    /// That would be opened.
    pub(crate) round: u8,
    pub(crate) until: u64,
    pub(crate) seats: u8,
    pub(crate) fee: Ether,
}

/// One round.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Round {
    pub(crate) number: u8,
    pub(crate) payer: Address,
    pub(crate) committee_size: u8,
    /// What its draw is seeded by: a block's number, or a round's of drand.
    pub(crate) randomness: u64,
    pub(crate) draw_deadline: u64,
    pub(crate) draw_seed: Option<B256>,
    pub(crate) commit_deadline: Option<u64>,
    /// The winner of this round on its own, as it stands.
    pub(crate) digest: Option<Digest>,
    pub(crate) settled: bool,
    /// What the payer got for having been right.
    pub(crate) reward: Ether,
    /// In the order of the draw.
    pub(crate) members: Vec<Member>,
}

/// One drawn seat's part.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) member: usize,
    pub(crate) seat: u32,
    pub(crate) operator: Address,
    pub(crate) step: &'static str,
    pub(crate) commitment: Option<B256>,
    pub(crate) digest: Option<Digest>,
    pub(crate) content_hash: Option<B256>,
    /// From the winner that judges it, in bits, most significant lane first.
    pub(crate) distances: Option<[u32; 4]>,
    /// How that winner sees it.
    pub(crate) zone: Option<Zone>,
    pub(crate) paid: Ether,
    pub(crate) slashed: Ether,
}

/// A job with what is needed to judge it.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) history: History,
    pub(crate) phase: Phase,
    pub(crate) due: Due,
    pub(crate) deadline: Option<u64>,
    pub(crate) profile: ToleranceProfile,
    pub(crate) now: ChainTime,
}

impl Job {
    /// Reads all there is.
    pub(crate) async fn read(chain: &Chain, request: Request) -> Result<Self, ChainError> {
        let now = chain.now().await?;
        let history = chain.history_at(&request, now.block).await?;
        let (job, windows) = (&request.job, &chain.windows);
        let phase = history.phase(job, windows, now);
        let due = Due::of(job, &history, windows, now);
        let deadline = history.latest().and_then(|round| round.deadline(job, windows, phase));
        let profile = job.into();
        Ok(Self { request, history, phase, due, deadline, profile, now })
    }

    /// The last word, once there is one.
    pub(crate) fn outcome(&self) -> Outcome {
        self.history.verdict.as_ref().map_or(Outcome::Open, |verdict| verdict.outcome)
    }

    /// The winner's digest, once the verdict is final.
    pub(crate) fn winner(&self) -> Option<Digest> {
        let verdict = self.history.verdict.as_ref().filter(|verdict| verdict.outcome == Outcome::Accepted);
        verdict.map(|verdict| verdict.digest.into())
    }

    /// What generation starts from.
    pub(crate) fn noise_seed(&self) -> Option<B256> {
        self.history.first_draw_seed().map(|seed| noise_of(&self.request.job, seed))
    }

    /// As it is shown.
    pub(crate) fn report(&self) -> JobReport {
        let job = &self.request.job;
        let terms = &job.terms;
        let appeal = self.appeal().transpose();
        JobReport {
            job_id: self.request.id,
            phase: phase_name(self.phase),
            deadline: self.deadline,
            next: self.due.to_string(),
            outcome: outcome_name(self.outcome()),
            digest: self.winner(),
            noise_seed: self.noise_seed(),
            requester: job.requester,
            model_id: job.modelId,
            spec: self.request.spec.clone(),
            committee_size: terms.committeeSize,
            super_majority: terms.superMajority,
            fixed_seed: terms.fixedSeed,
            commit_window: terms.commitWindow,
            consumer: self.consumer(),
            fee: Ether(fee_of(job)),
            share: terms.share.into(),
            bond: job.bond.into(),
            safe_value: job.into(),
            refunded: Ether(self.refunded()),
            appeal: appeal.ok().flatten(),
            no_appeal: appeal.err(),
            rounds: self.history.rounds.iter().map(|round| self.round(round)).collect(),
            chain_time: self.now,
        }
    }

    /// What an appeal would open, or why it is refused; none but in the appeal phase.
    pub(crate) fn appeal(&self) -> Option<Result<Appeal, NoAppeal>> {
        let until = self.deadline.filter(|_| self.phase == Phase::Appeal)?;
        let next = NextRound::after(&self.request.job, self.history.latest()?.number);
        Some(next.map(|NextRound { number, seats, fee }| Appeal { round: number, until, seats, fee: Ether(fee) }))
    }

    fn consumer(&self) -> Option<Consumer> {
        let terms = &self.request.job.terms;
        let consumer = Consumer { address: terms.consumer, gas: terms.consumerGas, took_it: self.history.delivered };
        (!terms.consumer.is_zero()).then_some(consumer)
    }

    fn refunded(&self) -> U256 {
        let job = &self.request.job;
        let Some(first) = self.history.round(1) else { return U256::ZERO };
        match (&first.settled, self.outcome()) {
            (_, Outcome::Expired) => fee_of(job),
            (Some(settled), outcome) => {
                rest_of(job, 1, settled.total_earned(), first.drawn.is_some(), outcome == Outcome::Accepted)
            }
            (None, _) => U256::ZERO,
        }
    }

    fn round(&self, round: &RoundHistory) -> Round {
        let job = &self.request.job;
        let drawn = round.drawn.as_ref();
        let judge = self.history.judge_of(round.number, job);
        Round {
            number: round.number,
            payer: round.payer,
            committee_size: size_of(job.terms.committeeSize, round.number),
            randomness: round.randomness,
            draw_deadline: round.draw_deadline,
            draw_seed: drawn.map(|drawn| drawn.round.drawSeed),
            commit_deadline: drawn.map(|drawn| drawn.commit_deadline),
            digest: round.tally(job).winner(),
            settled: round.settled.is_some(),
            reward: Ether(round.reward),
            members: round.votes().iter().enumerate().map(|(at, vote)| self.member(round, at, vote, judge)).collect(),
        }
    }

    fn member(&self, round: &RoundHistory, member: usize, vote: &Vote, judge: Option<Digest>) -> Member {
        let digest = vote.reveal.map(|reveal| reveal.digest);
        let seen = judge.zip(digest);
        let amount = |of: &[U256]| Ether(of.get(member).copied().unwrap_or_default());
        let settled = round.settled.as_ref();
        Member {
            member,
            seat: vote.member.seat,
            operator: vote.member.operator,
            step: step_name(vote),
            commitment: vote.commitment,
            digest,
            content_hash: vote.reveal.map(|reveal| reveal.content_hash),
            distances: seen.map(|(winner, digest)| winner.distances(&digest)),
            zone: seen.map(|(winner, digest)| self.profile.zone(&winner, &digest)),
            paid: settled.map_or_else(Ether::default, |settled| amount(&settled.earned)),
            slashed: settled.map_or_else(Ether::default, |settled| amount(&settled.lost)),
        }
    }
}

/// The phase's name in the interface, in lower case.
pub(crate) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::None => "none",
        Phase::Requested => "requested",
        Phase::Draw => "draw",
        Phase::Expired => "expired",
        Phase::Commit => "commit",
        Phase::Reveal => "reveal",
        Phase::Appeal => "appeal",
        Phase::Settle => "settle",
        Phase::Settled => "settled",
        _ => "unknown",
    }
}

pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Accepted => "accepted",
        Outcome::Unresolved => "unresolved",
        Outcome::Expired => "expired",
        _ => "unknown",
    }
}

fn step_name(vote: &Vote) -> &'static str {
    match vote.step {
        Step::Drawn => "drawn",
        Step::Out if vote.member.is_excused() => "excused",
        Step::Out => "declined",
        Step::Committed => "committed",
        Step::Revealed => "revealed",
        _ => "unknown",
    }
}
