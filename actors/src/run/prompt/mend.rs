//! Asking once more for edits that could not be applied.

use super::build::{Room, done_items};
use crate::run::{Changes, Tag, artifact::quoted, edit::EditFailure};

/// Stands before what is complete of such an answer.
pub(super) const DONE: &str = "These files of your answer are complete; do not write them again:";
/// Stands before the edits.
pub(super) const FAILED: &str =
    "These edits of your answer could not be applied, and nothing of them was:";

/// Most of one report, in bytes.
const REPORT_BYTES_MAX: usize = 16 * 1024;

/// What is to be mended of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Mend<'a> {
    /// The edits that could not be applied.
    pub failures: &'a [EditFailure],
    /// How.
    pub remedy: Remedy,
}

/// How edits that could not be applied are to be written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// As edits.
    Edit,
    /// As whole files.
    Write,
}

impl Remedy {
    /// What is tried, in this order, each once.
    pub const ALL: [Self; 2] = [Self::Edit, Self::Write];

    /// The last line of the prompt.
    pub(super) const fn asks(self) -> &'static str {
        match self {
            Self::Edit => {
                "Write these edits again now. The search text must be in the file as it stands \
                 there."
            }
            Self::Write => "Write these files again now, each of them whole, with `write`.",
        }
    }
}

impl Mend<'_> {
    /// The end of the prompt: what is done, what failed and why, what to do.
    pub(super) fn section(&self, tag: &Tag, done: Option<&Changes>, room: &mut Room) -> String {
        let mut section = String::from("\n");
        if let Some(done) = done.filter(|done| !done.is_empty()) {
            section += &format!("{DONE}\n{}", done_items(tag, done, room));
        }
        section += &format!("{FAILED}\n");
        for failure in self.failures {
            let report = failure.report();
            let cut = report.floor_char_boundary(REPORT_BYTES_MAX);
            let report = report.get(..cut).unwrap_or_default();
            let newline = if report.ends_with('\n') { "" } else { "\n" };
            let block =
                format!("@@{tag} failed {}\n{report}{newline}@@{tag} end\n", quoted(&failure.path));
            room.take_up(block.len());
            section += &block;
        }
        section + self.remedy.asks()
    }

    pub(super) fn holds(&self, tag: &str) -> bool {
        self.failures.iter().any(|failure| failure.path.contains(tag))
    }
}
