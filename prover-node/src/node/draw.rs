//! The draw of a round: anyone may send it, and whoever does draws the same committee. Its members see it coming, make
//! their picture, and draw with their first commitment; if none of them is in time, others draw without.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolValue,
};
use oracle::{
    chain::{
        ChainError, IGenerationOracle,
        IGenerationOracle::{Phase, Round},
    },
    due::Due,
    round::{Member, size_of},
};
use tracing::{debug, info};

use super::{Node, TURN};
use crate::{
    crash_point,
    error::StepError,
    job::{DrawKey, RoundKey, Sealed, short},
    journal::Ending,
    look::Look,
    metrics::Stage,
    wallet::{Call, Purpose, Step},
};

impl Node {
    /// Sees to it that the round is drawn, and returns once it is, or never will be, deep in the chain.
    pub(crate) async fn see_drawn(&self, round: RoundKey) -> Result<(), StepError> {
        let request = self.request(round.job).await?;
        // Foretold once, and again when a reorganisation may have changed the seed.
        let (mut foretold, mut fork) = (None, self.archive.fork());
        loop {
            let now = self.now();
            let look = self.look(request.clone()).await?;
            if fork != self.archive.fork() {
                (foretold, fork) = (None, self.archive.fork());
            }
            if look.phase_of(round.number) == Phase::Draw && !self.draining.is_cancelled() {
                if foretold.is_none() {
                    foretold = self.foresee(&look, round).await?;
                }
                let ours = foretold == Some(true);
                if now.time >= self.last_call(&look, round) {
                    self.send_draw(&look, ours).await?;
                }
            }
            let awaits = look.awaits_draw(round.number);
            if !awaits && !self.look_deep(request.clone()).await?.awaits_draw(round.number) {
                self.check_opened(&look, round).await?;
                self.journal.stop_awaiting(round).await?;
                crash_point!("follower: round no longer awaited");
                return Ok(());
            }
            if self.draining.is_cancelled() {
                return Err(StepError::Stopping);
            }
            match foretold {
                // Others draw it; should they not, the last call is everybody's, whenever it pays from then on. Some blocks
                // later does as well.
                Some(false) => self.rest().await,
                _ => self.block_after(now).await,
            }
        }
    }

    /// Draws with our first commitment, unless the round is drawn already. Our turn comes after those before us.
    pub(super) async fn draw_and_commit(&self, sealed: &Sealed) -> Result<(), StepError> {
        let Sealed { key, votes } = sealed;
        let mut turn = None;
        loop {
            let now = self.now();
            let look = self.look_at(*key).await?;
            if look.is_of(*key) {
                return Ok(());
            }
            let members = self.foretold_members(&look, *key).await?;
            let operators = voters(&members);
            let place = operators.iter().position(|operator| *operator == self.operator);
            let vote = votes.iter().find(|vote| {
                members.get(vote.seat.member as usize).is_some_and(|member| member.operator == self.operator)
            });
            let (Some(place), Some(vote)) = (place, vote) else { return Err(StepError::Over(Ending::Missed)) };

            if now.block >= *turn.get_or_insert(now.block + TURN * place as u64) {
                // Should somebody else be faster, the committee is the same, and our commitment still counts.
                let drawn = Round {
                    number: key.number,
                    drawSeed: key.seed,
                    members: members.into_iter().map(B256::from).collect(),
                };
                let call = IGenerationOracle::drawAndCommitCall {
                    proof: self.proof(&look, key.number).await?,
                    job: look.request.job.clone(),
                    round: drawn,
                    member: U256::from(vote.seat.member),
                    commitment: self.commitment(*key, vote),
                };
                let call = Call::new(self.chain.deployment.generation_oracle, &call);
                let purpose = Purpose::seat(Step::Commit, key.round(), vote.seat);
                if self.send_first(purpose, call, self.deadline(&look, key.number, Phase::Draw)).await? {
                    self.metrics.voted(Stage::Committed, 1);
                    info!(job = short(key.job), round = key.number, seat = vote.seat.number, "drew and committed");
                }
            }
            self.block_after(now).await;
        }
    }

    /// Notes what the draw will be, if some of our seats will be in it; says whether they will, once it can be
    /// told.
    async fn foresee(&self, look: &Look, round: RoundKey) -> Result<Option<bool>, StepError> {
        let Some(opened) = look.history.round(round.number) else { return Ok(None) };
        if !self.counts(opened.known).await? {
            return Ok(None);
        }
        let Some(seed) = self.foretold(look, round.number).await? else { return Ok(None) };
        let key = DrawKey { job: round.job, number: round.number, seed };
        if self.journal.drawn(key).await?.is_some() {
            return Ok(Some(true));
        }
        let members: Vec<_> = self.foretold_members(look, key).await?.into_iter().map(B256::from).collect();
        let seats = self.seats_among(look.request.job.modelId, &members).await?;
        let Some(first) = self.first_seed(key).await? else { return Ok(None) };
        let ours = !seats.is_empty();
        if ours {
            let terms = &look.request.job.terms;
            let voting = u64::from(terms.commitWindow) + u64::from(self.chain.windows.reveal);
            self.take_on(&look.request, key, first, seats, opened.draw_deadline + voting).await?;
        }
        // A seat that is excused may be one of ours, and have room again by the time of the draw.
        let is_excused = |&word: &B256| Member::from(word).is_excused();
        Ok((ours || !members.iter().any(is_excused)).then_some(ours))
    }

    /// The committee as the draw would make it now. Only the operators and places of its seats can still change.
    async fn foretold_members(&self, look: &Look, key: DrawKey) -> Result<Vec<Member>, StepError> {
        let job = &look.request.job;
        let size = size_of(job.terms.committeeSize, key.number);
        let stakes = self.chain.stakes();
        let committee = stakes.committee(job.modelId, key.seed, job.poolSlots, job.requestedAt, size);
        let members = committee.call().await.map_err(ChainError::from)?;
        Ok(members.into_iter().map(Member::from).collect())
    }

    /// When somebody has to draw whether or not he votes: after half of the draw window, and not everybody at once.
    fn last_call(&self, look: &Look, round: RoundKey) -> u64 {
        let deadline = look.history.round(round.number).map_or(u64::MAX, |opened| opened.draw_deadline);
        let window = u64::from(self.chain.windows.draw);
        let scatter = keccak256((round.job, self.operator).abi_encode())[0] % 8;
        deadline.saturating_sub(window / 2) + window * u64::from(scatter) / 64
    }

    /// Who has work to do draws in any case; who has not, for the bounty.
    async fn send_draw(&self, look: &Look, ours: bool) -> Result<(), StepError> {
        let Due::Draw { number, .. } = look.due else { return Ok(()) };
        let job = &look.request.job;
        let proof = self.proof(look, number).await?;
        let call = IGenerationOracle::drawCall { job: job.clone(), proof };
        let call = Call::new(self.chain.deployment.generation_oracle, &call);
        if !ours && !self.pays(&call, look.due.bounty(job)).await? {
            debug!(job = short(look.request.id), "the draw's bounty does not pay for its gas");
            return Ok(());
        }
        let round = RoundKey { job: look.request.id, number };
        let deadline = self.deadline(look, number, Phase::Draw);
        if self.send_first(Purpose::round(Step::Draw, round), call, deadline).await? {
            info!(job = short(look.request.id), round = number, "sent the draw");
        }
        Ok(())
    }

    async fn proof(&self, look: &Look, number: u8) -> Result<Bytes, StepError> {
        let randomness = look.history.round(number).map(|round| round.randomness).ok_or(StepError::OtherDraw)?;
        Ok(self.chain.proof(randomness).await?)
    }
}

/// Those who will vote, each once, in the order of the draw.
fn voters(members: &[Member]) -> Vec<Address> {
    let mut operators = Vec::new();
    for member in members {
        if !member.is_excused() && !operators.contains(&member.operator) {
            operators.push(member.operator);
        }
    }
    operators
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_voter_has_one_turn_and_who_is_excused_has_none() {
        let member = |operator: u8| Member { operator: Address::repeat_byte(operator), pool: 1, seat: 0, place: 0 };

        let voters = voters(&[member(3), member(0), member(1), member(3)]);
        assert_eq!(voters, [Address::repeat_byte(3), Address::repeat_byte(1)]);
    }
}
