//! Fees: what is paid for a unit of gas, and how much more for another attempt.

use alloy::eips::eip1559::Eip1559Estimation;

/// The two parts of a transaction's fee (EIP-1559), in wei for a unit of gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// Base fee and tip together, at most.
    pub most: u128,
    /// Of whoever mines it.
    pub tip: u128,
}

/// No more than this many times what the market asks for.
const CEILING: u128 = 10;

impl Fees {
    /// What replaces a pending transaction that pays this: a quarter more in both parts, where Ethereum nodes ask for a
    /// tenth.
    #[must_use]
    pub fn raised(self) -> Self {
        let raised = |fee: u128| fee.saturating_mul(5) / 4 + 1;
        Self { most: raised(self.most), tip: raised(self.tip) }
    }

    /// What replaces a transaction that paid `self`, where the market asks for `market`; none if that would be more than
    /// ten times the market's.
    #[must_use]
    pub fn replacing(self, market: Self) -> Option<Self> {
        let raised = self.raised();
        let paid = Self { most: raised.most.max(market.most), tip: raised.tip.max(market.tip) };
        (paid.most <= market.most.saturating_mul(CEILING)).then_some(paid)
    }
}

impl From<Eip1559Estimation> for Fees {
    fn from(market: Eip1559Estimation) -> Self {
        Self { most: market.max_fee_per_gas, tip: market.max_priority_fee_per_gas }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_pays_an_eighth_more_at_least_in_both_parts() {
        let raised = Fees { most: 1_000, tip: 0 }.raised();

        assert!(raised.most * 8 >= 1_000 * 9);
        assert_eq!(raised.tip, 1);
    }

    #[test]
    fn what_is_paid_follows_the_market_up_and_never_falls_below_the_raise() {
        let paid = Fees { most: 1_000, tip: 2 }.replacing(Fees { most: 2_000, tip: 1 });
        assert_eq!(paid, Some(Fees { most: 2_000, tip: 3 }));
    }

    #[test]
    fn nobody_outbids_himself_without_end() {
        let market = Fees { most: 100, tip: 1 };
        let (mut paid, mut raises) = (market, 0);
        while let Some(more) = paid.replacing(market) {
            (paid, raises) = (more, raises + 1);
        }
        assert!(paid.most <= 1_000 && raises == 10, "{paid:?} after {raises}");
    }
}
