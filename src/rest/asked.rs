//! One request, as a route gets it.

use super::{Client, Problem, body::read_json, pattern::Places};
use bytes::Bytes;
use futures_util::Stream;
use greenroom_protocol::{error::ErrorBody, id::SessionId, limit::PAGE_ITEMS_MAX};
use http::{HeaderMap, HeaderName};
use serde::de::DeserializeOwned;
use std::{fmt, pin::Pin, str::FromStr, time::Duration};
use tokio_util::sync::CancellationToken;

/// A body on its way.
pub(super) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send + Sync>>;

/// Cancelled when the connection should end: at a drain, or at its greatest age. What takes long,
/// a stream or a poll, ends by it; cancelling it ends the connection. An extension of requests.
#[derive(Clone, Debug, Default)]
pub struct Leaving(pub CancellationToken);

/// One request whose body was not read yet.
pub struct Asked {
    /// Who sent it.
    pub client: Client,
    /// Its headers.
    pub headers: HeaderMap,
    /// When its connection should end.
    pub leaving: Leaving,
    pub(super) places: Places,
    pub(super) query: String,
    pub(super) body: Body,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Asked {
    /// What the path has in a place of the route's pattern.
    ///
    /// # Errors
    /// `not_found`, where it cannot be what belongs there.
    pub fn place<T: FromStr>(&self, name: &str) -> Result<T, Problem> {
        let found = self.places.iter().find(|(of, _)| *of == name);
        found.and_then(|(_, value)| value.parse().ok()).ok_or_else(Problem::not_found)
    }

    /// The session that the path names.
    ///
    /// # Errors
    /// `session_not_found`, where it is no session's id.
    pub fn session(&self) -> Result<SessionId, Problem> {
        self.place("session").map_err(|_| ErrorBody::session_not_found().into())
    }

    /// Refuses a query where none is read.
    ///
    /// # Errors
    /// `malformed_query`.
    pub fn no_query(&self) -> Result<(), Problem> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        self.query::<Nothing>().map(drop)
    }

    /// The query. Its type should be `deny_unknown_fields`.
    ///
    /// # Errors
    /// `malformed_query`; it repeats no value.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_urlencoded::from_str(&self.query).map_err(|error| {
            let detail = format!("the query cannot be read: {error}");
            let bounded: String = detail.chars().take(200).collect();
            Problem::bad_request("malformed_query", bounded)
        })
    }

    /// A header that may come once, as text.
    ///
    /// # Errors
    /// `malformed_request`, where it comes twice or is no text.
    pub fn header(&self, name: &HeaderName) -> Result<Option<&str>, Problem> {
        let mut values = self.headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let twice = self.headers.contains_key(name);
            return if twice { Err(malformed(name)) } else { Ok(None) };
        };
        value.to_str().map(Some).map_err(|_| malformed(name))
    }

    /// The body, of JSON; it may take `wait`.
    ///
    /// # Errors
    /// See [`read_json`].
    pub async fn json<T: DeserializeOwned>(self, wait: Duration) -> Result<T, Problem> {
        read_json(&self.headers, self.body, wait).await
    }
}

/// Checks how many items of a page are asked for.
///
/// # Errors
/// `malformed_query`.
pub(super) fn page_limit(limit: Option<u32>) -> Result<Option<u32>, Problem> {
    if limit.is_none_or(|limit| (1..=PAGE_ITEMS_MAX).contains(&limit)) {
        return Ok(limit);
    }
    let detail = format!("limit is 1 to {PAGE_ITEMS_MAX}");
    Err(Problem::bad_request("malformed_query", detail))
}

fn malformed(name: &HeaderName) -> Problem {
    let detail = format!("send the header {name} once, in ASCII");
    Problem::bad_request("malformed_request", detail)
}
