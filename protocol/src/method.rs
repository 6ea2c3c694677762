//! Methods: parameters and results of `call`.

mod branch;
mod input;

use crate::{
    credits::{CreditsHistory, CreditsQuote},
    error::{Code, ErrorBody, Reason},
    frame::{Call, Entry, OpenRun, Status},
    id::{CommandId, Epoch, RunId, Seq, SessionId},
    limit::{PAGE_ITEMS_MAX, PROMPT_BYTES_MAX, TITLE_BYTES_MAX},
};
pub use branch::{
    DiffPage, FileChange, FileDiff, Parent, SessionDiff, SessionFork, SessionRollback,
};
pub use input::{InputRespond, InputResponded, RunSteer};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A call with its parameters read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Create a session under the id that the client chose.
    SessionCreate(SessionId, CommandId, SessionCreate),
    /// One session's state.
    SessionGet(SessionId),
    /// The caller's sessions, newest first.
    SessionList(SessionList),
    /// End a session: its run is cancelled, it takes no more.
    SessionClose(SessionId, CommandId),
    /// Create a session that begins with what another one was.
    SessionFork(SessionId, CommandId, SessionFork),
    /// Go on from what the session was at an earlier entry.
    SessionRollback(SessionId, CommandId, SessionRollback),
    /// What differs between two commits.
    SessionDiff(SessionId, SessionDiff),
    /// Start a run.
    RunStart(SessionId, CommandId, RunStart),
    /// Cancel a run, also one that does not exist yet.
    RunCancel(SessionId, CommandId, RunCancel),
    /// Say something to the run under way.
    RunSteer(SessionId, CommandId, RunSteer),
    /// Answer what a run asked.
    InputRespond(SessionId, CommandId, InputRespond),
    /// Entries of the log, backwards.
    HistoryGet(SessionId, HistoryGet),
    /// Files at a commit.
    FilesList(SessionId, FilesList),
    /// One file at a commit, or a slice of it.
    FilesGet(SessionId, FilesGet),
    /// What the caller has.
    CreditsGet,
    /// The caller's transactions, newest first.
    CreditsHistory(CreditsHistory),
    /// What a run is likely to cost, in a session or in a new one.
    CreditsQuote(Option<SessionId>, CreditsQuote),
}

/// Parameters of `session.create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SessionCreate {
    /// For lists; at most [`TITLE_BYTES_MAX`].
    #[serde(default)]
    pub title: String,
}

/// Parameters of `session.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SessionList {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Items in the page, at most [`PAGE_ITEMS_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What to do when a run is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnBusy {
    /// Answer `run_busy`.
    #[default]
    Reject,
    /// Wait for its end.
    Queue,
    /// End it as `interrupted`, then start.
    Interrupt,
    /// Say it to the run under way, as `run.steer`.
    Steer,
}

/// Parameters of `run.start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct RunStart {
    /// The prompt, at most [`PROMPT_BYTES_MAX`].
    pub input: String,
    /// What to do when a run is under way.
    #[serde(default)]
    pub on_busy: OnBusy,
    /// A model; none: the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether to say first what would be built and what it costs, to ask where the request is not
    /// clear, and to go on once that is approved; none: as the server is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<bool>,
}

/// Parameters of `run.cancel`: exactly one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunCancel {
    /// The run.
    Run(RunId),
    /// The command that starts it, or will.
    StartCid(CommandId),
}

/// Parameters of `history.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct HistoryGet {
    /// Entries before this one; none: from the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Seq>,
    /// Most entries, at most [`PAGE_ITEMS_MAX`]; fewer where the answer would grow too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Parameters of `files.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct FilesList {
    /// Git id of a commit of this session; none: the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Only paths after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Parameters of `files.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct FilesGet {
    /// The path.
    pub path: String,
    /// Git id of a commit of this session; none: the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// First byte of the slice; it must begin a character.
    #[serde(default)]
    pub offset: u64,
}

/// Result of `session.create`, `session.get`, `session.close`, `session.fork`, `session.rollback`,
/// and one item of `session.list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SessionInfo {
    /// The session.
    pub session: SessionId,
    /// Incarnation of its log.
    pub epoch: Epoch,
    /// Last entry of its log.
    pub head: Seq,
    /// Its title.
    pub title: String,
    /// What it does.
    pub status: Status,
    /// The run that it is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<OpenRun>,
    /// Git id of its last commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_at: u64,
    /// Where it was forked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Number of the request for input that it waits with; not said in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u32>,
}

/// Result of `session.list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SessionPage {
    /// Newest first.
    pub items: Vec<SessionInfo>,
    /// For the next page; none: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Result of `run.start` and `run.steer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct RunAccepted {
    /// The run.
    pub run: RunId,
    /// The entry that accepted it.
    pub seq: Seq,
    /// Whether it waits for another run's end.
    pub queued: bool,
}

/// Result of `run.cancel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct RunCancelled {
    /// The run, where it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Whether the cancel had something to end; false: the run had ended.
    pub active: bool,
}

/// Result of `history.get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct HistoryPage {
    /// Incarnation of the log.
    pub epoch: Epoch,
    /// In order; the last one is the one before `before`, or the head.
    pub entries: Vec<Entry>,
    /// `before` of the page before this one; none: this page begins with entry 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<Seq>,
}

/// Result of `files.list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct FilePage {
    /// Git id of the commit; none: nothing was committed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// By path.
    pub files: Vec<FileInfo>,
    /// `after` of the next page; none: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<String>,
    /// The commit object's text, on the first page: its hash is the commit's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// One file of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct FileInfo {
    /// The path.
    pub path: String,
    /// Git id of the contents.
    pub oid: String,
    /// Length of the contents in bytes.
    pub bytes: u64,
}

/// Result of `files.get`: a slice of UTF-8 text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct FileSlice {
    /// Git id of the commit.
    pub commit: String,
    /// The file.
    pub file: FileInfo,
    /// First byte of the slice.
    pub offset: u64,
    /// The slice.
    pub text: String,
    /// `offset` of the next slice; none: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
}

impl Method {
    /// Reads and checks a call.
    ///
    /// # Errors
    /// The error to answer with.
    pub fn from_call(call: &Call) -> Result<Self, ErrorBody> {
        Ok(match call.method.as_str() {
            "session.create" => {
                let create: SessionCreate = params_or_default(call)?;
                check_title(&create.title)?;
                Self::SessionCreate(session(call)?, cid(call)?, create)
            }
            "session.get" => Self::SessionGet(session(call)?),
            "session.list" => Self::SessionList(params_or_default(call)?),
            "session.close" => Self::SessionClose(session(call)?, cid(call)?),
            "session.fork" => {
                let fork: SessionFork = params(call)?;
                check_title(fork.title.as_deref().unwrap_or_default())?;
                Self::SessionFork(session(call)?, cid(call)?, fork)
            }
            "session.rollback" => Self::SessionRollback(session(call)?, cid(call)?, params(call)?),
            "session.diff" => Self::SessionDiff(session(call)?, params_or_default(call)?),
            "run.start" => {
                let start: RunStart = params(call)?;
                check_prompt(&start.input)?;
                Self::RunStart(session(call)?, cid(call)?, start)
            }
            "run.cancel" => Self::RunCancel(session(call)?, cid(call)?, params(call)?),
            "run.steer" => {
                let steer: RunSteer = params(call)?;
                check_prompt(&steer.input)?;
                Self::RunSteer(session(call)?, cid(call)?, steer)
            }
            "input.respond" => {
                let respond: InputRespond = params(call)?;
                check_answer(&respond.text)?;
                Self::InputRespond(session(call)?, cid(call)?, respond)
            }
            "history.get" => Self::HistoryGet(session(call)?, params_or_default(call)?),
            "files.list" => Self::FilesList(session(call)?, params_or_default(call)?),
            "files.get" => Self::FilesGet(session(call)?, params(call)?),
            "credits.get" => Self::CreditsGet,
            "credits.history" => Self::CreditsHistory(params_or_default(call)?),
            "credits.quote" => {
                let quote: CreditsQuote = params(call)?;
                check_prompt(&quote.input)?;
                Self::CreditsQuote(call.session, quote)
            }
            "presence.get" => {
                let message = format!("{} is not served by this version", call.method);
                return Err(ErrorBody::new(Code::Unimplemented, Reason::UnknownMethod, message));
            }
            other => {
                let name: String = other.chars().take(64).collect();
                let message = format!("unknown method {name:?}; see the protocol's list");
                return Err(ErrorBody::new(Code::Unimplemented, Reason::UnknownMethod, message));
            }
        })
    }

    /// Checks the limits that types do not show, of a title and of a prompt, as
    /// [`Self::from_call`] does; for a method that came another way.
    ///
    /// # Errors
    /// The error to answer with.
    pub fn check(&self) -> Result<(), ErrorBody> {
        match self {
            Self::SessionCreate(_, _, create) => check_title(&create.title),
            Self::SessionFork(_, _, fork) => check_title(fork.title.as_deref().unwrap_or_default()),
            Self::RunStart(_, _, start) => check_prompt(&start.input),
            Self::RunSteer(_, _, steer) => check_prompt(&steer.input),
            Self::InputRespond(_, _, respond) => check_answer(&respond.text),
            Self::CreditsQuote(_, quote) => check_prompt(&quote.input),
            Self::SessionGet(_)
            | Self::SessionList(_)
            | Self::SessionClose(..)
            | Self::SessionRollback(..)
            | Self::SessionDiff(..)
            | Self::RunCancel(..)
            | Self::HistoryGet(..)
            | Self::FilesList(..)
            | Self::FilesGet(..)
            | Self::CreditsGet
            | Self::CreditsHistory(_) => Ok(()),
        }
    }

    /// The call that asks for it; whoever sends it sets its `id`.
    #[must_use]
    pub fn to_call(&self) -> Call {
        let (cid, params) = match self {
            Self::SessionCreate(_, cid, create) => (Some(*cid), raw(create)),
            Self::SessionGet(_) => (None, None),
            Self::SessionList(list) => (None, raw(list)),
            Self::SessionClose(_, cid) => (Some(*cid), None),
            Self::SessionFork(_, cid, fork) => (Some(*cid), raw(fork)),
            Self::SessionRollback(_, cid, rollback) => (Some(*cid), raw(rollback)),
            Self::SessionDiff(_, diff) => (None, raw(diff)),
            Self::RunStart(_, cid, start) => (Some(*cid), raw(start)),
            Self::RunCancel(_, cid, cancel) => (Some(*cid), raw(cancel)),
            Self::RunSteer(_, cid, steer) => (Some(*cid), raw(steer)),
            Self::InputRespond(_, cid, respond) => (Some(*cid), raw(respond)),
            Self::HistoryGet(_, history) => (None, raw(history)),
            Self::FilesList(_, list) => (None, raw(list)),
            Self::FilesGet(_, get) => (None, raw(get)),
            Self::CreditsGet => (None, None),
            Self::CreditsHistory(history) => (None, raw(history)),
            Self::CreditsQuote(_, quote) => (None, raw(quote)),
        };
        Call { id: 0, cid, method: self.name().to_owned(), session: self.session(), params }
    }

    /// The name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SessionCreate(..) => "session.create",
            Self::SessionGet(..) => "session.get",
            Self::SessionList(..) => "session.list",
            Self::SessionClose(..) => "session.close",
            Self::SessionFork(..) => "session.fork",
            Self::SessionRollback(..) => "session.rollback",
            Self::SessionDiff(..) => "session.diff",
            Self::RunStart(..) => "run.start",
            Self::RunCancel(..) => "run.cancel",
            Self::RunSteer(..) => "run.steer",
            Self::InputRespond(..) => "input.respond",
            Self::HistoryGet(..) => "history.get",
            Self::FilesList(..) => "files.list",
            Self::FilesGet(..) => "files.get",
            Self::CreditsGet => "credits.get",
            Self::CreditsHistory(_) => "credits.history",
            Self::CreditsQuote(..) => "credits.quote",
        }
    }

    /// The session that it is about.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::SessionList(_) | Self::CreditsGet | Self::CreditsHistory(_) => None,
            Self::CreditsQuote(session, _) => *session,
            Self::SessionCreate(session, ..)
            | Self::SessionGet(session)
            | Self::SessionClose(session, _)
            | Self::SessionFork(session, ..)
            | Self::SessionRollback(session, ..)
            | Self::SessionDiff(session, _)
            | Self::RunStart(session, ..)
            | Self::RunCancel(session, ..)
            | Self::RunSteer(session, ..)
            | Self::InputRespond(session, ..)
            | Self::HistoryGet(session, _)
            | Self::FilesList(session, _)
            | Self::FilesGet(session, _) => Some(*session),
        }
    }
}

/// The items of a page: what was asked for, within [`PAGE_ITEMS_MAX`].
#[must_use]
pub fn page_items(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE_ITEMS_MAX).clamp(1, PAGE_ITEMS_MAX)
}

/// A title for a session that begins with this prompt: its first line, within
/// [`TITLE_BYTES_MAX`].
#[must_use]
pub fn title_of(prompt: &str) -> String {
    let line = prompt.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let mut title = String::new();
    for c in line.chars().filter(|c| !c.is_control()) {
        if title.len() + c.len_utf8() > TITLE_BYTES_MAX {
            break;
        }
        title.push(c);
    }
    title
}

fn check_title(title: &str) -> Result<(), ErrorBody> {
    if title.len() > TITLE_BYTES_MAX {
        return Err(malformed(format!("title is longer than {TITLE_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn check_prompt(prompt: &str) -> Result<(), ErrorBody> {
    if prompt.trim().is_empty() {
        return Err(ErrorBody::new(
            Code::InvalidArgument,
            Reason::BadPrompt,
            "the prompt is empty",
        ));
    }
    check_answer(prompt)
}

/// As [`check_prompt`] for what may be empty.
fn check_answer(prompt: &str) -> Result<(), ErrorBody> {
    if prompt.len() > PROMPT_BYTES_MAX {
        let message =
            format!("the prompt is {} bytes, the limit is {PROMPT_BYTES_MAX}", prompt.len());
        return Err(ErrorBody::new(Code::InvalidArgument, Reason::BadPrompt, message));
    }
    Ok(())
}

fn malformed(message: String) -> ErrorBody {
    ErrorBody::new(Code::InvalidArgument, Reason::Malformed, message)
}

fn session(call: &Call) -> Result<SessionId, ErrorBody> {
    call.session.ok_or_else(|| malformed(format!("{} needs the field session", call.method)))
}

fn cid(call: &Call) -> Result<CommandId, ErrorBody> {
    call.cid.ok_or_else(|| {
        let message = format!("{} changes something and needs the field cid", call.method);
        ErrorBody::new(Code::InvalidArgument, Reason::CommandIdRequired, message)
    })
}

/// Parameters as JSON; they always serialise.
fn raw<T: Serialize>(params: &T) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(params).ok()
}

fn params<T: DeserializeOwned>(call: &Call) -> Result<T, ErrorBody> {
    let json = call.params.as_ref().map_or("{}", |params| params.get());
    serde_json::from_str(json)
        .map_err(|error| malformed(format!("parameters of {}: {error}", call.method)))
}

fn params_or_default<T: DeserializeOwned + Default>(call: &Call) -> Result<T, ErrorBody> {
    if call.params.is_some() { params(call) } else { Ok(T::default()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_within_the_limit() {
        assert_eq!(title_of("\n  a todo\tapp \nwith tags"), "a todoapp");
        let long = title_of(&"é".repeat(300));
        assert_eq!(long.len(), TITLE_BYTES_MAX);
        assert_eq!(title_of(""), "");
    }
}
