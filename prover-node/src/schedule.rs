//! The schedule: whose turn with the model it is, and whether there is time for one more job.
//!
//! The earliest deadline goes first. Of all orders that one misses the fewest deadlines: if it would miss one, then
//! every order would (Liu and Layland 1973), so that a job for which there is no room here is one to decline. A job that
//! has begun is not interrupted. Where several workers serve the model, each takes the next job when it is free; a job is
//! promised only what this very order leaves it.
//!
//! Some jobs can be made together with others. That takes less time than one after the other, which is what they were
//! promised; the first of them may be done later than alone, and so what would make it late is not put beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::error::Unable;

/// What is set aside for getting a commitment into a block, in seconds of the chain.
pub const SENDING: u64 = 10;

/// How much longer than measured a job may take: the machine may be busy.
const SLACK: u32 = 2;

/// The jobs that have been promised the model.
#[derive(Debug, Clone)]
pub struct Schedule(Arc<Mutex<Jobs>>);

/// By deadline, and by who came first.
type Rank = (u64, u64);

#[derive(Debug)]
struct Jobs {
    admitted: u64,
    all: BTreeMap<Rank, Job>,
    /// Who have a model.
    running: BTreeSet<Rank>,
    /// How many models there are.
    width: usize,
}

#[derive(Debug)]
struct Job {
    needed: Duration,
    /// None is for ever.
    deadline: Option<Instant>,
    /// How many like it can be made together.
    at_once: usize,
    /// Whether it had the model for itself so far.
    is_alone: bool,
    /// Told when it is its turn, if it waits for that.
    waits: Option<oneshot::Sender<()>>,
}

/// A job's place in the schedule, given back when this is dropped, and the model with it.
#[derive(Debug)]
pub struct Place {
    jobs: Arc<Mutex<Jobs>>,
    rank: Rank,
}

impl Schedule {
    /// A place for a job that will take `needed`, if neither it nor one that was promised the model before would then be
    /// too late to commit; times in seconds since the epoch. `at_once` like it can be made together.
    pub fn admit(&self, needed: Duration, now: u64, deadline: u64, at_once: usize) -> Result<Place, Unable> {
        let mut jobs = lock(&self.0);
        let rank = (deadline, jobs.admitted);
        let mut hands = Hands::of(jobs.width);
        for job in jobs.running.iter().filter_map(|rank| jobs.all.get(rank)) {
            hands.take(job.needed);
        }
        let mut waiting = jobs.all.iter().filter(|(other, _)| !jobs.running.contains(other)).peekable();
        while let Some((_, job)) = waiting.next_if(|(other, _)| **other < rank) {
            hands.take(job.needed);
        }
        check_time(hands.take(needed), now, deadline)?;
        for (other, job) in waiting {
            check_time(hands.take(job.needed), now, other.0)?;
        }
        jobs.admitted += 1;
        let left = Duration::from_secs(deadline.saturating_sub(now));
        let deadline = Instant::now().checked_add(left);
        jobs.all.insert(rank, Job { needed, deadline, at_once, is_alone: true, waits: None });
        Ok(Place { jobs: Arc::clone(&self.0), rank })
    }

    /// There are so many models from now on; with none, jobs wait for one as if it were there.
    pub fn widen(&self, width: usize) {
        let mut jobs = lock(&self.0);
        jobs.width = width;
        jobs.go_on();
    }

    /// How many models there are.
    #[must_use]
    pub fn width(&self) -> usize {
        lock(&self.0).width
    }

    /// How many jobs have a place.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0).all.len()
    }

    /// Whether the model has nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Schedule {
    /// For one model.
    fn default() -> Self {
        let jobs = Jobs { admitted: 0, all: BTreeMap::new(), running: BTreeSet::new(), width: 1 };
        Self(Arc::new(Mutex::new(jobs)))
    }
}

/// When each model will be free, if nothing more is promised.
struct Hands(Vec<Duration>);

impl Hands {
    fn of(width: usize) -> Self {
        Self(vec![Duration::ZERO; width.max(1)])
    }

    /// Gives the next job to who is free first, and says when it is done.
    fn take(&mut self, needed: Duration) -> Duration {
        self.0.sort_unstable();
        self.0[0] = self.0[0].saturating_add(needed);
        self.0[0]
    }
}

impl Place {
    /// Waits for the model: until nobody has it, and nobody with an earlier deadline waits for it, too.
    pub async fn turn(&self) {
        let turn = {
            let mut jobs = lock(&self.jobs);
            let (sender, turn) = oneshot::channel();
            if let Some(job) = jobs.all.get_mut(&self.rank) {
                job.waits = Some(sender);
            }
            jobs.go_on();
            turn
        };
        // The sender is in the schedule as long as this place is.
        let _ = turn.await;
    }

    /// Whether it had a model for itself: then how long it took says how long another will take.
    #[must_use]
    pub fn was_alone(&self) -> bool {
        lock(&self.jobs).all.get(&self.rank).is_none_or(|job| job.is_alone)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut jobs = lock(&self.jobs);
        jobs.all.remove(&self.rank);
        if jobs.running.remove(&self.rank) {
            jobs.go_on();
        }
    }
}

impl Jobs {
    /// Gives each model that nobody has to the first that waits for it, and whom it can join.
    fn go_on(&mut self) {
        while let Some((rank, is_alone)) = self.next() {
            self.running.insert(rank);
            if !is_alone {
                for running in &self.running {
                    if let Some(job) = self.all.get_mut(running) {
                        job.is_alone = false;
                    }
                }
            }
            if let Some(told) = self.all.get_mut(&rank).and_then(|job| job.waits.take()) {
                // If it has stopped waiting it is about to drop its place, which gives the model on.
                let _ = told.send(());
            }
        }
    }

    /// Whose turn it is, if it is anybody's, and whether it has a model for itself.
    fn next(&self) -> Option<(Rank, bool)> {
        let (rank, job) = self.all.iter().find(|(_, job)| job.waits.is_some())?;
        let is_free = self.running.len() < self.width.max(1);
        (is_free || self.can_take(job)).then_some((*rank, is_free))
    }

    /// Whether those who have the model can take `job` with them, and nobody is late.
    fn can_take(&self, job: &Job) -> bool {
        let together = || self.running.iter().filter_map(|rank| self.all.get(rank)).chain([job]);
        let needed = together().fold(Duration::ZERO, |sum, job| sum.saturating_add(job.needed));
        let count = together().count();
        together().all(|job| count <= job.at_once && job.is_in_time(needed))
    }
}

impl Job {
    fn is_in_time(&self, needed: Duration) -> bool {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.is_none_or(|left| check_time(needed, 0, left.as_secs()).is_ok())
    }
}

/// Checks that work that is measured to take `needed` ends in time to commit; times in seconds since the epoch.
pub fn check_time(needed: Duration, now: u64, deadline: u64) -> Result<(), Unable> {
    let seconds = needed.saturating_mul(SLACK).as_secs().saturating_add(1);
    match now.saturating_add(seconds).saturating_add(SENDING) <= deadline {
        true => Ok(()),
        false => Err(Unable::NoTime { needed, left: deadline.saturating_sub(now) }),
    }
}

/// Nothing panics while it is held.
fn lock(jobs: &Mutex<Jobs>) -> MutexGuard<'_, Jobs> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    const NEEDED: Duration = Duration::from_secs(20);

    /// Whether a turn that was waited for has come.
    fn has_come(turn: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        pin!(turn).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn nothing_is_started_that_cannot_be_committed_in_time() {
        let needed = Duration::from_secs(30);

        // Twice the time, one second for rounding, and what sending takes.
        assert!(check_time(needed, 1_000, 1_000 + 60 + 1 + SENDING).is_ok());
        assert!(check_time(needed, 1_000, 1_000 + 60 + SENDING).is_err());
        assert!(check_time(Duration::ZERO, 1_000, 1_000).is_err());
        assert!(check_time(Duration::MAX, 1_000, u64::MAX - 1).is_err());
    }

    #[test]
    fn time_is_not_promised_twice() {
        let schedule = Schedule::default();

        let first = schedule.admit(NEEDED, 0, 100, 1).unwrap();
        let second = schedule.admit(NEEDED, 0, 100, 1).unwrap();
        assert!(schedule.admit(NEEDED, 0, 100, 1).is_err());
        drop(first);
        let third = schedule.admit(NEEDED, 0, 100, 1);
        assert!(third.is_ok());
        drop((second, third));
        assert!(schedule.is_empty());
    }

    #[test]
    fn who_comes_later_goes_first_if_its_deadline_is_earlier_and_nobody_is_late_for_it() {
        let schedule = Schedule::default();
        let _patient = schedule.admit(NEEDED, 0, 100, 1).unwrap();

        // In the order of arrival it would be too late: 2 x 40 s from now, and 60 s left.
        let _urgent = schedule.admit(NEEDED, 0, 60, 1).unwrap();
        // This one would be in time, and the patient one would not.
        assert!(schedule.admit(NEEDED, 0, 95, 1).is_err());
        assert!(schedule.admit(NEEDED, 0, 140, 1).is_ok());
    }

    #[test]
    fn the_model_goes_to_the_earliest_deadline_that_waits_for_it() {
        let schedule = Schedule::default();
        let [late, early, earliest] = [300, 200, 100].map(|deadline| schedule.admit(NEEDED, 0, deadline, 1).unwrap());
        let mut late_turn = Box::pin(late.turn());
        assert!(has_come(&mut late_turn), "nobody else waits for it yet");
        let (mut early_turn, mut earliest_turn) = (Box::pin(early.turn()), Box::pin(earliest.turn()));
        assert!(!has_come(&mut early_turn) && !has_come(&mut earliest_turn), "who has begun is not interrupted");

        drop(late_turn);
        drop(late);
        assert!(!has_come(&mut early_turn) && has_come(&mut earliest_turn));
        drop(earliest_turn);
        drop(earliest);
        assert!(has_come(&mut early_turn));
    }

    #[test]
    fn two_workers_have_twice_the_time() {
        let schedule = Schedule::default();
        schedule.widen(2);
        let jobs = [100; 4].map(|deadline| schedule.admit(NEEDED, 0, deadline, 1));
        assert!(jobs.iter().all(Result::is_ok));
        assert!(schedule.admit(NEEDED, 0, 100, 1).is_err());

        let [first, second, third, _] = jobs.map(Result::unwrap);
        let mut turns = [&first, &second, &third].map(|place| Box::pin(place.turn()));
        assert_eq!(turns.each_mut().map(has_come), [true, true, false]);
        schedule.widen(3);
        assert!(has_come(&mut turns[2]), "there is one more");
        drop(turns);
        // One has gone, and with it the time of one.
        schedule.widen(2);
        drop(first);
        assert!(schedule.admit(NEEDED, 0, 100, 1).is_ok() && schedule.admit(NEEDED, 0, 60, 1).is_err());
    }

    #[test]
    fn texts_are_written_together_if_nobody_is_late_for_it() {
        let schedule = Schedule::default();
        let [first, second, third, fourth] =
            [200, 300, 400, 500].map(|deadline| schedule.admit(NEEDED, 0, deadline, 3).unwrap());
        let mut turns = [&first, &second, &third, &fourth].map(|place| Box::pin(place.turn()));
        assert_eq!(turns.each_mut().map(has_come), [true, true, true, false], "three are as many as can be");
        drop(turns);
        assert!(!first.was_alone() && !second.was_alone() && fourth.was_alone());
        drop((first, second, third, fourth));

        // With another beside it the first would be late: 2 x 40 s from now, and 60 s left.
        let [urgent, patient] = [60, 300].map(|deadline| schedule.admit(NEEDED, 0, deadline, 3).unwrap());
        let picture = schedule.admit(NEEDED, 0, 400, 1).unwrap();
        let mut urgent_turn = Box::pin(urgent.turn());
        let [mut patient_turn, mut picture_turn] = [&patient, &picture].map(|place| Box::pin(place.turn()));
        assert!(has_come(&mut urgent_turn) && !has_come(&mut patient_turn) && !has_come(&mut picture_turn));
        drop(urgent_turn);
        drop(urgent);
        assert!(has_come(&mut patient_turn) && !has_come(&mut picture_turn) && patient.was_alone());
    }

    #[test]
    fn who_gives_up_before_its_turn_holds_up_nobody() {
        let schedule = Schedule::default();
        let [first, second, third] = [100, 200, 300].map(|deadline| schedule.admit(NEEDED, 0, deadline, 1).unwrap());
        let mut turn = Box::pin(first.turn());
        assert!(has_come(&mut turn));
        let (mut given_up, mut waiting) = (Box::pin(second.turn()), Box::pin(third.turn()));
        assert!(!has_come(&mut given_up) && !has_come(&mut waiting));

        drop(turn);
        drop(first);
        drop(given_up);
        drop(second);
        assert!(has_come(&mut waiting));
    }
}
