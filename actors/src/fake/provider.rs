//! A provider whose answers the test writes while the engine reads them.

use crate::port::ProviderErrorKind;
use crate::port::{BoxFuture, Delta, DeltaStream, Finish, Provider, ProviderError, Request};
use futures_util::stream;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Calls that may wait for the test to take them; a further one waits.
const CALLS_MAX: usize = 64;

/// Deltas that may wait for the engine in one call; the next [`Call::send`] waits, which is how a
/// test sees the engine push back.
const DELTAS_MAX: usize = 16;

/// A provider named `fake` with the model `fake-1`. Each call goes to the test as a [`Call`].
#[derive(Debug)]
pub struct FakeProvider {
    calls: mpsc::Sender<Call>,
}

/// Where the calls arrive. Dropped: every further call fails as unreachable.
#[derive(Debug)]
pub struct Calls(mpsc::Receiver<Call>);

/// One call of the engine, answered by the test. Dropped: the answer ends there.
#[derive(Debug)]
pub struct Call {
    /// What the engine asks for.
    pub request: Request,
    begin: Option<oneshot::Sender<Result<(), ProviderError>>>,
    deltas: mpsc::Sender<Result<Delta, ProviderError>>,
}

impl FakeProvider {
    /// A provider and the place where its calls arrive.
    #[must_use]
    pub fn new() -> (Arc<Self>, Calls) {
        let (calls, arriving) = mpsc::channel(CALLS_MAX);
        (Arc::new(Self { calls }), Calls(arriving))
    }

    /// An error of this provider.
    #[must_use]
    pub fn error(kind: ProviderErrorKind) -> ProviderError {
        ProviderError {
            provider: "fake".into(),
            kind,
            message: "as the test wants it".into(),
            retry_after_ms: None,
        }
    }
}

impl Calls {
    /// Waits for the next call; `None` once the provider is gone.
    pub async fn next(&mut self) -> Option<Call> {
        self.0.recv().await
    }

    /// A call that has arrived already.
    pub fn try_next(&mut self) -> Option<Call> {
        self.0.try_recv().ok()
    }
}

impl Call {
    /// Begins the answer without any content yet. [`Call::send`] does it too.
    pub fn begin(&mut self) {
        if let Some(begin) = self.begin.take() {
            // The engine may have given the call up.
            let _ = begin.send(Ok(()));
        }
    }

    /// Fails the call before its answer has begun.
    pub fn refuse(self, kind: ProviderErrorKind) {
        self.refuse_with(FakeProvider::error(kind));
    }

    /// Likewise, with this error.
    pub fn refuse_with(mut self, error: ProviderError) {
        if let Some(begin) = self.begin.take() {
            let _ = begin.send(Err(error));
        }
    }

    /// Sends a delta or an error; `false` once the engine has dropped the stream.
    pub async fn send(&mut self, delta: Result<Delta, ProviderError>) -> bool {
        self.begin();
        self.deltas.send(delta).await.is_ok()
    }

    /// Sends text of the answer.
    pub async fn text(&mut self, text: &str) -> bool {
        self.send(Ok(Delta::Text(text.to_owned()))).await
    }

    /// Says that the model had said all, and ends the stream.
    pub async fn finish(mut self) -> bool {
        self.send(Ok(Delta::Finish(Finish::Stop))).await
    }

    /// Breaks the stream with an error.
    pub async fn fail(mut self, kind: ProviderErrorKind) -> bool {
        self.send(Err(FakeProvider::error(kind))).await
    }

    /// Waits until the engine drops the stream, as it does on a cancel.
    pub async fn dropped(&self) {
        self.deltas.closed().await;
    }
}

impl Provider for FakeProvider {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn default_model(&self) -> &'static str {
        "fake-1"
    }

    fn is_stand_in(&self) -> bool {
        true
    }

    fn stream(&self, request: Request) -> BoxFuture<'_, Result<DeltaStream, ProviderError>> {
        Box::pin(async move {
            let (begin, begun) = oneshot::channel();
            let (deltas, mut arriving) = mpsc::channel(DELTAS_MAX);
            let unreachable = || Self::error(ProviderErrorKind::Unreachable);
            let call = Call { request, begin: Some(begin), deltas };
            self.calls.send(call).await.map_err(|_| unreachable())?;
            begun.await.map_err(|_| unreachable())??;
            let answer: DeltaStream = Box::pin(stream::poll_fn(move |cx| arriving.poll_recv(cx)));
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use greenroom_protocol::id::RunId;
    use uuid::Uuid;

    fn request() -> Request {
        Request { run: RunId::new(Uuid::nil()), model: None, messages: Vec::new() }
    }

    #[tokio::test]
    async fn the_engine_reads_what_the_test_writes() {
        let (provider, mut calls) = FakeProvider::new();
        let engine = async { provider.stream(request()).await.unwrap().collect::<Vec<_>>().await };
        let test = async {
            let mut call = calls.next().await.unwrap();
            assert!(call.text("a").await);
            assert!(call.finish().await);
        };

        let (read, ()) = tokio::join!(engine, test);

        let written = [Ok(Delta::Text("a".into())), Ok(Delta::Finish(Finish::Stop))];
        assert_eq!(read, written);
    }

    #[tokio::test]
    async fn a_call_can_be_refused_and_a_drop_is_seen() {
        let (provider, mut calls) = FakeProvider::new();
        let test = async {
            calls.next().await.unwrap().refuse(ProviderErrorKind::RateLimited);
            let mut call = calls.next().await.unwrap();
            call.begin();
            call.dropped().await;
            assert!(!call.text("late").await);
        };
        let engine = async {
            let refused = provider.stream(request()).await.err().map(|error| error.kind);
            assert_eq!(refused, Some(ProviderErrorKind::RateLimited));
            drop(provider.stream(request()).await.unwrap());
        };

        tokio::join!(engine, test);
    }
}
