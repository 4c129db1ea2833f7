//! `oracle submit`: pays for an image.
//!
//! What was typed ([`Args`]) becomes an [`Order`] that the model can take, which becomes a paid job.

mod follow;
mod order;

use std::{path::PathBuf, process::ExitCode};

use alloy::primitives::{B256, TxHash};
use oracle::{
    chain::{Account, Chain, IGenerationOracle::Requested, ModelRef, Request},
    keys::KeyArgs,
    spec::Prompt,
};
use serde::Serialize;

use self::order::Order;
use super::{
    Context,
    quote::committee_size,
    report::{Job, JobReport},
    status,
    typed::{Ether, Guidance, Seed, Size},
};

/// What is asked for, as typed.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// What to show; at most 4096 bytes
    prompt: String,
    /// What not to show
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    negative_prompt: String,
    /// Model: its id, the beginning of its id, or its name
    #[arg(long, value_name = "MODEL")]
    model: ModelRef,
    /// Width and height in pixels, or one number for a square [default: the manifest's]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Denoising steps [default: the manifest's]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Classifier-free guidance scale, at most three decimal places [default: the manifest's]
    #[arg(long, value_name = "SCALE")]
    guidance: Option<Guidance>,
    /// The model's folder or quorate-model.json, for its defaults [default: looked for in models/]
    #[arg(long, value_name = "PATH")]
    manifest: Option<PathBuf>,
    /// Seats in the committee: odd, 3 to 31
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = committee_size)]
    committee: u8,
    /// What to pay in all, in ETH, cut to whole wei per seat [default: a thousandth of a seat's stake per seat]
    #[arg(long, value_name = "ETH")]
    fee: Option<Ether>,
    /// Mixed with the draw into the noise: 0x and 64 hex digits, or a number [default: random]
    #[arg(long)]
    seed: Option<Seed>,
    /// Make the noise from --seed alone, so that the picture is known beforehand; not safe, see below
    #[arg(long, requires = "seed")]
    fixed_seed: bool,
    /// Follow the job to its verdict
    #[arg(long)]
    wait: bool,
    /// While waiting, send what is due: draw, settle, or expire
    #[arg(long, requires = "wait")]
    advance: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

const AFTER_HELP: &str = "\
With --fixed-seed the requester can have searched for a job on which honest machines differ. Dissent then costs a \
verifier its share and never its bond, so a fraud has nothing to lose: rely on such a job for nothing of value.

Exit codes: 0 paid (with --wait: accepted), 1 failed, 2 not understood, 3 unresolved, 4 expired.

Examples:
  oracle submit \"a red apple on a blue plate\" --model emoji-64 --keystore me.json --wait
  oracle submit \"a fox\" --model 0x8c1d --size 64 --steps 20 --guidance 5 --keystore me.json
  oracle submit \"a fox\" --model 0x8c1d --committee 5 --fee 0.01 --seed 7 --keystore me.json";

const UNRESOLVED: u8 = 3;
const EXPIRED: u8 = 4;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paid {
    job_id: B256,
    transaction: TxHash,
    model_id: B256,
    fee: Ether,
    seed: B256,
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
    follow::to_the_end(&account.chain, &request, advancing, &context.terminal).await?;
    finish(&account.chain, request, context).await
}

async fn pay(account: &Account, order: &Order, context: &Context) -> eyre::Result<(Request, Paid)> {
    let mut progress = context.terminal.progress();
    progress.step(format!("paying {} for {} seats", order.fee, order.terms.committeeSize));
    let oracle = account.chain.oracle();
    let call = oracle.requestImage(order.model, (&order.spec).into(), order.terms.clone());
    let receipt = account.send(call.value(order.fee.0)).await?;

    let is_request = |log: &&alloy::rpc::types::Log| log.log_decode::<Requested>().is_ok();
    let log = receipt
        .logs()
        .iter()
        .find(is_request)
        .ok_or_else(|| eyre::eyre!("transaction {} was mined without a request in it", receipt.transaction_hash))?;
    let request = Request::read(log)?;
    progress.done(format!("job {}", request.id));
    let paid = Paid {
        job_id: request.id,
        transaction: receipt.transaction_hash,
        model_id: order.model,
        fee: order.fee,
        seed: order.spec.seed,
    };
    Ok((request, paid))
}

async fn finish(chain: &Chain, request: Request, context: &Context) -> eyre::Result<ExitCode> {
    let report = Job::read(chain, request).await?.report();
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

impl Args {
    fn prompt(&self) -> Prompt {
        self.prompt.as_str().into()
    }

    fn negative_prompt(&self) -> Prompt {
        self.negative_prompt.as_str().into()
    }
}
