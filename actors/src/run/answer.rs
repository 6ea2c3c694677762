//! Reading an answer: provider to outbox, with the orders and batches that go on meanwhile.

use super::{
    bill::Bill,
    caller::{Called, Caller},
    drive::Stop,
    handle::Orders,
    mouth::Mouth,
    output::Output,
    usage,
};
use crate::{
    keypool::Ticket,
    node::Node,
    port::{Delta, DeltaStream, Finish, ProviderError, Request},
};
use futures_util::{Stream, StreamExt};
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Usage, UsageSource},
};
use std::{
    ops::ControlFlow,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    task::yield_now,
    time::{Instant, Sleep, sleep_until},
};

/// Longest time in which an answer may end its file, once something was said to its run.
const STEER_WAIT: Duration = Duration::from_secs(15);

/// An answer under way.
pub(super) struct Answer<'a> {
    node: &'a Node,
    orders: &'a Orders,
    /// By when it ends for what was said meanwhile, in the middle of a file if need be.
    steered: Option<Instant>,
    output: Output,
    events: Vec<Event>,
    input_tokens: u64,
    output_bytes: usize,
    reported: Option<Usage>,
    finish: Option<Finish>,
    first: First,
}

/// The first content, whose way to the log is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    Awaited,
    Came(Instant),
    Measured,
}

/// An answer that was read to its end.
pub(super) struct Answered {
    pub(super) output: Output,
    pub(super) finish: Option<Finish>,
    pub(super) usage: Option<Usage>,
    pub(super) failure: Option<Stop>,
    /// It was cut off for what was said to the run meanwhile.
    pub(super) steered: bool,
}

/// What the wait brought.
enum Turn {
    Delta(Option<Result<Delta, ProviderError>>),
    Taken(Instant),
    Paid,
    Due,
    Heard,
    End,
}

impl<'a> Answer<'a> {
    pub(super) const fn new(
        node: &'a Node,
        orders: &'a Orders,
        output: Output,
        input_tokens: u64,
    ) -> Self {
        Self {
            node,
            orders,
            steered: None,
            output,
            events: Vec::new(),
            input_tokens,
            output_bytes: 0,
            reported: None,
            finish: None,
            first: First::Awaited,
        }
    }

    /// Calls the provider and reads its answer. The call closes when this returns.
    pub(super) async fn read(
        mut self,
        (caller, ticket): (&mut Caller<'_>, Ticket),
        request: Request,
        (mouth, bill): (&mut Mouth, &mut Bill),
    ) -> Result<Answered, Stop> {
        let call = match caller.call(ticket, request, mouth).await? {
            Called::Answer(call) => call,
            Called::Failed(error) => return Ok(self.failed(error)),
            Called::Asked => return Ok(self.ended(None)),
        };
        let failure = self.deltas(Box::pin(call), mouth, bill).await?;
        Ok(self.ended(failure))
    }

    /// Reads to the end of the stream, of patience, or of a limit.
    async fn deltas(
        &mut self,
        mut stream: DeltaStream,
        mouth: &mut Mouth,
        bill: &mut Bill,
    ) -> Result<Option<Stop>, Stop> {
        let mut timer = Timer::new(self.node.started);
        // Registered once: a delta would have it leave its waiter's list and join it again.
        let orders = self.orders;
        let (mut asked, mut heard) = (pin!(orders.asked()), pin!(orders.heard()));
        loop {
            let pause = mouth.outbox.pause(Instant::now());
            let is_read = pause.is_none();
            let due = mouth.outbox.due();
            let wake = due.into_iter().chain(pause).chain(self.steered).min();
            let may_read = is_read && mouth.outbox.has_room();
            // Each arm is cancel-safe; what it brings is handled below.
            let turn = tokio::select! {
                biased;
                () = &mut asked => Turn::End,
                () = &mut heard, if self.steered.is_none() => Turn::Heard,
                taken = mouth.taken(), if is_read => Turn::Taken(taken?),
                () = bill.answered() => Turn::Paid,
                () = timer.at(wake), if wake.is_some() => Turn::Due,
                delta = stream.next(), if may_read => Turn::Delta(delta),
            };
            match turn {
                Turn::End => return Ok(None),
                Turn::Heard => {
                    self.steered = Some(Instant::now() + STEER_WAIT);
                    if !self.output.is_within_file() {
                        return Ok(None);
                    }
                }
                Turn::Taken(at) => self.observe_first(at),
                Turn::Paid => {}
                Turn::Due => {
                    if self.steered.is_some_and(|until| until <= Instant::now()) {
                        return Ok(None);
                    }
                    if due.is_some_and(|due| due <= Instant::now()) {
                        if let ControlFlow::Break(end) = self.rest(&mut stream, mouth, bill).await {
                            return Ok(end);
                        }
                        mouth.send(Instant::now());
                    }
                }
                Turn::Delta(delta) => {
                    if let ControlFlow::Break(end) = self.take(delta, mouth, bill) {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// Takes the rest of what has arrived. The connection's task hands over one piece a turn, so it
    /// has one after each: on a busy machine a provider would else be read more slowly than it
    /// speaks.
    async fn rest(
        &mut self,
        stream: &mut DeltaStream,
        mouth: &mut Mouth,
        bill: &mut Bill,
    ) -> ControlFlow<Option<Stop>> {
        while mouth.outbox.has_room() {
            yield_now().await;
            match poll_unwoken(stream) {
                Poll::Ready(delta) => self.take(delta, mouth, bill)?,
                Poll::Pending => break,
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes what the stream brought; breaks at its end, with why, unless that is its own.
    fn take(
        &mut self,
        delta: Option<Result<Delta, ProviderError>>,
        mouth: &mut Mouth,
        bill: &mut Bill,
    ) -> ControlFlow<Option<Stop>> {
        let over = match delta {
            None => return ControlFlow::Break(None),
            Some(Err(error)) => return ControlFlow::Break(Some(Stop::failed(error.body()))),
            Some(Ok(delta)) => self.delta(delta),
        };
        let at_file_end = self.events.iter().any(|e| matches!(e, Event::FileEnd { .. }));
        self.events.drain(..).for_each(|event| mouth.outbox.push(event));
        let tokens = (self.input_tokens, usage::estimate([self.output_bytes]));
        bill.watch(tokens.0, tokens.1);
        let is_steered = at_file_end && self.steered.is_some();
        if over.is_none() && (is_steered || bill.must_stop(at_file_end, tokens)) {
            return ControlFlow::Break(None);
        }
        over.map_or(ControlFlow::Continue(()), |stop| ControlFlow::Break(Some(stop)))
    }

    /// Takes a delta; answers why the answer is over, if it is.
    fn delta(&mut self, delta: Delta) -> Option<Stop> {
        let result = match &delta {
            Delta::Text(text) => {
                self.output_bytes += text.len();
                self.output.text(text, &mut self.events)
            }
            Delta::Reasoning(text) => {
                self.output_bytes += text.len();
                self.output.reasoning(text, &mut self.events)
            }
            Delta::Usage(usage) => {
                self.reported = Some(*usage);
                Ok(())
            }
            Delta::Finish(finish) => {
                self.finish = Some(*finish);
                Ok(())
            }
        };
        if self.first == First::Awaited && self.output_bytes > 0 {
            self.first = First::Came(Instant::now());
        }
        result.err().map(|error| Stop::failed(error.body()))
    }

    fn observe_first(&mut self, durable: Instant) {
        if let First::Came(at) = self.first {
            let took = durable.saturating_duration_since(at);
            self.node.meter.first_delta_seconds.observe(took.as_secs_f64());
            self.first = First::Measured;
        }
    }

    fn failed(self, error: ErrorBody) -> Answered {
        let failure = Some(Stop::failed(error));
        Answered { output: self.output, finish: None, usage: None, failure, steered: false }
    }

    /// The answer so far, with what it used: as reported, else as estimated.
    fn ended(self, failure: Option<Stop>) -> Answered {
        let asked =
            self.orders.ending().map(|ending| Stop::End(Box::new((ending.outcome(), None))));
        let estimated = Usage {
            input_tokens: self.input_tokens,
            output_tokens: usage::estimate([self.output_bytes]),
            cached_tokens: 0,
            reasoning_tokens: 0,
            source: UsageSource::Estimate,
        };
        let is_whole = self.finish.is_some();
        let usage = self.reported.map_or(estimated, |reported| Usage {
            source: if is_whole { reported.source } else { UsageSource::ProviderPartial },
            ..reported
        });
        let failure = asked.filter(|_| !is_whole).or(failure);
        let steered = self.steered.is_some() && !is_whole && failure.is_none();
        Answered { output: self.output, finish: self.finish, usage: Some(usage), failure, steered }
    }
}

/// Polls a stream so that what comes later wakes nobody: until it is polled again with a waker,
/// the task sleeps through.
fn poll_unwoken<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    stream.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// One timer for all windows of an answer; set anew only when the time changes.
struct Timer(Pin<Box<Sleep>>);

impl Timer {
    fn new(at: Instant) -> Self {
        Self(Box::pin(sleep_until(at)))
    }

    /// Resolves at the time. Cancel-safe.
    async fn at(&mut self, due: Option<Instant>) {
        let Some(due) = due else { return std::future::pending().await };
        if self.0.deadline() != due {
            self.0.as_mut().reset(due);
        }
        self.0.as_mut().await;
    }
}
