//! Owners: for whom a node works. Anyone can enrol a seat that names this key, and would have it make pictures and pay
//! gas for what only the seat's owner earns.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use alloy::primitives::{Address, B256};
use tracing::warn;

/// Whose seats this node serves: the operator's own, and those of the owners that it was given. Clones share it.
#[derive(Debug, Clone)]
pub struct Owners {
    served: HashSet<Address>,
    refused: Arc<Mutex<HashSet<(B256, u32, Address)>>>,
}

impl Owners {
    /// Without any others, the operator works for itself.
    #[must_use]
    pub fn new(operator: Address, others: impl IntoIterator<Item = Address>) -> Self {
        let served = others.into_iter().chain([operator]).collect();
        Self { served, refused: Arc::default() }
    }

    /// Whether this node serves the seat in the model's pool, which names its key. If not, it says so, once for each seat.
    pub fn serve(&self, model: B256, seat: u32, owner: Address) -> bool {
        let served = self.served.contains(&owner);
        if !served && self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert((model, seat, owner)) {
            warn!(%model, "seat {seat} names this key but belongs to {owner}; pass --owner {owner} to serve it");
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_served_for_the_operator_itself_and_for_named_owners_only() {
        let [operator, owner, stranger] = [1, 2, 3].map(Address::repeat_byte);
        let owners = Owners::new(operator, [owner]);

        assert!(owners.serve(B256::ZERO, 7, operator));
        assert!(owners.serve(B256::ZERO, 8, owner));
        assert!(!owners.serve(B256::ZERO, 9, stranger));
        assert!(!Owners::new(operator, []).serve(B256::ZERO, 8, owner));
    }
}
