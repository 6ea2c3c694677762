//! Sends spans to a collector: OTLP over HTTP, as protobuf.
//!
//! The SDK reads its own variables: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`. Spans wait in a queue of 2,048
//! unless they say otherwise; what does not fit is dropped, counted, and told by a warning.

use super::span::TARGET;
use opentelemetry::{Array, KeyValue, StringValue, Value, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use reqwest::{Url, blocking::Client};
use std::time::Duration;
use tracing::{Metadata, Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// Longest wait for a collector to take a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for the last batches.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The span of a run, which is one of the log's too.
const RUN: &str = "run";

/// Spans on their way to a collector.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send to an address. Not on a runtime: the client brings its own.
    ///
    /// # Errors
    /// Why no client can be made.
    pub(super) fn start(url: &Url) -> Result<Self, Box<dyn std::error::Error>> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client(url)?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let provider =
            SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter);
        Ok(Self(provider.build()))
    }

    /// Takes the spans that traces have.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        layer.with_filter(filter_fn(is_ours).with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what still waits.
    pub(super) fn close(self) {
        if let Err(error) = self.0.shutdown_with_timeout(CLOSE_TIMEOUT) {
            tracing::warn!(%error, "the last spans may be lost");
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let is_run = || metadata.name() == RUN && metadata.target().starts_with("greenroom_actors");
    metadata.is_span() && (metadata.target() == TARGET || is_run())
}

fn client(url: &Url) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .timeout(EXPORT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if url.scheme() == "http" {
        // No TLS: the system need not have root certificates.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// Who sends: what the environment says, under our own name where it names nobody.
fn resource() -> Resource {
    const NAME: &str = "service.name";
    let named = Resource::builder().build().get(&NAME.into());
    let is_named = named.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if is_named { builder.build() } else { builder.with_service_name("greenroom").build() }
}

/// Gives a span an attribute that is a list of one.
pub(super) fn set_list(span: &Span, key: &'static str, item: &'static str) {
    span.set_attribute(key, Value::Array(Array::String(vec![StringValue::from(item)])));
}
