//! `oracle quote`: what a job costs, and what that buys.

use std::process::ExitCode;

use alloy::primitives::{B256, U256};
use oracle::{
    chain::{ChainError, ModelRef},
    fees::{Offer, deliver_bounty, draw_bounty, fee_of, foreseen, royalty_on, settle_bounty},
    round::{MOST_ROUNDS, size_of},
    spec::Spec,
    tally::quorum,
};
use serde::Serialize;

use super::{
    Context,
    safe_value::SafeValue,
    terminal::{listing, printable},
    terms::{TermsArgs, commit_windows},
    typed::Ether,
    wish::WishArgs,
};

/// For what.
#[derive(clap::Args)]
#[command(after_help = "\
The shares go to the seats that the verdict accepts, the royalty to the model's owner, the bounties to those who send \
the transactions that everybody needs. What is not earned comes back. Every drawn seat has an eighth of its stake at \
risk, whatever the fee. The safe value is what a fraud loses once it is overturned: let no more depend on it.")]
pub(crate) struct Args {
    /// What is to be asked; the price of a text depends on its length
    #[arg(default_value = "", hide_default_value = true)]
    prompt: String,
    /// Id, beginning of the id, or name
    #[arg(long)]
    model: ModelRef,
    #[command(flatten)]
    wish: WishArgs,
    #[command(flatten)]
    terms: TermsArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Quote {
    model_id: B256,
    model: String,
    /// Steps times pixels of a picture; bytes of the messages and tokens of all beams of a text.
    work: String,
    #[serde(skip)]
    unit: &'static str,
    committee_size: u8,
    quorum: usize,
    /// Of the committees, by round.
    seats: Vec<u8>,
    pool: Pool,
    seat_stake: Ether,
    bond: Ether,
    least_share: Ether,
    most_share: Ether,
    least_commit_window: u32,
    most_commit_window: u32,
    appeal_window: u32,
    /// Of the terms that were typed.
    share: Ether,
    shares: Ether,
    royalty: Ether,
    bounties: Ether,
    /// All together, at the present base fee.
    fee: Ether,
    #[serde(flatten)]
    safe_value: SafeValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    active: u32,
    old: u32,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let model = chain.find_model(&args.model).await?;
    let spec = args.wish.spec(&model, &args.prompt, B256::ZERO)?;
    let base_fee = chain.base_fee().await?;
    let offer = Offer::of(&model.model, &spec, base_fee);
    let terms = args.terms.resolve(&offer, &chain.windows, false)?;
    let pool = chain.stakes().poolOf(model.id).call().await.map_err(ChainError::from)?;
    let mut job = foreseen(&model.model, &terms, base_fee);
    (job.poolSlots, job.poolSeats) = (pool.slots, pool.old);

    let size = terms.committeeSize;
    let shares = U256::from(terms.share) * U256::from(size);
    let (least_commit_window, most_commit_window) = commit_windows(&offer, &chain.windows);
    let quote = Quote {
        model_id: model.id,
        model: model.name,
        work: spec.work().to_string(),
        unit: unit(&spec),
        committee_size: size,
        quorum: quorum(size, terms.superMajority),
        seats: (1..=MOST_ROUNDS).map(|number| size_of(size, number)).collect(),
        pool: Pool { active: pool.active, old: pool.old },
        seat_stake: model.model.seatStake.into(),
        bond: Ether(offer.bond),
        least_share: Ether(offer.least_share),
        most_share: Ether(offer.most_share),
        least_commit_window,
        most_commit_window,
        appeal_window: u32::try_from(offer.patience).unwrap_or(u32::MAX).max(chain.windows.appeal),
        share: terms.share.into(),
        shares: Ether(shares),
        royalty: Ether(royalty_on(&job, shares)),
        bounties: Ether(draw_bounty(&job, 1) + settle_bounty(&job, 1) + deliver_bounty(&job)),
        fee: Ether(fee_of(&job)),
        safe_value: (&job).into(),
    };
    context.terminal.result(&quote, human)?;
    Ok(ExitCode::SUCCESS)
}

fn unit(spec: &Spec) -> &'static str {
    match spec {
        Spec::Image(_) => "steps times pixels",
        Spec::Text(_) => "bytes and tokens",
    }
}

fn human(quote: &Quote) -> String {
    listing(&[
        ("model", format!("{} ({})", printable(&quote.model), quote.model_id)),
        ("work", format!("{} {}", quote.work, quote.unit)),
        ("committee", format!("{} seats, quorum {}", quote.committee_size, quote.quorum)),
        ("appeals", appeals(quote)),
        ("pool", pool(quote)),
        ("seat stake", quote.seat_stake.to_string()),
        ("bond", format!("{} per drawn seat", quote.bond)),
        ("share", format!("{} per seat; {} to {} are possible", quote.share, quote.least_share, quote.most_share)),
        ("commit", format!("{} to {} s", quote.least_commit_window, quote.most_commit_window)),
        (
            "fee",
            format!("{}: shares {}, royalty {}, bounties {}", quote.fee, quote.shares, quote.royalty, quote.bounties),
        ),
        ("safe value", quote.safe_value.to_string()),
    ])
}

/// A round that the pool cannot staff cannot be opened.
fn appeals(quote: &Quote) -> String {
    let later = quote.seats[1..].iter();
    let staffed: Vec<_> = later.filter(|&&seats| u32::from(seats) <= quote.pool.old).map(u8::to_string).collect();
    match staffed.is_empty() {
        true => format!("none: the pool is too small for a second round of {} seats", quote.seats[1]),
        false => format!("to {} seats, for {} s after each verdict", staffed.join(", "), quote.appeal_window),
    }
}

fn pool(quote: &Quote) -> String {
    let Pool { active, old } = quote.pool;
    match old < u32::from(quote.committee_size) {
        true => format!("{active} seats, {old} of them surely old enough: too few for this committee"),
        false => format!("{active} seats, {old} of them surely old enough"),
    }
}
