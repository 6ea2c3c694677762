//! A run's state, found again in its own log.

#[cfg(test)]
mod tests;

use super::{
    Change, Changes,
    prose::{Mark, Prose},
    usage,
};
use greenroom_protocol::{
    event::{Event, StepName, Usage},
    id::{PartId, Seq},
    plan::Spec,
};

/// What the log says of a run that has not ended: fed with its entries in order, from
/// `run.started` on, and read after a crash. Entries of others in between do no harm.
///
/// A part that is open at the end of the log is void: its answer is lost. [`Self::superseded_from`]
/// goes into the `run.recovering` entry, and a later replay meets that entry and drops the part.
#[derive(Clone, Debug)]
pub struct Replay {
    next_part: PartId,
    open: Option<Open>,
    changes: Changes,
    prose: Prose,
    usage: Option<Usage>,
    commit: Option<String>,
    generated: bool,
    attempt: u32,
    spec: Option<Box<Spec>>,
    /// How far the run came, whose files may be none yet.
    planned: bool,
    generating: bool,
    asked: bool,
}

/// How far the log says that planning came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan<'a> {
    /// Not to its end.
    Open,
    /// There is one, and it may be built.
    Agreed(&'a Spec),
    /// The request needs none.
    Left,
    /// All was said, or the user was asked: the run is over.
    Ended,
}

/// The open part and the entry that began it.
#[derive(Clone, Debug)]
struct Open {
    part: PartId,
    from: Seq,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Text { before: Mark },
    File { path: String, content: String },
    Other,
}

impl Replay {
    /// Nothing read yet; the run's first part has or will have the number `first_part`.
    #[must_use]
    pub fn new(first_part: PartId) -> Self {
        Self {
            next_part: first_part,
            open: None,
            changes: Changes::new(),
            prose: Prose::default(),
            usage: None,
            commit: None,
            generated: false,
            attempt: 1,
            spec: None,
            planned: false,
            generating: false,
            asked: false,
        }
    }

    /// Reads the next entry.
    pub fn apply(&mut self, seq: Seq, event: &Event) {
        if let Some(part) = event.part() {
            self.next_part = self.next_part.max(part.next());
        }
        match event {
            Event::TextStart { part } => {
                let before = self.prose.mark();
                self.prose.begin();
                self.begin(*part, seq, Kind::Text { before });
            }
            Event::ReasoningStart { part } | Event::ToolStart { part, .. } => {
                self.begin(*part, seq, Kind::Other);
            }
            Event::FileStart { part, path } => {
                let kind = Kind::File { path: path.clone(), content: String::new() };
                self.begin(*part, seq, kind);
            }
            Event::TextDelta { text, .. } => self.prose.push(text),
            Event::FileDelta { part, text } => self.content(*part, text),
            Event::TextEnd { part }
            | Event::ReasoningEnd { part }
            | Event::ToolEnd { part, .. } => {
                self.end(*part, false);
            }
            Event::FileEnd { part, complete, .. } => self.end(*part, *complete),
            Event::FileDeleted { path } => self.changes.push(Change::Delete { path: path.clone() }),
            Event::FileMoved { from, to } => {
                self.changes.push(Change::Move { from: from.clone(), to: to.clone() });
            }
            Event::FilesCommitted { commit, .. } => self.commit = Some(commit.clone()),
            Event::Usage { usage, .. } => {
                self.usage = Some(self.usage.map_or(*usage, |before| usage::sum(before, *usage)));
            }
            // The calls of an attempt before this one were lost with it.
            Event::StepStarted { name: StepName::Generating } => {
                self.usage = None;
                self.generating = true;
            }
            Event::RunPlanned { spec, .. } => self.spec = Some(spec.clone()),
            Event::InputRequested { .. } => self.asked = true,
            Event::StepFinished { name: StepName::Planning } => self.planned = true,
            Event::RunRecovering { attempt, .. } => {
                self.attempt = *attempt;
                self.drop_open();
            }
            Event::StepFinished { name: StepName::Generating }
            | Event::StepStarted { name: StepName::Applying } => self.generated = true,
            Event::Notice { .. }
            | Event::SessionRolledBack { .. }
            | Event::SessionForked { .. }
            | Event::InputUser { .. }
            | Event::InputResolved { .. }
            | Event::RunClassified { .. }
            | Event::RunQuoted { .. }
            | Event::RunStarted { .. }
            | Event::RunFinished { .. }
            | Event::StepStarted { .. }
            | Event::StepFinished { .. }
            | Event::ReasoningDelta { .. }
            | Event::ToolArgsDelta { .. }
            | Event::ToolReady { .. }
            | Event::ToolOutputDelta { .. }
            | Event::CreditsHeld { .. }
            | Event::CreditsSettled { .. }
            | Event::Progress { .. }
            | Event::Error { .. }
            | Event::Unknown => {}
        }
    }

    /// The changes that are complete in the log.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The entry at which the open part began, if one is open: for `run.recovering`.
    #[must_use]
    pub fn superseded_from(&self) -> Option<Seq> {
        self.open.as_ref().map(|open| open.from)
    }

    /// Whether the answer was complete: no further call to the provider is needed.
    #[must_use]
    pub const fn generated(&self) -> bool {
        self.generated
    }

    /// The commit, if `files.committed` was written.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// How far planning came.
    pub(super) fn plan(&self) -> Plan<'_> {
        match &self.spec {
            _ if self.asked => Plan::Ended,
            _ if !self.planned && !self.generating => Plan::Open,
            Some(spec) => Plan::Agreed(spec),
            None if self.generating || self.prose().is_empty() => Plan::Left,
            None => Plan::Ended,
        }
    }

    /// What the calls of the last attempt that wrote used in all.
    #[must_use]
    pub const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Number of the attempt that the log ends in: 1, 2, 3, …
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What complete text parts say, as [`super::output::Output::prose`]; the text of an open part
    /// counts too, until the part is dropped.
    #[must_use]
    pub fn prose(&self) -> &str {
        self.prose.as_str()
    }

    /// The number of the next part; a dropped part's number is not used again.
    #[must_use]
    pub const fn next_part(&self) -> PartId {
        self.next_part
    }

    pub(super) fn into_parts(mut self) -> (Changes, Prose, PartId) {
        self.drop_open();
        (self.changes, self.prose, self.next_part)
    }

    fn begin(&mut self, part: PartId, from: Seq, kind: Kind) {
        self.open = Some(Open { part, from, kind });
    }

    fn content(&mut self, part: PartId, text: &str) {
        if let Some(Open { part: open, kind: Kind::File { content, .. }, .. }) = &mut self.open
            && *open == part
        {
            content.push_str(text);
        }
    }

    fn end(&mut self, part: PartId, complete: bool) {
        if let Some(open) = self.open.take_if(|open| open.part == part)
            && complete
            && let Kind::File { path, content } = open.kind
        {
            self.changes.push(Change::Write { path, content });
        }
    }

    fn drop_open(&mut self) {
        if let Some(Open { kind: Kind::Text { before }, .. }) = self.open.take() {
            self.prose.rewind(before);
        }
    }
}
