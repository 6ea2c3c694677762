use super::harness::*;
use crate::{gateway::GatewayConfig, rest::LimitsConfig};

const CREDENTIALS: &str = r#"{"email":"ada@example.org","password":"correct horse"}"#;

fn limited(change: impl FnOnce(&mut LimitsConfig)) -> GatewayConfig {
    let mut config = config();
    change(&mut config.limits);
    config
}

#[tokio::test]
async fn whoever_guesses_passwords_is_told_to_wait() {
    let config = limited(|limits| (limits.auth_per_minute, limits.auth_burst) = (1, 3));
    let port = port_with(config).await;
    for _ in 0..3 {
        let reply = post(port.address, "/api/v1/auth/login", CREDENTIALS).await;
        assert_eq!(reply.status, 401);
    }
    // Also with another address in a header that anybody can write.
    for n in 0..20 {
        let headers =
            [("Content-Type", "application/json"), ("X-Forwarded-For", &*format!("192.0.2.{n}"))];
        let reply =
            request(port.address, "POST", "/api/v1/auth/login", &headers, CREDENTIALS).await;
        assert_eq!((reply.status, &*reply.code()), (429, "rate_limited"));
        assert!(reply.headers["retry-after"].parse::<u64>().unwrap() >= 1);
    }
    assert_eq!(request(port.address, "GET", "/", &[], "").await.status, 404, "not limited");
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_are_counted_apart() {
    let mut config = limited(|limits| (limits.auth_per_minute, limits.auth_burst) = (1, 1));
    config.trusted_proxies = vec!["127.0.0.1".into()];
    let port = port_with(config).await;
    let login = |forwarded: &'static str| async move {
        let headers = [("Content-Type", "application/json"), ("X-Forwarded-For", forwarded)];
        request(port.address, "POST", "/api/v1/auth/login", &headers, CREDENTIALS).await.status
    };
    assert_eq!(login("192.0.2.1").await, 401);
    assert_eq!(login("192.0.2.1").await, 429);
    assert_eq!(
        login("198.51.100.1, 192.0.2.1").await,
        429,
        "what a client invents counts for nothing"
    );
    assert_eq!(login("2001:db8::1").await, 401);
    assert_eq!(login("2001:db8::2").await, 429, "one subscriber");
}

#[tokio::test]
async fn one_account_is_guarded_against_many_sources() {
    let mut config = limited(|limits| (limits.account_per_minute, limits.account_burst) = (1, 3));
    config.trusted_proxies = vec!["127.0.0.1".into()];
    let port = port_with(config).await;
    post(port.address, "/api/v1/auth/register", CREDENTIALS).await;
    let login = |n: u8, body: String| async move {
        let headers =
            [("Content-Type", "application/json"), ("X-Forwarded-For", &*format!("192.0.2.{n}"))];
        request(port.address, "POST", "/api/v1/auth/login", &headers, &body).await.status
    };
    assert_eq!(login(1, CREDENTIALS.into()).await, 200);
    let guess = CREDENTIALS.replace("correct", "wrong");
    let statuses =
        [login(2, guess.clone()).await, login(3, guess.clone()).await, login(4, guess).await];
    assert_eq!(statuses, [401, 401, 429]);
    assert_eq!(login(1, CREDENTIALS.into()).await, 200, "the owner is not locked out");
}

#[tokio::test]
async fn all_requests_and_sockets_are_counted() {
    let config = limited(|limits| {
        (limits.requests_per_minute, limits.requests_burst) = (1, 2);
        (limits.upgrades_per_minute, limits.upgrades_burst) = (1, 2);
    });
    let port = port_with(config).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(request(port.address, "GET", "/", &[], "").await.status);
    }
    assert_eq!(statuses, [404, 404, 429]);
    statuses.clear();
    for _ in 0..3 {
        statuses.push(upgrade(port.address, "/ws", &[OFFER]).await.0.status);
    }
    assert_eq!(statuses, [101, 101, 429]);
}

#[tokio::test]
async fn a_source_gets_so_many_connections_and_gets_them_back() {
    let port = port_with(GatewayConfig { connections_per_source_max: 2, ..config() }).await;
    let (first, first_stream) = upgrade(port.address, "/ws", &[OFFER]).await;
    let (second, _second_stream) = upgrade(port.address, "/ws", &[OFFER]).await;
    assert_eq!((first.status, second.status), (101, 101));

    assert_eq!(exchange(port.address, b"").await, "", "closed at once");

    drop(first_stream);
    // The place is free once the server has noticed.
    for _ in 0..500 {
        let answer =
            exchange(port.address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        if answer.starts_with("HTTP/1.1 404 ") {
            return;
        }
    }
    panic!("the place was not given back");
}

#[tokio::test]
async fn all_sources_get_no_more_connections_than_there_are() {
    let port = port_with(GatewayConfig { connections_max: 1, ..config() }).await;
    let (first, _stream) = upgrade(port.address, "/ws", &[OFFER]).await;
    assert_eq!(first.status, 101);
    assert_eq!(exchange(port.address, b"").await, "", "closed at once");
}
