//! The internal port: is the node alive, is it ready, what does it count, what are its keys like.

use super::{Problem, Response, Route, reply};
use greenroom_actors::{keypool::ProviderView, port::BoxFuture};
use http::{HeaderValue, Method, StatusCode, header};
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Longest wait for the answer to "is it ready".
const READINESS_WAIT: Duration = Duration::from_secs(2);

/// Media type of the OpenMetrics text format.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One thing that the node needs in order to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Its name, such as `store`.
    pub name: &'static str,
    /// Whether it is there.
    pub ready: bool,
    /// Why not. No secret: anybody on the internal network can read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Tells what the node needs, and whether it is there.
pub trait Readiness: Send + Sync {
    /// All dependencies; the node is ready if all are. Given up after two seconds.
    fn dependencies(&self) -> BoxFuture<'_, Vec<Dependency>>;
}

/// Tells what the providers' keys and quota groups are like.
pub trait Providers: Send + Sync {
    /// All providers. Holds no key.
    fn providers(&self) -> BoxFuture<'_, Vec<ProviderView>>;
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    dependencies: Vec<Dependency>,
}

/// `/livez`, `/readyz`, `/metrics` and `/providers`.
#[must_use]
pub fn internal_routes(
    readiness: Arc<dyn Readiness>,
    registry: Arc<Registry>,
    providers: Arc<dyn Providers>,
) -> Vec<Route> {
    vec![
        Route::at(Method::GET, "/livez", |_| async {
            Ok(reply(StatusCode::OK, &serde_json::json!({ "live": true })))
        }),
        Route::at(Method::GET, "/readyz", move |_| {
            let readiness = Arc::clone(&readiness);
            async move { Ok(report(&*readiness).await) }
        }),
        Route::at(Method::GET, "/metrics", move |_| {
            let registry = Arc::clone(&registry);
            async move { Ok(metrics(&registry)) }
        }),
        Route::at(Method::GET, "/providers", move |_| {
            let providers = Arc::clone(&providers);
            async move { Ok(reply(StatusCode::OK, &providers.providers().await)) }
        }),
    ]
}

async fn report(readiness: &dyn Readiness) -> Response {
    let dependencies =
        timeout(READINESS_WAIT, readiness.dependencies()).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", READINESS_WAIT.as_secs());
            vec![Dependency { name: "readiness", ready: false, reason: Some(reason) }]
        });
    let ready = dependencies.iter().all(|dependency| dependency.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    reply(status, &Report { ready, dependencies })
}

fn metrics(registry: &Registry) -> Response {
    let mut text = String::new();
    if encode(&mut text, registry).is_err() {
        return Problem::internal().into();
    }
    let mut response = Response::new(text.into());
    let media_type = HeaderValue::from_static(METRICS_TYPE);
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}
