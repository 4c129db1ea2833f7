//! `oracle status`: where a job stands.

use std::process::ExitCode;

use oracle::{
    chain::IdPrefix,
    spec::{ImageSpec, Spec},
};

use super::{
    Context,
    report::{Consumer, Job, JobReport, Member, Round},
    terminal::{listing, printable, short, table},
    typed::Ether,
};

/// Which job.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The job's id, or at least four hex digits of its beginning
    job: IdPrefix,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let request = chain.find_job(&args.job).await?;
    let job = Job::read(&chain, request).await?;
    context.terminal.result(&job.report(), human)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn human(report: &JobReport) -> String {
    let mut lines = vec![
        ("job", report.job_id.to_string()),
        ("phase", phase(report)),
        ("outcome", report.outcome.to_owned()),
        ("digest", or_dash(report.digest)),
        ("noise seed", report.noise_seed.map_or_else(|| "not drawn yet".to_owned(), |seed| seed.to_string())),
    ];
    lines.extend(wish(&report.spec));
    lines.extend([
        ("model", report.model_id.to_string()),
        ("requester", report.requester.to_string()),
        ("fee", format!("{} ({} for each of {} seats)", report.fee, report.share, report.committee_size)),
        ("refunded", report.refunded.to_string()),
        ("bond", format!("{} per seat", report.bond)),
        ("safe value", report.safe_value.to_string()),
        ("consumer", report.consumer.map_or_else(String::new, consumer)),
    ]);
    lines.retain(|(_, value)| !value.is_empty());
    let rounds: String = report.rounds.iter().map(|round| format!("\n{}", of_round(report, round))).collect();
    format!("{}{rounds}", listing(&lines))
}

/// What was asked for.
fn wish(spec: &Spec) -> Vec<(&'static str, String)> {
    match spec {
        Spec::Image(spec) => {
            let ImageSpec { width, height, steps, .. } = spec;
            vec![
                ("prompt", printable(&spec.prompt.text())),
                ("without", printable(&spec.negative_prompt.text())),
                ("picture", format!("{width}x{height}, {steps} steps, guidance {}", spec.guidance_scale())),
            ]
        }
        Spec::Text(spec) => {
            let messages =
                spec.messages.iter().map(|message| (message.role.name(), printable(&message.content.text())));
            let decoding = if spec.beams == 1 { "greedy".to_owned() } else { format!("{} beams", spec.beams) };
            messages.chain([("text", format!("up to {} tokens, {decoding}", spec.max_tokens))]).collect()
        }
    }
}

fn of_round(report: &JobReport, round: &Round) -> String {
    let payer = if round.number == 1 { String::new() } else { format!(", paid for by {}", round.payer) };
    let judged = round.digest.map_or_else(|| "no winner".to_owned(), |digest| format!("winner {}", short(digest)));
    let state = match (round.settled, round.draw_seed) {
        (true, _) => "settled, ",
        (false, Some(_)) => "",
        (false, None) if report.outcome == "expired" => return format!("round {}: never drawn\n", round.number),
        (false, None) => return format!("round {}{payer}: not drawn yet\n", round.number),
    };
    let reward = match round.reward == Ether::default() {
        true => String::new(),
        false => format!("; {} for having been right", round.reward),
    };
    let seats = round.committee_size;
    let head = format!("round {}: {seats} seats{payer}: {state}{judged}{reward}", round.number);
    let mut table = table(["seat", "operator", "step", "distances", "zone", "paid", "slashed", "content hash"]);
    for member in &round.members {
        table.add_row(row(member));
    }
    format!("{head}\n{table}\n")
}

fn consumer(consumer: Consumer) -> String {
    let took_it = match consumer.took_it {
        None => "not told yet",
        Some(true) => "told",
        Some(false) => "told, and it reverted",
    };
    format!("{} with {} gas: {took_it}", consumer.address, consumer.gas)
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn row(member: &Member) -> [String; 8] {
    let dash = || "-".to_owned();
    [
        member.seat.to_string(),
        short(member.operator),
        member.step.to_owned(),
        member.distances.map_or_else(dash, |bits| bits.map(|bits| bits.to_string()).join(" ")),
        member.zone.map_or_else(dash, |zone| format!("{zone:?}").to_lowercase()),
        amount(member.paid),
        amount(member.slashed),
        member.content_hash.map_or_else(dash, short),
    ]
}

fn amount(wei: Ether) -> String {
    if wei == Ether::default() { "-".to_owned() } else { wei.to_string() }
}

fn phase(report: &JobReport) -> String {
    let left = seconds(report.deadline.unwrap_or_default().saturating_sub(report.chain_time.time));
    match report.phase {
        "draw" => format!("draw: anyone may draw for {left}"),
        "expired" => "expired: anyone may send the fee back with `oracle advance`".to_owned(),
        "commit" => format!("commit: {left} left"),
        "reveal" => format!("reveal: {left} left"),
        "appeal" => match report.appeal {
            Some(appeal) => {
                format!("appeal: for {left} anyone may have {} seats look again for {}", appeal.seats, appeal.fee)
            }
            None => {
                let reason =
                    report.no_appeal.map_or_else(String::new, |reason| format!(" without an appeal: {reason}"));
                format!("appeal: the verdict is final in {left}{reason}")
            }
        },
        "settle" => "settle: anyone may settle it with `oracle advance`".to_owned(),
        other => format!("{other}: {}", report.next),
    }
}

/// Seconds as people say them.
fn seconds(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_said_in_two_units_at_most() {
        assert_eq!(seconds(59), "59 s");
        assert_eq!(seconds(61), "1 min 1 s");
        assert_eq!(seconds(7_321), "2 h 2 min");
    }
}
