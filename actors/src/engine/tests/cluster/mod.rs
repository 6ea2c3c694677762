//! Several engines over one store.

mod nemesis;

use super::bench::{Bench, SESSION, USER, cid};
use crate::{
    ClusterTerms, EngineConfig, Followed, Follower,
    cluster::Home,
    fake::{FakeStore, FakeView},
    keeper,
    plant::{self, Plant},
    port::{Incarnation, Journal as _, Nodes as _, Principal, Sessions as _},
};
use greenroom_protocol::{
    error::{CloseCode, ErrorBody},
    event::{Event, Outcome},
    frame::{After, Entry},
    id::{Cursor, Epoch, Seq, SessionId},
    method::{Method, OnBusy, RunStart, SessionCreate},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

const ADA: Principal = Principal { user: USER, expires_at_ms: u64::MAX, sign_in: None };

/// Longest takeover after a kill: the silence, a look, and a little.
const TAKEOVER: Duration = Duration::from_secs(4);

/// An engine among others.
struct Member {
    bench: Bench,
    view: FakeView,
}

/// Engines over one store.
struct Cluster {
    store: Arc<FakeStore>,
    started: Instant,
}

impl Cluster {
    fn new() -> Self {
        Self { store: Arc::new(FakeStore::shared()), started: Instant::now() }
    }

    /// An engine that is reached at `node-<n>`; a further one of the same number takes its place.
    async fn member(&self, n: usize) -> Member {
        let cluster = ClusterTerms { address: format!("node-{n}"), ..ClusterTerms::default() };
        let drain_timeout = Duration::ZERO;
        let config = EngineConfig { cluster, drain_timeout, ..EngineConfig::default() };
        let view = FakeView::new(self.store.clone());
        let bench = Bench::member(self.started, self.store.clone(), view.clone(), config).await;
        Member { bench, view }
    }

    async fn owner(&self, session: SessionId) -> Option<Incarnation> {
        self.store.session(session).await.unwrap().unwrap().owner
    }
}

fn session(n: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(1000 + n))
}

async fn create(member: &Member, session: SessionId) -> Result<(), ErrorBody> {
    let create = SessionCreate { title: "x".into() };
    let create = Method::SessionCreate(session, cid(session.uuid().as_u128()), create);
    member.bench.engine.call(ADA, create).await.map(drop)
}

async fn start(member: &Member, session: SessionId, n: u128) -> Result<(), ErrorBody> {
    let start = RunStart { input: "talk".into(), on_busy: OnBusy::Reject, model: None, plan: None };
    member.bench.engine.call(ADA, Method::RunStart(session, cid(n), start)).await.map(drop)
}

/// Attaches as soon as the member lets it.
async fn follow(member: &Member, session: SessionId, after: Seq) -> Follower {
    loop {
        let cursor = After::Cursor(Cursor { epoch: Epoch(1), seq: after });
        match member.bench.engine.follow(ADA, session, cursor).await {
            Ok(follower) => return follower,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Entries from the start of the log up to the one that `is_last`.
async fn entries_until(follower: &mut Follower, is_last: impl Fn(&Event) -> bool) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        if let Followed::Entries(more) = follower.next(64).await {
            for (seq, rest) in more {
                let entry = Entry::from_rest(std::str::from_utf8(&rest).unwrap()).unwrap();
                assert_eq!(seq.0, entries.last().map_or(seq, |last| last.seq.next()).0);
                entries.push(entry);
                if is_last(&entries.last().unwrap().event) {
                    return entries;
                }
            }
        }
    }
}

const fn is_end(event: &Event) -> bool {
    matches!(event, Event::RunFinished { .. })
}

async fn incarnation_after(member: &Member, fenced: Incarnation) -> Incarnation {
    loop {
        let now = member.bench.engine.incarnation();
        if now != fenced {
            return now;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_node_is_killed_goes_on_at_another() {
    let cluster = Cluster::new();
    let (mut one, mut two) = (cluster.member(1).await, cluster.member(2).await);
    create(&one, SESSION).await.unwrap();
    start(&one, SESSION, 2).await.unwrap();
    let mut call = one.bench.calls.next().await.unwrap();
    call.text("before").await;
    let mut follower = follow(&one, SESSION, Seq::START).await;
    entries_until(&mut follower, |event| matches!(event, Event::TextDelta { .. })).await;
    one.bench.engine.kill();
    let killed = Instant::now();

    let mut call = two.bench.calls.next().await.unwrap();
    call.text("after").await;
    let mut follower = follow(&two, SESSION, Seq::START).await;
    entries_until(&mut follower, |event| matches!(event, Event::RunRecovering { .. })).await;
    assert!(killed.elapsed() < TAKEOVER, "{:?}", killed.elapsed());
    call.finish().await;
    let mut follower = follow(&two, SESSION, Seq::START).await;
    let entries = entries_until(&mut follower, is_end).await;
    assert_eq!(entries[0].seq, Seq(1));
    let end = &entries.last().unwrap().event;
    assert!(matches!(end, Event::RunFinished { outcome: Outcome::Completed, .. }), "{end:?}");
    assert_eq!(cluster.owner(SESSION).await, Some(two.bench.engine.incarnation()));
    assert_eq!(cluster.store.nodes().await.unwrap().len(), 1, "the dead one is done with");
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_node_that_lives_is_nobody_elses() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.member(1).await, cluster.member(2).await);
    create(&one, SESSION).await.unwrap();
    let owner = one.bench.engine.incarnation();

    start(&two, SESSION, 2).await.unwrap_err();
    assert!(two.bench.engine.follow(ADA, SESSION, After::Start).await.is_err());

    let Home::At(home) = two.bench.engine.edge().sessions.home(SESSION).await.unwrap() else {
        panic!("it was taken");
    };
    assert_eq!((home.incarnation, home.address.as_deref()), (owner, Some("node-1")));
    assert_eq!(one.bench.engine.edge().sessions.home(SESSION).await, Ok(Home::Here));
    assert_eq!(cluster.owner(SESSION).await, Some(owner));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_sleeps_is_whose_wants_it_next_unless_somebody_is_attached() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.member(1).await, cluster.member(2).await);
    create(&one, SESSION).await.unwrap();
    let follower = follow(&one, SESSION, Seq::START).await;
    one.bench.asleep().await;
    assert!(cluster.owner(SESSION).await.is_some(), "else the follower would miss what comes");
    assert!(matches!(two.bench.engine.edge().sessions.home(SESSION).await, Ok(Home::At(_))));

    drop(follower);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(cluster.owner(SESSION).await, None);
    start(&two, SESSION, 2).await.unwrap();
    assert_eq!(cluster.owner(SESSION).await, Some(two.bench.engine.incarnation()));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_paused_too_long_drops_all_and_goes_on_as_another_incarnation() {
    let cluster = Cluster::new();
    let (mut one, mut two) = (cluster.member(1).await, cluster.member(2).await);
    let fenced = one.bench.engine.incarnation();
    let mut client = one.bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let mut call = one.bench.calls.next().await.unwrap();
    call.text("before").await;
    client.entries_until(|event| matches!(event, Event::TextDelta { .. })).await;

    one.view.pause(true);
    call.text("never").await;
    two.bench.calls.next().await.unwrap().finish().await;
    let log = entries_until(&mut follow(&two, SESSION, Seq::START).await, is_end).await;
    one.view.pause(false);

    loop {
        match client.inner.recv().await {
            Ok(frame) => {
                let text = frame.encode();
                assert!(!text.contains("never"), "what was not durable was delivered: {text}");
            }
            Err(code) => break assert_eq!(code, Some(CloseCode::OwnerMoved)),
        }
    }
    call.dropped().await;
    let next = incarnation_after(&one, fenced).await;
    assert!(next > fenced);
    let head = log.last().unwrap().seq;
    assert!(one.bench.engine.follow(ADA, SESSION, After::Start).await.is_err(), "it is two's");
    create(&one, session(1)).await.unwrap();
    assert_eq!(cluster.owner(session(1)).await, Some(next), "it takes part as before");
    let again = two.bench.engine.follow(ADA, SESSION, After::Start).await.unwrap();
    assert_eq!(again.head().0, head);
    assert!(one.bench.engine.health().store_writes());
}

#[tokio::test(start_paused = true)]
async fn an_idle_node_that_was_declared_dead_by_mistake_finds_out_by_itself() {
    let cluster = Cluster::new();
    let one = cluster.member(1).await;
    let client = one.bench.attached().await;
    let fenced = one.bench.engine.incarnation();
    sleep(Duration::from_secs(10)).await;
    cluster.store.seal(fenced).await.unwrap();

    let next = timeout(TAKEOVER, incarnation_after(&one, fenced)).await.unwrap();
    drop(client);
    start(&one, SESSION, 2).await.unwrap();
    assert_eq!(cluster.owner(SESSION).await, Some(next));
}

#[tokio::test(start_paused = true)]
async fn two_who_see_a_death_at_once_take_over_each_run_once() {
    let cluster = Cluster::new();
    let mut members = Vec::new();
    for n in 1..=3 {
        members.push(cluster.member(n).await);
    }
    let mut first = members.remove(0);
    let mut calls = Vec::new();
    for n in 0..8 {
        create(&first, session(n)).await.unwrap();
        start(&first, session(n), 100 + n).await.unwrap();
        calls.push(first.bench.calls.next().await.unwrap());
    }
    first.bench.engine.kill();
    sleep(TAKEOVER).await;

    let mut taken = 0;
    for member in &mut members {
        while let Some(call) = member.bench.calls.try_next() {
            taken += 1;
            call.finish().await;
        }
    }
    assert_eq!(taken, 8);
    sleep(Duration::from_secs(1)).await;
    for n in 0..8 {
        let owner = cluster.owner(session(n)).await;
        let owner = members.iter().find(|one| Some(one.bench.engine.incarnation()) == owner);
        let mut follower = follow(owner.unwrap(), session(n), Seq::START).await;
        let entries = entries_until(&mut follower, is_end).await;
        let recovering = |entry: &&Entry| matches!(entry.event, Event::RunRecovering { .. });
        assert_eq!(entries.iter().filter(recovering).count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drained_node_hands_its_sessions_over_within_a_second() {
    let cluster = Cluster::new();
    let (mut one, mut two) = (cluster.member(1).await, cluster.member(2).await);
    create(&one, SESSION).await.unwrap();
    create(&one, session(1)).await.unwrap();
    start(&one, SESSION, 2).await.unwrap();
    let mut call = one.bench.calls.next().await.unwrap();
    call.text("before").await;
    sleep(Duration::from_secs(1)).await;
    one.bench.engine.drain().await;
    let drained = Instant::now();

    start(&two, session(1), 3).await.unwrap();
    assert_eq!(drained.elapsed(), Duration::ZERO, "a session that rested is free at once");
    two.bench.calls.next().await.unwrap().finish().await;
    two.bench.calls.next().await.unwrap().finish().await;
    entries_until(&mut follow(&two, SESSION, Seq::START).await, is_end).await;
    assert!(drained.elapsed() < Duration::from_secs(1), "{:?}", drained.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_to_its_address_need_not_wait_for_its_own_silence() {
    let cluster = Cluster::new();
    let mut one = cluster.member(1).await;
    create(&one, SESSION).await.unwrap();
    start(&one, SESSION, 2).await.unwrap();
    let _call = one.bench.calls.next().await.unwrap();
    one.bench.engine.kill();

    let mut again = cluster.member(1).await;
    let call = timeout(Duration::from_millis(500), again.bench.calls.next()).await;
    call.expect("at once").unwrap().finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_keepers_work_is_one_nodes_and_anothers_after_its_death() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.member(1).await, cluster.member(2).await);
    let is_mine =
        async |member: &Member| keeper::is_mine(&member.bench.engine.edge().node).await.unwrap();
    assert!(is_mine(&two).await, "whoever comes first");
    assert!(!is_mine(&one).await);
    assert!(is_mine(&two).await);
    two.bench.engine.kill();
    assert!(!is_mine(&one).await, "nobody knows yet");
    sleep(TAKEOVER).await;
    assert!(is_mine(&one).await);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_ahead_of_a_node_that_was_replaced_is_no_reason_for_a_reset() {
    let cluster = Cluster::new();
    let (mut one, mut two) = (cluster.member(1).await, cluster.member(2).await);
    create(&one, SESSION).await.unwrap();
    start(&one, SESSION, 2).await.unwrap();
    let _call = one.bench.calls.next().await.unwrap();
    // Its beats are late, and so is its look at the list; whoever asks it is answered.
    cluster.store.seal(one.bench.engine.incarnation()).await.unwrap();
    let asks = async {
        let cursor = After::Cursor(Cursor { epoch: Epoch(1), seq: Seq(100) });
        one.bench.engine.follow(ADA, SESSION, cursor).await
    };
    assert!(asks.await.is_err());
    two.bench.calls.next().await.unwrap().finish().await;
}

/// Whether a run goes on after the death of its node although nobody looks at its session.
async fn is_taken_over() -> bool {
    let cluster = Cluster::new();
    let (mut one, mut two) = (cluster.member(1).await, cluster.member(2).await);
    create(&one, SESSION).await.unwrap();
    start(&one, SESSION, 2).await.unwrap();
    let _call = one.bench.calls.next().await.unwrap();
    one.bench.engine.kill();
    timeout(TAKEOVER, two.bench.calls.next()).await.is_ok()
}

#[test]
fn a_run_that_nobody_looks_at_goes_on_as_well() {
    let plays = |plant| plant::play(plant, || nemesis::runtime().block_on(is_taken_over()));
    assert!(plays(None));
    assert!(!plays(Some(Plant::RunsLeft)), "the planted defect is found");
}

/// Whether a session can be had from a node that is sealed, while part of its log is only in that
/// one's journal.
async fn is_claimed_early() -> bool {
    let cluster = Cluster::new();
    let (mut one, two) = (cluster.member(1).await, cluster.member(2).await);
    create(&one, SESSION).await.unwrap();
    start(&one, SESSION, 2).await.unwrap();
    let _call = one.bench.calls.next().await.unwrap();
    cluster.store.seal(one.bench.engine.incarnation()).await.unwrap();
    two.bench.engine.follow(ADA, SESSION, After::Start).await.is_ok()
}

#[test]
fn a_session_is_not_claimed_before_all_of_its_log_can_be_read() {
    let plays = |plant| plant::play(plant, || nemesis::runtime().block_on(is_claimed_early()));
    assert!(!plays(None));
    assert!(plays(Some(Plant::ClaimedBeforeRecovery)), "the planted defect is found");
}
