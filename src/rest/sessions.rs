//! Sessions: list, create, look at, close.

use super::{
    Asked, Context, Operation, Problem, Response, Route,
    context::route,
    etag::{digest, not_modified, tagged},
    idempotency::{Key, replayed},
    page_limit, reply, reply_bytes,
};
use crate::utc::Utc;
use greenroom_actors::Done;
use greenroom_protocol::{
    error::{ErrorBody, Reason},
    frame::{OpenRun, Status},
    id::{CommandId, Epoch, Seq, SessionId},
    method::{Method as Call, Parent, SessionCreate, SessionInfo, SessionList, SessionPage},
};
use http::{HeaderValue, Method, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Body of `POST /sessions`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSession {
    /// For lists; at most 200 bytes of UTF-8.
    #[serde(default)]
    title: String,
    /// An id of the client's choice; none: the server makes one. A repeat under the same id has
    /// one effect, too.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = "^ses_[0-9a-f]{32}$"))]
    session: Option<SessionId>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    /// `next_cursor` of the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,15}\.ses_[0-9a-f]{32}$"))]
    cursor: Option<String>,
    /// Most items.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct SessionView {
    /// Its id.
    session: SessionId,
    /// Its title.
    title: String,
    /// What it does.
    status: Status,
    /// Incarnation of its log.
    epoch: Epoch,
    /// Last entry of its log.
    head: Seq,
    /// The place of that entry, to follow from here.
    cursor: String,
    /// The run that it is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<OpenRun>,
    /// Git id of its last commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// Where it was forked, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    /// Number of the request for input that it waits with; not said in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<u32>,
}

/// A page of sessions, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sessions")]
struct PageView {
    items: Vec<SessionView>,
    /// `cursor` of the next page; none: this was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl From<SessionInfo> for SessionView {
    fn from(info: SessionInfo) -> Self {
        let SessionInfo { session, epoch, head, title, status, run, commit, .. } = info;
        let (cursor, created_at) =
            (format!("{epoch}.{head}"), Utc::of_ms(info.created_at).to_string());
        let (parent, request) = (info.parent, info.request);
        Self {
            session,
            title,
            status,
            epoch,
            head,
            cursor,
            run,
            commit,
            created_at,
            parent,
            request,
        }
    }
}

/// Routes of sessions themselves.
pub(super) fn session_routes(context: &Arc<Context>) -> Vec<Route> {
    let unknown = "`session_not_found`: no such session, or another user's";
    let list = Operation::new("listSessions", "sessions", "List sessions, newest first")
        .signed_in()
        .query::<PageQuery>()
        .answers::<PageView>(200, "A page");
    let create = Operation::new("createSession", "sessions", "Create a session")
        .signed_in()
        .idempotent()
        .body::<NewSession>()
        .answers::<SessionView>(201, "The session")
        .with("Location")
        .with("Idempotency-Replayed")
        .leads_to("getSession", "session")
        .leads_to("startRun", "session")
        .leads_to("readEvents", "session")
        .leads_to("readHistory", "session")
        .leads_to("listFiles", "session")
        .leads_to("getArchive", "session")
        .leads_to("closeSession", "session")
        .leads_to("forkSession", "session")
        .leads_to("rollBackSession", "session")
        .leads_to("getDiff", "session")
        .fails(404, "`session_not_found`: the id belongs to another user")
        .fails(409, "`session_exists`: the user has a session of this id, with another title");
    let get = Operation::new("getSession", "sessions", "Look at a session")
        .signed_in()
        .answers::<SessionView>(200, "The session")
        .conditional()
        .fails(404, unknown);
    let close = Operation::new("closeSession", "sessions", "Close a session")
        .signed_in()
        .idempotent()
        .answers::<SessionView>(200, "The session, which takes no more runs; its run is cancelled")
        .with("Idempotency-Replayed")
        .fails(404, unknown);
    let (all, one) = ("/api/v1/sessions", "/api/v1/sessions/{session}");
    vec![
        route(context, Method::GET, all, self::list).described(list),
        route(context, Method::POST, all, self::create).described(create),
        route(context, Method::GET, one, self::get).described(get),
        route(context, Method::POST, "/api/v1/sessions/{session}/close", self::close)
            .described(close),
    ]
}

async fn list(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    let PageQuery { cursor, limit } = asked.query()?;
    let list = SessionList { cursor, limit: page_limit(limit)? };
    let done = context.engine.call(principal, Call::SessionList(list)).await?;
    let page: SessionPage = read(&done)?;
    let items = page.items.into_iter().map(SessionView::from).collect();
    Ok(reply(StatusCode::OK, &PageView { items, next_cursor: page.next_cursor }))
}

async fn create(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let key = Key::of(&asked, principal)?;
    let NewSession { title, session } = asked.json(context.body_wait).await?;
    let create = SessionCreate { title };
    begun(&context, key, session, |session, cid| Call::SessionCreate(session, cid, create)).await
}

/// Begins a session under the id that the client chose, or else under its key's.
pub(super) async fn begun(
    context: &Context,
    key: Key,
    chosen: Option<SessionId>,
    call: impl FnOnce(SessionId, CommandId) -> Call,
) -> Result<Response, Problem> {
    // The id that the client chose is as good as a key.
    let key = key.or(chosen.map(|session| session.to_string()));
    let session = chosen.unwrap_or_else(|| key.session());
    let call = call(session, key.command());
    let done = context.engine.call(key.principal, call).await.map_err(|error| {
        if key.is_given || error.reason != Reason::IdempotencyConflict {
            return Problem::from(error);
        }
        let detail = "there is another session of this id; choose another id";
        Problem::new(StatusCode::CONFLICT, "session_exists", detail)
    })?;
    let mut response = reply(StatusCode::CREATED, &view(&done)?);
    let location = HeaderValue::from_str(&format!("/api/v1/sessions/{session}"));
    response.headers_mut().extend(location.ok().map(|address| (header::LOCATION, address)));
    Ok(replayed(response, done.duplicate))
}

async fn get(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let call = Call::SessionGet(asked.session()?);
    let view = view(&context.engine.call(principal, call).await?)?;
    let json = serde_json::to_vec(&view).map_err(|_| Problem::internal())?;
    let etag = digest(&json);
    let held = not_modified(&asked, &etag, false)?;
    let answer = || reply_bytes(StatusCode::OK, "application/json", json.into());
    Ok(held.unwrap_or_else(|| tagged(answer(), &etag, false)))
}

async fn close(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    asked.no_query()?;
    let key = Key::of(&asked, principal)?;
    let call = Call::SessionClose(asked.session()?, key.command());
    let done = context.engine.call(principal, call).await?;
    Ok(replayed(reply(StatusCode::OK, &view(&done)?), done.duplicate))
}

pub(super) fn view(done: &Done) -> Result<SessionView, Problem> {
    read::<SessionInfo>(done).map(SessionView::from)
}

/// What the engine answered, as its type.
pub(super) fn read<T: for<'de> Deserialize<'de>>(done: &Done) -> Result<T, Problem> {
    serde_json::from_str(done.result.get()).map_err(|_| ErrorBody::internal().into())
}
