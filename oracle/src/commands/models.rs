//! `oracle models`: what can be asked for.

mod add;
mod local;
mod pin;
mod pull;
mod register;
mod shipped;

use std::process::ExitCode;

use alloy::primitives::{Address, B256, U256};
use oracle::{
    chain::{Chain, ChainError, ModelRef, RegisteredModel},
    digest::{LANES, ToleranceProfile},
    models_dir::ModelsDirArgs,
    spec::ImageBounds,
};
use serde::Serialize;

use super::{
    Context,
    terminal::{listing, printable, table},
    typed::Ether,
};

/// Models on the chain, and on this machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    models_dir: ModelsDirArgs,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(clap::Subcommand)]
enum Command {
    /// List the models that are registered on the chain or, with --local, those on this machine
    List(ListArgs),
    /// Show one registered model
    Show(ShowArgs),
    /// Make a manifest for a model of the hub's or of a folder
    Add(add::Args),
    /// Get a model's files, check them, and pin what was not pinned
    Pull(pull::Args),
    /// Check the files on this machine against their manifests
    Verify(local::VerifyArgs),
    /// Remove a model from this machine
    Remove(local::RemoveArgs),
    /// Write into a manifest the size and sha256 of every file that the pipeline reads
    Pin(pin::Args),
    /// Register a model, so that verifiers can enrol for it
    Register(register::Args),
}

/// Which ones.
#[derive(clap::Args)]
struct ListArgs {
    /// Those that were pulled or added, and those that come with Quorate and can be pulled; asks no chain
    #[arg(long)]
    local: bool,
}

/// Which one.
#[derive(clap::Args)]
struct ShowArgs {
    /// Id, beginning of the id, or name
    model: ModelRef,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    model_id: B256,
    /// The manifest's name for itself: unchecked, not unique.
    name: String,
    manifest_hash: B256,
    owner: Address,
    seat_stake: Ether,
    /// For a million units of work: steps times pixels.
    price: Ether,
    /// Milliseconds that a million units of work take.
    time: u32,
    /// In ten-thousandths of what supporters earn.
    royalty: u16,
    seats_in_pool: u32,
    bounds: ImageBounds,
    profile: ToleranceProfile,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let models = &args.models_dir;
    match args.command {
        Command::List(ListArgs { local: false }) => list(context).await,
        Command::List(ListArgs { local: true }) => local::list(&models.models_dir()?, context),
        Command::Show(args) => show(args, context).await,
        Command::Add(args) => add::run(args, &models.models_dir()?, context).await,
        Command::Pull(args) => pull::run(args, &models.models_dir()?, context).await,
        Command::Verify(args) => local::verify(&args, &models.models_dir()?, context),
        Command::Remove(args) => local::remove(&args, &models.models_dir()?, context),
        Command::Pin(args) => pin::run(&args, models, context),
        Command::Register(args) => register::run(args, models, context).await,
    }
}

async fn list(context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let mut models = Vec::new();
    for model in chain.registered_models().await? {
        models.push(listed(&chain, model).await?);
    }
    context.terminal.result(&models, |models| rows(models))?;
    Ok(ExitCode::SUCCESS)
}

async fn show(args: ShowArgs, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let model = chain.find_model(&args.model).await?;
    context.terminal.result(&listed(&chain, model).await?, details)?;
    Ok(ExitCode::SUCCESS)
}

async fn listed(chain: &Chain, model: RegisteredModel) -> Result<Listed, ChainError> {
    Ok(Listed {
        model_id: model.id,
        name: model.name,
        manifest_hash: model.model.manifestHash,
        owner: model.model.owner,
        seat_stake: model.model.seatStake.into(),
        price: Ether(U256::from(model.model.price)),
        time: model.model.time,
        royalty: model.model.royalty,
        seats_in_pool: chain.stakes().poolOf(model.id).call().await?.active,
        bounds: (&model.model).into(),
        profile: (&model.model).into(),
    })
}

fn rows(models: &[Listed]) -> String {
    if models.is_empty() {
        return "no model is registered; `oracle models register DIR --seat-stake ETH` registers one".to_owned();
    }
    let mut table = table(["model", "name", "seats", "seat stake", "price", "sides", "steps"]);
    for model in models {
        table.add_row([
            model.model_id.to_string(),
            printable(&model.name),
            model.seats_in_pool.to_string(),
            model.seat_stake.to_string(),
            model.price.to_string(),
            format!("{} to {}", model.bounds.min_side, model.bounds.max_side),
            format!("up to {}", model.bounds.max_steps),
        ]);
    }
    table.to_string()
}

fn details(model: &Listed) -> String {
    let (bounds, profile) = (&model.bounds, &model.profile);
    let head = listing(&[
        ("model", model.model_id.to_string()),
        ("name", printable(&model.name)),
        ("manifest", model.manifest_hash.to_string()),
        ("owner", model.owner.to_string()),
        ("seat stake", model.seat_stake.to_string()),
        ("price", format!("{} for a million steps times pixels", model.price)),
        ("time", format!("{} ms for as much", model.time)),
        ("royalty", format!("{} % of what supporters earn", f64::from(model.royalty) / 100.0)),
        ("pool", format!("{} seats", model.seats_in_pool)),
        ("sides", format!("{} to {} pixels in steps of {}", bounds.min_side, bounds.max_side, bounds.side_step)),
        ("steps", format!("1 to {}", bounds.max_steps)),
        ("guidance", format!("0 to {}", f64::from(bounds.max_guidance) / 1_000.0)),
        ("tolerance", if profile.evidence.is_zero() { "not measured yet" } else { "measured" }.to_owned()),
    ]);
    let mut table = table(["lane", "accept", "reject"]);
    for (lane, (accept, reject)) in LANES.iter().zip(profile.accept.iter().zip(&profile.reject)) {
        table.add_row([(*lane).to_owned(), accept.to_string(), reject.to_string()]);
    }
    format!("{head}\n{table}")
}
