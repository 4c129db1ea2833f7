//! How sure a share is that was counted.

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use statrs::distribution::{Beta, ContinuousCDF as _};

/// What an interval leaves out on both sides together.
const LEFT_OUT: f64 = 0.05;

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Those that were counted.
    pub count: u64,
    /// Of these.
    pub of: u64,
}

impl Share {
    /// As a number from 0 to 1; 0 of nothing.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.count as f64 / self.of as f64 }
    }

    /// The 95 % interval of Clopper and Pearson (Biometrika 26, 1934): the true share is in it at least so often, whatever it
    /// is. Trials must be independent.
    #[must_use]
    pub fn interval(self) -> (f64, f64) {
        (self.quantile(LEFT_OUT / 2.0, 0), self.quantile(1.0 - LEFT_OUT / 2.0, 1))
    }

    /// Of the share as the trials leave it open: Beta(count + more, others + 1 - more).
    fn quantile(self, at: f64, more: u64) -> f64 {
        let (count, others) = (self.count + more, self.of.saturating_sub(self.count) + 1 - more);
        if count == 0 {
            return 0.0;
        }
        if others == 0 {
            return 1.0;
        }
        Beta::new(count as f64, others as f64).map_or(f64::NAN, |beta| inverse(&beta, at))
    }
}

/// Where the distribution reaches `at`, by halving: statrs' own inverse does not return for a few of many millions.
fn inverse(beta: &Beta, at: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        match beta.cdf(middle) < at {
            true => low = middle,
            false => high = middle,
        }
    }
}

/// With its [interval](Self::interval), and its [`upper_bound`], which is what to go by if nothing was seen.
impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (from, to) = self.interval();
        let mut fields = serializer.serialize_struct("Share", 5)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("of", &self.of)?;
        fields.serialize_field("from", &from)?;
        fields.serialize_field("to", &to)?;
        fields.serialize_field("upperBound", &upper_bound(*self))?;
        fields.end()
    }
}

/// What a share is at most, with 95 % confidence: one-sided, so that without a single event in n trials it is about 3 / n.
#[must_use]
pub fn upper_bound(share: Share) -> f64 {
    share.quantile(1.0 - LEFT_OUT, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCIPY: [(u64, u64, f64, f64); 8] = [
        (0, 10, 0.0, 0.308497107819),
        (1, 10, 0.00252857854446, 0.445016117028),
        (50, 100, 0.398321129503, 0.601678870497),
        (3, 5000, 0.000123751520456, 0.0017524436035),
        (5000, 5000, 0.999262496199, 1.0),
        (0, 20_000_000, 0.0, 1.84443962761e-07),
        (1, 20_000_000, 1.26589037271e-09, 2.78582098454e-07),
        (5_000_000, 20_000_000, 0.249810238498, 0.250189833873),
    ];

    const SCIPY_BOUNDS: [(u64, u64, f64); 5] = [
        (0, 30000, 9.98527565132e-05),
        (1, 5000, 0.000948417770009),
        (7, 100, 0.127458015583),
        (25, 1000000, 3.49159070543e-05),
        (0, 20_000_000, 1.49786629587e-07),
    ];

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-4 * b.abs(), "{a} is not {b}");
    }

    /// By scipy 1.17: `binomtest(k, n).proportion_ci(0.95, "exact")`.
    #[test]
    fn intervals_are_those_of_scipy() {
        for (count, of, low, high) in SCIPY {
            let (from, to) = Share { count, of }.interval();
            close(from, low);
            close(to, high);
        }
    }

    /// By scipy 1.17: `binomtest(k, n, alternative="less").proportion_ci(0.95, "exact").high`.
    #[test]
    fn bounds_are_those_of_scipy() {
        for (count, of, high) in SCIPY_BOUNDS {
            close(upper_bound(Share { count, of }), high);
        }
    }

    #[test]
    fn nothing_counted_says_nothing() {
        assert_eq!(Share::default().interval(), (0.0, 1.0));
        close(upper_bound(Share::default()), 1.0);
        close(Share::default().value(), 0.0);
    }
}
