//! A committee that cheaters hold is overturned by a larger one: they lose their bonds, and whoever doubted them gains.

use alloy::{primitives::U256, providers::ext::AnvilApi as _};
use eyre::{OptionExt as _, Result};
use oracle::{
    chain::IGenerationOracle::{Outcome, Phase},
    commitment::Opening,
    digest::Zone,
    fees::{escrow_of, reward},
    round::Member,
};
use quorate_tests::{
    by_hand::{ByHand, draw, foretold, latest, made_up},
    party::Party,
};

use crate::play::{Play, bond, share};

/// Makes the appeal window two minutes: a node needs time to make its picture again.
const SLOW: u32 = 3_600_000;

/// Seats in the pool: all of them sit in the second round.
const POOL: usize = 7;

/// Who holds which seat is settled once it is known whom the draw takes: a seat's owner may change its operator until
/// then. So the first round of three has two cheaters, and the second one of seven has the same two and a majority of
/// one honest node's seats.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cheaters_outvoted_appeals_and_is_rewarded() -> Result<()> {
    let play = Play::begin_taking(SLOW).await?;
    let troupe = play.devnet.party("troupe")?;
    let seats = take_seats(&play, &troupe).await?;
    let honest = play.outsider("honest", &troupe).await?;
    let operator = honest.party.address();

    let job = play.submit("a fox").await?;
    play.phase(job, Phase::Draw).await?;
    let request = play.look(job).await?.request;
    let first = foretold(&play.devnet.chain, &request, &latest(&play.devnet.chain, job).await?).await?;
    let first: Vec<u32> = first.members.iter().map(|&word| Member::from(word).seat).collect();
    by(&seats, first[0])?.appoint(play.model, operator).await?;
    draw_if_nobody_did(&play, &seats[0], job).await?;

    let cheaters = [first[1], first[2]];
    let lie = |number: u8| Opening { digest: made_up(0).digest, ..made_up(number) };
    play.phase(job, Phase::Commit).await?;
    for (number, seat) in (0..).zip(cheaters) {
        by(&seats, seat)?.commit(job, &lie(number)).await?;
    }
    let others: Vec<u32> = seats.iter().map(|seat| seat.seat).filter(|seat| !first.contains(seat)).collect();
    for &seat in &others[..3] {
        by(&seats, seat)?.appoint(play.model, operator).await?;
    }
    play.phase(job, Phase::Reveal).await?;
    for (number, seat) in (0..).zip(cheaters) {
        by(&seats, seat)?.reveal(job, &lie(number)).await?;
    }

    play.devnet
        .until("the appeal", crate::play::PATIENCE, async || {
            Ok((play.look(job).await?.history.rounds.len() == 2).then_some(()))
        })
        .await?;
    play.phase(job, Phase::Commit).await?;
    for (number, seat) in (2..).zip(cheaters) {
        by(&seats, seat)?.commit(job, &lie(number)).await?;
    }
    by(&seats, others[3])?.decline(job).await?;
    play.phase(job, Phase::Reveal).await?;
    for (number, seat) in (2..).zip(cheaters) {
        by(&seats, seat)?.reveal(job, &lie(number)).await?;
    }
    let end = play.end(job).await?;

    let verdict = end.history.verdict.as_ref().ok_or_eyre("there is a verdict")?;
    assert_eq!((verdict.outcome, verdict.round, verdict.supporters), (Outcome::Accepted, 2, 4));
    for seat in cheaters {
        assert_eq!(end.slashed_from(seat), bond() * U256::from(2), "in both rounds");
        assert_eq!(end.paid_to(seat), U256::ZERO);
    }
    assert_eq!(end.ballot(first[0])?.judged.map(|judged| judged.zone), Some(Zone::Accepted));
    assert_eq!(end.paid_to(first[0]), share() * U256::from(2));
    assert_eq!(end.slashed_from(first[0]), U256::ZERO);

    let appealed = end.history.round(2).ok_or_eyre("there was an appeal")?;
    assert_eq!(appealed.payer, operator);
    let spent = escrow_of(&end.request.job, 2) - share() * U256::from(3);
    assert_eq!(appealed.reward, reward(spent, bond() * U256::from(2)));
    assert!(appealed.reward > spent, "it gained by its appeal");
    Ok(())
}

/// The same by the commands for people: anybody who doubts a verdict can appeal.
#[tokio::test(flavor = "multi_thread")]
async fn anybody_can_appeal_and_sees_the_arithmetic_first() -> Result<()> {
    let play = Play::begin_taking(SLOW).await?;
    let troupe = play.devnet.party("troupe")?;
    let seats = take_seats(&play, &troupe).await?;
    let doubter = play.devnet.party("doubter")?;

    let job = play.submit("a bee").await?;
    play.phase(job, Phase::Draw).await?;
    draw(&seats[0].account, job).await?;
    vote(&play, &seats, job, 0).await?;
    play.phase(job, Phase::Appeal).await?;

    let appeal = || Ok::<_, eyre::Report>(play.devnet.oracle()?.args(["appeal", &job.to_string()]).signed_by(&doubter));
    let asked = appeal()?.end().await?;
    assert!(!asked.status.success() && asked.stderr.contains("--yes"), "{}", asked.stderr);
    let paid = appeal()?.arg("--yes").json().await?;
    assert_eq!((paid["round"].as_u64(), paid["seats"].as_u64()), (Some(2), Some(7)));

    play.phase(job, Phase::Draw).await?;
    play.advance(job).await?;
    vote(&play, &seats, job, 1).await?;
    play.close(job, Phase::Appeal).await?;
    for _ in 0..2 {
        play.advance(job).await?;
    }
    let end = play.end(job).await?;

    let first = end.history.round(1).ok_or_eyre("there was a first round")?;
    for vote in first.votes() {
        let seat = end.ballots.iter().find(|ballot| ballot.seat == vote.member.seat && ballot.round == 1);
        assert_eq!(seat.map(|ballot| ballot.slashed), Some(bond()), "all three are slashed");
    }
    let appealed = end.history.round(2).ok_or_eyre("there was an appeal")?;
    let fee = escrow_of(&end.request.job, 2);
    assert_eq!((appealed.payer, appealed.reward), (doubter.address(), reward(fee, bond() * U256::from(3))));
    Ok(())
}

/// A round that cannot be staffed would undo any verdict.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_appeal_where_the_pool_cannot_staff_the_next_round() -> Result<()> {
    let play = Play::begin().await?;
    let alice = play.by_hand("alice").await?;
    let seats = [alice.another(play.model).await?, alice.another(play.model).await?, alice];

    let job = play.submit("an owl").await?;
    play.phase(job, Phase::Draw).await?;
    // Time stands still but for what is sent: the appeal window stays open.
    play.devnet.chain.provider.anvil_set_auto_mine(true).await?;
    draw(&seats[0].account, job).await?;
    vote(&play, &seats, job, 0).await?;
    play.phase(job, Phase::Appeal).await?;

    let appeal = play.devnet.oracle()?.args(["appeal", &job.to_string(), "--yes"]).signed_by(&play.requester);
    let said = appeal.refuse().await?;
    assert!(said.contains("round 2 takes 7 seats, and the pool at the request had 3"), "{said}");
    let status = play.devnet.oracle()?.args(["status", &job.to_string()]).json().await?;
    assert!(status["appeal"].is_null(), "none is offered");
    assert_eq!(status["noAppeal"]["reason"], "smallPool");
    assert_eq!((&status["safeValue"], &status["noSafeValue"]["needed"]), (&"0".into(), &21.into()));
    Ok(())
}

/// Everybody on the latest committee says the same.
async fn vote(play: &Play, seats: &[ByHand], job: alloy::primitives::B256, digest: u8) -> Result<()> {
    play.phase(job, Phase::Commit).await?;
    let members: Vec<_> = latest(&play.devnet.chain, job).await?.votes().iter().map(|vote| vote.member.seat).collect();
    let opening = |seat: u32| Opening { digest: made_up(digest).digest, ..made_up(seat as u8 + 100 * digest) };
    for &seat in &members {
        by(seats, seat)?.commit(job, &opening(seat)).await?;
    }
    for &seat in &members {
        by(seats, seat)?.reveal(job, &opening(seat)).await?;
    }
    Ok(())
}

/// All seats there are.
async fn take_seats(play: &Play, party: &Party) -> Result<Vec<ByHand>> {
    let mut seats = vec![ByHand::enrol(&play.devnet, party, play.model).await?];
    while seats.len() < POOL {
        seats.push(seats[0].another(play.model).await?);
    }
    Ok(seats)
}

fn by(seats: &[ByHand], seat: u32) -> Result<&ByHand> {
    seats.iter().find(|held| held.seat == seat).ok_or_eyre(format!("seat {seat} is nobody's"))
}

/// The node may do it, too, now that it is on the committee.
async fn draw_if_nobody_did(play: &Play, by: &ByHand, job: alloy::primitives::B256) -> Result<()> {
    match draw(&by.account, job).await {
        Err(error) if play.look(job).await?.phase == Phase::Draw => Err(error),
        _ => Ok(()),
    }
}
