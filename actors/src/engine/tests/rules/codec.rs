use super::super::bench::{Bench, USER};
use greenroom_protocol::{
    error::{CloseCode, Reason},
    frame::{ClientFrame, ServerFrame},
};

#[tokio::test(start_paused = true)]
async fn codec_unknown_type_is_answered() {
    let bench = Bench::new().await;
    let mut client = bench.client(USER).await;
    client.inner.send_text(r#"{"type":"dance","x":1}"#).await;
    match client.recv().await {
        ServerFrame::Error { error, ch: None } => {
            assert_eq!(error.reason, Reason::UnknownType);
            assert!(error.message.contains("dance"), "{}", error.message);
        }
        frame => panic!("{frame:?}"),
    }
    client.inner.send(ClientFrame::Ping { ts: 7 }).await;
    assert!(matches!(client.recv().await, ServerFrame::Pong { ts: 7 }), "the socket stays");
}

#[tokio::test(start_paused = true)]
async fn codec_binary_closes() {
    let bench = Bench::new().await;
    let mut silent = bench.socket();
    silent.send_binary().await;
    assert_eq!(silent.recv().await.unwrap_err(), Some(CloseCode::Malformed));
    let mut client = bench.client(USER).await;
    client.inner.send_binary().await;
    assert_eq!(client.inner.recv().await.unwrap_err(), Some(CloseCode::Malformed));
}
