//! `oracle withdraw`: pays out what the oracle owes: fees that came back, and what owned seats earned.

use std::process::ExitCode;

use alloy::primitives::{Address, TxHash};
use oracle::{chain::IGenerationOracle::Withdrawn, keys::KeyArgs};
use serde::Serialize;

use super::{Context, typed::Ether};

/// Whose credit, and where to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Who receives it [default: the key's account]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payout {
    account: Address,
    to: Address,
    amount: Ether,
    transaction: TxHash,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let account = context.connect_as(&args.keys).await?;
    let to = args.to.unwrap_or(account.address);
    eyre::ensure!(!to.is_zero(), "--to is the zero address: what is sent there is lost");

    let mut progress = context.terminal.progress();
    progress.step("withdrawing");
    let receipt = account.send(account.chain.oracle().withdraw(to)).await?;
    drop(progress);

    let amount = receipt.decoded_log::<Withdrawn>().map(|event| event.data.amount).unwrap_or_default();
    let payout = Payout { account: account.address, to, amount: Ether(amount), transaction: receipt.transaction_hash };
    context.terminal.result(&payout, |payout| format!("{} paid out to {}", payout.amount, payout.to))?;
    Ok(ExitCode::SUCCESS)
}
