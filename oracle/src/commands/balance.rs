//! `oracle balance`: what an account has: in its wallet, at the oracle, and as stakes.

use std::process::ExitCode;

use alloy::{
    primitives::{Address, B256},
    providers::Provider,
};
use oracle::{
    chain::{Chain, ChainError},
    keys::{KeyArgs, KeyError},
};
use serde::Serialize;

use super::{
    Context,
    terminal::{listing, printable, table},
    typed::Ether,
    verifiers::all_seats,
};

/// Whose.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The account [default: the key's]
    address: Option<Address>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Balance {
    address: Address,
    wallet: Ether,
    /// At the oracle: pays for requests and appeals, and is to be had with `oracle withdraw`.
    balance: Ether,
    /// Seats that it owns, also those that have left the pool.
    stakes: Vec<Stake>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stake {
    model_id: B256,
    model: String,
    seat: u32,
    stake: Ether,
    /// To be had with `prover-node withdraw`.
    earned: Ether,
    /// Open jobs that hold a bond of it.
    jobs: u32,
    in_pool: bool,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let address = match args.address {
        Some(address) => address,
        None => args.keys.load(chain.deployment.chain_id).map_err(or_an_address)?.address(),
    };
    let balance = Balance {
        address,
        wallet: Ether(chain.provider.get_balance(address).await.map_err(ChainError::from)?),
        balance: super::withdraw::balance(&chain, address).await?,
        stakes: stakes_of(&chain, address).await?,
    };
    context.terminal.result(&balance, human)?;
    Ok(ExitCode::SUCCESS)
}

fn or_an_address(error: KeyError) -> eyre::Report {
    match error {
        KeyError::NoneGiven => eyre::eyre!("whose balance? give an address, or a key with --keystore FILE"),
        other => other.into(),
    }
}

async fn stakes_of(chain: &Chain, owner: Address) -> eyre::Result<Vec<Stake>> {
    let mut stakes = Vec::new();
    for model in chain.registered_models().await? {
        let seats = all_seats(chain, model.id).await?;
        stakes.extend(seats.into_iter().filter(|(_, seat)| seat.owner == owner).map(|(number, seat)| Stake {
            model_id: model.id,
            model: model.name.clone(),
            seat: number,
            stake: seat.stake.into(),
            earned: seat.earned.into(),
            jobs: seat.places.count_ones(),
            in_pool: seat.leftAt.is_zero(),
        }));
    }
    Ok(stakes)
}

fn human(balance: &Balance) -> String {
    let head = listing(&[
        ("account", balance.address.to_string()),
        ("wallet", balance.wallet.to_string()),
        ("at the oracle", balance.balance.to_string()),
    ]);
    if balance.stakes.is_empty() {
        return head;
    }
    let mut table = table(["model", "seat", "stake", "earned", "open jobs", "in pool"]);
    for stake in &balance.stakes {
        table.add_row([
            printable(&stake.model),
            stake.seat.to_string(),
            stake.stake.to_string(),
            stake.earned.to_string(),
            stake.jobs.to_string(),
            if stake.in_pool { "yes" } else { "left" }.to_owned(),
        ]);
    }
    format!("{head}\n{table}")
}
