//! Routes for signing up, signing in and staying signed in.

use super::{Asked, Limits, Operation, Problem, Response, Route, bearer, reply};
use crate::auth::{Auth, Grant};
use greenroom_protocol::id::UserId;
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Body of `register`. No `Debug`: it holds a password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Registration {
    /// Name to sign in with.
    #[schemars(length(max = 254), regex(pattern = EMAIL_PATTERN))]
    email: String,
    /// At most 72 bytes of UTF-8, and none of the commonest.
    #[schemars(length(min = 8, max = 72), regex(pattern = "^[^\u{0}]*$"))]
    password: String,
}

/// Body of `login`. No `Debug`: it holds a password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    email: String,
    password: String,
}

/// What the server takes for an address.
const EMAIL_PATTERN: &str = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$";

/// Body of `refresh` and `logout`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RefreshToken {
    refresh_token: String,
}

/// Answer of `register`, `login` and `refresh`, by the names of OAuth.
#[derive(Serialize, JsonSchema)]
struct Tokens {
    user_id: UserId,
    token_type: &'static str,
    access_token: String,
    /// Milliseconds since 1970.
    expires_at_ms: u64,
    refresh_token: String,
    /// Milliseconds since 1970, if it is not used before.
    refresh_expires_at_ms: u64,
}

/// A single-use ticket for `/ws?ticket=…`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ticket")]
struct TicketAnswer {
    ticket: String,
    expires_in_ms: u64,
}

/// What these routes work with.
struct Desk {
    auth: Arc<Auth>,
    limits: Arc<Limits>,
    body_wait: Duration,
}

/// The routes below `/api/v1/auth`, and `POST /api/v1/ws/ticket`. A body may take `body_wait`.
#[must_use]
pub fn auth_routes(auth: &Arc<Auth>, limits: &Arc<Limits>, body_wait: Duration) -> Vec<Route> {
    let desk = Desk { auth: Arc::clone(auth), limits: Arc::clone(limits), body_wait };
    let desk = Arc::new(desk);
    let bad_refresh = "`bad_refresh_token`: it is unknown, expired or was used before; sign in";
    let register = Operation::new("register", "auth", "Sign up, and sign in")
        .body::<Registration>()
        .answers::<Tokens>(201, "Tokens")
        .fails(409, "`email_taken`: there is an account with this address")
        .fails(422, "`validation_failed`: `errors` says what is wrong where");
    let login = Operation::new("login", "auth", "Sign in")
        .body::<Credentials>()
        .answers::<Tokens>(200, "Tokens")
        .fails(401, "`bad_credentials`: the address or the password is wrong");
    let refresh = Operation::new("refresh", "auth", "Exchange a refresh token for new tokens")
        .body::<RefreshToken>()
        .answers::<Tokens>(200, "Tokens")
        .fails(401, bad_refresh);
    let logout = Operation::new("logout", "auth", "End the sign-in of a refresh token")
        .body::<RefreshToken>()
        .sends(204, None, "It has ended, with its tokens, sockets and streams, or never was");
    let ticket = Operation::new("issueTicket", "auth", "Get a ticket for one WebSocket")
        .signed_in()
        .answers::<TicketAnswer>(201, "A ticket");
    vec![
        post(&desk, "/api/v1/auth/register", self::register).described(register),
        post(&desk, "/api/v1/auth/login", self::login).described(login),
        post(&desk, "/api/v1/auth/refresh", self::refresh).described(refresh),
        post(&desk, "/api/v1/auth/logout", self::logout).described(logout),
        post(&desk, "/api/v1/ws/ticket", self::ticket).described(ticket),
    ]
}

fn post<F, A>(desk: &Arc<Desk>, path: &'static str, handler: F) -> Route
where
    F: Fn(Arc<Desk>, Asked) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let desk = Arc::clone(desk);
    Route::at(Method::POST, path, move |asked| handler(Arc::clone(&desk), asked))
}

async fn register(desk: Arc<Desk>, asked: Asked) -> Result<Response, Problem> {
    desk.limits.auth(asked.client.source()).await?;
    asked.no_query()?;
    let Registration { email, password } = asked.json(desk.body_wait).await?;
    let grant = desk.auth.register(&email, password).await?;
    Ok(tokens(StatusCode::CREATED, grant))
}

async fn login(desk: Arc<Desk>, asked: Asked) -> Result<Response, Problem> {
    let source = asked.client.source();
    desk.limits.auth_here(source)?;
    asked.no_query()?;
    let Credentials { email, password } = asked.json(desk.body_wait).await?;
    desk.limits.sign_in(&email, source).await?;
    let grant = desk.auth.login(&email, password).await?;
    desk.limits.signed_in(&email, source).await;
    Ok(tokens(StatusCode::OK, grant))
}

async fn refresh(desk: Arc<Desk>, asked: Asked) -> Result<Response, Problem> {
    desk.limits.auth(asked.client.source()).await?;
    asked.no_query()?;
    let RefreshToken { refresh_token } = asked.json(desk.body_wait).await?;
    Ok(tokens(StatusCode::OK, desk.auth.refresh(&refresh_token).await?))
}

async fn logout(desk: Arc<Desk>, asked: Asked) -> Result<Response, Problem> {
    desk.limits.auth(asked.client.source()).await?;
    asked.no_query()?;
    let RefreshToken { refresh_token } = asked.json(desk.body_wait).await?;
    desk.auth.logout(&refresh_token).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

async fn ticket(desk: Arc<Desk>, asked: Asked) -> Result<Response, Problem> {
    let principal = bearer(&desk.auth, &asked.headers)?;
    asked.no_query()?;
    let ticket = desk.auth.issue_ticket(principal)?;
    let expires_in_ms = u64::try_from(ticket.life.as_millis()).unwrap_or(u64::MAX);
    Ok(reply(StatusCode::CREATED, &TicketAnswer { ticket: ticket.ticket, expires_in_ms }))
}

fn tokens(status: StatusCode, grant: Grant) -> Response {
    let tokens = Tokens {
        user_id: grant.user,
        token_type: "Bearer",
        access_token: grant.access.token,
        expires_at_ms: grant.access.expires_at_ms,
        refresh_token: grant.refresh_token,
        refresh_expires_at_ms: grant.refresh_expires_at_ms,
    };
    reply(status, &tokens)
}
