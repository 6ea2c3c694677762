//! One connection, from accept to end.

use super::{
    GatewayConfig, Upgraded, WsSocket,
    guard::Guard,
    server::Shared,
    site::{Pending, Visit},
};
use crate::rest::{Leaving, Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};

/// Longest wait for the socket after its handshake was answered; hyper has it at once.
const UPGRADE_WAIT: Duration = Duration::from_secs(1);

/// What carries a connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Serves a connection until it ends.
pub(super) async fn run(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it began");
        return;
    }
    // Boxed, so that what HTTP needs is freed before the socket begins its long life.
    let opened = Box::pin(http(Arc::clone(&shared), stream, peer)).await;
    let Some((socket, upgraded)) = opened else { return };
    let socket = (shared.serve)(socket, upgraded);
    drop(shared);
    socket.await;
}

/// Speaks HTTP until the connection ends or becomes a WebSocket.
pub(super) async fn http<S: Stream>(
    shared: Arc<Shared>,
    stream: S,
    peer: SocketAddr,
) -> Option<(WsSocket<S>, Upgraded)> {
    let write_wait = Duration::from_millis(shared.config.write_ms_max);
    let (stream, marks) = Guard::new(stream, write_wait);
    let visit = Visit {
        peer: peer.ip(),
        marks,
        pending: Arc::new(Mutex::new(None)),
        shutdown: shared.shutdown.clone(),
        leaving: Leaving(shared.shutdown.child_token()),
    };
    let leaving = visit.leaving.clone();
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, visit) = (Arc::clone(&shared), visit.clone());
        async move { Ok::<Response, Infallible>(shared.site.answer(&visit, request).await) }
    });
    let connection =
        builder(&shared.config).serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let leave = async {
        tokio::select! {
            () = leaving.0.cancelled() => {}
            () = sleep(Duration::from_millis(shared.config.http_connection_ms_max)) => {
                leaving.0.cancel(); // streams end, and are taken up again elsewhere
            }
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = leave => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            let rest = Duration::from_millis(shared.config.request_ms_max);
            timeout(rest, connection).await.ok()?
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
        return None;
    }
    let pending = visit.pending.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    open(&shared.config, pending).await
}

/// Takes the socket out of hyper.
async fn open<S: Stream>(
    config: &GatewayConfig,
    pending: Pending,
) -> Option<(WsSocket<S>, Upgraded)> {
    let Pending { on, upgraded, handshake } = pending;
    let raw = timeout(UPGRADE_WAIT, on).await.ok()?.ok()?;
    let parts = raw.downcast::<TokioIo<Guard<S>>>().ok()?;
    let stream = parts.io.into_inner().into_inner();
    let socket = WsSocket::new(stream, parts.read_buf, &config.websocket).await;
    drop(handshake);
    Some((socket, upgraded))
}

/// hyper with every limit set; its defaults have none that matter.
fn builder(config: &GatewayConfig) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_ms_max))
        .max_headers(config.headers_max)
        .max_header_size(config.header_bytes_max)
        // A body is read through the same buffer.
        .max_buf_size(config.header_bytes_max.saturating_mul(2))
        .half_close(false)
        .keep_alive(true);
    builder
}
