//! Files at a commit.

use crate::server::{Server, Site, User, is_end};
use greenroom_protocol::id::SessionId;
use serde_json::Value;

async fn generated() -> (Site, Server, User, SessionId) {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let session = server.create(&user).await;
    server.start_run(&user, session, "a todo app").await;
    server.poll_until(&user, session, |entry| is_end(&entry.event)).await;
    (site, server, user, session)
}

#[tokio::test]
async fn a_file_is_named_by_its_git_id_and_kept_for_ever_where_its_commit_is_named() {
    let (_site, server, user, session) = generated().await;
    let page = server.get(&user, &format!("/sessions/{session}/files")).await;
    let commit = page["commit"].as_str().unwrap();
    let file = page["files"].as_array().unwrap().iter().find(|f| f["path"] == "index.html");
    let etag = format!("\"{}\"", file.unwrap()["oid"].as_str().unwrap());

    let path = format!("/sessions/{session}/files/index.html");
    let at_head = server.rest("GET", &path).by(&user).send().await;
    assert_eq!((at_head.status, at_head.header("etag")), (200, &*etag));
    assert_eq!(at_head.header("cache-control"), "private, no-cache");
    assert_eq!(at_head.header("content-type"), "text/plain; charset=utf-8");
    assert!(at_head.header("content-security-policy").starts_with("sandbox;"));
    let named = at_head.header("content-location").to_owned();
    assert_eq!(named, format!("/api/v1{path}?commit={commit}"));

    let named = named.trim_start_matches("/api/v1").to_owned();
    let at_commit = server.rest("GET", &named).by(&user).send().await;
    assert_eq!(at_commit.body, at_head.body);
    assert_eq!(at_commit.header("cache-control"), "private, max-age=31536000, immutable");
    let held = server.rest("GET", &named).by(&user).header("if-none-match", &etag).send().await;
    assert_eq!((held.status, held.body.len(), held.header("etag")), (304, 0, &*etag));

    for (path, status) in [
        (format!("/sessions/{session}/files/none.html"), 404),
        (format!("/sessions/{session}/files/..%2F..%2Fetc%2Fpasswd"), 404),
        (format!("/sessions/{session}/files/index.html?commit={}", "0".repeat(40)), 404),
        (format!("/sessions/{session}/files/index.html?comit=x"), 400),
    ] {
        assert_eq!(server.rest("GET", &path).by(&user).send().await.problem().0, status, "{path}");
    }
}

#[tokio::test]
async fn an_archive_is_the_same_bytes_for_the_same_commit() {
    let (_site, server, user, session) = generated().await;
    let get = || server.rest("GET", &format!("/sessions/{session}/archive.zip")).by(&user).send();
    let (first, second) = (get().await, get().await);
    assert_eq!(first.header("content-type"), "application/zip");
    let name = first.header("content-disposition");
    assert!(name.starts_with("attachment; filename=\"") && name.ends_with(".zip\""), "{name}");
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("etag"), second.header("etag"));

    let empty = server.create(&user).await;
    let none = server.rest("GET", &format!("/sessions/{empty}/archive.zip")).by(&user).send().await;
    assert_eq!(none.problem(), (404, "file_not_found".to_owned()));
    let none = server.get(&user, &format!("/sessions/{empty}/files")).await;
    assert_eq!((none.get("commit"), &none["files"]), (None, &Value::Array(vec![])));
}
