//! Calls: from a method to its result.

use super::{attach, branch, credits, diff, files, serve::Edge};
use crate::{
    port::{Limited, Principal, SessionRow, StoreError},
    session::{Answer, Answered, command::Command, reader},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    frame::{Call, ServerFrame, Status, entries_json, write_ok},
    id::{Seq, SessionId, UserId},
    method::{HistoryGet, Method, SessionInfo, SessionList, SessionPage, page_items},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Largest page of entries, in bytes, so that an answer stays a moderate frame.
const PAGE_BYTES_MAX: usize = 32 * 1024;

type Result<T> = std::result::Result<T, ErrorBody>;

/// What a method brought.
#[derive(Clone, Debug)]
pub struct Done {
    /// The method's result as JSON: see [`greenroom_protocol::method`].
    pub result: Box<RawValue>,
    /// The command had been accepted before; this is the answer of that time, or its like.
    pub duplicate: bool,
}

/// Performs a call: the frame that answers it.
pub(super) async fn perform(edge: &Edge, principal: Principal, call: &Call) -> String {
    let result = match Method::from_call(call) {
        Ok(method) => dispatch(edge, principal, method).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(Done { result, duplicate }) => write_ok(call.id, duplicate, &result),
        Err(error) => ServerFrame::Err { id: call.id, error }.encode(),
    }
}

/// Performs a method whose parameters were checked.
///
/// # Errors
/// What to tell the client.
pub(crate) async fn dispatch(edge: &Edge, principal: Principal, method: Method) -> Result<Done> {
    let by = principal.user;
    count(edge, by, starts_run(&method)).await?;
    let (session, command) = match method {
        Method::SessionCreate(session, cid, create) => {
            (session, Command::Create { cid, title: create.title, origin: None })
        }
        Method::SessionClose(session, cid) => (session, Command::Close { cid }),
        Method::RunStart(session, cid, start) => (session, Command::Start { cid, start }),
        Method::RunCancel(session, cid, cancel) => (session, Command::Cancel { cid, cancel }),
        Method::RunSteer(session, cid, steer) => (session, Command::Steer { cid, steer }),
        Method::InputRespond(session, cid, respond) => (session, Command::Respond { cid, respond }),
        Method::SessionFork(session, cid, fork) => {
            return branch::fork(edge, principal, (session, cid), fork).await;
        }
        Method::SessionRollback(session, cid, rollback) => {
            return branch::roll_back(edge, principal, (session, cid), rollback.to).await;
        }
        Method::SessionDiff(session, diff) => {
            let row = owned(edge, principal, session).await?;
            return first(&diff::diff(edge, &row, &diff).await?);
        }
        Method::SessionGet(session) => return first(&get(edge, principal, session).await?),
        Method::SessionList(list) => return first(&sessions(edge, principal, &list).await?),
        Method::HistoryGet(session, get) => {
            let result = history(edge, principal, session, &get).await?;
            return Ok(Done { result, duplicate: false });
        }
        Method::FilesList(session, list) => {
            let row = owned(edge, principal, session).await?;
            return first(&files::list(edge, &row, &list).await?);
        }
        Method::FilesGet(session, get) => {
            let row = owned(edge, principal, session).await?;
            return first(&files::get(edge, &row, &get).await?);
        }
        Method::CreditsGet => return first(&credits::get(edge, by).await?),
        Method::CreditsHistory(history) => {
            return first(&credits::history(edge, by, history).await?);
        }
        Method::CreditsQuote(session, quote) => {
            return first(&credits::quote(edge, principal, session, quote).await?);
        }
    };
    done(edge.sessions.call(session, by, command).await?)
}

/// Whether a run begins by it, if the session takes it.
const fn starts_run(method: &Method) -> bool {
    match method {
        Method::RunStart(..) | Method::RunSteer(..) => true,
        Method::InputRespond(_, _, respond) => respond.accept,
        Method::SessionCreate(..)
        | Method::SessionClose(..)
        | Method::SessionFork(..)
        | Method::SessionRollback(..)
        | Method::SessionDiff(..)
        | Method::SessionGet(..)
        | Method::SessionList(..)
        | Method::RunCancel(..)
        | Method::HistoryGet(..)
        | Method::FilesList(..)
        | Method::FilesGet(..)
        | Method::CreditsGet
        | Method::CreditsHistory(..)
        | Method::CreditsQuote(..) => false,
    }
}

/// Counts an operation of a user over all nodes; this node has counted it before.
///
/// # Errors
/// What to tell the client.
pub(crate) async fn count(edge: &Edge, user: UserId, starts_run: bool) -> Result<()> {
    let all = [Limited::UserMessage(user), Limited::RunStart(user)];
    let counted = if starts_run { &all[..] } else { &all[..1] };
    edge.node.limiter.check_all_nodes(counted).await.map_err(|retry_after_ms| {
        edge.node.meter.rate_limited.inc();
        let message = "too much is asked for in a short time, over all nodes; wait a little";
        ErrorBody::new(Code::ResourceExhausted, Reason::RateLimited, message)
            .retry_after_ms(retry_after_ms)
    })
}

/// A session's answer as JSON.
pub(super) fn done(Answered { answer, duplicate }: Answered) -> Result<Done> {
    let result = match answer {
        Answer::Info(info) => json(&info)?,
        Answer::Accepted(accepted) => json(&accepted)?,
        Answer::Cancelled(cancelled) => json(&cancelled)?,
        Answer::Responded(responded) => json(&responded)?,
        Answer::Taken | Answer::Moved => json(&())?,
    };
    Ok(Done { result, duplicate })
}

fn json(value: &impl Serialize) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(|_| ErrorBody::internal())
}

fn first(value: &impl Serialize) -> Result<Done> {
    Ok(Done { result: json(value)?, duplicate: false })
}

/// The store's failure, as the client sees it.
pub(super) fn unavailable(error: StoreError) -> ErrorBody {
    tracing::warn!(%error, "a read failed");
    match error {
        StoreError::Unavailable(_) => ErrorBody::store_unavailable(),
        StoreError::Corrupt(_) => ErrorBody::internal(),
    }
}

/// The row of a session that is the caller's.
pub(super) async fn owned(
    edge: &Edge,
    principal: Principal,
    session: SessionId,
) -> Result<SessionRow> {
    let row = edge.node.store.session(session).await.map_err(unavailable)?;
    row.filter(|row| row.user == principal.user).ok_or_else(ErrorBody::session_not_found)
}

/// One session, without waking it.
async fn get(edge: &Edge, principal: Principal, session: SessionId) -> Result<SessionInfo> {
    let row = owned(edge, principal, session).await?;
    let lease = edge.sessions.lease(session).await?;
    let feed = attach::feed(edge, &lease, session).await?;
    let view = feed.view();
    let mut info = info(row);
    (info.head, info.status, info.run) = (view.head, view.status, view.run);
    info.request = view.request;
    if info.status == Status::Waiting && info.request.is_none() {
        // Only the session itself knows which request it sleeps on.
        let answered = edge.sessions.call(session, principal.user, Command::Get).await?;
        if let Answer::Info(awake) = answered.answer {
            return Ok(*awake);
        }
    }
    if info.commit.is_none() || view.run.is_some() {
        info.commit = files::head(edge, session).await?.or(info.commit);
    }
    Ok(info)
}

fn info(row: SessionRow) -> SessionInfo {
    SessionInfo {
        session: row.session,
        epoch: row.epoch,
        head: row.projection.seq,
        parent: row.parent(),
        request: None,
        title: row.title,
        status: row.projection.status,
        run: None,
        commit: row.projection.commit,
        created_at: row.created_at_ms,
    }
}

async fn sessions(edge: &Edge, principal: Principal, list: &SessionList) -> Result<SessionPage> {
    let after = list.cursor.as_deref().map(parse_cursor).transpose()?;
    let limit = page_items(list.limit);
    let page = edge.node.store.sessions_of(principal.user, after, limit).await;
    let page = page.map_err(unavailable)?;
    let last = page.rows.last().map(|row| format!("{}.{}", row.created_at_ms, row.session));
    let next_cursor = last.filter(|_| page.more);
    Ok(SessionPage { items: page.rows.into_iter().map(info).collect(), next_cursor })
}

fn parse_cursor(cursor: &str) -> Result<(u64, SessionId)> {
    let parts = cursor.split_once('.');
    parts.and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?))).ok_or_else(|| {
        let message = "the cursor is none of this list; start again without one";
        ErrorBody::new(Code::InvalidArgument, Reason::Malformed, message)
    })
}

/// Entries before a place, in order; the page says itself where the one before it ends.
async fn history(
    edge: &Edge,
    principal: Principal,
    session: SessionId,
    get: &HistoryGet,
) -> Result<Box<RawValue>> {
    owned(edge, principal, session).await?;
    let lease = edge.sessions.lease(session).await?;
    let feed = attach::feed(edge, &lease, session).await?;
    let head = feed.view().head;
    let last = get.before.map_or(head, |before| before.prev().min(head));
    let first = Seq(last.0.saturating_sub(u64::from(page_items(get.limit))));
    let range = reader::read_range(&feed, &*edge.node.store, first, last).await;
    let rests: Vec<String> = range
        .map_err(unavailable)?
        .into_iter()
        .map(|(_, rest)| String::from_utf8_lossy(&rest).into_owned())
        .collect();
    // The latest that fit: a reader goes backwards.
    let mut bytes = 0;
    let fits = |rest: &&String| {
        let fits = bytes == 0 || bytes + rest.len() <= PAGE_BYTES_MAX;
        bytes += rest.len();
        fits
    };
    let count = rests.iter().rev().take_while(fits).count();
    let page = rests.iter().skip(rests.len() - count).map(String::as_str);
    let entries = entries_json(page).ok_or_else(ErrorBody::internal)?;
    let begins = last.0 + 1 - count as u64;
    let next = if begins > 1 { format!(r#","next_before":{begins}"#) } else { String::new() };
    let page = format!(r#"{{"epoch":{},"entries":{}{next}}}"#, feed.epoch, entries.get());
    RawValue::from_string(page).map_err(|_| ErrorBody::internal())
}
