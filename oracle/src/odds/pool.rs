//! What committees are drawn from, without replacement, and the two distributions that come of it.

/// Seats, some of which are hostile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pool {
    /// So many that a draw does not change the hostile share, 0 to 1: binomial.
    Endless {
        /// Of the seats.
        hostile: f64,
    },
    /// Of so many seats: hypergeometric, as `Odds.sol` has it.
    Finite {
        /// All of them.
        seats: u32,
        /// Those that are hostile, at most `seats`.
        hostile: u32,
    },
}

impl Pool {
    /// Chance that a draw of `drawn` seats has just `hostile` hostile ones.
    pub(super) fn draws(self, drawn: u8, hostile: u8) -> f64 {
        match self {
            Self::Endless { hostile: share } => binomial(drawn, hostile, share),
            Self::Finite { seats, hostile: marked } => hypergeometric(drawn, hostile, marked, seats),
        }
    }

    /// Whether it has so many seats.
    pub(super) fn can_staff(self, size: u8) -> bool {
        match self {
            Self::Endless { .. } => true,
            Self::Finite { seats, .. } => seats >= u32::from(size),
        }
    }

    /// What is left after a draw.
    pub(super) fn without(self, drawn: u8, hostile: u8) -> Self {
        match self {
            Self::Endless { .. } => self,
            Self::Finite { seats, hostile: marked } => Self::Finite {
                seats: seats.saturating_sub(u32::from(drawn)),
                hostile: marked.saturating_sub(u32::from(hostile)),
            },
        }
    }
}

/// `C(n, k) p^k (1 - p)^(n - k)`.
pub(super) fn binomial(n: u8, k: u8, p: f64) -> f64 {
    choose(n, k) * p.powi(k.into()) * (1.0 - p).powi((n - k).into())
}

/// `C(n, k)` times the chance that the first `k` of `n` are among the `marked` of `all`, and the others are not.
fn hypergeometric(n: u8, k: u8, marked: u32, all: u32) -> f64 {
    let (n, k) = (u32::from(n), u32::from(k));
    let falling = |from: u32, count: u32| (0..count).map(move |at| f64::from(from) - f64::from(at));
    if k > marked || n - k > all - marked {
        return 0.0;
    }
    let good = falling(marked, k).chain(falling(all - marked, n - k));
    choose(n as u8, k as u8) * good.zip(falling(all, n)).map(|(good, all)| good / all).product::<f64>()
}

/// Exact for what committees need: up to 2^53.
fn choose(n: u8, k: u8) -> f64 {
    (0..k).fold(1.0, |ways, at| ways * f64::from(n - at) / f64::from(at + 1))
}
