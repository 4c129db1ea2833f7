//! `prover-node status`: seats, stakes, earnings, jobs by phase and the last errors, from the chain and the journal.
//! Changes nothing.

mod view;

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
};
use dialoguer::console::Term;
use eyre::ensure;
use oracle::chain::{Chain, ChainArgs, ChainError, ChainTime, IGenerationOracle::Phase, ModelRef, connect};
use serde::Serialize;

use super::{Wei, operator::OperatorArgs, print_json};
use crate::{
    config::genesis,
    data_dir::default_path,
    database::DatabaseArgs,
    journal::{Journal, JournalError, LatestDraw, Location, OpenJobs, Owner, Trouble},
    look::Look,
    pool::{PoolSeat, seats_of},
};

/// Draws that are shown, open ones first.
const DRAWS: u32 = 12;

/// Errors that are shown.
const TROUBLES: u32 = 5;

/// Between two views of `--watch`.
const PAUSE: Duration = Duration::from_secs(2);

/// What was typed after `status`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Examples:
  prover-node status 0x<operator>
  prover-node status --keystore operator.json --watch")]
pub struct StatusArgs {
    /// Owner or operator whose seats are shown [default: --operator, else the keystore's address]
    #[arg(value_name = "ADDRESS")]
    account: Option<Address>,
    #[command(flatten)]
    operator: OperatorArgs,
    /// Only this model: id, beginning of it, or name [default: all]
    #[arg(long, env = "QUORATE_MODEL", value_name = "MODEL")]
    model: Option<ModelRef>,
    /// The node's data directory [default: the one that `run` takes]
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Show it again and again until Ctrl-C
    #[arg(long, short, conflicts_with = "json")]
    watch: bool,
    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    account: Address,
    /// For gas, in wei.
    balance: Wei,
    /// Bounties and rewards, and what pays for requests and appeals, in wei.
    at_oracle: Wei,
    /// The newest block.
    head: ChainTime,
    /// The last block that the node has taken in; none if it has not run here.
    followed: Option<u64>,
    seats: Vec<SeatLine>,
    /// Of the node on this machine; none if it has not run here.
    open_jobs: Option<OpenJobs>,
    /// The newest draws, open ones first.
    draws: Vec<DrawLine>,
    /// What went wrong lately, newest first.
    last_errors: Vec<Trouble>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeatLine {
    model: String,
    seat: u32,
    owner: Address,
    operator: Address,
    /// In wei.
    stake: Wei,
    /// What `withdraw` would pay its owner, in wei.
    earned: Wei,
    /// Open jobs that hold a bond of it.
    jobs: u32,
    /// Bonds that its stake covers.
    bonds: u8,
    state: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DrawLine {
    job: B256,
    round: u8,
    /// Where it stands, or how it ended.
    state: String,
    /// When that ends by the clock, in seconds since the epoch.
    deadline: Option<u64>,
    is_open: bool,
}

/// Prints the report, or draws it again and again.
pub async fn execute(args: StatusArgs, json: bool) -> eyre::Result<()> {
    let chain = connect(&args.chain).await?;
    if args.watch {
        return watch(&chain, &args).await;
    }
    let report = Report::of(&chain, &args).await?;
    match json {
        true => print_json(&report)?,
        false => println!("{report}"),
    }
    Ok(())
}

async fn watch(chain: &Chain, args: &StatusArgs) -> eyre::Result<()> {
    let terminal = Term::stdout();
    ensure!(io::stdout().is_terminal(), "--watch draws on a terminal, and this is none: use --json for programs");
    loop {
        // One that fails is shown and tried again: this is left running.
        let text = match Report::of(chain, args).await {
            Ok(report) => format!("{report}\nCtrl-C ends this; the node goes on."),
            Err(error) => format!("error: {error}\n\ntrying again"),
        };
        terminal.clear_screen()?;
        terminal.write_line(&text)?;
        tokio::time::sleep(PAUSE).await;
    }
}

impl Report {
    async fn of(chain: &Chain, args: &StatusArgs) -> eyre::Result<Self> {
        let account = match args.account {
            Some(account) => account,
            None => args.operator.address()?,
        };
        let journal = journal_of(chain, &args.database, args.data_dir.as_deref(), account).await?;
        let head = chain.now().await?;
        let mut report = Self {
            account,
            head,
            balance: Wei(chain.provider.get_balance(account).await.map_err(ChainError::from)?),
            at_oracle: Wei(chain.oracle().balanceOf(account).call().await.map_err(ChainError::from)?),
            seats: seats(chain, args.model.as_ref(), account).await?,
            followed: None,
            open_jobs: None,
            draws: Vec::new(),
            last_errors: Vec::new(),
        };
        if let Some(journal) = journal {
            report.open_jobs = Some(journal.open_jobs().await?);
            report.followed = journal.trail().await?.and_then(|trail| trail.last()).map(|cursor| cursor.number);
            for draw in journal.latest_draws(DRAWS).await? {
                report.draws.push(DrawLine::of(chain, &journal, draw, head).await?);
            }
            report.last_errors = journal.troubles(None, TROUBLES).await?;
        }
        Ok(report)
    }
}

async fn seats(chain: &Chain, model: Option<&ModelRef>, account: Address) -> eyre::Result<Vec<SeatLine>> {
    let models = match model {
        Some(model) => vec![chain.find_model(model).await?],
        None => chain.registered_models().await?,
    };
    let mut lines = Vec::new();
    for model in models {
        let seats = seats_of(chain, model.id, account).await?;
        lines.extend(seats.iter().map(|seat| SeatLine::of(&model.name, seat)));
    }
    Ok(lines)
}

/// That of the operator's node, on this machine or in the database; none if it has not run.
pub(crate) async fn journal_of(
    chain: &Chain,
    database: &DatabaseArgs,
    data_dir: Option<&Path>,
    operator: Address,
) -> eyre::Result<Option<Journal>> {
    let genesis = genesis(chain).await?;
    let folder = match data_dir {
        Some(folder) => folder.to_owned(),
        None => default_path(chain.deployment.chain_id, genesis, operator)?,
    };
    let owner = Owner::new(&chain.deployment, genesis, operator);
    match Journal::read(Location::of(&owner, database.database.as_ref(), &folder)).await {
        Ok(journal) => journal.check_layout().await.map(|()| Some(journal)).map_err(Into::into),
        Err(JournalError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl SeatLine {
    fn of(model: &str, seat: &PoolSeat) -> Self {
        let state = if seat.is_active() { "in the pool" } else { "left" };
        let PoolSeat { number, seat } = seat;
        Self {
            model: model.to_owned(),
            seat: *number,
            owner: seat.owner,
            operator: seat.operator,
            stake: Wei(U256::from(seat.stake)),
            earned: Wei(U256::from(seat.earned)),
            jobs: seat.places.count_ones(),
            bonds: seat.bonds,
            state,
        }
    }
}

impl DrawLine {
    /// One that is open is looked up on the chain.
    async fn of(chain: &Chain, journal: &Journal, draw: LatestDraw, now: ChainTime) -> eyre::Result<Self> {
        let LatestDraw { key, deadline, sealed, ending } = draw;
        let line =
            |state, deadline| Self { job: key.job, round: key.number, state, deadline, is_open: ending.is_none() };
        if let Some(ending) = &ending {
            return Ok(line(ending.clone(), None));
        }
        let Some(request) = journal.request(key.job).await? else {
            return Ok(line("unknown".to_owned(), Some(deadline)));
        };
        let history = chain.history_at(&request, now.block).await?;
        let look = Look::of(request, history, &chain.windows, now);
        let phase = look.phase_of(key.number);
        let ends =
            look.history.round(key.number).and_then(|round| round.deadline(&look.request.job, &chain.windows, phase));
        let made = if sealed { "made" } else { "to make" };
        let state = match phase {
            Phase::Requested | Phase::Draw | Phase::Commit => format!("{}, {made}", name(phase)),
            _ => name(phase).to_owned(),
        };
        Ok(line(state, ends))
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Requested | Phase::Draw => "draw",
        Phase::Commit => "commit",
        Phase::Reveal => "reveal",
        Phase::Appeal => "appeal",
        Phase::Settle => "settle",
        Phase::Settled => "settled",
        Phase::Expired => "expired",
        _ => "gone from the chain",
    }
}
