//! How routes are put together.

use super::{
    Asked, Client, Leaving, Operation, Problem, Response,
    pattern::{Pattern, Places},
};
use crate::auth::Auth;
use bytes::{Buf, Bytes};
use futures_util::{StreamExt as _, TryFutureExt as _};
use greenroom_actors::port::Principal;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;
use std::{convert::Infallible, fmt, sync::Arc};
use warp::{Filter, Rejection, filters::BoxedFilter, path::FullPath, reject};

/// One route: a method at a path.
#[derive(Clone)]
pub struct Route {
    pub(super) method: Method,
    pub(super) pattern: Pattern,
    /// What the document says of it; none: it is for people or operators, no part of the API.
    pub(super) operation: Option<Operation>,
    filter: BoxedFilter<(Response,)>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.pattern.0)
    }
}

impl Route {
    /// A route at a path. Segments in braces stand for any segment: `/api/v1/sessions/{session}`;
    /// the last one, as `{+path}`, for all that follow.
    #[must_use]
    pub fn at<F, A>(method: Method, path: &'static str, handler: F) -> Self
    where
        F: Fn(Asked) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let (own, pattern) = (method.clone(), Pattern(path));
        let found = warp::path::full().and(warp::method()).and_then(
            move |full: FullPath, asked: Method| {
                let places = match pattern.read(full.as_str()) {
                    Some(places) if asked == own => Ok(places),
                    Some(_) => Err(reject::custom(WrongMethod)),
                    None => Err(reject::not_found()),
                };
                async move { places }
            },
        );
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let filter = found
            .and(warp::ext::get::<Client>())
            .and(warp::ext::optional::<Leaving>())
            .and(warp::header::headers_cloned())
            .and(query)
            .and(warp::body::stream())
            .then(move |places: Places, client, leaving: Option<Leaving>, headers, query, body| {
                let leaving = leaving.unwrap_or_default();
                let body = Box::pin(chunks(body));
                let asked = Asked { client, headers, leaving, places, query, body };
                handler(asked).unwrap_or_else(Response::from)
            })
            .boxed();
        Self { method, pattern, operation: None, filter }
    }

    /// The same route with what the document says of it.
    #[must_use]
    pub fn described(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }
}

fn chunks<B: Buf>(
    body: impl futures_util::Stream<Item = Result<B, warp::Error>>,
) -> impl futures_util::Stream<Item = Result<Bytes, warp::Error>> {
    body.map(|chunk| chunk.map(|mut chunk| chunk.copy_to_bytes(chunk.remaining())))
}

/// The path is right and the method is not.
#[derive(Debug)]
struct WrongMethod;

impl reject::Reject for WrongMethod {}

/// All routes as one.
#[derive(Clone)]
pub struct Api {
    filter: BoxedFilter<(Response,)>,
    routes: Arc<[Route]>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.routes).finish()
    }
}

impl Api {
    /// Joins routes. Every rejection becomes a [`Problem`].
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        let filters: Vec<_> = routes.iter().map(|route| route.filter.clone()).collect();
        let filter = balanced(&filters).recover(recovered).unify().boxed();
        Self { filter, routes: routes.into() }
    }

    /// The routes as one filter.
    #[must_use]
    pub fn filter(&self) -> BoxedFilter<(Response,)> {
        self.filter.clone()
    }

    /// Method and path of every route.
    pub fn routes(&self) -> impl Iterator<Item = (&Method, &'static str)> {
        self.routes.iter().map(|route| (&route.method, route.pattern.0))
    }

    /// The path of the route that a path leads to, whatever the method.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<&'static str> {
        let mut patterns = self.routes.iter().map(|route| route.pattern);
        patterns.find(|pattern| pattern.read(path).is_some()).map(|pattern| pattern.0)
    }

    /// The methods that a path takes, for `Allow`; none where there is no such path.
    #[must_use]
    pub fn methods(&self, path: &str) -> Option<HeaderValue> {
        let methods: Vec<_> = self
            .routes
            .iter()
            .filter(|route| route.pattern.read(path).is_some())
            .map(|route| route.method.as_str())
            .collect();
        HeaderValue::from_str(&methods.join(", ")).ok().filter(|value| !value.is_empty())
    }
}

/// Any of the filters. Balanced and boxed: a chain of sixty does not compile, and walks all.
fn balanced(filters: &[BoxedFilter<(Response,)>]) -> BoxedFilter<(Response,)> {
    match filters {
        [] => warp::any().and_then(|| async { Err(reject::not_found()) }).boxed(),
        [one] => one.clone(),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            balanced(left).or(balanced(right)).unify().boxed()
        }
    }
}

async fn recovered(rejection: Rejection) -> Result<Response, Infallible> {
    let wrong_method = rejection.find::<WrongMethod>().is_some()
        || rejection.find::<reject::MethodNotAllowed>().is_some();
    let problem = if wrong_method {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Problem::new(status, "method_not_allowed", "this address takes the methods in Allow")
    } else if rejection.is_not_found() {
        Problem::not_found()
    } else {
        Problem::bad_request("malformed_request", "the request has a missing or wrong part")
    };
    Ok(problem.into())
}

/// Who sends a request, by its bearer token.
///
/// # Errors
/// `bad_token`, `token_expired`.
pub fn bearer(auth: &Auth, headers: &HeaderMap) -> Result<Principal, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        let detail = "send the access token in one header Authorization: Bearer";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "bad_token", detail));
    };
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        let detail = "send the access token as Authorization: Bearer";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "bad_token", detail));
    }
    Ok(auth.verify(token.trim())?)
}

/// An answer in JSON.
pub fn reply<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(json) => reply_bytes(status, "application/json", json.into()),
        Err(_) => Problem::internal().into(),
    }
}

/// An answer that is JSON already.
pub(super) fn reply_raw(status: StatusCode, json: &RawValue) -> Response {
    reply_bytes(status, "application/json", Bytes::copy_from_slice(json.get().as_bytes()))
}

/// An answer of bytes.
pub(super) fn reply_bytes(status: StatusCode, media_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
