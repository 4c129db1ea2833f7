//! Pace: how long this machine takes for its work, as measured, by the size of what it makes.

use std::{collections::BTreeMap, time::Duration};

use oracle::spec::Spec;

/// How long a million units of work take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace(pub f64);

/// The size at which the time to load the model is kept.
const LOADING: u64 = 0;

/// What was measured of one model with one set of settings. Attention makes the time grow faster than the work does, so
/// each size has a pace of its own; at size 0 nothing is made, and the model loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paces(BTreeMap<u64, Pace>);

impl Pace {
    /// Takes in another measurement: slower at once, faster little by little.
    fn and(self, next: Self) -> Self {
        Self((0.75 * self.0 + 0.25 * next.0).max(next.0))
    }
}

impl Paces {
    /// Whether nothing that is made was measured yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.keys().all(|size| *size == LOADING)
    }

    /// How long it takes to load the model; none if it was not measured yet.
    #[must_use]
    pub fn loading(&self) -> Option<Duration> {
        self.0.get(&LOADING).map(|pace| Duration::try_from_secs_f64(pace.0).unwrap_or(Duration::MAX))
    }

    /// What `spec` is expected to take: as what is nearest to it in size did; nothing if nothing was measured.
    #[must_use]
    pub fn estimate(&self, spec: &Spec) -> Duration {
        let size = size_of(spec);
        let above = self.0.range(size..).next();
        let below = self.0.range(..size).next_back().filter(|(size, _)| **size != LOADING);
        let nearest = match (below, above) {
            (Some((low, pace)), Some((high, _))) if u128::from(size).pow(2) < u128::from(*low) * u128::from(*high) => {
                pace
            }
            (_, Some((_, pace))) | (Some((_, pace)), None) => pace,
            (None, None) => return Duration::ZERO,
        };
        Duration::try_from_secs_f64(nearest.0 * work(spec)).unwrap_or(Duration::MAX)
    }

    /// Takes in what `spec` took, and returns the size that it counts for, and the pace there.
    pub fn measured(&mut self, spec: &Spec, took: Duration) -> (u64, Pace) {
        self.take_in(size_of(spec), Pace(took.as_secs_f64() / work(spec)))
    }

    /// Takes in how long it took to load the model, and returns the same.
    pub fn loaded(&mut self, took: Duration) -> (u64, Pace) {
        self.take_in(LOADING, Pace(took.as_secs_f64()))
    }

    fn take_in(&mut self, size: u64, next: Pace) -> (u64, Pace) {
        let pace = self.0.get(&size).map_or(next, |pace| pace.and(next));
        self.0.insert(size, pace);
        (size, pace)
    }
}

impl FromIterator<(u64, Pace)> for Paces {
    fn from_iter<I: IntoIterator<Item = (u64, Pace)>>(paces: I) -> Self {
        Self(paces.into_iter().collect())
    }
}

/// Pixels of a picture, beams of a text.
fn size_of(spec: &Spec) -> u64 {
    match spec {
        Spec::Image(spec) => u64::from(spec.width) * u64::from(spec.height),
        Spec::Text(spec) => spec.beams.into(),
    }
}

/// In millions of the units that models are priced in.
fn work(spec: &Spec) -> f64 {
    f64::from(spec.work()) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::spec;

    #[test]
    fn the_estimate_grows_with_pixels_and_steps() {
        let mut paces = Paces::default();
        assert!(paces.is_empty() && paces.estimate(&spec(64, 4)).is_zero());
        paces.measured(&spec(64, 4), Duration::from_secs(2));

        assert_eq!(paces.estimate(&spec(64, 4)).as_secs(), 2);
        assert_eq!(paces.estimate(&spec(64, 20)).as_secs(), 10);
        assert_eq!(paces.estimate(&spec(128, 4)).as_secs(), 8);
    }

    #[test]
    fn a_size_has_its_own_pace_and_others_that_of_the_nearest() {
        let mut paces = Paces::default();
        paces.measured(&spec(64, 4), Duration::from_secs(2));
        paces.measured(&spec(1024, 4), Duration::from_secs(1024));

        assert_eq!(paces.estimate(&spec(64, 4)).as_secs(), 2);
        assert_eq!(paces.estimate(&spec(1024, 4)).as_secs(), 1024);
        assert_eq!(paces.estimate(&spec(128, 4)).as_secs(), 8);
        assert_eq!(paces.estimate(&spec(512, 4)).as_secs(), 256);
        assert_eq!(paces.estimate(&spec(2048, 4)).as_secs(), 4096);
    }

    #[test]
    fn loading_is_measured_apart_from_what_is_made() {
        let mut paces = Paces::default();
        assert_eq!(paces.loading(), None);
        assert_eq!(paces.loaded(Duration::from_secs(9)), (LOADING, Pace(9.0)));

        assert!(paces.is_empty() && paces.estimate(&spec(64, 4)).is_zero());
        paces.measured(&spec(64, 4), Duration::from_secs(2));
        assert_eq!((paces.estimate(&spec(8, 4)).as_millis(), paces.loading()), (31, Some(Duration::from_secs(9))));
    }

    #[test]
    fn a_slower_measurement_counts_at_once_and_a_faster_one_little_by_little() {
        let (slow, fast) = (Pace(10.0), Pace(2.0));

        assert_eq!(fast.and(slow), slow);
        assert_eq!(slow.and(fast), Pace(8.0));
    }
}
