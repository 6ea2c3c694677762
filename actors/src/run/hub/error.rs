//! What is wrong with an answer, in words by which a model can mend it.

use super::ANSWER_BYTES_MAX;
use crate::run::artifact::PathError;
use greenroom_protocol::plan::SPEC_BYTES_MAX;

/// Why an answer of the hub can't be used. The text names the field and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// Longer than [`ANSWER_BYTES_MAX`].
    #[error("the answer has {bytes} bytes; at most {ANSWER_BYTES_MAX} are read")]
    TooLong {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// There is no `{` in it, or nothing that could become an object.
    #[error("there is no JSON object in the answer")]
    NoObject,
    /// It ends within the object.
    #[error("the JSON object has no end: the answer was cut off; write a shorter one")]
    Unfinished,
    /// The object breaks a rule of JSON.
    #[error("the JSON object is malformed: {what}, counted from its \"{{\"")]
    Malformed {
        /// The rule and the place, without any of the answer's text.
        what: String,
    },
    /// A field that this intent needs is missing or empty.
    #[error("\"{field}\" is missing or empty; intent \"{intent}\" needs it")]
    Missing {
        /// The field's path, such as `spec.files[2].path`.
        field: String,
        /// The intent.
        intent: &'static str,
    },
    /// A value of another type.
    #[error("\"{field}\" has to be {wanted}")]
    Type {
        /// The field's path.
        field: String,
        /// The type.
        wanted: &'static str,
    },
    /// None of the values that there are.
    #[error("\"{field}\" is {found:?}; it has to be one of {allowed}")]
    Choice {
        /// The field's path.
        field: String,
        /// The value, cut where it is long.
        found: String,
        /// The values that there are, with commas.
        allowed: String,
    },
    /// A list with too many items.
    #[error("\"{field}\" has {count} items; at most {most} are allowed")]
    TooMany {
        /// The field's path.
        field: String,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A text that is too long.
    #[error("\"{field}\" has {bytes} bytes; at most {most} are allowed")]
    LongText {
        /// The field's path.
        field: String,
        /// Its length, in bytes.
        bytes: usize,
        /// How long it may be, in bytes.
        most: usize,
    },
    /// A path that no project may hold.
    #[error("\"{field}\" is {path:?}: {error}")]
    Path {
        /// The field's path.
        field: String,
        /// The path of the file, cut where it is long.
        path: String,
        /// The rule.
        error: PathError,
    },
    /// All texts of the specification together.
    #[error("\"spec\" has {bytes} bytes of JSON; at most {SPEC_BYTES_MAX} are allowed; say less")]
    LongSpec {
        /// Its length, in bytes.
        bytes: usize,
    },
}

impl HubError {
    /// Its class, for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoObject => "no_object",
            Self::Unfinished => "unfinished",
            Self::Malformed { .. } => "malformed",
            Self::TooLong { .. }
            | Self::TooMany { .. }
            | Self::LongText { .. }
            | Self::LongSpec { .. } => "too_long",
            Self::Missing { .. } | Self::Type { .. } | Self::Choice { .. } | Self::Path { .. } => {
                "invalid"
            }
        }
    }
}
