//! A provider whose calls are counted and traced, however they end.

use super::meter::Meter;
use crate::telemetry::span;
use futures_util::Stream;
use greenroom_actors::port::{
    BoxFuture, Delta, DeltaStream, Finish, KeyCheck, KeyInfo, Provider, ProviderError,
    ProviderErrorKind, Reply, Request, Terms,
};
use greenroom_protocol::event::Usage;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tracing::{Instrument as _, Span};

/// What stands for the models that clients ask for by name: they may name anything.
const OTHER_MODEL: &str = "other";

/// A provider that is watched.
pub(crate) struct Watched {
    inner: Arc<dyn Provider>,
    meter: Meter,
}

impl Watched {
    /// Watches a provider.
    pub(crate) const fn new(inner: Arc<dyn Provider>, meter: Meter) -> Self {
        Self { inner, meter }
    }

    fn begin(&self, request: &Request) -> Call {
        let default = self.inner.default_model();
        let model = request.model.as_deref().unwrap_or(default);
        Call {
            span: span::call(self.inner.name(), model),
            meter: self.meter.clone(),
            provider: self.inner.name().to_owned(),
            model: if model == default { model } else { OTHER_MODEL }.to_owned(),
            usage: None,
            outcome: CANCELLED,
        }
    }
}

impl Provider for Watched {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn default_model(&self) -> &str {
        self.inner.default_model()
    }

    fn is_stand_in(&self) -> bool {
        self.inner.is_stand_in()
    }

    fn keys(&self) -> Vec<KeyInfo> {
        self.inner.keys()
    }

    fn terms(&self) -> Terms {
        self.inner.terms()
    }

    fn stream(&self, request: Request) -> BoxFuture<'_, Result<DeltaStream, ProviderError>> {
        let call = self.begin(&request);
        Box::pin(async move {
            let begun = self.inner.stream(request).instrument(call.span.clone()).await;
            call.watch(begun)
        })
    }

    fn call(&self, key: usize, request: Request) -> BoxFuture<'_, Reply> {
        let call = self.begin(&request);
        Box::pin(async move {
            let reply = self.inner.call(key, request).instrument(call.span.clone()).await;
            Reply { limits: reply.limits, answer: call.watch(reply.answer) }
        })
    }

    fn check_key(&self, key: usize) -> BoxFuture<'_, KeyCheck> {
        self.inner.check_key(key)
    }
}

/// The outcome of a call that nobody wanted to hear the end of.
const CANCELLED: &str = "cancelled";

/// A call under way; what became of it is told when it is dropped.
struct Call {
    span: Span,
    meter: Meter,
    provider: String,
    model: String,
    usage: Option<Usage>,
    outcome: &'static str,
}

impl Call {
    /// Watches an answer that has begun, or tells of one that has not.
    fn watch(
        mut self,
        begun: Result<DeltaStream, ProviderError>,
    ) -> Result<DeltaStream, ProviderError> {
        match begun {
            Ok(inner) => Ok(Box::pin(WatchedStream { inner, call: self })),
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        }
    }

    fn heard(&mut self, delta: &Delta) {
        match delta {
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::Finish(finish) => {
                self.outcome = reason(*finish);
                span::finished(&self.span, self.outcome);
            }
            Delta::Text(_) | Delta::Reasoning(_) => {}
        }
    }

    fn failed(&mut self, error: &ProviderError) {
        self.outcome = class(error.kind);
        span::failed(&self.span, self.outcome);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(usage) = self.usage {
            span::used(&self.span, usage);
        }
        self.meter.called(&self.provider, &self.model, self.outcome, self.usage);
    }
}

/// Why a model stopped, in the words of OpenAI's API.
const fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
    }
}

const fn class(kind: ProviderErrorKind) -> &'static str {
    match kind {
        ProviderErrorKind::Unreachable => "unreachable",
        ProviderErrorKind::Unauthorized => "unauthorized",
        ProviderErrorKind::QuotaExhausted => "quota_exhausted",
        ProviderErrorKind::RateLimited => "rate_limited",
        ProviderErrorKind::ModelUnavailable => "model_unavailable",
        ProviderErrorKind::Rejected => "rejected",
        ProviderErrorKind::Failed => "failed",
        ProviderErrorKind::Stalled => "stalled",
        ProviderErrorKind::Broken => "broken",
    }
}

/// An answer that is watched. The call is told of after the answer is dropped.
struct WatchedStream {
    inner: DeltaStream,
    call: Call,
}

impl Stream for WatchedStream {
    type Item = Result<Delta, ProviderError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, call } = &mut *self;
        let polled = call.span.in_scope(|| inner.as_mut().poll_next(cx));
        match &polled {
            Poll::Ready(Some(Ok(delta))) => call.heard(delta),
            Poll::Ready(Some(Err(error))) => call.failed(error),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt as _, stream};
    use greenroom_protocol::{event::UsageSource, id::RunId};
    use uuid::Uuid;

    /// Answers every call with the same deltas; none: it cannot be reached.
    struct Scripted(Option<Vec<Result<Delta, ProviderErrorKind>>>);

    fn error(kind: ProviderErrorKind) -> ProviderError {
        ProviderError {
            provider: "scripted".into(),
            kind,
            message: String::new(),
            retry_after_ms: None,
        }
    }

    impl Provider for Scripted {
        fn name(&self) -> &str {
            "scripted"
        }

        fn default_model(&self) -> &str {
            "own"
        }

        fn stream(&self, _: Request) -> BoxFuture<'_, Result<DeltaStream, ProviderError>> {
            let begun = self.0.clone().ok_or_else(|| error(ProviderErrorKind::Unreachable));
            Box::pin(std::future::ready(begun.map(|deltas| {
                let deltas = deltas.into_iter().map(|delta| delta.map_err(error));
                Box::pin(stream::iter(deltas)) as DeltaStream
            })))
        }
    }

    /// What is counted of a call of which so many deltas are read.
    async fn counted(
        deltas: Option<Vec<Result<Delta, ProviderErrorKind>>>,
        model: Option<&str>,
        read: usize,
    ) -> Vec<String> {
        let meter = Meter::default();
        let watched = Watched::new(Arc::new(Scripted(deltas)), meter.clone());
        let run = RunId::new(Uuid::from_u128(1));
        let request = Request { run, model: model.map(str::to_owned), messages: Vec::new() };
        if let Ok(answer) = watched.stream(request).await {
            answer.take(read).collect::<Vec<_>>().await;
        }
        let mut registry = prometheus_client::registry::Registry::default();
        meter.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let counts = text.lines().filter(|line| line.contains("scripted"));
        counts.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
    }

    fn whole() -> Option<Vec<Result<Delta, ProviderErrorKind>>> {
        let usage = Usage {
            input_tokens: 11,
            output_tokens: 7,
            cached_tokens: 0,
            reasoning_tokens: 0,
            source: UsageSource::Provider,
        };
        Some(vec![
            Ok(Delta::Text("hi".into())),
            Ok(Delta::Usage(usage)),
            Ok(Delta::Finish(Finish::Stop)),
        ])
    }

    fn calls(model: &str, outcome: &str) -> String {
        let labels = format!(r#"provider="scripted",model="{model}",outcome="{outcome}""#);
        format!("llm_requests_total{{{labels}}} 1")
    }

    #[tokio::test]
    async fn a_call_is_counted_once_with_its_outcome_and_its_tokens() {
        assert_eq!(
            counted(whole(), None, 9).await,
            [
                calls("own", "stop"),
                r#"llm_input_tokens_total{provider="scripted",model="own"} 11"#.to_owned(),
                r#"llm_output_tokens_total{provider="scripted",model="own"} 7"#.to_owned(),
            ]
        );
        assert_eq!(counted(None, None, 9).await, [calls("own", "unreachable")]);
        let broken = Some(vec![Ok(Delta::Text("h".into())), Err(ProviderErrorKind::Broken)]);
        assert_eq!(counted(broken, None, 9).await, [calls("own", "broken")]);
        assert_eq!(counted(whole(), None, 1).await, [calls("own", "cancelled")]);
    }

    #[tokio::test]
    async fn what_clients_call_a_model_makes_no_new_series() {
        let counted = counted(whole(), Some("whatever"), 9).await;
        assert_eq!(counted.first(), Some(&calls("other", "stop")));
    }
}
