//! What everybody has.

use alloy::{
    primitives::{Address, B256, U256, utils::format_ether},
    providers::Provider as _,
};
use eyre::Result;
use oracle::chain::Chain;

use crate::report::Money;

/// Reads what `address` has; `seat` is its seat in the pool of `model`.
pub(crate) async fn money_of(chain: &Chain, address: Address, seat: Option<(B256, u32)>) -> Result<Money> {
    let (stake, earned) = match seat {
        Some((model, seat)) => {
            let seat = chain.stakes().seatOf(model, seat).call().await?;
            (U256::from(seat.stake), U256::from(seat.earned))
        }
        None => (U256::ZERO, U256::ZERO),
    };
    Ok(Money {
        balance: chain.provider.get_balance(address).await?,
        credit: chain.oracle().balanceOf(address).call().await? + earned,
        stake,
    })
}

/// In ETH, cut after the ninth place.
pub(crate) fn eth(wei: U256) -> String {
    let text = format_ether(wei);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// How much more `after` is than `before`, with its sign.
pub(crate) fn change(before: U256, after: U256) -> String {
    match after.checked_sub(before) {
        Some(more) if more.is_zero() => "0".to_owned(),
        Some(more) => format!("+{}", eth(more)),
        None => format!("-{}", eth(before - after)),
    }
}
