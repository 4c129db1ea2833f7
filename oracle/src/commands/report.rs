//! A job as a person wants to see it: what the contract stores and what its events tell, put together.

use alloy::primitives::{Address, B256, U256};
use oracle::{
    chain::{Chain, ChainError, ChainTime, History, IGenerationOracle, Request},
    digest::{Digest, ToleranceProfile, Zone},
    spec::ImageSpec,
};
use serde::Serialize;

use super::typed::Ether;

pub(crate) use IGenerationOracle::{JobView, Outcome, Phase, Step, Vote};

/// Everything the chain says of one job.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobReport {
    pub(crate) job_id: B256,
    pub(crate) phase: &'static str,
    pub(crate) outcome: &'static str,
    /// The winner's.
    pub(crate) digest: Option<Digest>,
    /// What generation starts from; none until the draw.
    pub(crate) noise_seed: Option<B256>,
    pub(crate) requester: Address,
    pub(crate) model_id: B256,
    pub(crate) spec: ImageSpec,
    pub(crate) committee_size: u8,
    pub(crate) fixed_seed: bool,
    pub(crate) fee: Ether,
    pub(crate) share: Ether,
    pub(crate) bond: Ether,
    pub(crate) refunded: Ether,
    pub(crate) deadlines: Deadlines,
    /// In the order of the draw.
    pub(crate) members: Vec<Member>,
    pub(crate) chain_time: ChainTime,
}

/// When the phases end.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deadlines {
    pub(crate) request_block: u64,
    pub(crate) seed_block: u64,
    /// The last block in which the job can be drawn.
    pub(crate) draw_block: u64,
    pub(crate) commit: Option<u64>,
    pub(crate) reveal: Option<u64>,
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
    /// From the winner, in bits, most significant lane first.
    pub(crate) distances: Option<[u32; 4]>,
    /// How the winner sees it.
    pub(crate) zone: Option<Zone>,
    pub(crate) paid: Ether,
    pub(crate) slashed: Ether,
}

/// A job with what is needed to judge it.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) view: JobView,
    pub(crate) votes: Vec<Vote>,
    pub(crate) history: History,
    pub(crate) profile: ToleranceProfile,
    pub(crate) noise_seed: B256,
    pub(crate) now: ChainTime,
}

impl Job {
    /// Reads all there is.
    pub(crate) async fn read(chain: &Chain, request: Request) -> Result<Self, ChainError> {
        let oracle = chain.oracle();
        let now = chain.now().await?;
        let view = oracle.job(request.id).call().await?;
        let votes = oracle.votes(request.id).call().await?;
        let noise_seed = oracle.noiseSeed(request.id).call().await?;
        let model = chain.models().modelOf(request.model).call().await?;
        let history = chain.history(&request).await?;
        Ok(Self { request, view, votes, history, profile: (&model.profile).into(), noise_seed, now })
    }

    /// The winner's digest.
    pub(crate) fn winner(&self) -> Option<Digest> {
        (self.view.outcome == Outcome::Accepted).then(|| self.view.digest.into())
    }

    /// As it is shown.
    pub(crate) fn report(&self) -> JobReport {
        let JobView { terms, .. } = &self.view;
        JobReport {
            job_id: self.request.id,
            phase: phase_name(self.view.phase),
            outcome: outcome_name(self.view.outcome),
            digest: self.winner(),
            noise_seed: nonzero(self.noise_seed),
            requester: self.request.requester,
            model_id: self.request.model,
            spec: self.request.spec.clone(),
            committee_size: terms.committeeSize,
            fixed_seed: terms.fixedSeed,
            fee: Ether(U256::from(terms.share) * U256::from(terms.committeeSize)),
            share: terms.share.into(),
            bond: self.view.bond.into(),
            refunded: Ether(self.history.refunded),
            deadlines: Deadlines::of(&self.view),
            members: self.votes.iter().enumerate().map(|(member, vote)| self.member(member, vote)).collect(),
            chain_time: self.now,
        }
    }

    fn member(&self, member: usize, vote: &Vote) -> Member {
        let reveal = self.history.reveals.iter().find(|reveal| reveal.seat == vote.seat);
        let digest = reveal.map(|reveal| reveal.digest);
        let seen = self.winner().zip(digest);
        let paid = self.history.paid.iter().filter(|(seat, ..)| *seat == vote.seat).map(|(.., wei)| wei);
        let slashed = self.history.slashed.iter().filter(|(seat, _)| *seat == vote.seat).map(|(_, wei)| wei);
        Member {
            member,
            seat: vote.seat,
            operator: vote.operator,
            step: step_name(vote.step),
            commitment: (vote.step == Step::Committed).then_some(vote.value),
            digest,
            content_hash: reveal.map(|reveal| reveal.content_hash),
            distances: seen.map(|(winner, digest)| winner.distances(&digest)),
            zone: seen.map(|(winner, digest)| self.profile.zone(&winner, &digest)),
            paid: Ether(paid.sum()),
            slashed: Ether(slashed.sum()),
        }
    }
}

impl Deadlines {
    pub(crate) fn of(view: &JobView) -> Self {
        Self {
            request_block: view.requestBlock,
            seed_block: view.seedBlock,
            draw_block: view.drawDeadline,
            commit: Some(view.commitDeadline).filter(|time| *time != 0),
            reveal: Some(view.revealDeadline).filter(|time| *time != 0),
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
        Phase::Settle => "settle",
        Phase::Closed => "closed",
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

fn step_name(step: Step) -> &'static str {
    match step {
        Step::Drawn => "drawn",
        Step::Excused => "excused",
        Step::Declined => "declined",
        Step::Committed => "committed",
        Step::Revealed => "revealed",
        _ => "unknown",
    }
}

fn nonzero(word: B256) -> Option<B256> {
    (!word.is_zero()).then_some(word)
}
