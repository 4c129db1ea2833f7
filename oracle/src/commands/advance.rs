//! `oracle advance`: the permissionless way on. Draws, settles or expires a job, whichever is due.

use std::process::ExitCode;

use alloy::primitives::{B256, TxHash};
use oracle::{
    chain::{Account, Chain, ChainError, ChainTime, IdPrefix, seed_header},
    keys::KeyArgs,
};
use serde::Serialize;

use super::{
    Context,
    report::{Deadlines, JobView, Phase, outcome_name, phase_name},
};

/// Which job, and who pays for the gas.
#[derive(clap::Args)]
#[command(after_help = "Anyone may send this, for any job: the outcome does not depend on who does, or when.")]
pub(crate) struct Args {
    /// The job's id, or at least four hex digits of its beginning
    job: IdPrefix,
    #[command(flatten)]
    keys: KeyArgs,
}

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Due {
    /// The draw, with the header of this block.
    Draw(u64),
    /// The verdict.
    Settle,
    /// The fee's way back.
    Expire,
    /// Nothing, until something else happens.
    Nothing(Wait),
}

/// Why nothing is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Wait {
    /// The draw is possible once this many more blocks are mined.
    Blocks(u64),
    /// The operators commit; their window closes in so many seconds.
    Commit(u64),
    /// The operators reveal; their window closes in so many seconds.
    Reveal(u64),
    /// The job is over.
    Over,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Advanced {
    job_id: B256,
    /// draw, settle or expire; none if nothing was due.
    sent: Option<&'static str>,
    transaction: Option<TxHash>,
    phase: &'static str,
    outcome: &'static str,
    /// What it waits for now.
    next: String,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let request = chain.find_job(&args.job).await?;
    let (due, _) = look(&chain, request.id).await?;
    let transaction = match due {
        Due::Nothing(_) => None,
        _ => {
            let account = chain.account(args.keys.load(chain.deployment.chain_id)?)?;
            let mut progress = context.terminal.progress();
            progress.step(due.to_string());
            Some(take(&account, request.id, due).await?)
        }
    };

    let (next, view) = look(&chain, request.id).await?;
    let advanced = Advanced {
        job_id: request.id,
        sent: due.name(),
        transaction,
        phase: phase_name(view.phase),
        outcome: outcome_name(view.outcome),
        next: next.to_string(),
    };
    context.terminal.result(&advanced, |advanced| match advanced.sent {
        Some(sent) => format!("{sent}: done. Now: {}", advanced.next),
        None => format!("nothing is due: {}", advanced.next),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What is due now.
pub(crate) async fn look(chain: &Chain, job: B256) -> Result<(Due, JobView), ChainError> {
    let now = chain.now().await?;
    let view = chain.oracle().job(job).call().await?;
    Ok((Due::of(view.phase, Deadlines::of(&view), now), view))
}

/// Sends it.
pub(crate) async fn take(account: &Account, job: B256, due: Due) -> eyre::Result<TxHash> {
    let oracle = account.chain.oracle();
    let receipt = match due {
        Due::Draw(block) => {
            let header = seed_header(&account.chain.provider, block).await?;
            account.send(oracle.draw(job, header)).await?
        }
        Due::Settle => account.send(oracle.settle(job)).await?,
        Due::Expire => account.send(oracle.expire(job)).await?,
        Due::Nothing(wait) => eyre::bail!("nothing is due: {wait}"),
    };
    Ok(receipt.transaction_hash)
}

impl Due {
    fn of(phase: Phase, deadlines: Deadlines, now: ChainTime) -> Self {
        let left = |deadline: Option<u64>| deadline.unwrap_or_default().saturating_sub(now.time);
        match phase {
            Phase::Requested => Self::Nothing(Wait::Blocks((deadlines.seed_block + 1).saturating_sub(now.block))),
            Phase::Draw => Self::Draw(deadlines.seed_block),
            Phase::Expired => Self::Expire,
            Phase::Commit => Self::Nothing(Wait::Commit(left(deadlines.commit))),
            Phase::Reveal => Self::Nothing(Wait::Reveal(left(deadlines.reveal))),
            Phase::Settle => Self::Settle,
            _ => Self::Nothing(Wait::Over),
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Draw(_) => Some("draw"),
            Self::Settle => Some("settle"),
            Self::Expire => Some("expire"),
            Self::Nothing(_) => None,
        }
    }
}

impl std::fmt::Display for Due {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Draw(block) => write!(f, "drawing the committee from block {block}"),
            Self::Settle => f.write_str("settling"),
            Self::Expire => f.write_str("sending the fee back"),
            Self::Nothing(wait) => wait.fmt(f),
        }
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blocks(blocks) => {
                write!(f, "the draw is possible in {blocks} block{}", if *blocks == 1 { "" } else { "s" })
            }
            Self::Commit(seconds) => {
                write!(f, "verifiers generate and commit; they have {seconds} s more at most")
            }
            Self::Reveal(seconds) => write!(f, "verifiers reveal; they have {seconds} s more at most"),
            Self::Over => f.write_str("the job is over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_follows_from_phase_and_clock() {
        let deadlines =
            Deadlines { request_block: 8, seed_block: 10, draw_block: 248, commit: Some(100), reveal: Some(160) };
        let due = |phase, block, time| Due::of(phase, deadlines, ChainTime { block, time });

        assert_eq!(due(Phase::Requested, 8, 50), Due::Nothing(Wait::Blocks(3)));
        assert_eq!(due(Phase::Draw, 11, 50), Due::Draw(10));
        assert_eq!(due(Phase::Expired, 300, 50), Due::Expire);
        assert_eq!(due(Phase::Commit, 12, 60), Due::Nothing(Wait::Commit(40)));
        assert_eq!(due(Phase::Reveal, 12, 110), Due::Nothing(Wait::Reveal(50)));
        assert_eq!(due(Phase::Settle, 12, 170), Due::Settle);
        assert_eq!(due(Phase::Closed, 12, 170), Due::Nothing(Wait::Over));
    }
}
