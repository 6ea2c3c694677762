use super::*;
use crate::{
    client::Begin,
    credits::Price,
    error::{Code, Reason},
    event::UsageSource,
    id::{Channel, UserId},
    plan::{Complexity, InputKind, Intent, Question, Spec},
};
use uuid::Uuid;

fn run(n: u128) -> RunId {
    RunId::new(Uuid::from_u128(n))
}

fn part(n: u32) -> PartId {
    PartId(n)
}

/// Applies events as the next entries; the last error counts.
fn feed(replica: &mut Replica, events: Vec<Event>) -> Result<(), Inconsistency> {
    events.into_iter().try_fold((), |(), event| {
        replica.apply(&Ev { ch: Channel(1), seq: replica.last().next(), from: None, ts: 0, event })
    })
}

fn fed(keep: Keep, events: Vec<Event>) -> Replica {
    let mut replica = Replica::new(keep);
    feed(&mut replica, events).unwrap();
    replica
}

fn file(n: u32, path: &str, text: &str, complete: bool) -> Vec<Event> {
    let bytes = text.len() as u64;
    vec![
        Event::FileStart { part: part(n), path: path.into() },
        Event::FileDelta { part: part(n), text: text.into() },
        Event::FileEnd { part: part(n), complete, bytes, sha256: format!("sha of {text}") },
    ]
}

fn committed(n: u128, commit: &str) -> Event {
    let run = run(n);
    Event::FilesCommitted { run, commit: commit.into(), added: 0, changed: 0, removed: 0 }
}

fn finished(n: u128, outcome: Outcome) -> Event {
    Event::RunFinished { run: run(n), outcome, error: None }
}

fn started(n: u128) -> Event {
    Event::RunStarted { run: run(n), provider: "p".into(), model: "m".into() }
}

fn texts(replica: &Replica) -> Vec<(&str, &str)> {
    let files = replica.files().iter();
    files.map(|(path, file)| (path.as_str(), file.body.text.as_str())).collect()
}

#[test]
fn a_text_grows_and_ends() {
    let mut replica = fed(
        Keep::Everything,
        vec![
            Event::TextStart { part: part(1) },
            Event::TextDelta { part: part(1), text: "Hel".into() },
            Event::TextDelta { part: part(1), text: "lo".into() },
        ],
    );
    assert_eq!(replica.parts()[&part(1)].body.text, "Hello");
    assert_eq!(replica.parts()[&part(1)].end, None);
    feed(&mut replica, vec![Event::TextEnd { part: part(1) }]).unwrap();
    assert_eq!(replica.parts()[&part(1)].end, Some(End::Complete));
}

#[test]
fn files_appear_at_the_commit_and_not_before() {
    let mut events = vec![started(1)];
    events.extend(file(1, "a", "A", true));
    events.extend(file(2, "b", "B", true));
    events.extend(file(3, "c", "never", false));
    let mut replica = fed(Keep::Everything, events);
    assert!(replica.files().is_empty());
    assert_eq!(replica.staged().len(), 2, "an incomplete file is never committed");

    feed(&mut replica, vec![committed(1, "c1"), finished(1, Outcome::Completed)]).unwrap();
    assert_eq!(texts(&replica), [("a", "A"), ("b", "B")]);
    assert_eq!(replica.files()["a"].sha256, "sha of A");
    assert_eq!(replica.commit(), Some("c1"));
    assert_eq!(replica.runs()[&run(1)].commit.as_deref(), Some("c1"));
}

#[test]
fn changes_apply_in_the_order_of_the_run() {
    let mut events = file(1, "a", "old", true);
    events.push(committed(1, "c1"));
    events.push(Event::FileMoved { from: "a".into(), to: "b".into() });
    events.extend(file(2, "a", "new", true));
    events.extend(file(3, "x", "x", true));
    events.push(Event::FileDeleted { path: "x".into() });
    events.push(committed(2, "c2"));
    assert_eq!(texts(&fed(Keep::Everything, events)), [("a", "new"), ("b", "old")]);
}

#[test]
fn a_run_that_ends_without_a_commit_leaves_the_files() {
    let mut events = vec![started(1)];
    events.extend(file(1, "a", "A", true));
    events.push(finished(1, Outcome::Cancelled));
    events.push(committed(2, "c2"));
    let replica = fed(Keep::Everything, events);
    assert!(replica.files().is_empty());
    assert_eq!(replica.runs()[&run(1)].outcome, Some(Outcome::Cancelled));
    assert_eq!(replica.current_run(), None);
}

#[test]
fn a_queued_run_that_ends_leaves_the_current_one_alone() {
    let mut events = vec![started(1)];
    events.extend(file(1, "a", "A", true));
    events.push(finished(2, Outcome::Cancelled));
    let replica = fed(Keep::Everything, events);
    assert_eq!((replica.staged().len(), replica.current_run()), (1, Some(run(1))));
}

#[test]
fn recovery_drops_the_open_part_and_keeps_what_was_complete() {
    let mut events = vec![started(1)];
    events.extend(file(1, "a", "A", true));
    events.push(Event::FileStart { part: part(2), path: "b".into() });
    events.push(Event::FileDelta { part: part(2), text: "half".into() });
    let superseded_from = Some(Seq(5));
    events.push(Event::RunRecovering { run: run(1), attempt: 2, superseded_from });
    events.extend(file(3, "b", "whole", true));
    events.extend([committed(1, "c1"), finished(1, Outcome::Completed)]);
    let replica = fed(Keep::Everything, events);
    assert!(!replica.parts().contains_key(&part(2)));
    assert_eq!(texts(&replica), [("a", "A"), ("b", "whole")]);
    assert_eq!(replica.runs()[&run(1)].attempt, 2);
}

#[test]
fn a_broken_run_ends_its_open_parts_and_says_why() {
    let error = ErrorBody::new(Code::Unavailable, Reason::ProviderBroken, "broke off");
    let end =
        Event::RunFinished { run: run(1), outcome: Outcome::Failed, error: Some(error.clone()) };
    let replica = fed(Keep::Everything, vec![started(1), Event::TextStart { part: part(1) }, end]);
    assert_eq!(replica.parts()[&part(1)].end, Some(End::BrokenOff));
    assert_eq!(replica.runs()[&run(1)].error, Some(error));
}

#[test]
fn a_tool_keeps_arguments_and_output_apart() {
    let replica = fed(
        Keep::Everything,
        vec![
            Event::ToolStart { part: part(1), name: "ls".into() },
            Event::ToolArgsDelta { part: part(1), text: "{}".into() },
            Event::ToolReady { part: part(1) },
            Event::ToolOutputDelta { part: part(1), text: "a b".into() },
            Event::ToolEnd { part: part(1), ok: false },
        ],
    );
    let tool = &replica.parts()[&part(1)];
    let PartKind::Tool { name, output } = &tool.kind else { panic!("{tool:?}") };
    assert_eq!((name.as_str(), output.text.as_str()), ("ls", "a b"));
    assert_eq!((tool.body.text.as_str(), tool.end), ("{}", Some(End::Failed)));
}

#[test]
fn session_run_and_usage_are_noted() {
    let cid = CommandId::new(Uuid::from_u128(5));
    let by = UserId::new(Uuid::nil());
    let usage = Usage { input_tokens: 7, source: UsageSource::Provider, ..Usage::default() };
    let notice = |notice, message: &str| Event::Notice {
        notice,
        by: None,
        cid: None,
        run: None,
        start_cid: None,
        message: message.into(),
    };
    let replica = fed(
        Keep::Everything,
        vec![
            notice(Notice::SessionCreated, "A title"),
            Event::InputUser {
                run: run(1),
                cid,
                by,
                text: "hi".into(),
                model: None,
                plan: false,
                steers: None,
                answers: None,
            },
            started(1),
            Event::Usage { run: run(1), usage },
            notice(Notice::SessionClosed, ""),
        ],
    );
    assert_eq!((replica.title(), replica.is_closed()), ("A title", true));
    let seen = &replica.runs()[&run(1)];
    assert_eq!((seen.cid, seen.input.as_str()), (Some(cid), "hi"));
    assert_eq!(seen.usage, [usage]);
}

fn requested(request: u32) -> Event {
    let kind = InputKind::Question;
    let questions = vec![Question { question: "For whom?".into(), ..Question::default() }];
    Event::InputRequested { request, run: run(1), kind, text: "Tell me more".into(), questions }
}

fn resolved(request: u32, answered: bool) -> Event {
    let run = answered.then(|| run(2));
    Event::InputResolved { request, answered, by: None, cid: None, text: String::new(), run }
}

fn said(n: u128, steers: Option<RunId>, answers: Option<u32>) -> Event {
    Event::InputUser {
        run: run(n),
        cid: CommandId::new(Uuid::from_u128(n)),
        by: UserId::new(Uuid::nil()),
        text: "hi".into(),
        model: None,
        plan: false,
        steers,
        answers,
    }
}

#[test]
fn a_session_waits_from_the_request_until_it_is_resolved() {
    let asks = vec![started(1), requested(1), finished(1, Outcome::Completed)];
    let mut replica = fed(Keep::Everything, asks.clone());
    let waiting = replica.waiting().unwrap();
    assert_eq!((waiting.number, waiting.run, waiting.kind), (1, run(1), InputKind::Question));
    assert_eq!(waiting.questions[0].question, "For whom?");
    assert_eq!(replica.current_run(), None, "a run that asks ends");
    let lean = fed(Keep::Digests, asks);
    assert!(lean.waiting().unwrap().questions.is_empty());

    feed(&mut replica, vec![resolved(1, true), said(2, None, Some(1))]).unwrap();
    assert_eq!(replica.waiting(), None);
    assert_eq!(replica.runs()[&run(2)].answers, Some(1));
}

#[test]
fn a_plan_and_its_quote_are_known_of_their_run() {
    let price = Price { version: "v".into(), model: "m".into(), ..Price::default() };
    let spec = Spec { overview: "A shop".into(), ..Spec::default() };
    let (intent, complexity, confidence) = (Intent::CodeGeneration, Complexity::Moderate, 90);
    let events = vec![
        started(1),
        Event::RunClassified { run: run(1), intent, complexity, confidence },
        Event::RunPlanned { run: run(1), spec: Box::new(spec.clone()) },
        Event::RunQuoted { run: run(1), price, cost: 5, hold: 9, approved: false },
    ];
    let replica = fed(Keep::Everything, events.clone());
    let seen = &replica.runs()[&run(1)];
    assert_eq!(seen.understood, Some(Understood { intent, complexity, confidence }));
    assert_eq!(seen.plan.as_deref(), Some(&spec));
    let quote = seen.quote.as_ref().unwrap();
    assert_eq!((quote.cost, quote.hold, quote.approved), (5, 9, false));
    assert_eq!(fed(Keep::Digests, events).runs()[&run(1)].plan, None);
}

#[test]
fn a_run_that_was_steered_into_another_leaves_that_one_going_on() {
    let mut events = vec![started(1), said(2, Some(run(1)), None)];
    events.extend(file(1, "a", "A", true));
    events.push(finished(2, Outcome::Steered));
    let mut replica = fed(Keep::Everything, events);
    assert_eq!((replica.current_run(), replica.staged().len()), (Some(run(1)), 1));
    let steered = &replica.runs()[&run(2)];
    assert_eq!((steered.steers, steered.outcome), (Some(run(1)), Some(Outcome::Steered)));
    feed(&mut replica, vec![committed(1, "c1"), finished(1, Outcome::Completed)]).unwrap();
    assert_eq!(texts(&replica), [("a", "A")]);
}

#[test]
fn a_replica_that_begins_in_the_middle_takes_headless_parts() {
    let mut replica = Replica::new(Keep::Everything);
    replica.begin(Begin::First, Seq(10));
    let delta = Event::TextDelta { part: part(4), text: "lo".into() };
    feed(&mut replica, vec![Event::TextEnd { part: part(3) }, delta]).unwrap();
    let seen = &replica.parts()[&part(4)];
    assert_eq!((seen.headless, seen.body.text.as_str()), (true, "lo"));

    let mut events = file(5, "a", "A", true);
    events.remove(0); // the start was missed: neither path nor length can be known
    feed(&mut replica, events).unwrap();
    assert!(replica.staged().is_empty());
}

#[test]
fn a_rollback_brings_back_the_files_of_its_commit_and_can_itself_be_rolled_back() {
    let rolled_back = |files: Option<&str>, commit: &str| Event::SessionRolledBack {
        by: UserId::new(Uuid::nil()),
        cid: CommandId::new(Uuid::nil()),
        to: Seq(1),
        files: files.map(str::to_owned),
        commit: Some(commit.into()),
        turns: String::new(),
    };
    let mut events = file(1, "a", "one", true);
    events.push(committed(1, "c1"));
    events.extend(file(2, "a", "two", true));
    events.extend(file(3, "b", "new", true));
    events.extend([committed(2, "c2"), rolled_back(Some("c1"), "c3")]);
    let mut replica = fed(Keep::Everything, events);
    assert_eq!((texts(&replica), replica.commit()), (vec![("a", "one")], Some("c3")));
    feed(&mut replica, vec![rolled_back(Some("c2"), "c4")]).unwrap();
    assert_eq!(texts(&replica), [("a", "two"), ("b", "new")]);
    feed(&mut replica, vec![rolled_back(None, "c5")]).unwrap();
    assert_eq!((texts(&replica), replica.commit()), (vec![], Some("c5")));
    feed(&mut replica, vec![rolled_back(Some("c4"), "c6")]).unwrap();
    assert_eq!(texts(&replica), [("a", "two"), ("b", "new")], "also what a rollback made");
}

#[test]
fn a_void_beginning_drops_all_and_a_continued_one_nothing() {
    let mut events = file(1, "a", "A", true);
    events.push(committed(1, "c1"));
    let mut replica = fed(Keep::Everything, events);
    replica.begin(Begin::Continued, Seq(4));
    assert_eq!(replica.files().len(), 1);
    replica.begin(Begin::Void(Reason::EpochChanged), Seq(2));
    assert!(replica.files().is_empty());
    assert_eq!((replica.base(), replica.last(), replica.commit()), (Seq(2), Seq(2), None));
}

#[test]
fn a_lean_replica_keeps_lengths_and_digests_only() {
    let mut events = vec![started(1)];
    events.extend(file(1, "a", "A", true));
    events.extend([committed(1, "c1"), finished(1, Outcome::Completed)]);
    let full = fed(Keep::Everything, events.clone());
    let lean = fed(Keep::Digests, events);
    assert!(lean.parts().is_empty());
    let (small, big) = (&lean.files()["a"].body, &full.files()["a"].body);
    assert_eq!((small.bytes, small.digest), (big.bytes, big.digest));
    assert_eq!((small.text.as_str(), big.text.as_str()), ("", "A"));
    assert_eq!(lean.digest(), full.digest());
}

#[test]
fn a_log_that_contradicts_itself_is_named() {
    let start = Event::TextStart { part: part(1) };
    let delta = Event::TextDelta { part: part(1), text: "a".into() };
    let wrong_file = Event::FileDelta { part: part(1), text: "a".into() };
    let end = Event::TextEnd { part: part(1) };
    let try_all = |events| feed(&mut Replica::new(Keep::Everything), events).unwrap_err();
    assert_eq!(try_all(vec![delta.clone()]), Inconsistency::NotOpen(part(1)));
    assert_eq!(try_all(vec![start.clone(), start.clone()]), Inconsistency::BeganTwice(part(1)));
    assert_eq!(try_all(vec![start.clone(), wrong_file]), Inconsistency::NotOpen(part(1)));
    assert_eq!(try_all(vec![start, end, delta]), Inconsistency::NotOpen(part(1)));
    let twice = vec![finished(1, Outcome::Failed), finished(1, Outcome::Failed)];
    assert_eq!(try_all(twice), Inconsistency::EndedTwice(run(1)));
    let again = vec![requested(1), resolved(1, false), resolved(1, true)];
    assert_eq!(try_all(again), Inconsistency::NotAsked(1));
    let second = vec![requested(1), requested(2)];
    assert_eq!(try_all(second), Inconsistency::AskedTwice(2));
    let mut short = file(1, "a", "AB", true);
    short.remove(1);
    assert_eq!(try_all(short), Inconsistency::Length { part: part(1), held: 0, said: 2 });
}

#[test]
fn an_entry_out_of_order_is_not_applied() {
    let mut replica = Replica::new(Keep::Everything);
    let event = Event::TextStart { part: part(1) };
    let ev = Ev { ch: Channel(1), seq: Seq(2), from: None, ts: 0, event };
    let gap = Inconsistency::NotNext { last: Seq(0), from: Seq(2) };
    assert_eq!(replica.apply(&ev), Err(gap));
    assert!(replica.parts().is_empty());
}

#[test]
fn forgetting_ended_parts_keeps_the_open_ones() {
    let events = vec![
        Event::TextStart { part: part(1) },
        Event::TextEnd { part: part(1) },
        Event::TextStart { part: part(2) },
    ];
    let mut replica = fed(Keep::Everything, events);
    replica.forget_ended_parts();
    assert_eq!(replica.parts().keys().collect::<Vec<_>>(), [&part(2)]);
}
