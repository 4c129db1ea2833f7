//! What every story starts with: a chain, a model, a requester, and verifiers in all its seats.

use std::time::Duration;

use crate::{
    by_hand::ByHand,
    command::Cli,
    devnet::{Devnet, Pace, Profile},
    drand::Network,
    model,
    outcome::JobOutcome,
    party::Party,
    programs,
    verifier::Verifier,
};
use alloy::primitives::{B256, U256, utils::parse_ether};
use eyre::{OptionExt as _, Result};
use oracle::chain::{
    IGenerationOracle::{Phase, Step},
    RoundHistory,
};

/// Longer than anything takes on a busy machine with two cores.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Seats of every story's committee, which are all the seats there are.
pub const SEATS: u8 = 3;

/// A chain with the model on it, and a requester.
pub struct Play {
    /// With the contracts.
    pub devnet: Devnet,
    /// The bundled one.
    pub model: B256,
    /// Who pays.
    pub requester: Party,
}

impl Play {
    /// With the bundled model.
    pub async fn begin() -> Result<Self> {
        Self::begin_taking(model::TIME).await
    }

    /// With a model that is said to take so long, which lengthens the appeal window.
    pub async fn begin_taking(time: u32) -> Result<Self> {
        Self::on(Devnet::start(Pace::Fast).await?, time).await
    }

    /// With the windows of a mainnet, hours of the chain's time: none closes because this machine is slow. The chain
    /// began at `genesis`, in seconds since the epoch, if that is said.
    pub async fn begin_unhurried(pace: Pace, genesis: Option<u64>) -> Result<Self> {
        Self::on(Devnet::start_at(pace, Profile::Mainnet, genesis).await?, model::TIME).await
    }

    /// With the windows of a mainnet, and seeds from drand.
    pub async fn begin_by_drand(network: &Network) -> Result<Self> {
        Self::on(Devnet::start_by_drand(Pace::Fast, Profile::Mainnet, network).await?, model::TIME).await
    }

    async fn on(devnet: Devnet, time: u32) -> Result<Self> {
        let model = model::register_taking(&devnet, &devnet.party("author")?, time).await?;
        let requester = devnet.party("requester")?;
        Ok(Self { devnet, model, requester })
    }

    /// Verifiers with the real node, not started yet.
    pub async fn verifiers<const N: usize>(&self, names: [&str; N]) -> Result<[Verifier; N]> {
        let parties = names.map(|name| self.devnet.party(name)).into_iter().collect::<Result<_>>()?;
        let verifiers = Verifier::register(&self.devnet, parties, self.model).await?;
        verifiers.try_into().map_err(|_| eyre::eyre!("as many verifiers as names"))
    }

    /// Verifiers with the real node, ready to work.
    pub async fn nodes<const N: usize>(&self, names: [&str; N]) -> Result<[Verifier; N]> {
        let mut nodes = self.verifiers(names).await?;
        nodes.iter_mut().try_for_each(Verifier::start)?;
        for node in &mut nodes {
            node.ready(&self.devnet).await?;
        }
        Ok(nodes)
    }

    /// A real node without a seat of its own, that works for `owner`.
    pub async fn outsider(&self, name: &str, owner: &Party) -> Result<Verifier> {
        let node = Verifier::unseated(&self.devnet, self.devnet.party(name)?)?;
        let mut node = node.with(&["--owner", &owner.address().to_string()]);
        node.start()?;
        node.ready(&self.devnet).await?;
        Ok(node)
    }

    /// A verifier that the story itself plays.
    pub async fn by_hand(&self, name: &str) -> Result<ByHand> {
        ByHand::enrol(&self.devnet, &self.devnet.party(name)?, self.model).await
    }

    /// Pays for a small picture by `oracle submit`, once every seat is old enough to be drawn.
    pub async fn submit(&self, prompt: &str) -> Result<B256> {
        self.submit_with(prompt, &[]).await
    }

    /// The same, with more flags.
    pub async fn submit_with(&self, prompt: &str, flags: &[&str]) -> Result<B256> {
        self.age().await?;
        let submitted = self.submission(prompt)?.args(flags).json().await?;
        Ok(submitted["jobId"].as_str().ok_or_eyre("no job id was printed")?.parse()?)
    }

    /// The command that submits a job, as the requester.
    pub fn submission(&self, prompt: &str) -> Result<Cli> {
        let submit = self
            .devnet
            .oracle()?
            .args(["submit", prompt, "--model", &self.model.to_string(), "--steps", "2", "--manifest"])
            .arg(programs::bundled_model())
            .args(["--committee", &SEATS.to_string(), "--share", &model::SHARE.to_string()]);
        Ok(submit.signed_by(&self.requester))
    }

    /// Makes every seat old enough to be drawn.
    pub async fn age(&self) -> Result<()> {
        self.age_of(self.model).await
    }

    /// The same with the seats of another model.
    pub async fn age_of(&self, model: B256) -> Result<()> {
        let stakes = self.devnet.chain.stakes();
        let pool = stakes.poolOf(model).call().await?;
        if pool.old == pool.active {
            return Ok(());
        }
        // The pool counts a seat as old two ages after it enrolled at the latest.
        self.devnet.pass(2 * u64::from(stakes.seatAge().call().await?)).await
    }

    /// The job as it stands.
    pub async fn look(&self, job: B256) -> Result<JobOutcome> {
        JobOutcome::read(&self.devnet.chain, job).await
    }

    /// Waits until the job's latest round is in `phase`.
    pub async fn phase(&self, job: B256, phase: Phase) -> Result<()> {
        self.devnet
            .until(&format!("{phase:?}"), PATIENCE, async || Ok((self.look(job).await?.phase == phase).then_some(())))
            .await
    }

    /// Waits until the seat has done `step` in the latest round.
    pub async fn step(&self, job: B256, seat: u32, step: Step) -> Result<()> {
        self.devnet
            .until(&format!("seat {seat} to have {step:?}"), PATIENCE, async || {
                let look = self.look(job).await?;
                let votes = look.history.latest().map(RoundHistory::votes).unwrap_or_default();
                Ok(votes.iter().any(|vote| vote.member.seat == seat && vote.step == step).then_some(()))
            })
            .await
    }

    /// Lets the present phase end by the clock.
    pub async fn close(&self, job: B256, phase: Phase) -> Result<()> {
        self.phase(job, phase).await?;
        let look = self.look(job).await?;
        let latest = look.history.latest().ok_or_eyre("the job has no rounds")?;
        let deadline = latest.deadline(&look.request.job, &self.devnet.chain.windows, phase);
        self.devnet.pass_until(deadline.ok_or_eyre("the phase has no deadline")?).await
    }

    /// Waits until the job is over and everybody has his money; nobody appeals any more.
    pub async fn end(&self, job: B256) -> Result<JobOutcome> {
        self.devnet
            .until("the end of the job", PATIENCE, async || {
                let look = self.look(job).await?;
                if look.phase == Phase::Appeal {
                    self.close(job, Phase::Appeal).await?;
                }
                Ok(look.is_closed().then_some(look))
            })
            .await
    }

    /// Does whatever is due by `oracle advance`, as the requester.
    pub async fn advance(&self, job: B256) -> Result<()> {
        let advance = self.devnet.oracle()?.args(["advance", &job.to_string()]).signed_by(&self.requester);
        advance.succeed().await?;
        Ok(())
    }

    /// What the requester has at the oracle, in wei.
    pub async fn credit(&self) -> Result<U256> {
        Ok(self.devnet.chain.oracle().balanceOf(self.requester.address()).call().await?)
    }

    /// What the seat has left, in wei.
    pub async fn stake_of(&self, seat: u32) -> Result<U256> {
        Ok(U256::from(self.devnet.chain.stakes().seatOf(self.model, seat).call().await?.stake))
    }
}

/// What a seat earns with a supported vote, in wei.
pub fn share() -> U256 {
    parse_ether(&model::SHARE.to_string()).unwrap_or_default()
}

/// What a seat puts at risk, in wei.
pub fn bond() -> U256 {
    parse_ether(model::SEAT_STAKE).unwrap_or_default() / U256::from(8)
}
