//! Who may do what.

use crate::server::{Server, Site, Socket, User, command, is_end, output, refusal, session};
use greenroom_protocol::{
    error::Reason,
    frame::{After, ClientFrame, ServerFrame},
    method::{
        FilesGet, FilesList, HistoryGet, Method, OnBusy, RunCancel, RunStart, SessionCreate,
        SessionInfo, SessionPage,
    },
};

use serde_json::json;

/// What is offered in a handshake.
const OFFER: (&str, &str) = ("sec-websocket-protocol", "greenroom.v1.json");

async fn bed() -> (Site, Server, User) {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    (site, server, user)
}

/// An access token of a user that is valid for so long.
async fn token(site: &Site, user: &User, valid_secs: u32) -> String {
    let secs = valid_secs.to_string();
    let run = output(&mut site.command(&["token", &user.email, "--valid-secs", &secs])).await;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_handshake_is_refused_with_what_is_wrong() {
    let (_site, server, user) = bed().await;
    let evil = ("origin", "https://evil.example");
    let in_url = format!("/ws?token={}", user.access);
    for (path, headers, status, code) in [
        ("/ws", &[OFFER, evil][..], 403, "origin_not_allowed"),
        ("/ws", &[][..], 400, "subprotocol_required"),
        (&in_url, &[OFFER][..], 400, "token_in_url"),
        ("/ws?ticket=nonsense", &[OFFER][..], 401, "bad_ticket"),
    ] {
        let refused = refusal(&server, path, headers).await;
        assert_eq!(refused, (status, code.to_owned()), "{code}");
    }
    assert!(!server.log().contains(&user.access), "a token in a log");
}

#[tokio::test]
async fn a_ticket_opens_one_socket() {
    let (_site, server, user) = bed().await;
    let path = format!("/ws?ticket={}", server.ticket(&user).await);
    let mut socket = Socket::open(&server, &path).await;
    socket.hello(None).await;
    let page: SessionPage = socket.ask(&Method::SessionList(Default::default())).await;
    assert_eq!(page.items, []);
    assert_eq!(refusal(&server, &path, &[OFFER]).await, (401, "bad_ticket".to_owned()));
}

#[tokio::test]
async fn a_token_must_be_ours_and_valid() {
    let (site, server, user) = bed().await;
    let short = token(&site, &user, 1).await;
    let elsewhere = Site::new();
    let foreign = elsewhere.start().await.register("ada").await;

    assert_eq!(Socket::refused_hello(&server, None).await, 4501);
    assert_eq!(Socket::refused_hello(&server, Some("garbage")).await, 4501);
    assert_eq!(Socket::refused_hello(&server, Some(&foreign.access)).await, 4501);
    // It expires before the hello or after; and before the next one in any case.
    assert_eq!(Socket::refused_hello(&server, Some(&short)).await, 4100);
    assert_eq!(Socket::refused_hello(&server, Some(&short)).await, 4100);
}

#[tokio::test]
async fn a_connection_outlives_its_token_by_a_new_one_on_the_same_socket() {
    let (site, server, user) = bed().await;
    let eve = server.register("eve").await;
    let short = token(&site, &user, 4).await;
    let mut renewed = Socket::open(&server, "/ws").await;
    let mut left_alone = Socket::open(&server, "/ws").await;
    assert!(renewed.hello(Some(&short)).await.auth_expires_in_ms <= 4000);
    left_alone.hello(Some(&short)).await;
    let asked = renewed.next().await;
    assert!(
        matches!(asked, ServerFrame::AuthRequired { deadline_ms } if deadline_ms <= 4000),
        "{asked:?}"
    );
    let token = server.refresh(&user).await.access;
    renewed.send(&ClientFrame::Auth { token }).await;

    // The other socket tells when the token has expired.
    assert_eq!(left_alone.close_code().await, 4100);
    let page: SessionPage = renewed.ask(&Method::SessionList(Default::default())).await;
    assert_eq!(page.items, []);

    renewed.send(&ClientFrame::Auth { token: eve.access }).await;
    assert_eq!(renewed.close_code().await, 4502);
}

#[tokio::test]
async fn a_session_of_another_user_does_not_exist() {
    let (_site, server, ada) = bed().await;
    let eve = server.register("eve").await;
    let mut hers = Socket::connect(&server, &ada).await;
    let session = session();
    hers.create(session, 1).await;
    let start =
        RunStart { input: "a todo app".into(), on_busy: OnBusy::Queue, model: None, plan: None };
    let started = command();
    hers.call(&Method::RunStart(session, started, start.clone())).await.unwrap();
    hers.take_until_event(is_end).await;
    let before: SessionInfo = hers.ask(&Method::SessionGet(session)).await;

    let mut socket = Socket::connect(&server, &eve).await;
    let get = FilesGet { path: "index.html".into(), commit: before.commit.clone(), offset: 0 };
    let list = FilesList { commit: before.commit.clone(), after: None };
    for method in [
        Method::SessionCreate(session, command(), SessionCreate::default()),
        Method::SessionGet(session),
        Method::SessionClose(session, command()),
        Method::RunStart(session, command(), start.clone()),
        Method::RunStart(session, started, start), // a repeat of hers
        Method::RunCancel(session, command(), RunCancel::StartCid(started)),
        Method::HistoryGet(session, HistoryGet::default()),
        Method::FilesList(session, list),
        Method::FilesGet(session, get),
    ] {
        let error = socket.call(&method).await.unwrap_err();
        assert_eq!(error.reason, Reason::SessionNotFound, "{method:?}");
    }
    let attach = socket.try_attach(session, 1, After::Start).await;
    assert!(
        matches!(&attach, ServerFrame::Error { error, .. } if error.reason == Reason::SessionNotFound),
        "{attach:?}"
    );
    let page: SessionPage = socket.ask(&Method::SessionList(Default::default())).await;
    assert_eq!(page.items, []);
    let after: SessionInfo = hers.ask(&Method::SessionGet(session)).await;
    assert_eq!(after, before, "nothing happened to it");
}

#[tokio::test]
async fn signing_out_closes_the_sockets_and_streams_of_that_sign_in_and_no_others() {
    let site = Site::new();
    let server = site.start().await;
    let phone = server.register("ada").await;
    let desk = server.login(&phone).await;
    let session = server.create(&desk).await;
    let mut lost = Socket::connect(&server, &phone).await;
    let mut kept = Socket::connect(&server, &desk).await;
    let events = format!("/sessions/{session}/events");
    let mut stream = server.rest("GET", &events).by(&phone).stream().await;
    while stream.next().await.unwrap().name != "caught_up" {}

    let body = json!({ "refresh_token": phone.refresh });
    assert_eq!(server.rest("POST", "/auth/logout").json(&body).send().await.status, 204);
    assert_eq!(lost.close_code().await, 4503);
    let last = stream.next().await.unwrap();
    assert_eq!((&*last.name, &last.data["reason"]), ("error", &"bad_token".into()));
    assert_eq!(stream.next().await, None);
    let refused = server.rest("GET", "/sessions").by(&phone).send().await;
    assert_eq!(refused.problem(), (401, "bad_token".to_owned()));
    assert_eq!(Socket::refused_hello(&server, Some(&phone.access)).await, 4501);
    kept.attach(session, 1, After::Start).await;
}
