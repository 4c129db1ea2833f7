//! One job, from its draw to its settlement.

use alloy::primitives::U256;

use super::{
    Appeals, Dice, Measured, SHARE, Setting, Strategy,
    books::{Books, Entry, Found, Page},
};
use crate::{
    appeal::NextRound,
    chain::IGenerationOracle::{Job, Step},
    digest::{Digest, ToleranceProfile, Zone},
    fees::{rest_of, reward},
    odds::Committee,
    round::size_of,
    standing::Standing,
    tally::{same, tally},
};

/// The colour lane has 42 bits.
const COLOUR: u64 = (1 << 42) - 1;

/// A pool, and what is played by.
pub(super) struct Game<'a> {
    measured: &'a Measured,
    setting: &'a Setting,
    terms: Job,
    bond: u128,
    strategies: Vec<Strategy>,
    /// In wei, by kind.
    costs: Vec<u128>,
    /// The kind of each seat.
    pool: Vec<usize>,
    /// Numbers of the seats, in the order that earlier draws have left.
    deck: Vec<u32>,
    /// Of the job that is being played.
    entries: Vec<Entry>,
}

/// What is played for: a measured job, and what the ring says of it.
#[derive(Clone, Copy)]
struct Truth {
    job: usize,
    lie: Digest,
}

/// A round as its votes are in.
struct Round {
    number: u8,
    members: Vec<Member>,
    /// Those that were revealed, in the order of the members.
    digests: Vec<Digest>,
    winner: Option<Digest>,
    opened: Option<Opened>,
}

struct Member {
    kind: usize,
    vote: Vote,
}

#[derive(Clone, Copy)]
enum Vote {
    Revealed(Digest),
    /// How far it went.
    Withheld(Step),
}

/// By whom an appeal is paid, and what it costs, in wei.
#[derive(Clone, Copy)]
struct Opened {
    by: usize,
    fee: U256,
}

impl<'a> Game<'a> {
    pub(super) fn new(measured: &'a Measured, setting: &'a Setting, kinds: &[(Strategy, u32)]) -> Self {
        let pool: Vec<_> =
            kinds.iter().enumerate().flat_map(|(kind, &(_, seats))| (0..seats).map(move |_| kind)).collect();
        let terms = setting.job(pool.len() as u32);
        Self {
            measured,
            setting,
            bond: terms.bond.to(),
            terms,
            strategies: kinds.iter().map(|&(strategy, _)| strategy).collect(),
            costs: kinds.iter().map(|&(strategy, _)| (setting.cost(strategy) * SHARE as f64) as u128).collect(),
            deck: (0..pool.len() as u32).collect(),
            entries: vec![Entry::default(); kinds.len() + 1],
            pool,
        }
    }

    pub(super) fn play(&mut self, dice: &mut Dice, books: &mut Books) {
        let job = dice.below(self.measured.jobs());
        let truth = Truth { job, lie: self.measured.old(job, |below| dice.below(below)) };
        let mut rounds = vec![self.round(1, None, truth, dice)];
        while let Some((next, opened)) = self.appeal(&rounds, truth) {
            rounds.push(self.round(next.number, Some(opened), truth, dice));
        }

        self.entries.fill(Entry::default());
        let honest_slashed = self.settle(&rounds);
        let found = |round: Option<&Round>| self.found(truth, round.and_then(|round| round.winner));
        books.enter(&Page {
            entries: &self.entries,
            first: found(rounds.first()),
            last: found(rounds.last()),
            rounds: rounds.len(),
            honest_slashed,
        });
    }

    /// Draws a committee and lets it vote.
    fn round(&mut self, number: u8, opened: Option<Opened>, truth: Truth, dice: &mut Dice) -> Round {
        let size = size_of(self.setting.committee.size, number);
        let (mut members, mut digests) = (Vec::with_capacity(size.into()), Vec::with_capacity(size.into()));
        for dealt in 0..usize::from(size) {
            let place = dealt + dice.below(self.deck.len() - dealt);
            self.deck.swap(dealt, place);
            let seat = self.deck[dealt];
            let kind = self.pool[seat as usize];
            let vote = self.vote(self.strategies[kind], seat, truth, dice);
            members.push(Member { kind, vote });
            if let Vote::Revealed(digest) = vote {
                digests.push(digest);
            }
        }
        let quorum = Committee { size, ..self.setting.committee }.quorum();
        let winner = tally(&self.setting.profile, quorum.into(), &digests).winner();
        Round { number, members, digests, winner, opened }
    }

    fn vote(&self, strategy: Strategy, seat: u32, Truth { job, lie }: Truth, dice: &mut Dice) -> Vote {
        Vote::Revealed(match strategy {
            Strategy::Silent => return Vote::Withheld(Step::Drawn),
            Strategy::Hiding => return Vote::Withheld(Step::Committed),
            Strategy::Honest => self.measured.honest(job, seat),
            Strategy::Cheap { fraud } => self.measured.cheap(job, fraud, seat),
            Strategy::Lazy => self.measured.old(job, |below| dice.below(below)),
            Strategy::Ring => lie,
            Strategy::Random => {
                let [first, second, third, fourth] = dice.lanes();
                Digest::from_lanes([first, second, third, fourth & COLOUR])
            }
        })
    }

    fn found(&self, truth: Truth, winner: Option<Digest>) -> Found {
        match winner {
            None => Found::Unresolved,
            Some(winner) if self.measured.is_right(truth.job, &self.setting.profile, &winner) => Found::Right,
            Some(_) => Found::Wrong,
        }
    }

    /// The round that somebody opens after these.
    fn appeal(&self, rounds: &[Round], truth: Truth) -> Option<(NextRound, Opened)> {
        let latest = rounds.last()?;
        let next = NextRound::after(&self.terms, latest.number).ok()?;
        let watcher = Some(self.strategies.len());
        let ring = || self.strategies.iter().position(|&strategy| strategy == Strategy::Ring);
        let by = match (self.setting.appeals, self.found(truth, latest.winner)) {
            (Appeals::Nobody, _) | (Appeals::Watched, Found::Right) => None,
            (Appeals::Outvoted, _) => self.outvoted(rounds, latest, next.fee),
            (Appeals::Watched | Appeals::Contested, Found::Wrong | Found::Unresolved) => watcher,
            (Appeals::Contested, Found::Right) => ring(),
        }?;
        Some((next, Opened { by, fee: next.fee }))
    }

    /// An honest seat that the verdict as it stands does not accept, and that can expect to gain by an appeal: `Prospect` in
    /// `prover-node/src/node/appeal.rs`. It has made its picture again, which says the same.
    fn outvoted(&self, rounds: &[Round], latest: &Round, fee: U256) -> Option<usize> {
        let profile = &self.setting.profile;
        let bond = U256::from(self.bond);
        let gains = |round: &Round, member: &&Member| {
            let Vote::Revealed(ours) = member.vote else { return false };
            let Some(judge) = judge(profile, round, latest) else { return false };
            let kept = match profile.zone(&judge, &ours) {
                Zone::Accepted => return false,
                Zone::Grey => U256::ZERO,
                Zone::Rejected => bond,
            };
            let rejected = latest.digests.iter().filter(|digest| profile.zone(&ours, digest) == Zone::Rejected).count();
            kept + U256::from(SHARE) + reward(fee, bond * U256::from(rejected)) > fee * U256::from(2)
        };
        rounds.iter().find_map(|round| {
            let mut honest = round.members.iter().filter(|member| self.strategies[member.kind] == Strategy::Honest);
            honest.find(|member| gains(round, member)).map(|member| member.kind)
        })
    }

    /// Pays and slashes all rounds, the last one first; says whether an honest seat was slashed.
    fn settle(&mut self, rounds: &[Round]) -> bool {
        let Some(last) = rounds.last() else { return false };
        let mut honest_slashed = false;
        // What the round after this one cost its appellant in the end.
        let mut challenge = None;
        for round in rounds.iter().rev() {
            let judge = judge(&self.setting.profile, round, last);
            let (mut paid_out, mut slashed) = (0, 0);
            for member in &round.members {
                let standing = match member.vote {
                    Vote::Revealed(digest) => {
                        Standing::of_revealed(judge.map(|judge| self.setting.profile.zone(&judge, &digest)), false)
                    }
                    Vote::Withheld(step) => Standing::of_unrevealed(step, false, !round.digests.is_empty()),
                };
                let (earned, lost) = (standing.earned(SHARE.into()), standing.lost(SHARE.into(), self.bond));
                let entry = &mut self.entries[member.kind];
                entry.served += 1;
                entry.earned += earned;
                entry.lost += lost;
                entry.cost += self.costs[member.kind];
                entry.slashed += u64::from(standing.is_slashed());
                paid_out += earned;
                if standing.is_slashed() {
                    slashed += lost;
                    honest_slashed |= self.strategies[member.kind] == Strategy::Honest;
                }
            }

            if let Some(Opened { by, fee }) = challenge
                && !same(&self.setting.profile, round.winner, last.winner)
            {
                self.entries[by].appeals -= wei(reward(fee, U256::from(slashed)));
            }
            challenge = round.opened.map(|Opened { by, fee }| {
                let rest = rest_of(&self.terms, round.number, U256::from(paid_out), true, last.winner.is_some());
                self.entries[by].appeals += wei(fee - rest);
                Opened { by, fee: fee - rest }
            });
        }
        honest_slashed
    }
}

/// A round is judged by its own winner if that verdict is the same as the last one, and by the last one's otherwise.
fn judge(profile: &ToleranceProfile, round: &Round, last: &Round) -> Option<Digest> {
    if same(profile, round.winner, last.winner) { round.winner } else { last.winner }
}

/// Far below the largest number.
fn wei(amount: U256) -> i128 {
    amount.to::<u128>().cast_signed()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
