//! Answers that are written while they are sent.

use super::{Leaving, Response};
use bytes::Bytes;
use futures_util::Stream;
use greenroom_protocol::limit::WRITE_TIMEOUT;
use http::{HeaderValue, header};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use warp::Reply as _;

/// Chunks that wait for the network; whoever writes then waits, too.
const CHUNKS_MAX: usize = 2;

/// Where an answer is written to.
#[derive(Debug)]
pub(super) struct Outlet {
    chunks: mpsc::Sender<Result<Bytes, io::Error>>,
    leaving: Leaving,
}

/// Nobody takes the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Outlet {
    /// Sends a chunk. A client that takes none for [`WRITE_TIMEOUT`] is left.
    pub(super) async fn send(&self, chunk: Bytes) -> Result<(), Gone> {
        if let Ok(sent) = timeout(WRITE_TIMEOUT, self.chunks.send(Ok(chunk))).await {
            return sent.map_err(|_| Gone);
        }
        self.leaving.0.cancel();
        Err(Gone)
    }

    /// Breaks the answer off, so that the client sees that it is not whole.
    pub(super) async fn break_off(self) {
        let broken = io::Error::other("the rest cannot be read");
        let _ = timeout(WRITE_TIMEOUT, self.chunks.send(Err(broken))).await;
    }
}

/// An answer that a task writes; the task ends with the answer.
pub(super) fn streamed<A>(
    media_type: &'static str,
    leaving: Leaving,
    write: impl FnOnce(Outlet) -> A,
) -> Response
where
    A: Future<Output = ()> + Send + 'static,
{
    let (chunks, written) = mpsc::channel(CHUNKS_MAX);
    let mut writer = JoinSet::new();
    writer.spawn(write(Outlet { chunks, leaving }));
    let mut response = warp::reply::stream(Written { written, _writer: writer }).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
impl Outlet {
    /// An outlet whose chunks a test takes.
    pub(super) fn taken(leaving: Leaving) -> (Self, mpsc::Receiver<Result<Bytes, io::Error>>) {
        let (chunks, taken) = mpsc::channel(CHUNKS_MAX);
        (Self { chunks, leaving }, taken)
    }
}

/// What was written; owns who writes.
struct Written {
    written: mpsc::Receiver<Result<Bytes, io::Error>>,
    _writer: JoinSet<()>,
}

impl Stream for Written {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.written.poll_recv(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_left_after_the_write_timeout() {
        let (leaving, begun) = (Leaving::default(), Instant::now());
        let (outlet, taken) = Outlet::taken(leaving.clone());
        for _ in 0..CHUNKS_MAX {
            assert_eq!(outlet.send(Bytes::from_static(b"x")).await, Ok(()));
        }
        assert_eq!(outlet.send(Bytes::from_static(b"x")).await, Err(Gone));
        assert_eq!(begun.elapsed(), WRITE_TIMEOUT);
        assert!(leaving.0.is_cancelled(), "its connection ends");
        drop(taken);
        assert_eq!(outlet.send(Bytes::new()).await, Err(Gone), "at once where nobody is there");
    }
}
