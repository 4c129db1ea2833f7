//! `oracle submit`: pays for a picture or a text.
//!
//! What was typed becomes an [`Order`] that the model can take, which becomes a paid job.

use std::process::ExitCode;

use alloy::{primitives::U256, rpc::types::TransactionReceipt};
use oracle::{
    chain::{Account, ChainError},
    keys::KeyArgs,
    spec::Spec,
};

use super::{
    Context,
    order::{ABOUT_FIXED_SEEDS, Order, OrderArgs},
    paid::{EXIT_CODES, WaitArgs, finish},
    withdraw::balance,
};

/// What is asked for, as typed.
#[derive(clap::Args)]
#[command(after_help = format!("{ABOUT_FIXED_SEEDS}\n\n{ABOUT_FEES}\n\n{EXIT_CODES}\n\n{EXAMPLES}"))]
pub(crate) struct Args {
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    keys: KeyArgs,
}

const ABOUT_FEES: &str = "\
The fee follows the base fee, so a little more is sent; what is too much stays at the oracle as your balance, out of \
which the next job is paid first (`oracle balance`, `oracle withdraw`).";

const EXAMPLES: &str = "\
Examples:
  oracle submit \"a red apple on a blue plate\" --model emoji-64 --keystore me.json --wait
  oracle submit \"a fox\" --model 0x8c1d --size 64 --steps 20 --guidance 5 --keystore me.json
  oracle submit \"a fox\" --model 0x8c1d --committee 5 --super-majority --share 0.002 --keystore me.json
  oracle submit \"a fox\" --model 0x8c1d --assurance 0.9999 --agreement 0.995 --hostile 0.1 --keystore me.json
  oracle submit \"Why is the sky blue?\" --model smollm2-135m --max-tokens 64 --keystore me.json --wait";

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let account = context.connect_as(&args.keys).await?;
    let order = Order::resolve(&args.order, &account.chain, &context.terminal).await?;

    let mut progress = context.terminal.progress();
    progress.step(format!("paying {} for {} seats", order.fee, order.terms.committeeSize));
    let missing = order.missing(balance(&account.chain, account.address).await?);
    let receipt = pay(&account, order, missing).await?;
    drop(progress);
    finish(&receipt, &args.wait, &account, context).await
}

async fn pay(account: &Account, order: Order, missing: U256) -> Result<TransactionReceipt, ChainError> {
    let oracle = account.chain.oracle();
    let Order { model, spec, terms, .. } = order;
    match &spec {
        Spec::Image(spec) => account.send(oracle.requestImage(model, spec.into(), terms).value(missing)).await,
        Spec::Text(spec) => account.send(oracle.requestText(model, spec.into(), terms).value(missing)).await,
    }
}
