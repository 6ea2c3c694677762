//! Credits: what a user has, what was paid, what a run would cost.

use super::{
    Asked, Context, Operation, Problem, Response, Route, context::route, page_limit, reply_raw,
};
use greenroom_protocol::{
    credits::{CreditsHistory, CreditsInfo, CreditsQuote, Quote, TransactionPage},
    id::SessionId,
    method::Method as Call,
};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Largest number of a transaction: what JSON can say everywhere.
const SEQ_MAX: u64 = (1 << 53) - 1;

/// Which page of the transactions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TransactionsQuery {
    /// `next_before` of the page before; none: from the newest.
    #[schemars(range(min = 0, max = SEQ_MAX))]
    before: Option<u64>,
    /// Most transactions.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// Body of `POST /credits/quote`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewQuote {
    /// The prompt; at most 32 KiB of UTF-8.
    #[schemars(regex(pattern = r"\S"))]
    input: String,
    /// A model; none: the default one.
    #[serde(default)]
    model: Option<String>,
    /// A session whose files the prompt would have; none: a new one.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = "^ses_[0-9a-f]{32}$"))]
    session: Option<SessionId>,
}

/// Routes of credits. Amounts are in micro-credits.
pub(super) fn credit_routes(context: &Arc<Context>) -> Vec<Route> {
    let get = Operation::new("getCredits", "credits", "Look at the own credits")
        .signed_in()
        .answers::<CreditsInfo>(200, "The balance, grants, and what runs reserve")
        .fails(501, "`unknown_method`: runs are free on this server");
    let history = Operation::new("listTransactions", "credits", "List transactions, newest first")
        .signed_in()
        .query::<TransactionsQuery>()
        .answers::<TransactionPage>(200, "A page")
        .fails(501, "`unknown_method`: runs are free on this server");
    let quote = Operation::new("getQuote", "credits", "Ask what a run is likely to cost")
        .signed_in()
        .body::<NewQuote>()
        .answers::<Quote>(200, "What it is likely to cost, and who pays in which case")
        .fails(404, "`session_not_found`: no such session, or another user's")
        .fails(501, "`unknown_method`: runs are free on this server");
    vec![
        route(context, Method::GET, "/api/v1/credits", self::get).described(get),
        route(context, Method::GET, "/api/v1/credits/history", self::history).described(history),
        route(context, Method::POST, "/api/v1/credits/quote", self::quote).described(quote),
    ]
}

async fn get(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let done = context.engine.call(principal, Call::CreditsGet).await?;
    Ok(reply_raw(StatusCode::OK, &done.result))
}

async fn history(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    let TransactionsQuery { before, limit } = asked.query()?;
    if before.is_some_and(|before| before > SEQ_MAX) {
        let detail = format!("before is 0 to {SEQ_MAX}");
        return Err(Problem::bad_request("malformed_query", detail));
    }
    let history = CreditsHistory { before, limit: page_limit(limit)? };
    let done = context.engine.call(principal, Call::CreditsHistory(history)).await?;
    Ok(reply_raw(StatusCode::OK, &done.result))
}

async fn quote(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let NewQuote { input, model, session } = asked.json(context.body_wait).await?;
    let call = Call::CreditsQuote(session, CreditsQuote { input, model });
    let done = context.engine.call(principal, call).await?;
    Ok(reply_raw(StatusCode::OK, &done.result))
}
