//! Files at a commit: the list, one file, all of them as an archive.

use super::{
    Asked, Context, Operation, Problem, Response, Route, archive,
    context::route,
    etag::{not_modified, tagged},
    reply_bytes, reply_raw,
};
use greenroom_actors::Tree;
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    method::{FilePage, FilesList, Method as Call},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// What a path keeps as it is in an address.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// What the files of a project may do in a browser that opens them: nothing.
const SANDBOX: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";

/// Which commit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommitQuery {
    /// Git id of a commit of this session; none: the head.
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    commit: Option<String>,
}

/// Which page of the files of which commit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FilesQuery {
    /// Git id of a commit of this session; none: the head.
    #[schemars(regex(pattern = "^[0-9a-f]{40}$"))]
    commit: Option<String>,
    /// `next_after` of the page before.
    after: Option<String>,
}

/// Routes of files.
pub(super) fn file_routes(context: &Arc<Context>) -> Vec<Route> {
    let unknown = "`session_not_found`, `file_not_found`: no such session, commit or file";
    let list = Operation::new("listFiles", "files", "List the files of a commit, 100 at a time")
        .signed_in()
        .query::<FilesQuery>()
        .answers::<FilePage>(200, "Paths, git ids and lengths; without a commit there is none yet")
        .conditional()
        .fails(404, unknown);
    let get = Operation::new("getFile", "files", "Get a file; its ETag is its git id")
        .signed_in()
        .query::<CommitQuery>()
        .sends(200, Some("text/plain; charset=utf-8"), "The contents")
        .with("Content-Location")
        .conditional()
        .fails(404, unknown);
    let archive =
        Operation::new("getArchive", "files", "Get all files of a commit as a ZIP archive")
            .signed_in()
            .query::<CommitQuery>()
            .sends(200, Some("application/zip"), "The archive; the same bytes for the same commit")
            .with("Content-Disposition")
            .conditional()
            .fails(404, unknown);
    let files = "/api/v1/sessions/{session}/files";
    vec![
        route(context, Method::GET, files, self::list).described(list),
        route(context, Method::GET, "/api/v1/sessions/{session}/files/{+path}", self::get)
            .described(get),
        route(context, Method::GET, "/api/v1/sessions/{session}/archive.zip", self::archive)
            .described(archive),
    ]
}

async fn list(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let principal = context.principal(&asked)?;
    let FilesQuery { commit, after } = asked.query()?;
    let immutable = commit.is_some();
    let call = Call::FilesList(asked.session()?, FilesList { commit, after });
    let done = context.engine.call(principal, call).await?;
    let page = serde_json::from_str(done.result.get()).map_err(|_| ErrorBody::internal())?;
    let FilePage { commit, .. } = page;
    let etag = format!("\"{}\"", commit.as_deref().unwrap_or("none"));
    let held = not_modified(&asked, &etag, immutable)?;
    let answer = || tagged(reply_raw(StatusCode::OK, &done.result), &etag, immutable);
    Ok(held.unwrap_or_else(answer))
}

async fn get(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let (tree, immutable) = tree(&context, &asked).await?;
    let path: String = asked.place("path")?;
    let oid = tree.find(&path)?;
    let etag = format!("\"{oid}\"");
    if let Some(held) = not_modified(&asked, &etag, immutable)? {
        return Ok(held);
    }
    let contents = tree.read(oid).await?;
    let answer = reply_bytes(StatusCode::OK, "text/plain; charset=utf-8", contents);
    let mut response = tagged(answer, &etag, immutable);
    let (session, commit) = (asked.session()?, tree.commit());
    let path = utf8_percent_encode(&path, PATH);
    let address = format!("/api/v1/sessions/{session}/files/{path}?commit={commit}");
    inserted(&mut response, header::CONTENT_LOCATION, &address);
    inserted(&mut response, header::CONTENT_SECURITY_POLICY, SANDBOX);
    Ok(response)
}

async fn archive(context: Arc<Context>, asked: Asked) -> Result<Response, Problem> {
    let (tree, immutable) = tree(&context, &asked).await?;
    let commit = tree.commit().to_string();
    let etag = format!("\"{commit}\"");
    if let Some(held) = not_modified(&asked, &etag, immutable)? {
        return Ok(held);
    }
    let mut response = tagged(archive::zip(tree, asked.leaving), &etag, immutable);
    let short: String = commit.chars().take(10).collect();
    let name = format!("attachment; filename=\"{short}.zip\"");
    inserted(&mut response, header::CONTENT_DISPOSITION, &name);
    Ok(response)
}

/// The files of the commit that is asked for, and whether that is named.
async fn tree(context: &Context, asked: &Asked) -> Result<(Tree, bool), Problem> {
    let principal = context.principal(asked)?;
    let CommitQuery { commit } = asked.query()?;
    let found = context.engine.files(principal, asked.session()?, commit.as_deref()).await?;
    let tree = found.ok_or_else(|| {
        let message = "nothing was committed in this session yet";
        ErrorBody::new(Code::NotFound, Reason::FileNotFound, message)
    })?;
    Ok((tree, commit.is_some()))
}

fn inserted(response: &mut Response, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}
