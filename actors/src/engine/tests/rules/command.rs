use super::super::bench::{Bench, CH, OTHER, attach, call, cid};
use greenroom_protocol::{
    error::Reason,
    frame::{After, ClientFrame, ServerFrame},
};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn command_frames_take_effect_in_order() {
    let bench = Bench::new().await;
    let mut client = bench.client(super::super::bench::USER).await;
    let burst = [
        attach(CH, After::Start, None),
        call(1, Some(cid(1)), "session.create", &json!({})),
        attach(CH, After::Start, None),
        call(2, Some(cid(2)), "run.start", &json!({"input": "x"})),
        ClientFrame::Detach { ch: CH },
        attach(CH, After::Live, None),
        call(3, Some(cid(3)), "session.close", &json!({})),
        call(4, Some(cid(4)), "run.start", &json!({"input": "x"})),
    ];
    client.inner.send_batch(&burst).await;
    let mut answers = Vec::new();
    for frame in client.frames().await {
        answers.push(match frame {
            ServerFrame::Ok { id, .. } => format!("ok {id}"),
            ServerFrame::Err { id, error } => format!("err {id} {:?}", error.reason),
            ServerFrame::Attached(attached) => format!("attached {:?}", attached.mode),
            ServerFrame::Detached(_) => "detached".to_owned(),
            ServerFrame::Error { error, .. } => format!("error {:?}", error.reason),
            _ => continue,
        });
    }
    let expected = [
        "error SessionNotFound",
        "ok 1",
        "attached Resumed",
        "ok 2",
        "detached",
        "attached Live",
        "ok 3",
        "err 4 SessionClosed",
    ];
    assert_eq!(answers, expected);
}

#[tokio::test(start_paused = true)]
async fn command_repeat_has_one_effect() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    let commands = [
        ("session.create", cid(1), json!({})),
        ("run.start", cid(2), json!({"input": "talk"})),
        ("run.cancel", cid(3), json!({"start_cid": cid(2)})),
        ("run.cancel", cid(4), json!({"start_cid": cid(99)})),
        ("session.close", cid(5), json!({})),
    ];
    let (mut answers, mut call) = (Vec::new(), None);
    for (method, cid, params) in &commands {
        let (first, repeated) = client.call_again(method, *cid, params.clone()).await.unwrap();
        assert_eq!(repeated, *method == "session.create", "{method}: created by the bench");
        let again = client.call_again(method, *cid, params.clone()).await.unwrap();
        assert!(again.1, "{method}");
        if *method == "run.start" {
            assert_eq!(again.0, first);
            call = bench.calls.next().await;
        }
        answers.push(first);
    }
    drop(call);
    let head = |info: serde_json::Value| info["head"].as_u64().unwrap();
    let before = head(client.call("session.get", cid(0), json!({})).await.unwrap());

    bench.asleep().await;
    let mut bench = bench.restart().await;
    let mut client = bench.reader().await;
    for ((method, cid, params), first) in commands.iter().zip(answers) {
        let (answer, repeated) = client.call_again(method, *cid, params.clone()).await.unwrap();
        assert!(repeated, "{method}");
        if method.starts_with("run.") {
            assert_eq!(answer, first, "{method}");
        }
    }
    let after = head(client.call("session.get", cid(0), json!({})).await.unwrap());
    assert_eq!(before, after, "nothing was written");
    assert!(bench.calls.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn command_other_contents_conflict() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    let call = bench.calls.next().await.unwrap();
    for (method, cid, params) in [
        ("session.create", cid(9), json!({})),
        ("session.create", cid(1), json!({"title": "other"})),
        ("run.start", cid(2), json!({"input": "other"})),
        ("run.start", cid(2), json!({"input": "talk", "model": "other"})),
        ("run.start", cid(1), json!({"input": "talk"})),
        ("run.cancel", cid(2), json!({"start_cid": cid(2)})),
        ("session.close", cid(2), json!({})),
    ] {
        let error = client.call(method, cid, params).await.unwrap_err();
        assert_eq!((method, error.reason), (method, Reason::IdempotencyConflict));
    }
    call.finish().await;
}

#[tokio::test(start_paused = true)]
async fn command_needs_a_cid_to_mutate() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.until_caught_up().await;
    for (id, method, params) in [
        (1, "session.create", json!({})),
        (2, "session.close", json!({})),
        (3, "run.start", json!({"input": "x"})),
        (4, "run.cancel", json!({"start_cid": cid(2)})),
    ] {
        client.inner.send(call(id, None, method, &params)).await;
        match client.recv().await {
            ServerFrame::Err { id: answered, error } => {
                assert_eq!((answered, error.reason), (id, Reason::CommandIdRequired));
            }
            frame => panic!("{method}: {frame:?}"),
        }
    }
    client.inner.send(call(5, None, "session.get", &json!({}))).await;
    assert!(matches!(client.recv().await, ServerFrame::Ok { id: 5, .. }), "changes nothing");
    assert!(bench.calls.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn command_of_another_user_is_not_found() {
    let bench = Bench::new().await;
    drop(bench.attached().await);
    for _ in ["awake", "asleep"] {
        let mut other = bench.client(OTHER).await;
        for (method, params) in [
            ("session.create", json!({})),
            ("session.get", json!({})),
            ("session.close", json!({})),
            ("run.start", json!({"input": "x"})),
            ("run.cancel", json!({"start_cid": cid(2)})),
            ("history.get", json!({})),
            ("files.list", json!({})),
            ("files.get", json!({"path": "a"})),
        ] {
            for cid in [cid(1), cid(5)] {
                let error = other.call(method, cid, params.clone()).await.unwrap_err();
                assert_eq!((method, error.reason), (method, Reason::SessionNotFound));
            }
        }
        other.send_attach(After::Start, None).await;
        match other.recv().await {
            ServerFrame::Error { error, .. } => assert_eq!(error.reason, Reason::SessionNotFound),
            frame => panic!("{frame:?}"),
        }
        let list = other.call("session.list", cid(0), json!({})).await.unwrap();
        assert_eq!(list["items"], json!([]));
        bench.asleep().await;
    }
}
