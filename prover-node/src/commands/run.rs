//! `prover-node run`: serves the operator's seats of one model until it is told to stop.

use std::{path::PathBuf, process::ExitCode};

use alloy::primitives::Address;
use bytesize::ByteSize;
use oracle::{
    chain::{ChainArgs, ModelRef},
    finality::Finality,
    keys::KeyArgs,
    models_dir::ModelsDirArgs,
};
use tracing::error;

use super::{init_logs, profile::ProfileArgs, server::ServerArgs};
use crate::{
    config::Config,
    error::NodeError,
    inference::{Generator, Model},
    node,
    selftest::ensure_serves_once,
    stop::Stop,
};

/// Exit status after a second signal: some jobs were left open, and the node should be started again soon.
pub const INTERRUPTED: u8 = 3;

/// What was typed after `run`.
#[derive(Clone, clap::Args)]
pub struct RunArgs {
    /// Folder of the model, with its quorate-model.json, or the name of one that `oracle models pull` has put on this machine
    #[arg(long, env = "QUORATE_MODEL_DIR", value_name = "DIR", default_value = "models/emoji-64")]
    pub model_dir: PathBuf,
    /// Where models with a name are.
    #[command(flatten)]
    pub models_dir: ModelsDirArgs,
    /// Model to serve: id, beginning of it, or name [default: the one registered with the folder's manifest]
    #[arg(long, env = "QUORATE_MODEL", value_name = "MODEL")]
    pub model: Option<ModelRef>,
    /// Serve the seats of this owner as well as the operator's own; may be given several times, or list several with commas
    #[arg(long = "owner", env = "QUORATE_OWNER", value_name = "ADDRESS", value_delimiter = ',')]
    pub owners: Vec<Address>,
    /// Directory for journal and outputs [default: ~/.local/share/quorate/prover-node/<chain id>-<genesis>-<operator>]
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Outputs that are kept, as 500MB or 20GB: beyond, the oldest go that no open job needs
    #[arg(long, env = "QUORATE_STORE_LIMIT", value_name = "SIZE", default_value = "10GB")]
    pub store_limit: ByteSize,
    /// When a block counts: once so many are on top of it, or once the chain calls it `safe` or `finalized`. The node
    /// computes and reveals that much later, twice a job; `finalized` is some 13 minutes on Ethereum, longer than many
    /// windows
    #[arg(long, env = "QUORATE_FINALITY", value_name = "BLOCKS|safe|finalized", default_value_t = Finality::Depth(2))]
    pub finality: Finality,
    /// Never pay for another round, even where this node was outvoted, is sure of its picture, and can expect to gain
    #[arg(long, env = "QUORATE_NO_APPEAL")]
    pub no_appeal: bool,
    /// Where.
    #[command(flatten)]
    pub chain: ChainArgs,
    /// The operator's key.
    #[command(flatten)]
    pub key: KeyArgs,
    /// How to compute.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// How to serve outputs.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Runs a node whose outputs come from what `generator_of` makes of the model.
pub async fn execute<G: Generator>(
    args: RunArgs,
    json: bool,
    generator_of: impl FnOnce(Model) -> G,
) -> eyre::Result<ExitCode> {
    init_logs(json);
    let stop = Stop::on_signals()?;
    let config = Config::from_args(args).await?;
    let model = Model::load(&config.files, config.settings)?;
    ensure_serves_once(&config.files, &model, config.settings, &config.data_dir.selftest_marker())?;
    match node::run(config, generator_of(model), stop).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ NodeError::Interrupted { .. }) => {
            error!("{error}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}
