//! A look at a job: what the chain says of it at one block. The chain is the truth; everything else is a memory of it.

use alloy::{
    eips::BlockId,
    primitives::{Address, B256},
};
use oracle::chain::{
    Chain, ChainError,
    IGenerationOracle::{JobView, Phase, Step, Vote},
};

use crate::job::{DrawKey, Seat};

/// A job and its votes, as of one block and by that block's clock.
#[derive(Debug, Clone)]
pub struct Look {
    /// The job.
    pub job: JobView,
    /// The committee's, in the order of the draw; empty before it.
    pub votes: Vec<Vote>,
}

impl Look {
    /// Both are read at the same block, so that they fit together.
    pub async fn at(chain: &Chain, job: B256, block: u64) -> Result<Self, ChainError> {
        let (oracle, block) = (chain.oracle(), BlockId::number(block));
        let votes = oracle.votes(job).block(block).call().await?;
        let job = oracle.job(job).block(block).call().await?;
        Ok(Self { job, votes })
    }

    /// Whether this is the draw that our work answers.
    #[must_use]
    pub fn is_of(&self, draw: DrawKey) -> bool {
        self.job.drawSeed == draw.seed
    }

    /// The operator's seats that have done nothing yet.
    #[must_use]
    pub fn undecided(&self, operator: Address) -> Vec<Seat> {
        let ours = |vote: &Vote| vote.operator == operator && vote.step == Step::Drawn;
        let seats = self.votes.iter().enumerate().filter(|(_, vote)| ours(vote));
        seats.filter_map(|(member, vote)| Some(Seat { number: vote.seat, member: member.try_into().ok()? })).collect()
    }

    /// What the seat has done, and the commitment or digest that goes with it.
    #[must_use]
    pub fn vote(&self, seat: Seat) -> Option<&Vote> {
        self.votes.get(seat.member as usize).filter(|vote| vote.seat == seat.number)
    }

    /// The operator's place among those who revealed: 0 for the first. The order in which they settle.
    #[must_use]
    pub fn place_among_revealed(&self, operator: Address) -> Option<u64> {
        let revealed = self.votes.iter().filter(|vote| vote.step == Step::Revealed);
        revealed.zip(0..).find(|(vote, _)| vote.operator == operator).map(|(_, place)| place)
    }

    /// Whether the job has not been drawn yet, and still can be.
    #[must_use]
    pub fn awaits_draw(&self) -> bool {
        matches!(self.job.phase, Phase::Requested | Phase::Draw)
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::aliases::U96;
    use oracle::chain::IGenerationOracle::{Outcome, Terms};

    use super::*;

    fn look(steps: &[(u8, u32, Step)]) -> Look {
        let vote = |&(operator, seat, step): &(u8, u32, Step)| Vote {
            operator: Address::repeat_byte(operator),
            seat,
            step,
            value: B256::ZERO,
        };
        Look { job: job(), votes: steps.iter().map(vote).collect() }
    }

    fn job() -> JobView {
        JobView {
            requester: Address::ZERO,
            modelId: B256::ZERO,
            terms: Terms { committeeSize: 3, fixedSeed: false, share: U96::ZERO },
            specHash: B256::ZERO,
            specSeed: B256::ZERO,
            requestBlock: 1,
            requestTime: 1,
            poolSlots: 3,
            seedBlock: 3,
            drawDeadline: 4,
            drawSeed: B256::ZERO,
            commitDeadline: 5,
            revealDeadline: 6,
            bond: U96::ZERO,
            phase: Phase::Commit,
            outcome: Outcome::Open,
            digest: B256::ZERO,
        }
    }

    #[test]
    fn our_seats_are_those_with_our_operator_that_have_done_nothing() {
        let look = look(&[(1, 7, Step::Drawn), (2, 8, Step::Drawn), (1, 9, Step::Committed), (1, 3, Step::Drawn)]);

        let seats = [Seat { number: 7, member: 0 }, Seat { number: 3, member: 3 }];
        assert_eq!(look.undecided(Address::repeat_byte(1)), seats);
        assert!(look.undecided(Address::repeat_byte(3)).is_empty());
    }

    #[test]
    fn a_seat_is_found_by_member_and_number() {
        let look = look(&[(1, 7, Step::Drawn), (2, 8, Step::Declined)]);

        assert_eq!(look.vote(Seat { number: 8, member: 1 }).map(|vote| vote.step), Some(Step::Declined));
        assert!(look.vote(Seat { number: 7, member: 1 }).is_none());
        assert!(look.vote(Seat { number: 7, member: 9 }).is_none());
    }

    #[test]
    fn those_who_revealed_settle_in_turn() {
        let look = look(&[(1, 7, Step::Committed), (2, 8, Step::Revealed), (3, 9, Step::Revealed)]);

        assert_eq!(look.place_among_revealed(Address::repeat_byte(1)), None);
        assert_eq!(look.place_among_revealed(Address::repeat_byte(2)), Some(0));
        assert_eq!(look.place_among_revealed(Address::repeat_byte(3)), Some(1));
    }
}
