//! One chunk of an OpenAI-compatible answer, in the spellings that providers use.
//!
//! | what | spellings |
//! |---|---|
//! | text | `delta.content` as text or as parts, `delta.refusal` |
//! | reasoning | `reasoning_content`, `reasoning`, `reasoning_details`, parts of type `thinking` |
//! | usage | `usage`, `x_groq.usage` |
//! | errors | `error` as an object or a text, beside `choices` or alone |
//!
//! `<think>` tags inside of the text are [`super::think`]'s affair.

use super::{failure::Reported, tools::ToolDelta};
use greenroom_actors::port::Finish;
use greenroom_protocol::event::{Usage, UsageSource};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What one chunk says. Empty texts are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Text of the answer.
    pub(super) text: Option<String>,
    /// Reasoning before the answer.
    pub(super) reasoning: Option<String>,
    /// Fragments of tool calls, which the engine does not ask for.
    pub(super) tools: Vec<ToolDelta>,
    /// How long they are, as JSON.
    pub(super) tool_bytes: usize,
    /// The model stopped.
    pub(super) ending: Option<Ending>,
    /// What the call used so far, [`UsageSource::Provider`].
    pub(super) usage: Option<Usage>,
    /// The provider failed in the middle of the answer.
    pub(super) error: Option<Reported>,
}

/// How a `finish_reason` ends an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The model stopped.
    Finish(Finish),
    /// The model stopped for a reason that is not known: providers invent names.
    Unknown,
    /// The provider gave up.
    Failed,
}

#[derive(Deserialize)]
struct RawChunk<'a> {
    #[serde(borrow)]
    choices: Option<Vec<RawChoice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    x_groq: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawChoice<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    delta: Option<RawDelta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawDelta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawTool {
    index: Option<u64>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct XGroq {
    usage: Option<RawUsage>,
}

#[derive(Deserialize)]
struct RawUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_cache_hit_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

/// The model that a chunk names, in either API; none: it names none, or is no chunk.
pub(super) fn model(data: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        model: String,
    }
    let named: Named = serde_json::from_slice(data).ok()?;
    Some(named.model).filter(|model| !model.is_empty())
}

impl Chunk {
    /// Reads one chunk. Bytes that are no UTF-8 become U+FFFD, as the standard for streams says.
    ///
    /// # Errors
    /// It is no JSON object, or `choices` has another shape.
    pub(super) fn parse(data: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&String::from_utf8_lossy(data)).map(Self::from_raw)
    }

    fn from_raw(raw: RawChunk<'_>) -> Self {
        let mut chunk = Self {
            usage: usage(raw.usage, raw.x_groq),
            error: raw.error.and_then(|error| Reported::parse(error.get().as_bytes())),
            ..Self::default()
        };
        // One choice is asked for; of several, the first is the answer.
        for choice in raw.choices.into_iter().flatten() {
            let number = choice.index.unwrap_or(0);
            if let Some(delta) = &choice.delta {
                chunk.add_tools(number, delta);
            }
            if number == 0 {
                chunk.add(choice);
            }
        }
        chunk
    }

    /// How many characters of content it brings: text, reasoning, tool calls.
    pub(super) fn chars(&self) -> usize {
        let texts = self.text.iter().chain(&self.reasoning);
        texts.map(|text| text.chars().count()).sum::<usize>() + self.tool_bytes
    }

    fn add_tools(&mut self, choice: u64, delta: &RawDelta<'_>) {
        let calls = delta.tool_calls.filter(|calls| calls.get().starts_with('['));
        if let Some(calls) = calls {
            let known: Vec<RawTool> = serde_json::from_str(calls.get()).unwrap_or_default();
            self.tool_bytes += if known.is_empty() { 0 } else { calls.get().len() };
            let place = |RawTool { index, id }| {
                // Some servers repeat the field in each fragment and leave it empty.
                ToolDelta { choice, index, id: id.filter(|id| !id.is_empty()) }
            };
            self.tools.extend(known.into_iter().map(place));
        }
        // The older form, of one call.
        if let Some(call) = delta.function_call.filter(|call| call.get().starts_with('{')) {
            self.tool_bytes += call.get().len();
            self.tools.push(ToolDelta { choice, ..ToolDelta::default() });
        }
    }

    fn add(&mut self, choice: RawChoice<'_>) {
        self.ending = self.ending.or_else(|| choice.finish_reason.and_then(ending));
        let Some(delta) = choice.delta else { return };
        append(&mut self.reasoning, first_text([delta.reasoning_content, delta.reasoning]));
        if self.reasoning.is_none() {
            append(&mut self.reasoning, delta.reasoning_details.and_then(details));
        }
        match delta.content {
            Some(content) if content.get().starts_with('[') => self.add_parts(content),
            content => append(&mut self.text, first_text([content, delta.refusal])),
        }
    }

    fn add_parts(&mut self, content: &RawValue) {
        for part in serde_json::from_str::<Vec<Value>>(content.get()).unwrap_or_default() {
            match part.get("thinking") {
                Some(Value::Array(thoughts)) => {
                    for thought in thoughts {
                        append(&mut self.reasoning, text_of(thought, "text"));
                    }
                }
                Some(_) => append(&mut self.reasoning, text_of(&part, "thinking")),
                None => append(&mut self.text, text_of(&part, "text")),
            }
        }
    }
}

/// The first value that is a text and not empty.
fn first_text<const N: usize>(values: [Option<&RawValue>; N]) -> Option<String> {
    values
        .into_iter()
        .flatten()
        .filter(|value| value.get().starts_with('"') && value.get() != "\"\"")
        .find_map(|value| string(value.get()))
}

/// The text of a JSON string, which mostly is what stands between its quotes.
fn string(json: &str) -> Option<String> {
    let plain = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match plain.filter(|plain| !plain.contains('\\')) {
        Some(plain) => Some(plain.to_owned()),
        None => serde_json::from_str(json).ok(),
    }
}

fn details(raw: &RawValue) -> Option<String> {
    let parts: Vec<Value> = serde_json::from_str(raw.get()).ok()?;
    let texts =
        parts.iter().filter_map(|part| text_of(part, "text").or_else(|| text_of(part, "summary")));
    Some(texts.collect())
}

fn text_of(part: &Value, field: &str) -> Option<String> {
    part.get(field).and_then(Value::as_str).map(str::to_owned)
}

fn append(to: &mut Option<String>, text: Option<String>) {
    match (to.as_mut(), text) {
        (_, None) => {}
        (_, Some(text)) if text.is_empty() => {}
        (Some(to), Some(text)) => to.push_str(&text),
        (None, text) => *to = text,
    }
}

fn ending(raw: &RawValue) -> Option<Ending> {
    Some(match raw.get().trim_matches('"') {
        "" | "null" => return None,
        "stop" | "eos" | "end_turn" | "tool_calls" | "function_call" => {
            Ending::Finish(Finish::Stop)
        }
        "length" | "max_tokens" => Ending::Finish(Finish::Length),
        "content_filter" => Ending::Finish(Finish::ContentFilter),
        "error" | "abort" | "insufficient_system_resource" => Ending::Failed,
        _ => Ending::Unknown,
    })
}

/// Usage in a shape that is unknown counts as none: the run then estimates.
fn usage(usage: Option<&RawValue>, x_groq: Option<&RawValue>) -> Option<Usage> {
    let own = usage.and_then(|raw| serde_json::from_str::<RawUsage>(raw.get()).ok());
    own.and_then(RawUsage::total).or_else(|| {
        serde_json::from_str::<XGroq>(x_groq?.get()).ok()?.usage.and_then(RawUsage::total)
    })
}

impl RawUsage {
    fn total(self) -> Option<Usage> {
        let (input, mut output) = match (self.prompt_tokens, self.completion_tokens) {
            (None, None) => return None,
            (input, output) => (input.unwrap_or(0), output.unwrap_or(0)),
        };
        // xAI counts reasoning in the total only.
        let total = self.total_tokens.unwrap_or(0);
        if total > input.saturating_add(output) {
            output = total - input;
        }
        let cached = self.prompt_tokens_details.and_then(|details| details.cached_tokens);
        let reasoning = self.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        Some(Usage {
            input_tokens: input,
            output_tokens: output,
            cached_tokens: cached.or(self.prompt_cache_hit_tokens).unwrap_or(0),
            reasoning_tokens: reasoning.unwrap_or(0),
            source: UsageSource::Provider,
        })
    }
}

#[cfg(test)]
mod tests;
