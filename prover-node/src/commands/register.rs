//! `prover-node register`: takes seats in a model's pool, each with its stake.

use std::path::PathBuf;

use alloy::primitives::{Address, U256};
use eyre::{OptionExt, ensure};
use oracle::{
    chain::{ChainArgs, IVerifierStakes::Enrolled, ModelRef, connect},
    keys::KeyArgs,
    manifest::LocalModel,
    models_dir::ModelsDirArgs,
};
use serde_json::json;

use super::{Wei, list, print_json, printable, profile::ProfileArgs};
use crate::{inference::Model, selftest::ensure_serves};

/// What was typed after `register`.
#[derive(Clone, clap::Args)]
pub struct RegisterArgs {
    #[command(flatten)]
    chain: ChainArgs,
    /// The owner's key.
    #[command(flatten)]
    key: KeyArgs,
    /// Model: id, beginning of it, or name
    #[arg(long, env = "QUORATE_MODEL", value_name = "MODEL")]
    model: ModelRef,
    /// Address of the key that the node will run with [default: the owner's]
    #[arg(long, env = "QUORATE_OPERATOR", value_name = "ADDRESS")]
    operator: Option<Address>,
    /// The model's folder, or the name of an installed one: makes its golden jobs first, and takes no seat if this machine
    /// fails them. Leave it out where the owner's machine is not the operator's
    #[arg(long, value_name = "DIR")]
    model_dir: Option<PathBuf>,
    #[command(flatten)]
    models_dir: ModelsDirArgs,
    #[command(flatten)]
    profile: ProfileArgs,
    /// How many seats to take; each costs the model's seat stake
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    seats: u32,
}

/// Takes the seats one after the other, and says which.
pub async fn execute(args: RegisterArgs, json: bool) -> eyre::Result<()> {
    let chain = connect(&args.chain).await?;
    let model = chain.find_model(&args.model).await?;
    if let Some(folder) = &args.model_dir {
        let files = LocalModel::open(&args.models_dir.resolve(folder))?;
        ensure!(
            files.hash == model.model.manifestHash,
            "{} is not the manifest of {}: its sha256 is {}, and {} is registered",
            files.folder.display(),
            printable(&model.name),
            files.hash,
            model.model.manifestHash
        );
        ensure_serves(&files, &Model::load(&files, args.profile.settings())?)?;
    }
    let owner = chain.account(args.key.load(chain.deployment.chain_id)?)?;
    let operator = args.operator.unwrap_or(owner.address);
    let (name, stake) = (printable(&model.name), Wei(U256::from(model.model.seatStake)));

    let mut taken = Vec::new();
    for _ in 0..args.seats {
        let receipt = owner.send(chain.stakes().enrol(model.id, operator).value(stake.0)).await?;
        let enrolled = receipt.decoded_log::<Enrolled>().ok_or_eyre("the contract took the stake and named no seat")?;
        eprintln!("seat {} of {name} taken for {stake}", enrolled.seat);
        taken.push(enrolled.seat);
    }

    if json {
        return print_json(&json!({
            "model": model.id, "owner": owner.address, "operator": operator, "seats": taken, "stakeEach": stake,
        }));
    }
    println!("model     {} ({name})", model.id);
    println!("owner     {}", owner.address);
    println!("operator  {operator}");
    println!("seats     {}", list(&taken));
    match operator == owner.address {
        true => println!("Next: `prover-node run` with this key."),
        false => println!("Next: `prover-node run --owner {}` with the operator's key.", owner.address),
    }
    Ok(())
}
