//! The bytes of an answer, in HTTP chunks: OpenAI's chunks as server-sent events, or Ollama's lines.

use super::fault::{Form, Mixture};
use crate::clock;
use clap::ValueEnum;
use std::io::Write;

/// End of a streamed answer.
const LAST: &[u8] = b"0\r\n\r\n";

/// The API that a call came in by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// OpenAI's `/chat/completions`.
    #[default]
    #[value(name = "openai")]
    OpenAi,
    /// Ollama's own `/api/chat`.
    Ollama,
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) prompt: u64,
    pub(super) completion: u64,
}

/// Writes the pieces of one answer.
#[derive(Debug)]
pub(super) struct Wire {
    api: Api,
    /// What is the same in each piece: `data: {…,"choices":` or `{…,"message":{"role":…,`.
    head: String,
    /// What ends a piece.
    end: &'static str,
}

impl Api {
    /// The API that a call goes to; none: it is no call of a model.
    pub(super) fn of(method: &str, path: &str) -> Option<Self> {
        match path {
            _ if method != "POST" => None,
            path if path.ends_with("/chat/completions") => Some(Self::OpenAi),
            path if path.ends_with("/api/chat") => Some(Self::Ollama),
            _ => None,
        }
    }

    /// Head of a streamed answer, with further headers.
    pub(super) fn head(self, headers: &str) -> Vec<u8> {
        let fixed = match self {
            Self::OpenAi => "text/event-stream\r\ncache-control: no-cache",
            Self::Ollama => "application/x-ndjson",
        };
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {fixed}\r\n{headers}transfer-encoding: chunked\r\n\r\n"
        )
        .into_bytes()
    }
}

impl Wire {
    pub(super) fn new(api: Api, model: &str, mixture: &Mixture) -> Self {
        let model = serde_json::Value::from(model);
        let (head, line) = match api {
            Api::OpenAi => {
                let created = clock::now_us() / 1_000_000;
                let head = format!(
                    r#"data: {{"id":"chatcmpl-standin","object":"chat.completion.chunk","created":{created},"model":{model},"choices":"#
                );
                (head, ["\n\n", "\r\n\r\n"])
            }
            Api::Ollama => {
                let head = format!(
                    r#"{{"model":{model},"created_at":"1970-01-01T00:00:00Z","message":{{"role":"assistant","#
                );
                (head, ["\n", "\r\n"])
            }
        };
        let [lf, crlf] = line;
        Self { api, head, end: if mixture.has(Form::Crlf) { crlf } else { lf } }
    }

    /// What comes before the text: who speaks, and what the mixture wants there.
    pub(super) fn open(&self, out: &mut Vec<u8>, mixture: &Mixture) {
        if self.api == Api::OpenAi {
            self.put(
                out,
                r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            );
        }
        if mixture.has(Form::Tools) {
            self.tools(out);
        }
        if mixture.has(Form::Think) {
            for piece in ["\n<thi", "nk>The user wants ", "files.</", "think>\n"] {
                self.content(out, &serde_json::Value::from(piece).to_string(), None);
            }
        }
    }

    /// Two calls, the first one in fragments.
    fn tools(&self, out: &mut Vec<u8>) {
        let calls: &[&str] = match self.api {
            Api::OpenAi => &[
                r#"[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":""}}]"#,
                r#"[{"index":0,"function":{"arguments":"{}"}}]"#,
                r#"[{"index":1,"id":"call_2","type":"function","function":{"name":"look","arguments":"{}"}}]"#,
            ],
            Api::Ollama => &[
                r#"[{"id":"call_1","function":{"index":0,"name":"look","arguments":{}}},{"id":"call_2","function":{"index":1,"name":"look","arguments":{}}}]"#,
            ],
        };
        for calls in calls {
            match self.api {
                Api::OpenAi => self.put(
                    out,
                    &format!(
                        r#"[{{"index":0,"delta":{{"tool_calls":{calls}}},"finish_reason":null}}]}}"#
                    ),
                ),
                Api::Ollama => {
                    self.put(
                        out,
                        &format!(r#""content":"","tool_calls":{calls}}},"done":false}}"#),
                    );
                }
            }
        }
    }

    /// One token; `json` is a JSON string with its quotes. With the usage so far, if wanted.
    pub(super) fn content(&self, out: &mut Vec<u8>, json: &str, usage: Option<Usage>) {
        match (self.api, usage) {
            (Api::Ollama, _) => self.parts(out, r#""content":"#, json, r#"},"done":false}"#),
            (Api::OpenAi, None) => self.parts(
                out,
                r#"[{"index":0,"delta":{"content":"#,
                json,
                r#"},"finish_reason":null}]}"#,
            ),
            (Api::OpenAi, Some(usage)) => {
                let tail = format!(r#"}},"finish_reason":null}}],{}}}"#, usage.json());
                self.parts(out, r#"[{"index":0,"delta":{"content":"#, json, &tail);
            }
        }
    }

    /// A sign of life that says nothing.
    pub(super) fn comment(&self, out: &mut Vec<u8>) {
        match self.api {
            Api::OpenAi => {
                let (line_end, _) = self.end.split_at(self.end.len() / 2);
                let event = format!("event: ping{line_end}data: {{}}{}", self.end);
                chunk(out, &[b": ping", self.end.as_bytes(), event.as_bytes()]);
            }
            Api::Ollama => chunk(out, &[self.end.as_bytes()]),
        }
    }

    /// The end of a whole answer, with its usage where it is wanted.
    pub(super) fn finish(&self, out: &mut Vec<u8>, mixture: &Mixture, usage: Option<Usage>) {
        let reason = serde_json::Value::from(mixture.finish());
        let (has_reason, has_mark) = (!mixture.has(Form::NoFinish), !mixture.has(Form::NoDone));
        match self.api {
            Api::OpenAi => {
                if has_reason {
                    self.put(
                        out,
                        &format!(r#"[{{"index":0,"delta":{{}},"finish_reason":{reason}}}]}}"#),
                    );
                }
                if let Some(usage) = usage {
                    self.put(out, &format!("[],{}}}", usage.json()));
                }
                if has_mark {
                    chunk(out, &[b"data: [DONE]", self.end.as_bytes()]);
                }
            }
            Api::Ollama => {
                let reason =
                    if has_reason { format!(r#","done_reason":{reason}"#) } else { String::new() };
                let usage = usage.map_or_else(String::new, |Usage { prompt, completion }| {
                    format!(r#","prompt_eval_count":{prompt},"eval_count":{completion}"#)
                });
                self.put(out, &format!(r#""content":""}},"done":true{reason}{usage}}}"#));
            }
        }
        last(out);
    }

    /// An error in the middle of a stream, as real providers send it after status 200.
    pub(super) fn error(&self, out: &mut Vec<u8>, has_type: bool) {
        let error = r#"{"error":{"message":"the stand-in was told to fail here","type":"server_error","code":"internal_error"}}"#;
        let end = self.end.as_bytes();
        match self.api {
            Api::OpenAi => {
                let (before, _) = self.end.split_at(self.end.len() / 2);
                let name = if has_type { format!("event: error{before}") } else { String::new() };
                chunk(out, &[name.as_bytes(), b"data: ", error.as_bytes(), end]);
            }
            Api::Ollama => {
                chunk(out, &[br#"{"error":"the stand-in was told to fail here"}"#, end]);
            }
        }
        last(out);
    }

    /// Something that is no piece of an answer: text in no encoding, and no JSON.
    pub(super) fn garbage(&self, out: &mut Vec<u8>) {
        let prefix: &[u8] = if self.api == Api::OpenAi { b"data: " } else { b"" };
        chunk(out, &[prefix, b"{\"choices\":[\xff\xfe\x00<html>", self.end.as_bytes()]);
    }

    fn put(&self, out: &mut Vec<u8>, rest: &str) {
        self.parts(out, rest, "", "");
    }

    fn parts(&self, out: &mut Vec<u8>, a: &str, b: &str, c: &str) {
        chunk(out, &[&self.head, a, b, c, self.end].map(str::as_bytes));
    }
}

impl Usage {
    fn json(self) -> String {
        let Self { prompt, completion } = self;
        let total = prompt + completion;
        format!(
            r#""usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}}}"#
        )
    }
}

/// One recorded chunk.
pub(super) fn line(out: &mut Vec<u8>, json: &str) {
    chunk(out, &[b"data: ", json.as_bytes(), b"\n\n"]);
}

/// `[DONE]` and the end of the body.
pub(super) fn end(out: &mut Vec<u8>) {
    line(out, "[DONE]");
    last(out);
}

/// The end of the body.
pub(super) fn last(out: &mut Vec<u8>) {
    out.extend_from_slice(LAST);
}

/// A chunk of the body.
pub(super) fn chunk(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let _ = write!(out, "{len:x}\r\n"); // writing to a Vec cannot fail
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}
