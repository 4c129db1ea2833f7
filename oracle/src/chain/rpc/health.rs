//! Health: how an endpoint has done, and from when on it may be asked again.

use std::time::{Duration, Instant};

use super::Failure;

/// The pause after a first failure. Each further one doubles it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause: a node must not sleep through a window because its endpoint did.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The longest pause that an endpoint may ask for with `Retry-After`.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The pause for one that answers well and has left something out.
const UNTRUSTED: Duration = Duration::from_secs(30);

/// How long an endpoint has to be without trouble until it is preferred again: who only says hello does not get there.
pub(super) const PROBATION: Duration = Duration::from_secs(60);

/// One endpoint's record.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Whether it has shown, since its last failure, that it is on our chain and up to date.
    pub(super) ready: bool,
    /// Whether it ever has.
    pub(super) has_answered: bool,
    /// Since its last answer.
    failures: u32,
    /// Ever.
    pub(super) lapses: u64,
    last: Option<Lapse>,
    said: bool,
}

#[derive(Debug)]
struct Lapse {
    failure: Failure,
    at: Instant,
    until: Instant,
}

impl Health {
    /// Why it is of no use before [`Self::until`].
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.last.as_ref().map(|lapse| &lapse.failure)
    }

    /// Until when it must be left alone; none if it may be asked.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.last.as_ref().map(|lapse| lapse.until).filter(|&until| until > now)
    }

    /// Whether it was never asked.
    pub(super) fn is_new(&self) -> bool {
        !self.ready && self.last.is_none()
    }

    /// Whether it is ready, and has had no trouble for a while.
    pub(super) fn is_sound(&self, now: Instant) -> bool {
        self.ready && self.last.as_ref().is_none_or(|lapse| lapse.at + PROBATION <= now)
    }

    /// It is on our chain and up to date. Whether to say so: the same is true of what was said before.
    pub(super) fn found_ready(&mut self) -> bool {
        self.ready = true;
        self.has_answered = true;
        std::mem::take(&mut self.said)
    }

    /// It has answered what it was asked.
    pub(super) fn answered(&mut self) {
        if self.ready {
            self.failures = 0;
        }
    }

    /// What it was asked at `asked` has failed. One trouble may fail many requests, and counts once.
    pub(super) fn failed(&mut self, failure: Failure, asked: Instant, now: Instant) {
        if self.last.as_ref().is_some_and(|lapse| lapse.at > asked) {
            return;
        }
        let doubled = SHORTEST_PAUSE * 2_u32.saturating_pow(self.failures.min(16));
        let wished = match failure {
            Failure::Status { retry_after, .. } => retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER),
            Failure::LeavesOut => UNTRUSTED,
            _ => Duration::ZERO,
        };
        self.last = Some(Lapse { failure, at: now, until: now + doubled.min(LONGEST_PAUSE).max(wished) });
        self.failures += 1;
        self.lapses += 1;
        self.ready = false;
    }

    /// Whether its failure is still to be told of. It is told of once.
    pub(super) fn is_news(&mut self) -> bool {
        !std::mem::replace(&mut self.said, true)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pause(health: &mut Health, failure: Failure) -> Duration {
        let now = Instant::now();
        health.failed(failure, now, now);
        health.until(now).unwrap() - now
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_an_answer_ends_them() {
        let mut health = Health::default();
        let pauses: Vec<_> = (0..40).map(|_| pause(&mut health, Failure::Garbled)).collect();
        assert_eq!(pauses[..3], [250, 500, 1_000].map(Duration::from_millis));
        assert!(pauses[5..].iter().all(|&pause| pause == LONGEST_PAUSE));

        health.found_ready();
        health.answered();
        assert_eq!(pause(&mut health, Failure::Garbled), SHORTEST_PAUSE);
    }

    #[test]
    fn who_says_hello_and_never_answers_is_not_healthy() {
        let mut health = Health::default();
        pause(&mut health, Failure::Garbled);
        health.found_ready();
        assert_eq!(pause(&mut health, Failure::Garbled), SHORTEST_PAUSE * 2);
    }

    #[test]
    fn retry_after_is_honoured_within_reason() {
        let status = |seconds| Failure::Status { code: 429, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(pause(&mut Health::default(), status(30)), Duration::from_secs(30));
        assert_eq!(pause(&mut Health::default(), status(86_400)), LONGEST_RETRY_AFTER);
    }

    #[test]
    fn requests_that_fail_together_count_once() {
        let (mut health, asked) = (Health::default(), Instant::now());
        let now = asked + Duration::from_secs(1);
        for _ in 0..10 {
            health.failed(Failure::Garbled, asked, now);
        }
        assert_eq!(health.until(now), Some(now + SHORTEST_PAUSE));
    }

    #[test]
    fn a_failure_and_its_end_are_told_of_once() {
        let mut health = Health::default();
        assert!(!health.found_ready());
        pause(&mut health, Failure::Garbled);
        assert!(health.is_news());
        assert!(!health.is_news());
        assert!(health.found_ready());
        assert!(!health.found_ready());
    }
}
