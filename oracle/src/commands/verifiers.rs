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

/// A model's pool, and its seats.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    model_id: B256,
    model: String,
    /// Numbers in use and free, which a draw ranges over.
    slots: u32,
    /// Seats in the pool.
    active: u32,
    /// Those of them that are surely old enough to be drawn.
    old: u32,
    seats: Vec<Verifier>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    seat: u32,
    owner: Address,
    operator: Address,
    stake: Ether,
    earned: Ether,
    /// Open jobs that hold a bond of it.
    jobs: u32,
    /// Bonds that its stake covers.
    bonds: u8,
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
    let mut pools = Vec::new();
    for model in &models {
        pools.push(of_model(&chain, model).await?);
    }
    context.terminal.result(&pools, |pools| human(pools))?;
    Ok(ExitCode::SUCCESS)
}

/// All seats of a model with their numbers, without the empty ones.
pub(crate) async fn all_seats(chain: &Chain, model: B256) -> Result<Vec<(u32, Seat)>, ChainError> {
    let stakes = chain.stakes();
    let slots = stakes.poolOf(model).call().await?.slots;
    let mut seats = Vec::new();
    for start in (0..slots).step_by(PAGE as usize) {
        seats.extend((start..).zip(stakes.seats(model, start, PAGE).call().await?));
    }
    seats.retain(|(_, seat)| !seat.owner.is_zero());
    Ok(seats)
}

async fn of_model(chain: &Chain, model: &RegisteredModel) -> Result<Pool, ChainError> {
    let pool = chain.stakes().poolOf(model.id).call().await?;
    let seats = all_seats(chain, model.id).await?;
    let operators: Vec<_> = seats.iter().map(|(_, seat)| seat.operator).collect();
    let endpoints = chain.endpoints(&operators).await?;
    let seat_age = u64::from(chain.stakes().seatAge().call().await?);
    let now = chain.now().await?.time;

    let verifier = |(number, seat): (u32, Seat)| {
        let age = now.saturating_sub(seat.enrolledAt.to());
        Verifier {
            seat: number,
            owner: seat.owner,
            operator: seat.operator,
            stake: seat.stake.into(),
            earned: seat.earned.into(),
            jobs: seat.places.count_ones(),
            bonds: seat.bonds,
            enrolled_at: seat.enrolledAt.to(),
            left_at: (!seat.leftAt.is_zero()).then(|| seat.leftAt.to()),
            age,
            can_be_drawn: seat.leftAt.is_zero() && age >= seat_age,
            endpoint: endpoints.get(&seat.operator).cloned(),
        }
    };
    Ok(Pool {
        model_id: model.id,
        model: model.name.clone(),
        slots: pool.slots,
        active: pool.active,
        old: pool.old,
        seats: seats.into_iter().map(verifier).collect(),
    })
}

fn human(pools: &[Pool]) -> String {
    if pools.iter().all(|pool| pool.seats.is_empty()) {
        return "nobody is enrolled; `prover-node register` takes a seat".to_owned();
    }
    pools.iter().map(of_pool).collect()
}

fn of_pool(pool: &Pool) -> String {
    let (name, Pool { slots, active, old, .. }) = (printable(&pool.model), pool);
    let head = format!("{name}: {active} seats in the pool, {old} of them old enough, {slots} numbers");
    let mut table = table(["seat", "owner", "operator", "stake", "earned", "open jobs", "state", "endpoint"]);
    for verifier in &pool.seats {
        table.add_row([
            verifier.seat.to_string(),
            short(verifier.owner),
            short(verifier.operator),
            verifier.stake.to_string(),
            verifier.earned.to_string(),
            format!("{} of {}", verifier.jobs, verifier.bonds),
            state(verifier),
            printable(verifier.endpoint.as_deref().unwrap_or("none announced")),
        ]);
    }
    format!("{head}\n{table}\n")
}

fn state(verifier: &Verifier) -> String {
    match (verifier.left_at, verifier.can_be_drawn) {
        (Some(_), _) => "left".to_owned(),
        (None, true) => format!("in pool, {} s old", verifier.age),
        (None, false) => format!("in pool, {} s old: too young to be drawn", verifier.age),
    }
}
