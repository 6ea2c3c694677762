//! The console at `/console`: a page that uses the server as any other client does.
//!
//! Its files are part of the program: no build step, no other server. `assets/greenroom` is a client
//! of the protocol that others can copy; everything else is this page. `package.json` tells node, which
//! runs their tests, that the scripts are modules.
//!
//! Generated pages are strangers. The console runs them in a frame that loads `/console/preview`,
//! whose answer sandboxes itself by its policy: an origin of its own that nothing else has, so no
//! storage, no cookies, no API, and no network. It gets the files by a message from the console,
//! which has them anyway, and puts the page together from them. So there is no address that serves
//! what a model wrote, no token for one, and a page is shown before its run has committed. A `srcdoc`
//! would be under the console's policy, which allows none of a generated page's scripts.
//!
//! `/keys` shows what the providers' keys are like. It is on the internal port alone, beside the
//! `/providers` that it reads: accounts have no roles, and whoever reaches that port is an operator.

use crate::rest::{Asked, Response, Route};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, future::ready};

/// What the console's own files may do: run the server's scripts and talk to the server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What a generated page may do: run, in an origin of its own, with what it was given.
const PREVIEW_POLICY: &str = "sandbox allow-scripts allow-forms; default-src 'none'; \
                              script-src 'unsafe-inline' 'unsafe-eval' blob:; \
                              style-src 'unsafe-inline' blob:; img-src data: blob:; \
                              font-src data: blob:; media-src data: blob:; \
                              base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// A file of the console.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    policy: &'static str,
    /// Who may show it in a frame, for browsers that do not know `frame-ancestors`.
    frames: &'static str,
}

macro_rules! asset {
    ($path:expr, $file:literal, $media_type:literal) => {
        Asset {
            path: $path,
            media_type: $media_type,
            bytes: include_bytes!(concat!("assets/", $file)),
            policy: POLICY,
            frames: "DENY",
        }
    };
}

macro_rules! script {
    ($file:literal) => {
        asset!(concat!("/console/", $file), $file, "text/javascript; charset=utf-8")
    };
}

const ASSETS: [Asset; 28] = [
    asset!("/console", "index.html", "text/html; charset=utf-8"),
    asset!("/console/style.css", "style.css", "text/css; charset=utf-8"),
    asset!("/console/icon.svg", "icon.svg", "image/svg+xml"),
    Asset {
        policy: PREVIEW_POLICY,
        frames: "SAMEORIGIN",
        ..asset!("/console/preview", "preview.html", "text/html; charset=utf-8")
    },
    asset!("/keys", "keys.html", "text/html; charset=utf-8"),
    script!("account.js"),
    script!("app.js"),
    script!("ask.js"),
    script!("chat.js"),
    script!("connection.js"),
    script!("diff.js"),
    script!("dom.js"),
    script!("files.js"),
    script!("follow.js"),
    script!("highlight.js"),
    script!("keys.js"),
    script!("log.js"),
    script!("past.js"),
    script!("preview.js"),
    script!("sessions.js"),
    script!("sign-in.js"),
    script!("source.js"),
    script!("tabs.js"),
    script!("versions.js"),
    script!("greenroom/attachment.js"),
    script!("greenroom/greenroom.js"),
    script!("greenroom/outbox.js"),
    script!("greenroom/replica.js"),
];

/// What only operators get, and what that page shares with the console.
const KEYS: [&str; 2] = ["/keys", "/console/keys.js"];
const SHARED: [&str; 3] = ["/console/dom.js", "/console/style.css", "/console/icon.svg"];

/// The routes of the console, for the public port.
#[must_use]
pub fn console_routes() -> Vec<Route> {
    ASSETS.iter().filter(|asset| !KEYS.contains(&asset.path)).map(route).collect()
}

/// The routes of the page about keys, for the internal port.
#[must_use]
pub fn key_routes() -> Vec<Route> {
    let is_of_keys = |path: &str| KEYS.contains(&path) || SHARED.contains(&path);
    ASSETS.iter().filter(|asset| is_of_keys(asset.path)).map(route).collect()
}

fn route(asset: &'static Asset) -> Route {
    let tag = tag(asset.bytes);
    Route::at(Method::GET, asset.path, move |asked: Asked| {
        ready(Ok(answer(asset, &tag, &asked.headers)))
    })
}

/// The name of these very bytes: a browser asks for them again only once they have changed.
fn tag(bytes: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(bytes);
    let hex = digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String takes everything
        hex
    });
    HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

fn answer(asset: &'static Asset, tag: &HeaderValue, asked: &HeaderMap) -> Response {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().any(|value| value == tag);
    let body = if known { &[] } else { asset.bytes };
    let mut response = Response::new(Bytes::from_static(body).into());
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, asset.policy),
        (header::X_FRAME_OPTIONS, asset.frames),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::ETAG, tag.clone());
    response
}

#[cfg(test)]
mod tests;
