//! `prover-node explain`: why a node was paid, not paid or slashed for a job, from what the chain says of it.

use std::path::PathBuf;

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
};
use oracle::{
    chain::{
        Chain, ChainArgs, ChainError, ChainTime, History,
        IGenerationOracle::{Job, Step},
        IdPrefix, JobEvent, Request, RoundHistory, Vote, connect,
    },
    digest::{Digest, ToleranceProfile, Zone},
    fees::{deliver_bounty, draw_bounty, settle_bounty},
    follower::OracleEvent,
};
use serde::Serialize;

use super::{Wei, duration, operator::OperatorArgs, print_json, printable, when};
use crate::{commands::status::journal_of, database::DatabaseArgs, journal::Trouble, look::Look};

/// Notes of the node that are shown.
const NOTES: u32 = 5;

/// What was typed after `explain`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Examples:
  prover-node explain 0x3fa9
  prover-node explain 0x3fa9 --operator 0x<operator> --json")]
pub struct ExplainArgs {
    /// The job's id, or at least four hex digits of its beginning
    job: IdPrefix,
    #[command(flatten)]
    operator: OperatorArgs,
    /// The node's data directory [default: the one that `run` takes]
    #[arg(long, env = "QUORATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    job: B256,
    operator: Address,
    /// By the newest block, in seconds since the epoch.
    now: u64,
    /// Of the whole job: what it waits for.
    next: String,
    /// Rounds that were opened.
    rounds: usize,
    /// In bits: with a lane further away than this, a vote is not paid.
    accept: [u8; 4],
    /// In bits: with a lane further away than this, it costs a bond.
    reject: [u8; 4],
    seats: Vec<Seat>,
    /// For what this operator sent for all.
    bounties: Vec<Bounty>,
    earned: Wei,
    lost: Wei,
    /// What the node itself noted, newest first.
    notes: Vec<Trouble>,
}

/// Something that happened, and when, in seconds since the epoch.
struct Dated {
    event: JobEvent,
    time: u64,
}

/// What somebody is paid who moves a job on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bounty {
    step: &'static str,
    amount: Wei,
}

/// What one of our seats did in one round, and what it came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seat {
    round: u8,
    committee: usize,
    seat: u32,
    times: Times,
    digest: Option<Digest>,
    /// That judges it; none if no digest had a quorum.
    winner: Option<Digest>,
    /// From the winner, in bits, most significant lane first.
    distances: Option<[u32; 4]>,
    zone: Option<Zone>,
    /// Of those who revealed, how many the winner accepts.
    agreeing: usize,
    revealed: usize,
    settled: bool,
    share: Wei,
    bond: Wei,
    paid: Wei,
    slashed: Wei,
    why: String,
}

/// In seconds since the epoch.
#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Times {
    drawn: Option<u64>,
    committed: Option<u64>,
    commit_deadline: Option<u64>,
    declined: Option<u64>,
    revealed: Option<u64>,
    reveal_deadline: Option<u64>,
}

/// Prints the account.
pub async fn execute(args: ExplainArgs, json: bool) -> eyre::Result<()> {
    let chain = connect(&args.chain).await?;
    let operator = args.operator.address()?;
    let request = chain.find_job(&args.job).await?;
    let now = chain.now().await?;
    let events = dated(&chain, &request, now).await?;
    let history = History::of(events.iter().map(|dated| &dated.event), &chain.randomness);
    let look = Look::of(request, history, &chain.windows, now);
    let notes = match journal_of(&chain, &args.database, args.data_dir.as_deref(), operator).await? {
        Some(journal) => journal.troubles(Some(look.request.id), NOTES).await?,
        None => Vec::new(),
    };
    let reveal = u64::from(chain.windows.reveal);
    let bounties = bounties(&chain, &look.request.job, &events, operator).await?;
    let account = Account { bounties, notes, ..Account::of(&look, &events, operator, reveal) };
    if json {
        return print_json(&account);
    }
    account.print();
    Ok(())
}

/// What happened to a job so far, with its times.
async fn dated(chain: &Chain, request: &Request, now: ChainTime) -> Result<Vec<Dated>, ChainError> {
    let mut dated: Vec<Dated> = Vec::new();
    for (_, event) in chain.job_events(&[request.id], request.block, now.block).await? {
        let time = match dated.last() {
            Some(last) if last.event.block == event.block => last.time,
            _ => chain.time_of(event.block).await?,
        };
        dated.push(Dated { event, time });
    }
    Ok(dated)
}

/// What this operator sent that anybody might have sent.
async fn bounties(chain: &Chain, job: &Job, events: &[Dated], operator: Address) -> Result<Vec<Bounty>, ChainError> {
    let mut bounties = Vec::new();
    for Dated { event: JobEvent { event, transaction, .. }, .. } in events {
        let (step, amount) = match event {
            OracleEvent::Drawn(event) => ("draw", draw_bounty(job, event.round.number)),
            OracleEvent::RoundSettled(event) => ("settlement", settle_bounty(job, event.number)),
            OracleEvent::Delivered(_) => ("delivery", deliver_bounty(job)),
            _ => continue,
        };
        let sent = chain.provider.get_transaction_by_hash(*transaction).await?;
        if sent.is_some_and(|sent| sent.inner.signer() == operator) {
            bounties.push(Bounty { step, amount: Wei(amount) });
        }
    }
    Ok(bounties)
}

impl Account {
    fn of(look: &Look, events: &[Dated], operator: Address, reveal_window: u64) -> Self {
        let profile = ToleranceProfile::from(&look.request.job);
        let mut seats = Vec::new();
        for round in &look.history.rounds {
            for (member, vote) in round.votes().iter().enumerate() {
                if vote.member.operator == operator {
                    let times = Times::of(round, member, events, reveal_window);
                    seats.push(Seat::of(look, round, member, vote, times));
                }
            }
        }
        Self {
            job: look.request.id,
            operator,
            now: look.now.time,
            next: look.due.to_string(),
            rounds: look.history.rounds.len(),
            accept: profile.accept,
            reject: profile.reject,
            earned: Wei(seats.iter().map(|seat| seat.paid.0).sum()),
            lost: Wei(seats.iter().map(|seat| seat.slashed.0).sum()),
            seats,
            bounties: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn print(&self) {
        println!("job       {}", self.job);
        println!("operator  {}", self.operator);
        println!("job now   {}", self.next);
        if self.seats.is_empty() {
            println!("\nNo seat of this operator was drawn: there was nothing to do, to earn or to lose.");
        }
        for seat in &self.seats {
            println!("\nround {}, seat {}: {}", seat.round, seat.seat, seat.why);
            for line in self.details(seat) {
                println!("  {line}");
            }
        }
        if !self.seats.is_empty() {
            println!("\nin all    {} earned, {} lost", self.earned, self.lost);
        }
        for Bounty { step, amount } in &self.bounties {
            println!("bounty    {amount} for the {step}");
        }
        if !self.notes.is_empty() {
            println!("\nWhat the node noted, newest first:");
        }
        for note in &self.notes {
            println!("  {}: {}", when(note.time, self.now), printable(&note.message));
        }
    }

    fn details(&self, seat: &Seat) -> Vec<String> {
        let bits = |bits: &[u32; 4]| bits.map(|bits| bits.to_string()).join(" ");
        let mut lines = seat.times.lines();
        if let Some(distances) = &seat.distances {
            let (accept, reject) = (bits(&self.accept.map(u32::from)), bits(&self.reject.map(u32::from)));
            lines.push(format!(
                "distances from the winner, lane by lane: {}; accepted up to {accept}, rejected beyond {reject}",
                bits(distances)
            ));
        }
        lines.push(format!(
            "{} of {} on the committee revealed, and the winner accepts {} of them",
            seat.revealed, seat.committee, seat.agreeing
        ));
        lines.push(format!("at stake: a share of {}, a bond of {}", seat.share, seat.bond));
        lines
    }
}

impl Seat {
    fn of(look: &Look, round: &RoundHistory, member: usize, vote: &Vote, times: Times) -> Self {
        let job = &look.request.job;
        let profile = ToleranceProfile::from(job);
        let winner = look.history.judge_of(round.number, job);
        let digest = vote.reveal.map(|reveal| reveal.digest);
        let seen = winner.zip(digest);
        let digests = round.digests();
        let accepts = |winner: Digest| digests.iter().filter(|it| profile.zone(&winner, it) == Zone::Accepted).count();
        let amount = |of: Option<&Vec<U256>>| Wei(of.and_then(|of| of.get(member)).copied().unwrap_or_default());
        let settled = round.settled.as_ref();
        let seat = Self {
            round: round.number,
            committee: round.votes().len(),
            seat: vote.member.seat,
            times,
            digest,
            winner,
            distances: seen.map(|(winner, digest)| winner.distances(&digest)),
            zone: seen.map(|(winner, digest)| profile.zone(&winner, &digest)),
            agreeing: winner.map_or(0, accepts),
            revealed: digests.len(),
            settled: settled.is_some(),
            share: Wei(U256::from(job.terms.share)),
            bond: Wei(if job.terms.fixedSeed { U256::ZERO } else { U256::from(job.bond) }),
            paid: amount(settled.map(|settled| &settled.earned)),
            slashed: amount(settled.map(|settled| &settled.lost)),
            why: String::new(),
        };
        Self { why: seat.reason(vote.step, look.now.time), ..seat }
    }

    /// In a sentence or two.
    fn reason(&self, step: Step, now: u64) -> String {
        let (paid, slashed) = (self.paid, self.slashed);
        let money = match (self.settled, paid.0.is_zero(), slashed.0.is_zero()) {
            (false, ..) => "Nothing is paid or lost before the job is settled.".to_owned(),
            (true, true, true) => "It was not paid, and lost nothing.".to_owned(),
            (true, false, true) => format!("It was paid {paid}."),
            (true, true, false) => format!("It lost {slashed}."),
            (true, false, false) => format!("It was paid {paid} and lost {slashed}."),
        };
        let open = |deadline: Option<u64>| deadline.is_some_and(|deadline| now < deadline);
        let what = match step {
            Step::Drawn if open(self.times.commit_deadline) => "it is drawn, and has not committed yet.",
            Step::Drawn => {
                "it was silent: it neither committed nor declined before the commit window closed. That costs half a share \
                 and the seat."
            }
            Step::Out => "it declined in time. That costs a quarter of a share, and the seat stays.",
            Step::Committed if open(self.times.reveal_deadline) => "it has committed, and has not revealed yet.",
            Step::Committed => {
                "it committed and never opened its commitment before the reveal window closed. That costs the bond."
            }
            _ => match (self.zone, self.winner) {
                (Some(Zone::Accepted), _) => "it agreed with the winner.",
                (Some(Zone::Rejected), _) => {
                    "the winner rejects its output: a lane is too far away. That costs the bond, but for a job with a fixed \
                     seed, or a text."
                }
                (Some(_), _) => {
                    "its output is neither near enough to the winner to be paid nor far enough away to be slashed."
                }
                (None, _) => "no digest had a quorum behind it, so that nobody was right or wrong.",
            },
        };
        format!("{what} {money}")
    }
}

impl Times {
    fn of(round: &RoundHistory, member: usize, events: &[Dated], reveal_window: u64) -> Self {
        let commit_deadline = round.drawn.as_ref().map(|drawn| drawn.commit_deadline);
        let reveal_deadline = commit_deadline.map(|deadline| deadline + reveal_window);
        let mut times = Self { commit_deadline, reveal_deadline, ..Self::default() };
        let is_ours = |number: u8, who: U256| number == round.number && who == U256::from(member);
        for Dated { event, time } in events {
            let time = Some(*time);
            match &event.event {
                OracleEvent::Drawn(event) if event.round.number == round.number => times.drawn = time,
                OracleEvent::Committed(event) if is_ours(event.number, event.member) => times.committed = time,
                OracleEvent::Declined(event) if is_ours(event.number, event.member) => times.declined = time,
                OracleEvent::Revealed(event) if is_ours(event.number, event.member) => times.revealed = time,
                _ => {}
            }
        }
        times
    }

    fn lines(&self) -> Vec<String> {
        let Some(from) = self.drawn else { return Vec::new() };
        let after = |time: u64| duration(time.saturating_sub(from));
        let done = |what: &str, at: Option<u64>| at.map(|at| format!("{what} {} after the draw", after(at)));
        let mut lines = Vec::new();
        if let Some(deadline) = self.commit_deadline {
            let done = done("committed", self.committed).or_else(|| done("declined", self.declined));
            let done = done.unwrap_or_else(|| "did not commit".to_owned());
            lines.push(format!("{done}; the window ends {} after it", after(deadline)));
        }
        if let (Some(deadline), Some(_)) = (self.reveal_deadline, self.committed) {
            let done = done("revealed", self.revealed).unwrap_or_else(|| "did not reveal".to_owned());
            lines.push(format!("{done}; the window ends {} after it at the latest", after(deadline)));
        }
        lines
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oracle::chain::Settlement;

    use super::*;
    use crate::look::tests::look;

    /// Of operator 7, whose digest two others reject, with what it lost.
    fn account(steps: &[(u8, u32, Step)], settlement: Option<Settlement>) -> Account {
        let mut look = look(steps);
        look.now.time = 10_000;
        look.history.rounds[0].settled = settlement;
        Account::of(&look, &[], Address::repeat_byte(7), 60)
    }

    fn settled(earned: u64, lost: u64) -> Option<Settlement> {
        let wei = |first: u64| vec![U256::from(first), U256::ZERO, U256::ZERO];
        Some(Settlement { earned: wei(earned), lost: wei(lost) })
    }

    #[test]
    fn who_is_slashed_is_told_how_far_it_was_from_the_winner() {
        let votes = [(7, 1, Step::Revealed), (0xf0, 2, Step::Revealed), (0xf0, 3, Step::Revealed)];
        let account = account(&votes, settled(0, 20_000));
        let [seat] = account.seats.as_slice() else { panic!("one seat is ours") };

        assert_eq!(seat.zone, Some(Zone::Rejected));
        assert!(seat.why.contains("rejects") && seat.why.contains("It lost"), "{}", seat.why);
        assert!(account.details(seat).iter().any(|line| line.contains("accepted up to 10 10 10 10")));
        assert_eq!((seat.revealed, seat.agreeing), (3, 2));
        assert_eq!(account.lost.0, U256::from(20_000));
    }

    #[test]
    fn silence_and_a_secret_kept_are_told_apart() {
        let silent = account(&[(7, 1, Step::Drawn), (8, 2, Step::Revealed)], settled(0, 500));
        assert!(silent.seats[0].why.contains("silent"), "{}", silent.seats[0].why);
        let secret = account(&[(7, 1, Step::Committed), (8, 2, Step::Revealed)], settled(0, 20_000));
        assert!(secret.seats[0].why.contains("never opened"), "{}", secret.seats[0].why);
    }

    #[test]
    fn who_was_not_drawn_has_nothing_to_explain() {
        assert!(account(&[(8, 1, Step::Revealed)], None).seats.is_empty());
    }
}
