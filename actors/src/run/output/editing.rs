//! Edits within an answer: what becomes of each.
//!
//! An edit that applies is said as the whole file that it gives: to every reader of the log it is a
//! file that was written, so that nobody but this engine decides where a block belongs.

use super::{OutputError, State, rejected};
use crate::run::{
    artifact::{Ending, Rejection},
    edit::{Block, BlockError, EditFailure, Miss, Placed, edit},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::Event,
};
use std::collections::BTreeMap;

/// The edit under way.
#[derive(Debug)]
pub(super) struct OpenEdit {
    path: String,
    blocks: Vec<Block>,
    broken: Vec<(usize, Miss)>,
}

/// What became of the edits so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits {
    /// Those that were not applied, in this answer.
    failed: Vec<EditFailure>,
    /// Those of the answer before that this one is to mend.
    owed: Vec<EditFailure>,
    /// Blocks by what became of them.
    tally: BTreeMap<&'static str, u64>,
}

/// What became of one edit, for who asks how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditOutcome {
    /// The file.
    pub path: String,
    /// Where each block was applied, or which ones could not be.
    pub result: Result<Vec<Placed>, EditFailure>,
}

impl Edits {
    pub(super) const fn owing(owed: Vec<EditFailure>) -> Self {
        Self { failed: Vec::new(), owed, tally: BTreeMap::new() }
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = &EditFailure> {
        self.owed.iter().chain(&self.failed)
    }

    pub(super) const fn tally(&self) -> &BTreeMap<&'static str, u64> {
        &self.tally
    }

    /// The file is as the answer wants it, by an edit.
    fn edited(&mut self, path: &str) {
        self.owed.retain(|failure| failure.path != path);
    }

    /// The file was written as a whole, or deleted: what went wrong before does not matter.
    pub(super) fn replaced(&mut self, path: &str) {
        self.edited(path);
        self.failed.retain(|failure| failure.path != path);
    }

    fn count(&mut self, name: &'static str) {
        *self.tally.entry(name).or_default() += 1;
    }
}

impl State {
    /// An edit begins.
    pub(super) fn begin_edit(
        &mut self,
        path: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), OutputError> {
        self.count_file(out)?;
        let path = path.to_owned();
        self.edit = Some(OpenEdit { path, blocks: Vec::new(), broken: Vec::new() });
        Ok(())
    }

    pub(super) fn block(&mut self, block: Block) {
        if let Some(edit) = &mut self.edit {
            edit.blocks.push(block);
        }
    }

    pub(super) fn broken_block(&mut self, error: BlockError) {
        if let Some(edit) = &mut self.edit {
            let number = edit.blocks.len() + edit.broken.len() + 1;
            edit.broken.push((number, Miss::Broken(error)));
        }
    }

    /// Applies an edit: the file that it gives, or why it gives none.
    pub(super) fn end_edit(
        &mut self,
        open: OpenEdit,
        out: &mut Vec<Event>,
    ) -> Result<(), OutputError> {
        let OpenEdit { path, blocks, broken } = open;
        let text = self.changes.text(&self.base, &path);
        let edited = if broken.is_empty() { edit(text, &blocks) } else { Err(broken) };
        let (edited, is_same) = match edited {
            Ok(edited) => {
                let is_same = text == Some(edited.text.as_str());
                (edited, is_same)
            }
            Err(misses) => {
                self.fail_edit(path, misses, out);
                return Ok(());
            }
        };
        for placed in &edited.blocks {
            self.edits.count(placed.step.name());
        }
        self.edits.edited(&path);
        self.outcomes.push(EditOutcome { path: path.clone(), result: Ok(edited.blocks) });
        if is_same {
            out.push(rejected(&Rejection::Unchanged { path }));
            return Ok(());
        }
        self.edited_bytes = self.edited_bytes.saturating_add(edited.text.len());
        let limit = self.limits.run_bytes_max;
        if self.edited_bytes > limit {
            return Err(OutputError::RunBytes { limit });
        }
        self.begin_file(&path, out);
        self.content(&edited.text, out)?;
        self.close(true, out);
        Ok(())
    }

    /// The answer goes on or ends without the end of an edit.
    pub(super) fn leave_edit(&mut self, ending: Ending, out: &mut Vec<Event>) {
        let Some(OpenEdit { path, mut broken, .. }) = self.edit.take() else { return };
        match ending {
            Ending::Stopped => {
                broken.push((0, Miss::Broken(BlockError::NoEnd)));
                self.fail_edit(path, broken, out);
            }
            Ending::CutOff => out.push(rejected(&Rejection::Unended { path })),
        }
    }

    fn fail_edit(&mut self, path: String, misses: Vec<(usize, Miss)>, out: &mut Vec<Event>) {
        for (_, miss) in &misses {
            self.edits.count(miss.name());
        }
        let failure = EditFailure { path, misses };
        out.push(Event::Error { error: edit_failed(&failure.to_string()) });
        let path = failure.path.clone();
        self.outcomes.push(EditOutcome { path, result: Err(failure.clone()) });
        self.edits.failed.push(failure);
    }
}

/// The error of edits that were not applied.
pub(in crate::run) fn edit_failed(message: &str) -> ErrorBody {
    ErrorBody::new(Code::FailedPrecondition, Reason::EditFailed, message.to_owned())
}
