//! The REST interface: routes, problem documents, limits, and what every answer carries.
//!
//! A route answers with a [`Response`]; a failure is a [`Problem`], which travels as an extension
//! of the response until [`finish`](Finish) renders it, with the request's id, in one place.

mod auth;
mod body;
mod client;
mod finish;
mod internal;
mod limit;
mod origin;
mod problem;
mod route;

pub use auth::auth_routes;
pub use body::{BODY_BYTES_MAX, read_json};
pub use client::{Client, Proxies, ProxyError, Source};
pub(crate) use finish::forbidden_origin;
pub use finish::{Facts, Finish, RequestId};
pub use internal::{Dependency, Readiness, internal_routes};
pub use limit::{Limits, LimitsConfig};
pub use origin::{OriginError, Origins};
pub use problem::Problem;
pub use route::{Api, Route, bearer, json, reply};

/// An answer.
pub type Response = warp::reply::Response;
