//! What nodes share over Redis, on a real one. Without it these tests are skipped, and say so.

mod faults;
mod nodes;
mod own;
mod share;

use own::OwnRedis;

use crate::server::{Server, Site, until};
use greenroom::{
    config::RedisConfig,
    redis::{Membership, Meter, Redis},
};
use greenroom_actors::port::SignIn;
use greenroom_protocol::id::UserId;
use std::{fs::OpenOptions, io::Write as _, time::Duration};

/// Life of a token here.
const TOKEN_LIFE: Duration = Duration::from_secs(900);

/// The Redis that `tests/run.sh` started for all tests; none: there is none, and the test is noted
/// as skipped.
fn shared_redis() -> Option<RedisConfig> {
    let Ok(url) = std::env::var("GREENROOM_TEST_REDIS") else {
        skip();
        return None;
    };
    let prefix = format!("test-{:032x}", rand::random::<u128>());
    // Patient, so that a busy machine changes no result.
    Some(RedisConfig { url, prefix, answer_ms_max: 10_000 })
}

/// Notes that this test is skipped.
fn skip() {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {name}: there is no Redis; tests/run.sh starts one");
    if let Some(list) = std::env::var_os("GREENROOM_TEST_SKIPPED") {
        let mut list = OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{name} (Redis)").unwrap();
    }
}

/// A real server's place that is to share this Redis, and that takes other nodes' tokens.
fn site(config: &RedisConfig) -> Site {
    let secret = "0123456789abcdef0123456789abcdef0123456789abcdef";
    Site::new()
        .with("GREENROOM__REDIS__URL", &config.url)
        .with("GREENROOM__REDIS__PREFIX", &config.prefix)
        .with("GREENROOM__REDIS__ANSWER_MS_MAX", config.answer_ms_max.to_string())
        .with("GREENROOM__AUTH__JWT_SECRET", secret)
}

/// Waits until a server's metrics have this line.
async fn metric(server: &Server, line: &str) {
    let has = |text: &str| text.lines().any(|found| found == line);
    until(line, async || has(&server.internal("/metrics").await.1).then_some(())).await;
}

/// A node's share of a Redis.
fn node(config: &RedisConfig) -> Redis {
    Redis::open(config, TOKEN_LIFE, Meter::default()).unwrap()
}

/// Joins, and waits until the node has its share.
async fn join(
    node: &Redis,
    on_sign_out: impl Fn(UserId, SignIn) + Send + Sync + 'static,
) -> Membership {
    let member = node.join(on_sign_out).await.unwrap();
    until("Redis", async || node.is_up().then_some(())).await;
    member
}
