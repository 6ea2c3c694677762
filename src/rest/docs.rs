//! The document, and Swagger UI to read it: from this binary, without the network.

use super::{
    Asked, Operation, Problem, Response, Route,
    etag::{digest, not_modified, tagged},
    openapi, reply_bytes,
};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use schemars::JsonSchema;
use std::{
    borrow::Cow,
    io::{Cursor, Read as _},
    sync::{Arc, OnceLock},
};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::{ZipArchive, result::ZipError};

/// What the page may do: run and show what comes from here, and ask here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Greenroom: REST</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

const START: &str = r##"SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"##;

/// Files of Swagger UI that the page uses, and their media types.
const ASSETS: [(&str, &str, &str); 3] = [
    ("/docs/swagger-ui.css", "swagger-ui.css", "text/css; charset=utf-8"),
    ("/docs/swagger-ui-bundle.js", "swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("/docs/favicon-32x32.png", "favicon-32x32.png", "image/png"),
];

/// An OpenAPI document, which is described elsewhere.
#[derive(JsonSchema)]
#[schemars(rename = "OpenApi", extend("additionalProperties" = true))]
struct OpenApi {
    #[expect(dead_code, reason = "only its schema is used")]
    openapi: String,
}

/// The route of the document, which describes `routes` and itself.
pub(super) fn document_route(routes: &[Route]) -> Route {
    let read = Operation::new("getOpenApi", "docs", "Get this document")
        .answers::<OpenApi>(200, "An OpenAPI 3.1 document")
        .conditional();
    let path = "/api/v1/openapi.json";
    let unserved = |_| async { Err(Problem::not_found()) };
    let itself = Route::at(Method::GET, path, unserved).described(read.clone());
    let described: Vec<Route> = routes.iter().cloned().chain([itself]).collect();
    let json = Bytes::from(openapi::document(&described).to_string());
    page(path, "application/json", json).described(read)
}

/// The pages at `/docs`.
pub(super) fn pages() -> Vec<Route> {
    let mut pages = vec![
        page("/docs", "text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes())),
        page(
            "/docs/start.js",
            "text/javascript; charset=utf-8",
            Bytes::from_static(START.as_bytes()),
        ),
    ];
    pages.extend(ASSETS.map(|(path, file, media_type)| {
        let unpacked = Arc::new(OnceLock::new());
        Route::at(Method::GET, path, move |asked: Asked| {
            let unpacked = Arc::clone(&unpacked);
            async move {
                let (bytes, etag) = unpacked.get_or_init(|| tagged_asset(file));
                answer(&asked, media_type, bytes, etag)
            }
        })
    }));
    pages
}

/// A file of Swagger UI and its tag. Unpacked when it is first asked for; the archive is part of
/// the program, so that nothing can be missing but by a defect, which a test would find.
fn tagged_asset(file: &str) -> (Bytes, String) {
    let bytes = asset(file).unwrap_or_else(|error| {
        tracing::error!(%error, file, "a file of Swagger UI is missing");
        Bytes::new()
    });
    let etag = digest(&bytes);
    (bytes, etag)
}

fn asset(file: &str) -> Result<Bytes, ZipError> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    // Everything is below one folder, named by the version.
    let wanted = |name: &Cow<'_, str>| {
        name.split_once("/dist/").is_some_and(|(top, rest)| !top.contains('/') && rest == file)
    };
    let name = archive.file_names().filter_map(Result::ok).find(wanted).map(Cow::into_owned);
    let mut bytes = Vec::new();
    archive.by_name(&name.ok_or(ZipError::FileNotFound)?)?.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Something that stays as it is while the server runs.
fn page(path: &'static str, media_type: &'static str, bytes: Bytes) -> Route {
    let etag: Arc<str> = digest(&bytes).into();
    Route::at(Method::GET, path, move |asked: Asked| {
        let (bytes, etag) = (bytes.clone(), Arc::clone(&etag));
        async move { answer(&asked, media_type, &bytes, &etag) }
    })
}

fn answer(
    asked: &Asked,
    media_type: &'static str,
    bytes: &Bytes,
    etag: &str,
) -> Result<Response, Problem> {
    if let Some(held) = not_modified(asked, etag, false)? {
        return Ok(held);
    }
    let answer = reply_bytes(StatusCode::OK, media_type, bytes.clone());
    let mut response = tagged(answer, etag, false);
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}
