use super::super::bench::{Bench, OTHER, USER, cid};
use crate::{
    EngineConfig,
    fake::{FakeAuth, FakeStore},
    port::{AuthError, Authenticator, BoxFuture, Principal, SignIn},
};
use greenroom_protocol::{
    error::CloseCode,
    frame::{ClientFrame, ServerFrame},
    limit::AUTH_NOTICE,
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

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

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_ends_closes_its_own_sockets_at_once_and_no_others() {
    let (bench, begun) = (Bench::new().await, Instant::now());
    let (phone, desk) = (SignIn(1), SignIn(2));
    let mut on_phone = bench.client_with(FakeAuth::token_of(USER, phone)).await;
    let signed_in_anew = bench.client_with(FakeAuth::token_of(USER, phone)).await;
    signed_in_anew.inner.send(auth(FakeAuth::token_of(USER, desk))).await;
    let mut others = [
        signed_in_anew,
        bench.client_with(FakeAuth::token_of(USER, desk)).await,
        bench.client(USER).await,
        bench.client_with(FakeAuth::token_of(OTHER, phone)).await,
    ];
    for other in &mut others {
        other.call("session.get", cid(1), json!({})).await.unwrap_err(); // what was said is heard
    }

    bench.engine.sign_out(USER, phone);
    assert_eq!(on_phone.inner.recv().await.unwrap_err(), Some(CloseCode::Revoked));
    assert_eq!(begun.elapsed().as_secs(), 0);
    for other in &mut others {
        other.call("session.get", cid(2), json!({})).await.unwrap_err();
    }
}

/// Counts how often it is swept.
#[derive(Default)]
struct Swept(AtomicU32);

impl Authenticator for Swept {
    fn verify(&self, token: &str, now_ms: u64) -> Result<Principal, AuthError> {
        FakeAuth.verify(token, now_ms)
    }

    fn sweep(&self, _: u64) -> BoxFuture<'_, ()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_swept_every_hour() {
    let swept = Arc::new(Swept::default());
    let store = Arc::new(FakeStore::new());
    let _bench = Bench::with(store, EngineConfig::default(), swept.clone()).await;
    sleep(Duration::from_secs(3 * 3600 + 60)).await;
    assert_eq!(swept.0.load(Ordering::Relaxed), 3);
}
