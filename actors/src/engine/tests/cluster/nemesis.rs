//! Nodes that die, stop and are declared dead at random, under clients that move between them.

use super::{ADA, Cluster, Member, cid, session};
use crate::{
    Begun, Followed,
    fake::{Calls, FakeStore},
    plant::{self, Plant},
    port::{Journal as _, Segments as _},
};
use bytes::Bytes;
use greenroom_protocol::{
    error::Reason,
    event::Event,
    frame::{After, Entry},
    id::{Cursor, Epoch, RunId, Seq, SessionId},
    method::{Method, OnBusy, RunAccepted, RunStart, SessionCreate},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinHandle, LocalSet, spawn_local},
    time::{sleep, timeout},
};

const NODES: usize = 3;
const SESSIONS: u128 = 3;

/// How long faults come, and how long all may take to end afterwards.
const STORM: Duration = Duration::from_secs(25);
const CALM: Duration = Duration::from_secs(60);

/// What all parties share.
struct Play {
    cluster: Cluster,
    nodes: RefCell<Vec<Rc<Member>>>,
    answering: RefCell<Vec<JoinHandle<()>>>,
    is_over: Cell<bool>,
    random: RefCell<StdRng>,
    /// What was found to be wrong first.
    found: RefCell<Option<String>>,
    /// Runs that were acknowledged, by session.
    accepted: RefCell<Vec<(SessionId, RunId)>>,
}

impl Play {
    fn draw(&self, range: std::ops::Range<u64>) -> u64 {
        self.random.borrow_mut().random_range(range)
    }

    fn node(&self) -> Rc<Member> {
        let nodes = self.nodes.borrow();
        nodes[usize::try_from(self.draw(0..NODES as u64)).unwrap()].clone()
    }

    fn wrong(&self, what: String) {
        self.found.borrow_mut().get_or_insert(what);
    }

    /// Starts a node in a place, with a model that answers whatever it is asked.
    async fn start(&self, place: usize) {
        let mut member = self.cluster.member(place).await;
        let (_, nobody) = crate::fake::FakeProvider::new();
        let calls = std::mem::replace(&mut member.bench.calls, nobody);
        let seed = self.draw(0..u64::MAX);
        self.answering.borrow_mut().push(spawn_local(answer(calls, seed)));
        let (member, mut nodes) = (Rc::new(member), self.nodes.borrow_mut());
        if place < nodes.len() {
            nodes[place] = member;
        } else {
            nodes.push(member);
        }
    }

    /// One fault, and its end.
    async fn strike(&self) {
        let place = usize::try_from(self.draw(0..NODES as u64)).unwrap();
        let node = self.nodes.borrow()[place].clone();
        let while_ms = Duration::from_millis(self.draw(100..6000));
        match self.draw(0..7) {
            0 => {
                node.bench.engine.kill();
                sleep(while_ms).await;
                self.start(place).await;
            }
            1 | 2 => {
                node.view.pause(true);
                sleep(while_ms).await;
                node.view.pause(false);
            }
            3 => self.cluster.store.seal(node.bench.engine.incarnation()).await.unwrap_or(()),
            4 => {
                node.bench.engine.drain().await;
                self.start(place).await;
            }
            5 => {
                self.cluster.store.set_down(true);
                sleep(while_ms / 2).await;
                self.cluster.store.set_down(false);
            }
            _ => self.cluster.store.lose_replies(2),
        }
    }
}

/// Answers every call with a few pieces, some of them slowly.
async fn answer(mut calls: Calls, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    while let Some(mut call) = calls.next().await {
        let pieces: Vec<u64> = (0..5).map(|_| random.random_range(20..900)).collect();
        spawn_local(async move {
            for piece in pieces {
                if !call.text(&format!("piece {piece}. ")).await {
                    return;
                }
                sleep(Duration::from_millis(piece)).await;
            }
            call.finish().await;
        });
    }
}

/// Creates a session and starts one run after the other, at any node, each until it is answered.
async fn command(play: Rc<Play>, session: SessionId) {
    let create = SessionCreate { title: "x".into() };
    let create = Method::SessionCreate(session, cid(session.uuid().as_u128()), create);
    while play.node().bench.engine.call(ADA, create.clone()).await.is_err() {
        sleep(Duration::from_millis(200)).await;
    }
    let mut number = session.uuid().as_u128() * 1000;
    while !play.is_over.get() {
        number += 1;
        let (input, on_busy) = (format!("request {number}"), OnBusy::Reject);
        let start = RunStart { input, on_busy, model: None, plan: None };
        let start = Method::RunStart(session, cid(number), start);
        loop {
            let node = play.node();
            match timeout(Duration::from_secs(15), node.bench.engine.call(ADA, start.clone())).await
            {
                Ok(Ok(done)) => {
                    let accepted: RunAccepted = serde_json::from_str(done.result.get()).unwrap();
                    play.accepted.borrow_mut().push((session, accepted.run));
                    break;
                }
                Ok(Err(error)) if error.reason == Reason::RunBusy => break,
                Ok(Err(_)) | Err(_) if play.is_over.get() => return,
                Ok(Err(_)) | Err(_) => sleep(Duration::from_millis(200)).await,
            }
        }
        sleep(Duration::from_millis(play.draw(0..1500))).await;
    }
}

type Log = BTreeMap<Seq, Bytes>;

/// Follows a session, at one node after the other, and keeps what it is told.
async fn watch(play: Rc<Play>, session: SessionId) -> Log {
    let mut log = Log::new();
    while !play.is_over.get() {
        let seq = log.last_key_value().map_or(Seq::START, |(last, _)| *last);
        let after = After::Cursor(Cursor { epoch: Epoch(1), seq });
        let node = play.node();
        let Ok(mut follower) = node.bench.engine.follow(ADA, session, after).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        if let Begun::Reset(reset) = follower.begun() {
            play.wrong(format!("{session} was reset: {reset:?}"));
        }
        let stays = Duration::from_millis(play.draw(100..5000));
        let mut next = seq.next();
        let reads = async {
            loop {
                match follower.next(16).await {
                    Followed::Entries(entries) => {
                        for (seq, rest) in entries {
                            if seq != next {
                                play.wrong(format!("{session}: {seq} came for {next}"));
                            }
                            next = seq.next();
                            log.insert(seq, rest);
                        }
                    }
                    Followed::Ended(_) => return,
                    Followed::CaughtUp(_) | Followed::Error(_) => {}
                }
            }
        };
        let _ = timeout(stays, reads).await;
    }
    log
}

/// A session's log, once no run is under way any more.
async fn whole(play: &Play, session: SessionId) -> Option<Log> {
    let mut log = Log::new();
    let mut open = 0_i64;
    let reads = async {
        loop {
            let seq = log.last_key_value().map_or(Seq::START, |(last, _): (&Seq, _)| *last);
            let after = After::Cursor(Cursor { epoch: Epoch(1), seq });
            let node = play.node();
            let Ok(mut follower) = node.bench.engine.follow(ADA, session, after).await else {
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            while let Ok(followed) = timeout(Duration::from_secs(2), follower.next(64)).await {
                let entries = match followed {
                    Followed::Entries(entries) => entries,
                    Followed::Ended(_) => break,
                    Followed::CaughtUp(_) | Followed::Error(_) => continue,
                };
                for (seq, rest) in entries {
                    match event(&rest) {
                        Event::InputUser { .. } => open += 1,
                        Event::RunFinished { .. } => open -= 1,
                        _ => {}
                    }
                    log.insert(seq, rest);
                }
            }
            if open == 0 && !log.is_empty() {
                return;
            }
            sleep(Duration::from_millis(100)).await; // whoever cannot be read ends every time
        }
    };
    timeout(CALM, reads).await.is_ok().then_some(log)
}

fn event(rest: &[u8]) -> Event {
    Entry::from_rest(std::str::from_utf8(rest).unwrap()).unwrap().event
}

/// That segments which overlap are equal: else two nodes wrote the same numbers.
async fn assert_no_fork(play: &Play, store: &FakeStore, session: SessionId, log: &Log) {
    for segment in store.segments(session, Seq(1), usize::MAX).await.unwrap() {
        let entries = crate::journal::record::decode_segment(segment.bytes).unwrap();
        for (seq, entry) in (segment.first.0..).zip(entries) {
            if log.get(&Seq(seq)) != Some(&entry) {
                play.wrong(format!("{session}: {seq} is stored in two ways"));
            }
        }
    }
}

/// What one seed finds to be wrong.
async fn play(seed: u64) -> Option<String> {
    let random = RefCell::new(StdRng::seed_from_u64(seed));
    let play = Rc::new(Play {
        cluster: Cluster::new(),
        nodes: RefCell::default(),
        answering: RefCell::default(),
        is_over: Cell::new(false),
        random,
        found: RefCell::default(),
        accepted: RefCell::default(),
    });
    for place in 0..NODES {
        play.start(place).await;
    }
    let sessions: Vec<SessionId> = (0..SESSIONS).map(session).collect();
    let commands: Vec<_> =
        sessions.iter().map(|&session| spawn_local(command(play.clone(), session))).collect();
    let watches: Vec<_> =
        sessions.iter().map(|&session| spawn_local(watch(play.clone(), session))).collect();
    let storm = async {
        loop {
            sleep(Duration::from_millis(play.draw(100..2500))).await;
            play.strike().await;
        }
    };
    let _ = timeout(STORM, storm).await;
    play.cluster.store.set_down(false);
    play.nodes.borrow().iter().for_each(|node| node.view.pause(false));
    // A fault that was cut short may have left a place empty.
    for place in 0..NODES {
        play.start(place).await;
    }
    play.is_over.set(true);
    for command in commands {
        command.await.unwrap();
    }
    for (&session, watch) in sessions.iter().zip(watches) {
        let watched = watch.await.unwrap();
        judge(&play, session, &watched).await;
    }
    play.nodes.borrow().iter().for_each(|node| node.bench.engine.kill());
    play.answering.borrow().iter().for_each(JoinHandle::abort);
    play.found.take()
}

async fn judge(play: &Play, session: SessionId, watched: &Log) {
    if play.found.borrow().is_some() {
        return; // one thing is enough
    }
    match whole(play, session).await {
        Some(log) => {
            check(play, session, watched, &log);
            assert_no_fork(play, &play.cluster.store, session, &log).await;
        }
        None => play.wrong(format!("{session} has a run that does not end")),
    }
}

/// What one saw is what there is; whatever was accepted is there once and has ended once.
fn check(play: &Play, session: SessionId, watched: &Log, log: &Log) {
    for (n, seq) in (1..).zip(log.keys()) {
        if seq.0 != n {
            return play.wrong(format!("{session}: {seq} is where {n} belongs"));
        }
    }
    for (seq, rest) in watched {
        if log.get(seq) != Some(rest) {
            return play.wrong(format!("{session}: {seq} was delivered and is not in the log"));
        }
    }
    let accepted = play.accepted.borrow();
    for (_, run) in accepted.iter().filter(|(of, _)| *of == session) {
        let (mut inputs, mut ends) = (0, 0);
        for rest in log.values() {
            match event(rest) {
                Event::InputUser { run: of, .. } if of == *run => inputs += 1,
                Event::RunFinished { run: of, .. } if of == *run => ends += 1,
                _ => {}
            }
        }
        if (inputs, ends) != (1, 1) {
            play.wrong(format!("{session}: {run} began {inputs} times and ended {ends} times"));
        }
    }
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// What the first seed that finds something finds.
fn found_by(plant: Option<Plant>, seeds: std::ops::Range<u64>) -> Option<String> {
    let runs = |seed| {
        let found = plant::play(plant, || LocalSet::new().block_on(&runtime(), play(seed)));
        found.map(|what| format!("seed {seed}: {what}"))
    };
    seeds.into_iter().find_map(runs)
}

#[test]
fn no_entry_is_lost_repeated_or_reordered_and_every_run_ends_whatever_becomes_of_its_nodes() {
    assert_eq!(found_by(None, 0..6), None);
}

#[test]
fn a_journal_that_is_read_but_not_sealed_is_found() {
    assert!(found_by(Some(Plant::NotSealed), 0..6).is_some());
}

/// `cargo test -p greenroom-actors --release --lib -- --ignored nodes_that`
#[test]
#[ignore = "takes minutes"]
fn nodes_that_die_and_come_back_a_thousand_times_over_lose_nothing() {
    assert_eq!(found_by(None, 0..1000), None);
}
