//! `oracle quote`: what a job costs, and what that buys.

use std::process::ExitCode;

use alloy::primitives::{B256, U256, aliases::U96};
use oracle::{
    chain::{ChainError, ModelRef},
    tally::quorum,
};
use serde::Serialize;

use super::{
    Context,
    terminal::{listing, printable, table},
    typed::Ether,
};

/// A seat binds this part of its stake for a job.
const BONDS_IN_A_STAKE: u64 = 8;
/// A seat earns at most this part of its stake in a job, so that a bond is 20 shares or more.
const LEAST_SHARES_IN_A_STAKE: u64 = 160;
/// What is offered when nothing is asked: a thousandth of the stake, so that a bond is 125 shares.
const USUAL_SHARES_IN_A_STAKE: u64 = 1_000;

/// For what.
#[derive(clap::Args)]
#[command(after_help = "\
The fee is split evenly over the committee. Every drawn seat has an eighth of its stake at risk, whatever the fee: \
to have a false picture accepted, a quorum must put that much at risk each.")]
pub(crate) struct Args {
    /// Id, beginning of the id, or name
    #[arg(long)]
    model: ModelRef,
    /// Seats in the committee: odd, 3 to 31
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = committee_size)]
    committee: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Quote {
    model_id: B256,
    model: String,
    committee_size: u8,
    quorum: usize,
    seats_in_pool: u32,
    seat_stake: Ether,
    bond: Ether,
    /// The bonds of a quorum: what a fraud by the drawn seats themselves would lose if it were found out.
    at_risk: Ether,
    levels: Vec<Level>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Level {
    name: &'static str,
    share: Ether,
    fee: Ether,
    /// How many shares a bond is.
    bond_in_shares: String,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let model = chain.find_model(&args.model).await?;
    let (stake, size) = (model.model.seatStake, args.committee);
    let bond = U256::from(stake) / U256::from(BONDS_IN_A_STAKE);
    let levels =
        [("low", usual_share(stake) / U96::from(4)), ("usual", usual_share(stake)), ("most", most_share(stake))];
    let quote = Quote {
        model_id: model.id,
        model: model.name,
        committee_size: size,
        quorum: quorum(size),
        seats_in_pool: chain.stakes().activeSeats(model.id).call().await.map_err(ChainError::from)?,
        seat_stake: stake.into(),
        bond: Ether(bond),
        at_risk: Ether(bond * U256::from(quorum(size))),
        levels: levels
            .into_iter()
            .filter(|(_, share)| !share.is_zero())
            .map(|(name, share)| Level {
                name,
                share: share.into(),
                fee: fee(share, size),
                bond_in_shares: (bond / U256::from(share)).to_string(),
            })
            .collect(),
    };
    context.terminal.result(&quote, human)?;
    Ok(ExitCode::SUCCESS)
}

/// What a seat is offered when nothing is asked.
pub(crate) fn usual_share(seat_stake: U96) -> U96 {
    (seat_stake / U96::from(USUAL_SHARES_IN_A_STAKE)).max(U96::from(1))
}

/// The most that a seat may be offered.
pub(crate) fn most_share(seat_stake: U96) -> U96 {
    seat_stake / U96::from(LEAST_SHARES_IN_A_STAKE)
}

/// What the requester pays.
pub(crate) fn fee(share: U96, committee_size: u8) -> Ether {
    Ether(U256::from(share) * U256::from(committee_size))
}

/// Parses a size that the oracle takes.
pub(crate) fn committee_size(text: &str) -> Result<u8, String> {
    let size = text.parse().ok().filter(|size: &u8| (3..=31).contains(size) && size % 2 == 1);
    size.ok_or_else(|| "a committee has an odd number of seats, 3 to 31".to_owned())
}

fn human(quote: &Quote) -> String {
    let head = listing(&[
        ("model", format!("{} ({})", printable(&quote.model), quote.model_id)),
        ("committee", format!("{} seats, quorum {}", quote.committee_size, quote.quorum)),
        ("pool", pool(quote)),
        ("seat stake", quote.seat_stake.to_string()),
        ("bond", format!("{} per drawn seat", quote.bond)),
        ("fraud loses", format!("{} (the bonds of a quorum)", quote.at_risk)),
    ]);
    let mut table = table(["", "fee", "share of a seat", "a bond is"]);
    for level in &quote.levels {
        table.add_row([
            level.name.to_owned(),
            level.fee.to_string(),
            level.share.to_string(),
            format!("{} shares", level.bond_in_shares),
        ]);
    }
    format!("{head}\n{table}")
}

fn pool(quote: &Quote) -> String {
    match quote.seats_in_pool < u32::from(quote.committee_size) {
        true => format!("{} seats: too few for this committee", quote.seats_in_pool),
        false => format!("{} seats", quote.seats_in_pool),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_share_is_allowed_for_every_stake_that_the_registry_takes() {
        for stake in [160, 161, 999, 1_000, 1_001, 1_000_000_000_000_000_000_u64] {
            let stake = U96::from(stake);
            assert!(usual_share(stake) <= most_share(stake) && !usual_share(stake).is_zero());
        }
    }

    #[test]
    fn committees_are_odd_and_3_to_31() {
        for (text, fits) in [("3", true), ("31", true), ("1", false), ("4", false), ("33", false), ("-3", false)] {
            assert_eq!(committee_size(text).is_ok(), fits, "{text}");
        }
    }
}
