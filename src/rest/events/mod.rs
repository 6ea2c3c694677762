//! Events of a session: page by page, waiting for more, or as a stream.
//!
//! One address, three ways to read it, over the same log and by the same cursors as the WebSocket.

mod page;
mod sse;

use super::{Asked, Context, Operation, Problem, Response, Route, context::route};
use greenroom_actors::{Begun, Follower};
use greenroom_protocol::{
    error::{ErrorBody, Reason},
    frame::After,
    id::{Cursor, Epoch, Seq},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use page::PageView;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{str::FromStr, sync::Arc, time::Duration};

/// The header by which a browser takes a stream up again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// From where, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// A cursor, `epoch.seq`: with the entry after it. `start`: with the first one. `open`: with
    /// the first one of what is being written. `live`: with the next one to come. None: `start`.
    #[schemars(regex(pattern = r"^(start|open|live|[0-9]{1,15}\.[0-9]{1,15})$"))]
    after: Option<String>,
    /// Most entries of a page; it has fewer where it would grow beyond 64 KiB.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// How long an empty page waits for an entry, in milliseconds.
    #[schemars(range(min = 0, max = 25_000))]
    wait_ms: Option<u32>,
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Page,
    Stream,
}

/// The route of a session's events.
pub(super) fn event_routes(context: &Arc<Context>) -> Vec<Route> {
    let summary = "Read events: a page (`application/json`), waiting up to `wait_ms` for one, or a \
                   stream (`text/event-stream`) whose ids are cursors";
    let read = Operation::new("readEvents", "events", summary)
        .signed_in()
        .query::<EventsQuery>()
        .header("Last-Event-ID")
        .answers::<PageView>(200, "Entries after the cursor, in order and without a gap")
        .sends(200, Some("text/event-stream"), "A stream")
        .fails(404, "`session_not_found`: no such session, or another user's")
        .fails(406, "`not_acceptable`: `Accept` takes neither form")
        .fails(410, "`epoch_changed`, `seq_ahead`: the place is none of this log; what was read is void, and `cursor` says where to go on")
        .fails(429, "`too_many_attachments`: the user has too many sockets and streams");
    let path = "/api/v1/sessions/{session}/events";
    vec![route(context, Method::GET, path, events).described(read)]
}

async fn events(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    let EventsQuery { after, limit, wait_ms } = asked.query()?;
    let (limit, session) = (super::page_limit(limit)?, asked.session()?);
    let wait = page::wait(wait_ms, context.poll_wait())?;
    let last = asked.header(&LAST_EVENT_ID)?;
    let after = last.filter(|id| !id.is_empty()).or(after.as_deref()).unwrap_or("start");
    let Place(after) = after.parse()?;
    let form = form(&asked.headers)?;
    let follower = context.engine.follow(principal, session, after).await?;
    match form {
        Form::Page => page::page(follower, limit, wait, &asked.leaving).await,
        Form::Stream => Ok(sse::stream(follower, asked.leaving)),
    }
}

/// Answers with a page of what `follow` attaches to, which may wait `most`.
pub(super) async fn read_page<F>(
    asked: &Asked,
    most: Duration,
    follow: impl FnOnce(After) -> F,
) -> Result<Response, Problem>
where
    F: Future<Output = Result<Follower, ErrorBody>>,
{
    let EventsQuery { after, limit, wait_ms } = asked.query()?;
    let (limit, wait) = (super::page_limit(limit)?, page::wait(wait_ms, most)?);
    let Place(after) = after.as_deref().unwrap_or("start").parse()?;
    page::page(follow(after).await?, limit, wait, &asked.leaving).await
}

/// What the client takes: a stream where it names one, else a page.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let accepts = headers.get_all(header::ACCEPT).iter();
    let ranges: Vec<&str> = accepts
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|range| !range.split(';').any(|field| is_zero(field.trim())))
        .filter_map(|range| range.split(';').next())
        .map(str::trim)
        .collect();
    let takes = |media_type: &str| ranges.iter().any(|of| of.eq_ignore_ascii_case(media_type));
    if takes("text/event-stream") {
        Ok(Form::Stream)
    } else if !headers.contains_key(header::ACCEPT)
        || ["application/json", "application/*", "*/*"].into_iter().any(takes)
    {
        Ok(Form::Page)
    } else {
        let detail = "accept application/json for pages or text/event-stream for a stream";
        Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail))
    }
}

/// Whether a parameter of a media range says "not this one".
fn is_zero(field: &str) -> bool {
    let value = field.strip_prefix("q=").or_else(|| field.strip_prefix("Q="));
    value.is_some_and(|value| value.parse().is_ok_and(|q: f32| q <= 0.0))
}

/// A place as a query names it.
struct Place(After);

impl FromStr for Place {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let after = match text {
            "start" => Some(After::Start),
            "live" => Some(After::Live),
            "open" => Some(After::Open),
            _ => text.split_once('.').and_then(|(epoch, seq)| {
                let (epoch, seq) = (Epoch(number(epoch)?), Seq(number(seq)?));
                Some(After::Cursor(Cursor { epoch, seq }))
            }),
        };
        after.map(Self).ok_or_else(|| {
            let detail = "after is start, open, live, or a cursor as an answer gave it: epoch.seq";
            Problem::bad_request("malformed_query", detail)
        })
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn cursor(Cursor { epoch, seq }: Cursor) -> String {
    format!("{epoch}.{seq}")
}

/// The problem of a place that does not exist, for a client that did not begin to read.
fn reset(follower: &Follower) -> Option<Problem> {
    let Begun::Reset(reset) = follower.begun() else { return None };
    let detail = if reset.reason == Reason::EpochChanged {
        "the log's history changed since this cursor; what was read is void: go on at cursor"
    } else {
        "the log does not reach this cursor; what was read is void: go on at cursor"
    };
    let error = ErrorBody::new(greenroom_protocol::error::Code::NotFound, reset.reason, detail);
    let problem = Problem { status: StatusCode::GONE, ..Problem::from(error) };
    let cursor = cursor(Cursor { epoch: reset.epoch, seq: reset.after });
    Some(Problem { cursor: Some(cursor.into()), ..problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn form_of(accept: &'static str) -> Option<Form> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        form(&headers).ok()
    }

    #[test]
    fn a_client_that_names_a_stream_gets_one_and_any_other_a_page() {
        assert_eq!(form(&HeaderMap::new()).ok(), Some(Form::Page));
        assert_eq!(form_of("*/*"), Some(Form::Page));
        assert_eq!(form_of("application/json"), Some(Form::Page));
        assert_eq!(form_of("text/event-stream"), Some(Form::Stream));
        assert_eq!(form_of("application/json;q=0.5, Text/Event-Stream"), Some(Form::Stream));
        assert_eq!(form_of("text/event-stream;q=0, */*"), Some(Form::Page));
        assert_eq!(form_of("text/html"), None);
        assert_eq!(form_of("application/json; q=0.0"), None);
        assert_eq!(form_of(""), None);
    }

    #[test]
    fn a_place_is_a_word_or_a_cursor() {
        let place = |text: &str| text.parse::<Place>().ok().map(|Place(after)| after);
        let at = Cursor { epoch: Epoch(2), seq: Seq(41) };
        assert_eq!(place("2.41"), Some(After::Cursor(at)));
        assert_eq!(place("live"), Some(After::Live));
        for bad in ["", "2", "2.", ".41", "-1.2", "+1.2", "1.2.3", "1. 2", "1.1234567890123456"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
