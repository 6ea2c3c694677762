//! What the stand-in was asked and what it really sent: the other half of every check.

use super::prompt::Tree;
use serde::Serialize;
use std::{
    collections::VecDeque,
    fs::File,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// Most calls that are remembered; older ones leave, in the file they stay.
const CALLS_MAX: usize = 100_000;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All was sent.
    Done,
    /// The client closed the connection before.
    ClientClosed,
    /// A fault was played to its end.
    Fault,
    /// The request was refused.
    Refused,
}

/// One call.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Call {
    /// The run, from header `x-greenroom-run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The key that it was made with; this provider's keys open nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The model asked for.
    pub model: String,
    /// When the request was read, in microseconds since 1970.
    pub start_us: u64,
    /// When the first content was written, in microseconds since 1970; 0: never.
    pub first_us: u64,
    /// When it ended, in microseconds since 1970; 0: it goes on.
    pub end_us: u64,
    /// Tokens handed to the socket.
    pub tokens: u64,
    /// Bytes of the answer's text handed to the socket.
    pub bytes: u64,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// The fault that it was to meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How long a refusal asked to wait, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// What was wrong with the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Whether the prompt asked to go on with an answer that was cut off.
    pub continues: bool,
    /// Whether the hub asked.
    pub plans: bool,
    /// What an `app` model made of the prompt.
    #[serde(skip)]
    pub app: Option<Arc<AppCall>>,
}

/// What an `app` model made of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppCall {
    /// The seed in the model's name.
    pub seed: String,
    /// The user's words.
    pub request: String,
    /// The files that the prompt showed.
    pub files: Tree,
    /// The whole text that the call would send.
    pub answer: String,
    /// The marker's tag in it.
    pub tag: String,
}

/// The log of a stand-in; shared by its threads and its readers.
#[derive(Debug, Default)]
pub struct Log {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: VecDeque<Call>,
    /// How many calls have left `calls`.
    gone: usize,
    file: Option<File>,
}

/// A call's place in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallId(usize);

impl Log {
    /// A log that also appends each ended call to `file`, as a line of JSON.
    #[must_use]
    pub fn new(file: Option<File>) -> Self {
        Self { inner: Mutex::new(Inner { file, ..Inner::default() }) }
    }

    /// All calls so far, in the order of their beginning.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.iter().cloned().collect()
    }

    /// How many calls of a run have begun.
    #[must_use]
    pub fn calls_of(&self, run: &str) -> usize {
        self.lock().calls.iter().filter(|call| call.run.as_deref() == Some(run)).count()
    }

    pub(super) fn begin(&self, call: Call) -> CallId {
        let mut inner = self.lock();
        if inner.calls.len() == CALLS_MAX {
            inner.calls.pop_front();
            inner.gone += 1;
        }
        inner.calls.push_back(call);
        CallId(inner.gone + inner.calls.len() - 1)
    }

    pub(super) fn end(&self, CallId(id): CallId, change: impl FnOnce(&mut Call)) {
        let mut inner = self.lock();
        let Some(at) = id.checked_sub(inner.gone) else { return };
        let Some(call) = inner.calls.get_mut(at) else { return };
        change(call);
        let line = serde_json::to_string(call).unwrap_or_default();
        if let Some(file) = &mut inner.file {
            // A full disk must not end the stand-in; what is in memory is still right.
            let _ = writeln!(file, "{line}");
        }
    }

    /// The calls as lines of JSON.
    #[must_use]
    pub fn json_lines(&self) -> String {
        let lines = |call: &Call| serde_json::to_string(call).unwrap_or_default() + "\n";
        self.lock().calls.iter().map(lines).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
