//! Pace: how long this machine takes for its work, as measured, and whether there is time for one more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use oracle::spec::Spec;

use crate::error::Unable;

/// What is set aside for getting a commitment into a block, in seconds of the chain.
pub const SENDING: u64 = 10;

/// How much longer than measured a picture may take: the machine may be busy.
const SLACK: u32 = 2;

/// How long a million units of work take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// In seconds.
    pub seconds: f64,
}

/// The model's time that has been promised to accepted jobs.
#[derive(Debug, Clone, Default)]
pub struct Promises {
    millis: Arc<AtomicU64>,
}

/// Some of the model's time, given back on drop.
#[derive(Debug)]
pub struct Promise {
    all: Arc<AtomicU64>,
    millis: u64,
}

impl Pace {
    /// From one measurement.
    #[must_use]
    pub fn measured(spec: &Spec, took: Duration) -> Self {
        Self { seconds: took.as_secs_f64() / work(spec) }
    }

    /// What `spec` is expected to take.
    #[must_use]
    pub fn estimate(self, spec: &Spec) -> Duration {
        Duration::try_from_secs_f64(self.seconds * work(spec)).unwrap_or(Duration::MAX)
    }

    /// Takes in another measurement: slower at once, faster little by little.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        let eased = 0.75 * self.seconds + 0.25 * next.seconds;
        Self { seconds: eased.max(next.seconds) }
    }
}

impl Promises {
    /// Sets the model's time aside for a picture that will take `needed`, if with all that was promised before it is
    /// done in time to commit; times in seconds since the epoch.
    pub fn make(&self, needed: Duration, now: u64, deadline: u64) -> Result<Promise, Unable> {
        let ahead = Duration::from_millis(self.millis.load(Ordering::SeqCst));
        check_time(ahead.saturating_add(needed), now, deadline)?;
        let millis = u64::try_from(needed.as_millis()).unwrap_or(u64::MAX);
        self.millis.fetch_add(millis, Ordering::SeqCst);
        Ok(Promise { all: Arc::clone(&self.millis), millis })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.all.fetch_sub(self.millis, Ordering::SeqCst);
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

/// In millions of the units that models are priced in.
fn work(spec: &Spec) -> f64 {
    f64::from(spec.work()) / 1e6
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::job::tests::spec;

    #[test]
    fn the_estimate_grows_with_pixels_and_steps() {
        let pace = Pace::measured(&spec(64, 4), Duration::from_secs(2));

        assert_eq!(pace.estimate(&spec(64, 4)).as_secs(), 2);
        assert_eq!(pace.estimate(&spec(64, 20)).as_secs(), 10);
        assert_eq!(pace.estimate(&spec(128, 4)).as_secs(), 8);
    }

    #[test]
    fn a_slower_measurement_counts_at_once_and_a_faster_one_little_by_little() {
        let (slow, fast) = (Pace { seconds: 10.0 }, Pace { seconds: 2.0 });

        assert_eq!(fast.and(slow), slow);
        assert_eq!(slow.and(fast), Pace { seconds: 8.0 });
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
    fn promised_time_is_not_promised_twice() {
        let (promises, needed, deadline) = (Promises::default(), Duration::from_secs(20), 100);

        let first = promises.make(needed, 0, deadline).unwrap();
        let second = promises.make(needed, 0, deadline).unwrap();
        assert!(promises.make(needed, 0, deadline).is_err());
        drop(first);
        let third = promises.make(needed, 0, deadline);
        assert!(third.is_ok());
        drop((second, third));
        assert_eq!(promises.millis.load(Ordering::SeqCst), 0);
    }
}
