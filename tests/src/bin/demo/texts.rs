//! The demo with a language model: five verifiers, four honest ones write the same tokens, one cuts its text short.

use std::path::{Path, PathBuf};

use alloy::primitives::B256;
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use oracle::{chain::IGenerationOracle::Outcome, manifest::LocalModel};
use quorate_tests::{
    devnet::{Devnet, Pace},
    outcome::JobOutcome,
    programs,
    verifier::Profile,
};
use serde_json::{Value, json};

use crate::{Output, cast::Cast, jobs, jobs::Order};

/// Relative to the repository.
const MODEL: &str = "models/smollm2-135m-gguf";

/// Threads change the speed, and not the text.
const PROFILES: [Profile; 4] = [
    Profile { name: "1 thread", flags: &["--threads", "1"] },
    Profile { name: "2 threads", flags: &["--threads", "2"] },
    Profile { name: "1 thread", flags: &["--threads", "1"] },
    Profile { name: "2 threads", flags: &["--threads", "2"] },
];

/// With the seats of the committee. The last job has everybody on it, the cheater too.
const QUESTIONS: [(&str, u8); 2] = [("Why is the sky blue?", 3), ("Name three fruits and their colours.", 5)];

/// Plays it, and leaves texts, report and logs in the folder.
pub(crate) async fn run(out: Option<PathBuf>) -> Result<()> {
    let folder = programs::repository().join(MODEL);
    LocalModel::open(&folder)?
        .verify()
        .wrap_err("the language model is not there: `scripts/setup --with-text` gets it (98 MB)")?;
    let out = Output::prepare(&out.unwrap_or_else(|| programs::repository().join("demo-out")))?;
    println!("starting a chain and deploying the contracts ...");
    let devnet = Devnet::start(Pace::Live).await?;
    let played = play(&devnet, &folder, &out).await;
    out.keep_logs(&devnet.folder)?;
    played.wrap_err_with(|| format!("the demo failed; the logs are in {}", out.folder.join("logs").display()))
}

async fn play(devnet: &Devnet, folder: &Path, out: &Output) -> Result<()> {
    let cast = Cast::enter(devnet, folder, &PROFILES).await?;
    let mut orders = Vec::new();
    for ((question, size), number) in QUESTIONS.into_iter().zip(1..) {
        orders.push(Order::submit(devnet, &cast, folder, number, question, size).await?);
    }
    jobs::await_verdicts(devnet, &orders).await?;

    let mut report = Vec::new();
    for order in &orders {
        let told = tell(devnet, &cast, order, out).await?;
        report.push(told);
    }
    std::fs::write(out.folder.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    println!("\nreport  {}", out.folder.join("report.json").display());
    Ok(())
}

/// Prints a job's text and what became of its committee, and says the same for machines.
async fn tell(devnet: &Devnet, cast: &Cast, order: &Order, out: &Output) -> Result<Value> {
    let job = JobOutcome::read(&devnet.chain, order.id).await?;
    ensure!(job.outcome() == Outcome::Accepted, "job {} was not accepted", order.number);
    let winner = job.winner().ok_or_eyre("an accepted job has a winner")?;
    let text = fetch(devnet, order.id, &out.folder.join(format!("job-{}.txt", order.number))).await?;

    println!("\njob {}: {}\n{}\n", order.number, order.prompt, indented(&text));
    let mut seats = Vec::new();
    for ballot in &job.ballots {
        let player = cast.in_seat(ballot.seat).ok_or_eyre("somebody else's seat")?;
        let same = ballot.revealed.as_ref().is_some_and(|opening| opening.digest == winner);
        let (paid, slashed) = (job.paid_to(ballot.seat), job.slashed_from(ballot.seat));
        ensure!(same == player.honest, "{} wrote what nobody expected", player.verifier.party.name);
        ensure!(
            paid.is_zero() != same && slashed.is_zero(),
            "only those who wrote the same are paid, and nobody is slashed"
        );
        println!(
            "  {:8} {:44} {}",
            player.verifier.party.name,
            player.profile,
            if same { "the same tokens: paid" } else { "another text: not paid, not slashed" }
        );
        seats.push(json!({ "seat": ballot.seat, "honest": player.honest, "same": same, "paid": paid.to_string() }));
    }
    Ok(json!({ "jobId": order.id, "prompt": order.prompt, "text": text, "digest": B256::from(winner), "seats": seats }))
}

async fn fetch(devnet: &Devnet, job: B256, file: &Path) -> Result<String> {
    let text = devnet
        .until("the text", jobs::FETCHING, async || {
            let fetch = devnet.oracle()?.args(["fetch", &job.to_string(), "--force", "--out"]).arg(file);
            Ok(fetch.end().await?.status.success().then_some(()))
        })
        .await;
    text?;
    Ok(std::fs::read_to_string(file)?)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
