//! Ledgers.

use crate::store::harness::Harness;
use bytes::Bytes;
use greenroom_actors::port::{Ledger, LedgerChange, LedgerHead, LedgerRow, Posted};
use greenroom_protocol::id::UserId;
use std::sync::Arc;
use tokio::task::JoinSet;
use uuid::Uuid;

fn user(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

fn row(seq: u64) -> LedgerRow {
    LedgerRow { seq, id: format!("run_{seq}/hold"), bytes: Bytes::from(format!("row {seq}")) }
}

fn change(seqs: &[u64], head: &str, due_at_ms: Option<u64>) -> LedgerChange {
    let rows = seqs.iter().copied().map(row).collect();
    LedgerChange { rows, head: Bytes::copy_from_slice(head.as_bytes()), due_at_ms }
}

fn head(version: u64, head: &str) -> LedgerHead {
    LedgerHead { version, bytes: Bytes::copy_from_slice(head.as_bytes()) }
}

pub(crate) async fn an_append_goes_through_only_over_the_version_that_was_read<H: Harness>(
    harness: H,
) {
    let store = harness.open().await;
    let post = |if_version, change| store.append_ledger(user(1), if_version, change);
    assert_eq!(store.ledger_head(user(1)).await, Ok(None));

    assert_eq!(post(1, change(&[1], "early", None)).await, Ok(Posted::Conflict(0)));
    assert_eq!(post(0, change(&[1, 2], "first", None)).await, Ok(Posted::Written));
    assert_eq!(post(0, change(&[3], "again", None)).await, Ok(Posted::Conflict(1)));
    assert_eq!(post(1, change(&[], "no rows", None)).await, Ok(Posted::Written));
    assert_eq!(post(1, change(&[3], "late", None)).await, Ok(Posted::Conflict(2)));

    assert_eq!(store.ledger_head(user(1)).await, Ok(Some(head(2, "no rows"))));
    assert_eq!(store.ledger_rows(user(1), None, 9).await, Ok(vec![row(2), row(1)]));
    assert_eq!(store.ledger_head(user(2)).await, Ok(None));
}

pub(crate) async fn an_append_with_a_name_that_is_there_changes_nothing<H: Harness>(harness: H) {
    let store = harness.open().await;
    let post = |if_version, change| store.append_ledger(user(1), if_version, change);
    assert_eq!(post(0, change(&[1], "first", None)).await, Ok(Posted::Written));

    let mut twice = change(&[2, 3], "twice", Some(7));
    twice.rows[1].id = row(1).id;
    assert_eq!(post(1, twice).await, Ok(Posted::Duplicate));

    assert_eq!(store.ledger_head(user(1)).await, Ok(Some(head(1, "first"))));
    assert_eq!(store.ledger_rows(user(1), None, 9).await, Ok(vec![row(1)]));
    assert_eq!(store.ledgers_due(100, 9).await, Ok(vec![]));
    let other = store.append_ledger(user(2), 0, change(&[1], "other", None)).await;
    assert_eq!(other, Ok(Posted::Written), "names are a user's own");
}

pub(crate) async fn rows_are_found_by_name_and_in_pages<H: Harness>(harness: H) {
    let store = harness.open().await;
    let seqs: Vec<u64> = (1..=7).collect();
    store.append_ledger(user(1), 0, change(&seqs, "head", None)).await.unwrap();
    store.append_ledger(user(2), 0, change(&[1], "head", None)).await.unwrap();

    assert_eq!(store.ledger_row(user(1), "run_5/hold").await, Ok(Some(row(5))));
    assert_eq!(store.ledger_row(user(1), "run_8/hold").await, Ok(None));
    assert_eq!(store.ledger_row(user(2), "run_5/hold").await, Ok(None));
    assert_eq!(store.ledger_rows(user(1), None, 3).await, Ok(vec![row(7), row(6), row(5)]));
    assert_eq!(store.ledger_rows(user(1), Some(5), 3).await, Ok(vec![row(4), row(3), row(2)]));
    assert_eq!(store.ledger_rows(user(1), Some(2), 3).await, Ok(vec![row(1)]));
    assert_eq!(store.ledger_rows(user(1), Some(1), 3).await, Ok(vec![]));
    assert_eq!(store.ledger_rows(user(1), Some(u64::MAX), 1).await, Ok(vec![row(7)]));
}

pub(crate) async fn a_long_ledger_is_read_in_pages_without_a_gap<H: Harness>(harness: H) {
    let store = harness.open().await;
    for seq in 1..=150 {
        let change = change(&[seq], "head", None);
        assert_eq!(store.append_ledger(user(1), seq - 1, change).await, Ok(Posted::Written));
    }

    let (mut seqs, mut before) = (Vec::new(), None);
    loop {
        let page = store.ledger_rows(user(1), before, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.iter().all(|found| *found == row(found.seq)), "{page:?}");
        before = Some(last.seq);
        seqs.extend(page.iter().map(|row| row.seq));
    }
    assert_eq!(seqs, (1..=150).rev().collect::<Vec<_>>());
    assert_eq!(store.ledger_row(user(1), "run_5/hold").await, Ok(Some(row(5))));
}

pub(crate) async fn ledgers_are_due_until_they_say_otherwise<H: Harness>(harness: H) {
    let store = harness.open().await;
    for (number, due) in [(1, Some(30)), (2, Some(10)), (3, None), (4, Some(20))] {
        store.append_ledger(user(number), 0, change(&[1], "head", due)).await.unwrap();
    }

    assert_eq!(store.ledgers_due(9, 9).await, Ok(vec![]));
    assert_eq!(store.ledgers_due(20, 9).await, Ok(vec![user(2), user(4)]));
    assert_eq!(store.ledgers_due(99, 2).await, Ok(vec![user(2), user(4)]));
    store.append_ledger(user(2), 1, change(&[], "later", Some(40))).await.unwrap();
    store.append_ledger(user(4), 1, change(&[], "never", None)).await.unwrap();
    assert_eq!(store.ledgers_due(99, 9).await, Ok(vec![user(1), user(2)]));
}

pub(crate) async fn of_many_proposers_each_version_is_one_s_own<H: Harness>(harness: H) {
    let store = harness.open().await;
    let mut proposers = JoinSet::new();
    for proposer in 0..8 {
        let store = Arc::clone(&store);
        proposers.spawn(async move {
            let (mut written, mut version) = (0, 0);
            while written < 10 {
                let row = LedgerRow {
                    seq: version + 1,
                    id: format!("{proposer}/{written}"),
                    bytes: Bytes::new(),
                };
                let change = LedgerChange { rows: vec![row], head: Bytes::new(), due_at_ms: None };
                match store.append_ledger(user(1), version, change).await.unwrap() {
                    Posted::Written => (written, version) = (written + 1, version + 1),
                    Posted::Conflict(now) => version = now,
                    Posted::Duplicate => panic!("every name is used once"),
                }
            }
        });
    }
    proposers.join_all().await;

    let rows = store.ledger_rows(user(1), None, 100).await.unwrap();
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1..=80).rev().collect::<Vec<_>>());
    assert_eq!(store.ledger_head(user(1)).await.unwrap().unwrap().version, 80);
}

pub(crate) async fn an_abandoned_append_is_there_whole_or_not_at_all<H: Harness>(harness: H) {
    let store = harness.open().await;
    for number in 0..50 {
        let post = store.append_ledger(user(number), 0, change(&[1, 2], "head", None));
        // Dropped at its first wait, as where its caller has died.
        let _ = futures_util::FutureExt::now_or_never(post);
    }
    // Whatever is queued is in front of this one.
    store.append_ledger(user(99), 0, change(&[], "last", None)).await.unwrap();

    for number in 0..50 {
        let rows = store.ledger_rows(user(number), None, 9).await.unwrap();
        match store.ledger_head(user(number)).await.unwrap() {
            Some(found) => assert_eq!((found, rows), (head(1, "head"), vec![row(2), row(1)])),
            None => assert_eq!(rows, vec![]),
        }
        let again = store.append_ledger(user(number), 0, change(&[1, 2], "head", None)).await;
        assert!(matches!(again, Ok(Posted::Written | Posted::Conflict(1))), "{again:?}");
    }
}

pub(crate) async fn ledgers_survive_a_reopen<H: Harness>(harness: H) {
    let store = harness.open().await;
    store.append_ledger(user(1), 0, change(&[1], "first", Some(5))).await.unwrap();
    store.append_ledger(user(1), 1, change(&[2], "second", Some(6))).await.unwrap();
    harness.close(store).await;

    let store = harness.open().await;

    assert_eq!(store.ledger_head(user(1)).await, Ok(Some(head(2, "second"))));
    assert_eq!(store.ledger_rows(user(1), None, 9).await, Ok(vec![row(2), row(1)]));
    assert_eq!(store.ledgers_due(6, 9).await, Ok(vec![user(1)]));
}
