//! How sure somebody wants to be of a verdict, and what that takes to be believed of the verifiers.

use oracle::odds::{Committee, Odds, Pool};

/// What is believed of the verifiers.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Beliefs")]
pub(crate) struct BeliefArgs {
    /// Chance that an honest seat reproduces the right digest within tolerance, as measured for the model; as it is, that
    /// of arXiv 2307.01898, where three seats are right with 99.89 %
    #[arg(long, env = "QUORATE_AGREEMENT", value_name = "P", default_value_t = 0.9807, value_parser = chance)]
    pub(crate) agreement: f64,
    /// Share of the pool's seats that stands together for a wrong digest
    #[arg(long, env = "QUORATE_HOSTILE", value_name = "F", default_value_t = 0.1, value_parser = chance)]
    pub(crate) hostile: f64,
}

impl BeliefArgs {
    /// The odds of a job whose honest verifiers are rejected wherever they are not accepted: there is no worse.
    pub(crate) fn odds(self, committee: Committee, pool: Option<u32>) -> Odds {
        let pool = match pool {
            Some(seats) => Pool::Finite { seats, hostile: (self.hostile * f64::from(seats)).round() as u32 },
            None => Pool::Endless { hostile: self.hostile },
        };
        Odds { committee, pool, agreement: self.agreement, rejection: 1.0 - self.agreement }
    }
}

/// The smallest committee whose first verdict is right with the chance `assurance`.
pub(crate) fn smallest(odds: Odds, assurance: f64) -> eyre::Result<Odds> {
    odds.smallest(assurance).ok_or_else(|| match odds.best() {
        Some(best) => eyre::eyre!(
            "no committee's first verdict is right with a chance of {assurance}: the best one, of {} seats, reaches {:.6}; \
             ask for less, or believe more of the verifiers (--agreement, --hostile)",
            best.committee.size,
            best.verdicts().right
        ),
        None => eyre::eyre!("the pool is too small for any committee"),
    })
}

/// Parses a number from 0 to 1.
pub(crate) fn chance(text: &str) -> Result<f64, String> {
    let chance = text.parse().ok().filter(|chance| (0.0..=1.0).contains(chance));
    chance.ok_or_else(|| "a chance is a number from 0 to 1, such as 0.98".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELIEFS: BeliefArgs = BeliefArgs { agreement: 0.9807, hostile: 0.0 };

    fn odds(super_majority: bool, hostile: f64, pool: Option<u32>) -> Odds {
        BeliefArgs { hostile, ..BELIEFS }.odds(Committee { size: 3, super_majority }, pool)
    }

    #[test]
    fn an_assurance_takes_a_committee_or_says_how_far_one_gets() {
        let size = |odds, assurance| smallest(odds, assurance).map(|odds| odds.committee.size).ok();
        assert_eq!([size(odds(false, 0.0, None), 0.998), size(odds(false, 0.0, None), 0.9999)], [Some(3), Some(5)]);
        assert_eq!(size(odds(true, 0.0, None), 0.9999), Some(11));

        let refused = |odds| smallest(odds, 0.9999).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(refused(odds(false, 0.4, None)).contains("of 31 seats"), "{}", refused(odds(false, 0.4, None)));
        assert!(refused(odds(false, 0.0, Some(2))).contains("too small"));
    }

    #[test]
    fn a_hostile_share_of_a_pool_is_whole_seats() {
        assert_eq!(odds(false, 0.1, Some(26)).pool, Pool::Finite { seats: 26, hostile: 3 });
    }

    #[test]
    fn chances_lie_between_0_and_1() {
        assert_eq!([chance("0"), chance("1"), chance("0.5")], [Ok(0.0), Ok(1.0), Ok(0.5)]);
        for text in ["-0.1", "1.1", "NaN", "inf", "", "half"] {
            assert!(chance(text).is_err(), "{text}");
        }
    }
}
