//! Config: what is true of a node once everything that was typed has been checked.

use std::{net::SocketAddr, path::Path};

use alloy::{
    primitives::{Address, B256},
    providers::Provider,
    signers::local::PrivateKeySigner,
};
use axum_server::tls_rustls::RustlsConfig;
use eyre::{bail, ensure};
use oracle::{
    chain::{Chain, ChainError, ModelRef, RegisteredModel, connect},
    finality::Finality,
    manifest::{LocalModel, Pipeline},
    spec::{ImageSpec, Message, Prompt, Spec, TextSpec},
};
use tracing::{info, warn};

use crate::{
    budget::Budget,
    commands::run::RunArgs,
    data_dir::{DataDir, default_path},
    fleet::queue::Queue,
    inference::Settings,
    journal::{Location, Owner},
    output::Storage,
    owners::Owners,
    pool::{PoolSeat, seats_of},
    server::Limits,
};

/// Denoising steps of the picture that is made on trial, at most.
const TRIAL_STEPS: u32 = 4;

/// Tokens of the text that is made on trial, at most.
const TRIAL_TOKENS: u32 = 16;

/// Everything a node needs to know.
pub struct Config {
    /// Where it works.
    pub chain: Chain,
    /// Whose node it is.
    pub owner: Owner,
    /// The operator's key.
    pub signer: PrivateKeySigner,
    /// For whom it works.
    pub owners: Owners,
    /// What it serves; never empty.
    pub served: Vec<ServedModel>,
    /// Memory for the weights of those that are loaded, in bytes.
    pub model_memory: u64,
    /// How it computes, if it does.
    pub settings: Settings,
    /// Who computes, if others do.
    pub workers: Option<Queue>,
    /// Ours alone.
    pub data_dir: DataDir,
    /// Where the journal is.
    pub journal: Location,
    /// Where outputs are kept.
    pub storage: Storage,
    /// Where outputs are served.
    pub listen: SocketAddr,
    /// Where they are to be had from outside, if that is elsewhere.
    pub public_url: Option<String>,
    /// What clients may take.
    pub limits: Limits,
    /// The certificate, if outputs are served over TLS.
    pub tls: Option<RustlsConfig>,
    /// Where the node says how it is.
    pub metrics_listen: SocketAddr,
    /// Which blocks count.
    pub finality: Finality,
    /// Whether to appeal where that is worth it.
    pub appeals: bool,
    /// Bytes of outputs that are kept.
    pub store_limit: u64,
    /// What may be spent.
    pub budget: Budget,
}

/// A model that is to be served.
pub struct ServedModel {
    /// As it is registered.
    pub model: RegisteredModel,
    /// As it is on disk; its manifest is the registered one.
    pub files: LocalModel,
    /// Something to measure the machine by.
    pub trial: Spec,
}

impl Config {
    /// Checks what was typed against files and chain. Each error is one line that says what to do.
    pub async fn from_args(args: RunArgs) -> eyre::Result<Self> {
        let (all, settings) = (args.models.open()?, args.profile.settings());
        let model_memory = args.models.memory(settings.device)?;
        let (budget, chain) = (args.budget(), connect(&args.chain).await?);
        let served = served(&chain, all, &args.registered).await?;
        let signer = args.key.load(chain.deployment.chain_id)?;
        let owners = Owners::new(signer.address(), args.owners);
        check_account(&chain, &served, signer.address(), &owners).await?;

        let genesis = genesis(&chain).await?;
        let data_dir = data_dir(args.data_dir.as_deref(), &chain, genesis, signer.address())?;
        info!(path = %data_dir.path().display(), "data directory");
        let owner = Owner::new(&chain.deployment, genesis, signer.address());
        let journal = Location::of(&owner, args.fleet.database.database.as_ref(), data_dir.path());
        let storage = args.fleet.storage(&owner, &data_dir);
        let workers = args.fleet.workers().await?;
        let public_url = args.server.public_url();
        let tls = args.server.tls().await?;
        Ok(Self {
            chain,
            owner,
            signer,
            owners,
            served,
            model_memory,
            settings,
            workers,
            data_dir,
            journal,
            storage,
            public_url,
            tls,
            limits: args.server.limits(),
            listen: args.server.listen,
            metrics_listen: args.server.metrics_listen,
            finality: args.finality,
            appeals: !args.no_appeal,
            store_limit: args.store_limit.as_u64(),
            budget,
        })
    }

    /// What is on disk of its models, each once.
    pub fn files(&self) -> impl Iterator<Item = &LocalModel> {
        self.served.iter().map(|served| &served.files)
    }
}

/// Hash of block 0.
pub async fn genesis(chain: &Chain) -> Result<B256, ChainError> {
    let block = chain.provider.get_block_by_number(0.into()).await?.ok_or(ChainError::NoBlock)?;
    Ok(block.header.hash)
}

/// The registered models that those on disk are: one for each, and if some were asked for, these.
async fn served(chain: &Chain, all: Vec<LocalModel>, wanted: &[ModelRef]) -> eyre::Result<Vec<ServedModel>> {
    let registered = chain.registered_models().await?;
    let wanted = wanted_models(chain, &all, wanted).await?;
    let model = |files: LocalModel| {
        let model = find_registered(&registered, &files, &wanted)?;
        let trial = trial(&files.manifest.pipeline);
        Ok(ServedModel { model, files, trial })
    };
    all.into_iter().map(model).collect()
}

/// The models that were asked for, each of which is on disk.
pub(crate) async fn wanted_models(
    chain: &Chain,
    all: &[LocalModel],
    wanted: &[ModelRef],
) -> eyre::Result<Vec<RegisteredModel>> {
    let mut found = Vec::new();
    for wanted in wanted {
        let model = chain.find_model(wanted).await?;
        ensure!(
            all.iter().any(|files| files.hash == model.model.manifestHash),
            "model {} has the manifest {}, and none of the folders has it: name its folder with --model-dir",
            model.id,
            model.model.manifestHash
        );
        found.push(model);
    }
    Ok(found)
}

/// The registered model that the files on disk are, and that was asked for.
pub(crate) fn find_registered(
    registered: &[RegisteredModel],
    files: &LocalModel,
    wanted: &[RegisteredModel],
) -> eyre::Result<RegisteredModel> {
    let (name, hash, folder) = (&files.manifest.name, files.hash, files.folder.display());
    let fit = |model: &&RegisteredModel| model.model.manifestHash == hash;
    let asked_for: Vec<_> = wanted.iter().filter(fit).collect();
    let all: Vec<_> = registered.iter().filter(fit).collect();
    match if asked_for.is_empty() { all } else { asked_for }.as_slice() {
        [model] => Ok((*model).clone()),
        [] => bail!(
            "no registered model has the manifest in {folder} ({name}, {hash}): register it with `oracle models register`"
        ),
        several => {
            let ids: Vec<_> = several.iter().map(|model| model.id.to_string()).collect();
            bail!(
                "several registered models have the manifest in {folder}: choose with --model one of {}",
                ids.join(", ")
            )
        }
    }
}

async fn check_account(chain: &Chain, served: &[ServedModel], operator: Address, owners: &Owners) -> eyre::Result<()> {
    let balance = chain.provider.get_balance(operator).await.map_err(ChainError::from)?;
    ensure!(!balance.is_zero(), "the operator {operator} has no money for gas: send it some ETH");
    for ServedModel { model, .. } in served {
        let seats = seats_of(chain, model.id, operator).await?;
        let works = |seat: &&PoolSeat| seat.seat.operator == operator && seat.is_active();
        let served = |seat: &&PoolSeat| owners.serve(model.id, seat.number, seat.seat.owner);
        let seats: Vec<_> = seats.iter().filter(works).filter(served).map(|seat| seat.number).collect();
        info!(%operator, model = %model.id, name = model.name, ?seats, "operator");
        if seats.is_empty() {
            warn!(
                model = model.name,
                "no seat of this model is ours to serve: enrol with `prover-node register --operator {operator}`; waiting"
            );
        }
    }
    Ok(())
}

fn data_dir(asked: Option<&Path>, chain: &Chain, genesis: B256, operator: Address) -> eyre::Result<DataDir> {
    match asked {
        Some(path) => Ok(DataDir::open(path)?),
        None => Ok(DataDir::open(&default_path(chain.deployment.chain_id, genesis, operator)?)?),
    }
}

/// What a request that says nothing gets, in few steps or tokens.
fn trial(pipeline: &Pipeline) -> Spec {
    match pipeline {
        Pipeline::Image(pipeline) => {
            let steps = pipeline.defaults.steps.min(TRIAL_STEPS);
            Spec::Image(ImageSpec { steps, ..pipeline.spec(Prompt::default()) })
        }
        Pipeline::Text(pipeline) => {
            let max_tokens = pipeline.defaults.max_tokens.min(TRIAL_TOKENS);
            Spec::Text(TextSpec { max_tokens, ..pipeline.spec(vec![Message::user("Count to ten.")]) })
        }
    }
}
