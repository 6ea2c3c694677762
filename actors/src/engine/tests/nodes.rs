//! What nodes count together.

use super::bench::{Bench, cid};
use greenroom_protocol::error::Reason;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn what_all_nodes_limit_together_refuses_a_run_and_nothing_else() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.until_caught_up().await;
    bench.limiter.refuse_runs_of_all_nodes(250);
    let refused = client.start(2, "talk").await.unwrap_err();
    assert_eq!((refused.reason, refused.retry_after_ms), (Reason::RateLimited, Some(250)));
    client.call("session.list", cid(0), json!({})).await.unwrap();

    bench.limiter.refuse_runs_of_all_nodes(0);
    client.start(3, "talk").await.unwrap();
}
