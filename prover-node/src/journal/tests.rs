use alloy::primitives::U256;
use tempfile::TempDir;

use super::*;
use crate::{
    job::tests::{drawn, request, sealed},
    wallet::{Call, Fees, Intent, Purpose, Sent, Step},
};

pub(super) fn owner() -> Owner {
    Owner { chain_id: 31_337, genesis: B256::repeat_byte(5), oracle: Address::ZERO, operator: Address::ZERO }
}

fn round() -> RoundKey {
    RoundKey { job: request().id, number: 1 }
}

pub(super) async fn open(folder: &TempDir) -> Journal {
    Journal::open(folder.path(), owner()).await.unwrap()
}

/// As after a crash: what is in the process is lost, what is on disk is not.
async fn reopen(folder: &TempDir, journal: Journal) -> Journal {
    journal.database.close().await;
    open(folder).await
}

#[tokio::test]
async fn a_draw_survives_with_its_spec_and_seats() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    let journal = reopen(&folder, journal).await;

    assert_eq!(journal.request(request().id).await.unwrap(), Some(request()));
    assert_eq!(journal.open_draws().await.unwrap(), [drawn(2).key]);
    assert_eq!(journal.drawn(drawn(2).key).await.unwrap(), Some(drawn(2)));
    assert_eq!(journal.drawn(drawn(3).key).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_sealed_before_a_crash_can_be_opened_after_it() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    assert_eq!(journal.sealed(drawn(2).key).await.unwrap(), None);
    let votes = sealed(drawn(2), 200);
    journal.put_sealed(&votes).await.unwrap();
    let journal = reopen(&folder, journal).await;

    assert_eq!(journal.sealed(drawn(2).key).await.unwrap(), Some(votes));
    assert_eq!(journal.open_jobs().await.unwrap(), OpenJobs { requested: 1, drawn: 0, sealed: 1 });
}

#[tokio::test]
async fn events_told_again_change_nothing() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    let votes = sealed(drawn(2), 200);
    journal.put_sealed(&votes).await.unwrap();

    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    assert_eq!(journal.sealed(drawn(2).key).await.unwrap(), Some(votes.clone()));
    let needed = journal.needed_outputs().await.unwrap();
    assert_eq!(needed, HashSet::from([votes.votes[0].opening.content_hash]));
    journal.end(drawn(2).key, Ending::Settled, 300).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    assert!(journal.open_draws().await.unwrap().is_empty());
    assert!(journal.needed_outputs().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_reorganisation_may_undo_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    journal.end(drawn(2).key, Ending::Settled, 300).await.unwrap();
    journal.stop_awaiting(round()).await.unwrap();

    journal.reopen(300).await.unwrap();
    assert!(journal.awaited().await.unwrap().is_empty());
    assert!(journal.open_draws().await.unwrap().is_empty());
    journal.reopen(299).await.unwrap();
    assert_eq!(journal.open_draws().await.unwrap(), [drawn(2).key]);
    journal.reopen(49).await.unwrap();
    assert_eq!(journal.awaited().await.unwrap(), [round()]);
}

#[tokio::test]
async fn another_draw_of_the_same_job_is_other_work() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    journal.put_sealed(&sealed(drawn(2), 200)).await.unwrap();
    journal.put_draw(&drawn(3)).await.unwrap();

    let later = DrawKey { number: 2, ..drawn(2).key };
    journal.put_draw(&Drawn { key: later, ..drawn(2) }).await.unwrap();

    assert_eq!(journal.sealed(drawn(3).key).await.unwrap(), None);
    assert_eq!(journal.sealed(later).await.unwrap(), None);
    assert_eq!(journal.open_draws().await.unwrap(), [drawn(2).key, drawn(3).key, later]);
}

#[tokio::test]
async fn a_round_is_awaited_until_it_is_drawn_and_again_if_the_chain_tells_of_it_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    assert!(journal.awaited().await.unwrap().is_empty());
    journal.put_round(round(), 50).await.unwrap();
    assert_eq!(journal.awaited().await.unwrap(), [round()]);
    journal.stop_awaiting(round()).await.unwrap();
    assert!(journal.awaited().await.unwrap().is_empty());
    journal.put_round(round(), 50).await.unwrap();
    assert_eq!(journal.awaited().await.unwrap(), [round()]);
}

#[tokio::test]
async fn trail_url_pace_and_published_outputs_survive() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    assert!(journal.trail().await.unwrap().is_none());
    journal.put_trail(&Trail::from_block(17)).await.unwrap();
    journal.put_announced("http://a").await.unwrap();
    journal.put_announced("http://b").await.unwrap();
    journal.put_pace("m f32", 64, Pace(1.5)).await.unwrap();
    journal.put_pace("m f32", 64, Pace(2.5)).await.unwrap();
    journal.publish(B256::repeat_byte(4)).await.unwrap();
    let journal = reopen(&folder, journal).await;

    assert_eq!(journal.trail().await.unwrap(), Some(Trail::from_block(17)));
    assert_eq!(journal.announced().await.unwrap().as_deref(), Some("http://b"));
    assert_eq!(journal.paces("m f32").await.unwrap(), Paces::from_iter([(64, Pace(2.5))]));
    assert!(journal.paces("m f16").await.unwrap().is_empty());
    assert!(journal.is_published(B256::repeat_byte(4)).await.unwrap());
    assert!(!journal.is_published(B256::repeat_byte(5)).await.unwrap());
}

#[tokio::test]
async fn a_journal_is_never_used_for_another_operator_or_chain() {
    let folder = TempDir::new().unwrap();
    open(&folder).await.database.close().await;
    let other = Owner { genesis: B256::repeat_byte(6), ..owner() };

    assert!(matches!(Journal::open(folder.path(), other).await, Err(JournalError::OtherOwner { .. })));
}

#[tokio::test]
async fn a_reader_looks_while_a_node_writes_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(Journal::read(folder.path()).await, Err(JournalError::Missing(_))));
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();

    let reader = Journal::read(folder.path()).await.unwrap();
    assert_eq!(reader.open_jobs().await.unwrap(), OpenJobs { requested: 1, ..OpenJobs::default() });
    assert!(reader.publish(B256::ZERO).await.is_err());
}

#[tokio::test]
async fn a_reader_says_what_to_do_with_another_versions_journal() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    let reader = Journal::read(folder.path()).await.unwrap();
    reader.check_layout().await.unwrap();

    let change = async |sql: &'static str| sqlx::query(sql).execute(&journal.database).await.unwrap();
    change("UPDATE _sqlx_migrations SET version = 1000 WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await;
    assert!(matches!(reader.check_layout().await, Err(JournalError::Newer(_))));
    change("DELETE FROM _sqlx_migrations WHERE version = 1000").await;
    assert!(matches!(reader.check_layout().await, Err(JournalError::Older(_))));
    change("DROP TABLE _sqlx_migrations").await;
    assert!(matches!(reader.check_layout().await, Err(JournalError::Older(_))), "it was never finished");
}

#[tokio::test]
async fn what_the_wallet_has_sent_survives_until_it_is_deep() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    let round = RoundKey { job: B256::repeat_byte(1), number: 2 };
    let purpose = Purpose { step: Step::Reveal, round: Some(round), seat: Some(7) };
    let call = Call { to: Address::repeat_byte(3), data: vec![1, 2].into(), value: U256::from(9) };
    let intent = Intent { purpose, call, deadline: 500 };
    let fees = Fees { most: 30, tip: 2 };
    let first = Sent { hash: B256::repeat_byte(4), nonce: 11, intent: Some(1), gas: 21_000, fees };
    let second = Sent { hash: B256::repeat_byte(5), fees: fees.raised(), ..first };
    let filler = Sent { hash: B256::repeat_byte(6), nonce: 12, intent: None, ..first };
    journal.put_sent(&first, Some(&intent)).await.unwrap();
    let later = Intent { deadline: 600, ..intent };
    journal.put_sent(&second, Some(&later)).await.unwrap();
    journal.put_sent(&filler, None).await.unwrap();
    let journal = reopen(&folder, journal).await;

    assert_eq!(journal.intents().await.unwrap(), [(1, later)]);
    assert_eq!(journal.sent().await.unwrap(), [first, second, filler]);
    journal.forget_sent(11).await.unwrap();
    assert!(journal.intents().await.unwrap().is_empty());
    assert_eq!(journal.sent().await.unwrap(), [filler]);
}

#[tokio::test]
async fn what_is_committed_is_unopened_until_its_output_is_shown() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    let votes = sealed(drawn(2), 200);
    assert_eq!(journal.unopened().await.unwrap(), 0);
    journal.put_sealed(&votes).await.unwrap();

    assert_eq!(journal.unopened().await.unwrap(), 2);
    journal.publish(votes.votes[0].opening.content_hash).await.unwrap();
    assert_eq!(journal.unopened().await.unwrap(), 0);
}
