//! Sends every WebSocket message back, through the accept loop, the checks, the limits and the
//! codec of the server: what `tests/autobahn.sh` puts its cases to. Prints its address first.

use anyhow::{Context as _, Result};
use greenroom::{
    auth::{Auth, AuthConfig, Keys, Secret},
    gateway::{GatewayConfig, Serve, Server, WebSocketLimits, listen},
    rest::{Api, Limits, LimitsConfig},
};
use greenroom_actors::{fake::FakeStore, port::FixedClock};
use std::{
    io::{Write as _, stdout},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Largest message of the suite, in bytes: cases 9.*.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

#[tokio::main]
async fn main() -> Result<()> {
    let keys = Keys::new(&Secret::new([0; 32]), &[])?;
    let (store, clock) = (Arc::new(FakeStore::new()), Arc::new(FixedClock::new(1)));
    let auth = Arc::new(Auth::new(&AuthConfig::default(), keys, store, clock).await?);
    let config = config();
    let limits = Arc::new(Limits::new(&config.limits));
    let serve: Serve = Arc::new(|socket, _| Box::pin(socket.echo()));
    let server = Server::public(&config, Api::new(Vec::new()), auth, limits, serve)?;
    let listener = listen("127.0.0.1:0".parse()?)?;
    writeln!(stdout(), "ws://{}/ws", listener.local_addr()?).context("standard output")?;
    server.run(listener, CancellationToken::new()).await;
    Ok(())
}

/// The server's own settings, but for what the suite needs: 517 sockets in a minute, messages of
/// 16 MiB in frames of 64 bytes, and pauses within them.
fn config() -> GatewayConfig {
    GatewayConfig {
        websocket: WebSocketLimits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            write_buffer_bytes_max: 2 * MESSAGE_BYTES_MAX,
            message_ms_max: 100_000,
            fragments_max: 1_000_000,
            ..WebSocketLimits::default()
        },
        limits: LimitsConfig { upgrades_per_minute: 0, ..LimitsConfig::default() },
        ..GatewayConfig::default()
    }
}
