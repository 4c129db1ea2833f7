//! Where the programs and files of this repository are.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use eyre::{OptionExt as _, Result, bail};

/// A settings file that says nothing: that of whoever runs the tests must not reach the programs.
pub const NO_SETTINGS: &str = "/dev/null";

/// The top of the checkout.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// The bundled model, or the folder that `QUORATE_MODEL_DIR` names.
#[must_use]
pub fn bundled_model() -> PathBuf {
    env::var_os("QUORATE_MODEL_DIR").map_or_else(|| repository().join("models/emoji-64"), PathBuf::from)
}

/// A program of this workspace, built beside the one that is running.
pub fn built(name: &str) -> Result<PathBuf> {
    let running = env::current_exe()?;
    let folder = running.parent().ok_or_eyre("the running program lies in no folder")?;
    // Tests run from `deps`, one below the programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let program = folder.join(name).with_extension(env::consts::EXE_EXTENSION);
    if !program.is_file() {
        bail!("{} is missing: run `cargo build --release --workspace` first", program.display());
    }
    Ok(program)
}

/// `forge` or `anvil`: what npm installed for this platform, or else what is on `PATH`.
pub fn foundry(name: &str) -> Result<PathBuf> {
    let platform = format!("{name}-{}-{}", env::consts::OS, node_architecture());
    let installed = repository().join("node_modules/@foundry-rs").join(platform).join("bin").join(name);
    let mut candidates =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).map(|folder| folder.join(name)).collect::<Vec<_>>();
    candidates.insert(0, installed);
    candidates
        .into_iter()
        .find(|candidate| candidate.is_file())
        .ok_or_eyre(format!("{name} is missing: run scripts/setup first"))
}

/// The Solidity compiler for forge: `FOUNDRY_SOLC`, or the one that npm brought.
#[must_use]
pub fn solc() -> PathBuf {
    env::var_os("FOUNDRY_SOLC").map_or_else(|| repository().join("scripts/solc"), PathBuf::from)
}

/// Variables that set options of the programs. Those of whoever runs the tests must not reach them.
pub fn settings() -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"QUORATE_"))
}

fn node_architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
