//! Clients without a socket.

use super::bench::{Bench, OTHER, SESSION, USER, cid};
use crate::{
    Begun, EngineConfig, Followed, Follower,
    fake::FakeStore,
    port::{Principal, SignIn},
};
use greenroom_protocol::{
    error::{Code, Reason},
    frame::{After, Entry},
    id::{Cursor, Epoch, Seq},
    limit::TITLE_BYTES_MAX,
    method::{Method, OnBusy, RunStart, SessionCreate, SessionInfo},
};
use std::{sync::Arc, time::Duration};

const ADA: Principal = Principal { user: USER, expires_at_ms: u64::MAX, sign_in: None };
const EVE: Principal = Principal { user: OTHER, expires_at_ms: u64::MAX, sign_in: None };

async fn create(bench: &Bench) {
    let create = Method::SessionCreate(SESSION, cid(1), SessionCreate { title: "x".into() });
    let done = bench.engine.call(ADA, create).await.unwrap();
    let info: SessionInfo = serde_json::from_str(done.result.get()).unwrap();
    assert_eq!((info.session, done.duplicate), (SESSION, false));
}

async fn start(bench: &Bench) {
    let start = RunStart { input: "talk".into(), on_busy: OnBusy::Reject, model: None, plan: None };
    bench.engine.call(ADA, Method::RunStart(SESSION, cid(2), start)).await.unwrap();
}

fn at(seq: u64) -> After {
    After::Cursor(Cursor { epoch: Epoch(1), seq: Seq(seq) })
}

/// All entries up to the head when it began.
async fn caught_up(follower: &mut Follower) -> Vec<Entry> {
    let mut all = Vec::new();
    loop {
        match follower.next(3).await {
            Followed::Entries(entries) => {
                assert!((1..=3).contains(&entries.len()));
                all.extend(entries.iter().map(|(seq, rest)| {
                    let entry = Entry::from_rest(std::str::from_utf8(rest).unwrap()).unwrap();
                    assert_eq!(entry.seq, *seq);
                    entry
                }));
            }
            Followed::CaughtUp(seq) => {
                assert_eq!(seq, follower.cursor().seq);
                return all;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_continues_with_the_entry_after_its_cursor_from_ring_and_segments() {
    let mut bench = Bench::new().await;
    create(&bench).await;
    start(&bench).await;
    let mut call = bench.calls.next().await.unwrap();
    for piece in ["one ", "two ", "three"] {
        call.text(piece).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    call.finish().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for asleep in [false, true] {
        let mut whole = bench.engine.follow(ADA, SESSION, After::Start).await.unwrap();
        let all = caught_up(&mut whole).await;
        let head = whole.head().0;
        assert_eq!(all.len() as u64, head.0, "asleep: {asleep}");
        for seq in 0..=head.0 {
            let mut follower = bench.engine.follow(ADA, SESSION, at(seq)).await.unwrap();
            let rest = caught_up(&mut follower).await;
            assert_eq!(rest, all[usize::try_from(seq).unwrap()..], "after {seq}");
        }
        drop(whole);
        tokio::time::sleep(Duration::from_secs(60)).await; // the session sleeps
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_waits_for_what_comes_next() {
    let bench = Bench::new().await;
    create(&bench).await;
    let mut follower = bench.engine.follow(ADA, SESSION, After::Live).await.unwrap();
    assert_eq!(follower.next(9).await, Followed::CaughtUp(Seq(1)));
    let waiting = tokio::time::timeout(Duration::from_secs(3600), follower.next(9));
    assert!(waiting.await.is_err(), "nothing comes");
    let (followed, ()) = tokio::join!(follower.next(9), start(&bench));
    let Followed::Entries(entries) = followed else { panic!("{followed:?}") };
    assert_eq!(entries.first().unwrap().0, Seq(2));
}

#[tokio::test(start_paused = true)]
async fn a_follower_of_a_place_that_does_not_exist_is_told_where_it_begins() {
    let bench = Bench::new().await;
    create(&bench).await;
    let mut follower = bench.engine.follow(ADA, SESSION, at(9)).await.unwrap();
    let Begun::Reset(reset) = follower.begun().clone() else { panic!("{:?}", follower.begun()) };
    assert_eq!((reset.reason, reset.after), (Reason::SeqAhead, Seq(1)));
    assert_eq!(follower.next(9).await, Followed::CaughtUp(Seq(1)));
}

#[tokio::test(start_paused = true)]
async fn another_user_s_session_is_not_found_by_any_way() {
    let bench = Bench::new().await;
    create(&bench).await;
    let called = bench.engine.call(EVE, Method::SessionGet(SESSION)).await.unwrap_err();
    let followed = bench.engine.follow(EVE, SESSION, After::Start).await.unwrap_err();
    let files = bench.engine.files(EVE, SESSION, None).await.unwrap_err();
    for error in [called, followed, files] {
        assert_eq!(error.reason, Reason::SessionNotFound);
    }
    assert!(bench.engine.files(ADA, SESSION, None).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_socket_is_checked_and_limited_as_one_with_it() {
    let bench = Bench::new().await;
    let title = "x".repeat(TITLE_BYTES_MAX + 1);
    let create = Method::SessionCreate(SESSION, cid(1), SessionCreate { title });
    let error = bench.engine.call(ADA, create).await.unwrap_err();
    assert_eq!((error.code, error.reason), (Code::InvalidArgument, Reason::Malformed));
    bench.limiter.refuse(250);
    let error = bench.engine.call(ADA, Method::SessionGet(SESSION)).await.unwrap_err();
    assert_eq!((error.reason, error.retry_after_ms), (Reason::RateLimited, Some(250)));
}

#[tokio::test(start_paused = true)]
async fn a_user_has_so_many_sockets_and_followers_and_no_more() {
    let config = EngineConfig { connections_per_user: 2, ..EngineConfig::default() };
    let bench = Bench::on(Arc::new(FakeStore::new()), config).await;
    create(&bench).await;
    let follow = || bench.engine.follow(ADA, SESSION, After::Start);
    let first = follow().await.unwrap();
    let _second = follow().await.unwrap();
    assert_eq!(follow().await.unwrap_err().reason, Reason::TooManyAttachments);
    drop(first);
    follow().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_follower_ends_with_its_token_and_with_the_node() {
    let bench = Bench::new().await;
    create(&bench).await;
    let until = Principal { expires_at_ms: 1_060_000, ..ADA };
    let mut follower = bench.engine.follow(until, SESSION, After::Live).await.unwrap();
    assert_eq!(follower.next(9).await, Followed::CaughtUp(Seq(1)));
    let Followed::Ended(error) = follower.next(9).await else { panic!("it goes on") };
    assert_eq!(error.reason, Reason::BadToken);

    let mut follower = bench.engine.follow(ADA, SESSION, After::Live).await.unwrap();
    assert_eq!(follower.next(9).await, Followed::CaughtUp(Seq(1)));
    bench.engine.go_away();
    let Followed::Ended(error) = follower.next(9).await else { panic!("it goes on") };
    assert_eq!(error.reason, Reason::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_follower_ends_with_its_sign_in() {
    let bench = Bench::new().await;
    create(&bench).await;
    let signed_in = Principal { sign_in: Some(SignIn(1)), ..ADA };
    let mut follower = bench.engine.follow(signed_in, SESSION, After::Live).await.unwrap();
    assert_eq!(follower.next(9).await, Followed::CaughtUp(Seq(1)));
    bench.engine.sign_out(USER, SignIn(1));
    let Followed::Ended(error) = follower.next(9).await else { panic!("it goes on") };
    assert_eq!(error.reason, Reason::BadToken);
}
