//! What a provider is asked, and how a stand-in reads it.
//!
//! The messages are: the instructions with the answer's tag; earlier prompts and what was answered
//! to them in words; and one last message of the user:
//! ```text
//! Current files:
//! @@<tag> file PATH             with its contents and @@<tag> end
//! @@<tag> omitted PATH BYTES    a file that is there but not shown
//! Request:
//! <the prompt, verbatim>
//! Your answer was cut off. These files of it are complete; do not write them again:
//! @@<tag> done PATH             with its contents and @@<tag> end
//! @@<tag> omitted PATH BYTES    a complete file that is not shown
//! @@<tag> deleted PATH
//! @@<tag> moved FROM TO
//! Write the rest of the answer now.
//! ```
//! or, where more was said to the run meanwhile and the prompt ends with it, after the prompt:
//! ```text
//! The end of the request was said while you answered. These files of your answer are complete; …
//! @@<tag> done PATH             and so on, as above
//! Write the rest of the answer now.
//! ```
//! or, where edits of the answer could not be applied, after the prompt:
//! ```text
//! These files of your answer are complete; do not write them again:
//! @@<tag> done PATH             and so on, as above
//! These edits of your answer could not be applied, and nothing of them was:
//! @@<tag> failed PATH           with what was wrong, the real lines, and @@<tag> end
//! Write these edits again now. The search text must be in the file as it stands there.
//! ```
//! The last line asks for whole files where edits failed before. The first three lines are missing where the project has no files, all after the prompt where
//! nothing of the answer is done yet. A path with spaces is quoted.

mod build;
mod mend;
mod read;

#[cfg(test)]
mod tests;

pub use build::{CONTEXT_BYTES_MAX, PromptInput, Turn, readable};
pub(in crate::run) use build::{Room, UNLISTED_BYTES, message, recent_turns, unlisted_line};
pub use mend::{Mend, Remedy};
pub use read::{Parsed, ReadError};

/// The instructions; `{tag}` stands for the tag, `{edits}` for [`EDITS`] or nothing.
const SYSTEM: &str = include_str!("system.txt");

/// How to edit files: for projects that have some.
const EDITS: &str = include_str!("edits.txt");

pub(in crate::run) const CURRENT_FILES: &str = "Current files:";
pub(in crate::run) const REQUEST: &str = "Request:";
const CUT_OFF: &str =
    "Your answer was cut off. These files of it are complete; do not write them again:";
const STEERED: &str = "The end of the request was said while you answered. These files of your \
                       answer are complete; change those that it concerns, and do not write the \
                       others again:";
const WRITE_THE_REST: &str = "Write the rest of the answer now.";

/// Stands for an earlier answer that had no text: providers refuse empty messages.
pub(in crate::run) const NO_TEXT: &str = "(This answer had no text.)";
