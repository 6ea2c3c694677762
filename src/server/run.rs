//! A server's life: start, serve, drain.

use super::{
    Ready, Start, SystemClock, accounts, metrics,
    parts::{Parts, chain},
    readiness::{EngineProviders, EngineReadiness},
};
use crate::{
    config::Config,
    console::{console_routes, key_routes},
    failure::Failure,
    gateway::{QbitSocket, Serve, Server, Speech, listen},
    rest::{Admin, Api, Context, Limits, admin_routes, internal_routes, public_routes},
};
use greenroom_actors::Engine;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long the store may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a server until `start.stop` is cancelled and all is drained.
///
/// # Errors
/// [`Failure::Unavailable`] where a port or the store cannot be used, [`Failure::Failed`] later.
pub async fn serve(config: Config, start: Start) -> Result<(), Failure> {
    let public = open(&config.server.host, config.server.port, "server.port")?;
    let internal =
        open(&config.server.internal_host, config.server.internal_port, "server.internal_port")?;
    let failed = |error: std::io::Error| Failure::Failed(error.to_string());
    let parts = Parts::start(&config, internal.local_addr().map_err(failed)?).await?;
    let tokens = match start.demo {
        Some(account) => Some(accounts::sign_in(&parts.auth, account).await?),
        None => None,
    };
    let provider = parts.providers.first();
    let ready = Ready {
        public: public.local_addr().map_err(failed)?,
        internal: internal.local_addr().map_err(failed)?,
        provider: provider.map(|found| found.name().to_owned()).unwrap_or_default(),
        model: provider.map(|found| found.default_model().to_owned()).unwrap_or_default(),
        stand_in: provider.is_some_and(|found| found.is_stand_in()),
        tokens,
    };
    let leave = CancellationToken::new();
    let (public_server, internal_server) = servers(&config, &parts, &leave)?;
    let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
    let mut ports = JoinSet::new();
    ports.spawn(public_server.run(public, closing.clone()));
    ports.spawn(internal_server.run(internal, closed.clone()));
    let _ = start.ready.send(ready); // who does not wait for it does not need it
    let engine = parts.engine.clone();
    let result = tokio::select! {
        () = start.stop.cancelled() => Ok(()),
        () = leave.cancelled() => Ok(()),
        () = engine.failed() => {
            Err(Failure::Failed("the engine failed; its log says why".to_owned()))
        }
    };
    // In reverse: no new sockets, then runs and sessions, then the ports, then the store.
    engine.go_away();
    closing.cancel();
    engine.drain().await;
    closed.cancel();
    while ports.join_next().await.is_some() {}
    let closed = match timeout(CLOSE_TIMEOUT, parts.store.close()).await {
        Ok(closed) => closed.map_err(|error| Failure::Failed(chain(&error))),
        Err(_) => Err(Failure::Failed("the store did not close in time".to_owned())),
    };
    result.and(closed)
}

fn open(host: &str, port: u16, key: &str) -> Result<TcpListener, Failure> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: SocketAddr = match host.parse() {
        Ok(ip) => SocketAddr::new(ip, port),
        Err(_) if host == "localhost" => SocketAddr::from(([127, 0, 0, 1], port)),
        Err(_) => {
            return Err(Failure::Unavailable(format!("{host:?} is no address; use an IP address")));
        }
    };
    listen(address).map_err(|error| {
        Failure::Unavailable(format!("{address} cannot be used: {error}; choose another {key}"))
    })
}

/// The servers of both ports. `leave` is cancelled where an operator drains the node.
fn servers(
    config: &Config,
    parts: &Parts,
    leave: &CancellationToken,
) -> Result<(Server, Server), Failure> {
    let unusable = |error: &dyn std::error::Error| Failure::Unavailable(chain(error));
    let limits = Arc::new(Limits::new(
        &config.gateway.limits,
        parts.redis.as_ref().map(|redis| redis.buckets()),
    ));
    let context = Context {
        auth: parts.auth.clone(),
        engine: parts.engine.clone(),
        body_wait: Duration::from_millis(config.gateway.body_ms_max),
        answer_wait: Duration::from_millis(config.gateway.request_ms_max),
    };
    let poll_wait = context.poll_wait();
    let mut routes = public_routes(context, &limits);
    routes.extend(console_routes());
    let api = Api::new(routes);
    let serve = sockets(parts.engine.clone());
    let public = Server::public(&config.gateway, api, parts.auth.clone(), limits, serve);
    let public = public.map_err(|error| unusable(&error))?;
    let registry = metrics::registry(&parts.engine.meter(), &parts.llm, &parts.redis_meter);
    let readiness = Arc::new(EngineReadiness(parts.engine.health()));
    let providers = Arc::new(EngineProviders(parts.engine.clone()));
    let admin = Admin {
        auth: parts.auth.clone(),
        engine: parts.engine.clone(),
        body_wait: Duration::from_millis(config.gateway.body_ms_max),
        poll_wait,
        leave: leave.clone(),
    };
    let mut routes = internal_routes(readiness, Arc::new(registry), providers);
    routes.extend(admin_routes(&admin));
    routes.extend(key_routes());
    let api = Api::new(routes);
    let internal = Server::internal(&config.gateway, api).map_err(|error| unusable(&error))?;
    Ok((public, internal))
}

/// Hands every upgraded socket to the engine.
fn sockets(engine: Arc<Engine>) -> Serve {
    Arc::new(move |socket, upgraded| {
        let (engine, principal) = (engine.clone(), upgraded.principal);
        match upgraded.speech {
            Speech::Greenroom => Box::pin(async move { engine.serve(socket, principal).await }),
            Speech::Qbit => Box::pin(async move {
                let socket = QbitSocket::new(socket, Arc::new(SystemClock));
                engine.serve(socket, principal).await;
            }),
        }
    })
}

#[cfg(test)]
mod tests;
