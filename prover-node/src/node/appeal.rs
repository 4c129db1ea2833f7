//! Appeals: a node that was outvoted makes its picture once more, and if that says the same, pays for a larger committee
//! to look again, where it can expect to gain by it.

use alloy::primitives::U256;
use oracle::{
    appeal::NextRound,
    chain::{
        ChainError,
        IGenerationOracle::{Phase, appealCall},
    },
    digest::{ToleranceProfile, Zone},
    fees::reward,
};
use tracing::{info, warn};

use super::Node;
use crate::{
    error::StepError,
    inference::{Asked, Made},
    job::{DrawKey, Drawn, Vote, short},
    look::Look,
    wallet::{Call, Purpose, Step},
};

/// What an appeal costs, and what it brings if the next committee agrees with us. In wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prospect {
    /// Of the next round. What nobody earns of it comes back, and is not counted here.
    pub(crate) fee: U256,
    /// Bonds that we keep.
    pub(crate) kept: U256,
    /// Shares that we earn.
    pub(crate) earned: U256,
    /// Out of the slashes of the challenged round.
    pub(crate) reward: U256,
}

impl Node {
    /// Appeals if we were outvoted, are sure of our picture, and can expect to gain by it. Whether or not it does, there
    /// is nothing more to consider until the next verdict.
    pub(super) async fn consider_appeal(&self, look: &Look, key: DrawKey, votes: &[Vote]) -> Result<(), StepError> {
        let job = short(key.job);
        let Some(prospect) = Prospect::of(look, key.number, votes) else {
            if outvoted(look, key.number, votes).is_some() {
                info!(
                    job,
                    "outvoted, and the verdict cannot be appealed: there is no further round, or none that the pool can staff"
                );
            }
            return Ok(());
        };
        if !self.appeals || !prospect.is_good() {
            info!(job, ?prospect, "outvoted, and not appealing");
            return Ok(());
        }
        if !self.agrees_again(look, key, votes).await? {
            warn!(job, "outvoted; our own output could not be made again the same, and so it stays at that");
            return Ok(());
        }

        let oracle = self.chain.oracle();
        let balance = oracle.balanceOf(self.operator).call().await.map_err(ChainError::from)?;
        let call = appealCall { job: look.request.job.clone() };
        let call = Call::new(self.chain.deployment.generation_oracle, &call);
        let call = Call { value: prospect.fee.saturating_sub(balance), ..call };
        let deadline = self.deadline(look, key.number, Phase::Appeal);
        match self.send_first(Purpose::round(Step::Appeal, key.round()), call, deadline).await {
            Ok(true) => info!(job, fee = %prospect.fee, "outvoted, and appealed"),
            Ok(false) => info!(job, "outvoted, and somebody else appealed"),
            Err(StepError::Send(reason)) => warn!(job, %reason, "outvoted, and the appeal could not be sent"),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Makes the picture once more, if the appeal window leaves time for it.
    async fn agrees_again(&self, look: &Look, key: DrawKey, votes: &[Vote]) -> Result<bool, StepError> {
        let (Some(drawn), Some(vote)) = (self.journal.drawn(key).await?, votes.first()) else { return Ok(false) };
        let latest = look.history.latest();
        let until = latest.map_or(0, |round| round.appeal_deadline(&look.request.job, &self.chain.windows));
        let Ok(model) = self.served(&look.request) else { return Ok(false) };
        let work = model.work(&drawn.spec, &self.inference).await;
        let place = match self.schedule.admit(work, self.now().time, until) {
            Ok(place) => place,
            Err(reason) => {
                warn!(job = short(key.job), %reason, "no time to make it again before the verdict is final");
                return Ok(false);
            }
        };
        place.turn().await;
        let Drawn { spec, noise_seed, .. } = drawn;
        let asked = Asked { model: model.hash(), spec, noise_seed, deadline: until, job: Some(key.job) };
        let made = tokio::select! {
            made = self.inference.generate(asked, |_| {}) => made,
            () = self.time_is(until) => return Ok(false),
        };
        let Ok(Made { output, .. }) = made else { return Ok(false) };
        let again = output.digest();
        Ok(ToleranceProfile::from(&look.request.job).zone(&vote.opening.digest, &again) == Zone::Accepted)
    }
}

impl Prospect {
    /// None if the verdict as it stands accepts our votes or decides nothing, or cannot be appealed.
    pub(crate) fn of(look: &Look, number: u8, votes: &[Vote]) -> Option<Self> {
        let job = &look.request.job;
        let profile = ToleranceProfile::from(job);
        let (ours, latest) = (votes.first()?.opening.digest, look.history.latest()?);
        let seen = outvoted(look, number, votes)?;

        let fee = NextRound::after(job, latest.number).ok()?.fee;
        let bond = if job.terms.fixedSeed { U256::ZERO } else { U256::from(job.bond) };
        let count = U256::from(votes.len());
        let rejected = latest.digests().iter().filter(|digest| profile.zone(&ours, digest) == Zone::Rejected).count();
        Some(Self {
            fee,
            kept: if seen == Zone::Rejected { bond * count } else { U256::ZERO },
            earned: U256::from(job.terms.share) * count,
            reward: reward(fee, bond * U256::from(rejected)),
        })
    }

    /// Whoever is outvoted knows its own picture and nothing of the next committee: it is as likely to agree as not.
    pub(crate) fn is_good(&self) -> bool {
        self.kept + self.earned + self.reward > self.fee * U256::from(2)
    }
}

/// How the verdict as it stands sees our votes, if it does not accept them.
fn outvoted(look: &Look, number: u8, votes: &[Vote]) -> Option<Zone> {
    let job = &look.request.job;
    let judge = look.history.judge_of(number, job)?;
    let seen = ToleranceProfile::from(job).zone(&judge, &votes.first()?.opening.digest);
    (seen != Zone::Accepted).then_some(seen)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::B256;
    use oracle::{chain::IGenerationOracle::Step, commitment::Opening, digest::Digest, round::MOST_ROUNDS};

    use super::*;
    use crate::{job::Seat, look::tests::look};

    fn vote(operator: u8) -> Vote {
        let opening = Opening { digest: Digest([operator; 32]), content_hash: B256::ZERO, salt: B256::ZERO };
        Vote { seat: Seat { number: 7, member: 0 }, opening }
    }

    /// Two agree against us: with bits so far apart that they reject ours.
    fn outvoted() -> Look {
        let mut look = look(&[(0x0f, 7, Step::Revealed), (0xf0, 8, Step::Revealed), (0xf0, 9, Step::Revealed)]);
        look.phase = Phase::Appeal;
        look
    }

    #[test]
    fn who_is_outvoted_may_keep_its_bond_and_share_the_slashes() {
        let prospect = Prospect::of(&outvoted(), 1, &[vote(0x0f)]).unwrap();

        assert_eq!(prospect.kept, U256::from(20_000));
        assert_eq!(prospect.earned, U256::from(1_000));
        assert_eq!(prospect.fee, U256::from(7_000));
        assert_eq!(prospect.reward, U256::from(10_500), "half again, which 30 % of two bonds allow");
        assert!(prospect.is_good());
    }

    #[test]
    fn who_won_or_cannot_appeal_does_not() {
        assert_eq!(Prospect::of(&outvoted(), 1, &[vote(0xf0)]), None);
        let mut last = outvoted();
        last.history.rounds[0].number = MOST_ROUNDS;
        assert_eq!(Prospect::of(&last, MOST_ROUNDS, &[vote(0x0f)]), None);
        let mut small = outvoted();
        small.request.job.poolSeats = 6;
        assert_eq!(Prospect::of(&small, 1, &[vote(0x0f)]), None, "the next round takes seven seats");
    }

    #[test]
    fn an_appeal_that_costs_more_than_it_brings_is_not_made() {
        let mut look = outvoted();
        look.request.job.terms.fixedSeed = true;

        let prospect = Prospect::of(&look, 1, &[vote(0x0f)]).unwrap();
        assert_eq!((prospect.kept, prospect.reward), (U256::ZERO, U256::ZERO), "nobody loses a bond");
        assert!(!prospect.is_good());
    }
}
