//! A page of events, with patience: long polling.

use super::{cursor, reset};
use crate::rest::{Leaving, Problem, Response, reply};
use greenroom_actors::{Followed, Follower};
use greenroom_protocol::{
    error::ErrorBody,
    frame::{Entry, Status, entries_json},
    id::{Epoch, Seq},
    limit::PAGE_ITEMS_MAX,
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Longest wait that may be asked for, in milliseconds.
const WAIT_MS_MAX: u32 = 25_000;

/// How long a poll gathers what a run says, at least: one that asks again at once, for as long as a
/// run goes on, stays well below the limit of requests.
const GATHER: Duration = Duration::from_millis(200);

/// A page of events.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Events")]
pub(super) struct PageView {
    /// In order and without a gap, as they are in the log.
    #[schemars(with = "Vec<Entry>")]
    entries: Box<RawValue>,
    /// `after` of the next page: the place of the last entry of this one.
    cursor: String,
    /// Incarnation of the log.
    epoch: Epoch,
    /// Last entry of the log.
    head: Seq,
    /// What the session does as of that entry.
    status: Status,
}

/// How long to wait, at most `most`.
pub(super) fn wait(asked_ms: Option<u32>, most: Duration) -> Result<Duration, Problem> {
    let ms = asked_ms.unwrap_or(0);
    if ms > WAIT_MS_MAX {
        let detail = format!("wait_ms is 0 to {WAIT_MS_MAX}");
        return Err(Problem::bad_request("malformed_query", detail));
    }
    Ok(Duration::from_millis(ms.into()).min(most))
}

/// Answers with the entries that there are, or with the first ones that come while it waits, and
/// what a run adds to them within [`GATHER`].
pub(super) async fn page(
    mut follower: Follower,
    limit: Option<u32>,
    wait: Duration,
    leaving: &Leaving,
) -> Result<Response, Problem> {
    if let Some(problem) = reset(&follower) {
        return Err(problem);
    }
    let limit = usize::try_from(limit.unwrap_or(PAGE_ITEMS_MAX)).unwrap_or(1);
    let (begun, mut rests, mut caught_up) = (Instant::now(), Vec::new(), false);
    loop {
        // What there is comes without waiting, and so does the word that this was all.
        let until = match (rests.len(), caught_up) {
            (found, _) if found >= limit => break,
            (0, false) => None,
            (0, true) => Some(begun + wait),
            _ if follower.head().1 == Status::Running => Some(begun + GATHER.min(wait)),
            _ => break,
        };
        let next = async {
            let followed = follower.next(limit - rests.len());
            match until {
                Some(until) => timeout_at(until, followed).await.ok(),
                None => Some(followed.await),
            }
        };
        let Some(Some(next)) = leaving.0.run_until_cancelled(next).await else { break };
        match next {
            Followed::Entries(entries) => {
                rests.extend(entries.into_iter().map(|(_, rest)| rest));
            }
            Followed::CaughtUp(_) => caught_up = true,
            Followed::Error(error) | Followed::Ended(error) => return Err(error.into()),
        }
    }
    let texts: Result<Vec<&str>, _> = rests.iter().map(|rest| std::str::from_utf8(rest)).collect();
    let entries = texts.ok().and_then(|texts| entries_json(texts.into_iter()));
    let entries = entries.ok_or_else(ErrorBody::internal)?;
    let (at, (head, status)) = (follower.cursor(), follower.head());
    let page = PageView { entries, cursor: cursor(at), epoch: at.epoch, head, status };
    Ok(reply(StatusCode::OK, &page))
}
