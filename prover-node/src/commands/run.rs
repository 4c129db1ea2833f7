//! `prover-node run`: serves the operator's seats of its models until it is told to stop.

use std::{path::PathBuf, process::ExitCode};

use alloy::primitives::{Address, I256, U256, utils::parse_ether};
use bytesize::ByteSize;
use oracle::{
    chain::{ChainArgs, ModelRef},
    finality::Finality,
    keys::KeyArgs,
};
use tracing::error;

use super::{fleet::FleetArgs, init_logs, models::ModelArgs, profile::ProfileArgs, server::ServerArgs};
use crate::{
    budget::Budget,
    config::Config,
    error::NodeError,
    fleet::Fleet,
    inference::{Generator, Inference, Model, Models},
    node,
    selftest::ensure_serves_once,
    stop::Stop,
};

/// Exit status after a second signal: some jobs were left open, and the node should be started again soon.
pub const INTERRUPTED: u8 = 3;

/// What was typed after `run`.
#[derive(Clone, clap::Args)]
pub struct RunArgs {
    /// Which models.
    #[command(flatten)]
    pub models: ModelArgs,
    /// Registered model to serve: id, beginning of it, or name; may be given several times [default: those registered with
    /// the folders' manifests, one for each]
    #[arg(long = "model", env = "QUORATE_MODEL", value_name = "MODEL", value_delimiter = ',')]
    pub registered: Vec<ModelRef>,
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
    /// ETH that a vote must bring more than declining would, which costs a quarter share and gas; negative to vote at any loss
    #[arg(long, env = "QUORATE_MIN_PROFIT", value_name = "ETH", default_value = "0", value_parser = signed_ether, allow_hyphen_values = true)]
    pub min_profit: I256,
    /// ETH that is kept to open what is committed: nothing is committed that would leave less [default: what opening it all would cost at twice the present base fee]
    #[arg(long, env = "QUORATE_RESERVE", value_name = "ETH", value_parser = ether)]
    pub reserve: Option<U256>,
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
    /// What it shares with other machines.
    #[command(flatten)]
    pub fleet: FleetArgs,
}

impl RunArgs {
    /// What may be spent.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget { min_profit: self.min_profit, reserve: self.reserve.unwrap_or_default() }
    }
}

/// In wei.
fn ether(text: &str) -> Result<U256, String> {
    U256::try_from(signed_ether(text)?).map_err(|_| AMOUNT.to_owned())
}

/// In wei.
fn signed_ether(text: &str) -> Result<I256, String> {
    let (sign, digits) = text.strip_prefix('-').map_or((I256::ONE, text), |digits| (I256::MINUS_ONE, digits));
    let plain = digits.starts_with(|c: char| c.is_ascii_digit());
    let wei = parse_ether(digits).ok().filter(|_| plain).and_then(|wei| I256::try_from(wei).ok());
    wei.and_then(|wei| wei.checked_mul(sign)).ok_or_else(|| AMOUNT.to_owned())
}

const AMOUNT: &str = "an amount is a decimal number of ETH, such as 0.05";

/// Runs a node whose outputs come from what `generator_of` makes of each model.
pub async fn execute<G: Generator>(
    args: RunArgs,
    json: bool,
    generator_of: impl Fn(Model) -> G + Clone + Send + 'static,
) -> eyre::Result<ExitCode> {
    init_logs(json);
    let stop = Stop::on_signals()?;
    let config = Config::from_args(args).await?;
    let inference = match &config.workers {
        Some(queue) => {
            let models = config.served.iter().map(|served| served.files.hash).collect();
            Inference::Fleet(Fleet::join(queue.clone(), &config.owner, models))
        }
        None => local(&config, generator_of)?,
    };
    match node::run(config, inference, stop).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ NodeError::Interrupted { .. }) => {
            error!("{error}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}

/// This machine, which must make of each model what others make.
fn local<G: Generator>(
    config: &Config,
    generator_of: impl Fn(Model) -> G + Clone + Send + 'static,
) -> eyre::Result<Inference> {
    let mut models = Models::new(config.model_memory);
    for files in config.files() {
        models.add_files(files, config.settings, generator_of.clone())?;
    }
    for files in config.files() {
        ensure_serves_once(files, config.settings, &config.data_dir.selftest_marker(files.hash))?;
    }
    Ok(Inference::spawn(models).map_err(NodeError::Thread)?)
}
