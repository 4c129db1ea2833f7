//! What becomes of a node whose disk fails it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use alloy::primitives::U256;
use eyre::{OptionExt as _, Result, ensure};
use oracle::chain::IGenerationOracle::{Outcome, Step};
use quorate_tests::programs;

use crate::play::{PATIENCE, Play, share};

/// Another program that has the journal to itself until it is told to let go.
struct Lock(Child);

impl Lock {
    fn take(journal: &Path) -> Result<Self> {
        let program = "import sqlite3, sys
journal = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
journal.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.readline()
journal.execute('COMMIT')
";
        let mut python = Command::new("python3")
            .args(["-c", program])
            .arg(journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(python.stdout.as_mut().ok_or_eyre("no output")?).read_line(&mut line)?;
        ensure!(line.trim() == "locked", "the journal could not be locked");
        Ok(Self(python))
    }

    fn release(mut self) -> Result<()> {
        self.0.stdin.take().ok_or_eyre("no input")?.write_all(b"\n")?;
        ensure!(self.0.wait()?.success(), "the journal was not let go");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_another_program_holds_for_seconds_is_waited_for() -> Result<()> {
    let play = Play::begin().await?;
    let nodes = play.nodes(["alice", "bob", "carol"]).await?;

    let lock = Lock::take(&nodes[0].data_dir().join("journal.sqlite"))?;
    let job = play.submit("a sun").await?;
    for node in &nodes[1..] {
        play.step(job, node.seat, Step::Committed).await?;
    }
    lock.release()?;
    let end = play.end(job).await?;

    assert_eq!(end.outcome(), Outcome::Accepted);
    for node in &nodes {
        assert_eq!((end.paid_to(node.seat), end.slashed_from(node.seat)), (share(), U256::ZERO), "{}", node.party.name);
    }
    Ok(())
}

/// Runs the node so that none of its files grows beyond so many kilobytes.
fn with_limit(folder: &Path, kilobytes: u64) -> Result<PathBuf> {
    let (script, node) = (folder.join("limited"), programs::built("prover-node")?);
    // bash counts in kilobytes; without the signal, what is too large is an error as on a full disk.
    let text = format!("#!/usr/bin/env bash\ntrap '' XFSZ\nulimit -f {kilobytes}\nexec {} \"$@\"\n", node.display());
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

/// Its opening could not be remembered, and so nothing is committed; silence would cost more than saying so.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_full_disk_declines_and_works_again_when_there_is_room() -> Result<()> {
    let play = Play::begin().await?;
    let [mut alice, _bob, _carol] = play.nodes(["alice", "bob", "carol"]).await?;
    alice.kill();
    // Enough to start with, and to follow some blocks.
    let files = ["journal.sqlite", "journal.sqlite-wal"].map(|name| alice.data_dir().join(name));
    let largest = files.iter().filter_map(|file| Some(file.metadata().ok()?.len())).max().unwrap_or_default();
    let mut alice = alice.by(with_limit(&play.devnet.folder, largest / 1_024 + 96)?);
    alice.start()?;
    alice.up(&play.devnet).await?;
    play.devnet
        .until("the disk to be full", PATIENCE, async || {
            Ok(fs::read_to_string(alice.log())?.contains("check the disk's space").then_some(()))
        })
        .await?;

    let job = play.submit("a sun").await?;
    play.step(job, alice.seat, Step::Out).await?;
    let end = play.end(job).await?;
    assert_eq!(end.outcome(), Outcome::Accepted, "two are a quorum");
    assert_eq!(end.slashed_from(alice.seat), share() / U256::from(4));

    let mut alice = alice.by(programs::built("prover-node")?);
    alice.kill();
    alice.start()?;
    alice.up(&play.devnet).await?;
    let job = play.submit("a key").await?;
    let end = play.end(job).await?;
    assert_eq!((end.paid_to(alice.seat), end.slashed_from(alice.seat)), (share(), U256::ZERO));
    Ok(())
}
