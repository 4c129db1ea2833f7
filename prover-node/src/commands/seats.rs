//! `prover-node leave` and `prover-node withdraw`: giving seats up, and getting the money back. Both take the owner's key.

use alloy::primitives::{Address, B256, U256};
use eyre::{bail, ensure};
use oracle::{
    chain::{Account, Chain, ChainArgs, ChainError, IVerifierStakes::EarningsWithdrawn, ModelRef, connect},
    keys::KeyArgs,
};
use serde_json::json;

use super::{Wei, list, print_json, printable};
use crate::pool::{PoolSeat, seats_of};

/// Seats whose earnings are withdrawn in one transaction.
const SEATS_AT_ONCE: usize = 100;

/// What was typed after `leave`.
#[derive(Clone, clap::Args)]
pub struct LeaveArgs {
    #[command(flatten)]
    chain: ChainArgs,
    /// The owner's key.
    #[command(flatten)]
    key: KeyArgs,
    /// Model: id, beginning of it, or name
    #[arg(long, env = "QUORATE_MODEL", value_name = "MODEL")]
    model: ModelRef,
    /// Number of a seat to leave with; may be repeated [default: all]
    #[arg(long = "seat", value_name = "NUMBER")]
    seats: Vec<u32>,
}

/// What was typed after `withdraw`.
#[derive(Clone, clap::Args)]
pub struct WithdrawArgs {
    #[command(flatten)]
    chain: ChainArgs,
    /// The owner's key.
    #[command(flatten)]
    key: KeyArgs,
    /// Also the stakes of the seats that have left this model's pool: id, beginning of it, or name
    #[arg(long, env = "QUORATE_MODEL", value_name = "MODEL")]
    model: Option<ModelRef>,
    /// Where the money goes [default: the owner]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
}

/// Leaves the pool. The node must go on running until its open jobs are over.
pub async fn leave(args: LeaveArgs, json: bool) -> eyre::Result<()> {
    let chain = connect(&args.chain).await?;
    let model = chain.find_model(&args.model).await?;
    let owner = chain.account(args.key.load(chain.deployment.chain_id)?)?;
    let mut seats = owned(&chain, model.id, owner.address).await?;
    seats.retain(|seat| seat.is_active() && (args.seats.is_empty() || args.seats.contains(&seat.number)));
    let missing: Vec<_> = args.seats.iter().filter(|number| seats.iter().all(|seat| seat.number != **number)).collect();
    ensure!(missing.is_empty(), "{} has no seat {missing:?} in the pool of {}", owner.address, printable(&model.name));
    ensure!(!seats.is_empty(), "{} has no seat in the pool of {}", owner.address, printable(&model.name));

    for seat in &seats {
        owner.send(chain.stakes().leavePool(model.id, seat.number)).await?;
        eprintln!("seat {} has left the pool", seat.number);
    }
    let numbers: Vec<_> = seats.iter().map(|seat| seat.number).collect();
    let unbonding = chain.stakes().unbondingTime().call().await.map_err(ChainError::from)?;
    let from = chain.now().await?.time + u64::from(unbonding);
    if json {
        return print_json(&json!({ "model": model.id, "left": numbers, "withdrawableAt": from }));
    }
    println!("Left the pool: {}. Keep the node running until its open jobs are over.", list(&numbers));
    println!("`prover-node withdraw --model {}` gets the stake back in {unbonding} s.", args.model);
    Ok(())
}

/// Withdraws what the owner's seats have earned, its balance at the oracle, and the stakes that are free.
pub async fn withdraw(args: WithdrawArgs, json: bool) -> eyre::Result<()> {
    let chain = connect(&args.chain).await?;
    let models = match &args.model {
        Some(model) => vec![chain.find_model(model).await?],
        None => chain.registered_models().await?,
    };
    let owner = chain.account(args.key.load(chain.deployment.chain_id)?)?;
    let to = args.to.unwrap_or(owner.address);

    let mut taken = Taken::default();
    for model in &models {
        let seats = owned(&chain, model.id, owner.address).await?;
        taken.earnings(&owner, model.id, &seats, to).await?;
        if args.model.is_some() {
            taken.stakes(&owner, model.id, &seats, to).await?;
        }
    }
    taken.balance(&owner, to).await?;
    if taken.is_nothing() {
        bail!("there is nothing to withdraw for {} now", owner.address);
    }
    let Taken { earned, balance, stakes, locked } = taken;
    if json {
        return print_json(
            &json!({ "to": to, "earned": earned, "balance": balance, "seats": stakes, "locked": locked }),
        );
    }
    println!("to       {to}");
    println!("earned   {earned}");
    println!("balance  {balance}");
    println!("stakes   {}", if stakes.is_empty() { "none".to_owned() } else { format!("of seats {}", list(&stakes)) });
    Ok(())
}

/// What has been withdrawn, and which seats' stakes could not be.
#[derive(Default)]
struct Taken {
    earned: Wei,
    balance: Wei,
    stakes: Vec<u32>,
    locked: Vec<u32>,
}

impl Taken {
    async fn earnings(&mut self, owner: &Account, model: B256, seats: &[PoolSeat], to: Address) -> eyre::Result<()> {
        let earning: Vec<_> = seats.iter().filter(|seat| !seat.seat.earned.is_zero()).map(|seat| seat.number).collect();
        for numbers in earning.chunks(SEATS_AT_ONCE) {
            let receipt = owner.send(owner.chain.stakes().withdrawEarnings(model, numbers.to_vec(), to)).await?;
            let paid = receipt.logs().iter().filter_map(|log| log.log_decode::<EarningsWithdrawn>().ok());
            self.earned.0 += paid.map(|event| event.inner.data.amount).sum::<U256>();
        }
        Ok(())
    }

    async fn stakes(&mut self, owner: &Account, model: B256, seats: &[PoolSeat], to: Address) -> eyre::Result<()> {
        for seat in seats.iter().filter(|seat| !seat.is_active()) {
            match owner.send(owner.chain.stakes().withdrawStake(model, seat.number, to)).await {
                Ok(_) => self.stakes.push(seat.number),
                Err(ChainError::Reverted(why)) => {
                    eprintln!("{why}");
                    self.locked.push(seat.number);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn balance(&mut self, owner: &Account, to: Address) -> eyre::Result<()> {
        let oracle = owner.chain.oracle();
        let balance = oracle.balanceOf(owner.address).call().await.map_err(ChainError::from)?;
        if !balance.is_zero() {
            owner.send(oracle.withdraw(to)).await?;
        }
        self.balance = Wei(balance);
        Ok(())
    }

    fn is_nothing(&self) -> bool {
        self.stakes.is_empty() && self.earned.0.is_zero() && self.balance.0.is_zero()
    }
}

async fn owned(chain: &Chain, model: B256, owner: Address) -> Result<Vec<PoolSeat>, ChainError> {
    let mut seats = seats_of(chain, model, owner).await?;
    seats.retain(|seat| seat.seat.owner == owner);
    Ok(seats)
}
