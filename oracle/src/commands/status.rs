//! `oracle status`: where a job stands.

use std::process::ExitCode;

use oracle::chain::IdPrefix;

use super::{
    Context,
    report::{Job, JobReport, Member},
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
    let spec = &report.spec;
    let mut lines = vec![
        ("job", report.job_id.to_string()),
        ("phase", phase(report)),
        ("outcome", report.outcome.to_owned()),
        ("digest", report.digest.map_or_else(|| "-".to_owned(), |digest| digest.to_string())),
        ("noise seed", report.noise_seed.map_or_else(|| "not drawn yet".to_owned(), |seed| seed.to_string())),
        ("prompt", printable(&spec.prompt.text())),
        ("without", printable(&spec.negative_prompt.text())),
        (
            "picture",
            format!("{}x{}, {} steps, guidance {}", spec.width, spec.height, spec.steps, spec.guidance_scale()),
        ),
        ("model", report.model_id.to_string()),
        ("requester", report.requester.to_string()),
        ("fee", format!("{} ({} for each of {} seats)", report.fee, report.share, report.committee_size)),
        ("refunded", report.refunded.to_string()),
        ("bond", format!("{} per seat", report.bond)),
    ];
    lines.retain(|(_, value)| !value.is_empty());
    let head = listing(&lines);
    if report.members.is_empty() {
        return head;
    }
    let mut table = table(["seat", "operator", "step", "distances", "zone", "paid", "slashed", "content hash"]);
    for member in &report.members {
        table.add_row(row(member));
    }
    format!("{head}\n{table}")
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
    let (now, deadlines) = (report.chain_time, report.deadlines);
    let left = |deadline: Option<u64>| seconds(deadline.unwrap_or_default().saturating_sub(now.time));
    match report.phase {
        "requested" => format!("requested: the seed is block {}, now is {}", deadlines.seed_block, now.block),
        "draw" => format!("draw: anyone may draw until block {}, now is {}", deadlines.draw_block, now.block),
        "expired" => "expired: anyone may send the fee back with `oracle advance`".to_owned(),
        "commit" => format!("commit: {} left", left(deadlines.commit)),
        "reveal" => format!("reveal: {} left", left(deadlines.reveal)),
        "settle" => "settle: anyone may settle it with `oracle advance`".to_owned(),
        other => other.to_owned(),
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
