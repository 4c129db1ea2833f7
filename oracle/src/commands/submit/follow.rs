//! Following a job to its verdict. Sends nothing unless asked to.

use std::time::Duration;

use alloy::{primitives::B256, providers::DynProvider};
use oracle::{
    chain::{Account, Chain, Request},
    follower::{Advance, Event, FollowError, Follower, OracleEvent, Trail},
};
use tokio::time::{Instant, sleep};

use crate::commands::{
    advance::{self, Due, Wait},
    report::{JobView, Outcome, Phase, outcome_name},
    terminal::{Progress, Terminal},
};

/// Between two looks at the chain.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the node may be out of reach before this gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns once the job is decided, or can no longer be.
pub(super) async fn to_the_end(
    chain: &Chain,
    request: &Request,
    advancing: Option<&Account>,
    terminal: &Terminal,
) -> eyre::Result<()> {
    let trail = Trail::from_block(request.block);
    let mut follower = Follower::new(chain.provider.clone(), chain.deployment, 0, trail);
    let mut progress = terminal.progress();
    let mut out_of_reach_since = None;
    loop {
        match look(&mut follower, chain, request.id, advancing, &mut progress).await {
            Ok(true) => return Ok(()),
            Ok(false) => out_of_reach_since = None,
            Err(error) if is_passing(&error) => {
                let since = *out_of_reach_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return Err(error);
                }
                progress.step(format!("the node is out of reach, trying again: {error}"));
            }
            Err(error) => return Err(error),
        }
        sleep(PAUSE).await;
    }
}

/// Tells what is new; true once it is over.
async fn look(
    follower: &mut Follower<DynProvider>,
    chain: &Chain,
    job: B256,
    advancing: Option<&Account>,
    progress: &mut Progress,
) -> eyre::Result<bool> {
    catch_up(follower, job, progress).await?;
    let (due, view) = advance::look(chain, job).await?;
    if is_over(&view)? || (due == Due::Expire && advancing.is_none()) {
        return Ok(true);
    }
    progress.step(waiting_for(due, advancing.is_some()));
    if let (Some(account), Due::Draw(_) | Due::Settle | Due::Expire) = (advancing, due) {
        send(account, job, due, chain).await?;
    }
    Ok(false)
}

async fn catch_up(follower: &mut Follower<DynProvider>, job: B256, progress: &Progress) -> Result<(), FollowError> {
    loop {
        match follower.advance().await? {
            Advance::Idle => return Ok(()),
            Advance::Reorged { back_to } => {
                progress.done(format!("the chain was reorganised: going on from block {}", back_to.number));
            }
            Advance::Confirmed { events, next } => {
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
    match event {
        OracleEvent::Requested(e) if e.jobId == job => Some("paid".to_owned()),
        OracleEvent::Drawn(e) if e.jobId == job => Some(format!("drew seats {}", list(&e.seats))),
        OracleEvent::Committed(e) if e.jobId == job => Some(format!("seat {} committed", e.seat)),
        OracleEvent::Declined(e) if e.jobId == job => Some(format!("seat {} declined", e.seat)),
        OracleEvent::Revealed(e) if e.jobId == job => Some(format!("seat {} revealed {}", e.seat, e.digest)),
        OracleEvent::Settled(e) if e.jobId == job && e.outcome == Outcome::Accepted => {
            Some(format!("accepted, by seats {}", list(&e.supporters)))
        }
        OracleEvent::Settled(e) if e.jobId == job => Some(outcome_name(e.outcome).to_owned()),
        _ => None,
    }
}

fn list(seats: &[u32]) -> String {
    seats.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn is_over(view: &JobView) -> eyre::Result<bool> {
    eyre::ensure!(
        view.phase != Phase::None,
        "the chain was reorganised and the request is no longer part of it: look at your balance and submit again"
    );
    Ok(view.phase == Phase::Closed)
}

fn waiting_for(due: Due, advancing: bool) -> String {
    match due {
        // The numbers count down: said once, not with every block.
        Due::Nothing(Wait::Blocks(_)) => "waiting for the seed block".to_owned(),
        Due::Nothing(Wait::Commit(_)) => "waiting for the verifiers to generate and commit".to_owned(),
        Due::Nothing(Wait::Reveal(_)) => "waiting for the verifiers to reveal".to_owned(),
        Due::Draw(_) if !advancing => "waiting for somebody to draw the committee".to_owned(),
        Due::Settle if !advancing => "waiting for somebody to settle; `oracle advance` would".to_owned(),
        due => due.to_string(),
    }
}

/// Somebody else may have been faster: then there is nothing to send any more.
async fn send(account: &Account, job: B256, due: Due, chain: &Chain) -> eyre::Result<()> {
    let Err(error) = advance::take(account, job, due).await else { return Ok(()) };
    match advance::look(chain, job).await? {
        (now, _) if now != due => Ok(()),
        _ => Err(error),
    }
}

fn is_passing(error: &eyre::Report) -> bool {
    let chain_error = error.downcast_ref::<oracle::chain::ChainError>();
    let follow_error = error.downcast_ref::<FollowError>();
    chain_error.is_some_and(oracle::chain::ChainError::is_transient)
        || matches!(follow_error, Some(FollowError::Rpc(_)))
}
