//! Odds: what committees find, how often they are wrong, and what a fraud stands to lose. Exact sums, in floating point.
//!
//! A committee of `n` is drawn from a pool of which a share `f` is hostile. Each honest seat reproduces the right
//! digest within tolerance with the chance `p`, on its own; hostile seats stand together for one wrong digest. As a
//! quorum is more than half of the committee, at most one side has one:
//!
//! - **right**: a quorum of honest seats agrees;
//! - **wrong**: hostile seats are a quorum;
//! - **unresolved**: neither.
//!
//! This is figure 3 of "Generative AI Reproducibility and Consensus" (arXiv 2307.01898) with the number of hostile seats
//! drawn rather than given; [`Committee::right_against`] is the figure's own reading, and without hostile seats it is the
//! binomial majority. On chain, `captureOdds` of GenerationLens.sol has the wrong ones of a first round alone.

mod pool;

use serde::Serialize;

pub use self::pool::Pool;
use self::pool::binomial;
use crate::{
    round::{MOST_ROUNDS, MOST_SEATS, size_of},
    tally::quorum,
};

/// Fewest seats that can decide by more than half.
pub const LEAST_MAJORITY: u8 = 3;
/// Fewest seats that can decide by more than two thirds.
pub const LEAST_SUPER_MAJORITY: u8 = 5;

/// How a round decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committee {
    /// Seats: odd, 3 to 31.
    pub size: u8,
    /// By more than two thirds instead of more than half.
    pub super_majority: bool,
}

/// Chances of a round's verdicts; they sum up to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Verdicts {
    /// A quorum of honest seats agrees.
    pub right: f64,
    /// Hostile seats are a quorum.
    pub wrong: f64,
    /// Neither.
    pub unresolved: f64,
}

/// All that the odds of a job depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odds {
    /// Of the first round.
    pub committee: Committee,
    /// What is drawn from.
    pub pool: Pool,
    /// Chance that an honest seat's digest is accepted by the right one.
    pub agreement: f64,
    /// Chance that an honest seat's digest is rejected by the right one, at most `1 - agreement`; the rest is grey.
    pub rejection: f64,
}

/// Chances of what becomes of a job.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Appealed {
    /// Of a wrong last word, if somebody honest appeals against every verdict that is not right, and nobody else appeals.
    pub watched: f64,
    /// Of a wrong last word, if both sides appeal as long as they can: then the last committee has it.
    pub contested: f64,
}

/// The gamble of a hostile seat that is drawn already and votes for the wrong digest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fraud {
    /// Chances of the verdicts, given that it is drawn.
    pub verdicts: Verdicts,
    /// What it must have at risk for the fraud never to pay, in shares; infinite if the verdict is never right.
    pub bond: f64,
}

impl Committee {
    /// How many seats must agree.
    #[must_use]
    pub fn quorum(self) -> u8 {
        quorum(self.size, self.super_majority) as u8
    }

    /// Chance of a right verdict if so many seats are hostile: `sum_{k >= q} C(h, k) p^k (1 - p)^(h - k)` for `h` honest
    /// seats and the quorum `q`. Both readings of the paper's bounds are cases of it: none hostile, or as many as leave
    /// just more than a half, or two thirds, honest.
    #[must_use]
    pub fn right_against(self, hostile: u8, agreement: f64) -> f64 {
        let honest = self.size.saturating_sub(hostile);
        (self.quorum()..=honest)
            .map(|agreeing| binomial(honest, agreeing, agreement))
            .fold(0.0, |sum, chance| sum + chance)
    }

    /// Chances of the verdicts, where some seats are known already and the others are drawn from `pool`.
    fn verdicts(self, pool: Pool, agreement: f64, known: Known) -> Verdicts {
        let (quorum, drawn) = (self.quorum(), self.size - known.hostile - known.honest_missing);
        let mut verdicts = Verdicts::default();
        for hostile in 0..=drawn {
            let chance = pool.draws(drawn, hostile);
            if hostile + known.hostile >= quorum {
                verdicts.wrong += chance;
                continue;
            }
            // Both are summed up: as the difference from 1 a small one would be rounding alone.
            for agreeing in 0..=drawn - hostile {
                let chance = chance * binomial(drawn - hostile, agreeing, agreement);
                *(if agreeing >= quorum { &mut verdicts.right } else { &mut verdicts.unresolved }) += chance;
            }
        }
        verdicts
    }
}

/// Seats of a committee that are not drawn any more.
#[derive(Clone, Copy, Default)]
struct Known {
    hostile: u8,
    /// They do not reproduce the right digest.
    honest_missing: u8,
}

impl Odds {
    /// Chances of the first round's verdicts.
    #[must_use]
    pub fn verdicts(self) -> Verdicts {
        self.committee.verdicts(self.pool, self.agreement, Known::default())
    }

    /// Chance that an honest seat on the committee is slashed if this round has the last word: it is rejected by a right
    /// winner, or a wrong one wins, which rejects it whatever it has. Grey costs it the share and `Unresolved` nothing.
    #[must_use]
    pub fn honest_slashed(self) -> f64 {
        let pool = self.pool.without(1, 0);
        let rejected = self.committee.verdicts(pool, self.agreement, Known { hostile: 0, honest_missing: 1 });
        self.rejection * rejected.right + rejected.wrong
    }

    /// The rounds that a job may have, this one first: four at most, as far as the pool can staff them.
    pub fn rounds(self) -> impl Iterator<Item = Self> {
        let of = move |number| {
            let size = size_of(self.committee.size, number);
            Self { committee: Committee { size, ..self.committee }, ..self }
        };
        (1..=MOST_ROUNDS).map(of).take_while(|round| round.pool.can_staff(round.committee.size))
    }

    /// What appeals make of it. Each round is a draw of its own from the pool as it stood at the request. A vote is judged
    /// by the last word, so an honest seat that was outvoted in an overturned round loses nothing.
    #[must_use]
    pub fn appealed(self) -> Appealed {
        let rounds: Vec<_> = self.rounds().map(Self::verdicts).collect();
        let Some((last, earlier)) = rounds.split_last() else { return Appealed { watched: 1.0, contested: 1.0 } };
        let not_right: f64 = earlier.iter().map(|verdicts| verdicts.wrong + verdicts.unresolved).product();
        Appealed { watched: not_right * last.wrong, contested: last.wrong }
    }

    /// What a drawn hostile seat gambles on, if this round has the last word. Success takes a quorum less one of the other
    /// seats, `p' = P(H >= q - 1)` of `n - 1`, which is far likelier than a quorum out of nothing. A wrong verdict earns it its
    /// share and `gain`, in shares; none earns it half a share; a right one costs it the bond. So a fraud is worth
    /// `p' (1 + gain) + u / 2 - r B` with the chances of a wrong, of no and of a right verdict.
    ///
    /// Where honest seats always agree that is `B = k p' / (1 - p')`: the stake of Crynux's documentation for every job
    /// checked, with `p'` in the place of the chance before the draw. What a whole quorum loses is the
    /// [safe value](crate::safe_value).
    #[must_use]
    pub fn fraud(self, gain: f64) -> Fraud {
        let verdicts =
            self.committee.verdicts(self.pool.without(1, 1), self.agreement, Known { hostile: 1, honest_missing: 0 });
        let Verdicts { right, wrong, unresolved } = verdicts;
        Fraud { verdicts, bond: (wrong * (1.0 + gain) + unresolved / 2.0) / right }
    }

    /// What the seats of the first round are paid on average, in shares: one for each that the winner accepts, and half of
    /// one for each if there is none. What is not paid goes back to the requester, who pays as many shares as there are seats.
    #[must_use]
    pub fn expected_shares(self) -> f64 {
        let Committee { size, .. } = self.committee;
        let quorum = self.committee.quorum();
        let paid = |hostile: u8, agreeing: u8| match (hostile >= quorum, agreeing >= quorum) {
            (true, _) => f64::from(hostile),
            (_, true) => f64::from(agreeing),
            _ => f64::from(size) / 2.0,
        };
        let of = |hostile: u8| {
            let honest = size - hostile;
            let given =
                (0..=honest).map(|agreeing| binomial(honest, agreeing, self.agreement) * paid(hostile, agreeing));
            self.pool.draws(size, hostile) * given.sum::<f64>()
        };
        (0..=size).map(of).sum()
    }

    /// The smallest committee whose first verdict is right with the chance `assurance`, among those that the contract takes
    /// and the pool can staff; it decides as this one does, whose size does not matter. A larger one may be worse again:
    /// super-majorities of 9 need 7, and those of 7 need 5.
    #[must_use]
    pub fn smallest(self, assurance: f64) -> Option<Self> {
        self.sizes().find(|odds| odds.verdicts().right >= assurance)
    }

    /// The committee whose first verdict is right most often.
    #[must_use]
    pub fn best(self) -> Option<Self> {
        self.sizes().max_by(|a, b| a.verdicts().right.total_cmp(&b.verdicts().right))
    }

    fn sizes(self) -> impl Iterator<Item = Self> {
        let least = if self.committee.super_majority { LEAST_SUPER_MAJORITY } else { LEAST_MAJORITY };
        (least..=MOST_SEATS)
            .step_by(2)
            .filter(move |&size| self.pool.can_staff(size))
            .map(move |size| Self { committee: Committee { size, ..self.committee }, ..self })
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{B256, keccak256};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        digest::{Digest, ToleranceProfile, Zone},
        tally::{Verdict, tally},
    };

    const PROFILE: ToleranceProfile = ToleranceProfile { accept: [10; 4], reject: [20; 4], evidence: B256::ZERO };

    fn odds(size: u8, super_majority: bool, pool: Pool, agreement: f64) -> Odds {
        Odds { committee: Committee { size, super_majority }, pool, agreement, rejection: 1.0 - agreement }
    }

    fn honest(size: u8, super_majority: bool, agreement: f64) -> f64 {
        odds(size, super_majority, Pool::Endless { hostile: 0.0 }, agreement).verdicts().right
    }

    fn close(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() < within, "{found} instead of {expected}");
    }

    /// This and the next two with `fractions` and `math.comb` of Python, from the same formulas, to seven places.
    #[test]
    fn without_hostile_seats_it_is_the_binomial_majority() {
        for (agreement, size, majority, two_thirds) in [
            (0.9807, 3, 0.998_896_9, 0.943_210_3),
            (0.9807, 5, 0.999_930_2, 0.996_416_8),
            (0.9807, 7, 0.999_995_4, 0.999_762_6),
            (0.9807, 9, 0.999_999_7, 0.999_446_6),
            (0.95, 3, 0.992_75, 0.857_375),
            (0.95, 9, 0.999_966_8, 0.991_639),
        ] {
            close(honest(size, false, agreement), majority, 1e-7);
            close(honest(size, true, agreement), two_thirds, 1e-7);
        }
    }

    #[test]
    fn against_a_given_minority_a_bare_majority_gets_worse_with_size_and_two_thirds_get_better() {
        let with =
            |size: u8, honest: u8| Committee { size, super_majority: false }.right_against(size - honest, 0.9807);
        for (size, half, two_thirds) in
            [(3, 0.961_772_5, 0.998_896_9), (9, 0.907_153_7, 0.999_762_6), (21, 0.807_045_3, 0.999_993_2)]
        {
            close(with(size, size / 2 + 1), half, 1e-7);
            close(with(size, 2 * size / 3 + 1), two_thirds, 1e-7);
        }
    }

    #[test]
    fn a_hostile_share_holds_a_committee_as_often_as_the_documents_say() {
        let wrong = |size, hostile| odds(size, false, Pool::Endless { hostile }, 1.0).verdicts().wrong;
        for (size, fifth, third) in [(3, 0.104, 0.259), (5, 0.0579, 0.21), (7, 0.0333, 0.173), (31, 8.82e-5, 0.027)] {
            close(wrong(size, 0.2), fifth, 5e-3 * fifth);
            close(wrong(size, 1.0 / 3.0), third, 5e-3 * third);
        }
    }

    /// Ten in a hundred, and 330 in a thousand: `1 - C(h, 2) / C(h + d - 1, 2)`.
    #[test]
    fn a_drawn_fraud_needs_only_the_rest_of_a_quorum() {
        for (seats, hostile, success, bond) in
            [(100, 10, 0.174_397_0, 0.211_236_0), (1_000, 330, 0.550_422_2, 1.224_308_9)]
        {
            let fraud = odds(3, false, Pool::Finite { seats, hostile }, 1.0).fraud(0.0);
            let others = f64::from(seats - hostile);
            let missed = others * (others - 1.0) / (f64::from(seats - 1) * f64::from(seats - 2));
            close(fraud.verdicts.wrong, 1.0 - missed, 1e-12);
            close(fraud.verdicts.wrong, success, 1e-7);
            close(fraud.bond, bond, 1e-7);
            close(fraud.bond, fraud.verdicts.wrong / (1.0 - fraud.verdicts.wrong), 1e-12);
        }
    }

    #[test]
    fn appeals_leave_what_no_round_sets_right() {
        let job = odds(3, false, Pool::Endless { hostile: 0.2 }, 0.98);
        let rounds: Vec<_> = job.rounds().map(Odds::verdicts).collect();
        let appealed = job.appealed();

        assert_eq!(job.rounds().map(|round| round.committee.size).collect::<Vec<_>>(), [3, 7, 15, 31]);
        let not_right: f64 = rounds[..3].iter().map(|round| 1.0 - round.right).product();
        close(appealed.watched, not_right * rounds[3].wrong, 1e-12);
        close(appealed.contested, rounds[3].wrong, 1e-15);
        let small = odds(3, false, Pool::Finite { seats: 14, hostile: 2 }, 0.98);
        assert_eq!(small.rounds().count(), 2);
    }

    #[test]
    fn the_smallest_committee_is_one_that_the_contract_takes_and_the_pool_can_staff() {
        let smallest = |super_majority, pool, agreement, assurance| {
            odds(3, super_majority, pool, agreement).smallest(assurance).map(|odds| odds.committee.size)
        };
        let nobody = Pool::Endless { hostile: 0.0 };
        assert_eq!(smallest(false, nobody, 0.9807, 0.99), Some(3));
        assert_eq!(smallest(false, nobody, 0.9807, 0.9999), Some(5));
        assert_eq!(smallest(true, nobody, 0.9807, 0.5), Some(5));
        assert_eq!(smallest(false, nobody, 0.3, 0.99), None);
        let few = Pool::Finite { seats: 4, hostile: 0 };
        assert_eq!([smallest(false, few, 0.9807, 0.99), smallest(false, few, 0.9807, 0.9999)], [Some(3), None]);
    }

    /// Numbers from 0 to 1, the same in every run.
    struct Dice(B256);

    impl Dice {
        fn word(&mut self) -> B256 {
            self.0 = keccak256(self.0);
            self.0
        }

        fn roll(&mut self) -> f64 {
            f64::from(u32::from_be_bytes([self.word()[0], self.0[1], self.0[2], self.0[3]])) / 2_f64.powi(32)
        }

        /// Within five bits of each lane, so that any two are within ten of each other.
        fn drifted(&mut self, digest: Digest) -> Digest {
            let word = self.word();
            let flip = |lane: usize| (0..5).fold(0, |bits, at| bits | 1_u64 << (word[5 * lane + at] % 64));
            let lanes = digest.lanes();
            Digest::from_lanes([0, 1, 2, 3].map(|lane: usize| lanes[lane] ^ flip(lane)))
        }
    }

    /// Shares of committees of which the real tally found a right, a wrong and no winner, and shares of the honest first
    /// seats that it would slash; then what seats were paid on average.
    struct Played {
        verdicts: [f64; 3],
        slashed: f64,
        /// Committees whose first seat was honest.
        honest_first: u32,
        shares: f64,
    }

    /// Draws seats, lets them reveal, and tallies.
    fn play(odds: Odds, times: u32, dice: &mut Dice) -> Played {
        let Committee { size, .. } = odds.committee;
        let (right, wrong): (Digest, Digest) = (dice.word().into(), dice.word().into());
        let (mut verdicts, mut slashed, mut honest_first, mut shares) = ([0_u32; 3], 0_u32, 0_u32, 0.0);
        for _ in 0..times {
            let hostile = draw(odds.pool, size, dice);
            let digests: Vec<_> = hostile
                .iter()
                .map(|&hostile| match (hostile, dice.roll() < odds.agreement) {
                    (true, _) => wrong,
                    (false, true) => dice.drifted(right),
                    (false, false) => dice.word().into(),
                })
                .collect();
            let verdict = tally(&PROFILE, odds.committee.quorum().into(), &digests);
            let found = match verdict.winner() {
                Some(winner) if PROFILE.zone(&winner, &wrong) == Zone::Accepted => 1,
                Some(_) => 0,
                None => 2,
            };
            verdicts[found] += 1;
            honest_first += u32::from(!hostile[0]);
            match verdict {
                Verdict::Accepted { zones, supporters, .. } => {
                    slashed += u32::from(!hostile[0] && zones[0] == Zone::Rejected);
                    shares += supporters.len() as f64;
                }
                Verdict::Unresolved => shares += f64::from(size) / 2.0,
            }
        }
        Played {
            verdicts: verdicts.map(|count| f64::from(count) / f64::from(times)),
            slashed: f64::from(slashed) / f64::from(honest_first.max(1)),
            honest_first,
            shares: shares / f64::from(times),
        }
    }

    /// Which of the drawn seats are hostile.
    fn draw(mut pool: Pool, size: u8, dice: &mut Dice) -> Vec<bool> {
        let next = |_| {
            let share = match pool {
                Pool::Endless { hostile } => hostile,
                Pool::Finite { seats, hostile } => f64::from(hostile) / f64::from(seats),
            };
            let hostile = dice.roll() < share;
            pool = pool.without(1, hostile.into());
            hostile
        };
        (0..size).map(next).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

        #[test]
        fn the_real_tally_finds_what_the_odds_foretell(
            size in (1..=7_u8).prop_map(|half| 2 * half + 1),
            two_thirds: bool,
            agreement in 0.5..1.0_f64,
            share in 0.0..0.6_f64,
            seats in proptest::option::of(20..60_u32),
            salt: u64,
        ) {
            let pool = match seats {
                Some(seats) => Pool::Finite { seats, hostile: (share * f64::from(seats)) as u32 },
                None => Pool::Endless { hostile: share },
            };
            let odds = odds(size, two_thirds && size > 3, pool, agreement);
            let times = 4_000;
            let played = play(odds, times, &mut Dice(keccak256(salt.to_be_bytes())));

            // Five and a half standard deviations, of a share at least as scattered as one in a thousand.
            let near = |found: f64, chance: f64, trials: u32| {
                let scatter = (chance * (1.0 - chance)).max(1e-3) / f64::from(trials);
                (found - chance).abs() < 5.5 * scatter.sqrt()
            };
            let Verdicts { right, wrong, unresolved } = odds.verdicts();
            prop_assert!((right + wrong + unresolved - 1.0).abs() < 1e-12);
            for (found, chance) in played.verdicts.into_iter().zip([right, wrong, unresolved]) {
                prop_assert!(near(found, chance, times), "{} instead of {}", found, chance);
            }
            let slashed = near(played.slashed, odds.honest_slashed(), played.honest_first.max(1));
            prop_assert!(slashed, "slashed {} for {}", played.slashed, odds.honest_slashed());
            let expected = odds.expected_shares();
            let most = 5.5 * f64::from(size) / 2.0 / f64::from(times).sqrt();
            prop_assert!((played.shares - expected).abs() < most, "shares {} for {}", played.shares, expected);
        }
    }
}
