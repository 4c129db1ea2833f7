//! What the seats of each kind earned, lost and spent.

use serde::Serialize;

use super::{SHARE, Strategy, Verdicts};
use crate::tolerance::Share;

/// A verdict beside what is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// An honest device profile accepts the winner.
    Right,
    /// None does.
    Wrong,
    /// There is no winner.
    Unresolved,
}

/// One kind's part in a job, in wei.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Seats that were drawn, in all rounds.
    pub(super) served: u64,
    /// Bonds that were lost.
    pub(super) slashed: u64,
    pub(super) earned: u128,
    pub(super) lost: u128,
    pub(super) cost: u128,
    /// Paid for appeals, less what came back and was won.
    pub(super) appeals: i128,
}

/// One job's.
pub(super) struct Page<'a> {
    /// By kind; the last one is who watches.
    pub(super) entries: &'a [Entry],
    /// By round.
    pub(super) first: Found,
    pub(super) last: Found,
    pub(super) rounds: usize,
    pub(super) honest_slashed: bool,
}

/// All jobs'.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Books {
    jobs: u64,
    kinds: Vec<Sums>,
    first: [u64; 3],
    last: [u64; 3],
    rounds: u64,
    honest_slashed: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    total: Entry,
    /// Of squares and products over jobs: seats served, and profit in shares.
    served2: f64,
    profit2: f64,
    both: f64,
}

/// What came of a simulation. Amounts in shares.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// That were played.
    pub jobs: u64,
    /// By kind, honest first.
    pub accounts: Vec<Account>,
    /// Shares of the jobs whose first round's verdict was right, wrong, or none.
    pub first: Verdicts,
    /// The same of the last word.
    pub last: Verdicts,
    /// Rounds a job, on average.
    pub rounds: f64,
    /// Jobs in which an honest seat lost its bond.
    pub honest_slashed: Share,
    /// What somebody who watches spent on appeals, less what came back and was won.
    pub watching: f64,
}

/// Of all seats of one kind together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What they do.
    pub strategy: Strategy,
    /// In the pool.
    pub seats: u32,
    /// Seats drawn, over all rounds of all jobs.
    pub served: u64,
    /// For their votes.
    pub earned: f64,
    /// Bonds lost.
    pub slashed: u64,
    /// Bonds and penalties.
    pub lost: f64,
    /// Of work and gas.
    pub cost: f64,
    /// Spent on appeals, less what came back and was won.
    pub appeals: f64,
    /// A drawn seat's; none if none was drawn.
    pub profit: Option<Profit>,
}

/// Of a seat for each round that it was drawn in, in shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profit {
    /// On average.
    pub mean: f64,
    /// Half of the 95 % interval around it.
    pub within: f64,
}

impl Entry {
    fn profit(&self) -> f64 {
        shares(self.earned.cast_signed() - self.lost.cast_signed() - self.cost.cast_signed() - self.appeals)
    }

    fn add(&mut self, other: &Self) {
        self.served += other.served;
        self.slashed += other.slashed;
        self.earned += other.earned;
        self.lost += other.lost;
        self.cost += other.cost;
        self.appeals += other.appeals;
    }
}

impl Books {
    pub(super) fn new(kinds: usize) -> Self {
        let kinds = vec![Sums::default(); kinds + 1];
        Self { jobs: 0, kinds, first: [0; 3], last: [0; 3], rounds: 0, honest_slashed: 0 }
    }

    pub(super) fn enter(&mut self, page: &Page<'_>) {
        self.jobs += 1;
        for (sums, entry) in self.kinds.iter_mut().zip(page.entries) {
            let (served, profit) = (entry.served as f64, entry.profit());
            sums.total.add(entry);
            sums.served2 += served * served;
            sums.profit2 += profit * profit;
            sums.both += served * profit;
        }
        self.first[page.first as usize] += 1;
        self.last[page.last as usize] += 1;
        self.rounds += page.rounds as u64;
        self.honest_slashed += u64::from(page.honest_slashed);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.jobs += other.jobs;
        for (sums, more) in self.kinds.iter_mut().zip(&other.kinds) {
            sums.total.add(&more.total);
            sums.served2 += more.served2;
            sums.profit2 += more.profit2;
            sums.both += more.both;
        }
        for at in 0..3 {
            self.first[at] += other.first[at];
            self.last[at] += other.last[at];
        }
        self.rounds += other.rounds;
        self.honest_slashed += other.honest_slashed;
    }

    pub(super) fn close(&self, strategies: &[(Strategy, u32)]) -> Outcome {
        let share = |count: u64| Share { count, of: self.jobs };
        let verdicts = |[right, wrong, unresolved]: [u64; 3]| Verdicts {
            right: share(right).value(),
            wrong: share(wrong).value(),
            unresolved: share(unresolved).value(),
        };
        let account = |(&(strategy, seats), sums): (&(Strategy, u32), &Sums)| Account {
            strategy,
            seats,
            served: sums.total.served,
            earned: shares(sums.total.earned.cast_signed()),
            slashed: sums.total.slashed,
            lost: shares(sums.total.lost.cast_signed()),
            cost: shares(sums.total.cost.cast_signed()),
            appeals: shares(sums.total.appeals),
            profit: sums.profit(),
        };
        Outcome {
            jobs: self.jobs,
            accounts: strategies.iter().zip(&self.kinds).map(account).collect(),
            first: verdicts(self.first),
            last: verdicts(self.last),
            rounds: self.rounds as f64 / self.jobs.max(1) as f64,
            honest_slashed: share(self.honest_slashed),
            watching: self.kinds.last().map_or(0.0, |watcher| shares(watcher.total.appeals)),
        }
    }
}

impl Sums {
    /// A ratio of two sums over jobs, which are independent as the seats of one job are not. Its variance is that of the ratio
    /// estimator: Cochran, "Sampling Techniques", 1977, section 6.4.
    fn profit(&self) -> Option<Profit> {
        let (served, mean) = (self.total.served as f64, self.total.profit() / self.total.served as f64);
        let scatter = self.profit2 - 2.0 * mean * self.both + mean * mean * self.served2;
        (served > 0.0).then(|| Profit { mean, within: 1.96 * scatter.max(0.0).sqrt() / served })
    }
}

fn shares(wei: i128) -> f64 {
    wei as f64 / SHARE as f64
}
