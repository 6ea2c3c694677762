//! History: the log, backwards.

use super::{
    Asked, Context, Operation, Problem, Response, Route, context::route, page_limit, reply_raw,
};
use greenroom_protocol::{
    id::Seq,
    method::{HistoryGet, HistoryPage, Method as Call},
};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Largest number of an entry: what JSON can say everywhere.
const SEQ_MAX: u64 = (1 << 53) - 1;

/// Which page of a history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// `next_before` of the page after; none: from the head.
    #[schemars(range(min = 0, max = SEQ_MAX))]
    before: Option<u64>,
    /// Most entries; there are fewer where the answer would grow too large.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// The route of a session's history.
pub(super) fn history_routes(context: &Arc<Context>) -> Vec<Route> {
    let read = Operation::new("readHistory", "events", "Read entries backwards, a page at a time")
        .signed_in()
        .query::<HistoryQuery>()
        .answers::<HistoryPage>(200, "Entries in order; the page says where the one before it ends")
        .fails(404, "`session_not_found`: no such session, or another user's");
    let path = "/api/v1/sessions/{session}/history";
    vec![route(context, Method::GET, path, self::read).described(read)]
}

async fn read(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    let HistoryQuery { before, limit } = asked.query()?;
    if before.is_some_and(|before| before > SEQ_MAX) {
        let detail = format!("before is 0 to {SEQ_MAX}");
        return Err(Problem::bad_request("malformed_query", detail));
    }
    let get = HistoryGet { before: before.map(Seq), limit: page_limit(limit)? };
    let call = Call::HistoryGet(asked.session()?, get);
    let done = context.engine.call(principal, call).await?;
    Ok(reply_raw(StatusCode::OK, &done.result))
}
