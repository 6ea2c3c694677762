//! Whose a session is: asked of every operation that the document has.

use crate::server::{Reply, Server, Site, User, is_end, session};
use serde_json::{Value, json};

/// Every operation: method, path and description.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

/// Asks an operation about a session, with a body that it takes.
async fn ask(
    server: &Server,
    user: Option<&User>,
    (method, path, operation): &(String, String, Value),
    session: &str,
    places: [&str; 2],
) -> Reply {
    let path = path.trim_start_matches("/api/v1").replace("{session}", session);
    let path =
        path.replace("{run}", places[0]).replace("{path}", places[1]).replace("{request}", "1");
    let mut ask = server.rest(method, &path);
    if let Some(user) = user {
        ask = ask.by(user);
    }
    if !operation["requestBody"].is_null() {
        ask = ask.json(&match operation["operationId"].as_str() {
            Some("forkSession") => json!({}),
            Some("rollBackSession") => json!({ "to": 1 }),
            Some("respond") => json!({ "accept": true, "text": "mine" }),
            _ => json!({ "input": "mine now" }),
        });
    }
    ask.send().await
}

/// A problem without what differs from request to request.
fn bare(reply: &Reply) -> Value {
    let mut document = reply.json();
    assert!(document.as_object_mut().unwrap().remove("request_id").is_some());
    document
}

#[tokio::test]
async fn a_session_of_another_user_is_an_unknown_one_on_every_operation() {
    let site = Site::new();
    let server = site.start().await;
    let (ada, eve) = (server.register("ada").await, server.register("eve").await);
    let hers = server.create(&ada).await;
    let run = server.start_run(&ada, hers, "a todo app").await;
    server.poll_until(&ada, hers, |entry| is_end(&entry.event)).await;
    let before = server.get(&ada, &format!("/sessions/{hers}")).await;
    let document = server.rest("GET", "/openapi.json").send().await.with(200);

    let places = [run["run"].as_str().unwrap(), "index.html"];
    let mut asked = 0;
    for operation in operations(&document) {
        if !operation.1.contains("{session}") {
            continue;
        }
        asked += 1;
        let unknown = ask(&server, Some(&eve), &operation, &session().to_string(), places).await;
        let foreign = ask(&server, Some(&eve), &operation, &hers.to_string(), places).await;
        assert_eq!(unknown.problem(), (404, "session_not_found".to_owned()), "{operation:?}");
        assert_eq!((foreign.status, bare(&foreign)), (404, bare(&unknown)), "{operation:?}");
    }
    assert!(asked >= 12, "{asked}");
    assert_eq!(server.get(&ada, &format!("/sessions/{hers}")).await, before);
    assert_eq!(server.get(&eve, "/sessions").await["items"], json!([]));
}

#[tokio::test]
async fn who_has_no_token_gets_nothing_that_needs_one() {
    let site = Site::new();
    let server = site.start().await;
    let ada = server.register("ada").await;
    let hers = server.create(&ada).await.to_string();
    let document = server.rest("GET", "/openapi.json").send().await.with(200);
    let mut asked = 0;
    for operation in operations(&document) {
        if operation.2["security"] == json!([]) {
            continue;
        }
        asked += 1;
        let reply = ask(&server, None, &operation, &hers, [&hers, "x"]).await;
        assert_eq!(reply.problem(), (401, "bad_token".to_owned()), "{operation:?}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }
    assert!(asked >= 13, "{asked}");
}
