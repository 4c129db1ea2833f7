//! `oracle compare`: how far the digests of one prompt with different seeds are apart.

use std::{path::PathBuf, process::ExitCode};

use oracle::{
    compare::{Classes, Columns, Histogram, Pairs, matches},
    digest::{LANES, MAX_ACCEPT},
    tolerance::{Distances, Share},
};
use serde::Serialize;

use super::{
    Context,
    terminal::{Progress, listing, percent, table},
    typed::lanes,
};

/// Of what.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Data sets in Parquet, as `prover-node calibrate` writes them, or folders of such files; all are taken together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Count the pairs within these accept distances too, in bits: aHash, dHash, pHash, colour
    #[arg(long, value_name = "A,B,C,D", value_parser = lanes)]
    accept: Option<[u8; 4]>,
    /// Memory for digests, in GB; of larger sets the files are read several times
    #[arg(long, env = "QUORATE_COMPARE_MEMORY", value_name = "GB", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    memory: u64,
}

const AFTER_HELP: &str = "\
All pairs of digests with the same prompt are compared, which is every pair of different jobs that a verifier could \
have confused. The share within a distance is what would pass for the other at that tolerance: per lane, and jointly, \
with every lane within it.

Examples:
  oracle compare digests.parquet
  oracle compare part-1.parquet part-2.parquet --accept 4,6,4,3
  oracle compare digests/ --json";

/// What a digest takes, with what knows its job again.
const BYTES_OF_A_DIGEST: u64 = 80;

/// Pairs that are compared between two signs of life.
const STEP: u64 = 4_000_000_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    digests: u64,
    classes: u64,
    pairs: u64,
    lanes: [Lane; 4],
    /// By the largest distance of the four.
    joint: Histogram,
    /// From 0 bits up.
    shares: Vec<Shares>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Accepted>,
}

#[derive(Serialize)]
struct Lane {
    name: &'static str,
    histogram: Histogram,
}

/// Of the pairs, those within a distance; none of no pairs.
#[derive(Serialize)]
struct Shares {
    bits: u8,
    lanes: [Option<f64>; 4],
    joint: Option<f64>,
}

#[derive(Serialize)]
struct Accepted {
    accept: [u8; 4],
    matches: u64,
    share: Option<f64>,
}

/// What is counted so far.
#[derive(Default)]
struct Tally {
    classes: u64,
    distances: Distances,
    matches: u64,
}

pub(crate) fn run(args: &Args, context: &Context) -> eyre::Result<ExitCode> {
    let classes = Classes::open(&args.files, args.memory * 1_000_000_000 / BYTES_OF_A_DIGEST)?;
    let mut progress = context.terminal.progress();
    let mut tally = Tally::default();
    for part in 0..classes.parts() {
        let of =
            if classes.parts() > 1 { format!(", part {} of {}", part + 1, classes.parts()) } else { String::new() };
        progress.step(format!("reading {} digests{of}", classes.rows()));
        tally.add(&classes.part(part)?, args.accept, &mut progress);
    }
    drop(progress);
    context.terminal.result(&report(&tally, classes.rows(), args.accept), human)?;
    Ok(ExitCode::SUCCESS)
}

impl Tally {
    fn add(&mut self, classes: &[Columns], accept: Option<[u8; 4]>, progress: &mut Progress) {
        let mut left = classes;
        while !left.is_empty() {
            let mut pairs = 0;
            let enough = |class: &Columns| {
                pairs += Pairs::Within(class).count();
                pairs >= STEP
            };
            let count = left.iter().position(enough).map_or(left.len(), |last| last + 1);
            let (now, later) = left.split_at(count);
            progress.step(format!("comparing {pairs} pairs after {}", self.distances.pairs()));
            let now: Vec<_> = now.iter().map(Pairs::Within).collect();
            self.distances.add(&Distances::of(&now));
            self.matches += accept.map_or(0, |accept| matches(&now, accept));
            left = later;
        }
        self.classes += classes.len() as u64;
    }
}

fn report(tally: &Tally, digests: u64, accept: Option<[u8; 4]>) -> Report {
    let Tally { classes, ref distances, matches } = *tally;
    let of = distances.pairs();
    let share = |share: Share| (of > 0).then(|| share.value());
    Report {
        digests,
        classes,
        pairs: of,
        lanes: [0, 1, 2, 3].map(|lane: usize| Lane { name: LANES[lane], histogram: distances.lanes[lane] }),
        joint: distances.joint,
        shares: (0..=MAX_ACCEPT)
            .map(|bits| Shares {
                bits,
                lanes: [0, 1, 2, 3].map(|lane| share(distances.within(lane, bits))),
                joint: share(distances.within_all(bits)),
            })
            .collect(),
        accepted: accept.map(|accept| Accepted { accept, matches, share: share(Share { count: matches, of }) }),
    }
}

fn human(report: &Report) -> String {
    let mut lines = vec![
        ("digests", report.digests.to_string()),
        ("classes", report.classes.to_string()),
        ("pairs", report.pairs.to_string()),
    ];
    if let Some(Accepted { accept, matches, share }) = &report.accepted {
        let accept = accept.map(|bits| bits.to_string()).join(",");
        lines.push(("accepted", format!("{matches} within {accept}: {}", self::share(*share))));
    }

    let mut shares = table(["within", LANES[0], LANES[1], LANES[2], LANES[3], "all four"]);
    for row in &report.shares {
        let [a, b, c, d] = row.lanes.map(share);
        shares.add_row([row.bits.to_string(), a, b, c, d, share(row.joint)]);
    }

    let mut counts = table(["distance", LANES[0], LANES[1], LANES[2], LANES[3], "largest"]);
    let of = |bits: usize| report.lanes.each_ref().map(|lane| lane.histogram.0[bits]);
    let joint = &report.joint.0;
    for bits in (0..joint.len()).filter(|&bits| joint[bits] > 0 || of(bits) != [0; 4]) {
        let [a, b, c, d] = of(bits).map(|count| count.to_string());
        counts.add_row([bits.to_string(), a, b, c, d, joint[bits].to_string()]);
    }
    format!("{}\n{counts}\n\n{shares}", listing(&lines))
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), percent)
}

#[cfg(test)]
mod tests {
    use oracle::digest::Digest;

    use super::*;

    #[test]
    fn shares_are_of_all_pairs_and_nothing_has_none() {
        let class: Columns = [0, 1, 3].map(|lane| Digest::from_lanes([lane, 0, 0, 0])).into_iter().collect();
        let mut tally = Tally::default();
        let terminal = super::super::terminal::Terminal::new(true);
        tally.add(&[class, Columns::default()], Some([1, 0, 0, 0]), &mut terminal.progress());
        let found = report(&tally, 3, Some([1, 0, 0, 0]));

        assert_eq!((found.classes, found.pairs), (2, 3));
        assert_eq!(found.shares[1].lanes, [Some(2.0 / 3.0), Some(1.0), Some(1.0), Some(1.0)]);
        assert_eq!([found.shares[0].joint, found.shares[2].joint], [Some(0.0), Some(1.0)]);
        assert_eq!(found.accepted.map(|accepted| accepted.matches), Some(2));
        assert_eq!(report(&Tally::default(), 0, None).shares[10].joint, None);
    }
}
