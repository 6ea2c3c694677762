//! Sessions, runs and profiles over REST.

use crate::server::{Server, Site, User, command, is_end, session};
use greenroom_protocol::{event::Event, frame::Entry, id::SessionId};
use serde_json::{Value, json};
use uuid::Uuid;

async fn bed() -> (Site, Server, User) {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    (site, server, user)
}

const fn ends(entry: &Entry) -> bool {
    is_end(&entry.event)
}

async fn start(
    server: &Server,
    user: &User,
    session: SessionId,
    key: &str,
    input: &str,
) -> crate::server::Reply {
    let ask = server.rest("POST", &format!("/sessions/{session}/runs")).by(user);
    ask.header("idempotency-key", key).json(&json!({ "input": input })).send().await
}

#[tokio::test]
async fn a_repeat_under_the_same_key_has_one_effect_across_a_crash() {
    let (site, server, user) = bed().await;
    let create = |key: &'static str| {
        let ask = server.rest("POST", "/sessions").by(&user).header("idempotency-key", key);
        ask.json(&json!({ "title": "a shop" })).send()
    };
    let made = create("shop 1").await;
    assert_eq!(made.status, 400, "a space is none of a key's characters");
    let made = create("shop-1").await;
    let session: SessionId = made.with(201)["session"].as_str().unwrap().parse().unwrap();
    assert_eq!(made.json()["cursor"], "1.1", "the entry that says that it was created");
    assert_eq!(made.header("location"), format!("/api/v1/sessions/{session}"));
    assert!(!made.headers.contains_key("idempotency-replayed"));
    let again = create("shop-1").await;
    assert_eq!(again.with(201)["session"], session.to_string());
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_ne!(create("shop-2").await.with(201)["session"], session.to_string());

    let first = start(&server, &user, session, "order-7", "a todo app").await;
    let run = first.with(202)["run"].clone();
    server.poll_until(&user, session, ends).await;
    server.kill().await;

    let server = site.start().await;
    let repeat = start(&server, &user, session, "order-7", "a todo app").await;
    assert_eq!(repeat.with(202)["run"], run);
    assert_eq!(repeat.header("idempotency-replayed"), "true");
    let other = start(&server, &user, session, "order-7", "a quiz").await;
    assert_eq!(other.problem(), (422, "idempotency_conflict".to_owned()));
    let all = server.poll_until(&user, session, ends).await;
    let inputs = all.iter().filter(|entry| matches!(entry.event, Event::InputUser { .. }));
    assert_eq!(inputs.count(), 1);
}

#[tokio::test]
async fn repeats_at_the_same_moment_have_one_effect() {
    let (_site, server, user) = bed().await;
    let session = server.create(&user).await;
    let key = Uuid::now_v7().to_string();
    let one = || start(&server, &user, session, &key, "a todo app");
    let (a, b, c) = tokio::join!(one(), one(), one());
    let runs = [&a, &b, &c].map(|reply| reply.with(202)["run"].clone());
    assert_eq!((&runs[0], &runs[0]), (&runs[1], &runs[2]));
    let replayed =
        |reply: &&&crate::server::Reply| reply.headers.contains_key("idempotency-replayed");
    assert_eq!([&a, &b, &c].iter().filter(replayed).count(), 2);
}

#[tokio::test]
async fn a_session_is_listed_looked_at_and_closed() {
    let (_site, server, user) = bed().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, server.create(&user).await.to_string());
    }
    let (mut listed, mut more) = (Vec::new(), String::new());
    loop {
        let page = server.get(&user, &format!("/sessions?limit=2{more}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        listed.extend(items.iter().map(|item| item["session"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        more = format!("&cursor={next}");
    }
    listed.sort();
    made.sort();
    assert_eq!(listed, made, "each once");

    let path = format!("/sessions/{}", made[0]);
    let got = server.rest("GET", &path).by(&user).send().await;
    let view = got.with(200);
    assert_eq!((&view["title"], &view["status"]), (&"a test".into(), &"idle".into()));
    let created = view["created_at"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
    let etag = got.header("etag").to_owned();
    let held = || server.rest("GET", &path).by(&user).header("if-none-match", &etag).send();
    assert_eq!(held().await.status, 304);

    let closed = server.rest("POST", &format!("{path}/close")).by(&user).send().await;
    assert_eq!(closed.with(200)["status"], "closed");
    assert_eq!(held().await.with(200)["status"], "closed");
    let refused = server.rest("POST", &format!("{path}/runs")).by(&user);
    let refused = refused.json(&json!({ "input": "a todo app" })).send().await;
    assert_eq!(refused.problem(), (409, "session_closed".to_owned()));
}

#[tokio::test]
async fn a_run_is_cancelled_by_its_id_or_by_the_key_that_starts_it() {
    let site = Site::new().paced(60);
    let server = site.start().await;
    let user = server.register("ada").await;
    let session = server.create(&user).await;
    let run = server.start_run(&user, session, "a todo app").await["run"].clone();
    let cancel = |which: String| {
        let path = format!("/sessions/{session}/runs/{which}/cancel");
        server.rest("POST", &path).by(&user).send()
    };
    let cancelled = cancel(run.as_str().unwrap().to_owned()).await.with(200);
    assert_eq!((&cancelled["run"], &cancelled["active"]), (&run, &Value::Bool(true)));
    let all = server.poll_until(&user, session, ends).await;
    let outcome = serde_json::to_value(&all.last().unwrap().event).unwrap();
    assert_eq!(outcome["outcome"], "cancelled");

    let key = command();
    assert_eq!(cancel(key.to_string()).await.with(200)["active"], true);
    let late = start(&server, &user, session, &key.to_string(), "a quiz").await;
    assert_eq!(late.status, 202, "{late:?}");
    let ends_twice = server
        .poll_until(&user, session, |entry| ends(entry) && entry.seq > all.last().unwrap().seq);
    let outcome = serde_json::to_value(&ends_twice.await.last().unwrap().event).unwrap();
    assert_eq!(outcome["outcome"], "cancelled");
    assert_eq!(cancel("nonsense".to_owned()).await.status, 404);
}

#[tokio::test]
async fn a_profile_is_changed_by_who_knows_it_as_it_is() {
    let (_site, server, user) = bed().await;
    let got = server.rest("GET", "/me").by(&user).send().await;
    assert_eq!(got.with(200)["email"], user.email);
    let etag = got.header("etag").to_owned();
    let change = |name: &'static str, tag: String| {
        let ask = server.rest("PATCH", "/me").by(&user).header("if-match", &tag);
        ask.json(&json!({ "name": name })).send()
    };
    let changed = change("Ada", etag.clone()).await;
    assert_eq!(changed.with(200)["name"], "Ada");
    assert_eq!(change("Eve", etag).await.problem(), (412, "precondition_failed".to_owned()));
    assert_eq!(server.get(&user, "/me").await["name"], "Ada");
    let now = changed.header("etag").to_owned();
    assert_eq!(change("a\u{7}", now.clone()).await.problem().0, 422);
    assert_eq!(change("", now).await.with(200).get("name"), None);
    let role = server.rest("PATCH", "/me").by(&user).json(&json!({ "role": "admin" }));
    assert_eq!(role.send().await.problem(), (400, "malformed_json".to_owned()));
    // Signing in does not depend on it.
    assert_eq!(server.login(&user).await.email, user.email);
}

#[tokio::test]
async fn an_id_that_is_another_user_s_cannot_be_taken() {
    let (_site, server, ada) = bed().await;
    let eve = server.register("eve").await;
    let body = json!({ "session": session() });
    let made = server.rest("POST", "/sessions").by(&ada).json(&body).send().await;
    assert_eq!(made.status, 201);
    let taken = server.rest("POST", "/sessions").by(&eve).json(&body).send().await;
    assert_eq!(taken.problem(), (404, "session_not_found".to_owned()));
}
