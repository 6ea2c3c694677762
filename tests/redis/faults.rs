//! A Redis that dies, forgets or does not answer: a node goes on without it, and comes back to it.

use super::{OwnRedis, join, metric, node, site};
use crate::server::{
    Server, Site, Socket, User, entries, is_end, outcome, session, soon, story, until,
};
use greenroom::redis::{Bucket, RedisError, Taken};
use greenroom_actors::port::{Cooldowns as _, Cooling, SignIn};
use greenroom_protocol::{
    event::{Event, Outcome},
    id::UserId,
};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A server that allows so many runs at once, and one a minute after them.
fn limited(redis: &OwnRedis, burst: u32) -> Site {
    site(&redis.config())
        .with("GREENROOM__LIMITS__RUNS_BURST", burst.to_string())
        .with("GREENROOM__LIMITS__RUNS_PER_MINUTE", "1")
}

async fn try_run(server: &Server, user: &User) -> u16 {
    let session = server.create(user).await;
    let body = json!({ "input": "a todo app" });
    let path = format!("/sessions/{session}/runs");
    server.rest("POST", &path).by(user).json(&body).send().await.status
}

/// A generation from its begin to its end.
async fn generate(server: &Server, user: &User) {
    let mut socket = Socket::connect(server, user).await;
    let session = session();
    socket.create(session, 1).await;
    socket.start_run(session, "a todo app").await;
    let frames = socket.take_until_event(is_end).await;
    assert_eq!(outcome(&entries(&frames, 1)), Some(Outcome::Completed));
}

#[tokio::test]
async fn a_server_without_its_redis_serves_and_limits_and_takes_it_up_when_it_comes() {
    let Some(mut redis) = OwnRedis::absent() else { return };
    let site = limited(&redis, 3);
    let server = site.start().await;
    metric(&server, "greenroom_redis_up 0").await;
    let ada = server.register("ada").await;
    generate(&server, &ada).await;
    let statuses = [try_run(&server, &ada).await, try_run(&server, &ada).await];
    assert_eq!(statuses, [202, 202]);
    assert_eq!(try_run(&server, &ada).await, 429, "limits hold within the node");

    redis.restart();
    metric(&server, "greenroom_redis_up 1").await;
    let eve = server.register("eve").await;
    generate(&server, &eve).await;
    assert!(redis.command("KEYS *:rate:runs:*").contains(":rate:runs:"), "it counts again");
}

#[tokio::test]
async fn a_generation_goes_on_while_redis_dies_and_all_is_shared_again_after_its_return() {
    let Some(mut redis) = OwnRedis::start() else { return };
    let site = limited(&redis, 3).paced(400);
    let server = site.start().await;
    metric(&server, "greenroom_redis_up 1").await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let id = session();
    socket.create(id, 1).await;
    socket.start_run(id, "a todo app").await;
    let mut frames =
        socket.take_until_event(|event| matches!(event, Event::FileStart { .. })).await;
    redis.kill();
    metric(&server, "greenroom_redis_up 0").await;
    frames.extend(socket.take_until_event(is_end).await);
    let told = entries(&frames, 1);
    assert_eq!(outcome(&told), Some(Outcome::Completed));
    assert!(!story(&told).is_empty());

    // The node counted the first run as well.
    assert_eq!([try_run(&server, &user).await, try_run(&server, &user).await], [202, 202]);
    assert_eq!(try_run(&server, &user).await, 429);

    redis.restart();
    metric(&server, "greenroom_redis_up 1").await;
    until("the node in the new Redis", async || {
        redis.command("ZCARD {greenroom}:nodes").starts_with(":1").then_some(())
    })
    .await;
    let eve = server.register("eve").await;
    assert_eq!(try_run(&server, &eve).await, 202);
    assert!(redis.command("KEYS *:rate:runs:*").contains(":rate:runs:"), "it counts again");
}

#[tokio::test]
async fn a_flushed_redis_is_told_again_what_holds_still() {
    let Some(redis) = OwnRedis::start() else { return };
    let config = redis.config();
    let one = node(&config);
    let _one = join(&one, |_, _| {}).await;
    let (user, sign_in) = (UserId::new(Uuid::now_v7()), SignIn(rand::random()));
    one.sign_out(user, sign_in);
    one.tell(Cooling {
        provider: "groq".to_owned(),
        key: None,
        model: None,
        rest: Duration::from_secs(600),
    });
    let is_told = || {
        let told = ["signed_out", "cools"];
        told.iter()
            .all(|key| redis.command(&format!("ZCARD {{greenroom}}:{key}")).starts_with(":1"))
    };
    until("what was told", async || is_told().then_some(())).await;

    assert!(redis.command("FLUSHALL").starts_with("+OK"));
    assert!(redis.command("SCRIPT FLUSH").starts_with("+OK"));
    until("what was told, again", async || is_told().then_some(())).await;

    let two = node(&config);
    let (heard, mut hears) = mpsc::channel(16);
    let _two = join(&two, move |user, sign_in| heard.try_send((user, sign_in)).unwrap()).await;
    assert_eq!(hears.try_recv(), Ok((user, sign_in)));
    let cooling = soon("cooldown on the other node", two.next()).await;
    assert!(cooling.rest > Duration::from_secs(500));
    let bucket = [Bucket { name: "b".to_owned(), per_minute: 1, burst: 5 }];
    assert_eq!(two.buckets().take(&bucket).await, Ok(Taken::All(vec![4])), "scripts are loaded");
}

#[tokio::test]
async fn what_is_told_while_redis_is_away_is_heard_when_it_is_back() {
    let Some(mut redis) = OwnRedis::start() else { return };
    let config = redis.config();
    let (one, two) = (node(&config), node(&config));
    let (heard, mut hears) = mpsc::channel(16);
    let _one = join(&one, |_, _| {}).await;
    let _two = join(&two, move |user, sign_in| heard.try_send((user, sign_in)).unwrap()).await;
    redis.kill();
    let (user, sign_in) = (UserId::new(Uuid::now_v7()), SignIn(rand::random()));
    one.sign_out(user, sign_in);
    redis.restart();
    let told = soon("sign-out on the other node", hears.recv()).await;
    assert_eq!(told, Some((user, sign_in)));
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_not_asked_and_the_nodes_share_its_limits_among_them() {
    let Some(redis) = OwnRedis::start() else { return };
    let config = redis.config();
    let nodes: Vec<_> = (0..4).map(|_| node(&config)).collect();
    let mut members = Vec::new();
    for node in &nodes {
        members.push(join(node, |_, _| {}).await);
    }
    until("count of four", async || {
        nodes.iter().all(|node| node.nodes() == 4 && node.is_up()).then_some(())
    })
    .await;
    let buckets = nodes[0].buckets();
    assert_eq!(buckets.weight(), 1);

    redis.freeze();
    until("loss of Redis", async || (!nodes[0].is_up()).then_some(())).await;
    let bucket = [Bucket { name: "b".to_owned(), per_minute: 1, burst: 5 }];
    assert_eq!(buckets.take(&bucket).await, Err(RedisError::Down));
    assert_eq!(buckets.weight(), 4, "each allows its part");

    redis.thaw();
    until("return of Redis", async || nodes[0].is_up().then_some(())).await;
    assert_eq!(buckets.weight(), 1);
    assert_eq!(buckets.take(&bucket).await, Ok(Taken::All(vec![4])));
}
