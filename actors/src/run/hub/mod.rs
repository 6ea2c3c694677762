//! The hub: what a request asks for, decided by one call before anything is spent.
//!
//! [`HubInput`] builds what the provider is asked: the instructions, earlier turns, and one last
//! message of the user:
//! ```text
//! Current files:
//! PATH BYTES
//! (N more files are not listed.)
//! Request:
//! <the prompt, verbatim>
//! ```
//! The first three lines are missing where the project has no files, the third where all of them
//! are listed. A path with spaces is quoted. [`parse`] reads the answer, one JSON object. Where that
//! fails, [`repair`] asks once more, with the answer and with what was wrong:
//! ```text
//! Your answer could not be used: <what was wrong>
//! Answer again with the whole JSON object, corrected, and nothing else.
//! ```
//! What comes of an answer is shown to the calls after it as text: [`planned_request`],
//! [`said_questions`].

mod answer;
mod error;
mod field;
mod object;
mod plan;
mod prompt;
mod read;
mod spec;
mod text;

#[cfg(test)]
mod tests;

pub use answer::{Decision, Next, parse};
pub use error::HubError;
pub use plan::{PLAN_BYTES_MAX, Planned, plan_text, planned_request, said_questions};
pub use prompt::{CONTEXT_BYTES_MAX, HubInput, repair};
pub use read::Asked;

/// Longest answer that is read, in bytes: reasoning that a server leaves in it included.
pub const ANSWER_BYTES_MAX: usize = 128 * 1024;

/// The instructions.
const SYSTEM: &str = include_str!("system.txt");

/// Stands before what was wrong with an answer.
const UNUSABLE: &str = "Your answer could not be used: ";

/// Stands after it.
const AGAIN: &str = "Answer again with the whole JSON object, corrected, and nothing else.";
