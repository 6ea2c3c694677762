//! What a session has said so far, built from its events.

mod part;
mod request;

use super::Transcript;
use crate::{
    error::ErrorBody,
    event::{Event, Notice, Outcome, Stream, Usage},
    frame::Ev,
    id::{CommandId, PartId, RunId, Seq},
    plan::Spec,
};
pub use part::{Body, End, Part, PartKind};
pub use request::{Quote, Request, Understood};
use std::{collections::BTreeMap, sync::Arc};

/// How much a replica keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// All text: of prompts, of parts, of files. Memory: the bytes of the session since it began
    /// to be read, each once.
    #[default]
    Everything,
    /// Lengths and digests; parts only while they are open. Memory: about 200 bytes for each open
    /// part, each run and each file, and 50 for each file of each commit.
    Digests,
}

/// A run, as far as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The command that asked for it.
    pub cid: Option<CommandId>,
    /// The prompt; empty with [`Keep::Digests`].
    pub input: String,
    /// Whether it has begun.
    pub started: bool,
    /// Number of its latest attempt: 1, or more after crashes.
    pub attempt: u32,
    /// How it ended; none while it has not.
    pub outcome: Option<Outcome>,
    /// Why it did not complete.
    pub error: Option<ErrorBody>,
    /// What its calls used, one an entry.
    pub usage: Vec<Usage>,
    /// Git id of what it committed.
    pub commit: Option<String>,
    /// What its prompt was understood as, where a plan was to be made.
    pub understood: Option<Understood>,
    /// What is to be built; none with [`Keep::Digests`].
    pub plan: Option<Box<Spec>>,
    /// What that is likely to cost.
    pub quote: Option<Quote>,
    /// The run that it was said to: it took this up where this one ended as steered.
    pub steers: Option<RunId>,
    /// The request for input that it goes on from.
    pub answers: Option<u32>,
}

/// A file: its contents and the SHA-256 that the server gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// The contents.
    pub body: Body,
    /// SHA-256 of the contents in hex, as the server said.
    pub sha256: String,
}

/// What a run wants to do to the files, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write a file.
    Write(String, Arc<File>),
    /// Remove a file.
    Delete(String),
    /// Move a file.
    Move(String, String),
}

/// What a well-behaved log never holds. The event was applied as far as it made sense, except where
/// it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// An event that does not follow the last one; it was not applied.
    #[error("entry {from} was applied after entry {last}")]
    NotNext {
        /// The last entry.
        last: Seq,
        /// The first entry of the event.
        from: Seq,
    },
    /// A part began under a number that was used before.
    #[error("part {0:?} began twice")]
    BeganTwice(PartId),
    /// An event of a part that is not open, or is of another kind.
    #[error("part {0:?} is not open for this")]
    NotOpen(PartId),
    /// The contents of a file have another length than its end says.
    #[error("part {part:?} holds {held} bytes, its end says {said}")]
    Length {
        /// The part.
        part: PartId,
        /// Bytes received.
        held: u64,
        /// Bytes that the end claims.
        said: u64,
    },
    /// A run ended a second time.
    #[error("{0} ended twice")]
    EndedTwice(RunId),
    /// A request for input under a number that was used before, or while another one was open.
    #[error("request {0} was made twice, or while another one was open")]
    AskedTwice(u32),
    /// A request for input was resolved that was not open.
    #[error("request {0} is not open")]
    NotAsked(u32),
}

/// Files by path.
pub type Files = BTreeMap<String, Arc<File>>;

/// What a session has said since the entry at which it began to be read.
///
/// Begun at entry 1 it is whole, unless the session is a fork. Begun later it holds what came since:
/// a part whose start was missed is [`Part::headless`], and only files written since are known; so
/// it is with the files that a fork began with.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    keep: Keep,
    base: Seq,
    last: Seq,
    title: String,
    closed: bool,
    parts: BTreeMap<PartId, Part>,
    runs: BTreeMap<RunId, Run>,
    current: Option<RunId>,
    waiting: Option<Request>,
    /// The highest number of a request that was seen.
    requests: u32,
    staged: Vec<Change>,
    files: Files,
    commit: Option<String>,
    /// The files of each commit, so that a rollback finds them again.
    commits: BTreeMap<String, Files>,
    transcript: Transcript,
}

impl Replica {
    /// An empty replica, before entry 1.
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Follows what an attachment says about its beginning: nothing where it continues; otherwise
    /// all is dropped and built anew from the entry after `after`.
    pub fn begin(&mut self, begin: super::Begin, after: Seq) {
        match begin {
            super::Begin::Continued => {}
            super::Begin::First | super::Begin::Void(_) => {
                *self = Self { base: after, last: after, ..Self::new(self.keep) };
            }
        }
    }

    /// The last entry applied.
    #[must_use]
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// The entry before the first one applied; 0: the replica is whole.
    #[must_use]
    pub const fn base(&self) -> Seq {
        self.base
    }

    /// The session's title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether the session takes no more runs.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The parts, by number; with [`Keep::Digests`] the open ones only.
    #[must_use]
    pub const fn parts(&self) -> &BTreeMap<PartId, Part> {
        &self.parts
    }

    /// The runs, oldest first.
    #[must_use]
    pub const fn runs(&self) -> &BTreeMap<RunId, Run> {
        &self.runs
    }

    /// The run that is under way.
    #[must_use]
    pub const fn current_run(&self) -> Option<RunId> {
        self.current
    }

    /// What the current run will do to the files once it commits.
    #[must_use]
    pub fn staged(&self) -> &[Change] {
        &self.staged
    }

    /// The files as of [`Replica::commit`], by path.
    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Git id of the last commit.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// Digest of all that was applied since [`Replica::base`]: see [`Transcript`].
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.transcript.digest()
    }

    /// Drops parts that have ended, to bound the memory of a long session.
    pub fn forget_ended_parts(&mut self) {
        self.parts.retain(|_, part| part.end.is_none());
    }

    /// Applies an event that [`super::Attachment`] let through.
    ///
    /// # Errors
    /// [`Inconsistency`], which is a defect of the server; the replica remains of use.
    pub fn apply(&mut self, ev: &Ev) -> Result<(), Inconsistency> {
        let from = ev.from.unwrap_or(ev.seq);
        if from != self.last.next() || ev.seq < from {
            return Err(Inconsistency::NotNext { last: self.last, from });
        }
        self.last = ev.seq;
        self.transcript.add(ev.seq, &ev.event);
        match &ev.event {
            Event::TextStart { part } => self.start(*part, from, PartKind::Text),
            Event::ReasoningStart { part } => self.start(*part, from, PartKind::Reasoning),
            Event::ToolStart { part, name } => self.start(*part, from, PartKind::tool(name)),
            Event::FileStart { part, path } => self.start(*part, from, PartKind::file(path)),
            Event::TextDelta { part, text }
            | Event::ReasoningDelta { part, text }
            | Event::ToolArgsDelta { part, text }
            | Event::ToolOutputDelta { part, text }
            | Event::FileDelta { part, text } => {
                let stream = ev.event.as_delta().map_or(Stream::Text, |(_, stream, _)| stream);
                self.delta(*part, from, stream, text)
            }
            Event::ToolReady { part } => self.ready(*part),
            Event::TextEnd { part } | Event::ReasoningEnd { part } => {
                self.end(*part, End::Complete)
            }
            Event::ToolEnd { part, ok: true } => self.end(*part, End::Complete),
            Event::ToolEnd { part, ok: false } => self.end(*part, End::Failed),
            Event::FileEnd { part, complete, bytes, sha256 } => {
                self.file_end(*part, *complete, *bytes, sha256)
            }
            Event::FileDeleted { .. }
            | Event::FileMoved { .. }
            | Event::FilesCommitted { .. }
            | Event::InputUser { .. }
            | Event::RunStarted { .. }
            | Event::RunRecovering { .. }
            | Event::RunFinished { .. }
            | Event::StepStarted { .. }
            | Event::StepFinished { .. }
            | Event::Usage { .. }
            | Event::CreditsHeld { .. }
            | Event::CreditsSettled { .. }
            | Event::Notice { .. }
            | Event::SessionRolledBack { .. }
            | Event::SessionForked { .. }
            | Event::Progress { .. }
            | Event::Error { .. }
            | Event::Unknown => self.apply_whole(&ev.event),
            Event::InputRequested { .. }
            | Event::InputResolved { .. }
            | Event::RunClassified { .. }
            | Event::RunPlanned { .. }
            | Event::RunQuoted { .. } => self.apply_request(&ev.event),
        }
    }

    /// Events that belong to no part; those for display alone change nothing.
    fn apply_whole(&mut self, event: &Event) -> Result<(), Inconsistency> {
        if let Event::FileDeleted { path } = event {
            self.staged.push(Change::Delete(path.clone()));
        } else if let Event::FileMoved { from, to } = event {
            self.staged.push(Change::Move(from.clone(), to.clone()));
        } else if let Event::FilesCommitted { run, commit, .. } = event {
            self.commit_staged();
            self.set_commit(commit);
            self.run(*run).commit = Some(commit.clone());
        } else if let Event::SessionRolledBack { files, commit, .. } = event {
            // Files of a commit that was not seen are not known.
            let files = files.as_ref().and_then(|files| self.commits.get(files));
            self.files = files.cloned().unwrap_or_default();
            commit.iter().for_each(|commit| self.set_commit(commit));
        } else if let Event::SessionForked { commit: Some(commit), .. } = event {
            self.set_commit(commit);
        } else if let Event::InputUser { run, cid, text, steers, answers, .. } = event {
            let input = if self.keep == Keep::Everything { text.clone() } else { String::new() };
            let seen = self.run(*run);
            seen.cid = Some(*cid);
            seen.input = input;
            seen.steers = *steers;
            seen.answers = *answers;
        } else if let Event::RunStarted { run, .. } = event {
            self.current = Some(*run);
            let seen = self.run(*run);
            seen.started = true;
            seen.attempt = 1;
        } else if let Event::RunRecovering { run, attempt, superseded_from } = event {
            self.current = Some(*run);
            self.run(*run).attempt = *attempt;
            if let Some(void) = superseded_from {
                self.parts.retain(|_, part| part.end.is_some() || part.from < *void);
            }
        } else if let Event::RunFinished { run, outcome, error } = event {
            return self.run_finished(*run, *outcome, error.as_ref());
        } else if let Event::Usage { run, usage } = event {
            self.run(*run).usage.push(*usage);
        } else if let Event::Notice { notice: Notice::SessionCreated, message, .. } = event {
            self.title.clone_from(message);
        } else if let Event::Notice { notice: Notice::SessionClosed, .. } = event {
            self.closed = true;
        }
        Ok(())
    }

    fn run(&mut self, run: RunId) -> &mut Run {
        self.runs.entry(run).or_default()
    }

    fn run_finished(
        &mut self,
        run: RunId,
        outcome: Outcome,
        error: Option<&ErrorBody>,
    ) -> Result<(), Inconsistency> {
        let seen = self.run(run);
        if seen.outcome.is_some() {
            return Err(Inconsistency::EndedTwice(run));
        }
        seen.outcome = Some(outcome);
        seen.error = error.cloned();
        if self.current.is_some_and(|current| current != run) {
            return Ok(()); // a run that ended in the queue: the current one goes on
        }
        self.current = None;
        self.staged.clear(); // what was not committed never will be
        for part in self.parts.values_mut().filter(|part| part.end.is_none()) {
            part.end = Some(End::BrokenOff);
        }
        if self.keep == Keep::Digests {
            self.parts.clear();
        }
        Ok(())
    }

    fn set_commit(&mut self, commit: &str) {
        self.commit = Some(commit.to_owned());
        self.commits.insert(commit.to_owned(), self.files.clone());
    }

    fn commit_staged(&mut self) {
        for change in std::mem::take(&mut self.staged) {
            match change {
                Change::Write(path, file) => {
                    self.files.insert(path, file);
                }
                Change::Delete(path) => {
                    self.files.remove(&path);
                }
                Change::Move(from, to) => {
                    if let Some(file) = self.files.remove(&from) {
                        self.files.insert(to, file);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
