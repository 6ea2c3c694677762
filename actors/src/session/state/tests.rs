//! A session on a lane and a store that the test plays, for one input after another.

use super::{
    super::{core::Turn, snapshot},
    *,
};
use crate::journal::record::decode_segment;
use greenroom_protocol::{
    frame::{Entry, Status},
    id::{Epoch, PartId, SessionId},
    plan::{InputKind, Question},
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

const USER: UserId = UserId::new(Uuid::from_u128(1));
const NOW_MS: u64 = 1_000_000;
const IDLE_MS: u64 = 1000;

const fn cid(n: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(n))
}

const fn run(n: u128) -> RunId {
    RunId::new(Uuid::from_u128(1000 + n))
}

fn row() -> SessionRow {
    SessionRow {
        session: SessionId::new(Uuid::from_u128(7)),
        user: USER,
        cid: cid(0),
        title: "title".into(),
        created_at_ms: NOW_MS,
        epoch: Epoch(1),
        owner: None,
        origin: None,
        projection: Projection { seq: Seq::START, status: Status::Idle, commit: None },
    }
}

/// What a call asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Start(CommandId, String),
    Other,
}

/// A session with its lane and its store.
struct Sim {
    state: State<usize>,
    now_ms: u64,
    asked: Vec<Asked>,
    /// Runs of commands that were answered.
    answered: BTreeMap<CommandId, (String, RunId)>,
    errors: Vec<Reason>,
    /// Heads that were told with what a session is at.
    heads: Vec<Seq>,
    /// All that is durable.
    log: Vec<Bytes>,
    batch: Option<(Seq, Vec<Bytes>)>,
    /// Last entry in a segment, and what is on its way there.
    segmented: Seq,
    storing: Option<(Option<Segment>, Option<Snapshot>)>,
    snapshot: Option<Snapshot>,
    hibernated: bool,
    started: Vec<RunSpec>,
    runs: u128,
}

impl Sim {
    fn new() -> Self {
        let log = Log::new(Seq::START, Vec::new(), NOW_MS);
        let mut sim = Self {
            state: State::new(row(), Core::default(), Seq::START, log),
            now_ms: NOW_MS,
            asked: Vec::new(),
            answered: BTreeMap::new(),
            errors: Vec::new(),
            heads: Vec::new(),
            log: Vec::new(),
            batch: None,
            segmented: Seq::START,
            storing: None,
            snapshot: None,
            hibernated: false,
            started: Vec::new(),
            runs: 0,
        };
        sim.wake();
        sim
    }

    fn wake(&mut self) {
        let mut out = Vec::new();
        self.state.wake(self.now_ms, &mut out);
        self.perform(out);
    }

    fn apply(&mut self, input: Input<usize>) {
        let mut out = Vec::new();
        self.state.apply(self.now_ms, input, &mut out);
        self.perform(out);
    }

    fn perform(&mut self, effects: Vec<Effect<usize>>) {
        for effect in effects {
            match effect {
                Effect::Append { first, entries, .. } => {
                    assert!(self.batch.is_none(), "one batch is under way");
                    assert_eq!(first.0, self.log.len() as u64 + 1, "no number is skipped");
                    for (seq, rest) in (first.0..).zip(&entries) {
                        assert_eq!(decode(rest).seq.0, seq);
                    }
                    self.batch = Some((first, entries));
                }
                Effect::Publish { entries, view } => {
                    assert_eq!(view.head.0, self.log.len() as u64, "durable first");
                    assert!(self.log.ends_with(&entries));
                }
                Effect::Reply(asked, Ok(answered)) => self.answered(asked, answered),
                Effect::Reply(_, Err(error)) => self.errors.push(error.reason),
                Effect::PutSegment { segment, snapshot, projection } => {
                    assert!(self.storing.is_none(), "one is on its way to the store");
                    assert_eq!(projection.seq.0, self.log.len() as u64);
                    if let Some(segment) = &segment {
                        assert_eq!(segment.first, self.segmented.next());
                        let entries = decode_segment(segment.bytes.clone()).unwrap();
                        let first = usize::try_from(self.segmented.0).unwrap();
                        assert_eq!(entries, self.log[first..]);
                    }
                    self.storing = Some((segment, snapshot));
                }
                Effect::Hibernate => {
                    assert!(self.batch.is_none() && self.storing.is_none());
                    assert_eq!(self.segmented.0, self.log.len() as u64, "all is in segments");
                    assert_eq!(self.snapshot.as_ref().unwrap().seq, self.segmented);
                    assert!(!self.state.is_busy());
                    self.hibernated = true;
                }
                Effect::StartRun(spec) => self.started.push(*spec),
                Effect::Alert(_)
                | Effect::Stopped(..)
                | Effect::EndRun(..)
                | Effect::SteerRun(..)
                | Effect::Segmented(_) => {}
            }
        }
    }

    fn answered(&mut self, asked: usize, answered: Answered) {
        if let Answer::Info(info) = &answered.answer {
            self.heads.push(info.head);
        }
        if let (Asked::Start(cid, prompt), Answer::Accepted(accepted)) =
            (&self.asked[asked], answered.answer)
        {
            assert!(accepted.seq.0 <= self.log.len() as u64, "answered once it is durable");
            match decode(&self.log[usize::try_from(accepted.seq.0 - 1).unwrap()]).event {
                Event::InputUser { run, cid: of, text, .. } => {
                    assert_eq!((run, of, &text), (accepted.run, *cid, prompt));
                }
                event => panic!("{event:?}"),
            }
            let effect = (prompt.clone(), accepted.run);
            if let Some(before) = self.answered.insert(*cid, effect.clone()) {
                assert!(answered.duplicate);
                assert_eq!(before, effect, "one effect");
            }
        }
    }

    fn ask(&mut self, asked: Asked) -> usize {
        self.asked.push(asked);
        self.asked.len() - 1
    }

    fn start(&mut self, n: u128, prompt: &str, on_busy: OnBusy) {
        self.runs += 1;
        let reply = self.ask(Asked::Start(cid(n), prompt.into()));
        let start = RunStart { input: prompt.into(), on_busy, model: None, plan: None };
        let (cid, run) = (cid(n), run(self.runs));
        self.apply(Input::Start { by: USER, cid, run, start, admitted: Ok(()), reply });
    }

    fn respond(&mut self, n: u128, request: u32, accept: bool, text: &str) {
        self.runs += 1;
        let (reply, run) = (self.ask(Asked::Other), run(self.runs));
        let respond = InputRespond { request, accept, text: text.into() };
        let (cid, admitted) = (cid(n), Ok(()));
        self.apply(Input::Respond { by: USER, cid, run, respond, admitted, reply });
    }

    /// A run begins, asks, and ends.
    fn ask_back(&mut self, kind: InputKind) {
        let spec = self.started.last().unwrap().clone();
        let run = spec.run.run;
        let (provider, model) = ("p".into(), "m".into());
        self.says(vec![
            Event::RunStarted { run, provider, model },
            asked(run, spec.request, kind),
            finished(run),
        ]);
        self.settle();
    }

    fn says(&mut self, events: Vec<Event>) {
        let Some(run) = self.state.alive() else { return };
        let reply = self.ask(Asked::Other);
        self.apply(Input::Says { run, events, urgent: false, reply });
    }

    /// The batch under way becomes durable.
    fn flush(&mut self) {
        if let Some((first, entries)) = self.batch.take() {
            self.log.extend(entries.iter().cloned());
            self.apply(Input::Durable { last: Seq(first.0 + entries.len() as u64 - 1) });
        }
    }

    /// What is on its way to the store gets there, or not.
    fn store(&mut self, ok: bool) {
        let Some((segment, snapshot)) = self.storing.take() else { return };
        let last = segment.map_or(Seq::START, |segment| segment.last);
        if ok {
            self.segmented = self.segmented.max(last);
            self.snapshot = snapshot.or_else(|| self.snapshot.take());
        }
        self.apply(Input::Segmented { last, ok });
    }

    fn settle(&mut self) {
        while self.batch.is_some() || self.storing.is_some() {
            self.flush();
            self.store(true);
        }
    }

    /// The core as waking reads it: the snapshot and what follows it.
    fn read(&self) -> (Core, Seq) {
        let (mut core, from) = self.snapshot.as_ref().map_or_else(Default::default, |snapshot| {
            (snapshot::decode(&snapshot.bytes).unwrap(), snapshot.seq)
        });
        for rest in &self.log[usize::try_from(from.0).unwrap()..] {
            let entry = decode(rest);
            core.apply(entry.seq, entry.ts, &entry.event);
        }
        (core, from)
    }

    /// The actor is gone and its session is read again; the batch under way may have got through.
    fn restart(&mut self, batch_is_durable: bool) {
        if let Some((_, entries)) = self.batch.take().filter(|_| batch_is_durable) {
            self.log.extend(entries);
        }
        self.storing = None;
        let (core, snapshot_seq) = self.read();
        let tail = self.log[usize::try_from(self.segmented.0).unwrap()..].to_vec();
        let log = Log::new(Seq(self.log.len() as u64), tail, self.now_ms);
        self.state = State::new(row(), core, snapshot_seq, log);
        self.hibernated = false;
        self.wake();
    }
}

fn decode(rest: &Bytes) -> Entry {
    Entry::from_rest(std::str::from_utf8(rest).unwrap()).unwrap()
}

fn text(text: &str) -> Event {
    Event::TextDelta { part: PartId(1), text: text.into() }
}

fn finished(run: RunId) -> Event {
    Event::RunFinished { run, outcome: Outcome::Completed, error: None }
}

fn steered(run: RunId) -> Event {
    Event::RunFinished { run, outcome: Outcome::Steered, error: None }
}

fn asked(run: RunId, request: u32, kind: InputKind) -> Event {
    let questions = vec![Question { question: "which?".into(), ..Question::default() }];
    Event::InputRequested { request, run, kind, text: "?".into(), questions }
}

#[test]
fn what_was_created_or_closed_is_told_as_it_is_then() {
    let mut sim = Sim::new();
    let (title, reply) = ("title".into(), sim.ask(Asked::Other));
    sim.apply(Input::Create { cid: cid(0), title, origin: None, fresh: true, reply });
    sim.flush();
    let reply = sim.ask(Asked::Other);
    sim.apply(Input::Close { by: USER, cid: cid(1), reply });
    sim.flush();
    assert_eq!(sim.heads, [Seq(1), Seq(2)]);
}

#[derive(Clone, Debug)]
enum Step {
    Start(u128, bool, OnBusy),
    Steer(u128),
    TakeUp,
    Ask(InputKind),
    Respond(u128, u32, bool),
    Cancel(u128, u128),
    Close,
    Begin,
    Say(usize),
    Finish,
    Down,
    Flush,
    Refuse,
    Store(bool),
    Tick,
    Restart(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let on_busy = prop_oneof![
        Just(OnBusy::Reject),
        Just(OnBusy::Queue),
        Just(OnBusy::Interrupt),
        Just(OnBusy::Steer),
    ];
    let kind =
        prop_oneof![Just(InputKind::Question), Just(InputKind::Plan), Just(InputKind::Credits)];
    prop_oneof![
        6 => (1..8_u128, any::<bool>(), on_busy).prop_map(|(n, b, on)| Step::Start(n, b, on)),
        2 => (60..68_u128).prop_map(Step::Steer),
        2 => Just(Step::TakeUp),
        2 => kind.prop_map(Step::Ask),
        3 => (70..78_u128, 1..4_u32, any::<bool>()).prop_map(|(cid, n, yes)| {
            Step::Respond(cid, n, yes)
        }),
        2 => (20..28_u128, 1..10_u128).prop_map(|(cid, start)| Step::Cancel(cid, start)),
        1 => Just(Step::Close),
        4 => Just(Step::Begin),
        6 => (1..9000_usize).prop_map(Step::Say),
        3 => Just(Step::Finish),
        1 => Just(Step::Down),
        10 => Just(Step::Flush),
        1 => Just(Step::Refuse),
        5 => prop::bool::weighted(0.8).prop_map(Step::Store),
        4 => Just(Step::Tick),
        1 => any::<bool>().prop_map(Step::Restart),
    ]
}

impl Sim {
    fn step(&mut self, step: &Step) {
        self.now_ms += 100;
        let alive = self.state.alive();
        match *step {
            Step::Start(n, other, on_busy) => {
                self.start(n, if other { "other" } else { "talk" }, on_busy);
            }
            Step::Cancel(n, start) => {
                let reply = self.ask(Asked::Other);
                let cancel = RunCancel::StartCid(cid(start));
                self.apply(Input::Cancel { by: USER, cid: cid(n), cancel, reply });
            }
            Step::Steer(n) => {
                self.runs += 1;
                let (reply, run) = (self.ask(Asked::Other), run(self.runs));
                let steer = RunSteer { run: None, input: "also".into() };
                let (cid, admitted) = (cid(n), Ok(()));
                self.apply(Input::Steer { by: USER, cid, run, steer, admitted, reply });
            }
            Step::TakeUp => {
                let said = alive.map(|alive| self.state.said_to(alive)).unwrap_or_default();
                self.says(said.iter().map(|said| steered(said.run)).collect());
            }
            Step::Ask(kind) => {
                let asks = alive
                    .zip(self.started.last())
                    .map(|(run, spec)| vec![asked(run, spec.request, kind), finished(run)]);
                self.says(asks.unwrap_or_default());
            }
            Step::Respond(n, request, accept) => self.respond(n, request, accept, "green"),
            Step::Close => {
                let reply = self.ask(Asked::Other);
                self.apply(Input::Close { by: USER, cid: cid(50), reply });
            }
            Step::Begin => {
                let Some(spec) = self.started.last().filter(|spec| alive == Some(spec.run.run))
                else {
                    return;
                };
                let (run, attempt, part) = (spec.run.run, spec.attempt, spec.part);
                let begin = if attempt == 1 {
                    Event::RunStarted { run, provider: "p".into(), model: "m".into() }
                } else {
                    Event::RunRecovering { run, attempt, superseded_from: None }
                };
                self.says(vec![begin, Event::TextStart { part }]);
            }
            Step::Say(bytes) => self.says(vec![text(&"é\"".repeat(bytes / 3 + 1))]),
            Step::Finish => self.says(alive.map(finished).into_iter().collect()),
            Step::Down => {
                if let Some(run) = alive {
                    self.apply(Input::RunDown { run, error: ErrorBody::internal() });
                }
            }
            Step::Flush => self.flush(),
            Step::Refuse => self.apply(Input::Refused),
            Step::Store(ok) => self.store(ok),
            Step::Tick => self.apply(Input::Tick { idle_ms: IDLE_MS }),
            Step::Restart(batch_is_durable) => self.restart(batch_is_durable),
        }
        if self.state.log.is_settled() && self.batch.is_none() {
            assert_eq!(self.read().0, self.state.core, "reading it again gives the same session");
        }
        assert!(self.state.core.runs.len() <= QUEUE_MAX + 2);
        if self.hibernated {
            self.restart(true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What holds after each step and for each effect is asserted in [`Sim`].
    #[test]
    fn a_session_keeps_its_promises_in_any_order_of_events(
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut sim = Sim::new();
        for step in &steps {
            sim.step(step);
        }
        sim.settle();
        sim.restart(true);
        sim.settle();
        let commands: Vec<_> = sim.answered.clone().into_iter().collect();
        for (cid, (prompt, _)) in commands {
            let before = sim.errors.len();
            sim.start(cid.uuid().as_u128(), &prompt, OnBusy::Reject); // asserts the same run
            sim.start(cid.uuid().as_u128(), "yet another", OnBusy::Reject);
            prop_assert_eq!(&sim.errors[before..], &[Reason::IdempotencyConflict][..]);
        }
    }
}

#[test]
fn one_batch_is_under_way_and_the_next_takes_all_that_came_meanwhile() {
    let mut sim = Sim::new();
    sim.start(1, "talk", OnBusy::Reject);
    sim.says(vec![text("a")]);
    assert_eq!(sim.batch.as_ref().unwrap().1.len(), 1, "the creation");
    assert!(sim.answered.is_empty());
    sim.flush();
    assert_eq!(sim.batch.as_ref().unwrap().1.len(), 2);
    assert!(sim.answered.is_empty(), "accepted, not durable");
    sim.flush();
    assert_eq!(sim.answered.len(), 1);
    assert!(sim.batch.is_none());
}

#[test]
fn a_queue_takes_so_many_runs_and_no_more() {
    let mut sim = Sim::new();
    for n in 0..=QUEUE_MAX as u128 {
        sim.start(10 + n, "talk", OnBusy::Queue);
    }
    assert!(sim.errors.is_empty(), "{:?}", sim.errors);
    sim.start(90, "talk", OnBusy::Queue);
    sim.start(91, "talk", OnBusy::Reject);
    assert_eq!(sim.errors, [Reason::QueueFull, Reason::RunBusy]);
    sim.start(10, "talk", OnBusy::Queue);
    assert_eq!(sim.errors.len(), 2, "a repeat needs no place");
    sim.says(vec![finished(run(1))]);
    sim.start(90, "talk", OnBusy::Queue);
    assert_eq!(sim.errors.len(), 2, "a run ended");
}

#[test]
fn a_snapshot_is_due_after_so_many_entries_and_whenever_nothing_is_going_on() {
    let mut sim = Sim::new();
    sim.start(1, "talk", OnBusy::Reject);
    sim.flush();
    sim.flush();
    let (provider, model) = ("p".into(), "m".into());
    sim.says(vec![Event::RunStarted { run: run(1), provider, model }]);
    sim.flush();
    let mut stored = Vec::new();
    while sim.log.len() < 600 {
        sim.says(vec![text(&"x".repeat(1000))]);
        sim.flush();
        if let Some((_, Some(snapshot))) = &sim.storing {
            stored.push(snapshot.seq.0);
        }
        sim.store(true);
    }
    assert!(stored.windows(2).all(|pair| (192..=256).contains(&(pair[1] - pair[0]))), "{stored:?}");
    assert!(stored.len() >= 2 && stored[0] <= 256, "{stored:?}");
    sim.says(vec![finished(run(1))]);
    sim.settle();
    assert_eq!(sim.snapshot.as_ref().unwrap().seq.0, sim.log.len() as u64);
    let turns: Vec<&Turn> = sim.state.core.turns.iter().collect();
    assert_eq!(turns.len(), 1);
}

#[test]
fn a_session_sleeps_once_all_is_stored_and_not_before() {
    let mut sim = Sim::new();
    let tick = |sim: &mut Sim| sim.apply(Input::Tick { idle_ms: IDLE_MS });
    sim.now_ms += 10 * IDLE_MS;
    tick(&mut sim);
    sim.flush();
    tick(&mut sim);
    assert!(sim.storing.is_some());
    tick(&mut sim);
    assert!(!sim.hibernated, "on its way");
    sim.store(false);
    tick(&mut sim);
    assert!(!sim.hibernated, "the store refused it");
    sim.store(true);
    tick(&mut sim);
    assert!(sim.hibernated);
}

#[test]
fn starts_that_were_cancelled_before_they_came_are_bounded() {
    let mut core = Core::default();
    let count = 4200;
    for n in 0..count {
        let event = Event::Notice {
            notice: Notice::CancelRequested,
            by: Some(USER),
            cid: None,
            run: None,
            start_cid: Some(cid(n)),
            message: String::new(),
        };
        core.apply(Seq(1), u64::try_from(n).unwrap(), &event);
    }
    let known = (0..count).filter(|n| core.is_start_cancelled(cid(*n))).count();
    assert_eq!(known, 4096);
    assert!(core.is_start_cancelled(cid(count - 1)), "the oldest goes first");
}

#[test]
fn what_is_said_to_a_run_is_its_own_run_unless_it_is_taken_up() {
    let mut sim = Sim::new();
    sim.start(1, "talk", OnBusy::Reject);
    sim.start(2, "in green", OnBusy::Steer);
    sim.start(3, "and round", OnBusy::Steer);
    let first = run(1);
    assert_eq!(
        sim.state.core.runs.iter().map(|run| run.steers).collect::<Vec<_>>(),
        [None, Some(first), Some(first)]
    );
    let (provider, model) = ("p".into(), "m".into());
    sim.says(vec![Event::RunStarted { run: first, provider, model }, steered(run(2))]);
    assert_eq!(sim.state.core.runs[0].prompt, "talk\n\nin green");
    sim.says(vec![finished(first)]);
    sim.settle();
    assert_eq!(sim.started.last().unwrap().run.prompt, "and round", "it came too late");
    assert_eq!(sim.state.core.turns[0].prompt, "talk\n\nin green");
}

#[test]
fn what_was_taken_back_does_not_end_twice() {
    let mut sim = Sim::new();
    sim.start(1, "talk", OnBusy::Reject);
    sim.start(2, "in green", OnBusy::Steer);
    let reply = sim.ask(Asked::Other);
    let cancel = RunCancel::Run(run(2));
    sim.apply(Input::Cancel { by: USER, cid: cid(3), cancel, reply });
    sim.says(vec![steered(run(2))]);
    sim.settle();
    let ends = sim.log.iter().filter(|entry| match decode(entry).event {
        Event::RunFinished { run: ended, .. } => ended == run(2),
        _ => false,
    });
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_run_that_was_lost_hears_again_what_was_said_to_it() {
    let mut sim = Sim::new();
    sim.start(1, "talk", OnBusy::Reject);
    sim.start(2, "in green", OnBusy::Steer);
    sim.settle();
    sim.restart(true);
    let said = Steer { run: run(2), text: "in green".into() };
    assert_eq!(sim.started.last().unwrap().steers, [said]);
}

#[test]
fn a_run_that_asked_is_over_and_an_answer_goes_on_with_what_it_had() {
    let mut sim = Sim::new();
    sim.start(1, "a page", OnBusy::Reject);
    sim.ask_back(InputKind::Question);
    assert_eq!(sim.state.view().status, Status::Waiting);
    assert!(!sim.state.is_busy(), "it may sleep");
    sim.respond(2, 1, true, " ");
    assert_eq!(sim.errors, [Reason::BadPrompt]);
    sim.respond(3, 2, true, "green");
    assert_eq!(sim.errors[1..], [Reason::RequestNotFound]);
    sim.respond(4, 1, true, "green");
    let goes_on = sim.started.last().unwrap().run.clone();
    assert!(goes_on.plan);
    assert_eq!(goes_on.request(), "a page\n\ngreen");
    assert_eq!(sim.state.core.turns[0].answer, "?\n1. which?");
    sim.ask_back(InputKind::Plan);
    sim.respond(5, 2, true, "");
    let goes_on = sim.started.last().unwrap().run.clone();
    assert!(!goes_on.plan);
    assert_eq!(
        (goes_on.request().as_ref(), goes_on.prompt.as_str()),
        ("a page\n\ngreen", "Go on.")
    );
}

#[test]
fn a_request_gives_way_to_whatever_is_wanted_next() {
    let mut sim = Sim::new();
    sim.start(1, "a page", OnBusy::Reject);
    sim.start(2, "another", OnBusy::Queue);
    sim.ask_back(InputKind::Plan);
    assert_eq!(sim.started.last().unwrap().run.prompt, "another");
    sim.respond(3, 1, true, "");
    assert_eq!(sim.errors, [Reason::RequestNotFound]);
    sim.ask_back(InputKind::Plan);
    sim.respond(4, 2, false, "no");
    sim.respond(4, 2, false, "no");
    sim.settle();
    assert_eq!(sim.state.view().status, Status::Idle);
    let resolved = sim.log.iter().filter_map(|entry| match decode(entry).event {
        Event::InputResolved { request, by, .. } => Some((request, by)),
        _ => None,
    });
    assert_eq!(resolved.collect::<Vec<_>>(), [(1, None), (2, Some(USER))]);
}
