//! What a fleet shares: the flags that take a node's state off its machine.

use eyre::bail;

use crate::{data_dir::DataDir, database::DatabaseArgs, fleet::queue::Queue, journal::Owner, output::Storage};

/// Where state is that outlives the machine, and who computes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Fleet")]
pub struct FleetArgs {
    /// The journal's.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Where outputs are kept: s3://BUCKET or s3://BUCKET/PREFIX, with the usual AWS_* variables (AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY, AWS_REGION; AWS_ENDPOINT_URL for what is not Amazon's, and AWS_ALLOW_HTTP=true if that is
    /// plain http), or a folder that machines share [default: outputs in the data directory]
    #[arg(long, env = "QUORATE_STORE", value_name = "URL|DIR")]
    pub store: Option<Storage>,
    /// Who computes: this machine, or `prover-node worker`s on others, which --database brings together
    #[arg(long, env = "QUORATE_INFERENCE", value_name = "WHERE", default_value = "local")]
    pub inference: Place,
}

/// Where inference is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Place {
    /// Here.
    Local,
    /// By workers.
    Workers,
}

impl FleetArgs {
    /// The queue that they take their work from; none if inference is done here.
    pub async fn workers(&self) -> eyre::Result<Option<Queue>> {
        match (self.inference, &self.database.database) {
            (Place::Local, _) => Ok(None),
            (Place::Workers, Some(database)) => Ok(Some(Queue::open(database).await?)),
            (Place::Workers, None) => bail!(
                "--inference workers needs the database that brings them together: name it with --database or QUORATE_DATABASE"
            ),
        }
    }

    /// Each operator has a part of what is shared.
    #[must_use]
    pub fn storage(&self, owner: &Owner, data_dir: &DataDir) -> Storage {
        match &self.store {
            Some(storage) => storage.clone().part(&owner.name()),
            None => Storage::Folder(data_dir.outputs()),
        }
    }
}
