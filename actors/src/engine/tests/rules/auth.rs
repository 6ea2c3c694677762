use super::super::bench::{Bench, OTHER, USER};
use crate::fake::FakeAuth;
use greenroom_protocol::{
    error::CloseCode,
    frame::{ClientFrame, ServerFrame},
    limit::AUTH_NOTICE,
};
use std::time::Duration;
use tokio::time::Instant;

/// What the clock of the bench shows at first.
const BEGIN_MS: u64 = 1_000_000;

fn auth(token: String) -> ClientFrame {
    ClientFrame::Auth { token }
}

#[tokio::test(start_paused = true)]
async fn auth_expiry_is_announced() {
    let (bench, begun) = (Bench::new().await, Instant::now());
    let mut client = bench.client_with(FakeAuth::token_until(USER, BEGIN_MS + 120_000)).await;
    let notice_ms = u64::try_from(AUTH_NOTICE.as_millis()).unwrap();
    for expires_after_ms in [120_000, 240_000, 360_000] {
        let ServerFrame::AuthRequired { deadline_ms } = client.recv().await else {
            panic!("not announced")
        };
        assert!((notice_ms - 5..=notice_ms).contains(&deadline_ms), "{deadline_ms}");
        let at_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
        assert!(at_ms.abs_diff(expires_after_ms - notice_ms) < 5, "{at_ms}");
        // A new token: the next announcement is the new one's.
        let token = FakeAuth::token_until(USER, BEGIN_MS + expires_after_ms + 120_000);
        client.inner.send(auth(token)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn auth_expired_closes() {
    let (bench, begun) = (Bench::new().await, Instant::now());
    let mut client = bench.client_with(FakeAuth::token_until(USER, BEGIN_MS + 30_000)).await;
    assert!(matches!(client.recv().await, ServerFrame::AuthRequired { .. }), "at once");
    assert_eq!(client.inner.recv().await.unwrap_err(), Some(CloseCode::TokenExpired));
    assert_eq!(begun.elapsed().as_secs(), Duration::from_secs(30).as_secs());

    for token in [FakeAuth::token_until(USER, 1), "no token".to_owned()] {
        let mut client = bench.client(USER).await;
        client.inner.send(auth(token)).await;
        assert_eq!(client.inner.recv().await.unwrap_err(), Some(CloseCode::TokenExpired));
    }
}

#[tokio::test(start_paused = true)]
async fn auth_of_another_user_closes() {
    let bench = Bench::new().await;
    let mut client = bench.client(USER).await;
    client.inner.send(auth(FakeAuth::token(OTHER))).await;
    assert_eq!(client.inner.recv().await.unwrap_err(), Some(CloseCode::PrincipalMismatch));
}
