//! `prover-node worker`: computes for nodes on other machines. It holds no key and needs no Ethereum node.

use std::path::PathBuf;

use eyre::OptionExt as _;
use oracle::{manifest::LocalModel, models_dir::ModelsDirArgs};
use tracing::info;

use super::{init_logs, profile::ProfileArgs};
use crate::{
    database::DatabaseArgs,
    fleet::{queue::Queue, worker::Worker},
    inference::{Generator, Inference, Model},
    selftest::ensure_serves,
    stop::Stop,
};

/// What was typed after `worker`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
It makes the model's golden jobs first, as `run` does, and then what nodes with `run --inference workers` and the same \
--database order. As many may work as there are machines; what one was making when it vanished is made by another a few \
seconds later.

SIGTERM: it finishes what it has begun, and ends. A second one: it gives that back, and ends at once.

Examples:
  QUORATE_DATABASE=postgres://quorate:PASSWORD@db.example/quorate prover-node worker --model-dir models/emoji-64
  prover-node worker --device cuda:1 --arithmetic bf16      # on a machine with two GPUs, the second worker")]
pub struct WorkerArgs {
    /// Folder of the model, with its quorate-model.json, or the name of one that `oracle models pull` has put on this machine
    #[arg(long, env = "QUORATE_MODEL_DIR", value_name = "DIR", default_value = "models/emoji-64")]
    model_dir: PathBuf,
    /// Where models with a name are.
    #[command(flatten)]
    models_dir: ModelsDirArgs,
    /// What the worker is called in the log and the queue [default: the machine's name]
    #[arg(long, env = "QUORATE_WORKER_NAME", value_name = "NAME")]
    worker_name: Option<String>,
    /// Where the work comes from.
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to compute.
    #[command(flatten)]
    profile: ProfileArgs,
}

/// Works until it is told to stop.
pub async fn execute<G: Generator>(
    args: WorkerArgs,
    json: bool,
    generator_of: impl FnOnce(Model) -> G,
) -> eyre::Result<()> {
    init_logs(json);
    let stop = Stop::on_signals()?;
    let database = args.database.database.ok_or_eyre(
        "a worker needs the database that its orders come from: name it with --database or QUORATE_DATABASE",
    )?;
    let queue = Queue::open(&database).await?;
    let files = LocalModel::open(&args.models_dir.resolve(&args.model_dir))?;
    let model = Model::load(&files, args.profile.settings())?;
    ensure_serves(&files, &model)?;
    info!(model = files.manifest.name, %database, "this machine may serve the model");
    let inference = Inference::spawn(generator_of(model))?;
    let name = args.worker_name.unwrap_or_else(machine);
    Ok(Worker::new(queue, files.hash, inference, stop).work(name).await?)
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
