use super::{
    super::{
        args::ServerArgs,
        fake::{FakeServer, World},
    },
    *,
};
use greenroom_protocol::method::{SessionList, SessionPage};

fn list() -> Method {
    Method::SessionList(SessionList::default())
}

#[tokio::test]
async fn a_call_is_answered_over_a_real_socket() {
    let server = FakeServer::start(World::default()).await;
    let mut driver = Driver::start(server.account()).await.unwrap();
    let page: SessionPage = driver.ask(&list(), &mut |_| {}).await.unwrap();
    assert!(page.items.is_empty());
    driver.close().await;
    assert_eq!(server.world.lock().unwrap().seen, ["token-1", "session.list"]);
}

#[tokio::test]
async fn a_refused_token_is_a_failure_that_says_so() {
    let server = FakeServer::start(World { locked: true, ..World::default() }).await;
    let mut driver = Driver::start(server.account()).await.unwrap();
    let failure = driver.next().await.unwrap_err();
    assert_eq!(failure.exit_code(), 1);
    assert!(failure.to_string().contains("does not accept the token"), "{failure}");
}

#[tokio::test]
async fn a_token_is_renewed_on_the_open_socket() {
    let server = FakeServer::start(World { expiring: true, ..World::default() }).await;
    let mut driver = Driver::start(server.account()).await.unwrap();
    while server.count("auth token-2") == 0 {
        let _: SessionPage = driver.ask(&list(), &mut |_| {}).await.unwrap();
    }
    assert_eq!(server.count("token-1"), 1, "on the same socket");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_given_up_soon_with_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let args = ServerArgs { url: Some("ws://127.0.0.1:9".into()), token: Some("x".into()) };
    let account = Account::find(&args, folder.path()).unwrap();
    let mut driver = Driver::start(account).await.unwrap();
    let failure = loop {
        match driver.next().await {
            Ok(happening) => assert!(matches!(happening, Happening::Lost(_)), "{happening:?}"),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.exit_code(), 69);
    assert!(failure.to_string().contains("127.0.0.1:9"), "{failure}");
    assert!(driver.began.elapsed() < Duration::from_secs(20));
}
