//! Instructions that are not followed.

use super::PathError;

/// Most of a path or line that a message repeats, in bytes.
const SHOWN_BYTES_MAX: usize = 120;

/// Why a file, or another instruction of the answer, is left out. The text is for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The path breaks a rule.
    #[error("{path:?} was left out: {error}")]
    BadPath {
        /// The path, cut where it is long.
        path: String,
        /// The rule.
        error: PathError,
    },
    /// The words after the verb are not one path, or not two.
    #[error(
        "\"{verb} {rest}\" was left out: it needs {}, quoted where there are spaces",
        if *.verb == "move" { "two paths" } else { "one path" }
    )]
    Malformed {
        /// The verb.
        verb: String,
        /// What followed it, cut where it is long.
        rest: String,
    },
    /// A verb that an answer can't use.
    #[error("\"{verb} {rest}\" was left out: an answer can write, edit, delete and move files")]
    Unsupported {
        /// The verb, cut where it is long.
        verb: String,
        /// What followed it, cut where it is long.
        rest: String,
    },
    /// The line is longer than [`super::MARKER_BYTES_MAX`].
    #[error("\"{line}…\" was left out: the line is too long")]
    TooLong {
        /// How the line begins.
        line: String,
    },
    /// A search/replace block without a path above it.
    #[error("an edit was left out: no path of a file stands above it")]
    NoPath,
    /// An edit that gives the file that is there.
    #[error("{path:?} stays as it is: its edit changes nothing")]
    Unchanged {
        /// The path.
        path: String,
    },
    /// The answer ended, or gave another instruction, before it had ended the file.
    #[error("{path:?} was left out: the answer did not finish it")]
    Unended {
        /// The path.
        path: String,
    },
}

impl Rejection {
    pub(super) fn bad_path(path: &str, error: PathError) -> Self {
        Self::BadPath { path: shown(path), error }
    }

    pub(super) fn malformed(verb: &str, rest: &str) -> Self {
        Self::Malformed { verb: shown(verb), rest: shown(rest) }
    }

    pub(super) fn unsupported(verb: &str, rest: &str) -> Self {
        Self::Unsupported { verb: shown(verb), rest: shown(rest) }
    }

    pub(super) fn too_long(line: &str) -> Self {
        Self::TooLong { line: shown(line) }
    }
}

/// The beginning of a text that came from a model, safe to show.
pub(in crate::run) fn shown(text: &str) -> String {
    let head = text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or_default();
    head.trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
