use alloy::primitives::aliases::{U40, U96};

use super::{
    super::{
        ChainTime,
        IGenerationOracle::{Outcome, Phase, Terms, Windows},
    },
    *,
};

const WINDOWS: Windows = Windows { draw: 60, commit: 120, mostCommit: 300, reveal: 60, appeal: 8 };
const DRAWN_AT: u64 = 1_010;
const COMMIT_BY: u64 = 1_130;

fn job() -> Job {
    let terms = Terms { committeeSize: 3, commitWindow: 120, ..Terms::default() };
    Job { terms, accept: [10; 4].into(), reject: [20; 4].into(), appealWindow: 8, ..Job::default() }
}

fn opened(number: u8) -> Event {
    Event::Opened(IGenerationOracle::Opened {
        jobId: B256::ZERO,
        number,
        payer: Address::ZERO,
        randomnessId: 12,
        drawDeadline: U40::from(1_060),
    })
}

fn drawn(number: u8) -> Event {
    let member =
        |operator: u8| B256::from(Member { operator: Address::repeat_byte(operator), pool: 1, seat: 7, place: 0 });
    let round = Round { number, members: [1, 2, 3].map(member).to_vec(), ..Round::default() };
    Event::Drawn(IGenerationOracle::Drawn { jobId: B256::ZERO, round, commitDeadline: U40::from(COMMIT_BY) })
}

fn committed(member: u64) -> Event {
    let (member, commitment) = (U256::from(member), B256::repeat_byte(9));
    Event::Committed(IGenerationOracle::Committed { jobId: B256::ZERO, number: 1, member, commitment })
}

fn revealed(number: u8, member: u64, digest: u8) -> Event {
    let (member, digest, nothing) = (U256::from(member), B256::repeat_byte(digest), B256::ZERO);
    Event::Revealed(IGenerationOracle::Revealed { jobId: nothing, number, member, digest, contentHash: nothing })
}

fn declined(member: u64) -> Event {
    Event::Declined(IGenerationOracle::Declined { jobId: B256::ZERO, number: 1, member: U256::from(member) })
}

/// Each event with the time of its block.
fn history(events: impl IntoIterator<Item = (u64, Event)>) -> History {
    let mut history = History::default();
    for (time, event) in events {
        history.take_in(event.clone(), time, &Randomness::Randao);
        history.close(&event, time);
    }
    history
}

fn phase(history: &History, time: u64) -> Phase {
    history.phase(&job(), &WINDOWS, ChainTime { block: time - 990, time })
}

#[test]
fn a_round_waits_for_its_seed_and_then_for_its_draw() {
    let waiting = history([(1_000, opened(1))]);

    assert_eq!(phase(&waiting, 1_002), Phase::Requested, "block 12 is the newest one");
    assert_eq!(phase(&waiting, 1_003), Phase::Draw);
    assert_eq!(phase(&waiting, 1_060), Phase::Expired);
    assert_eq!(phase(&History::default(), 1_000), Phase::None);
}

#[test]
fn the_windows_close_one_after_the_other() {
    let round = [(1_000, opened(1)), (DRAWN_AT, drawn(1)), (1_020, committed(0))];
    let silent = history(round.clone());
    assert_eq!(phase(&silent, COMMIT_BY - 1), Phase::Commit);
    assert_eq!(phase(&silent, COMMIT_BY), Phase::Reveal);
    assert_eq!(phase(&silent, COMMIT_BY + 59), Phase::Reveal);
    assert_eq!(phase(&silent, COMMIT_BY + 60), Phase::Appeal);
    assert_eq!(phase(&silent, COMMIT_BY + 68), Phase::Settle);

    let nobody = history(round[..2].to_vec());
    assert_eq!(phase(&nobody, COMMIT_BY), Phase::Appeal, "there is nothing to open");
    assert_eq!(nobody.rounds[0].deadline(&job(), &WINDOWS, Phase::Appeal), Some(COMMIT_BY + 8));
}

#[test]
fn a_window_closes_early_if_nobody_is_left_to_act() {
    let mut events = vec![(1_000, opened(1)), (DRAWN_AT, drawn(1)), (1_020, committed(0)), (1_021, committed(1))];
    assert_eq!(phase(&history(events.clone()), 1_022), Phase::Commit);
    events.push((1_022, declined(2)));
    assert_eq!(phase(&history(events.clone()), 1_022), Phase::Reveal);
    events.extend([(1_025, revealed(1, 0, 1)), (1_030, revealed(1, 1, 1))]);
    assert_eq!(phase(&history(events.clone()), 1_037), Phase::Appeal);
    assert_eq!(phase(&history(events), 1_038), Phase::Settle);

    let all_decline = [(1_000, opened(1)), (DRAWN_AT, drawn(1)), (1_011, declined(0)), (1_012, declined(1))];
    let all_decline = history(all_decline.into_iter().chain([(1_013, declined(2))]));
    assert_eq!(phase(&all_decline, 1_020), Phase::Appeal);
    assert_eq!(phase(&all_decline, 1_021), Phase::Settle);
}

#[test]
fn the_last_reveal_closes_a_round_although_somebody_never_committed() {
    let late = COMMIT_BY + 5;
    let events = [(1_000, opened(1)), (DRAWN_AT, drawn(1)), (1_020, committed(0)), (late, revealed(1, 0, 1))];

    assert_eq!(phase(&history(events.clone()), late + 7), Phase::Appeal);
    assert_eq!(phase(&history(events), late + 8), Phase::Settle);
}

#[test]
fn a_later_round_that_nobody_drew_keeps_the_job_going() {
    let appealed = history([(1_000, opened(1)), (DRAWN_AT, drawn(1)), (1_040, opened(2))]);
    assert_eq!(phase(&appealed, 1_059), Phase::Draw);
    assert_eq!(phase(&appealed, 1_060), Phase::Appeal);
    assert_eq!(phase(&appealed, 1_068), Phase::Settle);
    assert_eq!(appealed.rounds[1].calldata(), Round { number: 2, ..Round::default() });

    let last = history([(1_000, opened(1)), (1_040, opened(4))]);
    assert_eq!(phase(&last, 1_060), Phase::Settle, "there is no fifth round");
}

#[test]
fn a_vote_is_judged_by_its_own_round_unless_a_later_one_says_otherwise() {
    let first = [(1_000, opened(1)), (DRAWN_AT, drawn(1)), (1_020, revealed(1, 0, 1)), (1_021, revealed(1, 1, 1))];
    let second = |digest| {
        let votes = (0..3).map(move |member| (1_050, revealed(2, member, digest)));
        // A committee of seven has four supporters: the fourth vote comes from another draw of the same shape.
        [(1_040, opened(2)), (1_045, drawn(2))].into_iter().chain(votes)
    };
    assert_eq!(history(first.clone()).judge_of(1, &job()), Some(B256::repeat_byte(1).into()));
    let unresolved = history(first.into_iter().chain(second(2)));
    assert_eq!(unresolved.judge_of(1, &job()), None, "three of seven decide nothing, and that is the last word");
}

#[test]
fn what_a_round_came_to_is_kept_by_member() {
    let amounts = |of: [u64; 3]| of.map(U96::from).to_vec();
    let settled = Event::RoundSettled(IGenerationOracle::RoundSettled {
        jobId: B256::ZERO,
        number: 1,
        earned: amounts([5, 5, 0]),
        lost: amounts([0, 0, 100]),
    });
    let (digest, safe_value) = (B256::repeat_byte(1), U256::ZERO);
    let verdict = Verdict { outcome: Outcome::Accepted, digest, round: 1, supporters: 2, safeValue: safe_value };
    let last = Event::Settled(IGenerationOracle::Settled { jobId: B256::ZERO, verdict: verdict.clone() });
    let history = history([(1_000, opened(1)), (DRAWN_AT, drawn(1)), (1_200, last), (1_200, settled)]);

    assert_eq!(phase(&history, 1_200), Phase::Settled);
    assert_eq!(history.verdict, Some(verdict));
    let settled = history.rounds[0].settled.as_ref().unwrap();
    assert_eq!((settled.total_earned(), settled.lost[2]), (U256::from(10), U256::from(100)));
}
