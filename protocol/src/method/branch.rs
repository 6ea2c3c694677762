//! `session.fork`, `session.rollback`, `session.diff`: parameters and results.

use crate::id::{Seq, SessionId};
use serde::{Deserialize, Serialize};

/// Parameters of `session.fork`; the call's `session` is the id of the new one, which the client
/// chooses as for `session.create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SessionFork {
    /// The session to begin from.
    pub parent: SessionId,
    /// The entry of it to begin at; none: its head. Runs that had not ended by then are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Seq>,
    /// The new session's title; none: the parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Where a session was forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Parent {
    /// The session.
    pub session: SessionId,
    /// The entry.
    pub at: Seq,
}

/// Parameters of `session.rollback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SessionRollback {
    /// The entry to go back to. Runs that had not ended by then are left out. One that a rollback
    /// left behind may be named, too: that undoes it.
    pub to: Seq,
}

/// Parameters of `session.diff`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SessionDiff {
    /// Git id of the older commit; none: the one before `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Git id of the newer commit; none: the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only paths after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Result of `session.diff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct DiffPage {
    /// Git id of the older commit; none: before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Git id of the newer commit; none: nothing was committed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Files that differ, by path. A file that was moved is one removed and one added.
    pub files: Vec<FileDiff>,
    /// `after` of the next page; none: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<String>,
}

/// How a file differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// Only the newer commit has it.
    Added,
    /// Its contents differ.
    Changed,
    /// Only the older commit has it.
    Removed,
}

/// One file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct FileDiff {
    /// The path.
    pub path: String,
    /// How it differs.
    pub change: FileChange,
    /// Git id of the older contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_oid: Option<String>,
    /// Git id of the newer contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_oid: Option<String>,
    /// The difference as a unified diff with three lines of context, as `git apply` takes it; none:
    /// it would be longer than an answer may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
}
