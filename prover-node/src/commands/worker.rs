//! `prover-node worker`: computes for nodes on other machines. It holds no key and needs no Ethereum node.

use bytesize::ByteSize;
use eyre::{OptionExt as _, ensure};
use tracing::info;

use super::{init_logs, models::ModelArgs, profile::ProfileArgs};
use crate::{
    database::DatabaseArgs,
    fleet::{queue::Queue, worker::Worker},
    inference::{Generator, Inference, Model, Models},
    selftest::ensure_serves,
    stop::Stop,
};

/// What was typed after `worker`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
It makes its models' golden jobs first, as `run` does, and then what nodes with `run --inference workers` and the same \
--database order. As many may work as there are machines; what one was making when it vanished is made by another a few \
seconds later.

SIGTERM: it finishes what it has begun, and ends. A second one: it gives that back, and ends at once.

Examples:
  QUORATE_DATABASE=postgres://quorate:PASSWORD@db.example/quorate prover-node worker --model-dir models/emoji-64
  prover-node worker --model-dir models/emoji-64,smollm2-135m-gguf
  prover-node worker --device cuda:1 --arithmetic bf16      # on a machine with two GPUs, the second worker")]
pub struct WorkerArgs {
    /// Which models.
    #[command(flatten)]
    models: ModelArgs,
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
    generator_of: impl Fn(Model) -> G + Clone + Send + 'static,
) -> eyre::Result<()> {
    init_logs(json);
    let stop = Stop::on_signals()?;
    let database = args.database.database.ok_or_eyre(
        "a worker needs the database that its orders come from: name it with --database or QUORATE_DATABASE",
    )?;
    let queue = Queue::open(&database).await?;
    let (served, settings) = (args.models.open()?, args.profile.settings());
    let mut models = Models::new(args.models.memory(settings.device)?);
    for files in &served {
        models.add_files(files, settings, generator_of.clone())?;
    }
    let (needed, limit) = models.stock().borrow().memory.needed_for_all();
    // A node promises what its workers can do, and cannot know what they would have to load again.
    ensure!(
        needed <= limit,
        "a worker keeps all its models in memory: their weights take {} and may have {}; give them more with --model-memory, or start a worker for each",
        ByteSize(needed),
        ByteSize(limit)
    );
    for files in &served {
        ensure_serves(files, &Model::load(files, settings)?)?;
        info!(model = files.manifest.name, %database, "this machine may serve the model");
    }
    let inference = Inference::spawn(models)?;
    let hashes: Vec<_> = served.iter().map(|files| files.hash).collect();
    for hash in &hashes {
        inference.load(*hash).await?;
    }
    let name = args.worker_name.unwrap_or_else(machine);
    Ok(Worker::new(queue, hashes, inference, stop).work(name).await?)
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
