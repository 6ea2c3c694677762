//! From a provider's answer to a session's events.

mod editing;
mod limits;
#[cfg(test)]
mod tests;

use super::{
    Change, Changes, Tag,
    artifact::{Ending, Parser, Piece, Rejection},
    edit::EditFailure,
    prose::Prose,
    replay::Replay,
};
use crate::plant::{self, Plant};
pub use editing::EditOutcome;
pub(super) use editing::edit_failed;
use editing::{Edits, OpenEdit};
use greenroom_protocol::{
    event::{Event, Notice},
    id::PartId,
    limit::DELTA_BYTES_MAX,
};
pub use limits::{OutputError, OutputLimits};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// Turns the text of one run's answer into events, and keeps what it changes.
///
/// At most one part is open at a time. A text or reasoning part begins with its first character
/// that is no white space, so that blank lines between files are no parts. Reasoning that arrives
/// while a file is open is dropped. Every file or other instruction that is left out is said in a
/// [`Notice::FileRejected`]. An edit is said at its end, as the whole file that it gives; one that
/// can't be applied in an [`Event::Error`].
#[derive(Debug)]
pub struct Output {
    parser: Parser,
    state: State,
}

/// All but the parser, which borrows this while it runs.
#[derive(Debug)]
struct State {
    limits: OutputLimits,
    next_part: PartId,
    open: Option<Open>,
    /// The project's files before the run.
    base: Arc<BTreeMap<String, String>>,
    edit: Option<OpenEdit>,
    edits: Edits,
    outcomes: Vec<EditOutcome>,
    changes: Changes,
    prose: Prose,
    /// Bytes of the answer so far.
    bytes: usize,
    /// Bytes of files that edits gave so far.
    edited_bytes: usize,
    /// Files, edits, deletions, moves and refusals so far.
    files: usize,
    /// The limit that was reached: nothing is taken any more.
    failed: Option<OutputError>,
}

/// The open part.
#[derive(Debug)]
struct Open {
    part: PartId,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text,
    Reasoning,
    File { path: String, content: String, hash: Sha256 },
}

/// What may be said outside of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Text,
    Reasoning,
}

impl Output {
    /// The output of a run that begins; its first part gets the number `first_part`.
    #[must_use]
    pub fn new(tag: &Tag, first_part: PartId, limits: OutputLimits) -> Self {
        Self::resume(tag, limits, Replay::new(first_part))
    }

    /// The output of a run that goes on after a crash, in a new answer with a tag of its own.
    /// What the log already holds counts against the limits.
    #[must_use]
    pub fn resume(tag: &Tag, limits: OutputLimits, replay: Replay) -> Self {
        let (changes, prose, next_part) = replay.into_parts();
        let state = State {
            limits,
            next_part,
            open: None,
            base: Arc::default(),
            edit: None,
            edits: Edits::default(),
            outcomes: Vec::new(),
            prose,
            bytes: changes.content_bytes(),
            edited_bytes: 0,
            files: changes.len(),
            changes,
            failed: None,
        };
        Self { parser: Parser::new(tag), state }
    }

    /// Edits these files, the project's before the run, and what the run has made of them.
    #[must_use]
    pub fn over(mut self, base: Arc<BTreeMap<String, String>>) -> Self {
        self.state.base = base;
        self
    }

    /// The output of the next answer of this run, which goes on with this one and is to mend its
    /// edits.
    #[must_use]
    pub fn following(self, tag: &Tag) -> Self {
        let owed = self.failures().cloned().collect();
        let edits = Edits::owing(owed);
        let state = State { edits, outcomes: Vec::new(), ..self.state };
        Self { parser: Parser::new(tag), state }
    }

    /// Takes more of the answer's text and appends its events to `out`. Text joins a last event of
    /// the same part there, up to [`DELTA_BYTES_MAX`].
    ///
    /// # Errors
    /// [`OutputError`]: a limit was reached. What came before it is in `out`; all later text gets
    /// the same error. [`Self::finish`] is still due.
    pub fn text(&mut self, delta: &str, out: &mut Vec<Event>) -> Result<(), OutputError> {
        let (delta, verdict) = self.state.admit(delta)?;
        let state = &mut self.state;
        let parsed = self.parser.push(delta, &mut |piece| state.piece(piece, out));
        self.state.settle(parsed.and(verdict))
    }

    /// Takes more of the model's reasoning.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn reasoning(&mut self, delta: &str, out: &mut Vec<Event>) -> Result<(), OutputError> {
        let (delta, verdict) = self.state.admit(delta)?;
        if !self.state.file_is_open() {
            self.state.say(Voice::Reasoning, delta, out);
        }
        self.state.settle(verdict)
    }

    /// Ends the answer: closes the open part, an open file as incomplete. Returns whether it ended
    /// within a file.
    pub fn finish(&mut self, ending: Ending, out: &mut Vec<Event>) -> bool {
        let state = &mut self.state;
        if state.failed.is_none() {
            // A limit that the very last instruction reaches: the caller sees the file left out.
            let finished = self.parser.finish(ending, &mut |piece| {
                if piece == Piece::Unended { Ok(()) } else { state.piece(piece, out) }
            });
            drop(state.settle(finished));
        }
        state.leave_edit(ending, out);
        let within_file = self.state.file_is_open();
        self.state.close(plant::is(Plant::TruncatedFileCommitted), out);
        within_file
    }

    /// Whether a file, or an edit of one, has begun and not ended.
    pub(super) fn is_within_file(&self) -> bool {
        self.state.edit.is_some() || self.state.file_is_open()
    }

    /// The complete changes so far, those from before a crash included.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.state.changes
    }

    /// The edits that the run still owes: those of this answer that could not be applied, and those
    /// of the answer before that this one did not mend.
    pub fn failures(&self) -> impl Iterator<Item = &EditFailure> {
        self.state.edits.failures()
    }

    /// What became of each edit of this answer, in order.
    #[must_use]
    pub fn edits(&self) -> &[EditOutcome] {
        &self.state.outcomes
    }

    /// How many blocks of this answer were applied on each rung of the ladder, or missed, by the
    /// names of [`super::edit::Step`] and [`super::edit::Miss`].
    #[must_use]
    pub const fn tally(&self) -> &BTreeMap<&'static str, u64> {
        self.state.edits.tally()
    }

    /// The number of the next part.
    #[must_use]
    pub const fn next_part(&self) -> PartId {
        self.state.next_part
    }

    /// What was said in text parts, at most its first 16 KiB: for the history of later prompts.
    #[must_use]
    pub fn prose(&self) -> &str {
        self.state.prose.as_str()
    }
}

impl State {
    /// Cuts the delta to what the run may still produce, with the verdict for after it.
    fn admit<'d>(
        &mut self,
        delta: &'d str,
    ) -> Result<(&'d str, Result<(), OutputError>), OutputError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let limit = self.limits.run_bytes_max;
        let (taken, fits) = within(delta, limit.saturating_sub(self.bytes));
        self.bytes += taken.len();
        Ok((taken, if fits { Ok(()) } else { Err(OutputError::RunBytes { limit }) }))
    }

    /// Remembers a limit that was reached.
    fn settle(&mut self, result: Result<(), OutputError>) -> Result<(), OutputError> {
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<Event>) -> Result<(), OutputError> {
        match piece {
            Piece::Prose(text) => self.say(Voice::Text, text, out),
            Piece::Write(path) => {
                self.count_file(out)?;
                self.begin_file(path, out);
            }
            Piece::Content(text) => return self.content(text, out),
            Piece::End => match self.edit.take() {
                Some(edit) => return self.end_edit(edit, out),
                None => {
                    if let Some(Open { kind: Kind::File { path, .. }, .. }) = &self.open {
                        self.edits.replaced(path);
                    }
                    self.close(true, out);
                }
            },
            Piece::Unended => {
                self.leave_edit(Ending::Stopped, out);
                self.close(false, out);
            }
            Piece::Edit(path) => return self.begin_edit(path, out),
            Piece::Block(block) => self.block(block),
            Piece::Broken(error) => self.broken_block(error),
            Piece::Shell(_) => {} // it was said as prose
            Piece::Delete(path) => {
                self.count_file(out)?;
                self.edits.replaced(path);
                self.changes.push(Change::Delete { path: path.to_owned() });
                out.push(Event::FileDeleted { path: path.to_owned() });
            }
            Piece::Move(from, to) => {
                self.count_file(out)?;
                self.changes.push(Change::Move { from: from.to_owned(), to: to.to_owned() });
                out.push(Event::FileMoved { from: from.to_owned(), to: to.to_owned() });
            }
            Piece::Rejected(why) => {
                self.count_file(out)?;
                out.push(rejected(&why));
            }
        }
        Ok(())
    }

    /// Closes what is open and counts one more instruction.
    fn count_file(&mut self, out: &mut Vec<Event>) -> Result<(), OutputError> {
        self.close(false, out);
        let limit = self.limits.files_max;
        if self.files >= limit {
            return Err(OutputError::Files { limit });
        }
        self.files += 1;
        Ok(())
    }

    fn begin_file(&mut self, path: &str, out: &mut Vec<Event>) {
        let (part, path) = (self.begin_part(), path.to_owned());
        out.push(Event::FileStart { part, path: path.clone() });
        let kind = Kind::File { path, content: String::new(), hash: Sha256::new() };
        self.open = Some(Open { part, kind });
    }

    fn begin_part(&mut self) -> PartId {
        let part = self.next_part;
        self.next_part = part.next();
        part
    }

    /// Adds to the part of this voice; opens one at the first character that is no white space.
    fn say(&mut self, voice: Voice, text: &str, out: &mut Vec<Event>) {
        let speaking = self.open.as_ref().filter(|open| open.voice() == Some(voice));
        let speaking = speaking.map(|open| open.part);
        let text = if speaking.is_some() { text } else { text.trim_start() };
        if text.is_empty() {
            return;
        }
        let part = speaking.unwrap_or_else(|| {
            self.close(false, out);
            let part = self.begin_part();
            let (event, kind) = match voice {
                Voice::Text => (Event::TextStart { part }, Kind::Text),
                Voice::Reasoning => (Event::ReasoningStart { part }, Kind::Reasoning),
            };
            if voice == Voice::Text {
                self.prose.begin();
            }
            out.push(event);
            self.open = Some(Open { part, kind });
            part
        });
        match voice {
            Voice::Text => {
                self.prose.push(text);
                push_deltas(out, text, |text| Event::TextDelta { part, text });
            }
            Voice::Reasoning => {
                push_deltas(out, text, |text| Event::ReasoningDelta { part, text });
            }
        }
    }

    fn content(&mut self, text: &str, out: &mut Vec<Event>) -> Result<(), OutputError> {
        let Some(Open { part, kind: Kind::File { path, content, hash } }) = &mut self.open else {
            return Ok(()); // the parser gives contents only within a file
        };
        let limit = self.limits.file_bytes_max;
        let (text, fits) = within(text, limit.saturating_sub(content.len()));
        content.push_str(text);
        hash.update(text);
        let part = *part;
        push_deltas(out, text, |text| Event::FileDelta { part, text });
        if fits { Ok(()) } else { Err(OutputError::FileBytes { path: path.clone(), limit }) }
    }

    /// Closes the open part, if any. `complete` matters to a file only.
    fn close(&mut self, complete: bool, out: &mut Vec<Event>) {
        let Some(Open { part, kind }) = self.open.take() else { return };
        match kind {
            Kind::Text => out.push(Event::TextEnd { part }),
            Kind::Reasoning => out.push(Event::ReasoningEnd { part }),
            Kind::File { path, content, hash } => {
                let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
                let sha256 = format!("{:x}", hash.finalize());
                out.push(Event::FileEnd { part, complete, bytes, sha256 });
                if complete {
                    self.changes.push(Change::Write { path, content });
                } else {
                    out.push(rejected(&Rejection::Unended { path }));
                }
            }
        }
    }

    const fn file_is_open(&self) -> bool {
        matches!(self.open, Some(Open { kind: Kind::File { .. }, .. }))
    }
}

impl Open {
    const fn voice(&self) -> Option<Voice> {
        match self.kind {
            Kind::Text => Some(Voice::Text),
            Kind::Reasoning => Some(Voice::Reasoning),
            Kind::File { .. } => None,
        }
    }
}

/// The beginning of a text that fits, and whether that is all of it.
fn within(text: &str, bytes_max: usize) -> (&str, bool) {
    let head = text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default();
    (head, head.len() == text.len())
}

/// Appends text as deltas: joined with the last event where both are of one part, and split where
/// it is longer than [`DELTA_BYTES_MAX`].
fn push_deltas(out: &mut Vec<Event>, text: &str, event: impl Fn(String) -> Event) {
    let mut rest = text;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rest.floor_char_boundary(DELTA_BYTES_MAX));
        let delta = event(head.to_owned());
        let apart = match out.last_mut() {
            Some(last) => last.join(delta, DELTA_BYTES_MAX).err(),
            None => Some(delta),
        };
        out.extend(apart);
        rest = tail;
    }
}

fn rejected(why: &Rejection) -> Event {
    Event::Notice {
        notice: Notice::FileRejected,
        by: None,
        cid: None,
        run: None,
        start_cid: None,
        message: why.to_string(),
    }
}
