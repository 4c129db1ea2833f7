//! `oracle deposit` and `oracle withdraw`: the balance that pays for requests and appeals, and takes what comes back.

use std::process::ExitCode;

use alloy::primitives::{Address, TxHash};
use oracle::{
    chain::{Chain, ChainError, IGenerationOracle::Withdrawn},
    keys::KeyArgs,
};
use serde::Serialize;

use super::{Context, typed::Ether};

/// How much, and whose.
#[derive(clap::Args)]
pub(crate) struct DepositArgs {
    /// In ETH
    amount: Ether,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Whose balance, and where to.
#[derive(clap::Args)]
pub(crate) struct WithdrawArgs {
    /// Who receives it [default: the key's account]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deposit {
    account: Address,
    amount: Ether,
    /// At the oracle, afterwards.
    balance: Ether,
    transaction: TxHash,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payout {
    account: Address,
    to: Address,
    amount: Ether,
    transaction: TxHash,
}

pub(crate) async fn deposit(args: DepositArgs, context: &Context) -> eyre::Result<ExitCode> {
    let account = context.connect_as(&args.keys).await?;
    eyre::ensure!(args.amount != Ether::default(), "a deposit of nothing changes nothing");

    let mut progress = context.terminal.progress();
    progress.step("depositing");
    let receipt = account.send(account.chain.oracle().deposit().value(args.amount.0)).await?;
    drop(progress);

    let balance = balance(&account.chain, account.address).await?;
    let transaction = receipt.transaction_hash;
    let deposit = Deposit { account: account.address, amount: args.amount, balance, transaction };
    context
        .terminal
        .result(&deposit, |deposit| format!("{} has {} at the oracle", deposit.account, deposit.balance))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn withdraw(args: WithdrawArgs, context: &Context) -> eyre::Result<ExitCode> {
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

/// What `account` has at the oracle.
pub(crate) async fn balance(chain: &Chain, account: Address) -> Result<Ether, ChainError> {
    Ok(Ether(chain.oracle().balanceOf(account).call().await?))
}
