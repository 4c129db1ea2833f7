//! `prover-node status`: seats, stakes, earnings, open jobs and balances, from the chain and the journal. Changes nothing.

use std::path::PathBuf;

use alloy::{
    primitives::{Address, U256},
    providers::Provider,
};
use comfy_table::{LineStyle, Table, TableStyle};
use oracle::chain::{Chain, ChainArgs, ChainError, ModelRef, connect};
use serde::Serialize;

use super::{Wei, print_json, printable};
use crate::{
    config::genesis,
    data_dir::default_path,
    journal::{Journal, JournalError, OpenJobs},
    pool::{PoolSeat, seats_of},
};

/// What was typed after `status`.
#[derive(Clone, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    chain: ChainArgs,
    /// Owner or operator whose seats are shown
    #[arg(value_name = "ADDRESS")]
    account: Address,
    /// Only this model: id, beginning of it, or name [default: all]
    #[arg(long, env = "QUORATE_MODEL", value_name = "MODEL")]
    model: Option<ModelRef>,
    /// The node's data directory [default: the one that `run` takes]
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    account: Address,
    /// For gas, in wei.
    balance: Wei,
    /// Bounties and rewards, and what pays for requests and appeals, in wei.
    at_oracle: Wei,
    seats: Vec<SeatLine>,
    /// Of the node on this machine; none if it has not run here.
    open_jobs: Option<OpenJobs>,
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

/// Prints the report.
pub async fn execute(args: StatusArgs, json: bool) -> eyre::Result<()> {
    let chain = connect(&args.chain).await?;
    let report = Report {
        account: args.account,
        balance: Wei(chain.provider.get_balance(args.account).await.map_err(ChainError::from)?),
        at_oracle: Wei(chain.oracle().balanceOf(args.account).call().await.map_err(ChainError::from)?),
        seats: seats(&chain, &args).await?,
        open_jobs: open_jobs(&chain, &args).await?,
    };
    if json {
        return print_json(&report);
    }
    report.print();
    Ok(())
}

async fn seats(chain: &Chain, args: &StatusArgs) -> eyre::Result<Vec<SeatLine>> {
    let models = match &args.model {
        Some(model) => vec![chain.find_model(model).await?],
        None => chain.registered_models().await?,
    };
    let mut lines = Vec::new();
    for model in models {
        let seats = seats_of(chain, model.id, args.account).await?;
        lines.extend(seats.iter().map(|seat| SeatLine::of(&model.name, seat)));
    }
    Ok(lines)
}

async fn open_jobs(chain: &Chain, args: &StatusArgs) -> eyre::Result<Option<OpenJobs>> {
    let folder = match &args.data_dir {
        Some(folder) => folder.clone(),
        None => default_path(chain.deployment.chain_id, genesis(chain).await?, args.account)?,
    };
    match Journal::read(&folder).await {
        Ok(journal) => Ok(Some(journal.open_jobs().await?)),
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

impl Report {
    fn print(&self) {
        println!("account   {}", self.account);
        println!("balance   {}", self.balance);
        println!("at oracle {}", self.at_oracle);
        match self.open_jobs {
            Some(OpenJobs { requested, drawn, sealed }) => {
                println!(
                    "jobs      {requested} waiting for their draw, {drawn} to make, {sealed} committed or about to be"
                );
            }
            None => println!("jobs      no node of this account has run here"),
        }
        if self.seats.is_empty() {
            println!("seats     none");
            return;
        }
        let mut table = Table::new();
        let line = LineStyle::none().fill('─').junction('─');
        table.load_style(TableStyle::new().header_separator(line));
        table.set_header(["model", "seat", "stake", "earned", "open jobs", "state", "operator"]);
        for line in &self.seats {
            table.add_row([
                printable(&line.model),
                line.seat.to_string(),
                line.stake.to_string(),
                line.earned.to_string(),
                format!("{} of {}", line.jobs, line.bonds),
                line.state.to_owned(),
                line.operator.to_string(),
            ]);
        }
        println!("{table}");
    }
}
