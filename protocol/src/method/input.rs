//! `run.steer` and `input.respond`: what a user says to a run, and to one that asked.

use crate::id::{RunId, Seq};
use serde::{Deserialize, Serialize};

/// Parameters of `run.steer`. The run takes it up at its next complete file, or at once where it
/// writes none; one that ends before leaves it to a run of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct RunSteer {
    /// The run that must be the one under way; none: whichever is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What is said, at most [`PROMPT_BYTES_MAX`](crate::limit::PROMPT_BYTES_MAX).
    pub input: String,
}

/// Parameters of `input.respond`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct InputRespond {
    /// Number of the request.
    pub request: u32,
    /// Whether to go on. Otherwise nothing comes of what was asked for.
    pub accept: bool,
    /// The answer to questions, or a remark on a plan; at most
    /// [`PROMPT_BYTES_MAX`](crate::limit::PROMPT_BYTES_MAX). Questions need one.
    #[serde(default)]
    pub text: String,
}

/// Result of `input.respond`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct InputResponded {
    /// The entry that says so.
    pub seq: Seq,
    /// The run that goes on; none: the request was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}
