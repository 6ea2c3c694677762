//! The checker's own test: a correct history passes, each kind of defect is named.

use super::*;
use crate::provider::{
    AppCall, Call, End,
    app::{self, Step},
    prompt::Tree,
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Notice, Outcome},
    frame::{After, Attached, CaughtUp, Entry, Ev, Mode, Status},
    id::{Channel, CommandId, Epoch, PartId, RunId, Seq, SessionId},
    method::RunCancelled,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const SESSION: SessionId = SessionId::new(Uuid::from_u128(1));
const SEED: &str = "s";
const TAG: &str = "abc234";
/// Entries are one millisecond apart, from here on.
const T0_MS: u64 = 1_000_000;

const fn run_id(n: u128) -> RunId {
    RunId::new(Uuid::from_u128(n))
}

const fn cid(n: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(n))
}

/// Writes a correct history, event by event.
struct Writer {
    log: Vec<Entry>,
    tree: Tree,
    part: u32,
    starts: Vec<Start>,
    calls: Vec<Call>,
}

impl Writer {
    fn new() -> Self {
        let mut writer = Self {
            log: Vec::new(),
            tree: Tree::new(),
            part: 0,
            starts: Vec::new(),
            calls: Vec::new(),
        };
        let notice = Notice::SessionCreated;
        writer.add(Event::Notice {
            notice,
            by: None,
            cid: None,
            run: None,
            start_cid: None,
            message: String::new(),
        });
        writer
    }

    fn add(&mut self, event: Event) -> Seq {
        let seq = Seq(self.log.len() as u64 + 1);
        self.log.push(Entry { seq, ts: T0_MS + seq.0, event });
        seq
    }

    fn now_us(&self) -> u64 {
        (T0_MS + self.log.len() as u64) * 1000
    }

    fn accept(&mut self, n: u128, text: &str) {
        self.say(n, text, None, None);
    }

    fn say(&mut self, n: u128, text: &str, steers: Option<RunId>, answers: Option<u32>) {
        let model = Some(format!("app-0-{SEED}"));
        let by = "usr_00000000000000000000000000000001".parse().unwrap();
        let event = Event::InputUser {
            run: run_id(n),
            cid: cid(n),
            by,
            text: text.into(),
            model: model.clone(),
            plan: false,
            steers,
            answers,
        };
        let seq = self.add(event);
        let answers = vec![Given::Accepted { run: run_id(n), seq, duplicate: false }];
        self.starts.push(Start { cid: cid(n), text: text.into(), model, answers });
    }

    fn start(&mut self, n: u128) {
        self.add(Event::RunStarted { run: run_id(n), provider: "p".into(), model: "m".into() });
    }

    /// Says and does the given steps of an answer.
    fn answer(&mut self, steps: &[Step]) {
        for step in steps {
            self.part += 1;
            let part = PartId(self.part);
            match step {
                Step::Say(words) => {
                    self.add(Event::TextStart { part });
                    let (a, b) = words.split_at(words.floor_char_boundary(words.len() / 2));
                    self.add(Event::TextDelta { part, text: a.into() });
                    self.add(Event::TextDelta { part, text: b.into() });
                    self.add(Event::TextEnd { part });
                }
                Step::Write { path, content } => {
                    self.add(Event::FileStart { part, path: path.clone() });
                    self.add(Event::FileDelta { part, text: content.clone() });
                    self.end_file(part, content, true);
                }
                Step::Delete(path) => drop(self.add(Event::FileDeleted { path: path.clone() })),
                Step::Move(from, to) => {
                    self.add(Event::FileMoved { from: from.clone(), to: to.clone() });
                }
            }
        }
    }

    fn end_file(&mut self, part: PartId, content: &str, complete: bool) {
        let sha256 = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        self.add(Event::FileEnd { part, complete, bytes: content.len() as u64, sha256 });
    }

    fn commit(&mut self, n: u128, steps: &[Step]) {
        let after = app::apply(steps, &self.tree);
        let new = |path: &&String| !self.tree.contains_key(*path);
        let added = after.keys().filter(new).count();
        let changed = after
            .iter()
            .filter(|(path, text)| self.tree.get(*path).is_some_and(|old| old != *text));
        let removed = self.tree.keys().filter(|path| !after.contains_key(*path)).count();
        let [added, changed, removed] =
            [added, changed.count(), removed].map(|n| u32::try_from(n).unwrap());
        let commit = "0".repeat(40);
        self.add(Event::FilesCommitted { run: run_id(n), commit, added, changed, removed });
        self.tree = after;
    }

    fn finish(&mut self, n: u128, outcome: Outcome, error: Option<ErrorBody>) {
        self.add(Event::RunFinished { run: run_id(n), outcome, error });
    }

    /// The provider's record of a call that sent `steps`.
    fn call(&mut self, n: u128, text: &str, base: &Tree, steps: &[Step], end: End) {
        let answer = app::text(steps, TAG);
        self.calls.push(Call {
            run: Some(run_id(n).to_string()),
            start_us: self.now_us(),
            end_us: self.now_us() + 500,
            bytes: answer.len() as u64,
            end: Some(end),
            app: Some(std::sync::Arc::new(AppCall {
                seed: SEED.into(),
                request: text.into(),
                files: base.clone(),
                answer,
                tag: TAG.into(),
            })),
            ..Call::default()
        });
    }

    /// A run from its acceptance to its end.
    fn whole_run(&mut self, n: u128, text: &str) {
        let base = self.tree.clone();
        let steps = app::plan(SEED, text, &base);
        self.accept(n, text);
        self.start(n);
        self.call(n, text, &base, &steps, End::Done);
        self.answer(&steps);
        self.commit(n, &steps);
        self.finish(n, Outcome::Completed, None);
    }

    /// The history in which two clients saw all of it.
    fn history(self) -> History {
        let seen = |entry: &Entry| Seen {
            from: entry.seq,
            seq: entry.seq,
            ts: entry.ts,
            event: entry.event.clone(),
        };
        let committed =
            self.log.iter().any(|entry| matches!(entry.event, Event::FilesCommitted { .. }));
        let items: Vec<_> = self.log.iter().map(seen).collect();
        let transcripts = ["a", "b"].map(|name| Transcript {
            name: name.into(),
            epoch: Some(Epoch(1)),
            items: items.clone(),
            files: Some(self.tree.clone()),
            ..Transcript::default()
        });
        let session = SessionHistory {
            session: SESSION,
            epoch: Some(Epoch(1)),
            commit: committed.then(|| "0".repeat(40)),
            log_after_restart: Some(self.log.clone()),
            log: self.log,
            files: self.tree,
            transcripts: transcripts.into(),
            starts: self.starts,
            cancels: Vec::new(),
        };
        let sessions = vec![session];
        History { sessions, calls: self.calls, ..History::default() }
    }
}

/// Two runs, one after the other; the second one changes files.
fn two_runs() -> History {
    let mut writer = Writer::new();
    writer.whole_run(1, "make a page");
    writer.whole_run(2, "make it blue");
    writer.history()
}

/// A run whose server was killed in the middle of its second file.
fn recovered_run() -> Writer {
    let mut writer = Writer::new();
    let base = Tree::new();
    let steps = app::plan(SEED, "long one", &base);
    let second = steps.iter().rposition(|step| matches!(step, Step::Write { .. })).unwrap();
    writer.accept(1, "long one");
    writer.start(1);
    writer.call(1, "long one", &base, &steps[..=second], End::ClientClosed);
    writer.answer(&steps[..second]);
    writer.part += 1;
    let part = PartId(writer.part);
    let open = writer.add(Event::FileStart { part, path: "half".into() });
    writer.add(Event::FileDelta { part, text: "half of it".into() });
    writer.add(Event::RunRecovering { run: run_id(1), attempt: 2, superseded_from: Some(open) });
    writer.call(1, "long one", &base, &steps[second..], End::Done);
    writer.answer(&steps[second..]);
    writer.commit(1, &steps);
    writer.finish(1, Outcome::Completed, None);
    writer
}

fn first_rule(history: &History) -> Option<Rule> {
    check(history).first().map(|violation| violation.rule)
}

/// The position of the first entry that `wanted` takes.
fn find(history: &History, wanted: impl Fn(&Event) -> bool) -> usize {
    history.sessions[0].log.iter().position(|entry| wanted(&entry.event)).unwrap()
}

/// Changes an event for everybody: log and transcripts.
fn change(history: &mut History, at: usize, change: impl Fn(&mut Event)) {
    let session = &mut history.sessions[0];
    change(&mut session.log[at].event);
    change(&mut session.log_after_restart.as_mut().unwrap()[at].event);
    for transcript in &mut session.transcripts {
        change(&mut transcript.items[at].event);
    }
}

#[test]
fn a_correct_history_passes() {
    assert_eq!(check(&two_runs()), []);
    assert_eq!(check(&recovered_run().history()), []);
}

#[test]
fn merged_deltas_are_the_entries_that_they_merge() {
    let mut history = two_runs();
    let at = find(&history, |event| matches!(event, Event::TextDelta { .. }));
    let items = &mut history.sessions[0].transcripts[0].items;
    let next = items.remove(at + 1);
    items[at].seq = next.seq;
    items[at].event.join(next.event, usize::MAX).unwrap();
    assert_eq!(check(&history), []);
    let Event::TextDelta { text, .. } = &mut history.sessions[0].transcripts[0].items[at].event
    else {
        panic!("a delta stays one");
    };
    text.pop();
    assert_eq!(first_rule(&history), Some(Rule::SameForAll));
}

#[test]
fn an_entry_that_was_delivered_and_is_not_in_the_log_is_named() {
    let mut history = two_runs();
    history.sessions[0].log.pop();
    history.sessions[0].log_after_restart = None;
    assert!(
        check(&history)
            .iter()
            .any(|v| v.rule == Rule::SameForAll && v.what.contains("not in the log"))
    );
}

#[test]
fn a_client_that_saw_other_contents_or_less_is_named() {
    let mut history = two_runs();
    history.sessions[0].transcripts[1].items[3].ts += 1;
    assert_eq!(first_rule(&history), Some(Rule::SameForAll));
    let mut history = two_runs();
    history.sessions[0].transcripts[1].items.pop();
    assert_eq!(first_rule(&history), Some(Rule::Complete));
    let mut history = two_runs();
    history.sessions[0].transcripts[0].items.remove(4);
    assert_eq!(first_rule(&history), Some(Rule::NoHole));
}

#[test]
fn another_epoch_and_another_commit_are_named() {
    let mut history = two_runs();
    history.sessions[0].transcripts[1].epoch = Some(Epoch(2));
    assert_eq!(first_rule(&history), Some(Rule::OneEpoch));
    let mut history = two_runs();
    history.sessions[0].commit = None;
    assert_eq!(first_rule(&history), Some(Rule::SameTree));
}

#[test]
fn a_log_with_a_hole_or_another_one_after_a_restart_is_named() {
    let mut history = two_runs();
    history.sessions[0].log.remove(5);
    assert!(check(&history).iter().any(|violation| violation.rule == Rule::Numbered));
    let mut history = two_runs();
    history.sessions[0].log_after_restart.as_mut().unwrap().pop();
    assert_eq!(first_rule(&history), Some(Rule::Durable));
}

#[test]
fn a_command_with_two_effects_is_named() {
    let mut writer = Writer::new();
    writer.whole_run(1, "make a page");
    writer.whole_run(2, "make a page");
    let mut history = writer.history();
    let second =
        find(&history, |event| matches!(event, Event::InputUser { run, .. } if *run == run_id(2)));
    change(&mut history, second, |event| {
        if let Event::InputUser { cid: id, .. } = event {
            *id = cid(1);
        }
    });
    assert_eq!(first_rule(&history), Some(Rule::OneEffect));
    let mut history = two_runs();
    let again = Given::Accepted { run: run_id(9), seq: Seq(2), duplicate: true };
    history.sessions[0].starts[0].answers.push(again);
    assert_eq!(first_rule(&history), Some(Rule::OneEffect));
    let mut history = two_runs();
    let first = history.sessions[0].starts[0].answers[0].clone();
    history.sessions[0].starts[0].answers.push(first);
    assert_eq!(first_rule(&history), Some(Rule::OneEffect), "taken for new twice");
}

#[test]
fn an_answer_without_its_effect_is_named() {
    let mut history = two_runs();
    let accepted = Given::Accepted { run: run_id(7), seq: Seq(9), duplicate: false };
    let start = Start { cid: cid(7), text: "x".into(), model: None, answers: vec![accepted] };
    history.sessions[0].starts.push(start);
    assert_eq!(first_rule(&history), Some(Rule::AnswersAreTrue));
    let mut history = two_runs();
    let busy = ErrorBody::new(Code::FailedPrecondition, Reason::RunBusy, "busy");
    history.sessions[0].starts[0].answers = vec![Given::Unknown, Given::Refused(busy)];
    assert_eq!(first_rule(&history), Some(Rule::AnswersAreTrue));
}

#[test]
fn a_run_without_an_end_or_with_two_is_named() {
    let mut history = two_runs();
    let session = &mut history.sessions[0];
    session.log.pop();
    session.log_after_restart = None;
    session.transcripts.clear();
    assert_eq!(first_rule(&history), Some(Rule::OneEnd));
    let mut writer = Writer::new();
    writer.whole_run(1, "make a page");
    writer.finish(1, Outcome::Completed, None);
    assert_eq!(first_rule(&writer.history()), Some(Rule::OneEnd));
}

#[test]
fn an_end_that_nothing_explains_is_named() {
    for outcome in [Outcome::Cancelled, Outcome::Failed] {
        let mut writer = Writer::new();
        writer.accept(1, "make a page");
        writer.start(1);
        writer.finish(1, outcome, None);
        assert_eq!(first_rule(&writer.history()), Some(Rule::RightEnd), "{outcome:?}");
    }
}

#[test]
fn a_truncated_file_that_is_called_complete_is_named() {
    let mut writer = Writer::new();
    let steps = app::plan(SEED, "make a page", &Tree::new());
    let mut cut = steps.clone();
    let long = |step: &Step| matches!(step, Step::Write { content, .. } if content.len() > 9);
    if let Some(Step::Write { content, .. }) = cut.iter_mut().rfind(|step| long(step)) {
        content.truncate(content.floor_char_boundary(content.len() / 2));
    }
    writer.accept(1, "make a page");
    writer.start(1);
    writer.call(1, "make a page", &Tree::new(), &steps, End::Done);
    writer.answer(&cut);
    writer.commit(1, &cut);
    writer.finish(1, Outcome::Completed, None);
    assert_eq!(first_rule(&writer.history()), Some(Rule::RightFiles));
}

#[test]
fn a_file_whose_hash_is_not_that_of_its_text_is_named() {
    let mut history = two_runs();
    let end = find(&history, |event| matches!(event, Event::FileEnd { .. }));
    change(&mut history, end, |event| {
        if let Event::FileEnd { bytes, .. } = event {
            *bytes += 1;
        }
    });
    assert_eq!(first_rule(&history), Some(Rule::PartsAreWhole));
}

#[test]
fn files_that_differ_from_what_was_committed_are_named() {
    let mut history = two_runs();
    history.sessions[0].files.insert("extra".into(), String::new());
    assert_eq!(first_rule(&history), Some(Rule::SameTree));
    let mut history = two_runs();
    let files = history.sessions[0].transcripts[0].files.as_mut().unwrap();
    files.pop_first();
    assert_eq!(first_rule(&history), Some(Rule::SameTree));
}

#[test]
fn words_that_the_provider_did_not_send_are_named() {
    let mut history = two_runs();
    let at = find(&history, |event| matches!(event, Event::TextDelta { .. }));
    change(&mut history, at, |event| {
        if let Event::TextDelta { text, .. } = event {
            text.push('!');
        }
    });
    assert_eq!(first_rule(&history), Some(Rule::RightText));
    let mut history = two_runs();
    history.calls[0].bytes = 3;
    assert_eq!(first_rule(&history), Some(Rule::RightText), "more than was sent");
}

#[test]
fn a_part_that_was_open_at_a_crash_and_is_not_superseded_is_named() {
    let mut history = recovered_run().history();
    let at = find(&history, |event| matches!(event, Event::RunRecovering { .. }));
    change(&mut history, at, |event| {
        if let Event::RunRecovering { superseded_from, .. } = event {
            *superseded_from = None;
        }
    });
    assert_eq!(first_rule(&history), Some(Rule::PartsAreWhole));
}

#[test]
fn a_cancel_that_does_not_reach_the_provider_is_named() {
    let cancelled = |closed_after_us: u64| {
        let mut writer = Writer::new();
        let steps = app::plan(SEED, "make a page", &Tree::new());
        writer.accept(1, "make a page");
        writer.start(1);
        writer.call(1, "make a page", &Tree::new(), &steps, End::ClientClosed);
        let answered_us = writer.now_us();
        writer.calls[0].end_us = answered_us + closed_after_us;
        writer.finish(1, Outcome::Cancelled, None);
        let mut history = writer.history();
        let result = RunCancelled { run: Some(run_id(1)), active: true };
        let cancel = Cancel { target: Target::Run(run_id(1)), answer: Some((answered_us, result)) };
        history.sessions[0].cancels.push(cancel);
        history
    };
    assert_eq!(check(&cancelled(900_000)), []);
    assert_eq!(first_rule(&cancelled(1_100_000)), Some(Rule::CancelReaches));
    let mut killed = cancelled(1_100_000);
    let from_us = T0_MS * 1000;
    killed.downtimes.push(Downtime { from_us, until_us: from_us + 900_000 });
    assert_eq!(check(&killed), [], "the server was down meanwhile");
}

#[test]
fn a_prompt_with_other_files_is_named() {
    let mut history = two_runs();
    let app = history.calls[1].app.as_mut().unwrap();
    std::sync::Arc::make_mut(app).files.clear();
    assert_eq!(first_rule(&history), Some(Rule::RightPrompt));
    let mut history = two_runs();
    history.calls[0].refused = Some("no tag".into());
    assert_eq!(first_rule(&history), Some(Rule::RightPrompt));
}

mod request;

mod one_attachment {
    use super::*;

    fn attached(epoch: u64, after: u64, head: u64) -> Attached {
        Attached {
            ch: Channel(1),
            session: SESSION,
            epoch: Epoch(epoch),
            head: Seq(head),
            after: Seq(after),
            mode: Mode::Resumed,
            status: Status::Idle,
            run: None,
        }
    }

    fn ev(from: Option<u64>, seq: u64) -> Ev {
        let event = Event::TextEnd { part: PartId(1) };
        Ev { ch: Channel(1), seq: Seq(seq), from: from.map(Seq), ts: 0, event }
    }

    /// An observer that has seen entries 1 to 3.
    fn at_three() -> Observer {
        let mut observer = Observer::new(SESSION, "a");
        observer.asking(After::Start, Seq::START);
        observer.attached(&attached(1, 0, 3)).unwrap();
        observer.ev(ev(None, 1)).unwrap();
        observer.ev(ev(Some(2), 3)).unwrap();
        observer
    }

    fn rule(result: Result<(), Violation>) -> Option<Rule> {
        result.err().map(|violation| violation.rule)
    }

    #[test]
    fn entries_in_order_over_two_sockets_pass() {
        let mut observer = at_three();
        observer.caught_up(CaughtUp { ch: Channel(1), seq: Seq(3) }).unwrap();
        observer.lost();
        observer.asking(After::Cursor(observer.cursor().unwrap()), Seq(3));
        observer.attached(&attached(1, 3, 4)).unwrap();
        observer.ev(ev(None, 4)).unwrap();
        assert_eq!(observer.into_transcript().last(), Seq(4));
    }

    #[test]
    fn holes_and_repeats_are_named() {
        assert_eq!(rule(at_three().ev(ev(None, 5))), Some(Rule::NoHole));
        assert_eq!(rule(at_three().ev(ev(None, 3))), Some(Rule::NoRepeat));
        assert_eq!(rule(at_three().ev(ev(Some(3), 4))), Some(Rule::NoRepeat));
        let early = CaughtUp { ch: Channel(1), seq: Seq(2) };
        assert_eq!(rule(at_three().caught_up(early)), Some(Rule::NoHole));
    }

    #[test]
    fn another_epoch_or_another_place_is_named() {
        assert_eq!(rule(at_three().attached(&attached(2, 3, 3))), Some(Rule::OneEpoch));
        assert_eq!(rule(at_three().attached(&attached(1, 4, 9))), Some(Rule::BeginsAsAsked));
        assert_eq!(rule(at_three().attached(&attached(1, 3, 2))), Some(Rule::SameForAll));
        let mut other = Observer::new(SESSION, "b");
        other.asking(After::Start, Seq(3));
        assert_eq!(
            rule(other.attached(&attached(1, 0, 2))),
            Some(Rule::SameForAll),
            "less than others saw"
        );
        assert_eq!(rule(other.ev(ev(None, 1))), None, "what follows says nothing new");
        let mut early = Observer::new(SESSION, "c");
        assert_eq!(rule(early.ev(ev(None, 1))), Some(Rule::BeginsAsAsked));
    }

    #[test]
    fn any_reset_is_named() {
        let reset = greenroom_protocol::frame::Reset {
            ch: Channel(1),
            session: SESSION,
            epoch: Epoch(1),
            head: Seq(2),
            after: Seq(2),
            reason: Reason::SeqAhead,
            status: Status::Idle,
        };
        assert_eq!(at_three().reset(&reset).rule, Rule::NoReset);
    }
}
