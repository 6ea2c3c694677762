//! The body of an answer as a stream of deltas, under the limits of a [`Patience`].

use super::{
    answer::{Answer, Phase},
    failure::Fault,
    meter::Meter,
    pace::{LeastRate, Pace, TooSlow},
    patience::{Exceeded, Patience},
    request::Api,
    secret::Redactor,
};
use crate::telemetry::span;
use bytes::Bytes;
use futures_util::Stream;
use greenroom_actors::port::{Delta, ProviderError, ProviderErrorKind as Kind};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long usage and errors may let wait after the model stopped.
const TAIL_MAX: Duration = Duration::from_secs(5);
/// How long the end of the body may let wait after the end mark: it is under way, and a connection
/// that is read to the end serves the next call.
const DRAIN_MAX: Duration = Duration::from_millis(50);

/// Limits of an answer that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// From the call to the first content.
    pub(super) first_content: Duration,
    /// What the wait for the headers took of it.
    pub(super) spent: Duration,
    /// From content to content.
    pub(super) stall: Duration,
    /// From byte to byte.
    pub(super) idle: Duration,
    /// How fast it must come once it has begun.
    pub(super) least: LeastRate,
}

/// Whose answer it is: how to read it, and whom to name.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) provider: String,
    pub(super) redactor: Redactor,
    pub(super) api: Api,
    pub(super) meter: Meter,
}

/// An answer on its way. Dropping it drops the body, which closes the connection.
pub(super) struct AnswerStream<B> {
    /// None: all was read.
    body: Option<B>,
    answer: Answer,
    /// What the last read brought and nobody has taken yet.
    deltas: VecDeque<Delta>,
    error: Option<ProviderError>,
    patience: Patience,
    pace: Pace,
    /// Fires at the end of the wait or before: moved only where it would fire too late.
    alarm: Pin<Box<Sleep>>,
    stall: Duration,
    source: Arc<Source>,
}

impl<B> AnswerStream<B>
where
    B: Stream<Item = Result<Bytes, String>> + Unpin,
{
    /// Reads `body`, whose errors are texts for a person.
    pub(super) fn new(body: B, limits: Limits, source: Arc<Source>) -> Self {
        let Limits { first_content, spent, stall, idle, least } = limits;
        Self {
            body: Some(body),
            answer: Answer::new(source.api),
            deltas: VecDeque::new(),
            error: None,
            patience: Patience::new(first_content, spent, idle),
            pace: Pace::new(least, stall),
            alarm: Box::pin(sleep_until(Instant::now() + first_content.min(idle))),
            stall,
            source,
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let waited = self.patience.heard(Instant::now);
        let before = self.answer.phase();
        let fed = self.answer.feed(bytes, &mut self.deltas);
        if before == Phase::Opening
            && let Some(model) = self.answer.model()
        {
            span::answered_by(model);
        }
        match fed {
            Err(fault) => self.fail(fault),
            Ok(chars) => match self.answer.phase() {
                Phase::Tail if before != Phase::Tail => self.patience.renew(TAIL_MAX),
                Phase::Done if before != Phase::Done => self.patience.renew(DRAIN_MAX),
                Phase::Content => {
                    if chars > 0 {
                        self.patience.renew(self.stall);
                    }
                    let waited = if before == Phase::Content { waited } else { Duration::ZERO };
                    if let Err(slow) = self.pace.came(chars, waited) {
                        self.end(dripped(slow));
                    }
                }
                Phase::Opening | Phase::Tail | Phase::Done => {}
            },
        }
    }

    /// No more will be read; that is a failure unless the model had stopped.
    fn end(&mut self, cause: Fault) {
        self.body = None;
        if let Err(fault) = self.answer.end(cause, &mut self.deltas) {
            self.fail(fault);
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.body = None;
        self.error = Some(fault.into_error(&self.source.provider, &self.source.redactor));
    }

    /// Whether the wait exceeded its limit; if not, this task wakes when it may have.
    fn poll_exceeded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.patience.wait(Instant::now);
        if self.alarm.deadline() > deadline {
            self.alarm.as_mut().reset(deadline);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn late(&self) -> Fault {
        let message = match (self.patience.exceeded(), self.answer.phase()) {
            (Exceeded::Content(limit), Phase::Opening) => {
                format!("sent no content within {limit:?}")
            }
            (Exceeded::Content(limit), _) => format!("stopped in mid-answer for {limit:?}"),
            (Exceeded::Idle(limit), _) => format!("sent nothing at all for {limit:?}"),
        };
        Fault::new(Kind::Stalled, message)
    }
}

/// However the answer ended, also where nobody wanted the rest of it.
impl<B> Drop for AnswerStream<B> {
    fn drop(&mut self) {
        let Self { answer, source, .. } = self;
        let (tool_calls, is_unknown) = (answer.tool_calls(), answer.has_unknown_reason());
        if tool_calls > 0 {
            let provider = &source.provider;
            tracing::debug!(provider, tool_calls, "the model called tools that nobody offered");
        }
        source.meter.answered(&source.provider, tool_calls, is_unknown);
    }
}

fn dripped(TooSlow { chars, waited }: TooSlow) -> Fault {
    let message = format!(
        "wrote {chars} characters in {:.1} s, less than the least rate; \
         lower timeouts.chars_per_sec_min if it is that slow",
        waited.as_secs_f64()
    );
    Fault::new(Kind::Stalled, message)
}

impl<B> Stream for AnswerStream<B>
where
    B: Stream<Item = Result<Bytes, String>> + Unpin,
{
    type Item = Result<Delta, ProviderError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(delta) = this.deltas.pop_front() {
                return Poll::Ready(Some(Ok(delta)));
            }
            if let Some(error) = this.error.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => this.read(&bytes),
                Poll::Ready(Some(Err(cause))) => {
                    let message = format!("the connection broke in mid-answer: {cause}");
                    this.end(Fault::new(Kind::Broken, message));
                }
                Poll::Ready(None) => {
                    let message = "ended the connection in mid-answer";
                    this.end(Fault::new(Kind::Broken, message));
                }
                Poll::Pending => match this.poll_exceeded(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => this.end(this.late()),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
