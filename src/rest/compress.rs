//! Compression of answers.

use super::Response;
use greenroom_actors::port::BoxFuture;
use http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::Service as _};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use tower_http::compression::{
    Compression,
    predicate::{Predicate as _, SizeAbove},
};
use warp::{Reply as _, filters::BoxedFilter};

/// Answers below this size, in bytes, fit a packet anyway. That leaves the answers with tokens
/// alone, too, whose compressed length could say something of them.
const BYTES_MIN: u16 = 1024;

/// The routes as a service that compresses text with gzip, if the client takes it.
pub fn compressed(
    filter: BoxedFilter<(Response,)>,
) -> impl Fn(Request<Incoming>) -> BoxFuture<'static, Result<Response, Infallible>> + Send + Sync {
    let suits = SizeAbove::new(BYTES_MIN).and(is_text);
    let routes = Compression::new(warp::service(filter)).gzip(true).compress_when(suits);
    let service = TowerToHyperService::new(routes);
    move |request| {
        let answer = service.call(request);
        Box::pin(async move {
            let (mut parts, mut body) = answer.await?.into_parts();
            if !parts.headers.contains_key(header::CONTENT_ENCODING) {
                return Ok(Response::from_parts(parts, std::mem::take(body.get_mut())));
            }
            weaken(&mut parts.headers);
            let compressed = warp::reply::stream(body.into_data_stream()).into_response();
            Ok(Response::from_parts(parts, compressed.into_body()))
        })
    }
}

/// Whether an answer gets smaller. A stream of events does not: it would be held back instead.
fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|text| {
        let streams = text.starts_with("text/event-stream");
        !streams && (text.starts_with("text/") || text.starts_with("application/json"))
    })
}

/// The compressed bytes are others than the tag names: it then stands for the meaning alone.
fn weaken(headers: &mut HeaderMap) {
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let weak = tag.filter(|tag| !tag.starts_with("W/")).map(|tag| format!("W/{tag}"));
    if let Some(weak) = weak.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        headers.insert(header::ETAG, weak);
    }
}
