//! Operators' orders, on the internal port.

use super::{Asked, Problem, Response, Route, events, reply};
use crate::auth::Auth;
use greenroom_actors::Engine;
use greenroom_protocol::{credits::Grant, id::UserId};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// What operators' routes work with.
#[derive(Clone)]
pub struct Admin {
    /// Who is who.
    pub auth: Arc<Auth>,
    /// Who does it.
    pub engine: Arc<Engine>,
    /// How long a body may take to arrive.
    pub body_wait: Duration,
    /// Longest wait of a poll.
    pub poll_wait: Duration,
    /// Cancelled to drain the node.
    pub leave: CancellationToken,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admin")
    }
}

/// Whose credits to look at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    email: String,
}

/// Body of `POST /admin/credits/grants`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// E-mail address of the user.
    pub email: String,
    /// Name of the grant: a repeat under it has one effect.
    pub name: String,
    /// Micro-credits.
    pub amount: u64,
    /// Its terms.
    pub grant: Grant,
    /// For a person.
    pub note: String,
}

/// Longest name and longest note of a grant, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// Body of an order that needs no more words: `{}`. It must be JSON all the same, which a page of
/// another origin cannot send from the browser of who can reach this port.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {}

/// How many sessions to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<usize>,
}

/// Sessions that are listed at once at most, and where nothing else is said.
const SESSIONS_MAX: usize = 1000;
const SESSIONS: usize = 100;

/// All below `/admin`.
#[must_use]
pub fn admin_routes(admin: &Admin) -> Vec<Route> {
    let (look, give) = (admin.clone(), admin.clone());
    let (list, read, end) = (admin.clone(), admin.clone(), admin.clone());
    let (nodes, leave) = (admin.clone(), admin.clone());
    let events = "/admin/sessions/{session}/events";
    let kill = "/admin/sessions/{session}/kill";
    vec![
        Route::at(Method::GET, "/admin/sessions", move |asked| sessions(list.clone(), asked)),
        Route::at(Method::GET, events, move |asked| read_events(read.clone(), asked)),
        Route::at(Method::GET, "/admin/nodes", move |asked| list_nodes(nodes.clone(), asked)),
        Route::at(Method::POST, "/admin/drain", move |asked| drain(leave.clone(), asked)),
        Route::at(Method::POST, kill, move |asked| kill_session(end.clone(), asked)),
        Route::at(Method::GET, "/admin/credits", move |asked| credits(look.clone(), asked)),
        Route::at(Method::POST, "/admin/credits/grants", move |asked| grant(give.clone(), asked)),
    ]
}

async fn credits(admin: Admin, asked: Asked) -> Result<Response, Problem> {
    let Whose { email } = asked.query()?;
    let user = user(&admin, &email).await?;
    let info = admin.engine.credits(user).await?;
    Ok(reply(StatusCode::OK, &info))
}

async fn grant(admin: Admin, asked: Asked) -> Result<Response, Problem> {
    asked.no_query()?;
    let NewGrant { email, name, amount, grant, note } = asked.json(admin.body_wait).await?;
    let is_plain = |text: &str| text.len() <= TEXT_BYTES_MAX && !text.contains(char::is_control);
    if name.is_empty() || !is_plain(&name) || !is_plain(&note) {
        let detail = format!("name and note are at most {TEXT_BYTES_MAX} bytes of one line");
        return Err(Problem::bad_request("malformed_request", detail));
    }
    let user = user(&admin, &email).await?;
    let info = admin.engine.grant_credits(user, &name, amount, (grant, note)).await?;
    Ok(reply(StatusCode::OK, &info))
}

async fn sessions(admin: Admin, asked: Asked) -> Result<Response, Problem> {
    let ListQuery { limit } = asked.query()?;
    let limit = limit.unwrap_or(SESSIONS).min(SESSIONS_MAX);
    Ok(reply(StatusCode::OK, &admin.engine.sessions(limit).await))
}

async fn read_events(admin: Admin, asked: Asked) -> Result<Response, Problem> {
    let session = asked.session()?;
    events::read_page(&asked, admin.poll_wait, |after| admin.engine.watch(session, after)).await
}

async fn kill_session(admin: Admin, asked: Asked) -> Result<Response, Problem> {
    asked.no_query()?;
    let session = asked.session()?;
    let Order {} = asked.json(admin.body_wait).await?;
    if admin.engine.kill_session(session).await {
        return Ok(reply(StatusCode::ACCEPTED, &serde_json::json!({ "killed": session })));
    }
    let detail = "the session is not awake on this node";
    Err(Problem::new(StatusCode::NOT_FOUND, "session_not_live", detail))
}

async fn list_nodes(admin: Admin, asked: Asked) -> Result<Response, Problem> {
    asked.no_query()?;
    Ok(reply(StatusCode::OK, &admin.engine.nodes().await?))
}

async fn drain(admin: Admin, asked: Asked) -> Result<Response, Problem> {
    asked.no_query()?;
    let Order {} = asked.json(admin.body_wait).await?;
    admin.leave.cancel();
    Ok(reply(StatusCode::ACCEPTED, &serde_json::json!({ "draining": true })))
}

async fn user(admin: &Admin, email: &str) -> Result<UserId, Problem> {
    admin.auth.user(email).await?.ok_or_else(|| {
        let detail = "no account has this e-mail address";
        Problem::new(StatusCode::NOT_FOUND, "user_not_found", detail)
    })
}
