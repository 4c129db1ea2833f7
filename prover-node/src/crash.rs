//! Crash points: the places between two effects, where a test kills the process. They are compiled to nothing without the
//! feature `crash-points`.
//!
//! With it, `QUORATE_CRASH_AT=<name>` or `<name>#<n>` ends the process when it passes that point for the first or n-th time:
//! at once, as SIGKILL would; nothing is flushed, nothing is dropped.

/// Every one that there is.
pub const POINTS: &[&str] = &[
    "journal: made",
    "announcement: mined, not noted",
    "follower: request noted",
    "follower: round noted",
    "follower: round no longer awaited",
    "follower: event handled",
    "follower: cursor stored",
    "follower: reorganisation noted",
    "job: draw noted",
    "job: output made",
    "job: output stored",
    "job: sealed",
    "job: committed",
    "job: commitment deep",
    "job: revealed",
    "job: reveal deep",
    "job: published",
    "job: over",
    "job: ended",
    "wallet: written, not broadcast",
    "wallet: broadcast",
    "wallet: receipt found",
];

/// Ends the process there, if that is what the environment asks for. The name is checked against [`POINTS`] when it is
/// compiled, with the feature and without.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        const _: () = assert!($crate::crash::is_listed($name), "name the crash point in crash::POINTS");
        #[cfg(feature = "crash-points")]
        $crate::crash::pass($name);
    };
}

/// Whether there is one of that name.
#[must_use]
pub const fn is_listed(name: &str) -> bool {
    let mut at = 0;
    while at < POINTS.len() {
        if is_same(POINTS[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

/// Strings cannot be compared in constants.
const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Passes the point of that name, or ends there.
#[cfg(feature = "crash-points")]
pub fn pass(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("QUORATE_CRASH_AT") else { return };
    let (wanted, turn) = wanted.split_once('#').unwrap_or((&wanted, "1"));
    if wanted == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == turn.parse().unwrap_or(1) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_points_have_a_name() {
        assert!(POINTS.iter().all(|name| is_listed(name)));
        assert!(!is_listed("") && !is_listed("job: seale") && !is_listed("job: sealed "));
    }
}
