//! Rounds: how large their committees are, what seeds their draws, and who sits on them.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};
use serde::Serialize;

/// Rounds of a job, at most.
pub const MOST_ROUNDS: u8 = 4;
/// Seats of a committee, at most.
pub const MOST_SEATS: u8 = 31;

/// A drawn seat. Twin of `Members.sol`; `tests/vectors/member.json` holds both to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who votes for the seat, as it was at the draw; zero for an excused one.
    pub operator: Address,
    /// Its pool's number.
    pub pool: u32,
    /// Its number in the pool.
    pub seat: u32,
    /// Which of its eight vote slots the job uses.
    pub place: u8,
}

impl Member {
    /// The slot of its vote: the member without its operator, as a number.
    #[must_use]
    pub fn slot(&self) -> U256 {
        let mut word = B256::from(*self);
        word[..20].fill(0);
        word.into()
    }

    /// Whether it takes no part, because its stake was fully bound at the draw.
    #[must_use]
    pub fn is_excused(&self) -> bool {
        self.operator.is_zero()
    }
}

impl From<B256> for Member {
    fn from(word: B256) -> Self {
        let number = |at: usize| u32::from_be_bytes([word[at], word[at + 1], word[at + 2], word[at + 3]]);
        Self { operator: Address::from_slice(&word[..20]), pool: number(20), seat: number(24), place: word[28] }
    }
}

impl From<Member> for B256 {
    fn from(member: Member) -> Self {
        let mut word = Self::ZERO;
        word[..20].copy_from_slice(member.operator.as_slice());
        word[20..24].copy_from_slice(&member.pool.to_be_bytes());
        word[24..28].copy_from_slice(&member.seat.to_be_bytes());
        word[28] = member.place;
        word
    }
}

/// Seats of a round's committee: `2n + 1` after n, at most 31. Twin of `sizeOf` in `Rulings.sol`;
/// `tests/vectors/size.json` holds both to it.
#[must_use]
pub fn size_of(first: u8, number: u8) -> u8 {
    (1..number).fold(first, |size, _| if size > MOST_SEATS / 2 { MOST_SEATS } else { 2 * size + 1 })
}

/// What a round is drawn with: `keccak256(abi.encode(randomness, job id, number))`.
#[must_use]
pub fn draw_seed(randomness: B256, job: B256, number: u8) -> B256 {
    keccak256((randomness, job, U256::from(number)).abi_encode_params())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_packed_into_one_word_and_unpacked_from_it() {
        let member = Member { operator: Address::repeat_byte(0xaa), pool: 0x0102_0304, seat: 0x0506_0708, place: 7 };
        let word = B256::from(member);

        assert_eq!(Member::from(word), member);
        assert_eq!(word[29..], [0; 3], "the lowest bits are zero");
        assert!(!member.is_excused() && Member::from(B256::ZERO).is_excused());
    }

    #[test]
    fn committees_double_and_stop_at_31() {
        assert_eq!([1, 2, 3, 4].map(|number| size_of(3, number)), [3, 7, 15, 31]);
        assert_eq!([1, 2, 3].map(|number| size_of(17, number)), [17, 31, 31]);
    }
}
