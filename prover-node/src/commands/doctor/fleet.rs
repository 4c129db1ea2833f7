//! What is shared with other machines: the database, the store, and the workers.

use alloy::primitives::Address;
use oracle::{chain::Chain, manifest::LocalModel};

use super::Check;
use crate::{
    commands::{fleet::Place, printable, run::RunArgs},
    config::genesis,
    database::Database,
    fleet::queue::Queue,
    journal::{Journal, JournalError, Location, Owner},
    output::{OutputStore, Storage},
};

/// Nothing to say where nothing is shared.
pub(super) async fn examine(
    args: &RunArgs,
    chain: &Chain,
    operator: Address,
    models: &[LocalModel],
    checks: &mut Vec<Check>,
) {
    let (database, store) = (args.fleet.database.database.as_ref(), args.fleet.store.as_ref());
    if database.is_none() && store.is_none() {
        return;
    }
    let owner = match genesis(chain).await {
        Ok(genesis) => Owner::new(&chain.deployment, genesis, operator),
        Err(error) => return checks.push(Check::error("database", &error)),
    };
    if let Some(database) = database {
        checks.push(journal(database, &owner).await);
        if args.fleet.inference == Place::Workers {
            for files in models {
                checks.push(workers(database, files).await);
            }
        }
    }
    if let Some(storage) = store {
        checks.push(outputs(storage.clone().part(&owner.name()), args.store_limit.as_u64()).await);
    }
}

async fn journal(database: &Database, owner: &Owner) -> Check {
    let name = "database";
    match Journal::read(Location::of(owner, Some(database), "".as_ref())).await {
        Ok(journal) => Check::ok(name, format!("the journal is {}", journal.location())),
        Err(JournalError::Missing(at)) => Check::ok(name, format!("{at} will be made by `run`")),
        Err(error) => Check::error(name, &error),
    }
}

async fn workers(database: &Database, files: &LocalModel) -> Check {
    let (name, model) = ("workers", printable(&files.manifest.name));
    let counted = match Queue::reach(database) {
        Ok(queue) => queue.workers(files.hash).await,
        Err(error) => Err(error),
    };
    match counted {
        Ok(0) => Check::failing(
            name,
            format!("none serves {model}"),
            "start `prover-node worker` with the same --database, --model-dir and version on a machine that can compute",
        ),
        Ok(count) => Check::ok(name, format!("{count} serve {model}")),
        Err(error) => Check::error(name, &error),
    }
}

async fn outputs(storage: Storage, limit: u64) -> Check {
    let name = "store";
    match &storage {
        Storage::Folder(folder) if !folder.exists() => Check::ok(name, format!("{storage} will be made by `run`")),
        _ => match OutputStore::open(storage.clone(), limit).await {
            Ok(_) => Check::ok(name, format!("{storage} can be read")),
            Err(error) => Check::error(name, &error),
        },
    }
}
