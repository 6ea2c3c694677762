use super::bench::{Bench, USER, cid};
use greenroom_protocol::{
    error::{CloseCode, Code, Reason},
    event::Event,
    frame::After,
    limit::PROMPT_BYTES_MAX,
};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_closed_session_takes_no_more_runs() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    let info = client.call("session.close", cid(3), json!({})).await.unwrap();
    assert_eq!(info["status"], json!("closed"));
    assert_eq!(client.start(4, "talk").await.unwrap_err().reason, Reason::SessionClosed);
    client.call("session.close", cid(3), json!({})).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_users_input_is_echoed_to_every_tab_with_its_command_id() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    let mut tab = bench.client(USER).await;
    tab.attach(After::Start).await;
    client.start(2, "hello").await.unwrap();
    let entries = tab.entries_until(|event| matches!(event, Event::InputUser { .. })).await;
    match &entries.last().unwrap().event {
        Event::InputUser { cid: echoed, text, .. } => {
            assert_eq!((*echoed, text.as_str()), (cid(2), "hello"));
        }
        event => panic!("{event:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn history_pages_backwards_without_a_hole() {
    let mut bench = Bench::new().await;
    let mut client = bench.attached().await;
    client.start(2, "talk").await.unwrap();
    bench.calls.next().await.unwrap().finish().await;
    let (all, ..) = client.until_finished().await;
    let head = all.last().unwrap().seq.0;

    let mut seqs = Vec::new();
    let mut before = None;
    loop {
        let params = json!({"before": before, "limit": 3});
        let page = client.call("history.get", cid(0), params).await.unwrap();
        let entries = page["entries"].as_array().unwrap();
        seqs.extend(entries.iter().rev().map(|entry| entry["seq"].as_u64().unwrap()));
        before = page["next_before"].as_u64();
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seqs, (1..=head).rev().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn bad_input_gets_its_coded_error_and_nothing_else_happens() {
    let bench = Bench::new().await;
    let mut client = bench.attached().await;
    let unknown = client.call("session.dance", cid(9), json!({})).await.unwrap_err();
    assert_eq!((unknown.code, unknown.reason), (Code::Unimplemented, Reason::UnknownMethod));
    let later = client.call("presence.get", cid(9), json!({})).await.unwrap_err();
    assert_eq!(later.code, Code::Unimplemented);
    let empty = client.start(9, "  ").await.unwrap_err();
    assert_eq!(empty.reason, Reason::BadPrompt);
    let long = client.start(9, &"x".repeat(PROMPT_BYTES_MAX + 1)).await.unwrap_err();
    assert_eq!(long.reason, Reason::BadPrompt);
    let fields = json!({"input": "x", "unknown": {"deep": []}});
    client.call("run.start", cid(10), fields).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_no_frames_close_the_socket() {
    let bench = Bench::new().await;
    let cases = [
        ("{", CloseCode::Malformed),
        (r#"{"type":"attach"}"#, CloseCode::Malformed),
        (r#"{"type":"hello","v":[1,1]}"#, CloseCode::Malformed),
        (&"[".repeat(40), CloseCode::Malformed),
        (&format!("\"{}\"", "x".repeat(64 * 1024)), CloseCode::MessageTooBig),
    ];
    for (message, code) in cases {
        let mut client = bench.client(USER).await;
        client.inner.send_text(message).await;
        assert_eq!(client.inner.recv().await.unwrap_err(), Some(code));
    }
}
