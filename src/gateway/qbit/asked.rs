//! What clients of the dialect ask: bytes to requests. Pure.

use super::refusal::{Code, Kind};
use greenroom_protocol::{
    id::{IdError, SessionId},
    limit::PROMPT_BYTES_MAX,
};
use serde::Deserialize;
use std::borrow::Cow;

/// Longest name of an unknown type that is repeated, in characters.
const TYPE_CHARS_MAX: usize = 64;

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `ping`.
    Ping,
    /// `generate_code` without a project: a new one.
    New(String),
    /// `modify_code`, or `generate_code` with a project: more of that one.
    More { kind: Kind, project: SessionId, prompt: String },
}

/// Why a message asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unasked {
    /// No JSON object with a type, or a field of another type than it must have.
    #[error("send a JSON object with the fields type and payload, as in {EXAMPLE}")]
    Malformed,
    /// A type that the dialect does not have.
    #[error("unknown message type {0:?}; send generate_code, modify_code or ping")]
    UnknownType(String),
    /// No prompt.
    #[error("no prompt; send it as payload.prompt")]
    NoPrompt,
    /// A prompt above the limit.
    #[error("the prompt is {0} bytes, the limit is {PROMPT_BYTES_MAX}")]
    LongPrompt(usize),
    /// `modify_code` without a project.
    #[error("no project; send payload.project_id as project_created told it")]
    NoProject,
    /// What is no project's id.
    #[error("no such project; check project_id")]
    BadProject,
}

const EXAMPLE: &str = r#"{"type":"generate_code","payload":{"prompt":"a todo app"}}"#;

impl Unasked {
    /// The code that answers it.
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Malformed | Self::NoPrompt | Self::LongPrompt(_) | Self::NoProject => {
                Code::InvalidRequest
            }
            Self::UnknownType(_) => Code::UnknownMessageType,
            Self::BadProject => Code::ProjectNotFound,
        }
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    payload: Option<Payload>,
}

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default)]
    project_id: Option<String>,
}

/// Reads a message. Fields that the dialect does not have are ignored.
///
/// # Errors
/// [`Unasked`].
pub(super) fn read(text: &str) -> Result<Asked, Unasked> {
    // serde reads a struct from an array, too.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Unasked::Malformed);
    }
    let Head { kind } = serde_json::from_str(text).map_err(|_| Unasked::Malformed)?;
    let kind = match &*kind {
        "ping" => return Ok(Asked::Ping),
        "generate_code" => Kind::Generate,
        "modify_code" => Kind::Modify,
        other => return Err(Unasked::UnknownType(other.chars().take(TYPE_CHARS_MAX).collect())),
    };
    let Body { payload } = serde_json::from_str(text).map_err(|_| Unasked::Malformed)?;
    let Payload { prompt, project_id } = payload.unwrap_or_default();
    let prompt = prompt.filter(|prompt| !prompt.trim().is_empty()).ok_or(Unasked::NoPrompt)?;
    if prompt.len() > PROMPT_BYTES_MAX {
        return Err(Unasked::LongPrompt(prompt.len()));
    }
    match (kind, project_id) {
        (Kind::Generate, None) => Ok(Asked::New(prompt)),
        (Kind::Modify, None) => Err(Unasked::NoProject),
        (kind, Some(project)) => {
            let project = project.parse().map_err(|_: IdError| Unasked::BadProject)?;
            Ok(Asked::More { kind, project, prompt })
        }
    }
}
