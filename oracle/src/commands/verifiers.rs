//! `oracle verifiers`: who is in a model's pool.

use std::process::ExitCode;

use alloy::primitives::{Address, B256};
use oracle::chain::{Chain, ChainError, IVerifierStakes::Seat, ModelRef, RegisteredModel};
use serde::Serialize;

use super::{
    Context,
    terminal::{printable, short, table},
    typed::Ether,
};

/// Seats asked for at a time.
const PAGE: u32 = 100;

/// Of which model.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Id, beginning of the id, or name [default: all models]
    #[arg(long)]
    model: Option<ModelRef>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    model_id: B256,
    model: String,
    seat: u32,
    owner: Address,
    operator: Address,
    stake: Ether,
    bonded: Ether,
    enrolled_at: u64,
    /// None while the seat is in the pool.
    left_at: Option<u64>,
    /// In seconds.
    age: u64,
    /// Old enough to be drawn for a request made now.
    can_be_drawn: bool,
    endpoint: Option<String>,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let models = match &args.model {
        Some(wanted) => vec![chain.find_model(wanted).await?],
        None => chain.registered_models().await?,
    };
    let mut verifiers = Vec::new();
    for model in &models {
        verifiers.extend(of_model(&chain, model).await?);
    }
    context.terminal.result(&verifiers, |verifiers| human(verifiers))?;
    Ok(ExitCode::SUCCESS)
}

/// All seats of a model with their numbers, without the empty ones.
pub(crate) async fn all_seats(chain: &Chain, model: B256) -> Result<Vec<(u32, Seat)>, ChainError> {
    let stakes = chain.stakes();
    let slots = stakes.slotCount(model).call().await?;
    let mut seats = Vec::new();
    for start in (0..slots).step_by(PAGE as usize) {
        seats.extend((start..).zip(stakes.seats(model, start, PAGE).call().await?));
    }
    seats.retain(|(_, seat)| !seat.owner.is_zero());
    Ok(seats)
}

async fn of_model(chain: &Chain, model: &RegisteredModel) -> Result<Vec<Verifier>, ChainError> {
    let seats = all_seats(chain, model.id).await?;
    let operators: Vec<_> = seats.iter().map(|(_, seat)| seat.operator).collect();
    let endpoints = chain.endpoints(&operators).await?;
    let seat_age = u64::from(chain.stakes().seatAge().call().await?);
    let now = chain.now().await?.time;

    let verifier = |(number, seat): (u32, Seat)| {
        let age = now.saturating_sub(seat.enrolledAt);
        Verifier {
            model_id: model.id,
            model: model.name.clone(),
            seat: number,
            owner: seat.owner,
            operator: seat.operator,
            stake: seat.stake.into(),
            bonded: seat.bonded.into(),
            enrolled_at: seat.enrolledAt,
            left_at: (seat.leftAt != 0).then_some(seat.leftAt),
            age,
            can_be_drawn: seat.leftAt == 0 && age >= seat_age,
            endpoint: endpoints.get(&seat.operator).cloned(),
        }
    };
    Ok(seats.into_iter().map(verifier).collect())
}

fn human(verifiers: &[Verifier]) -> String {
    if verifiers.is_empty() {
        return "nobody is enrolled; `prover-node register` takes a seat".to_owned();
    }
    let mut table = table(["model", "seat", "owner", "operator", "stake", "bonded", "state", "endpoint"]);
    for verifier in verifiers {
        table.add_row([
            printable(&verifier.model),
            verifier.seat.to_string(),
            short(verifier.owner),
            short(verifier.operator),
            verifier.stake.to_string(),
            verifier.bonded.to_string(),
            state(verifier),
            printable(verifier.endpoint.as_deref().unwrap_or("none announced")),
        ]);
    }
    table.to_string()
}

fn state(verifier: &Verifier) -> String {
    match (verifier.left_at, verifier.can_be_drawn) {
        (Some(_), _) => "left".to_owned(),
        (None, true) => format!("in pool, {} s old", verifier.age),
        (None, false) => format!("in pool, {} s old: too young to be drawn", verifier.age),
    }
}
