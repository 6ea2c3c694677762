//! Nodes at one Redis: rates that they count together, what they tell each other.

use super::{join, node, shared_redis};
use crate::server::{soon, until};
use futures_util::future::join_all;
use greenroom::redis::{Bucket, Taken};
use greenroom_actors::port::{Cooldowns as _, Cooling, SignIn};
use greenroom_protocol::id::UserId;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

fn bucket(name: &str, per_minute: u32, burst: u32) -> Bucket {
    Bucket { name: name.to_owned(), per_minute, burst }
}

#[tokio::test]
async fn eight_racing_nodes_admit_exactly_what_a_limit_allows() {
    let Some(config) = shared_redis() else { return };
    let nodes: Vec<_> = (0..8).map(|_| node(&config)).collect();
    let mut members = Vec::new();
    for node in &nodes {
        members.push(join(node, |_, _| {}).await);
    }
    // One unit comes back in a minute: none does while this test runs.
    let rates = [bucket("race", 1, 100)];
    let race = nodes.iter().flat_map(|node| {
        let buckets = node.buckets();
        let rates = &rates;
        (0..50).map(move |_| {
            let buckets = buckets.clone();
            async move { buckets.take(rates).await.unwrap() }
        })
    });
    let taken = join_all(race).await;
    let admitted = taken.iter().filter(|taken| matches!(taken, Taken::All(_))).count();
    assert_eq!(admitted, 100);
    assert!(taken.contains(&Taken::All(vec![0])), "the last one was told that it is");
}

#[tokio::test]
async fn a_request_takes_from_all_of_its_buckets_or_from_none() {
    let Some(config) = shared_redis() else { return };
    let node = node(&config);
    let _member = join(&node, |_, _| {}).await;
    let (wide, narrow) = (bucket("wide", 1, 10), bucket("narrow", 1, 2));
    let both = [wide.clone(), narrow.clone()];
    let buckets = node.buckets();
    for left in [vec![9, 1], vec![8, 0]] {
        assert_eq!(buckets.take(&both).await, Ok(Taken::All(left)));
    }
    let Ok(Taken::None { lacks, retry_after }) = buckets.take(&both).await else {
        panic!("the narrow one was empty");
    };
    assert_eq!(lacks, 1);
    assert!(retry_after <= Duration::from_secs(60) && !retry_after.is_zero(), "{retry_after:?}");
    assert_eq!(buckets.take(&[wide]).await, Ok(Taken::All(vec![7])), "it lost nothing to that");

    // What is given back can be taken again, and no more than that.
    for _ in 0..5 {
        buckets.give_back(&narrow).await.unwrap();
    }
    assert_eq!(buckets.take(&[narrow]).await, Ok(Taken::All(vec![1])));
}

#[tokio::test]
async fn a_sign_out_reaches_all_other_nodes_also_those_that_come_later() {
    let Some(config) = shared_redis() else { return };
    let (user, sign_in) = (UserId::new(Uuid::now_v7()), SignIn(rand::random()));
    let (one, two) = (node(&config), node(&config));
    let (heard, mut hears) = mpsc::channel(16);
    let _two = join(&two, move |user, sign_in| heard.try_send((user, sign_in)).unwrap()).await;
    let _one = join(&one, |_, _| {}).await;

    one.sign_out(user, sign_in);
    let told = soon("sign-out on the other node", hears.recv()).await;
    assert_eq!(told, Some((user, sign_in)));

    let three = node(&config);
    let (heard, mut hears) = mpsc::channel(16);
    let _three = join(&three, move |user, sign_in| heard.try_send((user, sign_in)).unwrap()).await;
    assert_eq!(hears.try_recv(), Ok((user, sign_in)), "before it takes its first request");
}

#[tokio::test]
async fn a_cooldown_reaches_all_other_nodes_and_of_two_the_later_end_counts() {
    let Some(config) = shared_redis() else { return };
    let (one, two) = (node(&config), node(&config));
    let _one = join(&one, |_, _| {}).await;
    let _two = join(&two, |_, _| {}).await;
    let cooling = |secs| Cooling {
        provider: "groq".to_owned(),
        key: Some("sha256:12345678".to_owned()),
        model: Some("a-model".to_owned()),
        rest: Duration::from_secs(secs),
    };
    one.tell(cooling(60));
    let heard = soon("cooldown on the other node", two.next()).await;
    assert!(heard.rest > Duration::from_secs(50) && heard.rest <= Duration::from_secs(60));
    assert_eq!(
        Cooling { rest: Duration::ZERO, ..heard },
        Cooling { rest: Duration::ZERO, ..cooling(0) }
    );

    // A shorter one changes nothing, and is no news to anybody; a longer one is.
    two.tell(cooling(5));
    two.tell(cooling(120));
    let heard = soon("longer cooldown on the first node", async {
        loop {
            let heard = one.next().await;
            if heard.rest > Duration::from_secs(60) {
                return heard;
            }
        }
    });
    assert!(heard.await.rest <= Duration::from_secs(120));
}

#[tokio::test]
async fn nodes_know_how_many_they_are() {
    let Some(config) = shared_redis() else { return };
    let nodes: Vec<_> = (0..3).map(|_| node(&config)).collect();
    let mut members = Vec::new();
    for node in &nodes {
        members.push(join(node, |_, _| {}).await);
    }
    until("count of three", async || nodes.iter().all(|node| node.nodes() == 3).then_some(()))
        .await;
}
