//! What the dialect says.

use super::{
    refusal::Code,
    scp::Scp,
    stage::{Stage, Task},
};
use crate::utc::Utc;
use greenroom_protocol::{
    id::{ConnectionId, SessionId},
    plan::{Complexity, Intent, Question},
};
use serde::{Serialize, Serializer};

/// Who writes, by the name that clients of the dialect know.
pub(super) const AGENT: &str = "fullstack_agent";

/// Version of the specification's shape.
pub(super) const SCP_VERSION: &str = "1.0";

/// A message: `{"type": …, "payload": {…}}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub(super) enum Message {
    /// The socket is open.
    Connected { connection_id: ConnectionId, timestamp: Moment },
    /// Answer to `ping`.
    Pong { timestamp: Moment },
    /// A project exists.
    ProjectCreated { project_id: SessionId, timestamp: Moment },
    /// How far a request is.
    CodeGenerationProgress { stage: Stage, progress: u8, message: String, timestamp: Moment },
    /// A step of planning.
    ScpPlanning { step: &'static str, details: String, timestamp: Moment },
    /// What will be built.
    ScpGenerated {
        scp: Box<Scp>,
        summary: String,
        complexity: Complexity,
        credits_required: Credits,
        file_count: usize,
        timestamp: Moment,
    },
    /// A model begins to write.
    AgentStarted {
        call_number: u32,
        total_calls: u32,
        scope: &'static str,
        purpose: &'static str,
        timestamp: Moment,
    },
    /// It has written.
    AgentCallComplete {
        call_number: u32,
        files_in_call: u32,
        new_packages: [&'static str; 0],
        timestamp: Moment,
    },
    /// What it does now.
    AgentPlanning {
        agent: &'static str,
        step: String,
        current_file: Option<String>,
        timestamp: Moment,
    },
    /// The steps of a request, all of them.
    AgentTaskUpdate { tasks: Vec<Task>, current_task_id: Option<&'static str>, timestamp: Moment },
    /// More of a file, or its end. The one message without a time, as there are many.
    CodeToken { file_path: String, token: String, is_complete: bool, language: &'static str },
    /// What becomes of a file. `processing`: what was told of it is void, its text begins.
    FileTreeUpdate { file_path: String, status: FileStatus, timestamp: Moment },
    /// `generate_code` is done.
    CodeGenerationComplete {
        project_id: SessionId,
        preview_url: Option<String>,
        scp_version: &'static str,
        credits_used: Credits,
        file_count: usize,
        timestamp: Moment,
    },
    /// `modify_code` is done.
    GenerationComplete {
        project_id: SessionId,
        preview_url: Option<String>,
        files_modified: Vec<String>,
        files_deleted: Vec<String>,
        scp_version: &'static str,
        credits_used: Credits,
        hot_reload: bool,
        timestamp: Moment,
    },
    /// An answer in words instead of files.
    Response {
        intent: Intent,
        response: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        questions: Vec<Question>,
        timestamp: Moment,
    },
    /// What a model said beside the files.
    ConversationTurn { role: &'static str, content: String, timestamp: Moment },
    /// Something did not work.
    Error {
        message: String,
        code: Code,
        retry_allowed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        timestamp: Moment,
    },
}

impl Message {
    /// The message as JSON; a project's says which one it is about, beside `payload`.
    pub(super) fn encode(&self, project: Option<SessionId>) -> String {
        // Cannot fail: no map with other keys than strings, no serializer that errs.
        let mut json = serde_json::to_string(self).unwrap_or_default();
        if let Some(project) = project
            && json.pop().is_some()
        {
            json.push_str(r#","project_id":""#);
            json.push_str(&project.to_string());
            json.push_str(r#""}"#);
        }
        json
    }
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FileStatus {
    /// It is being written.
    Processing,
    /// It is complete.
    Complete,
    /// It broke off: what was told of it is void.
    Error,
    /// It is gone.
    Deleted,
}

/// A moment, in milliseconds since 1970; RFC 3339 in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub(super) u64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Utc::of_ms(self.0))
    }
}

/// An amount in micro-credits; credits in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Credits(pub(super) u64);

impl Credits {
    const MICROS: u64 = 1_000_000;
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(Self::MICROS) {
            return serializer.serialize_u64(self.0 / Self::MICROS);
        }
        serializer.serialize_f64(self.0 as f64 / Self::MICROS as f64)
    }
}

/// The language of a file, by the names that editors in browsers have.
pub(super) fn language(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "ts" | "tsx" | "mts" => "typescript",
        "js" | "jsx" | "mjs" => "javascript",
        "json" => "json",
        "css" => "css",
        "html" | "htm" => "html",
        "md" => "markdown",
        "py" => "python",
        "rs" => "rust",
        "go" => "go",
        "java" => "java",
        "sh" => "shell",
        "sql" => "sql",
        "toml" => "toml",
        "yaml" | "yml" => "yaml",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_credits_to_the_last_micro_credit() {
        let json = |micros| serde_json::to_string(&Credits(micros)).unwrap();
        assert_eq!(json(10_000_000), "10");
        assert_eq!(json(8_641_500), "8.6415");
        assert_eq!(json(1), "1e-6");
        assert_eq!(json(999_999_999_999), "999999.999999");
        assert_eq!(json(0), "0");
    }

    #[test]
    fn a_file_has_the_language_of_its_extension() {
        assert_eq!(language("src/App.TSX"), "typescript");
        assert_eq!(language("a.b/README.md"), "markdown");
        assert_eq!(language("a.md/Makefile"), "text");
        assert_eq!(language(".gitignore"), "text");
    }
}
