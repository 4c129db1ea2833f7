//! Following a job to its verdict. Sends nothing unless asked to.

use std::time::Duration;

use alloy::{
    primitives::{B256, U256},
    providers::DynProvider,
};
use oracle::{
    chain::{Account, Chain, ChainError, IGenerationOracle::Stage, Request},
    due::{Due, Wait},
    finality::Finality,
    follower::{Advance, Event, FollowError, Follower, OracleEvent, Trail},
    round::Member,
};
use tokio::time::{Instant, sleep};

use super::{
    advance,
    report::{Job, Outcome, Phase, outcome_name},
    terminal::{Progress, Terminal},
};

/// Between two looks at the chain.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the node may be out of reach, or leave out what it should list, before this gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns the job once it is decided, or can no longer be.
pub(crate) async fn to_the_end(
    chain: &Chain,
    request: Request,
    advancing: Option<&Account>,
    terminal: &Terminal,
) -> eyre::Result<Job> {
    let trail = Trail::from_block(request.block);
    let mut follower = Follower::new(chain.provider.clone(), chain.deployment, Finality::Depth(0), trail);
    let mut progress = terminal.progress();
    let mut out_of_reach_since = None;
    loop {
        match look(&mut follower, chain, &request, advancing, &mut progress).await {
            Ok(Some(job)) => return Ok(job),
            Ok(None) => out_of_reach_since = None,
            Err(error) if is_passing(&error) => {
                let since = *out_of_reach_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return Err(error);
                }
                progress.step(format!("trying again: {error}"));
            }
            Err(error) => return Err(error),
        }
        sleep(PAUSE).await;
    }
}

/// Tells what is new; the job once it is over.
async fn look(
    follower: &mut Follower<DynProvider>,
    chain: &Chain,
    request: &Request,
    advancing: Option<&Account>,
    progress: &mut Progress,
) -> eyre::Result<Option<Job>> {
    catch_up(follower, request.id, progress).await?;
    let job = Job::read(chain, request.clone()).await?;
    if job.phase == Phase::None {
        return Err(gone(chain, request.id).await);
    }
    if is_over(&job, advancing.is_some()) {
        return Ok(Some(job));
    }
    progress.step(waiting_for(job.due, advancing.is_some()));
    if let Some(account) = advancing
        && job.due.name().is_some()
    {
        send(account, &job).await?;
    }
    Ok(None)
}

async fn catch_up(follower: &mut Follower<DynProvider>, job: B256, progress: &Progress) -> Result<(), FollowError> {
    loop {
        match follower.advance().await? {
            Advance::Idle => return Ok(()),
            Advance::Reorged { back_to } => {
                progress.done(format!("the chain was reorganised: going on from block {}", back_to.number));
            }
            Advance::Confirmed { events, next, .. } => {
                for happened in events {
                    if let Event::Oracle(event) = happened.event
                        && let Some(line) = tell(&event, job)
                    {
                        progress.done(format!("block {}: {line}", happened.block.number));
                    }
                }
                follower.move_to(next);
            }
        }
    }
}

fn tell(event: &OracleEvent, job: B256) -> Option<String> {
    let of = |member: &U256, number: &u8| match number {
        1 => format!("member {member}"),
        _ => format!("member {member} of round {number}"),
    };
    match event {
        OracleEvent::ImageRequested(e) if e.jobId == job => Some("paid".to_owned()),
        OracleEvent::TextRequested(e) if e.jobId == job => Some("paid".to_owned()),
        OracleEvent::Opened(e) if e.jobId == job && e.number > 1 => {
            Some(format!("{} appealed: round {} is open", e.payer, e.number))
        }
        OracleEvent::Drawn(e) if e.jobId == job => Some(format!("drew seats {}", list(&e.round.members))),
        OracleEvent::Committed(e) if e.jobId == job => Some(format!("{} committed", of(&e.member, &e.number))),
        OracleEvent::Declined(e) if e.jobId == job => Some(format!("{} declined", of(&e.member, &e.number))),
        OracleEvent::Revealed(e) if e.jobId == job => {
            Some(format!("{} revealed {}", of(&e.member, &e.number), e.digest))
        }
        OracleEvent::Settled(e) if e.jobId == job && e.verdict.outcome == Outcome::Accepted => {
            Some(format!("accepted, by {} seats of round {}", e.verdict.supporters, e.verdict.round))
        }
        OracleEvent::Settled(e) if e.jobId == job => Some(outcome_name(e.verdict.outcome).to_owned()),
        OracleEvent::Delivered(e) if e.jobId == job => Some(format!("{} was told", e.consumer)),
        _ => None,
    }
}

fn list(members: &[B256]) -> String {
    members.iter().map(|&word| Member::from(word).seat.to_string()).collect::<Vec<_>>().join(", ")
}

/// The verdict is what is waited for, and, if this sends what is due, that everybody has his money.
fn is_over(job: &Job, advancing: bool) -> bool {
    match job.phase {
        Phase::Settled => !advancing || job.due.name().is_none(),
        Phase::Expired => !advancing,
        _ => false,
    }
}

/// Why no event of a job is listed. The contract has the last word: the node may have left them out.
async fn gone(chain: &Chain, job: B256) -> eyre::Report {
    match chain.oracle().stateOf(job, 1).call().await {
        Err(error) => ChainError::from(error).into(),
        Ok(state) if state.stage != Stage::None => ChainError::Unlisted.into(),
        Ok(_) => eyre::eyre!(
            "the chain was reorganised and the request is no longer part of it: look at your balance and submit again"
        ),
    }
}

fn waiting_for(due: Due, advancing: bool) -> String {
    match due {
        // The numbers count down: said once, not with every block.
        Due::Nothing(Wait::Blocks(_) | Wait::Seconds(_)) => "waiting for the seed".to_owned(),
        Due::Nothing(Wait::Commit(_)) => "waiting for the verifiers to generate and commit".to_owned(),
        Due::Nothing(Wait::Reveal(_)) => "waiting for the verifiers to reveal".to_owned(),
        Due::Nothing(Wait::Appeal(_)) => "waiting whether somebody appeals".to_owned(),
        Due::Nothing(Wait::Final(_)) => "waiting for the verdict to be final".to_owned(),
        Due::Draw { .. } if !advancing => "waiting for the verifiers to draw and commit".to_owned(),
        Due::Settle(_) if !advancing => "waiting for somebody to settle; `oracle advance` would".to_owned(),
        due => due.to_string(),
    }
}

/// Somebody else may have been faster: then there is nothing to send any more.
async fn send(account: &Account, job: &Job) -> eyre::Result<()> {
    let Err(error) = advance::take(account, job).await else { return Ok(()) };
    match Job::read(&account.chain, job.request.clone()).await? {
        now if now.due != job.due => Ok(()),
        _ => Err(error),
    }
}

fn is_passing(error: &eyre::Report) -> bool {
    let chain_error = error.downcast_ref::<ChainError>();
    let follow_error = error.downcast_ref::<FollowError>();
    chain_error.is_some_and(ChainError::is_transient) || matches!(follow_error, Some(FollowError::Rpc(_)))
}
