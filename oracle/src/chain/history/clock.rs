//! The clock: a round's phase follows from its events and the time, so that nobody has to send a transaction to advance
//! it. Twin of `Rounds.sol`.

use super::{
    super::{
        ChainTime,
        IGenerationOracle::{Job, Phase, Windows},
    },
    DrawnRound, History, RoundHistory,
};
use crate::round::MOST_ROUNDS;

impl History {
    /// Where the latest round stands. Twin of the contract's reading of its clock.
    #[must_use]
    pub fn phase(&self, job: &Job, windows: &Windows, now: ChainTime) -> Phase {
        match self.latest() {
            None => Phase::None,
            Some(_) if self.verdict.is_some() => Phase::Settled,
            Some(round) => round.phase(job, windows, now),
        }
    }
}

impl RoundHistory {
    /// Where the round stands, if it is the latest one. Twin of `Rounds.sol`.
    #[must_use]
    pub fn phase(&self, job: &Job, windows: &Windows, now: ChainTime) -> Phase {
        if self.settled.is_some() {
            return Phase::Settled;
        }
        let Some(drawn) = &self.drawn else { return self.phase_before_draw(job, now) };

        let reveal_deadline = self.reveal_deadline(windows);
        let decided = drawn.closed_at.is_some() || !drawn.is_undecided();
        if !decided && now.time < drawn.commit_deadline {
            return Phase::Commit;
        }
        if drawn.is_unopened() && now.time < reveal_deadline {
            return Phase::Reveal;
        }
        self.last_phases(job, drawn.closes_at(reveal_deadline), now)
    }

    /// When the present phase ends, in seconds since the epoch; none if it does not end by the clock.
    #[must_use]
    pub fn deadline(&self, job: &Job, windows: &Windows, phase: Phase) -> Option<u64> {
        let drawn = self.drawn.as_ref();
        match phase {
            Phase::Requested | Phase::Draw => Some(self.draw_deadline),
            Phase::Commit => drawn.map(|drawn| drawn.commit_deadline),
            Phase::Reveal => Some(self.reveal_deadline(windows)),
            Phase::Appeal => Some(self.appeal_deadline(job, windows)),
            _ => None,
        }
    }

    /// When the verdict can no longer be appealed, if nothing more happens, in seconds since the epoch.
    #[must_use]
    pub fn appeal_deadline(&self, job: &Job, windows: &Windows) -> u64 {
        let closes =
            self.drawn.as_ref().map_or(self.draw_deadline, |drawn| drawn.closes_at(self.reveal_deadline(windows)));
        closes + u64::from(job.appealWindow)
    }

    fn reveal_deadline(&self, windows: &Windows) -> u64 {
        self.drawn.as_ref().map_or(0, |drawn| drawn.commit_deadline) + u64::from(windows.reveal)
    }

    fn phase_before_draw(&self, job: &Job, now: ChainTime) -> Phase {
        match now.time < self.draw_deadline {
            true if self.known.by(now) => Phase::Draw,
            true => Phase::Requested,
            false if self.number == 1 => Phase::Expired,
            false => self.last_phases(job, self.draw_deadline, now),
        }
    }

    fn last_phases(&self, job: &Job, closed_at: u64, now: ChainTime) -> Phase {
        let last = self.number == MOST_ROUNDS || now.time >= closed_at + u64::from(job.appealWindow);
        if last { Phase::Settle } else { Phase::Appeal }
    }
}

impl DrawnRound {
    fn closes_at(&self, reveal_deadline: u64) -> u64 {
        match self.closed_at {
            _ if self.is_unopened() => reveal_deadline,
            Some(time) => time,
            None => self.commit_deadline,
        }
    }
}
