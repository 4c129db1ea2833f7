//! `oracle fetch`: the picture or the text of a job, from a quorum of the seats that agreed on it.
//!
//! reveals -> [`copies`] that are what was revealed -> those the verdict accepts -> [`agreement`] -> one file.

mod agreement;
mod copies;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use alloy::primitives::{Address, B256};
use oracle::{
    chain::{Chain, IdPrefix, RoundHistory, Vote},
    digest::{Digest, Zone},
    output::Output,
    round::{Member, size_of},
    spec::Spec,
    tally::quorum,
};
use serde::Serialize;

use self::{agreement::Group, copies::Copy};
use super::{
    Context,
    files::{check_absent, write_whole},
    report::{Job, Outcome, phase_name},
    terminal::{Terminal, listing, printable},
};

/// Which job, and where to put it.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The job's id, or at least four hex digits of its beginning
    job: IdPrefix,
    /// The file to write [default: <first 8 digits of the job's id>.png, or .txt]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write every copy that could be fetched, whether it agrees or not, as seat-<N>.png, or .json with the tokens
    #[arg(long, value_name = "DIR")]
    all_to: Option<PathBuf>,
    /// Also write the job's spec, for `prover-node generate --spec`
    #[arg(long, value_name = "FILE")]
    spec_out: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

const AFTER_HELP: &str = "\
A copy counts if its sha256 is the content hash that its seat revealed, it is a PNG of the size asked for, or a text \
with its tokens, and its digest is within the model's accept distance of the verdict's. Texts agree if they are equal. Pictures agree if their colours differ by at most 4 of \
255 levels on average, and at most 2 % of the pixels by more than 32. The picture is the copy that most others agree \
with, and a quorum of the committee must agree with it; copies that do not are dropped and named.";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fetched {
    job_id: B256,
    file: PathBuf,
    content_hash: B256,
    digest: Digest,
    noise_seed: B256,
    spec: Spec,
    /// If it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Seats whose copies agree.
    agreeing: Vec<u32>,
    dropped: Vec<Dropped>,
    /// Every copy that was written with `--all-to`.
    copies: Vec<Written>,
}

/// A seat whose copy does not count, and why.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    seat: u32,
    operator: Address,
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    seat: u32,
    content_hash: B256,
    file: PathBuf,
}

pub(crate) async fn run(args: Args, context: &Context) -> eyre::Result<ExitCode> {
    let chain = context.connect().await?;
    let request = chain.find_job(&args.job).await?;
    let job = Job::read(&chain, request).await?;
    let out = args.out.clone().unwrap_or_else(|| default_out(&job));
    check_absent(&out, args.force)?;
    write_spec(&args, &job)?;
    let digest = accepted(&job)?;

    let (fetched, mut dropped) = fetch(&chain, &job, args.all_to.is_some(), &context.terminal).await?;
    let copies = write_all(&args, &fetched)?;
    let (counting, refused) = sort_out(&job, &digest, fetched);
    dropped.extend(refused);
    let group = agreement::largest(&counting);
    dropped.extend(differing(&counting, group.as_ref()));
    for dropped in &dropped {
        context.terminal.note(format!("dropped {dropped}"));
    }

    let group = quorate(&job, &counting, group)?;
    let chosen = &counting[group.centre];
    let text = match &chosen.output {
        Output::Picture(_) => None,
        Output::Text(text) => Some(text.text.clone()),
    };
    write_whole(&out, text.as_ref().map_or(&chosen.bytes, |text| text.as_bytes()), args.force)?;
    let fetched = Fetched {
        job_id: job.request.id,
        file: out,
        content_hash: chosen.content_hash,
        digest,
        noise_seed: noise_seed(&job),
        spec: job.request.spec.clone(),
        text,
        agreeing: group.members.iter().map(|&index| counting[index].seat).collect(),
        dropped,
        copies,
    };
    context.terminal.result(&fetched, human)?;
    Ok(ExitCode::SUCCESS)
}

fn default_out(job: &Job) -> PathBuf {
    let extension = match job.request.spec {
        Spec::Image(_) => "png",
        Spec::Text(_) => "txt",
    };
    PathBuf::from(format!("{}.{extension}", &job.request.id.to_string()[2..10]))
}

fn accepted(job: &Job) -> eyre::Result<Digest> {
    let made = job.request.spec.makes();
    job.winner().ok_or_else(|| match job.outcome() {
        Outcome::Unresolved => {
            eyre::eyre!("the committee of job {} did not agree: there is no {made}", job.request.id)
        }
        Outcome::Expired => eyre::eyre!("job {} was never drawn: there is no {made}", job.request.id),
        _ => eyre::eyre!(
            "job {} has no verdict yet (phase: {}); `oracle status` shows when it is due",
            job.request.id,
            phase_name(job.phase)
        ),
    })
}

/// The supporters' copies; with `everybody`, those of all who revealed.
async fn fetch(
    chain: &Chain,
    job: &Job,
    everybody: bool,
    terminal: &Terminal,
) -> eyre::Result<(Vec<Copy>, Vec<Dropped>)> {
    let counts = |vote: &&Vote| vote.reveal.is_some() && (everybody || supporters(job).contains(&vote.member.seat));
    let wanted: Vec<_> = votes(job).iter().filter(counts).collect();
    let operators: Vec<_> = wanted.iter().map(|vote| vote.member.operator).collect();
    let endpoints = chain.endpoints(&operators).await?;

    let mut progress = terminal.progress();
    progress.step(format!("fetching {} copies", wanted.len()));
    let source = |vote: &Vote| {
        let Member { seat, operator, .. } = vote.member;
        let content_hash = vote.reveal?.content_hash;
        Some(copies::Source { seat, operator, content_hash, endpoint: endpoints.get(&operator).cloned() })
    };
    let sources: Vec<_> = wanted.into_iter().filter_map(source).collect();
    Ok(copies::fetch_all(sources, &job.request.spec).await?)
}

/// Those that count, and the others: a supporter's word is good for the output that bears it out.
fn sort_out(job: &Job, digest: &Digest, copies: Vec<Copy>) -> (Vec<Copy>, Vec<Dropped>) {
    let (mut counting, mut dropped) = (Vec::new(), Vec::new());
    for copy in copies {
        if !supporters(job).contains(&copy.seat) {
            dropped.push(copy.dropped("the verdict does not accept its digest"));
        } else if job.profile.zone(digest, &copy.output.digest()) != Zone::Accepted {
            dropped.push(copy.dropped("its output is not what the verdict says"));
        } else {
            counting.push(copy);
        }
    }
    (counting, dropped)
}

fn differing(copies: &[Copy], group: Option<&Group>) -> Vec<Dropped> {
    let agrees = |index| group.is_some_and(|group| group.members.contains(&index));
    let differing = copies.iter().enumerate().filter(|(index, _)| !agrees(*index));
    differing.map(|(_, copy)| copy.dropped("it differs from those that most agree on")).collect()
}

fn quorate(job: &Job, copies: &[Copy], group: Option<Group>) -> eyre::Result<Group> {
    let terms = &job.request.job.terms;
    let size = size_of(terms.committeeSize, deciding(job).map_or(1, |round| round.number));
    let (quorum, agreeing) = (quorum(size, terms.superMajority), group.as_ref().map_or(0, |group| group.members.len()));
    group.filter(|_| agreeing >= quorum).ok_or_else(|| {
        eyre::eyre!(
            "{agreeing} of {} usable copies agree, and a quorum is {quorum}: nothing was written; anybody can make it again: `oracle fetch {} --spec-out SPEC.json`, then `prover-node generate --spec SPEC.json --noise-seed {}`",
            copies.len(),
            job.request.id,
            noise_seed(job)
        )
    })
}

/// The round that found the verdict.
fn deciding(job: &Job) -> Option<&RoundHistory> {
    job.history.round(job.history.verdict.as_ref()?.round)
}

fn votes(job: &Job) -> &[Vote] {
    deciding(job).map(RoundHistory::votes).unwrap_or_default()
}

/// The seats whose digests the winner accepts.
fn supporters(job: &Job) -> Vec<u32> {
    let Some(winner) = job.winner() else { return Vec::new() };
    let agrees =
        |vote: &&Vote| vote.reveal.is_some_and(|reveal| job.profile.zone(&winner, &reveal.digest) == Zone::Accepted);
    votes(job).iter().filter(agrees).map(|vote| vote.member.seat).collect()
}

fn noise_seed(job: &Job) -> B256 {
    job.noise_seed().unwrap_or_default()
}

fn write_spec(args: &Args, job: &Job) -> eyre::Result<()> {
    if let Some(path) = &args.spec_out {
        write_whole(path, &serde_json::to_vec_pretty(&job.request.spec)?, args.force)?;
    }
    Ok(())
}

fn write_all(args: &Args, copies: &[Copy]) -> eyre::Result<Vec<Written>> {
    let Some(folder) = &args.all_to else { return Ok(Vec::new()) };
    fs::create_dir_all(folder).map_err(|error| eyre::eyre!("cannot make the folder {}: {error}", folder.display()))?;
    copies.iter().map(|copy| write_copy(folder, copy, args.force)).collect()
}

fn write_copy(folder: &Path, copy: &Copy, force: bool) -> eyre::Result<Written> {
    let extension = match copy.output {
        Output::Picture(_) => "png",
        Output::Text(_) => "json",
    };
    let file = folder.join(format!("seat-{}.{extension}", copy.seat));
    write_whole(&file, &copy.bytes, force)?;
    Ok(Written { seat: copy.seat, content_hash: copy.content_hash, file })
}

fn human(fetched: &Fetched) -> String {
    let seats: Vec<_> = fetched.agreeing.iter().map(u32::to_string).collect();
    let mut lines = vec![
        ("file", fetched.file.display().to_string()),
        ("agreeing", format!("seats {}", seats.join(", "))),
        ("content hash", fetched.content_hash.to_string()),
        ("digest", fetched.digest.to_string()),
        ("noise seed", fetched.noise_seed.to_string()),
    ];
    match (&fetched.spec, &fetched.text) {
        (_, Some(text)) => lines.push(("text", printable(text))),
        (Spec::Image(spec), None) => lines.push(("prompt", printable(&spec.prompt.text()))),
        (Spec::Text(_), None) => {}
    }
    listing(&lines)
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seat {} ({}): {}", self.seat, self.operator, printable(&self.reason))
    }
}
