//! Logs of requests, as the engine writes them.

use super::refusal::Kind;
use greenroom_protocol::{
    credits::{Ending, Price},
    error::{Code, ErrorBody, Reason},
    event::{Event, Notice, Outcome, StepName},
    id::{CommandId, PartId, RunId, Seq, SessionId, UserId},
    plan::{
        Complexity, Feature, FileAction, InputKind, Intent, PlannedFile, Priority, Question, Spec,
        Stack,
    },
};
use uuid::Uuid;

/// The project of all logs.
pub(super) const PROJECT: SessionId = SessionId::new(Uuid::from_u128(1));

/// The commands that created it, that asked, and that approved what was planned.
pub(super) const CREATION: CommandId = CommandId::new(Uuid::from_u128(2));
pub(super) const ASKED: CommandId = CommandId::new(Uuid::from_u128(3));
pub(super) const APPROVED: CommandId = CommandId::new(Uuid::from_u128(4));

const BY: UserId = UserId::new(Uuid::from_u128(5));
const RUN: RunId = RunId::new(Uuid::from_u128(6));
const NEXT_RUN: RunId = RunId::new(Uuid::from_u128(7));

/// A log, and which message asked for what it tells.
pub(super) struct Log {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// When each entry was accepted, in milliseconds since 1970, and what it says.
    pub(super) entries: Vec<(u64, Event)>,
}

/// Every log.
pub(super) fn all() -> [Log; 11] {
    [
        planned(),
        plain(),
        approved(),
        modified(),
        conversation(),
        explained(),
        ambiguous(),
        poor(),
        unplanned(),
        broken(),
        cancelled(),
    ]
}

fn log(name: &'static str, kind: Kind, events: impl IntoIterator<Item = Vec<Event>>) -> Log {
    // 2026-11-21T12:00:00Z, and an entry each 250 ms.
    let times = (1_795_262_400_000..).step_by(250);
    Log { name, kind, entries: times.zip(events.into_iter().flatten()).collect() }
}

/// A new project with a plan that needs nobody's approval.
pub(super) fn planned() -> Log {
    let quoted = Event::RunQuoted {
        run: RUN,
        price: price(),
        cost: 7_000_000,
        hold: 12_500_000,
        approved: true,
    };
    log(
        "planned",
        Kind::Generate,
        [
            created(),
            asked(RUN, ASKED, "a todo app", None),
            planning(Intent::CodeGeneration),
            vec![Event::RunPlanned { run: RUN, spec: Box::new(spec()) }, quoted],
            step_finished(StepName::Planning),
            held(RUN),
            writing("Here is a to-do list."),
            vec![Event::ReasoningStart { part: PartId(9) }],
            vec![Event::ReasoningDelta { part: PartId(9), text: "hm".into() }],
            vec![Event::ReasoningEnd { part: PartId(9) }],
            file(2, "index.html", &["<!doctype html>\n", "<title>To do", "</title>\n"]),
            file(3, "server/main.py", &["print(\"ä\")\n"]),
            saved(RUN, 2, 0, 0),
            finished(RUN, 8_641_500),
        ],
    )
}

/// A new project on a server without a hub and without credits.
pub(super) fn plain() -> Log {
    log(
        "plain",
        Kind::Generate,
        [
            created(),
            asked(RUN, ASKED, "a page", None),
            writing("One page."),
            file(2, "index.html", &["<p>", "hi", "</p>\n"]),
            saved(RUN, 1, 0, 0),
            vec![end(RUN, Outcome::Completed, None)],
        ],
    )
}

/// A plan that waits for approval, and the run that goes on once it is approved.
pub(super) fn approved() -> Log {
    let quoted = Event::RunQuoted {
        run: RUN,
        price: price(),
        cost: 7_000_000,
        hold: 20_000_000,
        approved: false,
    };
    log(
        "approved",
        Kind::Generate,
        [
            created(),
            asked(RUN, ASKED, "a todo app", None),
            planning(Intent::CodeGeneration),
            vec![Event::RunPlanned { run: RUN, spec: Box::new(spec()) }, quoted],
            vec![requested(InputKind::Plan, "20 credits", Vec::new())],
            step_finished(StepName::Planning),
            vec![end(RUN, Outcome::Completed, None), resolved(APPROVED)],
            asked(NEXT_RUN, APPROVED, "", Some(1)),
            held(NEXT_RUN),
            writing("Here it is."),
            file(2, "index.html", &["<p>hi</p>\n"]),
            saved(NEXT_RUN, 1, 0, 0),
            finished(NEXT_RUN, 9_000_000),
        ],
    )
}

/// A change, with a crash in the middle of a file.
pub(super) fn modified() -> Log {
    let part = PartId(2);
    log(
        "modified",
        Kind::Modify,
        [
            asked(RUN, ASKED, "make it green", None),
            held(RUN),
            writing("In green."),
            vec![Event::FileDeleted { path: "old.js".into() }],
            vec![Event::FileMoved { from: "b.js".into(), to: "new/b.js".into() }],
            vec![Event::FileStart { part, path: "a.css".into() }],
            vec![Event::FileDelta { part, text: "body { co".into() }],
            vec![Event::RunRecovering { run: RUN, attempt: 2, superseded_from: Some(Seq(9)) }],
            vec![Event::StepStarted { name: StepName::Generating }],
            file(3, "a.css", &["body { color:", " green }\n"]),
            file(4, "new/b.js", &["let b = 2;\n"]),
            vec![notice(Notice::FileRejected, "../x leaves the project")],
            saved(RUN, 0, 2, 1),
            finished(RUN, 1_000_000),
        ],
    )
}

/// Talk, which costs nothing.
pub(super) fn conversation() -> Log {
    log(
        "conversation",
        Kind::Generate,
        [
            created(),
            asked(RUN, ASKED, "hi", None),
            planning(Intent::Conversation),
            text(1, &["Hello! ", "What shall we build?"]),
            step_finished(StepName::Planning),
            vec![end(RUN, Outcome::Completed, None)],
        ],
    )
}

/// An explanation, for which a model read the files.
pub(super) fn explained() -> Log {
    log(
        "explained",
        Kind::Modify,
        [
            asked(RUN, ASKED, "how does it sort?", None),
            planning(Intent::Explain),
            step_finished(StepName::Planning),
            held(RUN),
            writing("By date, in app.js."),
            step_finished(StepName::Generating),
            finished(RUN, 500_000),
        ],
    )
}

/// Questions.
pub(super) fn ambiguous() -> Log {
    let question = |text: &str, options: [&str; 2]| Question {
        question: text.into(),
        context: String::new(),
        options: options.map(str::to_owned).into(),
    };
    let questions = vec![
        question("What is it for?", ["a shop", "a blog"]),
        question("Which colour?", ["green", "white"]),
    ];
    log(
        "ambiguous",
        Kind::Generate,
        [
            created(),
            asked(RUN, ASKED, "make something", None),
            planning(Intent::Ambiguous),
            vec![requested(InputKind::Question, "What is it for?", questions)],
            step_finished(StepName::Planning),
            vec![end(RUN, Outcome::Completed, None)],
        ],
    )
}

/// Too few credits: the run ends before it began.
pub(super) fn poor() -> Log {
    let message = "12.5 credits are needed, 1 is there; get more";
    let error = ErrorBody::new(Code::FailedPrecondition, Reason::InsufficientCredits, message);
    log(
        "poor",
        Kind::Generate,
        [
            created(),
            vec![asked(RUN, ASKED, "a todo app", None).swap_remove(0)],
            vec![end(RUN, Outcome::Failed, Some(error))],
        ],
    )
}

/// A hub that makes no sense.
pub(super) fn unplanned() -> Log {
    let message = "the plan made no sense, twice; try again";
    let error = ErrorBody::new(Code::Unavailable, Reason::ProviderBroken, message);
    let planning = planning(Intent::CodeGeneration).swap_remove(0);
    log(
        "unplanned",
        Kind::Generate,
        [
            created(),
            asked(RUN, ASKED, "a todo app", None),
            vec![planning, end(RUN, Outcome::Failed, Some(error))],
        ],
    )
}

/// A provider that breaks off within a file.
pub(super) fn broken() -> Log {
    let message = "the provider's answer broke off; try again";
    let error = ErrorBody::new(Code::Unavailable, Reason::ProviderBroken, message);
    let ended = Event::FileEnd { part: PartId(2), complete: false, bytes: 3, sha256: "x".into() };
    let mut file = file(2, "index.html", &["<p>"]);
    file.truncate(2);
    log(
        "broken",
        Kind::Generate,
        [
            created(),
            asked(RUN, ASKED, "a page", None),
            held(RUN),
            writing("One page."),
            file,
            vec![ended, end(RUN, Outcome::Failed, Some(error.retry_after_ms(1500)))],
        ],
    )
}

/// Somebody else cancels it.
pub(super) fn cancelled() -> Log {
    log(
        "cancelled",
        Kind::Modify,
        [
            asked(RUN, ASKED, "make it green", None),
            held(RUN),
            vec![Event::StepStarted { name: StepName::Generating }],
            vec![notice(Notice::CancelRequested, ""), end(RUN, Outcome::Cancelled, None)],
        ],
    )
}

/// A request that something else took the place of.
pub(super) const fn dropped(request: u32) -> Event {
    let text = String::new();
    Event::InputResolved { request, answered: false, by: None, cid: None, text, run: None }
}

fn created() -> Vec<Event> {
    vec![Event::Notice {
        notice: Notice::SessionCreated,
        by: Some(BY),
        cid: Some(CREATION),
        run: None,
        start_cid: None,
        message: "a title".into(),
    }]
}

fn notice(notice: Notice, message: &str) -> Event {
    let (run, message) = (Some(RUN), message.to_owned());
    Event::Notice { notice, by: None, cid: None, run, start_cid: None, message }
}

fn asked(run: RunId, cid: CommandId, text: &str, answers: Option<u32>) -> Vec<Event> {
    let input = Event::InputUser {
        run,
        cid,
        by: BY,
        text: text.into(),
        model: None,
        plan: answers.is_none(),
        steers: None,
        answers,
    };
    vec![input, Event::RunStarted { run, provider: "demo".into(), model: "stand-in".into() }]
}

fn planning(intent: Intent) -> Vec<Event> {
    let complexity = Complexity::Simple;
    vec![
        Event::StepStarted { name: StepName::Planning },
        Event::RunClassified { run: RUN, intent, complexity, confidence: 92 },
    ]
}

fn step_finished(name: StepName) -> Vec<Event> {
    vec![Event::StepFinished { name }]
}

fn held(run: RunId) -> Vec<Event> {
    vec![Event::CreditsHeld { run, amount: 12_500_000, price: price() }]
}

fn writing(prose: &str) -> Vec<Event> {
    let mut events = vec![Event::StepStarted { name: StepName::Generating }];
    events.extend(text(1, &[prose]));
    events
}

fn text(part: u32, deltas: &[&str]) -> Vec<Event> {
    let part = PartId(part);
    let deltas = deltas.iter().map(|text| Event::TextDelta { part, text: (*text).into() });
    let mut events = vec![Event::TextStart { part }];
    events.extend(deltas);
    events.push(Event::TextEnd { part });
    events
}

fn file(part: u32, path: &str, deltas: &[&str]) -> Vec<Event> {
    let part = PartId(part);
    let bytes = deltas.iter().map(|text| text.len() as u64).sum();
    let deltas = deltas.iter().map(|text| Event::FileDelta { part, text: (*text).into() });
    let mut events = vec![Event::FileStart { part, path: path.into() }];
    events.extend(deltas);
    events.push(Event::FileEnd { part, complete: true, bytes, sha256: "x".into() });
    events
}

fn saved(run: RunId, added: u32, changed: u32, removed: u32) -> Vec<Event> {
    let commit = "a".repeat(40);
    vec![
        Event::StepFinished { name: StepName::Generating },
        Event::StepStarted { name: StepName::Applying },
        Event::FilesCommitted { run, commit, added, changed, removed },
        Event::StepFinished { name: StepName::Applying },
    ]
}

fn finished(run: RunId, paid: u64) -> Vec<Event> {
    let rule = Ending::Completed.rule();
    vec![Event::CreditsSettled { run, paid, cost: paid, rule }, end(run, Outcome::Completed, None)]
}

const fn end(run: RunId, outcome: Outcome, error: Option<ErrorBody>) -> Event {
    Event::RunFinished { run, outcome, error }
}

fn requested(kind: InputKind, text: &str, questions: Vec<Question>) -> Event {
    Event::InputRequested { request: 1, run: RUN, kind, text: text.into(), questions }
}

fn resolved(cid: CommandId) -> Event {
    Event::InputResolved {
        request: 1,
        answered: true,
        by: Some(BY),
        cid: Some(cid),
        text: String::new(),
        run: Some(NEXT_RUN),
    }
}

fn price() -> Price {
    Price {
        version: "5891b5b5".into(),
        model: "stand-in".into(),
        input: 500_000_000,
        cached: 100_000_000,
        output: 1_500_000_000,
    }
}

fn spec() -> Spec {
    let file = |path: &str, action| PlannedFile {
        path: path.into(),
        action,
        purpose: "what one sees".into(),
    };
    Spec {
        overview: "A to-do list.".into(),
        stack: Stack { frontend: vec!["HTML".into()], ..Stack::default() },
        features: vec![Feature {
            name: "Tasks".into(),
            description: "Add and tick off.".into(),
            priority: Priority::High,
        }],
        interface: "One column.".into(),
        files: vec![
            file("index.html", FileAction::Create),
            file("server/main.py", FileAction::Modify),
        ],
        constraints: vec!["no build".into()],
        acceptance: vec!["a task can be added".into()],
        risks: Vec::new(),
    }
}
