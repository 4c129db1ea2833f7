//! `oracle submit`: pays for a picture or a text.
//!
//! What was typed ([`Args`]) becomes an [`Order`] that the model can take, which becomes a paid job.

mod follow;
mod order;

use std::process::ExitCode;

use alloy::primitives::{B256, TxHash};
use oracle::{
    chain::{Account, ModelRef, Request},
    fees::fee_of,
    keys::KeyArgs,
    spec::Spec,
};
use serde::Serialize;

use self::order::Order;
use super::{
    Context,
    report::{Job, JobReport},
    status,
    terms::TermsArgs,
    typed::{Ether, Seed},
    wish::WishArgs,
    withdraw::balance,
};

/// What is asked for, as typed.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// What to show, or what to answer; at most 4096 bytes
    prompt: String,
    /// Model: its id, the beginning of its id, or its name
    #[arg(long, value_name = "MODEL")]
    model: ModelRef,
    #[command(flatten)]
    wish: WishArgs,
    #[command(flatten)]
    terms: TermsArgs,
    /// For pictures. Mixed with the draw into the noise: 0x and 64 hex digits, or a number [default: random]
    #[arg(long)]
    seed: Option<Seed>,
    /// For pictures. Make the noise from --seed alone, so that the picture is known beforehand; not safe, see below
    #[arg(long, requires = "seed")]
    fixed_seed: bool,
    /// Follow the job to its verdict
    #[arg(long)]
    wait: bool,
    /// While waiting, send what is due: draw, settle, expire or deliver
    #[arg(long, requires = "wait")]
    advance: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

const AFTER_HELP: &str = "\
With --fixed-seed the requester can have searched for a job on which honest machines differ. Dissent then costs a \
verifier its share and never its bond, so a fraud has nothing to lose: rely on such a job for nothing of value.

The fee follows the base fee, so a little more is sent; what is too much stays at the oracle as your balance, out of \
which the next job is paid first (`oracle balance`, `oracle withdraw`).

Exit codes: 0 paid (with --wait: accepted), 1 failed, 2 not understood, 3 unresolved, 4 expired.

Examples:
  oracle submit \"a red apple on a blue plate\" --model emoji-64 --keystore me.json --wait
  oracle submit \"a fox\" --model 0x8c1d --size 64 --steps 20 --guidance 5 --keystore me.json
  oracle submit \"a fox\" --model 0x8c1d --committee 5 --super-majority --share 0.002 --keystore me.json
  oracle submit \"Why is the sky blue?\" --model smollm2-135m --max-tokens 64 --keystore me.json --wait";

const UNRESOLVED: u8 = 3;
const EXPIRED: u8 = 4;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paid {
    job_id: B256,
    transaction: TxHash,
    model_id: B256,
    /// At the base fee of the request.
    fee: Ether,
    share: Ether,
    /// Of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<B256>,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let account = context.connect_as(&args.keys).await?;
    let order = Order::resolve(&args, &account.chain).await?;
    if order.terms.fixedSeed {
        context.terminal.note(
            "warning: with a fixed seed dissent costs a verifier only its share, and whoever requests could have \
             searched for a job that splits honest machines: the safe value of this job is zero",
        );
    }

    let (request, paid) = pay(&account, &order, context).await?;
    if !args.wait {
        context.terminal.result(&paid, |paid| format!("{}", paid.job_id))?;
        return Ok(ExitCode::SUCCESS);
    }
    let advancing = args.advance.then_some(&account);
    let job = follow::to_the_end(&account.chain, request, advancing, &context.terminal).await?;
    finish(&job, context)
}

async fn pay(account: &Account, order: &Order, context: &Context) -> eyre::Result<(Request, Paid)> {
    let mut progress = context.terminal.progress();
    progress.step(format!("paying {} for {} seats", order.fee, order.terms.committeeSize));
    let missing = order.missing(balance(account).await?);
    let oracle = account.chain.oracle();
    let (model, terms) = (order.model, order.terms.clone());
    let receipt = match &order.spec {
        Spec::Image(spec) => account.send(oracle.requestImage(model, spec.into(), terms).value(missing)).await?,
        Spec::Text(spec) => account.send(oracle.requestText(model, spec.into(), terms).value(missing)).await?,
    };

    let request = receipt
        .logs()
        .iter()
        .find_map(Request::read)
        .ok_or_else(|| eyre::eyre!("transaction {} was mined without a request in it", receipt.transaction_hash))?;
    progress.done(format!("job {}", request.id));
    let paid = Paid {
        job_id: request.id,
        transaction: receipt.transaction_hash,
        model_id: order.model,
        fee: Ether(fee_of(&request.job)),
        share: order.terms.share.into(),
        seed: match &order.spec {
            Spec::Image(spec) => Some(spec.seed),
            Spec::Text(_) => None,
        },
    };
    Ok((request, paid))
}

fn finish(job: &Job, context: &Context) -> eyre::Result<ExitCode> {
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
