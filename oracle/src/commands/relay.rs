//! `oracle relay`: sends a request that somebody else has signed. The sender pays the gas, and the signer the fee.

use std::{path::PathBuf, process::ExitCode};

use alloy::primitives::Bytes;
use oracle::{
    delegation::{DelegationError, DelegationFile},
    keys::KeyArgs,
};

use super::{
    Context,
    paid::{EXIT_CODES, WaitArgs, finish},
};

/// What, and who sends it.
#[derive(clap::Args)]
#[command(after_help = format!("{ABOUT}\n\n{EXIT_CODES}\n\n{EXAMPLES}"))]
pub(crate) struct Args {
    /// As `oracle sign` has written it
    file: PathBuf,
    /// The requester's signature, if a wallet has made it [default: the file's]
    #[arg(long, value_name = "HEX")]
    signature: Option<Bytes>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    keys: KeyArgs,
}

const ABOUT: &str = "\
The whole call is tried first and sent only if the contract takes it: signature (ERC-1271 for contracts), deadline, \
nonce, the fee and its limit, the requester's balance.";

const EXAMPLES: &str = "\
Examples:
  oracle relay apple.json --keystore me.json --wait
  oracle relay fox.json --signature 0x... --keystore me.json";

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let refused = |error: DelegationError| eyre::eyre!("{}: {error}", args.file.display());
    let file = DelegationFile::read(&args.file).map_err(refused)?;
    let chain = context.connect().await?;
    let delegation = file.delegation(&chain.deployment).map_err(refused)?;
    let requester = delegation.requester();
    let signature = args.signature.clone().or(file.signature);
    let call = delegation.calldata(signature.ok_or(DelegationError::NotSigned(requester)).map_err(refused)?);

    let account = chain.account(args.keys.load(chain.deployment.chain_id)?)?;
    let mut progress = context.terminal.progress();
    progress.step(format!("sending what {requester} pays for"));
    let receipt = account.send_raw(call).await?;
    drop(progress);
    finish(&receipt, &args.wait, &account, context).await
}
