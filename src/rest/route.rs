//! How routes are put together.

use super::{Problem, Response, read_json};
use crate::auth::Auth;
use bytes::Bytes;
use futures_util::TryFutureExt as _;
use greenroom_actors::port::Principal;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use std::{convert::Infallible, fmt, sync::Arc, time::Duration};
use warp::{Filter, Rejection, filters::BoxedFilter, reject};

/// One route: a method at a path.
#[derive(Clone)]
pub struct Route {
    method: Method,
    /// Segments in braces stand for any segment: `/api/v1/sessions/{id}`.
    path: &'static str,
    filter: BoxedFilter<(Response,)>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Route {
    /// A route whose filter matches the method and the path itself.
    #[must_use]
    pub const fn new(method: Method, path: &'static str, filter: BoxedFilter<(Response,)>) -> Self {
        Self { method, path, filter }
    }

    /// A route at a path without parameters.
    #[must_use]
    pub fn at(method: Method, path: &'static str, handler: BoxedFilter<(Response,)>) -> Self {
        let own = method.clone();
        let by_method = warp::method()
            .and_then(move |asked: Method| {
                let found = asked == own;
                async move { if found { Ok(()) } else { Err(reject::custom(WrongMethod)) } }
            })
            .untuple_one();
        let filter = exactly(path).and(by_method).and(handler).boxed();
        Self { method, path, filter }
    }

    fn is_at(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let fits = self.path.split('/').all(|own| {
            let segment = segments.next();
            segment == Some(own) || (own.starts_with('{') && segment.is_some_and(|s| !s.is_empty()))
        });
        fits && segments.next().is_none()
    }
}

/// The path is right and the method is not.
#[derive(Debug)]
struct WrongMethod;

impl reject::Reject for WrongMethod {}

/// Matches a path without parameters, and nothing below it.
fn exactly(path: &'static str) -> BoxedFilter<()> {
    let start = warp::any().boxed();
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let whole = segments.fold(start, |before, segment| before.and(warp::path(segment)).boxed());
    whole.and(warp::path::end()).boxed()
}

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
        self.routes.iter().map(|route| (&route.method, route.path))
    }

    /// The methods that a path takes, for `Allow`; none where there is no such path.
    #[must_use]
    pub fn methods(&self, path: &str) -> Option<HeaderValue> {
        let methods: Vec<_> = self
            .routes
            .iter()
            .filter(|route| route.is_at(path))
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

/// A handler of a JSON body, for [`Route::at`]. `before` runs before the body is read.
pub fn json<T, G, F, A>(wait: Duration, before: G, handler: F) -> BoxedFilter<(Response,)>
where
    T: DeserializeOwned + Send + 'static,
    G: Fn(super::Client) -> Result<(), Problem> + Clone + Send + Sync + 'static,
    F: Fn(super::Client, T) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    warp::ext::get::<super::Client>()
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |client, headers: HeaderMap, body| {
            let (before, handler) = (before.clone(), handler.clone());
            let answer = async move {
                before(client)?;
                let body = read_json(&headers, body, wait).await?;
                handler(client, body).await
            };
            answer.unwrap_or_else(Response::from)
        })
        .boxed()
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
    let Ok(json) = serde_json::to_vec(value) else { return Problem::internal().into() };
    let mut response = Response::new(Bytes::from(json).into());
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}
