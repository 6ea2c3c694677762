//! What one port answers: checks a request, hands it to a route or upgrades it, finishes the answer.

use super::{
    GatewayConfig,
    config::GenerateConfig,
    guard::Marks,
    server::Upgraded,
    upgrade::{self, Credential, Offer, Speech},
};
use crate::{
    auth::Auth,
    rest::{
        Allowance, Client, Facts, Finish, Leaving, Limits, Problem, Proxies, Response, compressed,
        forbidden_origin,
    },
    telemetry::span,
};
use futures_util::FutureExt as _;
use greenroom_actors::port::BoxFuture;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::{
    body::{Body as _, Incoming},
    upgrade::OnUpgrade,
};
use std::{
    convert::Infallible,
    fmt,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

/// One port's answers.
pub(super) struct Site {
    routes: Routes,
    pub(super) finish: Finish,
    request_wait: Duration,
    url_bytes_max: usize,
    /// What only the public port has.
    pub(super) public: Option<Public>,
}

/// The routes as a service; its own type has no name.
type Routes = Box<
    dyn Fn(Request<Incoming>) -> BoxFuture<'static, Result<Response, Infallible>> + Send + Sync,
>;

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("finish", &self.finish).finish_non_exhaustive()
    }
}

/// What only the public port has.
pub(super) struct Public {
    pub(super) auth: Arc<Auth>,
    pub(super) limits: Arc<Limits>,
    pub(super) proxies: Proxies,
    pub(super) handshakes: Arc<Semaphore>,
    pub(super) generate: GenerateConfig,
}

/// One connection's dealings with its site.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) peer: IpAddr,
    pub(super) marks: Arc<Marks>,
    /// Filled by the request that becomes a WebSocket.
    pub(super) pending: Arc<Mutex<Option<Pending>>>,
    pub(super) shutdown: CancellationToken,
    /// When the connection should end.
    pub(super) leaving: Leaving,
}

/// A WebSocket whose answer is on its way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) on: OnUpgrade,
    pub(super) upgraded: Upgraded,
    /// Counts the handshake until the socket is there.
    pub(super) handshake: OwnedSemaphorePermit,
}

impl Site {
    pub(super) fn new(finish: Finish, config: &GatewayConfig, public: Option<Public>) -> Self {
        let routes = Box::new(compressed(finish.api.filter()));
        let request_wait = Duration::from_millis(config.request_ms_max);
        Self { routes, finish, request_wait, url_bytes_max: config.url_bytes_max, public }
    }

    /// Forgets sources that have been quiet.
    pub(super) fn sweep(&self) {
        if let Some(public) = &self.public {
            public.limits.sweep();
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, visit: &Visit, request: Request<Incoming>) -> Response {
        let (facts, begun) = (self.finish.facts(&request), Instant::now());
        let method = request.method().clone();
        // What is logged on the way carries the id that the answer has.
        let span = tracing::info_span!("request", request_id = %facts.id);
        let trace = self.trace(&facts, &method);
        let answer = self.try_answer(visit, &facts, request).instrument(span);
        let answer = answer.instrument(trace.clone()).await;
        let mut response = answer.unwrap_or_else(Response::from);
        self.finish.finish(&facts, &mut response);
        span::answered(&trace, response.status());
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if visit.marks.last.load(Ordering::Relaxed) && !switches {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        // No query: it may hold a ticket or a token.
        tracing::debug!(
            request_id = %facts.id,
            %method,
            path = ?facts.path,
            status = response.status().as_u16(),
            elapsed_us = begun.elapsed().as_micros(),
            "request answered"
        );
        response
    }

    /// The span that traces have of a request; none on the internal port.
    fn trace(&self, facts: &Facts, method: &Method) -> Span {
        if self.public.is_none() {
            return Span::none();
        }
        span::request(&facts.id, method, || match facts.path.as_str() {
            upgrade::PATH => Some(upgrade::PATH),
            upgrade::GENERATE_PATH => Some(upgrade::GENERATE_PATH),
            path => self.finish.api.path(path),
        })
    }

    async fn try_answer(
        &self,
        visit: &Visit,
        facts: &Facts,
        mut request: Request<Incoming>,
    ) -> Result<Response, Problem> {
        check_head(&request, &visit.marks)?;
        check_url(&request, self.url_bytes_max)?;
        let (mut client, mut allowance) = (Client { ip: visit.peer }, None);
        if let Some(public) = &self.public {
            client = public.proxies.client(visit.peer, request.headers());
            let speech = match request.uri().path() {
                upgrade::PATH => Some(Speech::Greenroom),
                upgrade::GENERATE_PATH => Some(Speech::Qbit),
                _ => None,
            };
            if let Some(speech) = speech {
                return self.upgrade(public, visit, (facts, client), request, speech).await;
            }
            allowance = public.limits.request(client.source()).await?;
        }
        if let Some(preflight) = self.finish.preflight(facts) {
            return Ok(preflight);
        }
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(visit.leaving.clone());
        let mut response = self.route(facts, request).await.unwrap_or_else(Response::from);
        if let Some(allowance) = allowance {
            response.extensions_mut().insert::<Allowance>(allowance);
        }
        Ok(response)
    }

    async fn route(&self, facts: &Facts, request: Request<Incoming>) -> Result<Response, Problem> {
        let answer = AssertUnwindSafe((self.routes)(request)).catch_unwind();
        match timeout(self.request_wait, answer).await {
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Err(_)) => {
                tracing::error!(request_id = %facts.id, path = ?facts.path, "a route panicked");
                Err(Problem::internal().closing())
            }
            Err(_) => {
                let detail = "the answer took too long; try again";
                let status = StatusCode::GATEWAY_TIMEOUT;
                Err(Problem::new(status, "timeout", detail).closing())
            }
        }
    }

    async fn upgrade(
        &self,
        public: &Public,
        visit: &Visit,
        (facts, client): (&Facts, Client),
        mut request: Request<Incoming>,
        speech: Speech,
    ) -> Result<Response, Problem> {
        public.limits.upgrade(client.source()).await?;
        if self.finish.origins.refuse(request.headers()) {
            return Err(forbidden_origin());
        }
        let Offer { credential, response } = match speech {
            Speech::Greenroom => upgrade::read(&request)?,
            Speech::Qbit => upgrade::read_generate(&request, public.generate)?,
        };
        if !request.body().is_end_stream() {
            let detail = "a request for a WebSocket has no body";
            return Err(Problem::bad_request("malformed_request", detail).closing());
        }
        let handshake = Arc::clone(&public.handshakes).try_acquire_owned();
        let Some(handshake) = handshake.ok().filter(|_| !visit.shutdown.is_cancelled()) else {
            let detail =
                "too many sockets open at this moment, or the server shuts down; try again";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(status, "busy", detail).after(Duration::from_secs(1)));
        };
        // Last, so that a refusal does not use a ticket up.
        let principal = match credential {
            Some(Credential::Ticket(ticket)) => {
                Some(public.auth.redeem_ticket(&ticket).ok_or_else(bad_ticket)?)
            }
            Some(Credential::Token(token)) => Some(public.auth.verify(&token)?),
            None => None,
        };
        let (peer, request_id) = (client.ip, facts.id.clone());
        let upgraded = Upgraded { peer, speech, principal, request_id };
        let on = hyper::upgrade::on(&mut request);
        let mut pending = visit.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = Some(Pending { on, upgraded, handshake });
        Ok(response)
    }
}

fn bad_ticket() -> Problem {
    let detail = "the ticket is unknown, expired or was used; get a new one";
    Problem::new(StatusCode::UNAUTHORIZED, "bad_ticket", detail)
}

/// Refuses heads that a proxy in front of us could read differently.
fn check_head(request: &Request<Incoming>, marks: &Marks) -> Result<(), Problem> {
    if marks.conflict.load(Ordering::Relaxed) {
        let detail = "the request has both a Content-Length and a Transfer-Encoding";
        return Err(Problem::bad_request("malformed_request", detail).closing());
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if !host.is_empty() => Ok(()),
        _ => {
            let detail = "the request must have exactly one Host";
            Err(Problem::bad_request("malformed_request", detail).closing())
        }
    }
}

/// Refuses addresses that nobody has reason to ask for.
fn check_url(request: &Request<Incoming>, most: usize) -> Result<(), Problem> {
    let Some(asked) = request.uri().path_and_query() else {
        let detail = "the request must name a path";
        return Err(Problem::bad_request("malformed_request", detail).closing());
    };
    if asked.as_str().len() <= most {
        return Ok(());
    }
    let detail = format!("path and query may have {most} bytes");
    Err(Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail))
}
