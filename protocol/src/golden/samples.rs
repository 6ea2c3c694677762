//! The samples: every field is there at least once.

use super::of_method;
use crate::{
    credits::{
        Account, Balance, CreditsHistory, CreditsInfo, CreditsQuote, Ending, Grant, GrantInfo,
        HoldInfo, Kind, Leg, POLICY, Price, Quote, Transaction, TransactionPage,
    },
    error::{Code, ErrorBody, Reason},
    event::{Event, Notice, Outcome, StepName, Usage, UsageSource},
    frame::{
        Ack, After, Attach, Attached, CaughtUp, ClientFrame, ClientInfo, Detached, Entry, Ev,
        GoAway, Heartbeat, Hello, Limit, Limits, Mode, OpenRun, Reset, ServerFrame, Status,
        Welcome,
    },
    id::{Channel, CommandId, ConnectionId, Cursor, Epoch, PartId, RunId, Seq, SessionId, UserId},
    method::{
        DiffPage, FileChange, FileDiff, FileInfo, FilePage, FileSlice, FilesGet, FilesList,
        HistoryGet, HistoryPage, InputRespond, InputResponded, Method, OnBusy, Parent, RunAccepted,
        RunCancel, RunCancelled, RunStart, RunSteer, SessionCreate, SessionDiff, SessionFork,
        SessionInfo, SessionList, SessionPage, SessionRollback,
    },
    plan::{
        Complexity, Feature, FileAction, InputKind, Intent, PlannedFile, Priority, Question, Spec,
        Stack,
    },
};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

const TS: u64 = 1_788_000_000_000;
const COMMIT: &str = "8ab686eafeb1f44702738c8b0f24f2567c36da6d";
const OID: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const CH: Channel = Channel(1);
const PART: PartId = PartId(3);

/// A UUID of version 7, numbered.
fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x01a0_4c5d_f800_7000_8000_0000_0000_0000 | n)
}

fn session() -> SessionId {
    SessionId::new(uuid(1))
}

fn run() -> RunId {
    RunId::new(uuid(2))
}

fn cid() -> CommandId {
    CommandId::new(uuid(3))
}

fn user() -> UserId {
    UserId::new(uuid(4))
}

fn error() -> ErrorBody {
    ErrorBody::store_unavailable()
}

pub(super) fn client_frames() -> Vec<ClientFrame> {
    let place =
        |after, credit| Attach { ch: CH, session: session(), after, credit, window_ms: 100 };
    let at_cursor = place(After::Cursor(Cursor { epoch: Epoch(1), seq: Seq(41) }), Some(262_144));
    let hello = Hello {
        v: (1, 1),
        token: Some("a.b.c".into()),
        client: ClientInfo { name: "golden".into(), version: "1.0.0".into() },
        features: vec!["ping".into()],
        attach: vec![
            at_cursor,
            Attach { ch: Channel(2), window_ms: 0, ..place(After::Open, None) },
        ],
    };
    let start =
        RunStart { input: "Add a footer".into(), on_busy: OnBusy::Queue, ..RunStart::default() };
    let mut call = Method::RunStart(session(), cid(), start).to_call();
    call.id = 7;
    vec![
        ClientFrame::Hello(hello),
        ClientFrame::Auth { token: "d.e.f".into() },
        ClientFrame::Attach(place(After::Tail(50), Some(262_144))),
        ClientFrame::Detach { ch: CH },
        ClientFrame::Ack { acks: vec![Ack(CH, Seq(42), 263_000), Ack(Channel(2), Seq(7), 4096)] },
        ClientFrame::Call(call),
        ClientFrame::Ping { ts: TS },
        ClientFrame::Pong,
    ]
}

pub(super) fn server_frames() -> Vec<ServerFrame> {
    let (epoch, head, ch, session) = (Epoch(1), Seq(45), CH, session());
    let status = Status::Running;
    vec![
        ServerFrame::Welcome(Welcome {
            v: 1,
            conn: ConnectionId::new(uuid(5)),
            heartbeat: Heartbeat { interval_ms: 25_000, timeout_ms: 10_000 },
            limits: BTreeMap::from([("message_bytes".into(), 65_536), ("runs".into(), 4)]),
            features: vec!["ping".into()],
            auth_expires_in_ms: 900_000,
            time: TS,
        }),
        ServerFrame::Ok { id: 7, result: json!({ "queued": false }), duplicate: true },
        ServerFrame::Err { id: 7, error: error() },
        ServerFrame::Attached(Attached {
            ch,
            session,
            epoch,
            head,
            after: Seq(41),
            mode: Mode::Resumed,
            status,
            run: Some(OpenRun { run: run(), cid: cid() }),
        }),
        ServerFrame::Ev(Ev {
            ch,
            seq: Seq(44),
            from: Some(Seq(42)),
            ts: TS,
            event: Event::TextDelta { part: PART, text: "Hi \"you\" ü\n".into() },
        }),
        ServerFrame::CaughtUp(CaughtUp { ch, seq: head }),
        ServerFrame::Reset(Reset {
            ch,
            session,
            epoch: Epoch(2),
            head,
            after: Seq(40),
            reason: Reason::EpochChanged,
            status,
        }),
        ServerFrame::Detached(Detached {
            ch,
            reason: Reason::SlowConsumer,
            retry_after_ms: Some(1000),
        }),
        ServerFrame::AuthRequired { deadline_ms: 60_000 },
        ServerFrame::Balance(balance()),
        ServerFrame::Limits(Limits {
            limits: vec![Limit { name: "messages".into(), limit: 100 }],
            retry_after_ms: Some(250),
        }),
        ServerFrame::GoAway(GoAway { reason: Reason::Draining, reconnect_in_ms: 1500 }),
        ServerFrame::Ping { ts: TS },
        ServerFrame::Pong { ts: TS },
        ServerFrame::Error { ch: Some(ch), error: error() },
    ]
}

pub(super) fn events() -> Vec<Event> {
    let mut events = whole_events();
    events.extend(input_events());
    events.extend(part_events());
    events
}

/// Events that belong to no part.
fn whole_events() -> Vec<Event> {
    let (run, name) = (run(), StepName::Generating);
    vec![
        Event::Notice {
            notice: Notice::CancelRequested,
            by: Some(user()),
            cid: Some(cid()),
            run: Some(run),
            start_cid: Some(CommandId::new(uuid(6))),
            message: "no longer needed".into(),
        },
        Event::SessionRolledBack {
            by: user(),
            cid: cid(),
            to: Seq(17),
            files: Some(COMMIT.into()),
            commit: Some(OID.into()),
            turns: OID.into(),
        },
        Event::SessionForked {
            parent: session(),
            at: Seq(17),
            commit: Some(COMMIT.into()),
            turns: OID.into(),
        },
        Event::RunStarted { run, provider: "demo".into(), model: "small".into() },
        Event::RunRecovering { run, attempt: 2, superseded_from: Some(Seq(43)) },
        Event::RunFinished { run, outcome: Outcome::Failed, error: Some(error()) },
        Event::StepStarted { name },
        Event::StepFinished { name },
        Event::FileDeleted { path: "src/old.ts".into() },
        Event::FileMoved { from: "a.ts".into(), to: "b.ts".into() },
        Event::FilesCommitted { run, commit: COMMIT.into(), added: 1, changed: 2, removed: 3 },
        Event::Usage { run, usage: usage() },
        Event::CreditsHeld { run, amount: 6_400_000, price: price() },
        Event::CreditsSettled {
            run,
            paid: 5_100_000,
            cost: 5_100_000,
            rule: Ending::Completed.rule(),
        },
        Event::Progress { name, percent: 70, message: "writing src/App.tsx".into() },
        Event::Error { error: ErrorBody::new(Code::InvalidArgument, Reason::BadPath, "../x") },
    ]
}

/// What users say and are asked, and what is planned of it.
fn input_events() -> Vec<Event> {
    let run = run();
    vec![
        Event::InputUser {
            run,
            cid: cid(),
            by: user(),
            text: "Add a footer".into(),
            model: Some("small".into()),
            plan: true,
            steers: Some(RunId::new(uuid(8))),
            answers: Some(1),
        },
        Event::InputRequested {
            request: 1,
            run,
            kind: InputKind::Question,
            text: "Which colour?".into(),
            questions: vec![Question {
                question: "Which colour?".into(),
                context: "The footer has one of its own.".into(),
                options: vec!["green".into(), "white".into()],
            }],
        },
        Event::InputResolved {
            request: 1,
            answered: true,
            by: Some(user()),
            cid: Some(cid()),
            text: "green".into(),
            run: Some(run),
        },
        Event::RunClassified {
            run,
            intent: Intent::FollowUp,
            complexity: Complexity::Simple,
            confidence: 92,
        },
        Event::RunPlanned { run, spec: Box::new(spec()) },
        Event::RunQuoted { run, price: price(), cost: 4_800_000, hold: 6_400_000, approved: true },
    ]
}

fn spec() -> Spec {
    Spec {
        overview: "A footer in green.".into(),
        stack: Stack { frontend: vec!["HTML".into()], ..Stack::default() },
        features: vec![Feature {
            name: "Footer".into(),
            description: "Says who made the page.".into(),
            priority: Priority::High,
        }],
        interface: "Below all else, as wide as the page.".into(),
        files: vec![PlannedFile {
            path: "index.html".into(),
            action: FileAction::Modify,
            purpose: "the footer".into(),
        }],
        constraints: vec!["no script".into()],
        acceptance: vec!["the footer is seen without scrolling on a short page".into()],
        risks: vec!["it hides the last line".into()],
    }
}

fn part_events() -> Vec<Event> {
    let part = PART;
    let text = || "some \"text\"\n".to_owned();
    vec![
        Event::TextStart { part },
        Event::TextDelta { part, text: text() },
        Event::TextEnd { part },
        Event::ReasoningStart { part },
        Event::ReasoningDelta { part, text: text() },
        Event::ReasoningEnd { part },
        Event::ToolStart { part, name: "search".into() },
        Event::ToolArgsDelta { part, text: text() },
        Event::ToolReady { part },
        Event::ToolOutputDelta { part, text: text() },
        Event::ToolEnd { part, ok: true },
        Event::FileStart { part, path: "src/App.tsx".into() },
        Event::FileDelta { part, text: text() },
        Event::FileEnd { part, complete: true, bytes: 6, sha256: SHA256.into() },
    ]
}

/// One call of every method.
pub(super) fn methods() -> Vec<Method> {
    let start = RunStart {
        input: "Add a footer".into(),
        on_busy: OnBusy::Interrupt,
        model: Some("small".into()),
        plan: Some(true),
    };
    let get = FilesGet { path: "src/App.tsx".into(), commit: Some(COMMIT.into()), offset: 65_536 };
    vec![
        Method::SessionCreate(session(), cid(), SessionCreate { title: "A page".into() }),
        Method::SessionGet(session()),
        Method::SessionList(SessionList { cursor: Some("c2".into()), limit: Some(20) }),
        Method::SessionClose(session(), cid()),
        Method::SessionFork(
            SessionId::new(uuid(7)),
            cid(),
            SessionFork { parent: session(), at: Some(Seq(17)), title: Some("In green".into()) },
        ),
        Method::SessionRollback(session(), cid(), SessionRollback { to: Seq(17) }),
        Method::SessionDiff(
            session(),
            SessionDiff {
                from: Some(COMMIT.into()),
                to: Some(OID.into()),
                after: Some("README.md".into()),
            },
        ),
        Method::RunStart(session(), cid(), start),
        Method::RunCancel(session(), cid(), RunCancel::StartCid(CommandId::new(uuid(6)))),
        Method::RunSteer(
            session(),
            cid(),
            RunSteer { run: Some(RunId::new(uuid(8))), input: "in green, please".into() },
        ),
        Method::InputRespond(
            session(),
            cid(),
            InputRespond { request: 1, accept: true, text: "green".into() },
        ),
        Method::HistoryGet(session(), HistoryGet { before: Some(Seq(41)), limit: Some(20) }),
        Method::FilesList(
            session(),
            FilesList { commit: Some(COMMIT.into()), after: Some("src/App.tsx".into()) },
        ),
        Method::FilesGet(session(), get),
        Method::CreditsGet,
        Method::CreditsHistory(CreditsHistory { before: Some(9), limit: Some(20) }),
        Method::CreditsQuote(
            Some(session()),
            CreditsQuote { input: "Add a footer".into(), model: Some("small".into()) },
        ),
    ]
}

/// Checks the golden files of a method. A new method does not compile before it has its line.
pub(super) fn golden_of(method: &Method) {
    let name = method.name();
    match method {
        Method::SessionCreate(_, _, create) => of_method(name, Some(create.clone()), &info()),
        Method::SessionGet(_) | Method::SessionClose(..) => of_method(name, None::<()>, &info()),
        Method::SessionList(list) => {
            let page = SessionPage { items: vec![info()], next_cursor: Some("c3".into()) };
            of_method(name, Some(list.clone()), &page);
        }
        Method::SessionFork(_, _, fork) => of_method(name, Some(fork.clone()), &info()),
        Method::SessionRollback(_, _, rollback) => of_method(name, Some(*rollback), &info()),
        Method::SessionDiff(_, diff) => of_method(name, Some(diff.clone()), &diff_page()),
        Method::RunStart(_, _, start) => {
            let accepted = RunAccepted { run: run(), seq: Seq(46), queued: true };
            of_method(name, Some(start.clone()), &accepted);
        }
        Method::RunCancel(_, _, cancel) => {
            of_method(name, Some(*cancel), &RunCancelled { run: Some(run()), active: true });
        }
        Method::RunSteer(_, _, steer) => {
            let accepted = RunAccepted { run: run(), seq: Seq(46), queued: true };
            of_method(name, Some(steer.clone()), &accepted);
        }
        Method::InputRespond(_, _, respond) => {
            let responded = InputResponded { seq: Seq(46), run: Some(run()) };
            of_method(name, Some(respond.clone()), &responded);
        }
        Method::HistoryGet(_, get) => {
            let event = Event::StepStarted { name: StepName::Applying };
            let entries = vec![Entry { seq: Seq(40), ts: TS, event }];
            let page = HistoryPage { epoch: Epoch(1), entries, next_before: Some(Seq(40)) };
            of_method(name, Some(get.clone()), &page);
        }
        Method::FilesList(_, list) => {
            let page = FilePage {
                commit: Some(COMMIT.into()),
                files: vec![file()],
                next_after: Some("src/App.tsx".into()),
                object: Some("tree …\n".into()),
            };
            of_method(name, Some(list.clone()), &page);
        }
        Method::FilesGet(_, get) => {
            let text = "hello\n".to_owned();
            let commit = COMMIT.to_owned();
            let slice =
                FileSlice { commit, file: file(), offset: 65_536, text, next_offset: Some(65_542) };
            of_method(name, Some(get.clone()), &slice);
        }
        Method::CreditsGet => of_method(name, None::<()>, &credits()),
        Method::CreditsHistory(history) => {
            let page = TransactionPage { items: vec![transaction()], next_before: Some(8) };
            of_method(name, Some(*history), &page);
        }
        Method::CreditsQuote(_, asked) => of_method(name, Some(asked.clone()), &quote()),
    }
}

fn usage() -> Usage {
    Usage {
        input_tokens: 1200,
        output_tokens: 340,
        cached_tokens: 1000,
        reasoning_tokens: 40,
        source: UsageSource::Provider,
    }
}

fn balance() -> Balance {
    Balance { seq: 8, available: 993_600_000, held: 6_400_000 }
}

fn price() -> Price {
    Price {
        version: "5891b5b5".into(),
        model: "small".into(),
        input: 500_000_000,
        cached: 100_000_000,
        output: 1_500_000_000,
    }
}

fn grant() -> Grant {
    Grant { priority: 10, expires_at: Some(TS + 86_400_000) }
}

fn credits() -> CreditsInfo {
    CreditsInfo {
        balance: balance(),
        grants: vec![GrantInfo { id: "grant/sign-up".into(), grant: grant(), left: 993_600_000 }],
        holds: vec![HoldInfo {
            run: run(),
            session: session(),
            amount: 6_400_000,
            expires_at: TS + 600_000,
        }],
        month_spent: 17_000_000,
        month_budget: Some(500_000_000),
        session_budget: Some(100_000_000),
    }
}

fn transaction() -> Transaction {
    let leg = |account, amount| Leg { account, amount };
    Transaction {
        seq: 8,
        at: TS,
        id: format!("{}/end", run()),
        kind: Kind::Settle,
        amount: 5_100_000,
        legs: vec![
            leg(Account::Held, -6_400_000),
            leg(Account::Revenue, 5_100_000),
            leg(Account::Available, 1_300_000),
        ],
        available: 994_900_000,
        held: 0,
        run: Some(run()),
        session: Some(session()),
        grant: Some(grant()),
        of: Some("grant/sign-up".into()),
        price: Some(price()),
        usage: Some(usage()),
        rule: Some(Ending::Completed.rule()),
        note: "for a person".into(),
        hash: SHA256.into(),
    }
}

fn quote() -> Quote {
    Quote {
        price: price(),
        input_tokens: 1200,
        output_tokens_p50: 2800,
        output_tokens_p90: 4096,
        cost_p50: 4_800_000,
        hold: 6_744_000,
        available: 993_600_000,
        sufficient: true,
        policy: POLICY.to_vec(),
    }
}

fn file() -> FileInfo {
    FileInfo { path: "src/App.tsx".into(), oid: OID.into(), bytes: 70_000 }
}

fn diff_page() -> DiffPage {
    let file = FileDiff {
        path: "src/App.tsx".into(),
        change: FileChange::Changed,
        from_oid: Some(COMMIT.into()),
        to_oid: Some(OID.into()),
        patch: Some("--- a/src/App.tsx\n+++ b/src/App.tsx\n@@ -1 +1 @@\n-a\n+b\n".into()),
    };
    DiffPage {
        from: Some(COMMIT.into()),
        to: Some(OID.into()),
        files: vec![file],
        next_after: Some("src/App.tsx".into()),
    }
}

fn info() -> SessionInfo {
    SessionInfo {
        session: session(),
        epoch: Epoch(1),
        head: Seq(45),
        title: "A page".into(),
        status: Status::Waiting,
        run: Some(OpenRun { run: run(), cid: cid() }),
        commit: Some(COMMIT.into()),
        created_at: TS,
        parent: Some(Parent { session: session(), at: Seq(17) }),
        request: Some(1),
    }
}
