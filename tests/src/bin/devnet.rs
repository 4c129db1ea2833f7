//! The demo's chain, left running: five honest verifiers, and a requester whose keystore anybody here may use.

use std::{path::PathBuf, process::ExitCode};

use eyre::{Result, WrapErr as _};
use quorate_tests::{
    devnet::{Devnet, Pace},
    model,
    process::conclude,
    programs,
    verifier::{PROFILES, Verifier, come_of_age},
};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    conclude(until_stopped().await)
}

async fn until_stopped() -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        ended = run() => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn run() -> Result<()> {
    println!("starting a chain and deploying the contracts ...");
    let devnet = Devnet::start(Pace::Live).await?;
    let _published = Published::publish(&devnet)?;
    let model = model::register(&devnet, &devnet.party("author")?).await?;

    println!("staking five verifiers and starting their nodes ...");
    let names = ["alice", "bob", "carol", "dave", "erin"];
    let parties = names.map(|name| devnet.party(name)).into_iter().collect::<Result<_>>()?;
    let mut verifiers = Vec::new();
    for (verifier, profile) in
        Verifier::register(&devnet, parties, model).await?.into_iter().zip(PROFILES.iter().cycle())
    {
        let mut verifier = verifier.with(profile.flags);
        verifier.start()?;
        verifiers.push(verifier);
    }
    for verifier in &mut verifiers {
        verifier.ready(&devnet).await?;
        println!("  {:6} seat {}  log {}", verifier.party.name, verifier.seat, verifier.log().display());
    }

    come_of_age(&devnet, model).await?;

    let requester = devnet.party("requester")?;
    let oracle = programs::built("oracle")?;
    println!(
        "\nThe chain runs until you press Ctrl-C. In another terminal, in this folder:\n\n\
         export QUORATE_RPC_URL={}\n\
         export QUORATE_KEYSTORE={}\n\
         export QUORATE_PASSWORD_FILE={}\n\
         alias oracle={}\n\
         oracle models list\n\
         oracle submit 'a fox on a blue background' --model {model} --wait\n\
         oracle fetch JOB --out fox.png\n",
        devnet.rpc_url(),
        requester.keystore.display(),
        requester.password_file.display(),
        oracle.display(),
        model = &model.to_string()[..10],
    );
    std::future::pending().await
}

/// `deployments/<chainid>.json`, while the chain runs.
struct Published(PathBuf);

impl Published {
    fn publish(devnet: &Devnet) -> Result<Self> {
        let folder = programs::repository().join("deployments");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}.json", devnet.chain.deployment.chain_id));
        std::fs::copy(&devnet.deployment_file, &file).wrap_err_with(|| format!("writing {}", file.display()))?;
        Ok(Self(file))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // Gone already is as good.
        std::fs::remove_file(&self.0).ok();
    }
}
