//! The attack board of a model that writes: honest greedy texts, and every fraud with them.

use oracle::{
    consensus::{Consensus, Fraud as Judged, consensus},
    dataset::Dataset,
};

use super::{
    super::{calibrate, print_json, printable, table},
    AttackBoardArgs, percent, rare,
};
use crate::attacks::text::Fraud;

/// Honest texts, at most, that the check may not accept by whose tolerance frauds are judged.
const BEYOND: f64 = 0.05;

pub(super) fn execute(args: &AttackBoardArgs, json: bool) -> eyre::Result<()> {
    let others = args.other.iter().map(|folder| Fraud::OtherModel(args.study.models_dir.resolve(folder)));
    let frauds = Fraud::ALL.into_iter().chain(others).map(Some);
    let mut sets = Vec::new();
    for fraud in [None].into_iter().chain(frauds) {
        for made in calibrate::measure(&calibration(args, fraud))? {
            sets.push(Dataset::read(&made.file)?);
        }
    }
    let found = consensus(&sets, BEYOND, None)?;
    match json {
        true => print_json(&found)?,
        false => found.iter().for_each(|found| println!("{}", human(found))),
    }
    Ok(())
}

/// What `prover-node calibrate` is told, to make one of them.
fn calibration(args: &AttackBoardArgs, fraud: Option<Fraud>) -> calibrate::CalibrateArgs {
    calibrate::CalibrateArgs { study: args.study.clone(), seeds: 2, arithmetic: Vec::new(), fraud }
}

fn human(found: &Consensus) -> String {
    let mut rows = table(["fraud", "texts", "is an honest text", "passes a check"]);
    for Judged { fraud, same, accepted, .. } in &found.frauds {
        let passes = accepted.map_or_else(|| "-".to_owned(), rare);
        rows.add_row([printable(fraud), same.of.to_string(), rare(*same), passes]);
    }
    let tau = found.margins.and_then(|margins| margins.tau);
    let tau = tau.map_or_else(|| "unknown: measure more".to_owned(), |tau| format!("{tau} logits"));
    let all =
        found.agreeing.last().map_or_else(String::new, |all| format!("{} of honest texts agree; ", percent(*all)));
    format!("{all}tau {tau}\n\n{rows}")
}
