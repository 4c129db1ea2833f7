use std::{collections::BTreeSet, path::Path};

use alloy::primitives::U256;
use quorate_tests::postgres::Postgres;
use sqlx::{AssertSqlSafe, Row as _};
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

pub(super) async fn open(at: impl Into<Location>) -> Journal {
    Journal::open(at, owner()).await.unwrap()
}

/// As after a crash: what is in the process is lost, what is on disk is not.
async fn reopen(at: &Location, journal: Journal) -> Journal {
    journal.database.close().await;
    open(at).await
}

/// Makes each promise in a file and in a database.
macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        mod in_a_file {
            use super::*;

            $(#[tokio::test]
            async fn $promise() {
                let folder = TempDir::new().unwrap();
                super::$promise(&Location::from(folder.path())).await;
            })*
        }

        #[tokio::test]
        async fn all_of_it_in_postgres() {
            let server = Postgres::start().await.unwrap();
            $($promise(&location(&server).await).await;)*
        }
    };
}

promises! {
    a_draw_survives_with_its_spec_and_seats,
    what_was_sealed_before_a_crash_can_be_opened_after_it,
    events_told_again_change_nothing,
    what_a_reorganisation_may_undo_is_opened_again,
    another_draw_of_the_same_job_is_other_work,
    a_round_is_awaited_until_it_is_drawn_and_again_if_the_chain_tells_of_it_again,
    trail_url_pace_and_published_outputs_survive,
    a_reader_looks_while_a_node_writes_and_changes_nothing,
    a_reader_says_what_to_do_with_another_versions_journal,
    what_the_wallet_has_sent_survives_until_it_is_deep,
    what_is_committed_is_unopened_until_its_output_is_shown,
    the_newest_troubles_are_kept,
    open_draws_are_shown_before_those_that_ended,
}

/// A schema that nobody has used.
async fn location(server: &Postgres) -> Location {
    Location::of(&owner(), Some(&server.database().await.unwrap().into()), Path::new(""))
}

async fn a_draw_survives_with_its_spec_and_seats(at: &Location) {
    let journal = open(at).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    let journal = reopen(at, journal).await;

    assert_eq!(journal.request(request().id).await.unwrap(), Some(request()));
    assert_eq!(journal.open_draws().await.unwrap(), [drawn(2).key]);
    assert_eq!(journal.drawn(drawn(2).key).await.unwrap(), Some(drawn(2)));
    assert_eq!(journal.drawn(drawn(3).key).await.unwrap(), None);
}

async fn what_was_sealed_before_a_crash_can_be_opened_after_it(at: &Location) {
    let journal = open(at).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    assert_eq!(journal.sealed(drawn(2).key).await.unwrap(), None);
    let votes = sealed(drawn(2), 200);
    journal.put_sealed(&votes).await.unwrap();
    let journal = reopen(at, journal).await;

    assert_eq!(journal.sealed(drawn(2).key).await.unwrap(), Some(votes));
    assert_eq!(journal.open_jobs().await.unwrap(), OpenJobs { requested: 1, drawn: 0, sealed: 1 });
}

async fn events_told_again_change_nothing(at: &Location) {
    let journal = open(at).await;
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

async fn what_a_reorganisation_may_undo_is_opened_again(at: &Location) {
    let journal = open(at).await;
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

async fn another_draw_of_the_same_job_is_other_work(at: &Location) {
    let journal = open(at).await;
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

async fn a_round_is_awaited_until_it_is_drawn_and_again_if_the_chain_tells_of_it_again(at: &Location) {
    let journal = open(at).await;
    journal.put_request(&request()).await.unwrap();
    assert!(journal.awaited().await.unwrap().is_empty());
    journal.put_round(round(), 50).await.unwrap();
    assert_eq!(journal.awaited().await.unwrap(), [round()]);
    journal.stop_awaiting(round()).await.unwrap();
    assert!(journal.awaited().await.unwrap().is_empty());
    journal.put_round(round(), 50).await.unwrap();
    assert_eq!(journal.awaited().await.unwrap(), [round()]);
}

async fn trail_url_pace_and_published_outputs_survive(at: &Location) {
    let journal = open(at).await;
    assert!(journal.trail().await.unwrap().is_none());
    journal.put_trail(&Trail::from_block(17)).await.unwrap();
    journal.put_announced("http://a").await.unwrap();
    journal.put_announced("http://b").await.unwrap();
    journal.put_pace("m f32", 64, Pace(1.5)).await.unwrap();
    journal.put_pace("m f32", 64, Pace(2.5)).await.unwrap();
    journal.publish(B256::repeat_byte(4)).await.unwrap();
    let journal = reopen(at, journal).await;

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
    open(folder.path()).await.database.close().await;
    let other = Owner { genesis: B256::repeat_byte(6), ..owner() };

    assert!(matches!(Journal::open(folder.path(), other).await, Err(JournalError::OtherOwner { .. })));
}

async fn a_reader_looks_while_a_node_writes_and_changes_nothing(at: &Location) {
    assert!(matches!(Journal::read(at.clone()).await, Err(JournalError::Missing(_))));
    let journal = open(at).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_round(round(), 50).await.unwrap();

    let reader = Journal::read(at.clone()).await.unwrap();
    assert_eq!(reader.open_jobs().await.unwrap(), OpenJobs { requested: 1, ..OpenJobs::default() });
    assert!(reader.publish(B256::ZERO).await.is_err());
}

async fn a_reader_says_what_to_do_with_another_versions_journal(at: &Location) {
    let journal = open(at).await;
    let reader = Journal::read(at.clone()).await.unwrap();
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

async fn what_the_wallet_has_sent_survives_until_it_is_deep(at: &Location) {
    let journal = open(at).await;
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
    let journal = reopen(at, journal).await;

    assert_eq!(journal.intents().await.unwrap(), [(1, later)]);
    assert_eq!(journal.sent().await.unwrap(), [first, second, filler]);
    journal.forget_sent(11).await.unwrap();
    assert!(journal.intents().await.unwrap().is_empty());
    assert_eq!(journal.sent().await.unwrap(), [filler]);
}

async fn what_is_committed_is_unopened_until_its_output_is_shown(at: &Location) {
    let journal = open(at).await;
    journal.put_request(&request()).await.unwrap();
    journal.put_draw(&drawn(2)).await.unwrap();
    let votes = sealed(drawn(2), 200);
    assert_eq!(journal.unopened().await.unwrap(), 0);
    journal.put_sealed(&votes).await.unwrap();

    assert_eq!(journal.unopened().await.unwrap(), 2);
    journal.publish(votes.votes[0].opening.content_hash).await.unwrap();
    assert_eq!(journal.unopened().await.unwrap(), 0);
}

async fn the_newest_troubles_are_kept(at: &Location) {
    let journal = open(at).await;
    for time in 0..150 {
        let job = (time % 2 == 0).then_some(request().id);
        journal.put_trouble(&Trouble { job, time, message: format!("number {time}") }).await.unwrap();
    }

    let newest = journal.troubles(None, 2).await.unwrap();
    assert_eq!(newest.iter().map(|trouble| trouble.time).collect::<Vec<_>>(), [149, 148]);
    assert_eq!(newest[1].job, Some(request().id));
    assert_eq!(journal.troubles(None, 1_000).await.unwrap().len(), 100);
    assert_eq!(journal.troubles(Some(request().id), 1_000).await.unwrap().len(), 50);
}

async fn open_draws_are_shown_before_those_that_ended(at: &Location) {
    let journal = open(at).await;
    journal.put_request(&request()).await.unwrap();
    for seed in [2, 3] {
        journal.put_draw(&drawn(seed)).await.unwrap();
    }
    journal.put_sealed(&sealed(drawn(2), 200)).await.unwrap();
    journal.end(drawn(3).key, Ending::Missed, 300).await.unwrap();

    let [open, ended] = <[_; 2]>::try_from(journal.latest_draws(9).await.unwrap()).unwrap();
    assert_eq!((open.key, open.sealed, open.ending), (drawn(2).key, true, None));
    assert_eq!((ended.key, ended.sealed, ended.ending.as_deref()), (drawn(3).key, false, Some("missed")));
}

// ------------------------------------------------------------------------------------------------------------- Postgres

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let (folder, server) = (TempDir::new().unwrap(), Postgres::start().await.unwrap());
    let columns = async |journal: Journal, query: &'static str| -> BTreeSet<(String, String, String)> {
        sqlx::query_as(query).fetch_all(&journal.database).await.unwrap().into_iter().collect()
    };
    let in_a_file = columns(
        open(folder.path()).await,
        "SELECT tables.name, columns.name, columns.type FROM sqlite_master tables, pragma_table_info(tables.name) columns
         WHERE tables.type = 'table' AND tables.name <> '_sqlx_migrations'",
    )
    .await;
    let in_postgres = columns(
        open(location(&server).await).await,
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name NOT IN ('_sqlx_migrations', 'term')
         AND column_name <> 'rowid'",
    )
    .await;

    let type_of = |type_in_a_file: &str| match type_in_a_file {
        "INTEGER" => "bigint",
        "BLOB" => "bytea",
        "REAL" => "double precision",
        "TEXT" => "text",
        other => panic!("no column is {other}"),
    };
    let named = |(table, column, kind): (String, String, String)| (table, column, type_of(&kind).to_owned());
    assert_eq!(in_a_file.into_iter().map(named).collect::<BTreeSet<_>>(), in_postgres);
}

/// What is over may be a million rows.
#[tokio::test]
async fn what_is_asked_again_and_again_is_found_by_an_index() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path()).await;
    for query in [AWAITED, OPEN_DRAWS, SEALED_DRAWS, UNOPENED, NEEDED_OUTPUTS] {
        let explained = format!("EXPLAIN QUERY PLAN {query}");
        let plan = sqlx::query(AssertSqlSafe(explained)).fetch_all(&journal.database).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        assert!(!steps.is_empty() && steps.iter().all(|step| !step.starts_with("SCAN")), "{query}: {steps:?}");
    }
}

#[tokio::test]
async fn one_node_writes_a_schema_and_others_have_their_own() {
    let server = Postgres::start().await.unwrap();
    let at = location(&server).await;
    let journal = open(&at).await;
    let refused = Journal::open(&at, owner()).await.unwrap_err();
    assert!(matches!(refused, JournalError::InUse(_)), "{refused}");
    let Location::Postgres { database, .. } = &at else { panic!("it is in Postgres") };
    let other = Owner { operator: Address::repeat_byte(1), ..owner() };
    let others = Journal::open(Location::of(&other, Some(database), Path::new("")), other).await.unwrap();
    others.put_announced("http://other").await.unwrap();

    assert_eq!(journal.announced().await.unwrap(), None);
    journal.put_announced("http://a").await.unwrap();
}

/// Cut off, it finds its term over when it comes back.
#[tokio::test]
async fn a_node_whose_place_was_taken_writes_nothing_any_more() {
    const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'fleet%'";
    let server = Postgres::start().await.unwrap();
    let at = location(&server).await;
    let first = open(&at).await;
    first.put_announced("http://first").await.unwrap();

    // Cut off for a moment, it goes on.
    server.execute(CUT).await.unwrap();
    first.put_announced("http://again").await.unwrap();

    server.execute(CUT).await.unwrap();
    let second = open(&at).await;
    tokio::select! {
        written = first.put_announced("http://late") => panic!("it was written: {written:?}"),
        () = first.taken() => {}
    }
    assert_eq!(second.announced().await.unwrap().as_deref(), Some("http://again"));
}

/// As when its machine or the network is gone, and nothing says so.
#[tokio::test]
async fn a_database_that_falls_silent_holds_nobody_up() {
    let server = Postgres::start().await.unwrap();
    let mut journal = open(location(&server).await).await;
    journal.put_announced("http://a").await.unwrap();

    server.signal_clients("STOP").await.unwrap();
    let patience = std::mem::replace(&mut journal.patience, Duration::from_millis(100));
    assert!(journal.put_announced("http://b").await.is_err());
    journal.patience = patience;
    server.signal_clients("CONT").await.unwrap();
    journal.put_announced("http://c").await.unwrap();
    assert_eq!(journal.announced().await.unwrap().as_deref(), Some("http://c"));
}

#[tokio::test]
async fn a_database_that_forgets_is_refused() {
    let server = Postgres::start().await.unwrap();
    server.execute("ALTER SYSTEM SET fsync = off").await.unwrap();
    server.execute("SELECT pg_reload_conf()").await.unwrap();
    server.wait_for("SHOW fsync", "off").await.unwrap();

    let refused = Journal::open(location(&server).await, owner()).await.unwrap_err();
    assert!(matches!(refused, JournalError::Forgetful(_)), "{refused}");
}
