//! A look at a job: what the chain says of it at one block. The chain is the truth; everything else is a memory of it.

use alloy::primitives::Address;
use oracle::{
    chain::{
        ChainError, ChainTime, History,
        IGenerationOracle::{Phase, Round, Step, Windows},
        Request, RoundHistory, Vote,
    },
    due::Due,
};

use crate::{
    archive::Archive,
    error::StepError,
    job::{DrawKey, Seat},
};

/// A job as of one block and by that block's clock.
#[derive(Debug, Clone)]
pub struct Look {
    /// What was asked for.
    pub request: Request,
    /// What became of it.
    pub history: History,
    /// Of the latest round.
    pub phase: Phase,
    /// What anyone may send to move it on.
    pub due: Due,
    /// The block's.
    pub now: ChainTime,
}

impl Look {
    /// At one block.
    pub async fn at(archive: &Archive, request: Request, now: ChainTime) -> Result<Self, ChainError> {
        let history = archive.history_at(&request, now.block).await?;
        Ok(Self::of(request, history, archive.windows(), now))
    }

    /// At the block up to which the history is known.
    #[must_use]
    pub fn of(request: Request, history: History, windows: &Windows, now: ChainTime) -> Self {
        let phase = history.phase(&request.job, windows, now);
        let due = Due::of(&request.job, &history, windows, now);
        Self { request, history, phase, due, now }
    }

    /// Whether this is the draw that our work answers.
    #[must_use]
    pub fn is_of(&self, draw: DrawKey) -> bool {
        let drawn = self.history.round(draw.number).and_then(|round| round.drawn.as_ref());
        drawn.is_some_and(|drawn| drawn.round.drawSeed == draw.seed)
    }

    /// Where the round stands: settled, as far as voting goes, once there is a later one.
    #[must_use]
    pub fn phase_of(&self, number: u8) -> Phase {
        match self.history.latest() {
            Some(latest) if latest.number == number => self.phase,
            Some(latest) if latest.number > number => Phase::Settled,
            _ => Phase::None,
        }
    }

    /// The operator's seats that have done nothing yet.
    #[must_use]
    pub fn undecided(&self, number: u8, operator: Address) -> Vec<Seat> {
        self.seats_at(Step::Drawn, number, operator)
    }

    /// The operator's seats that have committed and not revealed.
    #[must_use]
    pub fn unopened(&self, number: u8, operator: Address) -> Vec<Seat> {
        self.seats_at(Step::Committed, number, operator)
    }

    fn seats_at(&self, step: Step, number: u8, operator: Address) -> Vec<Seat> {
        let ours = |vote: &Vote| vote.member.operator == operator && vote.step == step;
        let seats = self.votes(number).iter().zip(0..).filter(|(vote, _)| ours(vote));
        seats.map(|(vote, member)| Seat { number: vote.member.seat, member }).collect()
    }

    /// What the seat has done.
    #[must_use]
    pub fn vote(&self, number: u8, seat: Seat) -> Option<&Vote> {
        self.votes(number).get(seat.member as usize).filter(|vote| vote.member.seat == seat.number)
    }

    /// The operator's place among those who revealed: 0 for the first. The order in which they settle.
    #[must_use]
    pub fn place_among_revealed(&self, number: u8, operator: Address) -> Option<u64> {
        let revealed = self.votes(number).iter().filter(|vote| vote.step == Step::Revealed);
        revealed.zip(0..).find(|(vote, _)| vote.member.operator == operator).map(|(_, place)| place)
    }

    /// Whether the round has not been drawn yet, and still can be.
    #[must_use]
    pub fn awaits_draw(&self, number: u8) -> bool {
        matches!(self.phase_of(number), Phase::Requested | Phase::Draw)
    }

    /// Until when a commitment counts, in seconds since the epoch: at least, if the round is not drawn yet.
    #[must_use]
    pub fn commit_deadline(&self, number: u8) -> u64 {
        let drawn = self.history.round(number).and_then(|round| round.drawn.as_ref());
        drawn.map_or(self.now.time + u64::from(self.request.job.terms.commitWindow), |drawn| drawn.commit_deadline)
    }

    /// The same for what opens it: the end of the reveal window.
    #[must_use]
    pub fn reveal_deadline(&self, number: u8, windows: &Windows) -> u64 {
        self.commit_deadline(number) + u64::from(windows.reveal)
    }

    /// The round as calls hand it back.
    pub fn round(&self, number: u8) -> Result<Round, StepError> {
        self.history.round(number).map(RoundHistory::calldata).ok_or(StepError::OtherDraw)
    }

    fn votes(&self, number: u8) -> &[Vote] {
        self.history.round(number).map(RoundHistory::votes).unwrap_or_default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use alloy::primitives::{B256, U256};
    use oracle::{
        chain::{DrawnRound, Known, Reveal},
        digest::Digest,
        due::Wait,
        round::Member,
    };

    use super::*;
    use crate::job::tests::request;

    /// Of one round: operators, seats, and how far they came.
    pub(crate) fn look(steps: &[(u8, u32, Step)]) -> Look {
        let votes = steps.iter().map(|&(operator, seat, step)| Vote {
            member: Member { operator: Address::repeat_byte(operator), pool: 1, seat, place: 0 },
            step,
            commitment: None,
            reveal: (step == Step::Revealed)
                .then_some(Reveal { digest: Digest([operator; 32]), content_hash: B256::ZERO }),
        });
        let round = Round { number: 1, drawSeed: B256::repeat_byte(2), ..Round::default() };
        let votes = votes.collect();
        let drawn = DrawnRound { round, block: 1, commit_deadline: 100, votes, closed_at: None };
        let round = RoundHistory {
            number: 1,
            payer: Address::ZERO,
            randomness: 1,
            known: Known::After(1),
            draw_deadline: 50,
            drawn: Some(drawn),
            settled: None,
            reward: U256::ZERO,
        };
        Look {
            request: request(),
            history: History { rounds: vec![round], ..History::default() },
            phase: Phase::Commit,
            due: Due::Nothing(Wait::Commit(1)),
            now: ChainTime { block: 1, time: 60 },
        }
    }

    #[test]
    fn our_seats_are_those_with_our_operator_that_have_done_nothing() {
        let look = look(&[(1, 7, Step::Drawn), (2, 8, Step::Drawn), (1, 9, Step::Committed), (1, 3, Step::Drawn)]);

        let seats = [Seat { number: 7, member: 0 }, Seat { number: 3, member: 3 }];
        assert_eq!(look.undecided(1, Address::repeat_byte(1)), seats);
        assert_eq!(look.unopened(1, Address::repeat_byte(1)), [Seat { number: 9, member: 2 }]);
        assert!(look.undecided(1, Address::repeat_byte(3)).is_empty());
        assert!(look.undecided(2, Address::repeat_byte(1)).is_empty());
    }

    #[test]
    fn a_seat_is_found_by_member_and_number() {
        let look = look(&[(1, 7, Step::Drawn), (2, 8, Step::Out)]);

        assert_eq!(look.vote(1, Seat { number: 8, member: 1 }).map(|vote| vote.step), Some(Step::Out));
        assert!(look.vote(1, Seat { number: 7, member: 1 }).is_none());
        assert!(look.vote(1, Seat { number: 7, member: 9 }).is_none());
    }

    #[test]
    fn those_who_revealed_settle_in_turn() {
        let look = look(&[(1, 7, Step::Committed), (2, 8, Step::Revealed), (3, 9, Step::Revealed)]);

        assert_eq!(look.place_among_revealed(1, Address::repeat_byte(1)), None);
        assert_eq!(look.place_among_revealed(1, Address::repeat_byte(2)), Some(0));
        assert_eq!(look.place_among_revealed(1, Address::repeat_byte(3)), Some(1));
    }

    #[test]
    fn a_round_is_over_for_its_voters_once_there_is_a_later_one() {
        let mut look = look(&[(1, 7, Step::Revealed)]);
        assert_eq!((look.phase_of(1), look.phase_of(2)), (Phase::Commit, Phase::None));

        look.history.rounds.push(RoundHistory { number: 2, drawn: None, ..look.history.rounds[0].clone() });
        assert_eq!((look.phase_of(1), look.phase_of(2)), (Phase::Settled, Phase::Commit));
    }

    #[test]
    fn a_commitment_to_a_round_that_is_not_drawn_yet_has_the_whole_window() {
        let mut look = look(&[]);
        assert_eq!(look.commit_deadline(1), 100);
        look.history.rounds[0].drawn = None;
        assert_eq!(look.commit_deadline(1), 60 + 120);
    }
}
