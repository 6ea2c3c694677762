//! Events: what a session says. One event is one entry of its log.

use crate::{
    credits::{Price, Rule},
    error::{ErrorBody, Reason},
    id::{CommandId, PartId, RunId, Seq, SessionId, UserId},
    plan::{Complexity, InputKind, Intent, Question, Spec},
};
use serde::{Deserialize, Serialize};

/// One entry's event. Readers ignore types and fields that they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum Event {
    /// A command was accepted that changes the session itself; entry 1 of every log is one.
    #[serde(rename = "notice")]
    Notice {
        /// What happened.
        notice: Notice,
        /// The user who asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
        /// The command that asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cid: Option<CommandId>,
        /// The run it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// The command whose run is to be cancelled before it exists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start_cid: Option<CommandId>,
        /// For a person: a session's title, a reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// The session goes on from what it was at an earlier entry: its files are those of then, and
    /// later turns are no longer shown to models. Nothing leaves the log.
    #[serde(rename = "session.rolled_back")]
    SessionRolledBack {
        /// The user who asked.
        by: UserId,
        /// The command that asked.
        cid: CommandId,
        /// The entry. Runs that had not ended by then are not part of what is restored.
        to: Seq,
        /// Git id of the commit whose files are restored; none: there were no files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<String>,
        /// Git id of the session's head of files from now on; none: it never had any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        /// Git id of the blob with the turns that later prompts show.
        turns: String,
    },
    /// The session begins with what another one was at an entry; entry 2 of a fork.
    #[serde(rename = "session.forked")]
    SessionForked {
        /// The session that it was forked from.
        parent: SessionId,
        /// The entry of that one. Runs that had not ended by then are not part of the fork.
        at: Seq,
        /// Git id of the commit that it begins with; none: there were no files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        /// Git id of the blob with the turns that later prompts show.
        turns: String,
    },
    /// A user's input, echoed to every attachment; a run will answer it.
    #[serde(rename = "input.user")]
    InputUser {
        /// The run that will answer.
        run: RunId,
        /// The command that brought it: other tabs see it, the sender recognises it.
        cid: CommandId,
        /// The user who wrote it.
        by: UserId,
        /// What was written.
        text: String,
        /// Model asked for, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// Whether a plan is to be made and shown before anything is spent.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        plan: bool,
        /// The run under way that this is said to. Where that one takes it up, `run` ends as
        /// `steered`; where it ends before, `run` begins after it like one that waited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        steers: Option<RunId>,
        /// The request for input that this answers: `run` goes on with what had been asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<u32>,
    },
    /// A run waits for a person, and ends meanwhile: an answer starts another one, which goes on
    /// where this one stood. Waiting costs nothing and has no end.
    #[serde(rename = "input.requested")]
    InputRequested {
        /// Number of the request within the session.
        request: u32,
        /// The run that asks.
        run: RunId,
        /// What kind of answer it waits for.
        #[serde(default)]
        kind: InputKind,
        /// What is asked, for a person.
        text: String,
        /// The questions, where there are some.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        questions: Vec<Question>,
    },
    /// A request for input was answered, declined or dropped.
    #[serde(rename = "input.resolved")]
    InputResolved {
        /// Number of the request within the session.
        request: u32,
        /// Whether it was accepted; otherwise nothing comes of it.
        answered: bool,
        /// The user who answered; none: something else took its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
        /// The command that answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cid: Option<CommandId>,
        /// What was said.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// The run that goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
    },
    /// What a request was understood as.
    #[serde(rename = "run.classified")]
    RunClassified {
        /// The run.
        run: RunId,
        /// What is wanted.
        intent: Intent,
        /// How much work it is.
        complexity: Complexity,
        /// How sure that is, 0 to 100.
        confidence: u8,
    },
    /// What is to be built.
    #[serde(rename = "run.planned")]
    RunPlanned {
        /// The run.
        run: RunId,
        /// The specification.
        spec: Box<Spec>,
    },
    /// What it is likely to cost.
    #[serde(rename = "run.quoted")]
    RunQuoted {
        /// The run.
        run: RunId,
        /// The price of the model.
        price: Price,
        /// What one half of the like cost less than, in micro-credits.
        cost: u64,
        /// What is reserved for it, in micro-credits.
        hold: u64,
        /// Whether it goes on without being asked for approval.
        approved: bool,
    },
    /// A run began.
    #[serde(rename = "run.started")]
    RunStarted {
        /// The run.
        run: RunId,
        /// The provider's name.
        provider: String,
        /// The model's name.
        model: String,
    },
    /// A run goes on after a crash of its node.
    #[serde(rename = "run.recovering")]
    RunRecovering {
        /// The run.
        run: RunId,
        /// Number of the attempt that begins: 2, 3, …
        attempt: u32,
        /// The part that was open starts at this entry and is void: readers drop it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        superseded_from: Option<Seq>,
    },
    /// A run ended. Every run has exactly one of these.
    #[serde(rename = "run.finished")]
    RunFinished {
        /// The run.
        run: RunId,
        /// How it ended.
        outcome: Outcome,
        /// Why it did not complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorBody>,
    },
    /// A step of a run began.
    #[serde(rename = "step.started")]
    StepStarted {
        /// The step.
        name: StepName,
    },
    /// A step of a run ended.
    #[serde(rename = "step.finished")]
    StepFinished {
        /// The step.
        name: StepName,
    },
    /// A text for the user begins.
    #[serde(rename = "text.start")]
    TextStart {
        /// The part.
        part: PartId,
    },
    /// More of a text.
    #[serde(rename = "text.delta")]
    TextDelta {
        /// The part.
        part: PartId,
        /// The addition.
        text: String,
    },
    /// A text is complete.
    #[serde(rename = "text.end")]
    TextEnd {
        /// The part.
        part: PartId,
    },
    /// A model's reasoning begins.
    #[serde(rename = "reasoning.start")]
    ReasoningStart {
        /// The part.
        part: PartId,
    },
    /// More of a reasoning.
    #[serde(rename = "reasoning.delta")]
    ReasoningDelta {
        /// The part.
        part: PartId,
        /// The addition.
        text: String,
    },
    /// A reasoning is complete.
    #[serde(rename = "reasoning.end")]
    ReasoningEnd {
        /// The part.
        part: PartId,
    },
    /// A tool call begins.
    #[serde(rename = "tool.start")]
    ToolStart {
        /// The part.
        part: PartId,
        /// The tool's name.
        name: String,
    },
    /// More of a tool call's arguments.
    #[serde(rename = "tool.args.delta")]
    ToolArgsDelta {
        /// The part.
        part: PartId,
        /// The addition.
        text: String,
    },
    /// A tool call's arguments are complete.
    #[serde(rename = "tool.ready")]
    ToolReady {
        /// The part.
        part: PartId,
    },
    /// More of a tool's output.
    #[serde(rename = "tool.output.delta")]
    ToolOutputDelta {
        /// The part.
        part: PartId,
        /// The addition.
        text: String,
    },
    /// A tool call ended.
    #[serde(rename = "tool.end")]
    ToolEnd {
        /// The part.
        part: PartId,
        /// Whether it succeeded.
        ok: bool,
    },
    /// A file's contents begin; they replace what the path held, once committed.
    #[serde(rename = "file.start")]
    FileStart {
        /// The part.
        part: PartId,
        /// The path, relative to the project's root.
        path: String,
    },
    /// More of a file's contents.
    #[serde(rename = "file.delta")]
    FileDelta {
        /// The part.
        part: PartId,
        /// The addition.
        text: String,
    },
    /// A file ended; an incomplete one is never committed.
    #[serde(rename = "file.end")]
    FileEnd {
        /// The part.
        part: PartId,
        /// Whether its end was written; otherwise the stream broke off within it.
        complete: bool,
        /// Length of the contents in bytes.
        bytes: u64,
        /// SHA-256 of the contents, in hex.
        sha256: String,
    },
    /// A file is to be removed, once committed.
    #[serde(rename = "file.deleted")]
    FileDeleted {
        /// The path.
        path: String,
    },
    /// A file is to be moved, once committed.
    #[serde(rename = "file.moved")]
    FileMoved {
        /// The path it had.
        from: String,
        /// The path it gets.
        to: String,
    },
    /// The files of a run are stored; this entry is the session's head of files.
    #[serde(rename = "files.committed")]
    FilesCommitted {
        /// The run.
        run: RunId,
        /// Git id of the commit: 40 hex digits.
        commit: String,
        /// How many files are new.
        added: u32,
        /// How many files have other contents.
        changed: u32,
        /// How many files are gone.
        removed: u32,
    },
    /// What a call to a model used.
    #[serde(rename = "usage")]
    Usage {
        /// The run.
        run: RunId,
        /// The numbers.
        usage: Usage,
    },
    /// A run reserved credits, or more of them.
    #[serde(rename = "credits.held")]
    CreditsHeld {
        /// The run.
        run: RunId,
        /// What it reserves now, in micro-credits.
        amount: u64,
        /// The price by which it will pay.
        price: Price,
    },
    /// A run paid.
    #[serde(rename = "credits.settled")]
    CreditsSettled {
        /// The run.
        run: RunId,
        /// What the user paid, in micro-credits.
        paid: u64,
        /// What was used, in micro-credits; what the user did not pay of it was written off.
        cost: u64,
        /// The rule by which it was paid.
        rule: Rule,
    },
    /// Progress in a step, for display.
    #[serde(rename = "progress")]
    Progress {
        /// The step.
        name: StepName,
        /// 0 to 100.
        percent: u8,
        /// For a person.
        message: String,
    },
    /// Something went wrong that does not end the run.
    #[serde(rename = "error")]
    Error {
        /// What.
        error: ErrorBody,
    },
    /// A type that this build does not know.
    #[serde(other)]
    Unknown,
}

/// What a [`Event::Notice`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The session was created.
    SessionCreated,
    /// The session was closed: no further runs.
    SessionClosed,
    /// A run is to be cancelled.
    CancelRequested,
    /// A run is to end because a later one takes its place.
    InterruptRequested,
    /// A file was left out of the commit; the message says why.
    FileRejected,
    /// A run waits for its provider; the message says for how long, as far as that is known.
    ProviderWait,
    /// Another provider than the one that was named answers; the message says which and why.
    ProviderChanged,
    /// A notice that this build does not know.
    #[serde(other)]
    Unknown,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The model said all it had to say.
    Completed,
    /// Cancelled on request.
    Cancelled,
    /// It failed; the error says why.
    Failed,
    /// A later run took its place.
    Interrupted,
    /// It was said to another run, which took it up.
    Steered,
}

impl Outcome {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Steered => "steered",
        }
    }
}

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// A model says what the request asks for, and what is to be built.
    Planning,
    /// The model writes.
    Generating,
    /// Files are stored and committed.
    Applying,
    /// A step that this build does not know.
    #[serde(other)]
    Unknown,
}

/// Tokens that a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// Tokens of the prompt that the provider had cached.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Tokens of reasoning, where the provider says so.
    #[serde(default)]
    pub reasoning_tokens: u64,
    /// Where the numbers come from.
    pub source: UsageSource,
}

/// Where usage numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them at the end of the stream.
    Provider,
    /// The provider reported them before the stream broke off.
    ProviderPartial,
    /// Estimated from the bytes that passed.
    #[default]
    Estimate,
}

/// Which text of a part a delta adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// A text for the user.
    Text,
    /// A model's reasoning.
    Reasoning,
    /// A tool call's arguments.
    ToolArgs,
    /// A tool call's output.
    ToolOutput,
    /// A file's contents.
    File,
}

impl Event {
    /// The part that this event belongs to, if any.
    #[must_use]
    pub const fn part(&self) -> Option<PartId> {
        match self {
            Self::TextStart { part }
            | Self::TextDelta { part, .. }
            | Self::TextEnd { part }
            | Self::ReasoningStart { part }
            | Self::ReasoningDelta { part, .. }
            | Self::ReasoningEnd { part }
            | Self::ToolStart { part, .. }
            | Self::ToolArgsDelta { part, .. }
            | Self::ToolReady { part }
            | Self::ToolOutputDelta { part, .. }
            | Self::ToolEnd { part, .. }
            | Self::FileStart { part, .. }
            | Self::FileDelta { part, .. }
            | Self::FileEnd { part, .. } => Some(*part),
            Self::Notice { .. }
            | Self::SessionRolledBack { .. }
            | Self::SessionForked { .. }
            | Self::InputUser { .. }
            | Self::InputRequested { .. }
            | Self::InputResolved { .. }
            | Self::RunClassified { .. }
            | Self::RunPlanned { .. }
            | Self::RunQuoted { .. }
            | Self::RunStarted { .. }
            | Self::RunRecovering { .. }
            | Self::RunFinished { .. }
            | Self::StepStarted { .. }
            | Self::StepFinished { .. }
            | Self::FileDeleted { .. }
            | Self::FileMoved { .. }
            | Self::FilesCommitted { .. }
            | Self::Usage { .. }
            | Self::CreditsHeld { .. }
            | Self::CreditsSettled { .. }
            | Self::Progress { .. }
            | Self::Error { .. }
            | Self::Unknown => None,
        }
    }

    /// The addition that this event makes to a text of a part, if it is a delta.
    #[must_use]
    pub fn as_delta(&self) -> Option<(PartId, Stream, &str)> {
        match self {
            Self::TextDelta { part, text } => Some((*part, Stream::Text, text)),
            Self::ReasoningDelta { part, text } => Some((*part, Stream::Reasoning, text)),
            Self::ToolArgsDelta { part, text } => Some((*part, Stream::ToolArgs, text)),
            Self::ToolOutputDelta { part, text } => Some((*part, Stream::ToolOutput, text)),
            Self::FileDelta { part, text } => Some((*part, Stream::File, text)),
            Self::Notice { .. }
            | Self::SessionRolledBack { .. }
            | Self::SessionForked { .. }
            | Self::InputUser { .. }
            | Self::InputRequested { .. }
            | Self::InputResolved { .. }
            | Self::RunClassified { .. }
            | Self::RunPlanned { .. }
            | Self::RunQuoted { .. }
            | Self::RunStarted { .. }
            | Self::RunRecovering { .. }
            | Self::RunFinished { .. }
            | Self::StepStarted { .. }
            | Self::StepFinished { .. }
            | Self::TextStart { .. }
            | Self::TextEnd { .. }
            | Self::ReasoningStart { .. }
            | Self::ReasoningEnd { .. }
            | Self::ToolStart { .. }
            | Self::ToolReady { .. }
            | Self::ToolEnd { .. }
            | Self::FileStart { .. }
            | Self::FileEnd { .. }
            | Self::FileDeleted { .. }
            | Self::FileMoved { .. }
            | Self::FilesCommitted { .. }
            | Self::Usage { .. }
            | Self::CreditsHeld { .. }
            | Self::CreditsSettled { .. }
            | Self::Progress { .. }
            | Self::Error { .. }
            | Self::Unknown => None,
        }
    }

    /// Joins `next` to this event if both add text to the same part and the sum stays within
    /// `bytes_max`; otherwise gives `next` back.
    ///
    /// # Errors
    /// `next`, untouched, where the two cannot be one.
    pub fn join(&mut self, next: Self, bytes_max: usize) -> Result<(), Self> {
        match (self, next) {
            (Self::TextDelta { part, text }, Self::TextDelta { part: other, text: more })
            | (
                Self::ReasoningDelta { part, text },
                Self::ReasoningDelta { part: other, text: more },
            )
            | (Self::FileDelta { part, text }, Self::FileDelta { part: other, text: more })
            | (
                Self::ToolArgsDelta { part, text },
                Self::ToolArgsDelta { part: other, text: more },
            )
            | (
                Self::ToolOutputDelta { part, text },
                Self::ToolOutputDelta { part: other, text: more },
            ) if *part == other && text.len() + more.len() <= bytes_max => {
                text.push_str(&more);
                Ok(())
            }
            (_, next) => Err(next),
        }
    }

    /// Why a run ended, where this event is its end.
    #[must_use]
    pub fn finished_reason(&self) -> Option<Reason> {
        if let Self::RunFinished { error: Some(error), .. } = self {
            Some(error.reason)
        } else {
            None
        }
    }
}
