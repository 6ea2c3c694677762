//! One call: begun with a ticket, read up to its first content, then an answer like any other.

use super::LlmHandle;
use crate::{
    keypool::Ticket,
    port::{Delta, DeltaStream, ProviderError, Reply, Request},
};
use futures_util::{Stream, StreamExt as _};
use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::Instant;

/// An answer on its way, with the place that it takes. Dropped before its end: the provider's call
/// is closed, or read to its end by others where it is billed all the same.
pub(crate) struct Call {
    parts: Option<Parts>,
    /// What came before the first content, and that: usage at most.
    held: VecDeque<Delta>,
    llm: LlmHandle,
}

/// A stream and its place.
pub(crate) struct Parts {
    pub(crate) stream: DeltaStream,
    pub(crate) ticket: Ticket,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.parts.as_ref().map(|parts| &parts.ticket)).finish()
    }
}

impl Call {
    /// Calls the provider and waits for the first content, or for an end without any.
    ///
    /// # Errors
    /// The provider's failure, before any content: the call may be made once more.
    pub(super) async fn begin(
        llm: LlmHandle,
        mut ticket: Ticket,
        request: Request,
    ) -> Result<Self, ProviderError> {
        let begun = Instant::now();
        let request = Request { model: Some(ticket.model().to_owned()), ..request };
        let Reply { limits, answer } = ticket.provider.call(ticket.key(), request).await;
        ticket.told(limits);
        let stream = match answer {
            Ok(stream) => stream,
            Err(error) => {
                ticket.failed(&error);
                return Err(error);
            }
        };
        let mut call = Self { parts: Some(Parts { stream, ticket }), held: VecDeque::new(), llm };
        call.first_content(begun).await?;
        Ok(call)
    }

    async fn first_content(&mut self, begun: Instant) -> Result<(), ProviderError> {
        while let Some(parts) = &mut self.parts {
            let Some(next) = parts.stream.next().await else {
                self.parts = None;
                break;
            };
            let delta = next.inspect_err(|error| parts.ticket.failed(error));
            let delta = match delta {
                Ok(delta) => delta,
                Err(error) => {
                    self.parts = None;
                    return Err(error);
                }
            };
            let is_first = match &delta {
                Delta::Text(text) | Delta::Reasoning(text) => !text.is_empty(),
                Delta::Finish(_) => true,
                Delta::Usage(_) => {
                    self.held.clear(); // the last one wins
                    false
                }
            };
            self.held.push_back(delta);
            if is_first {
                parts.ticket.answered(begun.elapsed());
                break;
            }
        }
        Ok(())
    }
}

impl Stream for Call {
    type Item = Result<Delta, ProviderError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(delta) = self.held.pop_front() {
            return Poll::Ready(Some(Ok(delta)));
        }
        let Some(parts) = &mut self.parts else { return Poll::Ready(None) };
        let polled = parts.stream.poll_next_unpin(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            parts.ticket.failed(error);
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.parts = None;
        }
        polled
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take()
            && parts.ticket.provider.terms().drains
        {
            self.llm.drain(parts);
        }
    }
}
