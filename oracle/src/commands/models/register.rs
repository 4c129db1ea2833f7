//! `oracle models register`: puts a model on the chain.

use std::{path::PathBuf, process::ExitCode};

use alloy::{
    primitives::{B256, TxHash, U256, aliases::U96, keccak256},
    sol_types::SolValue,
};
use oracle::{
    chain::{ChainError, IModelRegistry},
    keys::KeyArgs,
    manifest::LocalModel,
};
use serde::Serialize;

use crate::commands::{
    Context,
    terminal::{Terminal, printable},
    typed::Ether,
};

/// Which model, and on which terms.
#[derive(clap::Args)]
#[command(after_help = "\
The id is the hash of the manifest, its bounds and tolerances, the seat stake and the owner: another stake or another \
owner is another model. Registering the same one again changes nothing.")]
pub(crate) struct Args {
    /// The model's folder, with its quorate-model.json
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What a seat in its pool costs, in ETH; a job puts an eighth of it at risk
    #[arg(long, value_name = "ETH")]
    seat_stake: Ether,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    model_id: B256,
    name: String,
    manifest_hash: B256,
    seat_stake: Ether,
    /// None if it was registered before.
    transaction: Option<TxHash>,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let local = verified(&args, &context.terminal)?;
    let seat_stake = args.seat_stake;
    eyre::ensure!(
        seat_stake.0 <= U256::from(U96::MAX),
        "a seat stake of {seat_stake} is more than the contract can count"
    );

    let account = context.connect_as(&args.keys).await?;
    let model = local.manifest.on_chain(local.hash, U96::from(seat_stake.0), account.address);
    let model_id = id(&model);
    let models = account.chain.models();
    let transaction = match models.isRegistered(model_id).call().await.map_err(ChainError::from)? {
        true => None,
        false => {
            let mut progress = context.terminal.progress();
            progress.step(format!("registering {}", printable(&local.manifest.name)));
            let receipt = account.send(models.register(model, local.manifest.name.clone())).await?;
            Some(receipt.transaction_hash)
        }
    };
    let registered =
        Registered { model_id, name: local.manifest.name, manifest_hash: local.hash, seat_stake, transaction };
    context.terminal.result(&registered, |registered| match registered.transaction {
        Some(_) => registered.model_id.to_string(),
        None => format!("{} (was registered already)", registered.model_id),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn verified(args: &Args, terminal: &Terminal) -> eyre::Result<LocalModel> {
    let local = LocalModel::open(&args.folder)?;
    local.manifest.profile.check()?;
    eyre::ensure!(
        !local.manifest.files.is_empty(),
        "the manifest of {} pins no files: `oracle models pin {}` completes it",
        printable(&local.manifest.name),
        args.folder.display()
    );
    let mut progress = terminal.progress();
    progress.step(format!("checking {} files", local.manifest.files.len()));
    local.verify()?;
    Ok(local)
}

/// As `ModelRegistry.sol` makes it.
fn id(model: &IModelRegistry::Model) -> B256 {
    keccak256(model.abi_encode())
}
