//! The jobs: submitted by `oracle submit`, watched on the chain, fetched by `oracle fetch`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use eyre::{OptionExt as _, Result};
use oracle::chain::{
    IGenerationOracle::{Outcome, Phase, Step},
    RoundHistory,
};
use quorate_tests::{devnet::Devnet, model, outcome::JobOutcome};
use serde::Deserialize;

use crate::cast::Cast;

/// Longer than all windows of a job together.
const PATIENCE: Duration = Duration::from_secs(600);

/// Some blocks.
pub(crate) const FETCHING: Duration = Duration::from_secs(60);

/// One paid job, and what came of it.
pub(crate) struct Order {
    pub(crate) number: usize,
    pub(crate) id: B256,
    pub(crate) prompt: String,
    /// What `oracle fetch` wrote.
    pub(crate) image: Option<PathBuf>,
    /// Each seat's picture, as its node serves it.
    pub(crate) pictures: BTreeMap<u32, PathBuf>,
}

impl Order {
    /// Pays for what the model in `folder` makes of a prompt.
    pub(crate) async fn submit(
        devnet: &Devnet,
        cast: &Cast,
        folder: &Path,
        number: usize,
        prompt: &str,
        size: u8,
    ) -> Result<Self> {
        let submitted = devnet
            .oracle()?
            .args(["submit", prompt, "--model", &cast.model.to_string(), "--manifest"])
            .arg(folder)
            .args(["--committee", &size.to_string(), "--share", &model::SHARE.to_string()])
            .signed_by(&cast.requester)
            .json()
            .await?;
        let id = submitted["jobId"].as_str().ok_or_eyre("no job id was printed")?.parse()?;
        println!("  job {number}: paid for \"{prompt}\", to be decided by {size} verifiers");
        Ok(Self { number, id, prompt: prompt.to_owned(), image: None, pictures: BTreeMap::new() })
    }

    /// Gets the verified picture and every single vote's by `oracle fetch`. A node gives a picture out once its reveal is
    /// some blocks deep in the chain, so that the last ones may come a little later than the verdict.
    pub(crate) async fn fetch(&mut self, devnet: &Devnet, folder: &Path) -> Result<()> {
        let outcome = JobOutcome::read(&devnet.chain, self.id).await?;
        if outcome.outcome() != Outcome::Accepted {
            return Ok(());
        }
        let revealed = outcome.ballots.iter().filter(|ballot| ballot.revealed.is_some()).count();
        let file = folder.join(format!("job-{}.png", self.number));
        let all_to = folder.join(format!("job-{}", self.number));
        let pictures = devnet
            .until("the pictures", FETCHING, async || {
                let fetch = devnet.oracle()?.args(["fetch", &self.id.to_string(), "--force", "--out"]).arg(&file);
                let ended = fetch.arg("--all-to").arg(&all_to).arg("--json").end().await?;
                if !ended.status.success() {
                    return Ok(None);
                }
                let fetched: Fetched = serde_json::from_str(&ended.stdout)?;
                Ok((fetched.copies.len() == revealed).then_some(fetched.copies))
            })
            .await?;
        self.image = Some(file);
        self.pictures = pictures.into_iter().map(|copy| (copy.seat, copy.file)).collect();
        Ok(())
    }
}

/// What `oracle fetch` says.
#[derive(Deserialize)]
struct Fetched {
    copies: Vec<Copy>,
}

#[derive(Deserialize)]
struct Copy {
    seat: u32,
    file: PathBuf,
}

/// Waits until every job is settled, and says whenever one gets further.
pub(crate) async fn await_verdicts(devnet: &Devnet, orders: &[Order]) -> Result<()> {
    let began = Instant::now();
    let mut told: Vec<String> = orders.iter().map(|_| String::new()).collect();
    devnet
        .until("the verdicts", PATIENCE, async || {
            let mut open = orders.len();
            for (order, told) in orders.iter().zip(&mut told) {
                let (stands, closed) = standing(devnet, order.id).await?;
                if stands != *told {
                    let seconds = began.elapsed().as_secs();
                    println!("  {seconds:3} s  job {}  {stands}", order.number);
                    *told = stands;
                }
                open -= usize::from(closed);
            }
            Ok((open == 0).then_some(()))
        })
        .await
}

/// Where a job stands, in words, and whether it is over.
async fn standing(devnet: &Devnet, id: B256) -> Result<(String, bool)> {
    let job = JobOutcome::read(&devnet.chain, id).await?;
    let votes = job.history.latest().map(RoundHistory::votes).unwrap_or_default();
    let seats = votes.len();
    let come = |steps: &[Step]| votes.iter().filter(|vote| steps.contains(&vote.step)).count();
    let stands = match job.phase {
        Phase::Requested | Phase::Draw => "its committee is at work".to_owned(),
        Phase::Commit => format!("{} of {seats} have committed", come(&[Step::Committed])),
        Phase::Reveal => format!("{} of {seats} have revealed", come(&[Step::Revealed])),
        Phase::Appeal => "decided, and soon final".to_owned(),
        Phase::Settle => "waits to be settled".to_owned(),
        Phase::Settled if job.outcome() == Outcome::Accepted => "accepted".to_owned(),
        Phase::Settled => "over without a verdict".to_owned(),
        _ => "has expired".to_owned(),
    };
    Ok((stands, job.is_closed()))
}
