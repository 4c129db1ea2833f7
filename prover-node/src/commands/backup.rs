//! `prover-node backup`: a copy of the journal that can be trusted, made while the node runs.

use std::path::PathBuf;

use alloy::primitives::B256;
use eyre::bail;
use serde::Serialize;

use super::print_json;
use crate::{data_dir::only_path, database::DatabaseArgs, journal::Journal};

/// What was typed after `backup`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
The copy is one moment of the journal, whole and checked; FILE.sha256 is what `sha256sum -c` reads. It holds openings: keep it as secret as the keystore.

To go back to it, stop the node, put it as journal.sqlite into an empty directory, and run with --data-dir. What happened since is read off the chain; what was committed since is made again.

A journal in Postgres (--database) is not copied by this program but by Postgres' own: pg_dump --format=custom --file=FILE \"$QUORATE_DATABASE\"

Examples:
  prover-node backup /mnt/usb/journal.sqlite
  prover-node backup --data-dir /srv/quorate /mnt/usb/journal.sqlite")]
pub struct BackupArgs {
    /// Where the copy goes; an older one there is replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The node's data directory [default: the only one in ~/.local/share/quorate/prover-node]
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: PathBuf,
    bytes: u64,
    sha256: B256,
}

/// Copies, checks, and says what came of it.
pub async fn execute(args: BackupArgs, json: bool) -> eyre::Result<()> {
    if let Some(database) = &args.database.database {
        bail!(
            "the journal is in {database}, which this program does not copy: back it up with `pg_dump --format=custom --file={} \"$QUORATE_DATABASE\"`",
            args.file.display()
        );
    }
    let folder = args.data_dir.map_or_else(only_path, Ok)?;
    let backup = Journal::read(folder.as_path()).await?.backup(&args.file).await?;
    let report = Report { file: args.file, bytes: backup.bytes, sha256: backup.sha256 };
    if json {
        return print_json(&report);
    }
    println!("{}: {} bytes, checked; sha256 {:x}", report.file.display(), report.bytes, report.sha256);
    Ok(())
}
