//! A request that is paid for: its job, and its verdict for who waits.

use std::process::ExitCode;

use alloy::{
    primitives::{Address, B256, TxHash},
    rpc::types::TransactionReceipt,
};
use oracle::{
    chain::{Account, Request},
    fees::fee_of,
    spec::Spec,
};
use serde::Serialize;

use super::{
    Context, follow,
    report::{Job, JobReport},
    status,
    typed::Ether,
};

/// Whether to stay.
#[derive(clap::Args)]
pub(crate) struct WaitArgs {
    /// Follow the job to its verdict
    #[arg(long)]
    wait: bool,
    /// While waiting, send what is due: draw, settle, expire or deliver
    #[arg(long, requires = "wait")]
    advance: bool,
}

/// For the help of each command that takes [`WaitArgs`].
pub(crate) const EXIT_CODES: &str =
    "Exit codes: 0 paid (with --wait: accepted), 1 failed, 2 not understood, 3 unresolved, 4 expired.";

const UNRESOLVED: u8 = 3;
const EXPIRED: u8 = 4;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paid {
    job_id: B256,
    transaction: TxHash,
    requester: Address,
    model_id: B256,
    /// At the base fee of the request.
    fee: Ether,
    share: Ether,
    /// Of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<B256>,
}

impl Paid {
    fn of(request: &Request, transaction: TxHash) -> Self {
        Self {
            job_id: request.id,
            transaction,
            requester: request.job.requester,
            model_id: request.job.modelId,
            fee: Ether(fee_of(&request.job)),
            share: request.job.terms.share.into(),
            seed: match &request.spec {
                Spec::Image(spec) => Some(spec.seed),
                Spec::Text(_) => None,
            },
        }
    }
}

/// Says which job it is, or follows it to its end.
pub(crate) async fn finish(
    receipt: &TransactionReceipt,
    args: &WaitArgs,
    account: &Account,
    context: &Context,
) -> eyre::Result<ExitCode> {
    let transaction = receipt.transaction_hash;
    let request = receipt.logs().iter().find_map(Request::read);
    let request = request.ok_or_else(|| eyre::eyre!("transaction {transaction} was mined without a request in it"))?;
    context.terminal.progress().done(format!("job {}", request.id));
    if !args.wait {
        context.terminal.result(&Paid::of(&request, transaction), |paid| format!("{}", paid.job_id))?;
        return Ok(ExitCode::SUCCESS);
    }
    let advancing = args.advance.then_some(account);
    let job = follow::to_the_end(&account.chain, request, advancing, &context.terminal).await?;
    verdict(&job, context)
}

fn verdict(job: &Job, context: &Context) -> eyre::Result<ExitCode> {
    let report = job.report();
    let code = exit_code(&report);
    context.terminal.result(&report, status::human)?;
    if report.phase == "expired" {
        context.terminal.note(format!("`oracle advance {}` sends the fee back", report.job_id));
    }
    Ok(code)
}

fn exit_code(report: &JobReport) -> ExitCode {
    match report.outcome {
        "accepted" => ExitCode::SUCCESS,
        "unresolved" => ExitCode::from(UNRESOLVED),
        _ => ExitCode::from(EXPIRED),
    }
}
