//! The accept loop.

use super::{
    GatewayConfig, GatewayConfigError, WsSocket, connection,
    places::Places,
    site::{Public, Site},
    upgrade::Speech,
};
use crate::{
    auth::Auth,
    rest::{Api, Finish, Limits, Origins, Proxies, RequestId},
};
use greenroom_actors::port::{BoxFuture, Principal};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections that the kernel holds until they are accepted: after a restart all clients come at
/// once.
const BACKLOG: u32 = 4096;

/// How long to wait where the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How often quiet sources are forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// How long what was cut off at the end of a drain may take to be gone.
const CUT_OFF_WAIT: Duration = Duration::from_secs(5);

/// What serves a WebSocket from its upgrade to its end. It closes the socket itself.
pub type Serve = Arc<dyn Fn(WsSocket, Upgraded) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is known of a WebSocket at its upgrade.
#[derive(Clone, Debug)]
pub struct Upgraded {
    /// The client's address, as far as it can be trusted.
    pub peer: IpAddr,
    /// What it speaks.
    pub speech: Speech,
    /// Who it is, if its address said so; else its first frame does.
    pub principal: Option<Principal>,
    /// Id of the request, for logs.
    pub request_id: RequestId,
}

/// One port.
#[derive(Debug)]
pub struct Server {
    pub(super) site: Site,
    config: GatewayConfig,
    serve: ServeDebug,
    proxies: Proxies,
}

/// What all connections of a port share.
pub(super) struct Shared {
    pub(super) site: Site,
    pub(super) config: GatewayConfig,
    pub(super) serve: Serve,
    pub(super) shutdown: CancellationToken,
}

struct ServeDebug(Serve);

impl fmt::Debug for ServeDebug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serve")
    }
}

impl Server {
    /// The public port: REST and the WebSocket.
    ///
    /// # Errors
    /// [`GatewayConfigError`].
    pub fn public(
        config: &GatewayConfig,
        api: Api,
        auth: Arc<Auth>,
        limits: Arc<Limits>,
        serve: Serve,
    ) -> Result<Self, GatewayConfigError> {
        let (origins, proxies) = config.validate()?;
        let handshakes = Arc::new(Semaphore::new(config.handshakes_max));
        let generate = config.generate;
        let public = Public { auth, limits, proxies: proxies.clone(), handshakes, generate };
        let site = Site::new(Finish { origins, api }, config, Some(public));
        Ok(Self { site, config: config.clone(), serve: ServeDebug(serve), proxies })
    }

    /// The internal port: neither origins nor limits on rates, and no WebSocket.
    ///
    /// # Errors
    /// [`GatewayConfigError`].
    pub fn internal(config: &GatewayConfig, api: Api) -> Result<Self, GatewayConfigError> {
        config.validate()?;
        let site = Site::new(Finish { origins: Origins::default(), api }, config, None);
        let serve: Serve = Arc::new(|_, _| Box::pin(async {}));
        let proxies = Proxies::default();
        Ok(Self { site, config: config.clone(), serve: ServeDebug(serve), proxies })
    }

    /// The routes of the port.
    #[must_use]
    pub const fn api(&self) -> &Api {
        &self.site.finish.api
    }

    /// What its connections share.
    pub(super) fn share(self, shutdown: CancellationToken) -> Arc<Shared> {
        let Self { site, config, serve: ServeDebug(serve), .. } = self;
        Arc::new(Shared { site, config, serve, shutdown })
    }

    /// Serves until `shutdown`; then accepts nothing more, lets requests and sockets end, and cuts
    /// off what is left after the drain time. Whoever serves the sockets must end them.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) {
        let (most, by_source) =
            (self.config.connections_max, self.config.connections_per_source_max);
        let places = Places::new(most, by_source, self.proxies.clone());
        let shared = self.share(shutdown.clone());
        let (connections, cut_off) = (TaskTracker::new(), CancellationToken::new());
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = accept(&listener, &shared, &places, &connections, &cut_off) => {}
        }
        drop(listener);
        connections.close();
        let drain = Duration::from_millis(shared.config.drain_ms_max);
        if timeout(drain, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections are cut off");
            cut_off.cancel();
            if timeout(CUT_OFF_WAIT, connections.wait()).await.is_err() {
                tracing::error!(connections = connections.len(), "connections do not end");
            }
        }
    }
}

/// Accepts connections for ever. Cancel-safe: what was accepted is tracked before the next wait.
async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    places: &Arc<Places>,
    connections: &TaskTracker,
    cut_off: &CancellationToken,
) {
    let mut sweep = interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut refused = 0_u64;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = sweep.tick() => {
                shared.site.sweep();
                if refused > 0 {
                    tracing::warn!(refused, "connections were closed at once: the caps are reached");
                    refused = 0;
                }
                continue;
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = places.take(peer.ip()) else {
                    refused += 1;
                    continue; // dropping the stream closes it
                };
                let (shared, cut_off) = (Arc::clone(shared), cut_off.clone());
                connections.spawn(async move {
                    cut_off.run_until_cancelled(connection::run(shared, stream, peer)).await;
                    drop(place);
                });
            }
            Err(error) if is_the_peer_s(&error) => {}
            Err(error) => {
                tracing::error!(%error, "accepting failed; is the limit on open files too low?");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Whether accepting failed since the peer was gone already.
fn is_the_peer_s(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Listens at an address, with room for a storm of reconnecting clients.
///
/// # Errors
/// Where the address is in use or not ours.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
