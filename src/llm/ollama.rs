//! One line of an answer of Ollama's own `/api/chat`.

use super::{
    chunk::{Chunk, Ending},
    failure::Reported,
    tools::ToolDelta,
};
use greenroom_actors::port::Finish;
use greenroom_protocol::event::{Usage, UsageSource};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Message<'a> {
    content: Option<String>,
    thinking: Option<String>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolCall {
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    index: Option<u64>,
}

/// Reads one line.
///
/// # Errors
/// It is no JSON object of this shape.
pub(super) fn parse(line: &[u8]) -> Result<Chunk, serde_json::Error> {
    let line: Line<'_> = serde_json::from_slice(line)?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut chunk = Chunk {
        ending: line.done.then(|| ending(line.done_reason.as_deref())),
        usage: usage(&line),
        error: line.error.as_ref().and_then(Reported::from_value),
        ..Chunk::default()
    };
    if let Some(message) = line.message {
        chunk.text = some(message.content);
        chunk.reasoning = some(message.thinking);
        if let Some(calls) = message.tool_calls {
            let known: Vec<ToolCall> = serde_json::from_str(calls.get()).unwrap_or_default();
            chunk.tool_bytes = if known.is_empty() { 0 } else { calls.get().len() };
            // Each call comes whole, in one line: one without an index is one of its own.
            chunk.tools.extend((0_u64..).zip(known).map(|(place, call)| ToolDelta {
                choice: 0,
                index: Some(call.function.and_then(|function| function.index).unwrap_or(place)),
                id: call.id,
            }));
        }
    }
    Ok(chunk)
}

/// Older servers say no reason.
fn ending(reason: Option<&str>) -> Ending {
    match reason {
        None | Some("" | "stop") => Ending::Finish(Finish::Stop),
        Some("length") => Ending::Finish(Finish::Length),
        Some(_) => Ending::Unknown,
    }
}

/// A prompt that was cached whole may have no count.
fn usage(line: &Line<'_>) -> Option<Usage> {
    line.eval_count.map(|output_tokens| Usage {
        input_tokens: line.prompt_eval_count.unwrap_or(0),
        output_tokens,
        cached_tokens: 0,
        reasoning_tokens: 0,
        source: UsageSource::Provider,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_field_by_field() {
        let line = r#"{"model":"m","created_at":"x","message":{"role":"assistant","content":"hi","thinking":"hm"},"done":false}"#;
        let chunk = parse(line.as_bytes()).unwrap();

        assert_eq!((chunk.text.as_deref(), chunk.reasoning.as_deref()), (Some("hi"), Some("hm")));
        assert_eq!((chunk.ending, chunk.usage, chunk.error), (None, None, None));
    }

    #[test]
    fn the_last_line_has_the_end_and_the_usage() {
        let cases = [
            (r#","done_reason":"stop""#, Ending::Finish(Finish::Stop)),
            (r#","done_reason":"length""#, Ending::Finish(Finish::Length)),
            (r#","done_reason":"unload""#, Ending::Unknown),
            ("", Ending::Finish(Finish::Stop)),
        ];
        for (reason, ending) in cases {
            let line = format!(
                r#"{{"message":{{"role":"assistant","content":""}},"done":true{reason},"prompt_eval_count":26,"eval_count":298}}"#
            );
            let chunk = parse(line.as_bytes()).unwrap();
            let usage = chunk.usage.map(|usage| (usage.input_tokens, usage.output_tokens));
            assert_eq!((chunk.ending, usage, chunk.text), (Some(ending), Some((26, 298)), None));
        }
    }

    #[test]
    fn errors_and_tool_calls_are_found() {
        let chunk = parse(br#"{"error":"model runner has crashed"}"#).unwrap();
        assert_eq!(chunk.error.unwrap().message, "model runner has crashed");
        let line = r#"{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"a","arguments":{}}},{"function":{"index":7,"name":"b"}}]},"done":false}"#;
        let chunk = parse(line.as_bytes()).unwrap();
        let indexes: Vec<_> = chunk.tools.iter().filter_map(|tool| tool.index).collect();
        assert_eq!(indexes, [0, 7]);
        assert!(chunk.tool_bytes > 0);
    }

    #[test]
    fn what_is_no_line_of_an_answer_is_refused() {
        for line in ["", "ping", "[1]", r#"{"message":5}"#, r#"{"done":"yes"}"#] {
            assert!(parse(line.as_bytes()).is_err(), "of {line}");
        }
        assert_eq!(parse(b"{}").unwrap(), Chunk::default());
    }
}
