use super::*;
use crate::fees::escrow_of;
use crate::simulation::tests::{measured, setting};

const SHARES: u128 = SHARE as u128;

/// The kinds' numbers, and that of who watches.
const HONEST: usize = 0;
const RING: usize = 1;
const WATCHER: usize = 2;
const KINDS: [(Strategy, u32); 2] = [(Strategy::Honest, 31), (Strategy::Ring, 31)];

fn digest(seed: u8) -> Digest {
    Digest([seed; 32])
}

/// A round in which so many honest seats stand for one digest, and so many of the ring for another.
fn round(number: u8, honest: usize, ring: usize, opened: Option<Opened>) -> Round {
    let vote = |kind, seed| Member { kind, vote: Vote::Revealed(digest(seed)) };
    let members: Vec<_> = (0..honest).map(|_| vote(0, 0x0f)).chain((0..ring).map(|_| vote(1, 0xf0))).collect();
    let digests: Vec<_> = members.iter().map(|member| digest(if member.kind == 0 { 0x0f } else { 0xf0 })).collect();
    let winner = match 2 * honest > members.len() {
        true => Some(digest(0x0f)),
        false if 2 * ring > members.len() => Some(digest(0xf0)),
        false => None,
    };
    Round { number, members, digests, winner, opened }
}

/// What opening a round of seven costs: seven shares, and the bounties for its draw and its settlement.
fn fee(game: &Game<'_>) -> U256 {
    escrow_of(&game.terms, 2)
}

/// The second round is paid for by one of that kind.
fn settled(rounds: impl Fn(Option<Opened>) -> [Round; 2], by: usize, check: impl Fn(&Game<'_>, bool)) {
    let (measured, setting) = (measured(0), setting(3, Appeals::Outvoted));
    let mut game = Game::new(&measured, &setting, &KINDS);
    let opened = Opened { by, fee: fee(&game) };
    let honest_slashed = game.settle(&rounds(Some(opened)));
    check(&game, honest_slashed);
}

/// By the contract's own gas: what keepers earn of a second round.
const BOUNTIES: u64 = 60_000 + 7 * 15_000 + 60_000 + 7 * 30_000;

/// The first round of three is the ring's, and an honest seat pays for seven, who find it wrong: 2 bonds of the first round
/// and 1 of the second are burned, and the appellant gets half again of what it paid and did not get back, which is six shares
/// of supporters and the bounties.
#[test]
fn an_overturned_round_is_judged_by_the_last_word_and_pays_its_appellant() {
    settled(
        |opened| [round(1, 1, 2, None), round(2, 6, 1, opened)],
        HONEST,
        |game, honest_slashed| {
            let [honest, ring, ..] = game.entries[..] else { panic!("two kinds") };
            assert_eq!((honest.earned, honest.lost), (7 * SHARES, 0));
            assert_eq!((ring.earned, ring.lost, ring.slashed), (0, 60 * SHARES, 3));
            assert!(!honest_slashed);

            // Half of it, as three halves are less than the 12 shares that are 30 % of two bonds.
            let paid = 6 * SHARES + u128::from(BOUNTIES) * u128::from(game.terms.gasPrice);
            assert!(3 * paid / 2 < 12 * SHARES);
            assert_eq!(honest.appeals, -(paid / 2).cast_signed());
        },
    );
}

/// The ring holds the last round: five honest seats of both lose their bonds, and of what the challenged round lost, 40
/// shares, 30 % may go to the appellant.
#[test]
fn a_hostile_last_round_slashes_the_honest_of_earlier_ones() {
    settled(
        |opened| [round(1, 2, 1, None), round(2, 3, 4, opened)],
        WATCHER,
        |game, honest_slashed| {
            let [honest, ring, watcher] = game.entries[..] else { panic!("two kinds and who watches") };
            assert!(honest_slashed);
            assert_eq!((honest.earned, honest.lost), (0, 5 * 20 * SHARES));
            assert_eq!((ring.earned, ring.lost), (5 * SHARES, 0));
            let paid = 4 * SHARES + u128::from(BOUNTIES) * u128::from(game.terms.gasPrice);
            assert_eq!(watcher.appeals, -(paid / 2).cast_signed());
        },
    );
}

/// A first verdict that a second round only confirms stands, and its appellant pays for the whole of it.
#[test]
fn an_appeal_that_finds_the_same_costs_its_round() {
    settled(
        |opened| [round(1, 2, 1, None), round(2, 7, 0, opened)],
        WATCHER,
        |game, _| {
            let [honest, ring, watcher] = game.entries[..] else { panic!("two kinds and who watches") };
            assert_eq!((honest.earned, ring.lost), (9 * SHARES, 20 * SHARES));
            assert_eq!(watcher.appeals, wei(fee(game)));
        },
    );
}

/// No quorum at the end undoes a fraud and slashes nobody: half a share to each who revealed, in both rounds; who said nothing
/// loses half a share.
#[test]
fn without_a_last_word_nobody_is_slashed_in_any_round() {
    let unresolved = |opened| {
        let mut round = round(2, 3, 3, opened);
        round.members.push(Member { kind: RING, vote: Vote::Withheld(Step::Drawn) });
        [self::round(1, 1, 2, None), round]
    };
    settled(unresolved, HONEST, |game, honest_slashed| {
        let [honest, ring, ..] = game.entries[..] else { panic!("two kinds") };
        assert!(!honest_slashed);
        assert_eq!(honest.earned, 2 * SHARES);
        assert_eq!((ring.earned, ring.lost, ring.slashed), (5 * SHARES / 2, SHARES / 2, 0));
    });
}

#[test]
fn an_outvoted_seat_appeals_only_where_it_can_expect_to_gain() {
    let measured = measured(0);
    let appellant = |bond: f64, rounds: &[Round]| {
        let setting = Setting { bond, ..setting(3, Appeals::Outvoted) };
        let game = Game::new(&measured, &setting, &KINDS);
        let truth = Truth { job: 0, lie: digest(0xf0) };
        game.appeal(rounds, truth).map(|(next, opened)| (next.seats, opened.by))
    };
    // 20 + 1 + half again of the fee, against two fees of seven shares and bounties.
    assert_eq!(appellant(20.0, &[round(1, 1, 2, None)]), Some((7, 0)));
    assert_eq!(appellant(2.0, &[round(1, 1, 2, None)]), None, "the bond is not worth it");
    assert_eq!(appellant(20.0, &[round(1, 2, 1, None)]), None, "it won");
    assert_eq!(appellant(20.0, &[round(1, 0, 3, None)]), None, "nobody honest was there to see it");
    // Outvoted in the first round, by the second.
    assert_eq!(appellant(20.0, &[round(1, 2, 1, None), round(2, 0, 7, None)]), Some((15, 0)));
}
