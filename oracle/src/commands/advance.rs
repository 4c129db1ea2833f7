//! `oracle advance`: the permissionless way on. Draws, settles, expires or delivers a job, whichever is due.

use std::process::ExitCode;

use alloy::primitives::{B256, Bytes, TxHash};
use oracle::{
    chain::{Account, IdPrefix},
    due::Due,
    keys::KeyArgs,
};
use serde::Serialize;

use super::{
    Context,
    report::{Job, outcome_name, phase_name},
};

/// Which job, and who pays for the gas.
#[derive(clap::Args)]
#[command(after_help = "\
Anyone may send this, for any job: the outcome does not depend on who does, or when. Whoever draws, settles or delivers \
is paid for the gas out of the fee, into his balance at the oracle.")]
pub(crate) struct Args {
    /// The job's id, or at least four hex digits of its beginning
    job: IdPrefix,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Advanced {
    job_id: B256,
    /// draw, settle, settleEarlier, deliver or expire; none if nothing was due.
    sent: Option<&'static str>,
    transaction: Option<TxHash>,
    phase: &'static str,
    outcome: &'static str,
    /// What it waits for now.
    next: String,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let job = Job::read(&chain, chain.find_job(&args.job).await?).await?;
    let due = job.due;
    let transaction = match due {
        Due::Nothing(_) => None,
        _ => {
            let account = chain.account(args.keys.load(chain.deployment.chain_id)?)?;
            let mut progress = context.terminal.progress();
            progress.step(due.to_string());
            Some(take(&account, &job).await?)
        }
    };

    let job = Job::read(&chain, job.request).await?;
    let advanced = Advanced {
        job_id: job.request.id,
        sent: due.name(),
        transaction,
        phase: phase_name(job.phase),
        outcome: outcome_name(job.outcome()),
        next: job.due.to_string(),
    };
    context.terminal.result(&advanced, |advanced| match advanced.sent {
        Some(sent) => format!("{sent}: done. Now: {}", advanced.next),
        None => format!("nothing is due: {}", advanced.next),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Sends what is due.
pub(crate) async fn take(account: &Account, job: &Job) -> eyre::Result<TxHash> {
    let proof = match job.due {
        Due::Draw { randomness, .. } => account.chain.proof(randomness).await?,
        _ => Bytes::new(),
    };
    let call = job.due.calldata(&job.request.job, &job.history, &proof);
    let call = call.ok_or_else(|| eyre::eyre!("nothing is due: {}", job.due))?;
    Ok(account.send_raw(call).await?.transaction_hash)
}
