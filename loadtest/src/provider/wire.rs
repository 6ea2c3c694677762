//! The bytes of an answer: OpenAI's chunks as server-sent events in HTTP chunks.

use crate::clock;
use serde::Serialize;
use std::io::Write;

/// Head of a streamed answer.
pub(super) const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

/// End of a streamed answer.
const LAST: &[u8] = b"0\r\n\r\n";

/// Writes the chunks of one model.
#[derive(Debug)]
pub(super) struct Chunks {
    /// `data: {…,"choices":` with all that is the same in each chunk.
    head: String,
}

impl Chunks {
    pub(super) fn new(model: &str) -> Self {
        #[derive(Serialize)]
        struct Name<'a>(&'a str);
        let model = serde_json::to_string(&Name(model)).unwrap_or_default();
        let created = clock::now_us() / 1_000_000;
        let head = format!(
            r#"data: {{"id":"chatcmpl-standin","object":"chat.completion.chunk","created":{created},"model":{model},"choices":"#
        );
        Self { head }
    }

    /// The first chunk: who speaks.
    pub(super) fn role(&self, out: &mut Vec<u8>) {
        self.put(
            out,
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        );
    }

    /// One token; `json` is a JSON string with its quotes.
    pub(super) fn content(&self, out: &mut Vec<u8>, json: &str) {
        self.parts(out, r#"[{"index":0,"delta":{"content":"#, json, r#"},"finish_reason":null}]}"#);
    }

    /// The end of a whole answer, with its usage where it was asked for.
    pub(super) fn finish(&self, out: &mut Vec<u8>, usage: Option<Usage>) {
        self.put(out, r#"[{"index":0,"delta":{},"finish_reason":"stop"}]}"#);
        if let Some(Usage { prompt, completion }) = usage {
            let total = prompt + completion;
            self.put(out, &format!(
                r#"[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}}}}}"#
            ));
        }
        end(out);
    }

    fn put(&self, out: &mut Vec<u8>, rest: &str) {
        self.parts(out, rest, "", "");
    }

    fn parts(&self, out: &mut Vec<u8>, a: &str, b: &str, c: &str) {
        let len = self.head.len() + a.len() + b.len() + c.len() + 2;
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{len:x}\r\n{}{a}{b}{c}\n\n\r\n", self.head);
    }
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) prompt: u64,
    pub(super) completion: u64,
}

/// One recorded chunk.
pub(super) fn line(out: &mut Vec<u8>, json: &str) {
    let _ = write!(out, "{:x}\r\ndata: {json}\n\n\r\n", json.len() + 8);
}

/// `[DONE]` and the end of the body.
pub(super) fn end(out: &mut Vec<u8>) {
    line(out, "[DONE]");
    out.extend_from_slice(LAST);
}

/// An error in the middle of a stream, as real providers send it after status 200.
pub(super) fn error(out: &mut Vec<u8>) {
    line(
        out,
        r#"{"error":{"message":"the stand-in was told to fail here","type":"server_error","code":"internal_error"}}"#,
    );
    out.extend_from_slice(LAST);
}
