//! Reads a log as a story: its runs, what each said and did to the files.

use super::{
    request::Requests,
    violation::{Rule, Violation},
};
use crate::provider::{
    app::{self, Step},
    prompt::Tree,
};
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Notice, Outcome, StepName},
    frame::Entry,
    id::{CommandId, PartId, RunId, Seq, SessionId},
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Most attempts of one run.
const ATTEMPTS_MAX: u32 = 3;

/// What a log tells.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// In the order of their acceptance.
    pub runs: Vec<RunStory>,
    /// The committed files at its end.
    pub tree: Tree,
    /// Git id of their commit; none: nothing was committed.
    pub commit: Option<String>,
}

/// What a log tells of one run.
#[derive(Clone, Debug)]
pub struct RunStory {
    /// The run.
    pub run: RunId,
    /// The command that started it.
    pub cid: CommandId,
    /// The entry that accepted it.
    pub seq: Seq,
    /// When it was accepted, in microseconds since 1970.
    pub accepted_us: u64,
    /// The prompt.
    pub text: String,
    /// The model asked for.
    pub model: Option<String>,
    /// The run that it was said to.
    pub steers: Option<RunId>,
    /// It has planned and not generated: nothing is to be written.
    pub is_planning: bool,
    /// The committed files when it began.
    pub base: Tree,
    /// Its attempts; none: it never began.
    pub attempts: Vec<Attempt>,
    /// What it did to files, in order; only complete steps.
    pub steps: Vec<Step>,
    /// Whether its files were committed.
    pub committed: bool,
    /// How it ended and why, and when, in microseconds since 1970.
    pub end: Option<(Outcome, Option<ErrorBody>, u64)>,
}

/// One attempt of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// All its words in order, also those that were superseded.
    pub words: String,
}

#[derive(Debug)]
struct OpenPart {
    start: Seq,
    /// The path of a file.
    path: Option<String>,
    text: String,
}

struct Reader<'a> {
    session: SessionId,
    found: &'a mut Vec<Violation>,
    story: Story,
    /// Index of the run that is under way.
    active: Option<usize>,
    parts: BTreeMap<PartId, OpenPart>,
    last_part: PartId,
    seq: Seq,
    requests: Requests,
    /// The files of each commit.
    commits: BTreeMap<String, Tree>,
}

/// Reads a log; what breaks a rule goes to `found`.
pub(super) fn read(session: SessionId, log: &[Entry], found: &mut Vec<Violation>) -> Story {
    let mut reader = Reader {
        session,
        found,
        story: Story::default(),
        active: None,
        parts: BTreeMap::new(),
        commits: BTreeMap::new(),
        last_part: PartId::default(),
        seq: Seq::START,
        requests: Requests::default(),
    };
    for entry in log {
        if entry.seq != reader.seq.next() {
            let what = format!("entry {} follows {}", entry.seq, reader.seq);
            reader.wrong(Rule::Numbered, what);
        }
        reader.seq = entry.seq;
        reader.entry(entry);
    }
    for at in 0..reader.story.runs.len() {
        if let Some(run) = reader.story.runs.get(at).filter(|run| run.end.is_none()) {
            let what = format!("{} has no run.finished", run.run);
            reader.wrong(Rule::OneEnd, what);
        }
    }
    let end = reader.requests.end();
    reader.must(Rule::OneAnswer, end);
    reader.story
}

impl Reader<'_> {
    fn wrong(&mut self, rule: Rule, what: impl Into<String>) {
        self.found.push(Violation::new(rule, self.session, what));
    }

    fn must(&mut self, rule: Rule, kept: Result<(), String>) {
        if let Err(what) = kept {
            self.wrong(rule, what);
        }
    }

    fn entry(&mut self, Entry { seq, ts, event }: &Entry) {
        let (seq, us) = (*seq, ts.saturating_mul(1000));
        match event {
            Event::Notice { notice: Notice::SessionCreated, .. } => {
                if seq != Seq(1) {
                    self.wrong(Rule::OneEffect, format!("entry {seq} creates the session again"));
                }
            }
            Event::InputUser { .. }
            | Event::InputRequested { .. }
            | Event::InputResolved { .. } => self.said(seq, us, event),
            Event::StepStarted { name } => self.step_started(*name),
            Event::RunStarted { run, .. } => {
                let kept = self.requests.started(seq, *run);
                self.must(Rule::OneAnswer, kept);
                self.started(*run);
            }
            Event::RunRecovering { run, attempt, superseded_from } => {
                self.recovering(*run, *attempt, *superseded_from);
            }
            Event::RunFinished { run, outcome, error } => {
                self.finished(*run, *outcome, error.clone(), us);
            }
            Event::FilesCommitted { run, commit, added, changed, removed } => {
                self.committed(*run, [*added, *changed, *removed]);
                self.commit(commit);
            }
            Event::SessionRolledBack { files, commit, .. } => {
                self.rolled_back(seq, files.as_deref(), commit.as_deref());
            }
            Event::Usage { run, .. } => self.must_be_active(*run, "usage"),
            Event::FileDeleted { path } => self.step(Step::Delete(path.clone())),
            Event::FileMoved { from, to } => self.step(Step::Move(from.clone(), to.clone())),
            Event::TextStart { part }
            | Event::ReasoningStart { part }
            | Event::ToolStart { part, .. } => self.open(*part, None),
            Event::FileStart { part, path } => self.open(*part, Some(path.clone())),
            Event::TextDelta { part, text } => self.say(*part, text),
            Event::ReasoningDelta { part, text }
            | Event::ToolArgsDelta { part, text }
            | Event::ToolOutputDelta { part, text }
            | Event::FileDelta { part, text } => self.grow(*part, text),
            Event::TextEnd { part }
            | Event::ReasoningEnd { part }
            | Event::ToolEnd { part, .. } => {
                self.close(*part);
            }
            Event::FileEnd { part, complete, bytes, sha256 } => {
                self.end_file(*part, *complete, *bytes, sha256);
            }
            Event::Notice { .. }
            | Event::SessionForked { .. }
            | Event::ToolReady { .. }
            | Event::RunClassified { .. }
            | Event::RunPlanned { .. }
            | Event::RunQuoted { .. }
            | Event::StepFinished { .. }
            | Event::CreditsHeld { .. }
            | Event::CreditsSettled { .. }
            | Event::Progress { .. }
            | Event::Error { .. } => {}
            Event::Unknown => self.wrong(Rule::Orderly, format!("entry {seq} has an unknown type")),
        }
    }

    /// What users say and are asked.
    fn said(&mut self, seq: Seq, us: u64, event: &Event) {
        let kept = if let Event::InputUser { run, answers, .. } = event {
            self.requests.goes_on(seq, *run, *answers)
        } else if let Event::InputRequested { request, .. } = event {
            self.requests.asked(seq, *request)
        } else if let Event::InputResolved { request, answered, run, .. } = event {
            self.requests.resolved(seq, *request, *answered, *run)
        } else {
            Ok(())
        };
        self.must(Rule::OneAnswer, kept);
        if let Event::InputUser { run, cid, text, model, steers, .. } = event {
            self.input(*run, *cid, (seq, us), text, model.as_ref());
            self.steers(*run, *steers);
        } else if let Event::InputRequested { run, .. } = event {
            self.must_be_active(*run, "input.requested");
        }
    }

    fn commit(&mut self, commit: &str) {
        self.story.commit = Some(commit.to_owned());
        self.commits.insert(commit.to_owned(), self.story.tree.clone());
    }

    fn rolled_back(&mut self, seq: Seq, files: Option<&str>, commit: Option<&str>) {
        match files.map(|files| self.commits.get(files).cloned()) {
            Some(None) => self.wrong(Rule::Orderly, format!("entry {seq} restores no commit")),
            Some(Some(tree)) => self.story.tree = tree,
            None => self.story.tree.clear(),
        }
        commit.iter().for_each(|commit| self.commit(commit));
    }

    fn index(&self, run: RunId) -> Option<usize> {
        self.story.runs.iter().position(|story| story.run == run)
    }

    fn active(&mut self) -> Option<&mut RunStory> {
        self.story.runs.get_mut(self.active?)
    }

    fn must_be_active(&mut self, run: RunId, what: &str) {
        if self.active().is_none_or(|active| active.run != run) {
            let seq = self.seq;
            self.wrong(
                Rule::OneEnd,
                format!("entry {seq}: {what} of {run}, which is not under way"),
            );
        }
    }

    fn input(
        &mut self,
        run: RunId,
        cid: CommandId,
        (seq, accepted_us): (Seq, u64),
        text: &str,
        model: Option<&String>,
    ) {
        if let Some(before) =
            self.story.runs.iter().find(|story| story.run == run || story.cid == cid)
        {
            let what = format!(
                "{cid} was accepted as {} at entry {} and as {run} at entry {seq}",
                before.run, before.seq
            );
            self.wrong(Rule::OneEffect, what);
        }
        self.story.runs.push(RunStory {
            run,
            cid,
            seq,
            accepted_us,
            text: text.to_owned(),
            model: model.cloned(),
            steers: None,
            is_planning: false,
            base: Tree::new(),
            attempts: Vec::new(),
            steps: Vec::new(),
            committed: false,
            end: None,
        });
    }

    /// A run was said to another one, which must be under way.
    fn steers(&mut self, run: RunId, steers: Option<RunId>) {
        let Some(current) = steers else { return };
        self.must_be_active(current, "steering");
        if let Some(story) = self.story.runs.last_mut().filter(|story| story.run == run) {
            story.steers = steers;
        }
    }

    fn step_started(&mut self, name: StepName) {
        if let Some(story) = self.active() {
            story.is_planning = name == StepName::Planning;
        }
    }

    fn started(&mut self, run: RunId) {
        let seq = self.seq;
        if let Some(other) = self.active().map(|active| active.run) {
            self.wrong(
                Rule::OneEnd,
                format!("entry {seq}: {run} starts while {other} is under way"),
            );
        }
        let at = self.index(run);
        let base = self.story.tree.clone();
        match at.and_then(|at| self.story.runs.get_mut(at)) {
            Some(story) if story.end.is_none() && story.attempts.is_empty() => {
                story.base = base;
                story.attempts.push(Attempt::default());
                self.active = at;
                self.parts.clear();
            }
            _ => self.wrong(
                Rule::OneEnd,
                format!("entry {seq}: {run} starts unasked, twice, or after its end"),
            ),
        }
    }

    fn recovering(&mut self, run: RunId, attempt: u32, superseded_from: Option<Seq>) {
        self.must_be_active(run, "recovering");
        let open = self.parts.values().map(|part| part.start).min();
        if open != superseded_from {
            let what = format!(
                "{run}, attempt {attempt}: the open part starts at {open:?}, superseded is {superseded_from:?}"
            );
            self.wrong(Rule::PartsAreWhole, what);
        }
        self.parts.clear();
        let attempts = self.active().map_or(0, |story| {
            story.attempts.push(Attempt::default());
            story.attempts.len()
        });
        if attempts as u64 != u64::from(attempt) || attempt > ATTEMPTS_MAX {
            self.wrong(
                Rule::Orderly,
                format!(
                    "{run}: attempt {attempts} is called {attempt}, at most {ATTEMPTS_MAX} may be"
                ),
            );
        }
    }

    fn finished(&mut self, run: RunId, outcome: Outcome, error: Option<ErrorBody>, us: u64) {
        let seq = self.seq;
        let at = self.index(run);
        if outcome == Outcome::Steered {
            self.taken_up(run);
        }
        match at.and_then(|at| self.story.runs.get_mut(at)) {
            Some(story) if story.end.is_none() => story.end = Some((outcome, error, us)),
            Some(_) => self.wrong(Rule::OneEnd, format!("entry {seq}: {run} ends a second time")),
            None => {
                self.wrong(Rule::OneEnd, format!("entry {seq}: {run} ends and was never accepted"));
            }
        }
        if self.active == at {
            self.active = None;
            self.parts.clear();
        }
    }

    /// A run ends as steered: it was said to the one under way, and never began itself.
    fn taken_up(&mut self, run: RunId) {
        let current = self.active().map(|active| active.run);
        let story = self.story.runs.iter().find(|story| story.run == run);
        let is_said = story.is_some_and(|story| story.steers.is_some() && story.steers == current);
        let began = story.is_some_and(|story| !story.attempts.is_empty());
        if !is_said || began {
            let seq = self.seq;
            let what = format!("entry {seq}: {run} was taken up by {current:?}, began: {began}");
            self.wrong(Rule::RightEnd, what);
        }
    }

    fn step(&mut self, step: Step) {
        let seq = self.seq;
        match self.active() {
            Some(story) => story.steps.push(step),
            None => self.wrong(Rule::OneEnd, format!("entry {seq}: {step:?} outside of a run")),
        }
    }

    fn committed(&mut self, run: RunId, counts: [u32; 3]) {
        self.must_be_active(run, "files.committed");
        let seq = self.seq;
        let before = self.story.tree.clone();
        let Some(story) = self.active() else { return };
        let twice = std::mem::replace(&mut story.committed, true);
        let after = app::apply(&story.steps, &before);
        if twice {
            self.wrong(Rule::SameTree, format!("entry {seq}: {run} commits a second time"));
        }
        let expected = differences(&before, &after);
        if expected != counts {
            let what = format!(
                "entry {seq}: {run} added, changed, removed {expected:?} files, the entry says {counts:?}"
            );
            self.wrong(Rule::SameTree, what);
        }
        self.story.tree = after;
    }

    fn open(&mut self, part: PartId, path: Option<String>) {
        let seq = self.seq;
        if self.active.is_none() {
            self.wrong(Rule::OneEnd, format!("entry {seq}: {part:?} begins outside of a run"));
        }
        if part <= self.last_part {
            let last = self.last_part;
            self.wrong(
                Rule::PartsAreWhole,
                format!("entry {seq}: {part:?} begins after {last:?} did"),
            );
        }
        self.last_part = self.last_part.max(part);
        self.parts.insert(part, OpenPart { start: seq, path, text: String::new() });
    }

    fn grow(&mut self, part: PartId, text: &str) {
        let seq = self.seq;
        match self.parts.get_mut(&part) {
            Some(open) => open.text.push_str(text),
            None => self
                .wrong(Rule::PartsAreWhole, format!("entry {seq}: {part:?} grows and is not open")),
        }
    }

    fn say(&mut self, part: PartId, text: &str) {
        self.grow(part, text);
        if let Some(attempt) = self.active().and_then(|story| story.attempts.last_mut()) {
            attempt.words.push_str(text);
        }
    }

    fn close(&mut self, part: PartId) {
        let seq = self.seq;
        if self.parts.remove(&part).is_none() {
            self.wrong(Rule::PartsAreWhole, format!("entry {seq}: {part:?} ends and is not open"));
        }
    }

    fn end_file(&mut self, part: PartId, complete: bool, bytes: u64, sha256: &str) {
        let seq = self.seq;
        let Some(OpenPart { path: Some(path), text, .. }) = self.parts.remove(&part) else {
            self.wrong(Rule::PartsAreWhole, format!("entry {seq}: {part:?} is no open file"));
            return;
        };
        let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        if bytes != text.len() as u64 || sha256 != hash {
            let what = format!(
                "entry {seq}: {path} has {} bytes with hash {hash}, the entry says {bytes} and {sha256}",
                text.len()
            );
            self.wrong(Rule::PartsAreWhole, what);
        }
        if complete {
            self.step(Step::Write { path, content: text });
        }
    }
}

/// How many files of two trees are new, have other contents, are gone.
fn differences(before: &Tree, after: &Tree) -> [u32; 3] {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let added = after.keys().filter(|path| !before.contains_key(*path)).count();
    let changed =
        |(path, content): &(&String, &String)| before.get(*path).is_some_and(|old| old != *content);
    let removed = before.keys().filter(|path| !after.contains_key(*path)).count();
    [count(added), count(after.iter().filter(changed).count()), count(removed)]
}
