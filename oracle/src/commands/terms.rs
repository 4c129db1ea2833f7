//! The terms of a job, as typed, completed by the least that the chain takes.

use alloy::primitives::{Address, U256, aliases::U96};
use oracle::{
    chain::IGenerationOracle::{Terms, Windows},
    fees::Offer,
    odds::{Committee, LEAST_SUPER_MAJORITY},
};

use super::{
    assurance::{BeliefArgs, chance, smallest},
    typed::Ether,
};

/// The most gas that a consumer is called with.
const MOST_CONSUMER_GAS: u32 = 500_000;
/// What a consumer is called with if nothing is said.
const USUAL_CONSUMER_GAS: u32 = 200_000;

/// How the job is to be decided, and what it pays.
#[derive(clap::Args)]
#[command(next_help_heading = "Terms")]
pub(crate) struct TermsArgs {
    /// Seats in the first committee: odd, 3 to 31
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = committee_size)]
    committee: u8,
    /// Take the smallest committee whose first verdict is right with this chance, by what is believed of the verifiers;
    /// see `oracle odds`
    #[arg(long, value_name = "CHANCE", conflicts_with = "committee", value_parser = chance)]
    assurance: Option<f64>,
    #[command(flatten)]
    beliefs: BeliefArgs,
    /// Decide by more than two thirds of the committee instead of more than half; from 5 seats
    #[arg(long)]
    super_majority: bool,
    /// What one seat earns, in ETH [default: the least that the chain takes, and a quarter more]
    #[arg(long, value_name = "ETH")]
    share: Option<Ether>,
    /// Seconds for generating, from the draw [default: the least that the chain takes]
    #[arg(long, value_name = "SECONDS")]
    commit_window: Option<u32>,
    /// Contract to call with the verdict
    #[arg(long, value_name = "ADDRESS")]
    consumer: Option<Address>,
    /// The gas to call it with; you pay for all of it
    #[arg(long, value_name = "GAS", requires = "consumer", value_parser = clap::value_parser!(u32).range(..=i64::from(MOST_CONSUMER_GAS)), default_value_t = USUAL_CONSUMER_GAS, hide_default_value = true)]
    consumer_gas: u32,
}

impl TermsArgs {
    /// Checked against what the chain takes. An offer follows the base fee, and so the share that is taken without
    /// being told has some to spare.
    pub(crate) fn resolve(&self, offer: &Offer, windows: &Windows, fixed_seed: bool) -> eyre::Result<Terms> {
        let committee = self.committee()?;
        eyre::ensure!(
            !self.super_majority || committee >= LEAST_SUPER_MAJORITY,
            "a super-majority takes a committee of {LEAST_SUPER_MAJORITY} or more"
        );
        Ok(Terms {
            committeeSize: committee,
            superMajority: self.super_majority,
            fixedSeed: fixed_seed,
            share: share(self.share, offer)?,
            commitWindow: commit_window(self.commit_window, offer, windows)?,
            consumer: self.consumer.unwrap_or_default(),
            consumerGas: if self.consumer.is_some() { self.consumer_gas } else { 0 },
        })
    }

    fn committee(&self) -> eyre::Result<u8> {
        let Some(assurance) = self.assurance else { return Ok(self.committee) };
        let committee = Committee { size: self.committee, super_majority: self.super_majority };
        Ok(smallest(self.beliefs.odds(committee, None), assurance)?.committee.size)
    }
}

/// The least and the most commit window, in seconds.
pub(crate) fn commit_windows(offer: &Offer, windows: &Windows) -> (u32, u32) {
    let least = u32::try_from(offer.patience).unwrap_or(u32::MAX).max(windows.commit);
    (least, windows.mostCommit)
}

/// Parses a size that the oracle takes.
pub(crate) fn committee_size(text: &str) -> Result<u8, String> {
    let size = text.parse().ok().filter(|size: &u8| (3..=31).contains(size) && size % 2 == 1);
    size.ok_or_else(|| "a committee has an odd number of seats, 3 to 31".to_owned())
}

fn share(typed: Option<Ether>, offer: &Offer) -> eyre::Result<U96> {
    let (least, most) = (offer.least_share.max(U256::from(1)), offer.most_share);
    eyre::ensure!(
        least <= most,
        "a vote costs more than a seat of this model may earn: {} and {}; wait until gas is cheaper",
        Ether(least),
        Ether(most)
    );
    let share = typed.map_or_else(|| (least * U256::from(5) / U256::from(4)).min(most), |Ether(wei)| wei);
    eyre::ensure!(
        share >= least && share <= most,
        "a share of {} is out of range: for this picture a seat earns at least {} and at most {}",
        Ether(share),
        Ether(least),
        Ether(most)
    );
    Ok(U96::from(share))
}

fn commit_window(typed: Option<u32>, offer: &Offer, windows: &Windows) -> eyre::Result<u32> {
    let (least, most) = commit_windows(offer, windows);
    eyre::ensure!(least <= most, "this picture takes longer than verifiers may have: ask for a smaller one");
    let window = typed.unwrap_or(least);
    eyre::ensure!(
        (least..=most).contains(&window),
        "a commit window of {window} s is out of range: for this picture {least} to {most} s"
    );
    Ok(window)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const WINDOWS: Windows = Windows { draw: 60, commit: 120, mostCommit: 300, reveal: 60, appeal: 8 };

    fn offer(least: u64, most: u64, patience: u64) -> Offer {
        Offer { bond: U256::ZERO, least_share: U256::from(least), most_share: U256::from(most), patience }
    }

    fn ether(wei: u64) -> Option<Ether> {
        Some(Ether(U256::from(wei)))
    }

    #[test]
    fn a_share_that_is_not_typed_has_some_to_spare_and_stays_in_range() {
        assert_eq!(share(None, &offer(100, 1_000, 0)).unwrap(), U96::from(125));
        assert_eq!(share(None, &offer(100, 110, 0)).unwrap(), U96::from(110));
        assert_eq!(share(None, &offer(0, 1, 0)).unwrap(), U96::from(1));
        assert!(share(None, &offer(100, 99, 0)).is_err());
    }

    #[test]
    fn a_typed_share_is_taken_as_it_is() {
        let offer = offer(100, 1_000, 0);

        assert_eq!(share(ether(100), &offer).unwrap(), U96::from(100));
        assert_eq!(share(ether(1_000), &offer).unwrap(), U96::from(1_000));
        assert!(share(ether(99), &offer).is_err() && share(ether(1_001), &offer).is_err());
        assert!(share(Some(Ether(U256::MAX)), &offer).is_err());
    }

    #[test]
    fn a_commit_window_is_long_enough_for_the_work() {
        let window = |typed, patience| commit_window(typed, &offer(0, 0, patience), &WINDOWS).ok();

        assert_eq!([window(None, 7), window(None, 200)], [Some(120), Some(200)]);
        assert_eq!([window(Some(300), 7), window(Some(301), 7), window(Some(119), 7)], [Some(300), None, None]);
        assert_eq!(window(None, 301), None);
    }

    #[test]
    fn committees_are_odd_and_3_to_31() {
        for (text, fits) in [("3", true), ("31", true), ("1", false), ("4", false), ("33", false), ("-3", false)] {
            assert_eq!(committee_size(text).is_ok(), fits, "{text}");
        }
    }
}
