//! The REST interface: routes, problem documents, limits, and what every answer carries.
//!
//! A route answers with a [`Response`]; a failure is a [`Problem`], which travels as an extension
//! of the response until [`finish`](Finish) renders it, with the request's id, in one place.

mod admin;
mod allowance;
mod archive;
mod asked;
mod auth;
mod body;
mod branches;
mod client;
mod compress;
mod context;
mod credits;
mod docs;
mod etag;
mod events;
mod files;
mod finish;
#[cfg(test)]
mod fixture;
mod history;
mod idempotency;
mod internal;
mod limit;
mod me;
mod openapi;
mod origin;
mod pattern;
mod problem;
mod requests;
mod route;
mod runs;
mod sessions;
mod streamed;

pub use admin::{Admin, NewGrant, admin_routes};
pub use allowance::Allowance;
use asked::page_limit;
pub use asked::{Asked, Leaving};
pub use auth::auth_routes;
pub use body::{BODY_BYTES_MAX, read_json};
pub use client::{Client, Proxies, ProxyError, Source};
pub use compress::compressed;
pub use context::Context;
pub(crate) use finish::forbidden_origin;
pub use finish::{Facts, Finish, RequestId};
pub use internal::{Dependency, Providers, Readiness, internal_routes};
pub use limit::{Limits, LimitsConfig};
pub use openapi::Operation;
pub use origin::{OriginError, Origins};
pub use problem::Problem;
pub use route::{Api, Route, bearer, reply};
use route::{reply_bytes, reply_raw};
use std::sync::Arc;

/// An answer.
pub type Response = warp::reply::Response;

/// All routes of the public port: the API, its document, and the page that shows it.
#[must_use]
pub fn public_routes(context: Context, limits: &Arc<Limits>) -> Vec<Route> {
    let mut routes = auth_routes(&context.auth, limits, context.body_wait);
    let context = Arc::new(context);
    routes.extend(me::profile_routes(&context));
    routes.extend(sessions::session_routes(&context));
    routes.extend(branches::branch_routes(&context));
    routes.extend(runs::run_routes(&context));
    routes.extend(requests::request_routes(&context));
    routes.extend(events::event_routes(&context));
    routes.extend(history::history_routes(&context));
    routes.extend(files::file_routes(&context));
    routes.extend(credits::credit_routes(&context));
    routes.push(docs::document_route(&routes));
    routes.extend(docs::pages());
    routes
}
