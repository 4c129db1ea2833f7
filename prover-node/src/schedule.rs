//! The schedule: whose turn with the model it is, and whether there is time for one more job.
//!
//! The earliest deadline goes first. Of all orders that one misses the fewest deadlines: if it would miss one, then
//! every order would (Liu and Layland 1973), so that a job for which there is no room here is one to decline. A job that
//! has begun is not interrupted. Where several workers serve the model, each takes the next job when it is free; a job is
//! promised only what this very order leaves it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
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
    /// too late to commit; times in seconds since the epoch.
    pub fn admit(&self, needed: Duration, now: u64, deadline: u64) -> Result<Place, Unable> {
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
        jobs.all.insert(rank, Job { needed, waits: None });
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
    /// Gives each model that nobody has to the first that waits for it.
    fn go_on(&mut self) {
        while self.running.len() < self.width.max(1) {
            let next = self.all.iter_mut().find_map(|(rank, job)| Some((*rank, job.waits.take()?)));
            let Some((rank, told)) = next else { return };
            // If it has stopped waiting it is about to drop its place, which gives the model on.
            self.running.insert(rank);
            let _ = told.send(());
        }
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

        let first = schedule.admit(NEEDED, 0, 100).unwrap();
        let second = schedule.admit(NEEDED, 0, 100).unwrap();
        assert!(schedule.admit(NEEDED, 0, 100).is_err());
        drop(first);
        let third = schedule.admit(NEEDED, 0, 100);
        assert!(third.is_ok());
        drop((second, third));
        assert!(schedule.is_empty());
    }

    #[test]
    fn who_comes_later_goes_first_if_its_deadline_is_earlier_and_nobody_is_late_for_it() {
        let schedule = Schedule::default();
        let _patient = schedule.admit(NEEDED, 0, 100).unwrap();

        // In the order of arrival it would be too late: 2 x 40 s from now, and 60 s left.
        let _urgent = schedule.admit(NEEDED, 0, 60).unwrap();
        // This one would be in time, and the patient one would not.
        assert!(schedule.admit(NEEDED, 0, 95).is_err());
        assert!(schedule.admit(NEEDED, 0, 140).is_ok());
    }

    #[test]
    fn the_model_goes_to_the_earliest_deadline_that_waits_for_it() {
        let schedule = Schedule::default();
        let [late, early, earliest] = [300, 200, 100].map(|deadline| schedule.admit(NEEDED, 0, deadline).unwrap());
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
        let jobs = [100; 4].map(|deadline| schedule.admit(NEEDED, 0, deadline));
        assert!(jobs.iter().all(Result::is_ok));
        assert!(schedule.admit(NEEDED, 0, 100).is_err());

        let [first, second, third, _] = jobs.map(Result::unwrap);
        let mut turns = [&first, &second, &third].map(|place| Box::pin(place.turn()));
        assert_eq!(turns.each_mut().map(has_come), [true, true, false]);
        schedule.widen(3);
        assert!(has_come(&mut turns[2]), "there is one more");
        drop(turns);
        // One has gone, and with it the time of one.
        schedule.widen(2);
        drop(first);
        assert!(schedule.admit(NEEDED, 0, 100).is_ok() && schedule.admit(NEEDED, 0, 60).is_err());
    }

    #[test]
    fn who_gives_up_before_its_turn_holds_up_nobody() {
        let schedule = Schedule::default();
        let [first, second, third] = [100, 200, 300].map(|deadline| schedule.admit(NEEDED, 0, deadline).unwrap());
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
