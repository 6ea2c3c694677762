//! Requests for input: a run asked, a person answers.

use super::{
    Asked, Context, Operation, Problem, Response, Route,
    context::route,
    idempotency::{Key, replayed},
    reply_raw,
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    method::{InputRespond, InputResponded, Method as Call},
};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Body of `POST …/respond`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAnswer {
    /// Whether to go on. Otherwise nothing comes of what was asked for.
    accept: bool,
    /// The answer to questions, which need one, or a remark on a plan; at most 32 KiB of UTF-8.
    #[serde(default)]
    text: String,
}

/// Routes of requests for input.
pub(super) fn request_routes(context: &Arc<Context>) -> Vec<Route> {
    let respond = Operation::new("respond", "runs", "Answer what a run asked, or decline it")
        .signed_in()
        .idempotent()
        .body::<NewAnswer>()
        .answers::<InputResponded>(202, "The answer was taken, durably; the run that goes on")
        .with("Idempotency-Replayed")
        .leads_to("cancelRun", "run")
        .fails(400, "`bad_prompt`: questions need words")
        .fails(404, "`session_not_found`, `request_not_found`: it is not, or no longer, open")
        .fails(409, "`session_closed`, `no_provider`")
        .fails(429, "`too_many_runs`");
    let path = "/api/v1/sessions/{session}/requests/{request}/respond";
    vec![route(context, Method::POST, path, self::respond).described(respond)]
}

async fn respond(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let (session, key) = (asked.session()?, Key::of(&asked, principal)?);
    let request = asked.place("request").map_err(|_| {
        let message = "no such request for input; GET the session to see the one that is open";
        ErrorBody::new(Code::NotFound, Reason::RequestNotFound, message)
    })?;
    let NewAnswer { accept, text } = asked.json(context.body_wait).await?;
    let respond = InputRespond { request, accept, text };
    let call = Call::InputRespond(session, key.command(), respond);
    let done = context.engine.call(principal, call).await?;
    Ok(replayed(reply_raw(StatusCode::ACCEPTED, &done.result), done.duplicate))
}
