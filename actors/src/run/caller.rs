//! A run's calls for one answer: waits for a key with room, and tries again while nothing of the
//! answer was shown. The user learns of both.

use super::{drive::Stop, handle::Orders, mouth::Mouth};
use crate::{
    keypool::{Draw, Found, Ticket},
    llm::{Attempts, Call},
    node::Node,
    port::{ProviderError, Request},
};
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Notice},
    id::RunId,
};
use std::time::Duration;
use tokio::time::sleep;

/// Shortest wait that the user is told of.
const NOTICE_MIN: Duration = Duration::from_secs(1);

/// The calls for one answer.
pub(super) struct Caller<'a> {
    node: &'a Node,
    orders: &'a Orders,
    run: RunId,
    attempts: Attempts,
}

/// What came of calling.
pub(super) enum Called {
    /// An answer, with its first content.
    Answer(Call),
    /// None; the run ends with this.
    Failed(ErrorBody),
    /// The run was asked to end meanwhile.
    Asked,
}

impl<'a> Caller<'a> {
    /// # Errors
    /// There is no provider.
    pub(super) fn new(
        (node, orders): (&'a Node, &'a Orders),
        run: RunId,
        model: Option<&str>,
        tokens: u64,
    ) -> Result<Self, Stop> {
        let attempts = node.llm.attempts(model, tokens).map_err(Stop::failed)?;
        Ok(Self { node, orders, run, attempts })
    }

    /// A place for the next call; says so where that takes time. None: the run was asked to end.
    ///
    /// # Errors
    /// None can be had in time, or the session takes no more.
    pub(super) async fn ticket(&self, mouth: &mut Mouth) -> Result<Option<Ticket>, Stop> {
        let need = self.attempts.need().clone();
        let first = need.providers.first().copied().unwrap_or_default();
        let mut waiting = match self.node.llm.ask(need).await.map_err(Stop::failed)? {
            Found::Ticket(ticket) => return Ok(Some(ticket)),
            Found::Waiting(waiting) => waiting,
        };
        if waiting.eta >= NOTICE_MIN {
            let (provider, secs) = (self.node.llm.name(first), waiting.eta.as_secs_f64().ceil());
            let message = format!("waiting for {provider}, about {secs} s");
            self.notice(Notice::ProviderWait, message, mouth);
            mouth.drain().await?;
        }
        tokio::select! {
            ticket = waiting.ticket() => ticket.map(Some).map_err(Stop::failed),
            () = self.orders.asked() => Ok(None),
        }
    }

    /// Calls until there is an answer, or no further try would help.
    ///
    /// # Errors
    /// The session takes no more.
    pub(super) async fn call(
        &mut self,
        mut ticket: Ticket,
        request: Request,
        mouth: &mut Mouth,
    ) -> Result<Called, Stop> {
        loop {
            let (grant, provider) = (ticket.grant().clone(), ticket.provider.name().to_owned());
            let call = self.node.llm.call(ticket, request.clone());
            let error = tokio::select! {
                called = call => match called {
                    Ok(call) => return Ok(Called::Answer(call)),
                    Err(error) => error,
                },
                () = self.orders.asked() => return Ok(Called::Asked),
            };
            let pause = self.attempts.after(&grant, &error, &mut Draw::new(rand::random()));
            let Some(pause) = pause else { return Ok(Called::Failed(error.body())) };
            tracing::debug!(provider, kind = ?error.kind, ?pause, "a call is made once more");
            ticket = match self.again(&error, pause, mouth).await? {
                Ok(Some(ticket)) => ticket,
                Ok(None) => return Ok(Called::Asked),
                Err(failed) => return Ok(Called::Failed(failed)),
            };
            if ticket.provider.name() != provider {
                let message = format!("{provider} failed; {} answers", ticket.provider.name());
                self.notice(Notice::ProviderChanged, message, mouth);
            }
        }
    }

    /// A place for a further call; the outer error is the session's, the inner one what the run
    /// ends with: the failure, with the wait that is known by now.
    async fn again(
        &self,
        error: &ProviderError,
        pause: Duration,
        mouth: &mut Mouth,
    ) -> Result<Result<Option<Ticket>, ErrorBody>, Stop> {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.orders.asked() => return Ok(Ok(None)),
        }
        match self.ticket(mouth).await {
            Ok(ticket) => Ok(Ok(ticket)),
            Err(Stop::Stopped) => Err(Stop::Stopped),
            Err(Stop::End(end)) => {
                let known = end.1.and_then(|refusal| refusal.retry_after_ms);
                let retry_after_ms = error.retry_after_ms.max(known);
                Ok(Err(ProviderError { retry_after_ms, ..error.clone() }.body()))
            }
        }
    }

    fn notice(&self, notice: Notice, message: String, mouth: &mut Mouth) {
        let run = Some(self.run);
        mouth.outbox.push(Event::Notice {
            notice,
            by: None,
            cid: None,
            run,
            start_cid: None,
            message,
        });
    }
}
