//! Standing: what a drawn seat turned out to be once its job is decided, and what that earns or costs. Twin of
//! `Standings.sol`; `tests/vectors/standing.json` holds both to it.

use crate::{chain::IGenerationOracle::Step, digest::Zone};

/// Of one seat in one round. Nothing here depends on what another seat loses: no member of a committee gains from a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It owes nothing and is owed nothing: excused, grey, or let off.
    Neutral,
    /// The winner accepts its digest.
    Supporter,
    /// It revealed and nobody won.
    Unjudged,
    /// The winner rejects its digest.
    Dissenter,
    /// It committed and never revealed, while others did.
    Hidden,
    /// It said that it could not run the job.
    Declined,
    /// It said nothing.
    Silent,
}

impl Standing {
    /// A seat that did not reveal. If nobody revealed, whatever kept them all from it is not held against those who
    /// committed.
    #[must_use]
    pub fn of_unrevealed(step: Step, excused: bool, any_revealed: bool) -> Self {
        match step {
            _ if excused => Self::Neutral,
            Step::Drawn => Self::Silent,
            Step::Out => Self::Declined,
            _ if any_revealed => Self::Hidden,
            _ => Self::Neutral,
        }
    }

    /// A seat that revealed, by the zone in which the winner sees its digest; none if nobody won. With a fixed seed nobody
    /// loses a bond for dissent.
    #[must_use]
    pub fn of_revealed(seen: Option<Zone>, fixed_seed: bool) -> Self {
        match seen {
            None => Self::Unjudged,
            Some(Zone::Accepted) => Self::Supporter,
            Some(Zone::Rejected) if !fixed_seed => Self::Dissenter,
            Some(_) => Self::Neutral,
        }
    }

    /// In wei, of the share that one seat earns.
    #[must_use]
    pub fn earned(self, share: u128) -> u128 {
        match self {
            Self::Supporter => share,
            Self::Unjudged => share / 2,
            _ => 0,
        }
    }

    /// In wei. Never more than the bond, which is at least 20 shares.
    #[must_use]
    pub fn lost(self, share: u128, bond: u128) -> u128 {
        match self {
            Self::Dissenter | Self::Hidden => bond,
            Self::Declined => share / 4,
            Self::Silent => share / 2,
            _ => 0,
        }
    }

    /// Whether what it lost is its bond.
    #[must_use]
    pub fn is_slashed(self) -> bool {
        matches!(self, Self::Dissenter | Self::Hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Standing; 7] = [
        Standing::Neutral,
        Standing::Supporter,
        Standing::Unjudged,
        Standing::Dissenter,
        Standing::Hidden,
        Standing::Declined,
        Standing::Silent,
    ];

    /// By hand from the table of `Standings.sol`, for a share of 101 wei and a bond of 2,020.
    #[test]
    fn a_standing_earns_and_costs_what_the_contract_says() {
        assert_eq!(ALL.map(|standing| standing.earned(101)), [0, 101, 50, 0, 0, 0, 0]);
        assert_eq!(ALL.map(|standing| standing.lost(101, 2_020)), [0, 0, 0, 2_020, 2_020, 25, 50]);
        assert_eq!(ALL.map(Standing::is_slashed), [false, false, false, true, true, false, false]);
    }

    #[test]
    fn who_committed_is_let_off_if_nobody_revealed_and_an_excused_seat_always() {
        let of = Standing::of_unrevealed;
        assert_eq!([of(Step::Committed, false, true), of(Step::Committed, false, false)], [ALL[4], ALL[0]]);
        assert_eq!([of(Step::Drawn, false, false), of(Step::Out, false, true)], [ALL[6], ALL[5]]);
        assert_eq!(of(Step::Out, true, true), Standing::Neutral);
    }

    #[test]
    fn dissent_costs_the_bond_beyond_the_reject_distance_only_and_never_with_a_fixed_seed() {
        let of = Standing::of_revealed;
        assert_eq!([of(Some(Zone::Accepted), false), of(Some(Zone::Grey), false)], [ALL[1], ALL[0]]);
        assert_eq!([of(Some(Zone::Rejected), false), of(Some(Zone::Rejected), true)], [ALL[3], ALL[0]]);
        assert_eq!(of(None, false), Standing::Unjudged);
    }
}
