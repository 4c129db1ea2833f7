//! What happened, read off the chain and put into the report.

use std::{collections::BTreeSet, path::Path, time::Duration};

use alloy::{
    primitives::{B256, U256},
    providers::Provider as _,
};
use eyre::{OptionExt as _, Result, bail, ensure};
use oracle::{
    chain::IGenerationOracle::{Outcome, Step},
    digest::Zone,
    fees::fee_of,
    job::noise_of,
    manifest::LocalModel,
};
use quorate_tests::{
    devnet::Devnet,
    outcome::{Ballot, JobOutcome, by_seat},
    programs,
};

use crate::{
    cast::{Cast, Purses},
    jobs::Order,
    money::eth,
    report::{
        Account, Amount, ChainReport, GasOfStep, GasReport, JobReport, ModelReport, Report, Totals, VerifierReport,
        VoteReport,
    },
    show::CONTACT_SHEET,
};

/// Different files that the honest votes of some job must show: proof that the nodes' bits truly differ.
const WANTED_FILES: usize = 3;

/// Reads everything.
pub(crate) async fn gather(
    devnet: &Devnet,
    cast: &Cast,
    orders: &[Order],
    money: [Purses; 2],
    (seed, took): (u64, Duration),
    out: &Path,
) -> Result<Report> {
    let mut jobs = Vec::new();
    for order in orders {
        jobs.push(job(devnet, cast, out, order).await?);
    }
    let totals = totals(&jobs, took);
    let [before, after] = money;
    let requester = Account { address: cast.requester.address(), before: before.requester, after: after.requester };
    let purses = before.players.into_iter().zip(after.players);
    let verifiers = cast
        .players
        .iter()
        .zip(purses)
        .map(|(player, (before, after))| VerifierReport {
            name: player.verifier.party.name.clone(),
            address: player.address(),
            seat: player.verifier.seat,
            profile: player.profile.to_owned(),
            honest: player.honest,
            before,
            after,
        })
        .collect();
    Ok(Report {
        seed,
        shown: shown(&totals),
        chain: ChainReport {
            deployment: devnet.chain.deployment,
            last_block: devnet.chain.provider.get_block_number().await?,
        },
        model: model(devnet, cast).await?,
        verifiers,
        requester,
        jobs,
        totals,
        contact_sheet: CONTACT_SHEET.to_owned(),
    })
}

/// Fails if this run has not shown what it says.
pub(crate) fn check(report: &Report) -> Result<()> {
    let Totals { most_honest_files: files, .. } = report.totals;
    ensure!(
        files >= WANTED_FILES,
        "the honest nodes' bits do not differ: {files} different files at most among the honest votes of a job, and \
         {WANTED_FILES} are wanted; the numeric profiles are not what they say"
    );
    for job in &report.jobs {
        ensure!(job.verdict == "accepted", "job {} ended {}: its honest votes do not agree", job.id, job.verdict);
    }
    let honest = |name: &str| report.verifiers.iter().any(|verifier| verifier.honest && verifier.name == name);
    if let Some(slash) = report.jobs.iter().flat_map(|job| &job.slashed).find(|slash| honest(&slash.verifier)) {
        bail!("{} was honest and has lost {} ETH", slash.verifier, eth(slash.amount));
    }
    Ok(())
}

async fn model(devnet: &Devnet, cast: &Cast) -> Result<ModelReport> {
    let registered = devnet.chain.models().modelOf(cast.model).call().await?;
    Ok(ModelReport {
        id: cast.model,
        name: LocalModel::open(&programs::bundled_model())?.manifest.name,
        manifest_hash: registered.manifestHash,
        tolerance: (&registered).into(),
        seat_stake: U256::from(registered.seatStake),
    })
}

async fn job(devnet: &Devnet, cast: &Cast, out: &Path, order: &Order) -> Result<JobReport> {
    let outcome = JobOutcome::read(&devnet.chain, order.id).await?;
    let name_of = |seat: u32| {
        let player = cast.in_seat(seat).ok_or_eyre(format!("seat {seat} is nobody's"))?;
        Ok::<_, eyre::Report>(player.verifier.party.name.clone())
    };
    let amounts = |of: fn(&Ballot) -> U256| -> Result<Vec<Amount>> {
        let sums = by_seat(&outcome.ballots, of);
        sums.into_iter().map(|(seat, amount)| Ok(Amount { verifier: name_of(seat)?, amount })).collect()
    };
    let verdict = match outcome.outcome() {
        Outcome::Accepted => "accepted",
        Outcome::Unresolved => "unresolved",
        Outcome::Expired => "expired",
        _ => "open",
    };
    let job = &outcome.request.job;
    Ok(JobReport {
        id: order.id,
        prompt: order.prompt.clone(),
        committee_size: job.terms.committeeSize,
        fee: fee_of(job),
        noise_seed: outcome.history.first_draw_seed().map(|seed| noise_of(job, seed)),
        verdict,
        digest: outcome.winner().map(B256::from),
        votes: outcome.ballots.iter().map(|ballot| vote(cast, out, order, ballot)).collect::<Result<_>>()?,
        paid: amounts(|ballot| ballot.paid)?,
        slashed: amounts(|ballot| ballot.slashed)?,
        refunded: outcome.refunded(),
        gas: GasReport {
            total: outcome.gas.iter().map(|step| step.gas).sum(),
            steps: outcome.gas.iter().map(|step| GasOfStep { step: step.step.clone(), gas: step.gas }).collect(),
        },
        image: order.image.as_deref().map(|path| shown_path(out, path)),
    })
}

fn vote(cast: &Cast, out: &Path, order: &Order, ballot: &Ballot) -> Result<VoteReport> {
    let player = cast.in_seat(ballot.seat).ok_or_eyre(format!("seat {} is nobody's", ballot.seat))?;
    Ok(VoteReport {
        verifier: player.verifier.party.name.clone(),
        seat: ballot.seat,
        honest: player.honest,
        step: match ballot.step {
            Step::Drawn => "silent",
            Step::Out if ballot.operator.is_zero() => "excused",
            Step::Out => "declined",
            Step::Committed => "committed",
            Step::Revealed => "revealed",
            _ => "unknown",
        },
        digest: ballot.revealed.map(|revealed| B256::from(revealed.digest)),
        distances: ballot.judged.map(|judged| judged.distances),
        zone: ballot.judged.map(|judged| match judged.zone {
            Zone::Accepted => "accepted",
            Zone::Grey => "grey",
            Zone::Rejected => "rejected",
        }),
        content_hash: ballot.revealed.map(|revealed| revealed.content_hash),
        image: order.pictures.get(&ballot.seat).map(|path| shown_path(out, path)),
    })
}

/// Relative to the report.
fn shown_path(out: &Path, path: &Path) -> String {
    path.strip_prefix(out).unwrap_or(path).display().to_string()
}

fn totals(jobs: &[JobReport], took: Duration) -> Totals {
    let votes = || jobs.iter().flat_map(|job| &job.votes);
    let honest_files = |job: &JobReport| {
        let honest = job.votes.iter().filter(|vote| vote.honest);
        honest.filter_map(|vote| vote.content_hash).collect::<BTreeSet<_>>().len()
    };
    let honest_distances = votes().filter(|vote| vote.honest).filter_map(|vote| vote.distances);
    let sum = |amounts: fn(&JobReport) -> &Vec<Amount>| jobs.iter().flat_map(amounts).map(|paid| paid.amount).sum();
    Totals {
        jobs: jobs.len(),
        accepted: jobs.iter().filter(|job| job.verdict == "accepted").count(),
        most_honest_files: jobs.iter().map(honest_files).max().unwrap_or_default(),
        most_honest_distance: honest_distances.flatten().max().unwrap_or_default(),
        cheater_votes: votes().filter(|vote| !vote.honest && vote.digest.is_some()).count(),
        cheater_rejected: votes().filter(|vote| !vote.honest && vote.zone == Some("rejected")).count(),
        paid: sum(|job| &job.paid),
        slashed: sum(|job| &job.slashed),
        refunded: jobs.iter().map(|job| job.refunded).sum(),
        gas: jobs.iter().map(|job| job.gas.total).sum(),
        seconds: took.as_secs(),
    }
}

fn shown(totals: &Totals) -> [String; 3] {
    let Totals { jobs, accepted, most_honest_files: files, most_honest_distance: distance, .. } = totals;
    let Totals { cheater_votes: votes, cheater_rejected: rejected, .. } = totals;
    [
        format!(
            "{jobs} pictures were paid for, made by drawn verifiers from noise that nobody knew before, and judged on \
             the chain: {accepted} accepted."
        ),
        format!(
            "Honest nodes compute in different ways and make different files ({files} for one job), and still agree: each \
             lane of each digest lies within {distance} of 64 bits of the winner's."
        ),
        format!(
            "The cheater voted {votes} times and was rejected {rejected} times, which cost it {} ETH; the others earned {} ETH.",
            eth(totals.slashed),
            eth(totals.paid)
        ),
    ]
}
