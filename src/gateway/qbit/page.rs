//! The messages of one entry.

use super::message::{AGENT, FileStatus, Message, Moment};
use greenroom_protocol::id::SessionId;

/// The messages that one entry becomes.
#[derive(Debug)]
pub(super) struct Page {
    /// When the entry was accepted.
    pub(super) at: Moment,
    /// Whose entry it is.
    pub(super) project: SessionId,
    pub(super) messages: Vec<Message>,
}

impl Page {
    pub(super) const fn new(ts: u64, project: SessionId) -> Self {
        Self { at: Moment(ts), project, messages: Vec::new() }
    }

    pub(super) fn push(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// What becomes of a file.
    pub(super) fn file(&mut self, path: &str, status: FileStatus) {
        let timestamp = self.at;
        self.push(Message::FileTreeUpdate { file_path: path.to_owned(), status, timestamp });
    }

    /// What is done now, and to which file.
    pub(super) fn doing(&mut self, step: impl Into<String>, file: Option<&str>) {
        self.push(Message::AgentPlanning {
            agent: AGENT,
            step: step.into(),
            current_file: file.map(ToOwned::to_owned),
            timestamp: self.at,
        });
    }

    /// A step of planning.
    pub(super) fn planning(&mut self, step: &'static str, details: impl Into<String>) {
        let (details, timestamp) = (details.into(), self.at);
        self.push(Message::ScpPlanning { step, details, timestamp });
    }
}
