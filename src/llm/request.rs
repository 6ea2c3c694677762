//! What a model is asked, in the words of each API. Pure.

use super::failure::Fault;
use greenroom_actors::port::{Message, ProviderErrorKind as Kind, Role};
use serde::Serialize;

/// The API that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's chat completions; an answer is server-sent events.
    OpenAi,
    /// Ollama's own chat; an answer is lines of JSON.
    Ollama,
}

/// The field that limits an answer. A client changes to the other one for good where a server
/// refuses its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokensName {
    /// `max_tokens`: the older name.
    MaxTokens,
    /// `max_completion_tokens`: the only one that OpenAI's reasoning models take.
    MaxCompletionTokens,
}

/// What a server has been found to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) include_usage: bool,
    pub(super) max_tokens: Option<(MaxTokensName, u32)>,
}

/// The body of a call.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Body<'a> {
    OpenAi(OpenAiBody<'a>),
    Ollama(OllamaBody<'a>),
}

#[derive(Serialize)]
pub(super) struct OpenAiBody<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct OllamaBody<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<OllamaOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct OllamaOptions {
    num_predict: u32,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: &'a str,
}

impl Api {
    /// What follows the base URL.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "chat/completions",
            Self::Ollama => "chat",
        }
    }

    /// What lists its models: the cheapest call that needs a key.
    pub(super) const fn models_path(self) -> &'static str {
        match self {
            Self::OpenAi => "models",
            Self::Ollama => "tags",
        }
    }

    /// Media type of its answers.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::OpenAi => "text/event-stream",
            Self::Ollama => "application/x-ndjson",
        }
    }

    /// Whether an answer of this content type, in lower case, may be read as a stream. A missing
    /// or odd one is let through: what is no stream fails at its first line.
    pub(super) fn streams(self, content_type: &str) -> bool {
        let is_json = content_type.contains("json") && !content_type.contains("ndjson");
        let is_foreign = self == Self::OpenAi && content_type.contains("ndjson");
        !is_json && !is_foreign && !content_type.contains("html")
    }
}

impl<'a> Body<'a> {
    pub(super) fn new(api: Api, model: &'a str, messages: &'a [Message], options: Options) -> Self {
        let messages = messages.iter().map(WireMessage::from).collect();
        let limit = |name| options.max_tokens.filter(|limit| limit.0 == name).map(|limit| limit.1);
        let include_usage = options.include_usage;
        match api {
            Api::OpenAi => Self::OpenAi(OpenAiBody {
                model,
                messages,
                stream: true,
                stream_options: include_usage.then_some(StreamOptions { include_usage }),
                max_tokens: limit(MaxTokensName::MaxTokens),
                max_completion_tokens: limit(MaxTokensName::MaxCompletionTokens),
            }),
            Api::Ollama => Self::Ollama(OllamaBody {
                model,
                messages,
                stream: true,
                options: options.max_tokens.map(|(_, num_predict)| OllamaOptions { num_predict }),
            }),
        }
    }
}

impl Options {
    /// Other options, where a failure says that one of these is unknown; none: it does not.
    pub(super) fn without(self, fault: &Fault) -> Option<Self> {
        let says = |words: &[&str]| words.iter().any(|word| fault.message.contains(word));
        if fault.kind != Kind::Rejected {
            return None;
        }
        let mut others = self;
        if says(&["stream_options", "include_usage"]) {
            others.include_usage = false;
        }
        // A limit that is only too high is named as well.
        let is_unknown =
            says(&["nsupported", "not supported", "nknown", "nrecognized", "not permitted"]);
        others.max_tokens = self.max_tokens.map(|(name, max_tokens)| {
            let name = if is_unknown && says(&[name.field()]) { name.other() } else { name };
            (name, max_tokens)
        });
        (others != self).then_some(others)
    }
}

impl MaxTokensName {
    const fn field(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::MaxTokens => Self::MaxCompletionTokens,
            Self::MaxCompletionTokens => Self::MaxTokens,
        }
    }
}

impl<'a> From<&'a Message> for WireMessage<'a> {
    fn from(message: &'a Message) -> Self {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        Self { role, content: &message.content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_is_asked_in_its_own_words() {
        let messages = [Message { role: Role::User, content: "hi".to_owned() }];
        let max_tokens = Some((MaxTokensName::MaxCompletionTokens, 9));
        let options = Options { include_usage: true, max_tokens };
        let body = |api| serde_json::to_value(Body::new(api, "m", &messages, options)).unwrap();
        let said = serde_json::json!([{ "role": "user", "content": "hi" }]);

        assert_eq!(
            body(Api::OpenAi),
            serde_json::json!({
                "model": "m", "messages": said, "stream": true,
                "stream_options": { "include_usage": true }, "max_completion_tokens": 9,
            })
        );
        assert_eq!(
            body(Api::Ollama),
            serde_json::json!({
                "model": "m", "messages": said, "stream": true, "options": { "num_predict": 9 },
            })
        );
    }

    #[test]
    fn the_content_type_tells_a_stream_from_an_error() {
        let cases = [
            ("text/event-stream; charset=utf-8", true, true),
            ("application/x-ndjson", false, true),
            ("application/json", false, false),
            ("text/html", false, false),
            ("", true, true),
            ("text/plain", true, true),
        ];
        for (content_type, open_ai, ollama) in cases {
            let streams = [Api::OpenAi, Api::Ollama].map(|api| api.streams(content_type));
            assert_eq!(streams, [open_ai, ollama], "of {content_type}");
        }
    }
}
