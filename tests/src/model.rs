//! Models, registered on the test's chain.

use std::path::Path;

use alloy::primitives::B256;
use eyre::{OptionExt as _, Result, ensure};

use crate::{devnet::Devnet, party::Party, programs};

/// What one seat in its pool costs, in ETH.
pub const SEAT_STAKE: &str = "1.6";

/// Milliseconds that a million steps times pixels are said to take: 1.6 s for a picture of 64 x 64 in 20 steps.
pub const TIME: u32 = 20_000;

/// What one seat can earn with a job, in ETH: the most that the stake allows.
pub const SHARE: f64 = 0.01;

/// Registers the bundled one by `oracle models register` and gives its id.
pub async fn register(devnet: &Devnet, author: &Party) -> Result<B256> {
    register_taking(devnet, author, TIME).await
}

/// The same, said to take other than the usual [`TIME`].
pub async fn register_taking(devnet: &Devnet, author: &Party, time: u32) -> Result<B256> {
    register_folder(devnet, author, &programs::bundled_model(), time).await
}

/// Another model.
pub async fn register_folder(devnet: &Devnet, author: &Party, folder: &Path, time: u32) -> Result<B256> {
    ensure!(
        folder.join(oracle::manifest::MANIFEST_FILE).is_file(),
        "there is no model in {}: clone the repository again, or name another folder in QUORATE_MODEL_DIR",
        folder.display()
    );
    let registered = devnet
        .oracle()?
        .args(["models", "register"])
        .arg(folder)
        .args(["--seat-stake", SEAT_STAKE, "--time", &time.to_string()])
        .signed_by(author)
        .json()
        .await?;
    Ok(registered["modelId"].as_str().ok_or_eyre("no model id was printed")?.parse()?)
}
