//! What the server sends.

use crate::{
    credits::Balance,
    error::{Code, ErrorBody, Reason},
    event::Event,
    id::{Channel, CommandId, ConnectionId, Epoch, RunId, Seq, SessionId},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt::Write;

/// A frame from the server. Clients ignore types and fields that they do not know.
///
/// `type` and, where there is one, `ch` are the first two fields on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// Answer to `hello`.
    Welcome(Welcome),
    /// A call succeeded.
    Ok {
        /// The call.
        id: u32,
        /// What the method answers: [`crate::method`].
        result: serde_json::Value,
        /// The command id was seen before; this is the answer of that time, or its like.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
    },
    /// A call failed; nothing was done.
    Err {
        /// The call.
        id: u32,
        /// Why.
        error: ErrorBody,
    },
    /// An attachment begins; its next entry is `after + 1`.
    Attached(Attached),
    /// One entry of a log.
    Ev(Ev),
    /// The attachment has reached what was the head when it began.
    CaughtUp(CaughtUp),
    /// The place that was asked for does not exist; the attachment begins elsewhere.
    Reset(Reset),
    /// An attachment ended.
    Detached(Detached),
    /// The token expires soon: send `auth`.
    AuthRequired {
        /// Milliseconds left.
        deadline_ms: u64,
    },
    /// What the user has changed: to all of the user's sockets. Of several the last one counts.
    Balance(Balance),
    /// The client sends too much.
    Limits(Limits),
    /// The server closes soon: reconnect after a while, elsewhere if there is an elsewhere.
    #[serde(rename = "goaway")]
    GoAway(GoAway),
    /// Sign of life that wants a `pong`; only for clients with the feature `ping`.
    Ping {
        /// Milliseconds of the server's clock.
        ts: u64,
    },
    /// Answer to the client's `ping`.
    Pong {
        /// As received.
        ts: u64,
    },
    /// Something is wrong that belongs to no call and to no entry.
    Error {
        /// The attachment it concerns.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ch: Option<Channel>,
        /// What.
        error: ErrorBody,
    },
    /// A type that this build does not know.
    #[serde(other)]
    Unknown,
}

/// Answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Welcome {
    /// Version that both speak from now on.
    pub v: u32,
    /// Name of this socket, for support.
    pub conn: ConnectionId,
    /// Rhythm of the signs of life.
    pub heartbeat: Heartbeat,
    /// Limits, by name; units are the names' last word.
    pub limits: std::collections::BTreeMap<String, u64>,
    /// Features that are on.
    pub features: Vec<String>,
    /// Milliseconds until the token expires.
    pub auth_expires_in_ms: u64,
    /// The server's clock, in milliseconds since 1970.
    pub time: u64,
}

/// Rhythm of the signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Heartbeat {
    /// The server pings after this much silence.
    pub interval_ms: u64,
    /// And closes after this much more.
    pub timeout_ms: u64,
}

/// How an attachment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// At the place that was asked for.
    Resumed,
    /// At the first entry of the parts that are open.
    Snapshot,
    /// At the head.
    Live,
}

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing.
    Idle,
    /// A run was accepted and has not begun.
    Pending,
    /// A run is under way.
    Running,
    /// It waits for a person.
    Waiting,
    /// A run goes on after a crash.
    Recovering,
    /// It takes no more runs.
    Closed,
}

/// The run that a session is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct OpenRun {
    /// The run.
    pub run: RunId,
    /// The command that started it.
    pub cid: CommandId,
}

/// An attachment begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Attached {
    /// The attachment.
    pub ch: Channel,
    /// The session.
    pub session: SessionId,
    /// Incarnation of the log.
    pub epoch: Epoch,
    /// Last entry of the log now.
    pub head: Seq,
    /// The first entry to come is the one after this.
    pub after: Seq,
    /// How it begins.
    pub mode: Mode,
    /// What the session does now.
    pub status: Status,
    /// The run that it is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<OpenRun>,
}

/// The place that was asked for does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Reset {
    /// The attachment.
    pub ch: Channel,
    /// The session.
    pub session: SessionId,
    /// Incarnation of the log.
    pub epoch: Epoch,
    /// Last entry of the log now.
    pub head: Seq,
    /// The first entry to come is the one after this; what the client holds is void.
    pub after: Seq,
    /// Why.
    pub reason: Reason,
    /// What the session does now.
    pub status: Status,
}

/// One entry, or several adjacent deltas as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Ev {
    /// The attachment.
    pub ch: Channel,
    /// Number of the entry; of the last one, where several were merged.
    pub seq: Seq,
    /// Number of the first entry, where several were merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Seq>,
    /// When it was accepted, in milliseconds since 1970.
    pub ts: u64,
    /// What it says.
    pub event: Event,
}

/// The attachment has reached what was the head when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CaughtUp {
    /// The attachment.
    pub ch: Channel,
    /// The last entry sent.
    pub seq: Seq,
}

/// An attachment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Detached {
    /// The attachment.
    pub ch: Channel,
    /// Why.
    pub reason: Reason,
    /// When to attach again, in milliseconds; none: do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The client sends too much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Limits {
    /// The limits that were reached.
    pub limits: Vec<Limit>,
    /// How long to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Limit {
    /// Its name, as in `welcome.limits`.
    pub name: String,
    /// Its value.
    pub limit: u64,
}

/// The server closes soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct GoAway {
    /// Why.
    pub reason: Reason,
    /// When to reconnect, in milliseconds; spread over the clients.
    pub reconnect_in_ms: u64,
}

/// One entry of a log, as it is in `history.get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// When it was accepted, in milliseconds since 1970.
    pub ts: u64,
    /// What it says.
    pub event: Event,
}

impl ServerFrame {
    /// The frame as JSON text.
    #[must_use]
    pub fn encode(&self) -> String {
        // Cannot fail: no map with other keys than strings, no custom serializer that errs.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a frame; unknown types become [`ServerFrame::Unknown`].
    ///
    /// # Errors
    /// Where the text is no frame.
    pub fn decode(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The answer to a frame whose type is unknown.
    #[must_use]
    pub fn unknown_type(kind: &str) -> Self {
        let message = format!("unknown frame type {kind:?}; see the protocol's list of frames");
        let error = ErrorBody::new(Code::InvalidArgument, Reason::UnknownType, message);
        Self::Error { ch: None, error }
    }
}

/// What all attachments share of an entry's frame: everything after `type` and `ch`.
///
/// `"seq":1,"ts":2,"event":{…}}`. Encoded once, kept in the log as it is; [`write_ev`] puts the
/// head before it.
///
/// # Errors
/// None in practice: events serialise into any string.
pub fn entry_rest(seq: Seq, ts: u64, event: &Event) -> Result<String, serde_json::Error> {
    let mut rest = format!(r#""seq":{seq},"ts":{ts},"event":"#);
    rest.push_str(&serde_json::to_string(event)?);
    rest.push('}');
    Ok(rest)
}

/// A whole `ev` frame: the attachment's head and the entry's shared rest.
#[must_use]
pub fn write_ev(ch: Channel, rest: &str) -> String {
    let mut frame = String::with_capacity(rest.len() + 32);
    let _ = write!(frame, r#"{{"type":"ev","ch":{ch},"#); // writing to a String cannot fail
    frame.push_str(rest);
    frame
}

impl Entry {
    /// Reads an entry from its shared rest, as [`entry_rest`] wrote it.
    ///
    /// # Errors
    /// Where the text is no such rest.
    pub fn from_rest(rest: &str) -> Result<Self, serde_json::Error> {
        let mut json = String::with_capacity(rest.len() + 1);
        json.push('{');
        json.push_str(rest);
        serde_json::from_str(&json)
    }
}

/// A page of entries as JSON, without decoding any: each rest is an object without its brace.
#[must_use]
pub fn entries_json<'a>(rests: impl Iterator<Item = &'a str>) -> Option<Box<RawValue>> {
    let mut json = String::from("[");
    for (i, rest) in rests.enumerate() {
        if i > 0 {
            json.push(',');
        }
        json.push('{');
        json.push_str(rest);
    }
    json.push(']');
    RawValue::from_string(json).ok()
}

/// An `ok` frame around a result that is JSON already.
#[must_use]
pub fn write_ok(id: u32, duplicate: bool, result: &RawValue) -> String {
    let duplicate = if duplicate { r#","duplicate":true"# } else { "" };
    format!(r#"{{"type":"ok","id":{id}{duplicate},"result":{}}}"#, result.get())
}
