//! The draw of a job: anyone may send it, and whoever does draws the same committee. So its members take turns.

use alloy::{
    primitives::{B256, U256, keccak256},
    providers::Provider,
    sol_types::SolValue,
};
use oracle::chain::{
    ChainError, HeaderError,
    IGenerationOracle::{self, Phase},
    seed_header,
};
use tracing::{debug, info};

use super::{Node, TURN};
use crate::{ROUND, error::StepError, job::short, look::Look};

impl Node {
    /// Sees to it that the job is drawn, and returns once it is, or never will be, deep in the chain.
    pub(crate) async fn see_drawn(&self, job: B256) -> Result<(), StepError> {
        let mut turn = None;
        loop {
            let now = self.now();
            let look = self.look(job).await?;
            if look.job.phase == Phase::Draw {
                let turn = match turn {
                    Some(turn) => turn,
                    None => *turn.insert(now.block + TURN * self.place_in_committee(job, &look).await?),
                };
                if now.block >= turn {
                    self.send_draw(job, &look).await?;
                }
            }
            if !look.awaits_draw() && !self.look_deep(job).await?.awaits_draw() {
                return Ok(self.journal.stop_awaiting(job).await?);
            }
            if self.draining.is_cancelled() {
                return Err(StepError::Stopping);
            }
            self.block_after(now).await;
        }
    }

    async fn send_draw(&self, job: B256, look: &Look) -> Result<(), StepError> {
        let header = seed_header(&self.chain.provider, look.job.seedBlock).await?;
        if self.send_first(&IGenerationOracle::drawCall { jobId: job, header }).await? {
            info!(job = short(job), "sent the draw");
        }
        Ok(())
    }

    /// Which member we will be: 0 for the first. Those who will not be one come after all members, and not all at once.
    async fn place_in_committee(&self, job: B256, look: &Look) -> Result<u64, StepError> {
        let model = look.job.modelId;
        let (slots, time, size) = (look.job.poolSlots, look.job.requestTime, look.job.terms.committeeSize);
        let seed = draw_seed(self.randao(look.job.seedBlock).await?, job);
        let stakes = self.chain.stakes();
        let seats = stakes.committee(model, seed, slots, time, size).call().await.map_err(ChainError::from)?;
        for (seat, place) in seats.iter().zip(0..) {
            let seat = stakes.seatOf(model, *seat).call().await.map_err(ChainError::from)?;
            if seat.operator == self.operator {
                return Ok(place);
            }
        }
        debug!(job = short(job), "we will not be on the committee");
        let scatter = keccak256((job, self.operator).abi_encode())[0] % 8;
        Ok(u64::from(size) + u64::from(scatter))
    }

    async fn randao(&self, seed_block: u64) -> Result<B256, StepError> {
        let block = self.chain.provider.get_block_by_number(seed_block.into()).await.map_err(ChainError::from)?;
        Ok(block.ok_or(HeaderError::NotMined { number: seed_block })?.header.mix_hash)
    }
}

/// What the contract will draw with. A wrong guess costs a few blocks, no more: then another member comes first.
fn draw_seed(randao: B256, job: B256) -> B256 {
    keccak256((randao, job, U256::from(ROUND)).abi_encode_params())
}
