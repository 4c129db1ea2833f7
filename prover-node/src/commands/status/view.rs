//! The status as a person reads it.

use std::fmt::{self, Display, Formatter};

use comfy_table::Table;

use super::{DrawLine, Report, SeatLine};
use crate::{
    commands::{printable, table, when},
    job::short,
    journal::{OpenJobs, Trouble},
};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "account   {}", self.account)?;
        writeln!(f, "balance   {}", self.balance)?;
        writeln!(f, "at oracle {}", self.at_oracle)?;
        writeln!(f, "chain     block {}", self.head.block)?;
        match (self.open_jobs, self.followed) {
            (Some(OpenJobs { requested, drawn, sealed }), followed) => {
                let followed = followed.map_or_else(|| "nothing yet".to_owned(), |block| format!("block {block}"));
                writeln!(f, "followed  {followed}")?;
                writeln!(
                    f,
                    "jobs      {requested} waiting for their draw, {drawn} to make, {sealed} committed or about to be"
                )?;
            }
            (None, _) => writeln!(f, "jobs      no node of this account has run here")?,
        }
        match self.seats.is_empty() {
            true => writeln!(f, "seats     none")?,
            false => write!(f, "\n{}\n", seats(&self.seats))?,
        }
        if !self.draws.is_empty() {
            write!(f, "\n{}\n", draws(&self.draws, self.head.time))?;
        }
        if !self.last_errors.is_empty() {
            writeln!(f, "\nlast errors")?;
        }
        for Trouble { job, time, message } in &self.last_errors {
            let job = job.map_or_else(String::new, |job| format!("job {}: ", short(job)));
            writeln!(f, "  {}: {job}{}", when(*time, self.head.time), printable(message))?;
        }
        Ok(())
    }
}

fn seats(lines: &[SeatLine]) -> Table {
    let mut table = table(["model", "seat", "stake", "earned", "open jobs", "state", "operator"]);
    for line in lines {
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
    table
}

fn draws(lines: &[DrawLine], now: u64) -> Table {
    let mut table = table(["job", "round", "state", "until"]);
    for line in lines {
        let until = line.deadline.filter(|_| line.is_open);
        table.add_row([
            format!("0x{}", short(line.job)),
            line.round.to_string(),
            line.state.clone(),
            until.map_or_else(|| "-".to_owned(), |deadline| when(deadline, now)),
        ]);
    }
    table
}
