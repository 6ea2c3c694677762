//! Time: forks, rollbacks, differences between commits.

use super::{
    Asked, Context, Operation, Problem, Response, Route,
    context::route,
    idempotency::{Key, replayed},
    reply, reply_raw,
    sessions::{SessionView, begun, view},
};
use greenroom_protocol::{
    id::{Seq, SessionId},
    method::{DiffPage, Method as Call, SessionDiff, SessionFork, SessionRollback},
};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Body of `POST …/fork`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewFork {
    /// The entry to begin at; none: the head. Runs that had not ended by then are left out.
    #[serde(default)]
    #[schemars(range(min = 1))]
    at: Option<Seq>,
    /// The new session's title, at most 200 bytes of UTF-8; none: the parent's.
    #[serde(default)]
    title: Option<String>,
    /// An id of the client's choice; none: the server makes one.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = "^ses_[0-9a-f]{32}$"))]
    session: Option<SessionId>,
}

/// Body of `POST …/rollback`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rollback {
    /// The entry to go back to. Runs that had not ended by then are left out.
    #[schemars(range(min = 1))]
    to: Seq,
}

/// Which page of what differs between which commits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    /// Git id of the older commit; none: the one before `to`.
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    from: Option<String>,
    /// Git id of the newer commit; none: the head.
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    to: Option<String>,
    /// `next_after` of the page before.
    after: Option<String>,
}

/// Routes of forks, rollbacks and differences.
pub(super) fn branch_routes(context: &Arc<Context>) -> Vec<Route> {
    let fork = Operation::new("forkSession", "sessions", "Begin a session from what another was")
        .signed_in()
        .idempotent()
        .body::<NewFork>()
        .answers::<SessionView>(201, "The new session")
        .with("Location")
        .with("Idempotency-Replayed")
        .fails(404, "`session_not_found`: no such session, or another user's")
        .fails(409, "`session_exists`: the user has another session of this id");
    let rollback =
        Operation::new("rollBackSession", "sessions", "Go on from what a session was at an entry")
            .signed_in()
            .idempotent()
            .body::<Rollback>()
            .answers::<SessionView>(200, "The session, whose last entry is the rollback")
            .with("Idempotency-Replayed")
            .fails(404, "`session_not_found`: no such session, or another user's")
            .fails(409, "`run_busy`, `session_closed`");
    let diff = Operation::new("getDiff", "files", "What differs between two commits")
        .signed_in()
        .query::<DiffQuery>()
        .answers::<DiffPage>(200, "Files with patches; without a commit there is none yet")
        .fails(404, "`session_not_found`, `file_not_found`: no such session or commit");
    vec![
        route(context, Method::POST, "/api/v1/sessions/{session}/fork", self::fork).described(fork),
        route(context, Method::POST, "/api/v1/sessions/{session}/rollback", roll_back)
            .described(rollback),
        route(context, Method::GET, "/api/v1/sessions/{session}/diff", self::diff).described(diff),
    ]
}

async fn fork(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let (parent, key) = (asked.session()?, Key::of(&asked, principal)?);
    let NewFork { at, title, session } = asked.json(context.body_wait).await?;
    let fork = SessionFork { parent, at, title };
    begun(&context, key, session, |session, cid| Call::SessionFork(session, cid, fork)).await
}

async fn roll_back(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let (session, key) = (asked.session()?, Key::of(&asked, principal)?);
    let Rollback { to } = asked.json(context.body_wait).await?;
    let call = Call::SessionRollback(session, key.command(), SessionRollback { to });
    let done = context.engine.call(principal, call).await?;
    Ok(replayed(reply(StatusCode::OK, &view(&done)?), done.duplicate))
}

async fn diff(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    let DiffQuery { from, to, after } = asked.query()?;
    let call = Call::SessionDiff(asked.session()?, SessionDiff { from, to, after });
    let done = context.engine.call(principal, call).await?;
    Ok(reply_raw(StatusCode::OK, &done.result))
}
