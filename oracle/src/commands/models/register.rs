//! `oracle models register`: puts a model on the chain.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::{
    primitives::{B256, TxHash, U256, aliases::U96, keccak256},
    sol_types::SolValue,
};
use oracle::{
    chain::{ChainError, IModelRegistry},
    keys::KeyArgs,
    manifest::{LocalModel, ModelTerms},
    models_dir::ModelsDirArgs,
};
use serde::Serialize;

use crate::commands::{
    Context,
    terminal::{Terminal, printable},
    typed::{Ether, Percent},
};

/// Which model, and on which terms.
#[derive(clap::Args)]
#[command(after_help = "\
The id is the hash of the manifest, its bounds and tolerances, its stake, price, time and royalty, and the owner: \
another stake or another owner is another model. Registering the same one again changes nothing.")]
pub(crate) struct Args {
    /// The model's folder, with its quorate-model.json, or the name of one in the models folder
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// What a seat in its pool costs, in ETH; a job puts an eighth of it at risk
    #[arg(long, value_name = "ETH")]
    seat_stake: Ether,
    /// What a million units of work cost, in ETH; the work of a picture is its steps times its pixels, that of a text the bytes of its messages and the tokens of all its beams
    #[arg(long, value_name = "ETH", default_value = "0")]
    price: Ether,
    /// Milliseconds that a million units of work take on the machines that the model is meant for; verifiers get four
    /// times as long
    #[arg(long, value_name = "MS", default_value_t = 0)]
    time: u32,
    /// Your part, on top of what supporters earn, in percent: at most 20
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    royalty: Percent,
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
    price: Ether,
    time: u32,
    /// In ten-thousandths.
    royalty: u16,
    /// None if it was registered before.
    transaction: Option<TxHash>,
}

pub(crate) async fn run(args: Args, models: &ModelsDirArgs, context: &Context) -> eyre::Result<ExitCode> {
    let local = verified(&models.resolve(&args.model), &context.terminal)?;
    let seat_stake = args.seat_stake;
    eyre::ensure!(
        seat_stake.0 <= U256::from(U96::MAX),
        "a seat stake of {seat_stake} is more than the contract can count"
    );

    let price = u64::try_from(args.price.0).map_err(|_| {
        eyre::eyre!("a price of {} for a million units of work is more than the contract can count", args.price)
    })?;

    let account = context.connect_as(&args.keys).await?;
    let (owner, seat_stake_wei, royalty) = (account.address, U96::from(seat_stake.0), args.royalty.0);
    let terms = ModelTerms { owner, seat_stake: seat_stake_wei, price, time: args.time, royalty };
    let model = local.manifest.on_chain(local.hash, terms);
    let model_id = id(&model);
    let registry = account.chain.models();
    let transaction = match registry.isRegistered(model_id).call().await.map_err(ChainError::from)? {
        true => None,
        false => {
            let mut progress = context.terminal.progress();
            progress.step(format!("registering {}", printable(&local.manifest.name)));
            let receipt = account.send(registry.register(model, local.manifest.name.clone())).await?;
            Some(receipt.transaction_hash)
        }
    };
    let registered = Registered {
        model_id,
        name: local.manifest.name,
        manifest_hash: local.hash,
        seat_stake,
        price: args.price,
        time: args.time,
        royalty,
        transaction,
    };
    context.terminal.result(&registered, |registered| match registered.transaction {
        Some(_) => registered.model_id.to_string(),
        None => format!("{} (was registered already)", registered.model_id),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn verified(folder: &Path, terminal: &Terminal) -> eyre::Result<LocalModel> {
    let local = LocalModel::open(folder)?;
    let mut progress = terminal.progress();
    progress.step(format!("checking {} files", local.manifest.files.len()));
    local.verify()?;
    Ok(local)
}

/// As `ModelRegistry.sol` makes it.
fn id(model: &IModelRegistry::Model) -> B256 {
    keccak256(model.abi_encode())
}
