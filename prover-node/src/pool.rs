//! The pool: the seats of a model, as the chain has them.

use alloy::primitives::{Address, B256};
use oracle::chain::{Chain, ChainError, IVerifierStakes::Seat as SeatView};

/// Seats asked for at once.
const PAGE: u32 = 500;

/// A seat with its number.
#[derive(Debug, Clone)]
pub struct PoolSeat {
    /// In its model's pool.
    pub number: u32,
    /// What the chain says of it.
    pub seat: SeatView,
}

impl PoolSeat {
    /// Whether it can be drawn for new requests.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.seat.leftAt.is_zero()
    }
}

/// All seats that an account owns or operates, also those that have left and are not withdrawn.
pub async fn seats_of(chain: &Chain, model: B256, account: Address) -> Result<Vec<PoolSeat>, ChainError> {
    let stakes = chain.stakes();
    let slots = stakes.poolOf(model).call().await?.slots;
    let mut ours = Vec::new();
    for start in (0..slots).step_by(PAGE as usize) {
        let seats = stakes.seats(model, start, PAGE).call().await?;
        let numbered = seats.into_iter().zip(start..).map(|(seat, number)| PoolSeat { number, seat });
        ours.extend(numbered.filter(|PoolSeat { seat, .. }| {
            seat.owner != Address::ZERO && (seat.owner == account || seat.operator == account)
        }));
    }
    Ok(ours)
}
