//! The Qbit dialect: a client of it against the real server.

use crate::server::{
    Qbit, Server, Site, Socket, User, figures, is_end, outcome, refusal, session, told, until,
};
use greenroom_protocol::{
    event::Outcome,
    frame::After,
    id::SessionId,
    limit::MESSAGE_BYTES_MAX,
    method::{Method, SessionPage},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

async fn bed(site: &Site) -> (Server, User, Qbit) {
    let server = site.start().await;
    let user = server.register("ada").await;
    let qbit = Qbit::connect(&server, &user.access).await;
    (server, user, qbit)
}

/// The project that messages are about.
fn project(messages: &[Value]) -> SessionId {
    let created = messages.iter().find(|message| message["type"] == "project_created");
    let created = created.unwrap_or_else(|| panic!("no project in {messages:?}"));
    assert_eq!(created["payload"]["project_id"], created["project_id"]);
    serde_json::from_value(created["project_id"].clone()).unwrap()
}

/// How many messages there are of a type.
fn count(messages: &[Value], kind: &str) -> usize {
    messages.iter().filter(|message| message["type"] == kind).count()
}

#[tokio::test]
async fn a_project_is_generated_and_modified_and_what_is_told_is_what_is_committed() {
    let site = Site::new().paced(4_000);
    let (server, user, mut qbit) = bed(&site).await;
    qbit.ask("generate_code", json!({ "prompt": "a todo app" })).await;
    let messages = qbit.take_end().await;
    let project = project(&messages);
    assert_eq!(figures(&messages), [10, 25, 40, 70, 100]);
    let done = messages.last().unwrap();
    assert_eq!(done["type"], "code_generation_complete", "{done}");
    assert_eq!(done["payload"]["project_id"], project.to_string());
    assert!(done["payload"]["credits_used"].as_f64().unwrap() > 0.0, "{done}");
    let mut native = Socket::connect(&server, &user).await;
    let files = native.files(project, None).await;
    assert_eq!(told(&messages), files);
    assert_eq!(done["payload"]["file_count"], files.len());
    assert!(count(&messages, "code_token") > 2 * files.len(), "they come as they are written");
    for kind in ["scp_generated", "agent_started", "agent_call_complete", "conversation_turn"] {
        assert_eq!(count(&messages, kind), 1, "{kind}");
    }
    let plan = messages.iter().find(|message| message["type"] == "scp_generated").unwrap();
    let planned = &plan["payload"]["scp"]["file_structure"]["frontend"];
    assert!(planned.as_array().unwrap().contains(&json!("index.html")), "{plan}");
    assert!(plan["payload"]["credits_required"].as_f64().unwrap() > 0.0, "{plan}");
    for message in &messages {
        assert_eq!(message["project_id"], project.to_string(), "{message}");
    }

    let change = json!({ "prompt": "make it green", "project_id": project });
    qbit.ask("modify_code", change).await;
    let messages = qbit.take_end().await;
    assert_eq!(figures(&messages), [10, 25, 40, 70, 100]);
    let done = messages.last().unwrap();
    assert_eq!(done["type"], "generation_complete", "{done}");
    let changed = told(&messages);
    let modified: Vec<String> =
        serde_json::from_value(done["payload"]["files_modified"].clone()).unwrap();
    assert!(changed.keys().eq(&modified) && !modified.is_empty(), "{modified:?}");
    let mut expected = files.clone();
    expected.extend(changed);
    let files_now = native.files(project, None).await;
    assert_eq!(files_now, expected);
    assert_ne!(files_now, files);
}

#[tokio::test]
async fn words_cost_nothing_and_questions_are_answered_by_the_next_prompt() {
    let site = Site::new();
    let (server, user, mut qbit) = bed(&site).await;
    let balance = async || server.get(&user, "/credits").await["balance"]["available"].clone();
    let before = balance().await;
    qbit.ask("generate_code", json!({ "prompt": "hello" })).await;
    let messages = qbit.take_end().await;
    let answer = messages.last().unwrap();
    assert_eq!(answer["type"], "response", "{answer}");
    assert_eq!(answer["payload"]["intent"], "conversation", "{answer}");
    assert!(answer["payload"]["response"].as_str().unwrap().len() > 5, "{answer}");
    assert_eq!(figures(&messages), [10]);

    qbit.ask("generate_code", json!({ "prompt": "make something" })).await;
    let messages = qbit.take_end().await;
    let asked = messages.last().unwrap();
    assert_eq!(asked["payload"]["intent"], "ambiguous", "{asked}");
    assert!(!asked["payload"]["questions"].as_array().unwrap().is_empty(), "{asked}");
    assert_eq!(balance().await, before);
    drop(qbit);

    let mut again = Qbit::connect(&server, &user.access).await;
    let answer = json!({ "prompt": "A to-do list", "project_id": project(&messages) });
    again.ask("modify_code", answer).await;
    let messages = again.take_end().await;
    assert_eq!(messages.last().unwrap()["type"], "generation_complete", "{messages:?}");
    assert_eq!(figures(&messages), [10, 25, 40, 70, 100]);
    assert!(told(&messages).contains_key("index.html"));
}

#[tokio::test]
async fn a_ping_is_answered_while_a_project_is_written_and_two_are_written_at_once() {
    let site = Site::new().paced(300);
    let (_server, _, mut qbit) = bed(&site).await;
    qbit.ask("generate_code", json!({ "prompt": "a todo app" })).await;
    qbit.take_until(&["code_token"]).await;
    qbit.ask("ping", json!({})).await;
    let until_pong = qbit.take_until(&["pong", "code_generation_complete"]).await;
    assert_eq!(until_pong.last().unwrap()["type"], "pong");
    qbit.ask("generate_code", json!({ "prompt": "a quiz about rivers" })).await;
    let second = project(&qbit.take_until(&["project_created"]).await);
    let mut others = 0;
    loop {
        let message = qbit.next().await;
        if message["project_id"] != second.to_string() {
            others += 1;
        } else if message["type"] == "code_token" {
            break;
        }
    }
    assert!(others > 0, "the first one goes on, and each message says whose it is");
}

#[tokio::test]
async fn a_run_goes_on_when_the_socket_goes_and_the_protocol_takes_it_up() {
    let site = Site::new().paced(2_000);
    let (server, user, mut qbit) = bed(&site).await;
    qbit.ask("generate_code", json!({ "prompt": "a todo app" })).await;
    let begun = qbit.take_until(&["code_token"]).await;
    let project = project(&begun);
    drop(qbit);
    let mut native = Socket::connect(&server, &user).await;
    native.attach(project, 1, After::Start).await;
    let rest = native.take_until_event(is_end).await;
    assert_eq!(outcome(&crate::server::entries(&rest, 1)), Some(Outcome::Completed));

    let mut again = Qbit::connect(&server, &user.access).await;
    again.ask("modify_code", json!({ "prompt": "make it green", "project_id": project })).await;
    let messages = again.take_end().await;
    assert_eq!(messages.last().unwrap()["type"], "generation_complete");
    assert_eq!(figures(&messages), [10, 25, 40, 70, 100], "nothing of what was before");
}

#[tokio::test]
async fn what_cannot_be_done_has_its_code_and_the_socket_lives() {
    let site = Site::new();
    let (server, user, mut qbit) = bed(&site).await;
    let eve = server.register("eve").await;
    let hers = server.create(&eve).await;
    for (text, code) in [
        ("{".to_owned(), "INVALID_REQUEST"),
        ("[]".to_owned(), "INVALID_REQUEST"),
        (format!("{}{}", "[".repeat(9_000), "]".repeat(9_000)), "INVALID_REQUEST"),
        (
            format!(
                r#"{{"type":"generate_code","payload":{}{}}}"#,
                "[".repeat(9_000),
                "]".repeat(9_000)
            ),
            "INVALID_REQUEST",
        ),
        (r#"{"type":"generate_code"}"#.to_owned(), "INVALID_REQUEST"),
        (r#"{"type":"generate_code","payload":{"prompt":""}}"#.to_owned(), "INVALID_REQUEST"),
        (r#"{"type":"modify_code","payload":{"prompt":"x"}}"#.to_owned(), "INVALID_REQUEST"),
        (r#"{"type":"teleport","payload":{}}"#.to_owned(), "UNKNOWN_MESSAGE_TYPE"),
    ] {
        qbit.send(Message::text(text.clone())).await;
        assert_eq!(qbit.error().await, code, "{text}");
    }
    for project_id in [hers.to_string(), session().to_string(), "7".to_owned()] {
        qbit.ask("modify_code", json!({ "prompt": "x", "project_id": project_id })).await;
        assert_eq!(qbit.error().await, "PROJECT_NOT_FOUND", "{project_id}");
    }
    qbit.ask("ping", json!({})).await;
    assert_eq!(qbit.next().await["type"], "pong");
    let mut native = Socket::connect(&server, &user).await;
    let page: SessionPage = native.ask(&Method::SessionList(Default::default())).await;
    assert_eq!(page.items, [], "nothing else happened");
}

#[tokio::test]
async fn a_user_without_credits_is_told_so() {
    let site = Site::new()
        .with("GREENROOM__CREDITS__SIGN_UP_GRANT", "0")
        .with("GREENROOM__CREDITS__MONTHLY_GRANT", "0");
    let (_server, _, mut qbit) = bed(&site).await;
    qbit.ask("generate_code", json!({ "prompt": "a todo app" })).await;
    let messages = qbit.take_end().await;
    let error = messages.last().unwrap();
    assert_eq!(error["payload"]["code"], "INSUFFICIENT_CREDITS", "{error}");
    assert!(!figures(&messages).contains(&100), "{messages:?}");
}

#[tokio::test]
async fn messages_that_are_none_close_the_socket_with_the_codes_of_the_protocol() {
    let site = Site::new();
    let (server, user, _) = bed(&site).await;
    let invalid = {
        use tokio_tungstenite::tungstenite::protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        };
        Frame::message(&b"{\"type\":\"\xff\"}"[..], OpCode::Data(Data::Text), true)
    };
    for (message, code, what) in [
        (Message::text(" ".repeat(MESSAGE_BYTES_MAX + 1)), 4506, "large"),
        (Message::text("x".repeat(1 << 20)), 4506, "far too large"),
        (Message::binary(b"{\"type\":\"ping\"}".to_vec()), 4500, "binary"),
        (Message::Frame(invalid), 4500, "invalid UTF-8"),
    ] {
        let mut qbit = Qbit::connect(&server, &user.access).await;
        qbit.send(message).await;
        assert_eq!(qbit.close_code().await, code, "{what}");
    }
    let mut flood = Qbit::connect(&server, &user.access).await;
    for _ in 0..400 {
        flood.ask("ping", json!({})).await;
    }
    let mut limited = 0;
    let code = loop {
        match flood.receive().await {
            Ok(message) => limited += usize::from(message["type"] == "error"),
            Err(code) => break code,
        }
    };
    assert!(limited > 0, "it is told before it is closed");
    assert_eq!(code, 4004);
}

#[tokio::test]
async fn a_socket_ends_with_its_sign_in_its_token_its_user_s_share_and_its_server() {
    let site = Site::new().with("GREENROOM__LIMITS__SOCKETS_PER_USER_MAX", "2");
    let (mut server, ada, mut first) = bed(&site).await;
    let desk = server.login(&ada).await;
    let mut second = Qbit::connect(&server, &desk.access).await;
    let mut third = Qbit::open(&server, &format!("token={}", ada.access)).await;
    assert_eq!(third.close_code().await, 4507);

    let body = json!({ "refresh_token": ada.refresh });
    assert_eq!(server.rest("POST", "/auth/logout").json(&body).send().await.status, 204);
    assert_eq!(first.close_code().await, 4503);
    second.ask("ping", json!({})).await;
    assert_eq!(second.next().await["type"], "pong");
    let upgrade = format!("/ws/generate?token={}", ada.access);
    assert_eq!(refusal(&server, &upgrade, &[]).await, (401, "bad_token".to_owned()));

    server.signal("TERM").await;
    assert_eq!(second.close_code().await, 4001);
    assert_eq!(server.exit().await, Some(0));
}

#[tokio::test]
async fn a_token_that_expires_ends_its_socket() {
    let site = Site::new().with("GREENROOM__AUTH__ACCESS_SECS", "2");
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut qbit = Qbit::open(&server, &format!("token={}", user.access)).await;
    assert_eq!(qbit.close_code().await, 4100);
}

#[tokio::test]
async fn a_token_in_an_address_reaches_no_log() {
    let site = Site::new().with("GREENROOM__LOG__LEVEL", "trace");
    let (server, user, mut qbit) = bed(&site).await;
    let prompt = "a todo app called CANARY";
    qbit.ask("generate_code", json!({ "prompt": prompt })).await;
    qbit.take_end().await;
    let refused = format!("/ws/generate?token={}&ticket=x", user.access);
    assert_eq!(refusal(&server, &refused, &[]).await.0, 400);
    drop(qbit);
    until("end of the socket", async || server.log().contains("a socket ends").then_some(())).await;
    let log = server.log();
    assert!(log.contains("/ws/generate"), "requests are logged");
    let signature = user.access.rsplit('.').next().unwrap();
    for secret in [user.access.as_str(), signature] {
        assert!(!log.contains(secret), "a token in the log");
    }
}

#[tokio::test]
async fn the_dialect_and_tokens_in_its_address_can_be_switched_off() {
    let site = Site::new().with("GREENROOM__GATEWAY__GENERATE__TOKEN_IN_URL", "false");
    let server = site.start().await;
    let user = server.register("ada").await;
    let path = format!("/ws/generate?token={}", user.access);
    assert_eq!(refusal(&server, &path, &[]).await, (400, "token_in_url".to_owned()));
    let ticket = server.ticket(&user).await;
    let mut qbit = Qbit::open(&server, &format!("ticket={ticket}")).await;
    assert_eq!(qbit.next().await["type"], "connected");

    let site = Site::new().with("GREENROOM__GATEWAY__GENERATE__ENABLED", "false");
    let server = site.start().await;
    let path = format!("/ws/generate?token={}", user.access);
    assert_eq!(refusal(&server, &path, &[]).await, (400, "subprotocol_required".to_owned()));
}
