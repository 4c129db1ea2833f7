//! `oracle appeal`: pays for a larger committee to look again, once the arithmetic was seen.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use alloy::primitives::{B256, TxHash, U256};
use oracle::{
    chain::{Account, IdPrefix},
    fees::{draw_bounty, reward, settle_bounty},
    keys::KeyArgs,
    tally::Verdict,
};
use serde::Serialize;

use super::{
    Context,
    report::{Appeal, Job, phase_name},
    terminal::listing,
    typed::Ether,
    withdraw::balance,
};

/// Which job, and who pays.
#[derive(clap::Args)]
#[command(after_help = "\
Make the picture again before you appeal: `oracle fetch JOB --spec-out spec.json` needs no verdict for the spec, and \
`prover-node generate --spec spec.json --noise-seed ...` says what its digest should be.")]
pub(crate) struct Args {
    /// The job's id, or at least four hex digits of its beginning
    job: IdPrefix,
    /// Pay without being asked
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

/// What is paid, and what may come of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sum {
    job_id: B256,
    /// That would be opened.
    round: u8,
    seats: u8,
    until: u64,
    /// Taken out of the account's balance at the oracle, and sent where that is too little.
    fee: Ether,
    /// That the new committee does not earn comes back; this much at least does not.
    spent_at_least: Ether,
    /// On top of what is spent, if the last verdict is another one and slashes the challenged one's supporters.
    gain_at_most: Ether,
    transaction: Option<TxHash>,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let account = context.connect_as(&args.keys).await?;
    let request = account.chain.find_job(&args.job).await?;
    let job = Job::read(&account.chain, request).await?;
    let id = job.request.id;
    let appeal = match job.appeal() {
        Some(Ok(appeal)) => appeal,
        Some(Err(reason)) => eyre::bail!("job {id} cannot be appealed: {reason}"),
        None => eyre::bail!("job {id} cannot be appealed now (phase: {}): {}", phase_name(job.phase), job.due),
    };

    let mut sum = Sum::of(&job, appeal);
    if !args.yes {
        context.terminal.note(human(&sum));
        eyre::ensure!(io::stdin().is_terminal(), "nobody is there to ask: say yes with --yes");
        eyre::ensure!(said_yes()?, "nothing was paid");
    }
    let mut progress = context.terminal.progress();
    progress.step(format!("paying {} for {} seats to look again", appeal.fee, appeal.seats));
    sum.transaction = Some(pay(&account, &job, appeal.fee.0).await?);
    drop(progress);
    context.terminal.result(&sum, human)?;
    Ok(ExitCode::SUCCESS)
}

async fn pay(account: &Account, job: &Job, fee: U256) -> eyre::Result<TxHash> {
    let missing = fee.saturating_sub(balance(&account.chain, account.address).await?.0);
    let oracle = account.chain.oracle();
    let receipt = account.send(oracle.appeal(job.request.job.clone()).value(missing)).await?;
    Ok(receipt.transaction_hash)
}

fn said_yes() -> io::Result<bool> {
    eprint!("Appeal? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

impl Sum {
    fn of(job: &Job, appeal: Appeal) -> Self {
        let terms = &job.request.job;
        let round = appeal.round;
        // A verdict that is overturned slashes those who supported it, and those who hid.
        let supporters = match job.history.latest().map(|round| round.tally(terms)) {
            Some(Verdict::Accepted { supporters, .. }) => supporters.len(),
            _ => 0,
        };
        let slashed = U256::from(supporters) * U256::from(terms.bond);
        let most = reward(appeal.fee.0, slashed);
        Self {
            job_id: job.request.id,
            round,
            seats: appeal.seats,
            until: appeal.until,
            fee: appeal.fee,
            spent_at_least: Ether(draw_bounty(terms, round) + settle_bounty(terms, round)),
            gain_at_most: Ether(most.saturating_sub(appeal.fee.0)),
            transaction: None,
        }
    }
}

fn human(sum: &Sum) -> String {
    listing(&[
        ("job", sum.job_id.to_string()),
        ("round", format!("{}, with {} seats", sum.round, sum.seats)),
        ("cost", format!("{}, of which shares that nobody earns come back", sum.fee)),
        ("if right", format!("the cost comes back and {} more at most, out of the slashes", sum.gain_at_most)),
        ("if wrong", format!("between {} and {} are gone", sum.spent_at_least, sum.fee)),
        ("paid in", sum.transaction.map_or_else(|| "not paid yet".to_owned(), |tx| tx.to_string())),
    ])
}
