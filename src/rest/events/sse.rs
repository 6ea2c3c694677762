//! Events as a stream (Server-Sent Events of the HTML standard).
//!
//! An entry is an unnamed event: its id is the cursor, its data what a page has as an entry. Named
//! ones are `attached`, `reset`, `caught_up` and `error`, as over the WebSocket. A comment goes out
//! where nothing else does.

use super::cursor;
use crate::rest::{
    Leaving, Response,
    streamed::{Outlet, streamed},
};
use bytes::Bytes;
use greenroom_actors::{Begun, Followed, Follower};
use greenroom_protocol::{
    error::ErrorBody,
    id::{Cursor, Seq},
};
use http::{HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use std::{fmt::Write as _, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Silence after which a comment goes out, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client waits before it comes back, in milliseconds, where nothing else is said.
const RETRY_MS: u64 = 1000;

/// Entries of one write.
const ENTRIES_MAX: usize = 64;

/// Answers with a stream that begins where the follower does.
pub(super) fn stream(follower: Follower, leaving: Leaving) -> Response {
    let mut response =
        streamed("text/event-stream", leaving.clone(), |outlet| feed(follower, outlet, leaving));
    let headers = response.headers_mut();
    let keep = HeaderValue::from_static("no-store, no-transform");
    headers.insert(header::CACHE_CONTROL, keep);
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}

/// Feeds a stream until there is nothing more to come, or nobody to take it.
async fn feed(mut follower: Follower, outlet: Outlet, leaving: Leaving) {
    if outlet.send(begin(&follower)).await.is_err() {
        return;
    }
    let mut quiet_until = Instant::now() + HEARTBEAT;
    loop {
        let chunk = tokio::select! {
            followed = follower.next(ENTRIES_MAX) => {
                let is_end = matches!(followed, Followed::Ended(_));
                let sent = outlet.send(events(&follower, followed)).await;
                if is_end || sent.is_err() {
                    return;
                }
                None
            }
            () = leaving.0.cancelled() => return,
            () = sleep_until(quiet_until) => Some(Bytes::from_static(b":\n\n")),
        };
        if let Some(comment) = chunk
            && outlet.send(comment).await.is_err()
        {
            return;
        }
        quiet_until = Instant::now() + HEARTBEAT;
    }
}

/// How the stream begins. Its id is where it does, so that a client that gets nothing more comes
/// back to the same place.
fn begin(follower: &Follower) -> Bytes {
    let (name, data) = match follower.begun() {
        Begun::Attached(begun) => ("attached", json!(begun)),
        Begun::Reset(begun) => ("reset", json!(begun)),
    };
    let id = cursor(follower.cursor());
    format!("retry: {RETRY_MS}\nid: {id}\n{}", named(name, data)).into()
}

fn named(name: &str, mut data: Value) -> String {
    if let Some(fields) = data.as_object_mut() {
        fields.remove("ch"); // a stream is one attachment
    }
    format!("event: {name}\ndata: {data}\n\n")
}

fn events(follower: &Follower, followed: Followed) -> Bytes {
    let text = match followed {
        Followed::Entries(entries) => unnamed(follower.cursor(), &entries),
        Followed::CaughtUp(seq) => named("caught_up", json!({ "seq": seq })),
        Followed::Error(error) => named("error", json!(error)),
        Followed::Ended(error) => last(&error),
    };
    text.into()
}

/// Entries; each is JSON in one line, since JSON text has its line breaks escaped.
fn unnamed(Cursor { epoch, .. }: Cursor, entries: &[(Seq, Bytes)]) -> String {
    let mut text = String::new();
    for (seq, rest) in entries {
        let rest = String::from_utf8_lossy(rest);
        let id = cursor(Cursor { epoch, seq: *seq });
        let _ = write!(text, "id: {id}\ndata: {{{rest}\n\n"); // writing to a String cannot fail
    }
    text
}

/// Why nothing more comes, and when to come back.
fn last(error: &ErrorBody) -> String {
    let wait = error.retry_after_ms.unwrap_or(RETRY_MS);
    format!("retry: {wait}\n{}", named("error", json!(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::fixture::context;
    use greenroom_actors::port::Principal;
    use greenroom_protocol::{
        frame::After,
        id::{CommandId, Epoch, SessionId, UserId},
        method::{Method, SessionCreate},
    };
    use tokio::task::JoinSet;
    use uuid::Uuid;

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_shows_signs_of_life_until_its_connection_should_end() {
        let (context, session) = (context().await, SessionId::new(Uuid::nil()));
        let (user, expires_at_ms) = (UserId::new(Uuid::nil()), u64::MAX);
        let ada = Principal { user, expires_at_ms, sign_in: None };
        let create = SessionCreate::default();
        let create = Method::SessionCreate(session, CommandId::new(Uuid::nil()), create);
        context.engine.call(ada, create).await.unwrap();
        let follower = context.engine.follow(ada, session, After::Start).await.unwrap();
        let leaving = Leaving::default();
        let (outlet, mut taken) = Outlet::taken(leaving.clone());
        let mut feeding = JoinSet::new();
        feeding.spawn(feed(follower, outlet, leaving.clone()));

        let mut text = async || String::from_utf8(taken.recv().await?.unwrap().to_vec()).ok();
        assert!(text().await.unwrap().starts_with("retry: 1000\nid: 1.0\nevent: attached\n"));
        assert!(text().await.unwrap().starts_with("id: 1.1\ndata: {\"seq\":1,"));
        assert!(text().await.unwrap().starts_with("event: caught_up\n"));
        let quiet_since = Instant::now();
        for n in 1..=3 {
            assert_eq!(text().await.as_deref(), Some(":\n\n"));
            assert_eq!(quiet_since.elapsed(), HEARTBEAT * n);
        }
        leaving.0.cancel();
        assert_eq!(text().await, None);
    }

    #[test]
    fn an_entry_is_an_event_whose_id_is_its_cursor() {
        let at = Cursor { epoch: Epoch(3), seq: Seq(8) };
        let rest = |seq: u64| Bytes::from(format!(r#""seq":{seq},"ts":1,"event":{{}}}}"#));
        let text = unnamed(at, &[(Seq(7), rest(7)), (Seq(8), rest(8))]);
        assert_eq!(
            text,
            "id: 3.7\ndata: {\"seq\":7,\"ts\":1,\"event\":{}}\n\n\
             id: 3.8\ndata: {\"seq\":8,\"ts\":1,\"event\":{}}\n\n"
        );
    }

    #[test]
    fn the_last_event_says_when_to_come_back() {
        let text = last(&ErrorBody::store_unavailable());
        assert!(text.starts_with("retry: 1000\nevent: error\ndata: {"), "{text}");
        assert!(text.ends_with("}\n\n"));
    }
}
