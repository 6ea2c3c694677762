//! Session rows.

use super::session_id;
use crate::store::harness::Harness;
use greenroom_actors::port::{
    Claim, Created, Incarnation, Oid, Origin, Projection, SessionRow, Sessions,
};
use greenroom_protocol::{
    frame::Status,
    id::{CommandId, Epoch, Seq, UserId},
};
use uuid::Uuid;

fn user(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

/// An idle session of user 1 without an owner.
pub(super) fn row(session: u128) -> SessionRow {
    SessionRow {
        session: session_id(session),
        user: user(1),
        cid: CommandId::new(Uuid::from_u128(session + 1000)),
        title: format!("the {session}. “title”"),
        created_at_ms: 1_700_000_000_000,
        epoch: Epoch(7),
        owner: None,
        origin: None,
        projection: Projection { seq: Seq::START, status: Status::Idle, commit: None },
    }
}

pub(crate) async fn a_fork_keeps_what_it_began_from<H: Harness>(harness: H) {
    let origin = |commit| Origin {
        parent: session_id(1),
        at: Seq(41),
        project: session_id(9),
        commit,
        turns: Oid([7; 20]),
    };
    let plain = row(1);
    let empty = SessionRow { origin: Some(origin(None)), ..row(2) };
    let whole = SessionRow { origin: Some(origin(Some("ab".repeat(20)))), ..row(3) };
    let all = [plain, empty, whole];
    let store = harness.open().await;
    for row in &all {
        assert_eq!(store.create_session(row.clone()).await, Ok(Created::Created));
    }
    drop(store);
    let store = harness.open().await;
    for row in all {
        assert_eq!(store.session(row.session).await, Ok(Some(row)));
    }
}

pub(crate) async fn a_session_is_created_once<H: Harness>(harness: H) {
    let store = harness.open().await;
    assert_eq!(store.session(session_id(1)).await, Ok(None));
    let created = SessionRow { owner: Some(Incarnation(3)), ..row(1) };
    let other = SessionRow { user: user(2), title: "other".into(), ..row(1) };

    assert_eq!(store.create_session(created.clone()).await, Ok(Created::Created));

    for repeat in [created.clone(), other] {
        let answer = store.create_session(repeat).await;
        assert_eq!(answer, Ok(Created::Exists(Box::new(created.clone()))));
    }
    assert_eq!(store.session(session_id(1)).await, Ok(Some(created)));
}

pub(crate) async fn a_claim_moves_a_session_from_the_owner_that_was_named<H: Harness>(harness: H) {
    let store = harness.open().await;
    let (one, two, three) = (Incarnation(1), Incarnation(2), Incarnation(3));
    let session = session_id(1);
    assert_eq!(store.claim(session, None, one).await, Ok(Claim::NotFound));
    store.release(session, one).await.unwrap();
    store.create_session(row(1)).await.unwrap();

    assert_eq!(store.claim(session, Some(two), one).await, Ok(Claim::Taken(None)));
    assert_eq!(store.claim(session, None, one).await, Ok(Claim::Claimed));
    assert_eq!(store.claim(session, None, one).await, Ok(Claim::Claimed), "a lost answer");
    assert_eq!(store.claim(session, None, two).await, Ok(Claim::Taken(Some(one))));
    assert_eq!(store.claim(session, Some(one), two).await, Ok(Claim::Claimed));
    assert_eq!(store.claim(session, Some(one), three).await, Ok(Claim::Taken(Some(two))));

    store.release(session, one).await.unwrap();
    assert_eq!(store.session(session).await.unwrap().unwrap().owner, Some(two), "not one's own");
    for _repeat in 0..2 {
        store.release(session, two).await.unwrap();
        assert_eq!(store.session(session).await.unwrap().unwrap().owner, None);
    }
}

pub(crate) async fn an_older_projection_never_replaces_a_newer_one<H: Harness>(harness: H) {
    let store = harness.open().await;
    store.create_session(row(1)).await.unwrap();
    let projection = |seq, status| Projection {
        seq: Seq(seq),
        status,
        commit: (seq > 2).then(|| format!("{seq:040x}")),
    };
    let all = [
        projection(1, Status::Pending),
        projection(2, Status::Running),
        projection(5, Status::Waiting),
        projection(4, Status::Closed),
        projection(8, Status::Recovering),
        projection(3, Status::Idle),
        projection(9, Status::Closed),
    ];

    let mut newest = row(1).projection;
    for projection in all {
        store.project(session_id(1), projection.clone()).await.unwrap();
        if projection.seq > newest.seq {
            newest = projection;
        }
        let shown = store.session(session_id(1)).await.unwrap().unwrap();
        assert_eq!(shown, SessionRow { projection: newest.clone(), ..row(1) });
    }
    store.project(session_id(2), newest).await.unwrap();
    assert_eq!(store.session(session_id(2)).await, Ok(None), "none is made by the way");
}

pub(crate) async fn pages_show_a_users_sessions_newest_first<H: Harness>(harness: H) {
    let store = harness.open().await;
    // Two a moment, so that the id decides between them; every third is another user's.
    let created_at_ms = |number: u128| 1000 + u64::try_from(number / 2).unwrap();
    for number in [3, 9, 1, 7, 5, 2, 8, 4, 6, 10] {
        let owner = user(if number % 3 == 0 { 2 } else { 1 });
        let row = SessionRow { user: owner, created_at_ms: created_at_ms(number), ..row(number) };
        store.create_session(row).await.unwrap();
    }

    let mut shown = Vec::new();
    let mut after = None;
    loop {
        let page = store.sessions_of(user(1), after, 3).await.unwrap();
        shown.extend(page.rows.iter().map(|row| row.session.uuid().as_u128()));
        after = page.rows.last().map(|row| (row.created_at_ms, row.session));
        if !page.more {
            break;
        }
        assert_eq!(page.rows.len(), 3);
    }

    assert_eq!(shown, [10, 8, 7, 5, 4, 2, 1]);
    let exact = store.sessions_of(user(1), None, 7).await.unwrap();
    assert!(exact.rows.len() == 7 && !exact.more, "no further page");
    assert_eq!(store.sessions_of(user(3), None, 3).await.unwrap().rows, []);
}

pub(crate) async fn sessions_of_an_owner_are_listed_in_pages<H: Harness>(harness: H) {
    let store = harness.open().await;
    for number in 1..=6 {
        let owner = (number != 4).then_some(Incarnation(if number == 2 { 9 } else { 8 }));
        store.create_session(SessionRow { owner, ..row(number) }).await.unwrap();
    }

    let first = store.owned_by(Incarnation(8), None, 3).await.unwrap();
    let second = store.owned_by(Incarnation(8), first.last().copied(), 3).await.unwrap();

    assert_eq!(first, [1, 3, 5].map(session_id));
    assert_eq!(second, [session_id(6)]);
    store.release(session_id(3), Incarnation(8)).await.unwrap();
    store.claim(session_id(1), Some(Incarnation(8)), Incarnation(9)).await.unwrap();
    let rest = store.owned_by(Incarnation(8), None, 3).await.unwrap();
    assert_eq!(rest, [5, 6].map(session_id));
}

pub(crate) async fn sessions_survive_a_reopen<H: Harness>(harness: H) {
    let store = harness.open().await;
    let created = SessionRow { owner: Some(Incarnation(1)), ..row(1) };
    store.create_session(created.clone()).await.unwrap();
    harness.close(store).await;

    let store = harness.open().await;

    assert_eq!(store.session(session_id(1)).await, Ok(Some(created.clone())));
    assert_eq!(store.sessions_of(user(1), None, 10).await.unwrap().rows, [created]);
    assert_eq!(store.owned_by(Incarnation(1), None, 10).await, Ok(vec![session_id(1)]));
}
