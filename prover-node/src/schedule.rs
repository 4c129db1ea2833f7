//! The schedule: whose turn with its model it is, and whether there is time for one more job.
//!
//! The earliest deadline goes first. Of all orders that one misses the fewest deadlines: if it would miss one, then
//! every order would (Liu and Layland 1973), so that a job for which there is no room here is one to decline. A job that
//! has begun is not interrupted. Where there are several workers, each takes the next job that it has a model for when it
//! is free; a job is promised only what this very order leaves it.
//!
//! Where models have to make room for each other in memory, a job needs the time to load its model too, if in this order
//! another will have taken its place.
//!
//! Some jobs can be made together with others. That takes less time than one after the other, which is what they were
//! promised; the first of them may be done later than alone, and so what would make it late is not put beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use tokio::sync::oneshot;

use crate::{error::Unable, inference::Memory};

/// What is set aside for getting a commitment into a block, in seconds of the chain.
pub const SENDING: u64 = 10;

/// How much longer than measured a job may take: the machine may be busy.
const SLACK: u32 = 2;

/// The jobs that have been promised a model.
#[derive(Debug, Clone, Default)]
pub struct Schedule(Arc<Mutex<Jobs>>);

/// What a job takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// The model's manifest's hash.
    pub model: B256,
    /// With the model in memory.
    pub needed: Duration,
    /// To load the model.
    pub loading: Duration,
    /// How many like it can be made together.
    pub at_once: usize,
}

/// By deadline, and by who came first.
type Rank = (u64, u64);

#[derive(Debug, Default)]
struct Jobs {
    admitted: u64,
    all: BTreeMap<Rank, Job>,
    /// Who have their model.
    running: BTreeSet<Rank>,
    /// Who computes, by what is in their memories.
    hands: Vec<Memory>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    /// None is for ever.
    deadline: Option<Instant>,
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
    /// A place for a job that will take so much, if neither it nor one that was promised its model before would then be too
    /// late to commit; times in seconds since the epoch.
    pub fn admit(&self, work: Work, now: u64, deadline: u64) -> Result<Place, Unable> {
        let mut jobs = lock(&self.0);
        let rank = (deadline, jobs.admitted);
        let mut hands = Hands::of(&jobs.hands);
        for job in jobs.running.iter().filter_map(|rank| jobs.all.get(rank)) {
            hands.take(&job.work);
        }
        let mut waiting = jobs.all.iter().filter(|(other, _)| !jobs.running.contains(other)).peekable();
        while let Some((_, job)) = waiting.next_if(|(other, _)| **other < rank) {
            hands.take(&job.work);
        }
        check_time(hands.take(&work), now, deadline)?;
        for (other, job) in waiting {
            check_time(hands.take(&job.work), now, other.0)?;
        }
        jobs.admitted += 1;
        let left = Duration::from_secs(deadline.saturating_sub(now));
        let deadline = Instant::now().checked_add(left);
        jobs.all.insert(rank, Job { work, deadline, is_alone: true, waits: None });
        Ok(Place { jobs: Arc::clone(&self.0), rank })
    }

    /// What a job takes that is the next one: with loading, unless its model is in memory.
    #[must_use]
    pub fn time_of(&self, work: &Work) -> Duration {
        Hands::of(&lock(&self.0).hands).take(work)
    }

    /// From now on these compute. A job that none of them has a model for waits for one to come, as if it were there.
    pub fn set_hands(&self, hands: Vec<Memory>) {
        let mut jobs = lock(&self.0);
        jobs.hands = hands;
        jobs.go_on();
    }

    /// How many jobs have a place.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0).all.len()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// When each of those who compute will be free, and what will then be in its memory, if nothing more is promised.
struct Hands(Vec<(Duration, Memory)>);

impl Hands {
    fn of(hands: &[Memory]) -> Self {
        Self(hands.iter().map(|memory| (Duration::ZERO, memory.clone())).collect())
    }

    /// Gives the next job to who is free first among those that have its model, and says when it is done.
    fn take(&mut self, work: &Work) -> Duration {
        if !self.0.iter().any(|(_, memory)| memory.takes(work.model)) {
            self.0.push((Duration::ZERO, Memory::with_all([work.model])));
        }
        let fit = self.0.iter_mut().filter(|(_, memory)| memory.takes(work.model));
        let Some((free, memory)) = fit.min_by_key(|(free, _)| *free) else { return Duration::MAX };
        let loading = if memory.touch(work.model) { Duration::ZERO } else { work.loading };
        *free = free.saturating_add(loading).saturating_add(work.needed);
        *free
    }
}

impl Place {
    /// Waits for the model: until somebody who has it is free, and nobody with an earlier deadline waits for that, too.
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
    /// Gives everybody who is free the first that waits for a model that he has, and lets those join who can.
    fn go_on(&mut self) {
        while let Some((rank, is_alone)) = self.next() {
            self.running.insert(rank);
            if !is_alone {
                let model = self.all.get(&rank).map(|job| job.work.model);
                for running in &self.running {
                    if let Some(job) = self.all.get_mut(running).filter(|job| Some(job.work.model) == model) {
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

    /// Whose turn it is, if it is anybody's, and whether it has a model for itself. Whoever cannot go on is passed by those
    /// for whom somebody is free, who is of no use to it.
    fn next(&self) -> Option<(Rank, bool)> {
        let mut waiting = self.all.iter().filter(|(_, job)| job.waits.is_some());
        let (rank, job) = waiting.next()?;
        let is_free = self.is_free_for(job);
        if is_free || self.can_take(job) {
            return Some((*rank, is_free));
        }
        waiting.find(|(_, job)| self.is_free_for(job)).map(|(rank, _)| (*rank, true))
    }

    /// Whether somebody is left for `job` once all who run have somebody, those first who can do the least else.
    fn is_free_for(&self, job: &Job) -> bool {
        let running = || self.running.iter().filter_map(|rank| self.all.get(rank)).map(|job| job.work.model);
        let model = job.work.model;
        if !self.hands.iter().any(|memory| memory.takes(model)) {
            return running().all(|other| other != model);
        }
        let mut free: Vec<_> = self.hands.iter().collect();
        free.sort_by_key(|memory| memory.models());
        for other in running() {
            if let Some(taken) = free.iter().position(|memory| memory.takes(other)) {
                free.remove(taken);
            }
        }
        free.iter().any(|memory| memory.takes(model))
    }

    /// Whether those who have the model can take `job` with them, and nobody is late.
    fn can_take(&self, job: &Job) -> bool {
        let running = self.running.iter().filter_map(|rank| self.all.get(rank));
        let together: Vec<_> = running.filter(|other| other.work.model == job.work.model).chain([job]).collect();
        let needed = together.iter().fold(Duration::ZERO, |sum, job| sum.saturating_add(job.work.needed));
        together.len() > 1 && together.iter().all(|job| together.len() <= job.work.at_once && job.is_in_time(needed))
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

    const ALONE: Work = Work { model: B256::ZERO, needed: NEEDED, loading: Duration::ZERO, at_once: 1 };
    const TEXT: Work = Work { at_once: 3, ..ALONE };

    /// So many workers with one model.
    fn hands(count: usize) -> Vec<Memory> {
        vec![Memory::with_all([B256::ZERO]); count]
    }

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

        let first = schedule.admit(ALONE, 0, 100).unwrap();
        let second = schedule.admit(ALONE, 0, 100).unwrap();
        assert!(schedule.admit(ALONE, 0, 100).is_err());
        drop(first);
        let third = schedule.admit(ALONE, 0, 100);
        assert!(third.is_ok());
        drop((second, third));
        assert!(schedule.is_empty());
    }

    #[test]
    fn who_comes_later_goes_first_if_its_deadline_is_earlier_and_nobody_is_late_for_it() {
        let schedule = Schedule::default();
        let _patient = schedule.admit(ALONE, 0, 100).unwrap();

        // In the order of arrival it would be too late: 2 x 40 s from now, and 60 s left.
        let _urgent = schedule.admit(ALONE, 0, 60).unwrap();
        // This one would be in time, and the patient one would not.
        assert!(schedule.admit(ALONE, 0, 95).is_err());
        assert!(schedule.admit(ALONE, 0, 140).is_ok());
    }

    #[test]
    fn the_model_goes_to_the_earliest_deadline_that_waits_for_it() {
        let schedule = Schedule::default();
        let [late, early, earliest] = [300, 200, 100].map(|deadline| schedule.admit(ALONE, 0, deadline).unwrap());
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
        schedule.set_hands(hands(2));
        let jobs = [100; 4].map(|deadline| schedule.admit(ALONE, 0, deadline));
        assert!(jobs.iter().all(Result::is_ok));
        assert!(schedule.admit(ALONE, 0, 100).is_err());

        let [first, second, third, _] = jobs.map(Result::unwrap);
        let mut turns = [&first, &second, &third].map(|place| Box::pin(place.turn()));
        assert_eq!(turns.each_mut().map(has_come), [true, true, false]);
        schedule.set_hands(hands(3));
        assert!(has_come(&mut turns[2]), "there is one more");
        drop(turns);
        // One has gone, and with it the time of one.
        schedule.set_hands(hands(2));
        drop(first);
        assert!(schedule.admit(ALONE, 0, 100).is_ok() && schedule.admit(ALONE, 0, 60).is_err());
    }

    #[test]
    fn texts_are_written_together_if_nobody_is_late_for_it() {
        let schedule = Schedule::default();
        let [first, second, third, fourth] =
            [200, 300, 400, 500].map(|deadline| schedule.admit(TEXT, 0, deadline).unwrap());
        let mut turns = [&first, &second, &third, &fourth].map(|place| Box::pin(place.turn()));
        assert_eq!(turns.each_mut().map(has_come), [true, true, true, false], "three are as many as can be");
        drop(turns);
        assert!(!first.was_alone() && !second.was_alone() && fourth.was_alone());
        drop((first, second, third, fourth));

        // With another beside it the first would be late: 2 x 40 s from now, and 60 s left.
        let [urgent, patient] = [60, 300].map(|deadline| schedule.admit(TEXT, 0, deadline).unwrap());
        let picture = schedule.admit(ALONE, 0, 400).unwrap();
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
        let [first, second, third] = [100, 200, 300].map(|deadline| schedule.admit(ALONE, 0, deadline).unwrap());
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

    #[test]
    fn loading_is_counted_whenever_another_model_will_have_taken_the_place() {
        let [picture, text] = [1, 2].map(|byte| Work { model: B256::repeat_byte(byte), loading: NEEDED, ..ALONE });
        let mut memory = Memory::new(1);
        for work in [picture, text] {
            memory.admit(work.model, "tiny", 1).unwrap();
        }
        memory.touch(picture.model);
        let schedule = Schedule::default();
        schedule.set_hands(vec![memory]);
        assert_eq!((schedule.time_of(&picture), schedule.time_of(&text)), (NEEDED, 2 * NEEDED));

        // 20 s; then 40 s with loading; then 40 s again, for the first model is gone by then.
        let _first = schedule.admit(picture, 0, 60).unwrap();
        assert!(schedule.admit(text, 0, 130).is_err(), "2 x 60 s, 11 more, and 130 s left");
        let _second = schedule.admit(text, 0, 131).unwrap();
        assert!(schedule.admit(picture, 0, 210).is_err(), "2 x 100 s and 11 more");
        let _third = schedule.admit(picture, 0, 211).unwrap();
        assert!(schedule.admit(text, 0, 171).is_err(), "it would be in time, and the third one late");
        assert!(schedule.admit(picture, 0, 250).is_err(), "2 x 120 s and 11 more: behind its like it needs no loading");
        assert!(schedule.admit(picture, 0, 251).is_ok());
    }

    #[test]
    fn who_is_free_takes_what_it_has_a_model_for() {
        let [picture, text] = [1, 2].map(|byte| Work { model: B256::repeat_byte(byte), ..ALONE });
        let schedule = Schedule::default();
        schedule.set_hands(vec![Memory::with_all([picture.model, text.model]), Memory::with_all([text.model])]);
        let jobs = [(text, 100), (picture, 200), (picture, 300), (text, 400)];
        let [first, second, third, fourth] = jobs.map(|(work, deadline)| schedule.admit(work, 0, deadline).unwrap());

        let (mut first_turn, mut second_turn) = (Box::pin(first.turn()), Box::pin(second.turn()));
        assert!(has_come(&mut first_turn) && has_come(&mut second_turn), "the text leaves the other to the picture");
        let (mut third_turn, mut fourth_turn) = (Box::pin(third.turn()), Box::pin(fourth.turn()));
        assert!(!has_come(&mut third_turn) && !has_come(&mut fourth_turn));
        drop(first_turn);
        drop(first);
        assert!(!has_come(&mut third_turn) && has_come(&mut fourth_turn), "who is free is of no use to the third");
        assert!(schedule.admit(picture, 0, 60).is_err(), "there is one for pictures");
    }
}
