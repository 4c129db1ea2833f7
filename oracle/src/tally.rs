//! The tally: the verdict on a job's revealed digests. Pure, and blind to their order.

use std::cmp::Reverse;

use serde::Serialize;

use crate::digest::{Digest, ToleranceProfile, Zone};

/// What a committee found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Verdict {
    /// A quorum agrees.
    Accepted {
        /// The digest that most revealed digests accept.
        winner: Digest,
        /// Indices of the digests that the winner accepts, ascending.
        supporters: Vec<usize>,
        /// How the winner sees each digest.
        zones: Vec<Zone>,
    },
    /// No digest has a quorum behind it.
    Unresolved,
}

/// Finds the digest that most of `digests` accept. Ties go to the one with the smaller sum of distances, over all
/// lanes, to all digests; then to the smaller digest. The quorum is counted on the committee, whoever turned up.
/// Twin of `Tally.sol`; `tests/vectors/tally.json` holds both to it.
#[must_use]
pub fn tally(profile: &ToleranceProfile, quorum: usize, digests: &[Digest]) -> Verdict {
    let rank =
        |candidate: &&Digest| (Reverse(support(profile, candidate, digests)), spread(candidate, digests), **candidate);
    let Some(&winner) = digests.iter().min_by_key(rank) else { return Verdict::Unresolved };

    let zones: Vec<_> = digests.iter().map(|digest| profile.zone(&winner, digest)).collect();
    let supporters: Vec<_> = (0..zones.len()).filter(|&index| zones[index] == Zone::Accepted).collect();
    if supporters.len() < quorum {
        return Verdict::Unresolved;
    }
    Verdict::Accepted { winner, supporters, zones }
}

/// How many supporters a verdict needs: more than half, or more than two thirds, of the committee. Twin of `quorum` in
/// `Tally.sol`; `tests/vectors/size.json` holds both to it.
#[must_use]
pub fn quorum(committee_size: u8, super_majority: bool) -> usize {
    let size = usize::from(committee_size);
    if super_majority { 2 * size / 3 + 1 } else { size / 2 + 1 }
}

/// Whether two verdicts of a job say the same: they are of one kind and their winners accept each other. A vote is
/// judged by its own round's winner if that verdict is the same as the last one, and by the last one's otherwise.
/// `tests/vectors/same.json` holds it to `Rulings.sol`.
#[must_use]
pub fn same(profile: &ToleranceProfile, a: Option<Digest>, b: Option<Digest>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => profile.zone(&a, &b) == Zone::Accepted,
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl Verdict {
    /// The winner's digest.
    #[must_use]
    pub fn winner(&self) -> Option<Digest> {
        match self {
            Self::Accepted { winner, .. } => Some(*winner),
            Self::Unresolved => None,
        }
    }
}

fn support(profile: &ToleranceProfile, candidate: &Digest, digests: &[Digest]) -> usize {
    digests.iter().filter(|digest| profile.zone(candidate, digest) == Zone::Accepted).count()
}

fn spread(candidate: &Digest, digests: &[Digest]) -> u32 {
    digests.iter().flat_map(|digest| candidate.distances(digest)).sum()
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{B256, keccak256};

    use super::*;

    const PROFILE: ToleranceProfile = ToleranceProfile { accept: [10; 4], reject: [20; 4], evidence: B256::ZERO };

    /// Numbers below a bound, the same in every run.
    struct Dice(B256);

    impl Dice {
        fn roll(&mut self, bound: usize) -> usize {
            self.0 = keccak256(self.0);
            self.0[0] as usize * bound / 256
        }

        /// `digest` with up to `most` random bits of each lane turned over.
        fn drift(&mut self, digest: Digest, most: usize) -> Digest {
            let mut lanes = digest.lanes();
            for lane in &mut lanes {
                for _ in 0..self.roll(most + 1) {
                    *lane ^= 1 << self.roll(64);
                }
            }
            Digest::from_lanes(lanes)
        }

        fn shuffle(&mut self, digests: &mut [Digest]) {
            for last in (1..digests.len()).rev() {
                let other = self.roll(last + 1);
                digests.swap(last, other);
            }
        }
    }

    fn base() -> Digest {
        keccak256("base").into()
    }

    #[test]
    fn the_order_of_reveals_does_not_matter() {
        let mut dice = Dice(keccak256("order"));
        for _ in 0..300 {
            let mut digests: Vec<_> = (0..2 + dice.roll(6)).map(|_| dice.drift(base(), 9)).collect();
            digests.push(digests[0]);
            let size = digests.len() / 2 + 1;
            let before = sorted(&digests, tally(&PROFILE, size, &digests));
            dice.shuffle(&mut digests);
            assert_eq!(before, sorted(&digests, tally(&PROFILE, size, &digests)));
        }
    }

    /// Winner, and digests with their zones, whatever their order.
    fn sorted(digests: &[Digest], verdict: Verdict) -> Option<(Digest, Vec<(Digest, u8)>)> {
        let Verdict::Accepted { winner, zones, .. } = verdict else { return None };
        let mut seen: Vec<_> = digests.iter().copied().zip(zones.iter().map(|&zone| zone as u8)).collect();
        seen.sort_unstable();
        Some((winner, seen))
    }

    #[test]
    fn no_minority_gets_an_honest_verifier_slashed() {
        let mut dice = Dice(keccak256("minority"));
        let mut hostile_wins = 0;
        for _ in 0..2_000 {
            let size = 3 + 2 * dice.roll(5);
            let quorum = quorum(size as u8, false);
            let honest: Vec<_> = (0..quorum).map(|_| dice.drift(base(), 5)).collect();
            let agree = honest.iter().all(|a| honest.iter().all(|b| PROFILE.zone(a, b) == Zone::Accepted));
            assert!(agree, "within 5 bits of one digest, any two are within 10 of each other");

            // The worst minority stands together as far to one side as it can and still be accepted by somebody.
            let victim = dice.roll(quorum);
            let side = dice.drift(honest[victim], 12);
            let hostile = (0..size - quorum).map(|_| dice.drift(side, 3)).collect::<Vec<_>>();
            let digests = [honest.clone(), hostile.clone()].concat();
            let Verdict::Accepted { winner, zones, .. } = tally(&PROFILE, quorum, &digests) else {
                panic!("the honest majority has a quorum")
            };
            hostile_wins += u32::from(hostile.contains(&winner));
            assert!(zones[..quorum].iter().all(|&zone| zone != Zone::Rejected), "slashed by {winner}");
        }
        assert!(hostile_wins > 0, "the search never let a hostile digest win, so it has shown nothing");
    }

    #[test]
    fn a_quorum_is_counted_on_the_committee_and_not_on_those_who_came() {
        let digests = [base(); 2];
        assert!(matches!(tally(&PROFILE, quorum(3, false), &digests), Verdict::Accepted { .. }));
        assert_eq!(tally(&PROFILE, quorum(5, false), &digests), Verdict::Unresolved);
        assert_eq!(tally(&PROFILE, quorum(3, false), &[]), Verdict::Unresolved);
    }

    #[test]
    fn ties_go_to_the_smaller_distance_and_then_to_the_smaller_digest() {
        let lanes = |bits: u32| Digest::from_lanes([0, 0, 0, (1 << bits) - 1]);
        let winner = |digests: &[Digest]| tally(&PROFILE, 2, digests).winner();
        assert_eq!(winner(&[lanes(0), lanes(3), lanes(5)]), Some(lanes(3)));
        assert_eq!(winner(&[lanes(5), lanes(0)]), Some(lanes(0)));
    }

    #[test]
    fn dissent_is_sorted_by_its_distance() {
        let far = |bits: u32| Digest::from_lanes(base().lanes().map(|lane| lane ^ ((1 << bits) - 1)));
        let digests = [base(), base(), base(), far(20), far(21)];
        let Verdict::Accepted { winner, supporters, zones } = tally(&PROFILE, 3, &digests) else { panic!("a quorum") };
        assert_eq!(winner, base());
        assert_eq!(supporters, [0, 1, 2]);
        assert_eq!(zones[3..], [Zone::Grey, Zone::Rejected]);
    }

    #[test]
    fn a_super_majority_is_more_than_two_thirds() {
        assert_eq!([3, 5, 7, 15, 31].map(|size| quorum(size, false)), [2, 3, 4, 8, 16]);
        assert_eq!([5, 7, 9, 15, 31].map(|size| quorum(size, true)), [4, 5, 7, 11, 21]);
    }

    #[test]
    fn verdicts_are_the_same_if_their_winners_accept_each_other_or_there_is_none() {
        let far = |bits: u32| Digest::from_lanes(base().lanes().map(|lane| lane ^ ((1 << bits) - 1)));

        assert!(same(&PROFILE, Some(base()), Some(far(10))));
        assert!(!same(&PROFILE, Some(base()), Some(far(11))));
        assert!(same(&PROFILE, None, None));
        assert!(!same(&PROFILE, None, Some(base())) && !same(&PROFILE, Some(base()), None));
    }
}
