//! The end of the demo: tables on the terminal, and the contact sheet.

use std::path::Path;

use alloy::primitives::U256;
use comfy_table::{LineStyle, Table, TableStyle};
use eyre::Result;
use quorate_tests::sheet::{Cell, Line, Row, Sheet, Tone};

use crate::{
    money::{change, eth},
    report::{Amount, JobReport, Report, VoteReport},
};

/// The contact sheet's name.
pub(crate) const CONTACT_SHEET: &str = "contact-sheet.png";

/// Prints what happened.
pub(crate) fn print(report: &Report, out: &Path) {
    println!("\nVotes (distances to the winner in bits of 64: aHash dHash pHash colour)\n{}", votes(report));
    println!("\nMoney, in ETH\n{}", money(report));
    println!("\nGas, from the receipts\n{}", gas(report));
    println!("\nPictures       {}", out.join("images").display());
    println!("Contact sheet  {}", out.join(CONTACT_SHEET).display());
    println!("Report         {}", out.join("report.json").display());
    println!("\nWhat was just shown, in {} s:", report.totals.seconds);
    for line in &report.shown {
        println!("  {line}");
    }
}

fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'))).set_header(head);
    table
}

fn votes(report: &Report) -> Table {
    let mut table = table(["job", "asked for", "verifier", "computes", "distances", "zone", "paid", "slashed", "file"]);
    for (number, job) in (1_u32..).zip(&report.jobs) {
        let beside = [job.prompt.as_str(), job.verdict].into_iter().chain(std::iter::repeat(""));
        for (place, (vote, beside)) in job.votes.iter().zip(beside).enumerate() {
            let computes = report.verifiers.iter().find(|verifier| verifier.name == vote.verifier);
            let dash = || "-".to_owned();
            table.add_row([
                if place == 0 { number.to_string() } else { String::new() },
                beside.to_owned(),
                vote.verifier.clone(),
                computes.map_or_else(String::new, |verifier| verifier.profile.clone()),
                vote.distances.map_or_else(|| vote.step.to_owned(), |bits| bits.map(|bits| bits.to_string()).join(" ")),
                vote.zone.unwrap_or("-").to_owned(),
                amount_of(&job.paid, vote).map_or_else(dash, eth),
                amount_of(&job.slashed, vote).map_or_else(dash, eth),
                vote.content_hash.map_or_else(dash, |hash| hash.to_string()[..10].to_owned()),
            ]);
        }
    }
    table
}

fn money(report: &Report) -> Table {
    let mut table = table(["", "balance before", "after", "at the oracle", "stake before", "after", "change in all"]);
    let verifiers = report.verifiers.iter().map(|verifier| (verifier.name.as_str(), verifier.before, verifier.after));
    let requester = ("requester", report.requester.before, report.requester.after);
    for (name, before, after) in verifiers.chain([requester]) {
        let all = |money: crate::report::Money| money.balance + money.credit + money.stake;
        table.add_row([
            name.to_owned(),
            eth(before.balance),
            eth(after.balance),
            change(before.credit, after.credit),
            eth(before.stake),
            eth(after.stake),
            change(all(before), all(after)),
        ]);
    }
    table
}

fn gas(report: &Report) -> Table {
    let mut table =
        table(["job", "seats", "request", "draw and commit", "each commit", "each reveal", "settle", "in all"]);
    for (number, job) in (1..).zip(&report.jobs) {
        let of = |wanted: &str| {
            let all: Vec<_> = job.gas.steps.iter().filter(|step| step.step == wanted).map(|step| step.gas).collect();
            all.iter()
                .sum::<u64>()
                .checked_div(all.len() as u64)
                .map_or_else(|| "-".to_owned(), |mean| mean.to_string())
        };
        let steps = ["request", "draw+commit", "commit", "reveal", "settle"].map(of);
        let [request, draw, commit, reveal, settle] = steps;
        let (number, seats) = (number.to_string(), job.committee_size.to_string());
        table.add_row([number, seats, request, draw, commit, reveal, settle, job.gas.total.to_string()]);
    }
    table
}

fn amount_of(amounts: &[Amount], vote: &VoteReport) -> Option<U256> {
    amounts.iter().find(|amount| amount.verifier == vote.verifier).map(|amount| amount.amount)
}

/// Draws a row for each job with a picture from each verifier.
pub(crate) fn contact_sheet(report: &Report, out: &Path) -> Result<()> {
    let columns = report.verifiers.iter().map(|verifier| [verifier.name.clone(), short(&verifier.profile)]);
    let rows = (1..).zip(&report.jobs).map(|(number, job)| row(report, out, number, job)).collect::<Result<_>>()?;
    let sheet = Sheet {
        title: format!("Quorate: {} jobs with {}", report.jobs.len(), report.model.name),
        columns: columns.collect(),
        rows,
    };
    sheet.save(&out.join(CONTACT_SHEET))
}

/// What comes before the colon.
fn short(profile: &str) -> String {
    profile.split(':').next().unwrap_or(profile).to_owned()
}

fn row(report: &Report, out: &Path, number: u32, job: &JobReport) -> Result<Row> {
    let cell = |name: &String| match job.votes.iter().find(|vote| vote.verifier == *name) {
        Some(vote) => cell(out, job, vote),
        None => Ok(None),
    };
    let tone = if job.verdict == "accepted" { Tone::Good } else { Tone::Bad };
    Ok(Row {
        text: vec![
            Line::new(Tone::Plain, &job.prompt),
            Line::new(Tone::Quiet, format!("job {number}, {} seats", job.committee_size)),
            Line::new(tone, job.verdict),
        ],
        cells: report.verifiers.iter().map(|verifier| cell(&verifier.name)).collect::<Result<_>>()?,
    })
}

fn cell(out: &Path, job: &JobReport, vote: &VoteReport) -> Result<Option<Cell>> {
    let Some(image) = &vote.image else { return Ok(None) };
    let bits = vote.distances.map_or_else(String::new, |bits| bits.map(|bits| bits.to_string()).join(" "));
    let money = match (amount_of(&job.paid, vote), amount_of(&job.slashed, vote)) {
        (_, Some(slashed)) => Line::new(Tone::Bad, format!("slashed {} ETH", eth(slashed))),
        (Some(paid), None) => Line::new(Tone::Good, format!("paid {} ETH", eth(paid))),
        (None, None) => Line::new(Tone::Quiet, "nothing"),
    };
    let tone = match vote.zone {
        Some("accepted") => Tone::Good,
        Some("rejected") => Tone::Bad,
        _ => Tone::Quiet,
    };
    let zone = vote.zone.unwrap_or(vote.step);
    let picture = image::open(out.join(image))?.into_rgb8();
    Ok(Some(Cell { picture, text: vec![Line::new(tone, format!("{zone}: {bits}")), money] }))
}
