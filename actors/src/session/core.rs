//! A session's state as a fold over its log: what a snapshot holds and what waking rebuilds.
//!
//! Nothing here is set but by [`Core::apply`], so that a session that was woken, taken over or
//! replayed is the same session.

use crate::run::hub::said_questions;
use greenroom_protocol::{
    event::{Event, Notice, Outcome},
    frame::Status,
    id::{CommandId, PartId, RunId, Seq, UserId},
    limit::COMMAND_MEMORY,
    plan::{InputKind, Spec},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
};

/// Earlier turns that a prompt may show, and their bytes in all.
pub(super) const TURNS_MAX: usize = 20;
pub(super) const TURNS_BYTES_MAX: usize = 64 * 1024;

/// Most text of one answer that is kept for later prompts, in bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// Commands remembered at most, and starts that were cancelled before they came; the rate limits keep 24 h of them far below it.
const COMMANDS_MAX: usize = 4096;

/// Stands for the words of somebody who agreed without any.
const GO_ON: &str = "Go on.";

/// What the log says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Core {
    /// Whether it takes no more runs.
    pub(crate) closed: bool,
    /// Runs that have not ended; the first is under way or about to be.
    pub(crate) runs: VecDeque<Run>,
    /// Commands that were accepted in the last 24 h.
    pub(crate) commands: BTreeMap<CommandId, Accepted>,
    /// Starts that were cancelled before they came, with the time.
    cancelled_starts: BTreeMap<CommandId, u64>,
    /// Highest part number.
    pub(crate) part: PartId,
    /// The part that is open, and the entry that began it.
    pub(crate) open: Option<(PartId, Seq)>,
    /// Git id of the last commit.
    pub(crate) commit: Option<String>,
    /// What its runs paid, in micro-credits.
    #[serde(default)]
    pub(crate) spent: u64,
    /// Earlier turns, for later prompts.
    pub(crate) turns: VecDeque<Turn>,
    /// Git id of the blob with the turns before those, where they were not read yet.
    #[serde(skip)]
    pub(crate) unread: Option<String>,
    /// Number of the last request for input.
    #[serde(default)]
    pub(crate) requests: u32,
    /// The one that is open.
    #[serde(default)]
    pub(crate) request: Option<Request>,
    /// The plan of the run under way.
    #[serde(default)]
    spec: Option<Box<Spec>>,
    /// The request that was accepted last: the very next entry begins the run that goes on.
    #[serde(default)]
    accepted: Option<Request>,
    /// Text of the run under way, for its turn.
    answer: String,
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) run: RunId,
    pub(crate) cid: CommandId,
    pub(crate) by: UserId,
    pub(crate) prompt: String,
    pub(crate) model: Option<String>,
    /// The entry that accepted it.
    pub(crate) accepted: Seq,
    /// Number of the attempt that is under way; 0: it has not begun.
    pub(crate) attempt: u32,
    /// How it is to end, once that was asked for.
    pub(crate) ending: Option<Ending>,
    /// Whether it makes a plan first.
    #[serde(default)]
    pub(crate) plan: bool,
    /// The run that it was said to.
    #[serde(default)]
    pub(crate) steers: Option<RunId>,
    /// The request that it answers.
    #[serde(default)]
    pub(crate) answers: Option<Box<Request>>,
}

impl Run {
    /// All that is asked for: the prompt, with that of the run that asked back.
    pub(crate) fn request(&self) -> Cow<'_, str> {
        match (&self.answers, self.remark()) {
            (Some(request), None) => Cow::Borrowed(&request.prompt),
            (Some(request), Some(remark)) => Cow::Owned(format!("{}\n\n{remark}", request.prompt)),
            (None, _) => Cow::Borrowed(&self.prompt),
        }
    }

    /// What was said, unless it was a bare yes.
    pub(crate) fn remark(&self) -> Option<&str> {
        Some(self.prompt.as_str()).filter(|prompt| *prompt != GO_ON)
    }
}

/// What a run asked, and what is needed to go on where it stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) number: u32,
    pub(crate) kind: InputKind,
    /// All that had been asked for.
    pub(crate) prompt: String,
    pub(crate) model: Option<String>,
    /// The plan that it is about.
    pub(crate) spec: Option<Box<Spec>>,
}

/// How a run is to end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    Cancelled,
    Interrupted,
}

impl Ending {
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Cancelled => Outcome::Cancelled,
            Self::Interrupted => Outcome::Interrupted,
        }
    }
}

/// A command that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// The entry that accepted it.
    pub(crate) seq: Seq,
    /// When, in milliseconds since 1970.
    at_ms: u64,
    /// Hash of what it asked for.
    pub(crate) hash: u64,
    /// The run that it started or ended.
    pub(crate) run: Option<RunId>,
}

/// A finished turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) prompt: String,
    pub(crate) answer: String,
}

/// What a command asks for, as a hash: the same command id with another is a conflict.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hasher.finalize());
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Hash of a `run.start`.
pub(crate) fn start_hash(prompt: &str, model: Option<&str>) -> u64 {
    hash(&["run.start", prompt, model.unwrap_or_default()])
}

/// Hash of a `run.cancel`.
pub(crate) fn cancel_hash(run: Option<RunId>, start: Option<CommandId>) -> u64 {
    let run = run.map(|run| run.to_string()).unwrap_or_default();
    let start = start.map(|cid| cid.to_string()).unwrap_or_default();
    hash(&["run.cancel", &run, &start])
}

/// Hash of an `input.respond`.
pub(crate) fn respond_hash(request: u32, accept: bool, text: &str) -> u64 {
    hash(&["input.respond", &request.to_string(), if accept { "yes" } else { "no" }, text])
}

/// Hash of a `session.close`.
pub(crate) fn close_hash() -> u64 {
    hash(&["session.close"])
}

/// Hash of a `session.rollback`.
pub(crate) fn rollback_hash(to: Seq) -> u64 {
    hash(&["session.rollback", &to.to_string()])
}

/// Hash of a `session.create`.
pub(crate) fn create_hash(title: &str) -> u64 {
    hash(&["session.create", title])
}

/// Hash of the command that a notice stands for; none: it stands for none.
fn notice_hash(
    notice: Notice,
    message: &str,
    (run, start): (Option<RunId>, Option<CommandId>),
) -> Option<u64> {
    match notice {
        Notice::SessionCreated => Some(create_hash(message)),
        Notice::SessionClosed => Some(close_hash()),
        Notice::CancelRequested => Some(cancel_hash(run.filter(|_| start.is_none()), start)),
        Notice::InterruptRequested
        | Notice::FileRejected
        | Notice::ProviderWait
        | Notice::ProviderChanged
        | Notice::Unknown => None,
    }
}

impl Core {
    /// Applies one entry.
    pub(crate) fn apply(&mut self, seq: Seq, ts: u64, event: &Event) {
        if let Some(part) = event.part() {
            self.part = self.part.max(part);
        }
        match event {
            Event::Notice { notice, by: _, cid, run, start_cid, message } => {
                self.apply_notice(*notice, (*run, *start_cid), ts);
                let hash = notice_hash(*notice, message, (*run, *start_cid));
                if let (Some(cid), Some(hash)) = (*cid, hash) {
                    self.remember(cid, Accepted { seq, at_ms: ts, hash, run: *run });
                }
            }
            Event::InputUser { .. } => self.apply_input(seq, ts, event),
            Event::RunStarted { run, .. } => {
                self.answer.clear();
                self.spec = None;
                self.begin(*run, 1);
            }
            Event::RunRecovering { run, attempt, .. } => {
                self.open = None;
                self.begin(*run, *attempt);
            }
            Event::RunFinished { run, outcome, .. } => self.finish(*run, *outcome),
            Event::TextStart { part }
            | Event::ReasoningStart { part }
            | Event::ToolStart { part, .. }
            | Event::FileStart { part, .. } => self.open = Some((*part, seq)),
            Event::TextEnd { .. }
            | Event::ReasoningEnd { .. }
            | Event::ToolEnd { .. }
            | Event::FileEnd { .. } => self.open = None,
            Event::TextDelta { .. } => self.hear(event),
            Event::RunPlanned { spec, .. } => {
                self.hear(event);
                self.spec = Some(spec.clone());
            }
            Event::InputRequested { request, run, kind, .. } => {
                self.hear(event);
                self.ask(*request, *run, *kind);
            }
            Event::InputResolved { .. } => self.resolve(seq, ts, event),
            Event::FilesCommitted { commit, .. } => self.commit = Some(commit.clone()),
            Event::SessionRolledBack { .. } | Event::SessionForked { .. } => {
                self.apply_branch(seq, ts, event);
            }
            Event::CreditsSettled { paid, .. } => self.spent = self.spent.saturating_add(*paid),
            Event::RunClassified { .. }
            | Event::RunQuoted { .. }
            | Event::StepStarted { .. }
            | Event::StepFinished { .. }
            | Event::ReasoningDelta { .. }
            | Event::ToolArgsDelta { .. }
            | Event::ToolReady { .. }
            | Event::ToolOutputDelta { .. }
            | Event::FileDelta { .. }
            | Event::FileDeleted { .. }
            | Event::FileMoved { .. }
            | Event::Usage { .. }
            | Event::CreditsHeld { .. }
            | Event::Progress { .. }
            | Event::Error { .. }
            | Event::Unknown => {}
        }
    }

    fn apply_notice(
        &mut self,
        notice: Notice,
        (run, start): (Option<RunId>, Option<CommandId>),
        ts: u64,
    ) {
        match notice {
            Notice::SessionClosed => {
                self.closed = true;
                for run in &mut self.runs {
                    run.ending = run.ending.or(Some(Ending::Cancelled));
                }
            }
            Notice::CancelRequested => {
                let known = run.and_then(|run| self.run_mut(run));
                match (known, start) {
                    (Some(known), _) => known.ending = Some(Ending::Cancelled),
                    (None, Some(start)) if run.is_none() => {
                        if self.cancelled_starts.len() >= COMMANDS_MAX {
                            let oldest = self.cancelled_starts.iter().min_by_key(|(_, at)| **at);
                            if let Some(oldest) = oldest.map(|(cid, _)| *cid) {
                                self.cancelled_starts.remove(&oldest);
                            }
                        }
                        self.cancelled_starts.insert(start, ts);
                    }
                    (None, _) => {}
                }
            }
            Notice::InterruptRequested => {
                if let Some(run) = run.and_then(|run| self.run_mut(run)) {
                    run.ending = run.ending.or(Some(Ending::Interrupted));
                }
            }
            Notice::SessionCreated
            | Notice::FileRejected
            | Notice::ProviderWait
            | Notice::ProviderChanged
            | Notice::Unknown => {}
        }
    }

    fn remember(&mut self, cid: CommandId, accepted: Accepted) {
        if self.commands.len() >= COMMANDS_MAX {
            let oldest = self.commands.iter().min_by_key(|(_, old)| old.seq).map(|(cid, _)| *cid);
            if let Some(oldest) = oldest {
                self.commands.remove(&oldest);
            }
        }
        self.commands.insert(cid, accepted);
    }

    /// Forgets commands older than 24 h; called before a snapshot.
    pub(crate) fn forget_old_commands(&mut self, now_ms: u64) {
        let memory_ms = u64::try_from(COMMAND_MEMORY.as_millis()).unwrap_or(u64::MAX);
        let since = now_ms.saturating_sub(memory_ms);
        self.commands.retain(|_, accepted| accepted.at_ms >= since);
        self.cancelled_starts.retain(|_, at_ms| *at_ms >= since);
    }

    /// What the session does.
    pub(crate) fn status(&self) -> Status {
        match self.runs.front() {
            _ if self.closed => Status::Closed,
            None if self.request.is_some() => Status::Waiting,
            None => Status::Idle,
            Some(run) if run.attempt == 0 => Status::Pending,
            Some(run) if run.attempt > 1 => Status::Recovering,
            Some(_) => Status::Running,
        }
    }

    /// The run with this id, unless it has ended.
    pub(crate) fn run(&self, run: RunId) -> Option<&Run> {
        self.runs.iter().find(|other| other.run == run)
    }

    fn run_mut(&mut self, run: RunId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|other| other.run == run)
    }

    /// Whether the command's run is to be cancelled when it comes.
    pub(crate) fn is_start_cancelled(&self, cid: CommandId) -> bool {
        self.cancelled_starts.contains_key(&cid)
    }

    fn begin(&mut self, run: RunId, attempt: u32) {
        if let Some(run) = self.run_mut(run) {
            run.attempt = attempt;
        }
    }

    fn finish(&mut self, run: RunId, outcome: Outcome) {
        let Some(at) = self.runs.iter().position(|other| other.run == run) else { return };
        let Some(ended) = self.runs.remove(at) else { return };
        if let (Outcome::Steered, Some(steered)) = (outcome, ended.steers)
            && let Some(steered) = self.run_mut(steered)
        {
            say_also(&mut steered.prompt, &ended.prompt);
        }
        if at > 0 || ended.attempt == 0 {
            return; // it never spoke
        }
        self.open = None;
        let answer = std::mem::take(&mut self.answer);
        self.turns.push_back(Turn { prompt: ended.prompt, answer });
        self.forget_old_turns();
    }

    /// A prompt was accepted: a run waits.
    fn apply_input(&mut self, seq: Seq, at_ms: u64, event: &Event) {
        let Event::InputUser { run, cid, by, text, model, plan, steers, answers } = event else {
            return;
        };
        // The command of an answer is that of the entry before this one.
        if answers.is_none() {
            let hash = start_hash(text, model.as_deref());
            self.remember(*cid, Accepted { seq, at_ms, hash, run: Some(*run) });
        }
        let ending = self.cancelled_starts.remove(cid).map(|_| Ending::Cancelled);
        self.runs.push_back(Run {
            run: *run,
            cid: *cid,
            by: *by,
            prompt: prompt_of(text).to_owned(),
            model: model.clone(),
            accepted: seq,
            attempt: 0,
            ending,
            plan: *plan,
            steers: *steers,
            answers: answers.and_then(|_| self.accepted.take()).map(Box::new),
        });
    }

    /// Words of the run under way.
    fn hear(&mut self, event: &Event) {
        if let Some(words) = words(event) {
            push_bounded(&mut self.answer, &words);
        }
    }

    /// A run asks, and will end.
    fn ask(&mut self, number: u32, run: RunId, kind: InputKind) {
        self.requests = self.requests.max(number);
        let spec = self.spec.take();
        let Some(run) = self.run(run) else { return };
        let (prompt, model) = (run.request().into_owned(), run.model.clone());
        let earlier = run.answers.as_ref().and_then(|earlier| earlier.spec.clone());
        self.request = Some(Request { number, kind, prompt, model, spec: spec.or(earlier) });
    }

    /// What was asked is answered, or of no interest any more.
    fn resolve(&mut self, seq: Seq, at_ms: u64, event: &Event) {
        let Event::InputResolved { request, answered, cid, text, run, .. } = event else { return };
        let open = self.request.take();
        self.accepted = open.filter(|open| open.number == *request && run.is_some());
        if let Some(cid) = *cid {
            let hash = respond_hash(*request, *answered, text);
            self.remember(cid, Accepted { seq, at_ms, hash, run: *run });
        }
    }

    /// Goes on from elsewhere.
    fn apply_branch(&mut self, seq: Seq, at_ms: u64, event: &Event) {
        let (Event::SessionRolledBack { commit, turns, .. }
        | Event::SessionForked { commit, turns, .. }) = event
        else {
            return;
        };
        if let Event::SessionRolledBack { cid, to, .. } = event {
            let hash = rollback_hash(*to);
            self.remember(*cid, Accepted { seq, at_ms, hash, run: None });
        }
        self.commit.clone_from(commit);
        self.turns.clear();
        self.unread = Some(turns.clone());
    }

    /// Puts the turns that [`Core::unread`] names before the others.
    pub(crate) fn put_before(&mut self, earlier: Vec<Turn>) {
        self.unread = None;
        for turn in earlier.into_iter().rev() {
            self.turns.push_front(turn);
        }
        self.forget_old_turns();
    }

    fn forget_old_turns(&mut self) {
        let bytes = |turn: &Turn| turn.prompt.len() + turn.answer.len();
        let mut total: usize = self.turns.iter().map(bytes).sum();
        while self.turns.len() > TURNS_MAX || (total > TURNS_BYTES_MAX && self.turns.len() > 1) {
            total -= self.turns.pop_front().map_or(0, |turn| bytes(&turn));
        }
    }
}

/// What an entry adds to the words of its run's turn.
pub(super) fn words(event: &Event) -> Option<Cow<'_, str>> {
    if let Event::TextDelta { text, .. } = event {
        Some(Cow::Borrowed(text))
    } else if let Event::RunPlanned { spec, .. } = event {
        Some(Cow::Borrowed(&spec.overview))
    } else if let Event::InputRequested { kind: InputKind::Question, text, questions, .. } = event {
        Some(Cow::Owned(said_questions(text, questions)))
    } else {
        None
    }
}

/// What a user said, as prompts show it.
pub(super) fn prompt_of(text: &str) -> &str {
    if text.is_empty() { GO_ON } else { text }
}

/// Adds what was said to a run that took it up.
pub(super) fn say_also(prompt: &mut String, said: &str) {
    prompt.push_str("\n\n");
    prompt.push_str(said);
}

/// Adds text to an answer as far as one is kept.
pub(super) fn push_bounded(answer: &mut String, text: &str) {
    let room = ANSWER_BYTES_MAX.saturating_sub(answer.len());
    answer.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
}
