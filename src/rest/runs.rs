//! Runs: start, steer, cancel.

use super::{
    Asked, Context, Operation, Problem, Response, Route,
    context::route,
    idempotency::{Key, replayed},
    reply_raw,
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    id::RunId,
    method::{Method as Call, OnBusy, RunAccepted, RunCancel, RunCancelled, RunStart, RunSteer},
};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Body of `POST …/runs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRun {
    /// The prompt; at most 32 KiB of UTF-8.
    #[schemars(regex(pattern = r"\S"))]
    input: String,
    /// What to do when a run is under way.
    #[serde(default)]
    on_busy: OnBusy,
    /// A model; none: the default one.
    #[serde(default)]
    model: Option<String>,
    /// Whether to say first what would be built and what it costs, and to ask where that is not
    /// clear; none: as the server is configured.
    #[serde(default)]
    plan: Option<bool>,
}

/// Body of `POST …/steer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Steering {
    /// What is said to the run; at most 32 KiB of UTF-8.
    #[schemars(regex(pattern = r"\S"))]
    input: String,
}

/// Routes of runs.
pub(super) fn run_routes(context: &Arc<Context>) -> Vec<Route> {
    let start = Operation::new("startRun", "runs", "Start a run: what it says comes as events")
        .signed_in()
        .idempotent()
        .body::<NewRun>()
        .answers::<RunAccepted>(202, "The run was accepted, durably")
        .with("Idempotency-Replayed")
        .leads_to("steerRun", "run")
        .leads_to("cancelRun", "run")
        .fails(404, "`session_not_found`: no such session, or another user's")
        .fails(409, "`run_busy`, `session_closed`, `no_provider`")
        .fails(429, "`too_many_runs`, `queue_full`");
    let steer = Operation::new("steerRun", "runs", "Say something to the run under way")
        .signed_in()
        .idempotent()
        .body::<Steering>()
        .answers::<RunAccepted>(202, "It was said, as a run of its own that this one may take up")
        .with("Idempotency-Replayed")
        .leads_to("cancelRun", "run")
        .fails(404, "`session_not_found`, `run_not_found`")
        .fails(409, "`run_not_found`: it is not under way; `session_closed`")
        .fails(429, "`too_many_runs`, `queue_full`");
    let cancel = Operation::new("cancelRun", "runs", "Cancel a run, also one that is yet to start")
        .signed_in()
        .idempotent()
        .answers::<RunCancelled>(200, "Whether there was something to end")
        .with("Idempotency-Replayed")
        .fails(404, "`session_not_found`, `run_not_found`")
        .fails(409, "`session_closed`");
    vec![
        route(context, Method::POST, "/api/v1/sessions/{session}/runs", self::start)
            .described(start),
        route(context, Method::POST, "/api/v1/sessions/{session}/runs/{run}/steer", self::steer)
            .described(steer),
        route(context, Method::POST, "/api/v1/sessions/{session}/runs/{run}/cancel", self::cancel)
            .described(cancel),
    ]
}

async fn start(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let (session, key) = (asked.session()?, Key::of(&asked, principal)?);
    let NewRun { input, on_busy, model, plan } = asked.json(context.body_wait).await?;
    let call = Call::RunStart(session, key.command(), RunStart { input, on_busy, model, plan });
    let done = context.engine.call(principal, call).await?;
    Ok(replayed(reply_raw(StatusCode::ACCEPTED, &done.result), done.duplicate))
}

async fn steer(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let (session, key) = (asked.session()?, Key::of(&asked, principal)?);
    let run: RunId = asked.place("run").map_err(|_| {
        let message = "no such run; name the one that is under way";
        ErrorBody::new(Code::NotFound, Reason::RunNotFound, message)
    })?;
    let Steering { input } = asked.json(context.body_wait).await?;
    let call = Call::RunSteer(session, key.command(), RunSteer { run: Some(run), input });
    let done = context.engine.call(principal, call).await?;
    Ok(replayed(reply_raw(StatusCode::ACCEPTED, &done.result), done.duplicate))
}

async fn cancel(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let (session, key) = (asked.session()?, Key::of(&asked, principal)?);
    let by_run = asked.place::<RunId>("run").map(RunCancel::Run);
    let which = by_run.or_else(|_| asked.place("run").map(RunCancel::StartCid))?;
    let call = Call::RunCancel(session, key.command(), which);
    let done = context.engine.call(principal, call).await?;
    Ok(replayed(reply_raw(StatusCode::OK, &done.result), done.duplicate))
}
