//! `oracle account`: an account of one's own, without any other tool.

use std::{path::PathBuf, process::ExitCode};

use alloy::primitives::Address;
use oracle::keys;
use serde::Serialize;

use super::Context;

/// What to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a new key, encrypted with a password, and print its address
    New(NewArgs),
}

/// Where it goes.
#[derive(clap::Args)]
#[command(after_help = "\
The file and the password together are the account: keep copies of both, apart from each other. \
The password has 8 characters or more.")]
pub(crate) struct NewArgs {
    /// The file to make; never overwritten
    #[arg(long, env = "QUORATE_KEYSTORE", value_name = "FILE")]
    keystore: PathBuf,
    /// File with the password [default: $QUORATE_PASSWORD, else asked for on the terminal]
    #[arg(long, env = "QUORATE_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount {
    address: Address,
    keystore: PathBuf,
}

pub(crate) fn run(command: Command, context: &Context) -> eyre::Result<ExitCode> {
    let Command::New(args) = command;
    let signer = keys::create_keystore(&args.keystore, args.password_file.as_deref())?;
    let account = NewAccount { address: signer.address(), keystore: args.keystore };
    context
        .terminal
        .result(&account, |account| format!("{} (key in {})", account.address, account.keystore.display()))?;
    Ok(ExitCode::SUCCESS)
}
