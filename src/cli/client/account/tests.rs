use super::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

fn args(url: Option<&str>, token: Option<&str>) -> ServerArgs {
    ServerArgs { url: url.map(str::to_owned), token: token.map(str::to_owned) }
}

fn saved(url: &str) -> Saved {
    Saved {
        url: url.to_owned(),
        email: "demo@localhost".into(),
        password: "pass".into(),
        access_token: "old".into(),
        access_expires_at_ms: 1_000_000,
        refresh_token: "refresh-1".into(),
    }
}

/// Answers requests in turn and gives their paths with their bodies.
async fn server(
    answers: Vec<(u16, &'static str)>,
) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = async move {
        let mut asked = Vec::new();
        for (status, answer) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while !text.contains("\r\n\r\n") || !text.ends_with('}') {
                let mut buffer = [0; 4096];
                let n = socket.read(&mut buffer).await.unwrap();
                text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
            }
            let path = text.split(' ').nth(1).unwrap().to_owned();
            asked.push(format!("{path} {}", text.split("\r\n\r\n").nth(1).unwrap()));
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", answer.len());
            let answer = format!("{head}connection: close\r\n\r\n{answer}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    };
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    let task = tokio::spawn(serve);
    (url, task)
}

#[test]
fn an_address_is_taken_in_every_usual_form() {
    for url in ["ws://h:1", "ws://h:1/ws", "http://h:1/", "http://h:1/ws/"] {
        assert_eq!(base_of(url).unwrap(), "http://h:1", "{url}");
    }
    assert_eq!(base_of("wss://h/ws").unwrap(), "https://h");
    for bad in ["h:1", "ftp://h", "ws://u:p@h", "ws://h/ws?token=x", "ws://", "ws://h h"] {
        let error = base_of(bad).unwrap_err().to_string();
        assert!(!error.contains("token=x") && !error.contains("u:p"), "{error}");
    }
}

#[test]
fn the_saved_tokens_go_to_their_own_server_alone() {
    let folder = tempfile::tempdir().unwrap();
    saved::write(&saved::path(folder.path()), &saved("http://127.0.0.1:9000")).unwrap();

    let own = Account::find(&args(None, None), folder.path()).unwrap();
    assert_eq!(own.socket_url(), "ws://127.0.0.1:9000/ws");
    let session = SessionId::new(uuid::Uuid::nil());
    let flag = format!("--data-dir {}", folder.path().display());
    assert!(own.hint(session).lines().all(|line| line.ends_with(&flag)), "{flag}");
    Account::find(&args(Some("ws://127.0.0.1:9000"), None), folder.path()).unwrap();
    let other = Account::find(&args(Some("ws://elsewhere:9000"), None), folder.path());
    assert!(matches!(other, Err(Failure::Usage(_))), "{other:?}");
}

#[tokio::test]
async fn a_given_token_is_used_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let account = Account::find(&args(None, Some("mine")), folder.path()).unwrap();
    assert_eq!(account.base(), "http://127.0.0.1:8000");
    assert_eq!(account.token(0).await.unwrap(), "mine");
    assert_eq!(account.renew("mine").await, None);
    assert!(!format!("{account:?}").contains("mine"));
}

#[test]
fn without_any_token_the_fix_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Account::find(&args(None, None), folder.path()).unwrap_err();
    assert!(error.to_string().contains("greenroom dev"), "{error}");
}

#[tokio::test]
async fn a_token_that_expires_is_refreshed_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved::path(folder.path());
    let answer = r#"{"access_token":"new","refresh_token":"refresh-2","expires_at_ms":5000000}"#;
    let (url, task) = server(vec![(200, answer)]).await;
    saved::write(&path, &saved(&url)).unwrap();
    let account = Account::find(&args(None, None), folder.path()).unwrap();

    assert_eq!(account.token(900_000).await.unwrap(), "old", "it is valid for a while");
    assert_eq!(account.token(990_000).await.unwrap(), "new");
    assert_eq!(task.await.unwrap(), [r#"/api/v1/auth/refresh {"refresh_token":"refresh-1"}"#]);
    let now = saved::read(&path).unwrap().unwrap();
    assert_eq!((now.refresh_token.as_str(), now.access_expires_at_ms), ("refresh-2", 5_000_000));
    // Another command that still holds the old token takes the new one from the file.
    assert_eq!(account.renew("old").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn where_refreshing_fails_the_demo_user_signs_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let answer = r#"{"access_token":"eyJ9.eyJleHAiOjd9.x","refresh_token":"refresh-9"}"#;
    let (url, task) = server(vec![(401, "{}"), (200, answer)]).await;
    saved::write(&saved::path(folder.path()), &saved(&url)).unwrap();
    let account = Account::find(&args(None, None), folder.path()).unwrap();

    assert_eq!(account.renew("old").await.as_deref(), Some("eyJ9.eyJleHAiOjd9.x"));
    let asked = task.await.unwrap();
    assert_eq!(asked[1], r#"/api/v1/auth/login {"email":"demo@localhost","password":"pass"}"#);
    let now = saved::read(&saved::path(folder.path())).unwrap().unwrap();
    assert_eq!(now.access_expires_at_ms, 7000, "read from the token itself");
}
