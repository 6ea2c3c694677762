//! The public port for `tests/fuzz`: bytes of a client through all that its connection passes.

use super::{GatewayConfig, Serve, Server, connection::http, server::Shared};
use crate::{
    auth::{Auth, AuthConfig, Keys, Secret},
    rest::{Api, Asked, Limits, LimitsConfig, Route, reply},
};
use anyhow::Result;
use greenroom_actors::{
    fake::FakeStore,
    port::{FixedClock, Received, Socket as _, Step},
};
use greenroom_protocol::error::CloseCode;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    runtime::{Builder, Runtime},
};
use tokio_util::sync::CancellationToken;

/// A public port with a route that reads a body and one that does not, whose sockets echo.
pub struct Edge {
    runtime: Runtime,
    shared: Arc<Shared>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
    number: Option<u64>,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Edge")
    }
}

impl Edge {
    /// A port without limits on rates.
    ///
    /// # Errors
    /// What any part of it cannot do.
    pub fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let keys = Keys::new(&Secret::new([0; 32]), &[])?;
        let (store, clock) = (Arc::new(FakeStore::new()), Arc::new(FixedClock::new(1)));
        let auth = AuthConfig { bcrypt_cost: 4, ..AuthConfig::default() };
        let auth = Arc::new(runtime.block_on(Auth::new(&auth, keys, store, clock))?);
        let limits = LimitsConfig {
            requests_per_minute: 0,
            upgrades_per_minute: 0,
            ..LimitsConfig::default()
        };
        let allowed_origins = vec!["https://app.example.org".to_owned()];
        let config = GatewayConfig { allowed_origins, limits, ..GatewayConfig::default() };
        let limits = Arc::new(Limits::new(&config.limits, None));
        let serve: Serve = Arc::new(|_, _| Box::pin(async {}));
        let server = Server::public(&config, api(), auth, limits, serve)?;
        Ok(Self { runtime, shared: server.share(CancellationToken::new()) })
    }

    /// What the port answers to a client that sends these bytes in pieces and then no more.
    #[must_use]
    pub fn exchange(&self, bytes: &[u8], piece: usize) -> Vec<u8> {
        let (ours, theirs) = duplex(64 * 1024);
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let client = async move {
            for piece in bytes.chunks(piece.max(1)) {
                if writer.write_all(piece).await.is_err() {
                    return;
                }
            }
            let _ = writer.shutdown().await; // the server may have ended first
        };
        let mut answer = Vec::new();
        let server = async {
            let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            let Some((mut socket, _)) = http(Arc::clone(&self.shared), ours, peer).await else {
                return;
            };
            while let Ok(step) = socket.step(true).await {
                if let Step::Received(Received::Text(text)) = step
                    && socket.feed(text).is_err()
                {
                    break;
                }
            }
            socket.close(CloseCode::GoingAway, "going_away").await;
        };
        self.runtime.block_on(async {
            // An answer that breaks off is what came of it.
            let (_, (), ()) = tokio::join!(reader.read_to_end(&mut answer), client, server);
        });
        answer
    }
}

fn api() -> Api {
    let note = |asked: Asked| async move {
        let note: Note = asked.json(Duration::from_secs(5)).await?;
        Ok(reply(StatusCode::OK, &note))
    };
    let hello = |_: Asked| async { Ok(reply(StatusCode::OK, &"hello")) };
    Api::new(vec![
        Route::at(Method::POST, "/api/v1/note", note),
        Route::at(Method::GET, "/api/v1/hello", hello),
    ])
}
