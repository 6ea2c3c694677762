//! An answer under way: bytes to deltas, in either framing. Pure; [`super::stream`] adds the network and the clock.
//!
//! The end of an answer is held back until the provider's end mark, the end of the connection or a
//! time limit: only then is it sure that no error follows, and all usage is known. So
//! [`Delta::Finish`] is the last delta, the final [`Delta::Usage`] stands right before it, and an
//! answer that fails has no `Finish`. Usage that comes before the model stops is passed on at once
//! as [`UsageSource::ProviderPartial`], for the case that the answer breaks off.

use super::{
    chunk::{self, Chunk, Ending},
    failure::{Fault, Reported},
    ndjson, ollama,
    request::Api,
    sse::{self, Event, TooLong},
    think::{Split, Think},
    tools::ToolCalls,
};
use greenroom_actors::port::{Delta, Finish, ProviderErrorKind as Kind};
use greenroom_protocol::event::{Usage, UsageSource};
use std::collections::VecDeque;

/// Where an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No content yet.
    Opening,
    /// Content comes.
    Content,
    /// The model stopped; usage or an error may follow.
    Tail,
    /// The provider's end mark came: all deltas are out.
    Done,
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    framing: Framing,
    state: State,
}

/// How an answer is cut into messages.
#[derive(Debug)]
enum Framing {
    Events(sse::Parser),
    Lines(ndjson::Parser),
}

#[derive(Debug)]
struct State {
    api: Api,
    phase: Phase,
    think: Think,
    finish: Option<Finish>,
    has_unknown_reason: bool,
    usage: Option<Usage>,
    /// The model that answers, as the provider names it.
    model: Option<String>,
    tools: ToolCalls,
    /// Characters of content in the bytes under way.
    chars: usize,
    fault: Option<Fault>,
}

impl Framing {
    fn feed(&mut self, bytes: &[u8], mut on: impl FnMut(&[u8], &[u8])) -> Result<(), TooLong> {
        match self {
            Self::Lines(lines) => lines.feed(bytes, |line| on(b"", line)),
            Self::Events(events) => events.feed(bytes, |event| match event {
                Event::Comment => {}
                Event::Message { name, data } => on(name, data),
            }),
        }
    }
}

impl Answer {
    /// An answer of this API that begins.
    pub(super) fn new(api: Api) -> Self {
        let framing = match api {
            Api::OpenAi => Framing::Events(sse::Parser::default()),
            Api::Ollama => Framing::Lines(ndjson::Parser::default()),
        };
        let state = State {
            api,
            phase: Phase::Opening,
            think: Think::default(),
            finish: None,
            has_unknown_reason: false,
            usage: None,
            model: None,
            tools: ToolCalls::default(),
            chars: 0,
            fault: None,
        };
        Self { framing, state }
    }

    /// Where the answer is.
    pub(super) fn phase(&self) -> Phase {
        self.state.phase
    }

    /// The model that answers, as the provider names it with its first content or before.
    pub(super) fn model(&self) -> Option<&str> {
        self.state.model.as_deref()
    }

    /// Tool calls so far; they make no deltas.
    pub(super) fn tool_calls(&self) -> u64 {
        self.state.tools.count()
    }

    /// Whether the model stopped for a reason that is not known.
    pub(super) fn has_unknown_reason(&self) -> bool {
        self.state.has_unknown_reason
    }

    /// Takes what one read brought, appends its deltas to `out` and tells how many characters of
    /// content it was: text, reasoning or parts of tool calls.
    ///
    /// # Errors
    /// The failure that ends the answer; the deltas before it are in `out`.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut VecDeque<Delta>) -> Result<usize, Fault> {
        let state = &mut self.state;
        state.chars = 0;
        let parsed = self.framing.feed(bytes, |name, data| state.message(name, data, out));
        match state.fault.take() {
            Some(fault) => return Err(state.give_up(fault, out)),
            None if parsed.is_ok() => {}
            None if state.finish.is_some() => state.close(out),
            None => {
                let fault =
                    Fault::new(Kind::Broken, "sent a line that is too long to be an answer");
                return Err(state.give_up(fault, out));
            }
        }
        Ok(self.state.chars)
    }

    /// Ends the answer: the connection ended, broke, or nothing came any more.
    ///
    /// # Errors
    /// The model had not stopped; `cause` says why no more came.
    pub(super) fn end(&mut self, cause: Fault, out: &mut VecDeque<Delta>) -> Result<(), Fault> {
        if self.state.phase == Phase::Done {
            return Ok(());
        }
        if self.state.finish.is_none() {
            return Err(self.state.give_up(cause, out));
        }
        self.state.close(out);
        Ok(())
    }
}

impl State {
    fn message(&mut self, name: &[u8], data: &[u8], out: &mut VecDeque<Delta>) {
        let data = data.trim_ascii();
        if self.phase == Phase::Done || self.fault.is_some() || data.is_empty() {
            return;
        }
        if data == b"[DONE]" {
            return self.done(out);
        }
        if name == b"error" {
            let reported = Reported::parse(data).unwrap_or_else(|| Reported {
                message: String::from_utf8_lossy(data).into_owned(),
                ..Reported::default()
            });
            self.fault = Some(reported.into_fault());
            return;
        }
        if self.phase == Phase::Opening && self.model.is_none() {
            self.model = chunk::model(data);
        }
        let chunk = match self.api {
            Api::OpenAi => Chunk::parse(data),
            Api::Ollama => ollama::parse(data),
        };
        match chunk {
            Ok(chunk) => self.chunk(chunk, out),
            // A ping of its own kind, or noise behind a complete answer.
            Err(_) if !matches!(name, b"" | b"message") || self.finish.is_some() => {}
            Err(error) => {
                let message = format!("sent something that is no chunk of an answer: {error}");
                self.fault = Some(Fault::new(Kind::Broken, message));
            }
        }
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut VecDeque<Delta>) {
        self.chars += chunk.chars();
        let Chunk { text, reasoning, tools, tool_bytes: _, ending, usage, error } = chunk;
        tools.into_iter().for_each(|tool| self.tools.take(tool));
        if let Some(reasoning) = reasoning {
            push(self.think.give_up(), out);
            out.push_back(Delta::Reasoning(reasoning));
        }
        if let Some(text) = text {
            push(self.think.take(text), out);
        }
        if self.chars > 0 && self.phase == Phase::Opening {
            self.phase = Phase::Content;
        }
        match ending {
            Some(Ending::Unknown) => {
                self.has_unknown_reason = true;
                self.finish.get_or_insert(Finish::Stop);
                self.phase = Phase::Tail;
            }
            Some(Ending::Finish(finish)) => {
                self.finish.get_or_insert(finish);
                self.phase = Phase::Tail;
            }
            Some(Ending::Failed) => {
                self.fault = Some(Reported::default().into_fault());
            }
            None => {}
        }
        if let Some(usage) = usage {
            self.used(usage, out);
        }
        if let Some(error) = error {
            self.fault = Some(error.into_fault());
        }
    }

    /// Counters grow, so that the last report is the one that holds.
    fn used(&mut self, usage: Usage, out: &mut VecDeque<Delta>) {
        let is_new = self.usage != Some(usage);
        self.usage = Some(usage);
        if is_new && self.finish.is_none() {
            let source = UsageSource::ProviderPartial;
            out.push_back(Delta::Usage(Usage { source, ..usage }));
        }
    }

    /// The provider's end mark. Some never name a reason; an answer without a word is broken.
    fn done(&mut self, out: &mut VecDeque<Delta>) {
        if self.finish.is_none() && self.phase == Phase::Opening {
            self.fault = Some(Fault::new(Kind::Broken, "ended the answer before its first word"));
            return;
        }
        self.finish.get_or_insert(Finish::Stop);
        self.close(out);
    }

    fn close(&mut self, out: &mut VecDeque<Delta>) {
        self.phase = Phase::Done;
        push(self.think.give_up(), out);
        out.extend(self.usage.take().map(Delta::Usage));
        out.extend(self.finish.map(Delta::Finish));
    }

    /// Usage that was held back for the end goes out with the failure.
    fn give_up(&mut self, fault: Fault, out: &mut VecDeque<Delta>) -> Fault {
        self.phase = Phase::Done;
        push(self.think.give_up(), out);
        if let (Some(usage), Some(_)) = (self.usage.take(), self.finish) {
            let source = UsageSource::ProviderPartial;
            out.push_back(Delta::Usage(Usage { source, ..usage }));
        }
        fault
    }
}

fn push(Split { reasoning, text }: Split, out: &mut VecDeque<Delta>) {
    out.extend(reasoning.map(Delta::Reasoning));
    out.extend(text.map(Delta::Text));
}

#[cfg(test)]
mod tests;
