//! Two real servers, each with a store of its own, at one Redis.

use super::{metric, shared_redis, site};
use crate::server::{Model, Script, Server, Socket, User, is_end, outcome, until};
use greenroom_protocol::{event::Outcome, frame::Entry};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Starts a run over REST; the status of the answer.
async fn try_run(server: &Server, user: &User) -> u16 {
    let session = server.create(user).await;
    let path = format!("/sessions/{session}/runs");
    let body = json!({ "input": "a todo app" });
    server.rest("POST", &path).by(user).json(&body).send().await.status
}

#[tokio::test]
async fn signing_out_on_one_node_closes_what_it_opened_on_another() {
    let Some(config) = shared_redis() else { return };
    let (site_1, site_2) = (site(&config), site(&config));
    let (one, two) = (site_1.start().await, site_2.start().await);
    metric(&two, "greenroom_redis_nodes 2").await;
    let phone = one.register("ada").await;
    let desk = one.login(&phone).await;
    let mut lost = Socket::connect(&two, &phone).await;
    let _kept = Socket::connect(&two, &desk).await;

    let begun = Instant::now();
    let body = json!({ "refresh_token": phone.refresh });
    assert_eq!(one.rest("POST", "/auth/logout").json(&body).send().await.status, 204);
    assert_eq!(lost.close_code().await, 4503);
    println!("signed out on the other node after {:?}", begun.elapsed());

    assert_eq!(Socket::refused_hello(&two, Some(&phone.access)).await, 4501);
    Socket::connect(&two, &desk).await;

    // A node that starts later knows it, too.
    drop(two);
    let two = site_2.start().await;
    assert_eq!(Socket::refused_hello(&two, Some(&phone.access)).await, 4501);
}

#[tokio::test]
async fn runs_of_a_user_are_counted_over_all_nodes() {
    let Some(config) = shared_redis() else { return };
    let limited = || {
        site(&config)
            .with("GREENROOM__LIMITS__RUNS_BURST", "3")
            .with("GREENROOM__LIMITS__RUNS_PER_MINUTE", "1")
    };
    let (site_1, site_2) = (limited(), limited());
    let (one, two) = (site_1.start().await, site_2.start().await);
    metric(&two, "greenroom_redis_nodes 2").await;
    let user = one.register("ada").await;

    let mut statuses = Vec::new();
    for server in [&one, &two, &one, &two, &one] {
        statuses.push(try_run(server, &user).await);
    }
    assert_eq!(statuses, [202, 202, 202, 429, 429]);
}

#[tokio::test]
async fn tries_to_sign_in_to_an_account_are_counted_over_all_nodes() {
    let Some(config) = shared_redis() else { return };
    let (site_1, site_2) = (site(&config), site(&config));
    let (one, two) = (site_1.start().await, site_2.start().await);
    metric(&two, "greenroom_redis_nodes 2").await;
    let guess = json!({ "email": "ada@example.org", "password": "wrong, wrong, wrong" });
    let mut statuses = Vec::new();
    for server in [&one, &two].into_iter().cycle().take(12) {
        statuses.push(server.rest("POST", "/auth/login").json(&guess).send().await.status);
    }
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
}

#[tokio::test]
async fn a_limit_that_one_node_meets_is_kept_by_the_other() {
    let Some(config) = shared_redis() else { return };
    let model = Model::start(Script::Limited(120)).await;
    let answered = || {
        site(&config)
            .answered_by(&model.base_url())
            .with("GREENROOM__PROVIDERS__CUSTOM__API_KEY", "a-key-of-a-test")
            .with("GREENROOM__RUNS__PROVIDER_WAIT_SECS", "1")
    };
    let (site_1, site_2) = (answered(), answered());
    let (one, two) = (site_1.start().await, site_2.start().await);
    metric(&two, "greenroom_redis_nodes 2").await;
    let user = one.register("ada").await;
    let is_over = |entry: &Entry| is_end(&entry.event);

    let session = one.create(&user).await;
    one.start_run(&user, session, "a todo app").await;
    one.poll_until(&user, session, is_over).await;
    let (begun, calls) = (Instant::now(), model.calls());
    assert_eq!(calls, 1);
    until("cooldown on the other node", async || {
        let providers: Value = serde_json::from_str(&two.internal("/providers").await.1).unwrap();
        let mut groups = providers.as_array()?.iter().flat_map(|one| one["groups"].as_array());
        let groups = groups.next()?;
        groups.iter().any(|group| group["state"] == "cooling").then_some(())
    })
    .await;
    println!("known on the other node after {:?}", begun.elapsed());

    let session = two.create(&user).await;
    two.start_run(&user, session, "a todo app").await;
    let said = two.poll_until(&user, session, is_over).await;
    let said = crate::server::evs(&said);
    assert_eq!(outcome(&said), Some(Outcome::Failed));
    assert_eq!(model.calls(), calls, "it was not asked again");
}
