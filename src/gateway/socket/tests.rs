use super::*;
use futures_util::FutureExt as _;
use greenroom_protocol::limit::MESSAGE_BYTES_MAX;
use tokio::io::{DuplexStream, duplex};

type Client = WebSocketStream<DuplexStream>;

fn limits() -> WebSocketLimits {
    WebSocketLimits::default()
}

/// A socket and the bytes at its other end.
async fn raw(pipe_bytes: usize) -> (WsSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(pipe_bytes);
    (WsSocket::new(ours, Bytes::new(), &limits()).await, theirs)
}

/// A socket and a client at its other end.
async fn pair(pipe_bytes: usize) -> (WsSocket<DuplexStream>, Client) {
    let (socket, theirs) = raw(pipe_bytes).await;
    (socket, Client::from_raw_socket(theirs, Role::Client, None).await)
}

/// A frame as clients send it, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
        long @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
        longer => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(longer).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

async fn receive(socket: &mut WsSocket<DuplexStream>) -> Result<Received, SocketError> {
    match socket.step(true).await? {
        Step::Received(received) => Ok(received),
        Step::Flushed => panic!("nothing was fed"),
    }
}

#[tokio::test]
async fn what_is_fed_arrives_in_order_and_is_reported_once() {
    let (mut socket, mut client) = pair(64 * 1024).await;
    for n in 0..100 {
        socket.feed(format!("{n}")).unwrap();
    }

    assert!(matches!(socket.step(true).await, Ok(Step::Flushed)));

    for n in 0..100 {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(format!("{n}")));
    }
    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap(), Received::Text("hello".into()));
}

#[tokio::test]
async fn nothing_is_read_unless_asked_and_nothing_ends_where_nothing_is_fed() {
    let (mut socket, mut client) = pair(1024).await;
    client.send(Message::text("hello")).await.unwrap();

    let idle = timeout(Duration::from_millis(20), socket.step(false)).await;
    assert!(idle.is_err(), "pending for ever");

    assert_eq!(receive(&mut socket).await.unwrap(), Received::Text("hello".into()));
}

#[tokio::test]
async fn a_step_that_is_dropped_loses_nothing() {
    let (mut socket, mut theirs) = raw(8).await;
    let message = frame(0x81, b"a message in many pieces");
    let text = "x".repeat(100);
    socket.feed(text.clone()).unwrap();
    let (mut sent, mut received, mut flushed) = (Vec::new(), None, 0);

    // Every step is polled once and dropped, in the middle of both directions.
    let mut bytes = message.into_iter();
    while received.is_none() || sent.len() < 102 {
        if let Some(byte) = bytes.next() {
            theirs.write_all(&[byte]).await.unwrap();
        }
        match socket.step(true).now_or_never().transpose().unwrap() {
            Some(Step::Received(message)) => received = Some(message),
            Some(Step::Flushed) => flushed += 1,
            None => {}
        }
        let _ = theirs.read_buf(&mut sent).now_or_never();
    }
    assert!(
        matches!(socket.step(false).now_or_never().transpose(), Ok(step) if step.is_some() != (flushed == 1))
    );

    assert_eq!(received, Some(Received::Text("a message in many pieces".into())));
    assert_eq!(sent.get(2..), Some(text.as_bytes()));
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_up_its_own_reading_alone() {
    let (mut socket, mut client) = pair(64).await;
    socket.feed("x".repeat(10_000)).unwrap();

    // The pipe is full, and yet the message is received.
    let (received, sent) =
        tokio::join!(receive(&mut socket), client.get_mut().write_all(b"\x81\x80\0\0\0\0"));
    sent.unwrap();

    assert_eq!(received.unwrap(), Received::Text(String::new()));
}

#[tokio::test]
async fn feeding_more_than_the_buffer_takes_is_an_error_and_not_more_memory() {
    let (mut socket, _theirs) = raw(64).await;
    let batch = "x".repeat(32 * 1024);
    let fed = (0..100).take_while(|_| socket.feed(batch.clone()).is_ok()).count();

    assert_eq!(fed, 8, "256 KiB and what the pipe took");
    assert!(matches!(socket.feed(batch), Err(SocketError::Io(_))));
}

#[tokio::test]
async fn a_ping_is_answered_although_nobody_reads_on() {
    let (mut socket, mut client) = pair(1024).await;
    client.send(Message::Ping(Bytes::from_static(b"?"))).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap(), Received::Alive);

    let pong = tokio::select! {
        _ = socket.step(false) => panic!("nothing was fed"),
        pong = client.next() => pong.unwrap().unwrap(),
    };
    assert_eq!(pong, Message::Pong(Bytes::from_static(b"?")));
}

#[tokio::test]
async fn our_ping_goes_out_and_its_pong_is_a_sign_of_life() {
    let (mut socket, mut client) = pair(1024).await;
    socket.ping().unwrap();
    let theirs = async {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Ping(Bytes::new()));
        client.flush().await.unwrap();
    };
    let (received, ()) = tokio::join!(receive(&mut socket), theirs);
    assert_eq!(received.unwrap(), Received::Alive);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_ends_the_socket_and_a_steady_beat_does_not() {
    let (mut socket, mut theirs) = raw(4096).await;
    for _ in 0..1000 {
        theirs.write_all(&frame(0x89, b"")).await.unwrap();
        assert_eq!(receive(&mut socket).await.unwrap(), Received::Alive);
        tokio::time::advance(Duration::from_millis(300)).await;
        let _ = theirs.read(&mut [0; 64]).now_or_never();
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    for _ in 0..300 {
        theirs.write_all(&frame(0x89, b"")).await.unwrap();
        assert!(receive(&mut socket).await.is_ok());
        let _ = theirs.read(&mut [0; 64]).now_or_never();
    }
    theirs.write_all(&frame(0x89, b"")).await.unwrap();
    assert!(matches!(receive(&mut socket).await, Err(SocketError::Protocol(_))));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pongs_that_nobody_asked_for_ends_the_socket() {
    let (mut socket, mut theirs) = raw(4096).await;
    for _ in 0..300 {
        theirs.write_all(&frame(0x8A, b"")).await.unwrap();
        assert_eq!(receive(&mut socket).await.unwrap(), Received::Alive);
    }
    theirs.write_all(&frame(0x8A, b"")).await.unwrap();
    assert!(matches!(receive(&mut socket).await, Err(SocketError::Protocol(_))));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_left_half_sent_ends_the_socket_whatever_signs_of_life_come() {
    let (whole, pong) = (frame(0x81, b"hello"), frame(0x8A, b""));
    let half_frame = whole.get(..8).unwrap().to_vec();
    let first_fragment = frame(0x01, b"hello");
    for (half, sign) in [(half_frame, &[][..]), (first_fragment.clone(), &pong)] {
        let (mut socket, mut theirs) = raw(4096).await;
        // A message before it, slow but whole, has a time of its own.
        theirs.write_all(&first_fragment).await.unwrap();
        let early = timeout(Duration::from_secs(4), receive(&mut socket)).await;
        assert!(early.is_err(), "{early:?}");
        theirs.write_all(&frame(0x80, b"")).await.unwrap();
        assert_eq!(receive(&mut socket).await.unwrap(), Received::Text("hello".into()));

        theirs.write_all(&half).await.unwrap();
        let begun = Instant::now();
        let ended = loop {
            match timeout(Duration::from_secs(1), receive(&mut socket)).await {
                Ok(Ok(Received::Alive)) => {}
                Ok(ended) => break ended,
                Err(_) => theirs.write_all(sign).await.unwrap(),
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "never");
        };
        assert!(matches!(ended, Err(SocketError::Protocol(_))), "{ended:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn time_in_which_nothing_is_read_is_not_the_peer_s() {
    let (mut socket, mut theirs) = raw(4096).await;
    theirs.write_all(&frame(0x01, b"a")).await.unwrap();
    assert!(timeout(Duration::from_secs(4), receive(&mut socket)).await.is_err());
    assert!(timeout(Duration::from_secs(60), socket.step(false)).await.is_err());
    assert!(timeout(Duration::from_secs(4), receive(&mut socket)).await.is_err());
    theirs.write_all(&frame(0x80, b"b")).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap(), Received::Text("ab".into()));
}

#[tokio::test]
async fn a_message_in_too_many_frames_ends_the_socket_after_what_came_before() {
    let pieces = |more: usize| {
        let (start, end) = (frame(0x01, b"x"), frame(0x80, b"x"));
        [start, frame(0x00, b"").repeat(more), end].concat()
    };
    let (mut socket, mut theirs) = raw(100_000).await;
    theirs.write_all(&pieces(62)).await.unwrap();
    theirs.write_all(&pieces(1_000)).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap(), Received::Text("xx".into()));
    match receive(&mut socket).await {
        Err(SocketError::Protocol(message)) => assert!(message.contains("64"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn after_too_many_frames_the_close_frame_still_arrives() {
    let (mut socket, mut theirs) = raw(100_000).await;
    theirs.write_all(&frame(0x01, b"x")).await.unwrap();
    theirs.write_all(&frame(0x00, b"x").repeat(1_000)).await.unwrap();
    assert!(receive(&mut socket).await.is_err());
    let mut sent = Vec::new();
    let (mut reader, mut writer) = tokio::io::split(theirs);
    let theirs = async {
        reader.read_to_end(&mut sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    tokio::join!(socket.close(CloseCode::Malformed, "malformed"), theirs);
    assert_eq!(sent.get(2..4), Some(&[0x11, 0x94][..]), "close 4500");
}

#[tokio::test]
async fn a_message_a_little_too_big_arrives_so_that_it_can_be_answered() {
    let (mut socket, mut client) = pair(200_000).await;
    client.send(Message::text("x".repeat(MESSAGE_BYTES_MAX + 1))).await.unwrap();
    let Received::Text(text) = receive(&mut socket).await.unwrap() else { panic!("no text") };
    assert_eq!(text.len(), MESSAGE_BYTES_MAX + 1);
}

#[tokio::test]
async fn a_message_far_too_big_fails_at_its_head_however_it_is_cut() {
    let whole = frame(0x81, &[b'x'; 90_000]);
    let announced = whole.get(..14).unwrap().to_vec();
    let mut halves = frame(0x01, &[b'x'; 50_000]);
    halves.extend(frame(0x80, &[b'x'; 50_000]));
    for bytes in [announced, halves] {
        let (mut socket, mut theirs) = raw(1_000_000).await;
        theirs.write_all(&bytes).await.unwrap();
        assert!(matches!(receive(&mut socket).await, Err(SocketError::TooBig)));
    }
}

#[tokio::test]
async fn bytes_that_break_the_protocol_are_named() {
    for (bytes, what) in [
        (frame(0x81, b"\xff"), "UTF-8"),
        (b"\x81\x01x".to_vec(), "unmasked"),
        (frame(0xC1, b"x"), "Reserved bits"),
        (frame(0x83, b"x"), "invalid opcode"),
        (frame(0x09, b""), "Fragmented control"),
        (frame(0x80, b"x"), "nothing to continue"),
    ] {
        let (mut socket, mut theirs) = raw(1024).await;
        theirs.write_all(&bytes).await.unwrap();
        match receive(&mut socket).await {
            Err(SocketError::Protocol(message)) => assert!(message.contains(what), "{message}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn binary_messages_are_told_apart() {
    let (mut socket, mut client) = pair(1024).await;
    client.send(Message::binary(Bytes::from_static(b"x"))).await.unwrap();
    assert_eq!(receive(&mut socket).await.unwrap(), Received::Binary);
}

#[tokio::test]
async fn a_peer_that_closes_gets_its_answer() {
    let (mut socket, mut client) = pair(1024).await;
    let theirs = async {
        client.close(None).await.unwrap();
        while let Some(Ok(_)) = client.next().await {}
    };
    let ours = async {
        let ended = receive(&mut socket).await;
        drop(socket);
        ended
    };
    let (ended, ()) = tokio::join!(ours, theirs);
    assert!(matches!(ended, Err(SocketError::Closed)));
}

#[tokio::test]
async fn a_peer_that_vanishes_is_closed() {
    let (mut socket, client) = pair(1024).await;
    drop(client);
    assert!(matches!(receive(&mut socket).await, Err(SocketError::Closed)));
    let fed = socket.feed("x".into());
    assert!(fed.is_err() || socket.step(true).await.is_err());
}

#[tokio::test]
async fn closing_sends_what_was_fed_and_then_code_and_reason() {
    let (mut socket, mut client) = pair(1024).await;
    socket.feed("last words".into()).unwrap();
    let theirs = async {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("last words"));
        let Message::Close(Some(frame)) = client.next().await.unwrap().unwrap() else {
            panic!("no close frame")
        };
        assert!(client.next().await.is_none());
        frame
    };
    let reason = "ä".repeat(100);
    let ((), frame) = tokio::join!(socket.close(CloseCode::GoingAway, &reason), theirs);
    assert_eq!(u16::from(frame.code), 4001);
    assert_eq!(frame.reason.as_str(), "ä".repeat(61), "cut between two letters");
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_a_silent_peer_two_seconds_at_most() {
    for pipe_bytes in [4, 1024] {
        let (socket, theirs) = raw(pipe_bytes).await;
        let begun = Instant::now();
        socket.close(CloseCode::Internal, "internal").await;
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        drop(theirs);
    }
}

#[tokio::test]
async fn after_a_message_that_is_too_big_the_close_frame_still_arrives() {
    let (ours, mut theirs) = duplex(1024);
    let limits = WebSocketLimits { close_ms_max: 200, ..limits() };
    let mut socket = WsSocket::new(ours, Bytes::new(), &limits).await;
    theirs.write_all(frame(0x81, &[b'x'; 90_000]).get(..14).unwrap()).await.unwrap();
    assert!(matches!(receive(&mut socket).await, Err(SocketError::TooBig)));

    // The peer goes on sending its message, and reads only later.
    let close = socket.close(CloseCode::MessageTooBig, "message_too_big");
    let (mut reader, mut writer) = tokio::io::split(theirs);
    let flood = async { while writer.write_all(&[b'x'; 100]).await.is_ok() {} };
    let mut sent = Vec::new();
    tokio::join!(close, flood);
    reader.read_to_end(&mut sent).await.unwrap();

    assert_eq!(sent.get(..4), Some(&[0x88, 17, 0x11, 0x9a][..]), "close 4506");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_floods_is_not_read_for_as_long_as_a_close_may_take() {
    let ping = frame(0x89, b"").repeat(100);
    for (bytes, breaks) in [(ping, false), (vec![0xFF; 4096], true)] {
        let (mut socket, theirs) = raw(4096).await;
        let (mut reader, mut writer) = tokio::io::split(theirs);
        if breaks {
            writer.write_all(&bytes).await.unwrap();
            assert!(receive(&mut socket).await.is_err());
        }
        let flood = async {
            let mut sent = 0;
            while writer.write_all(&bytes).await.is_ok() {
                sent += bytes.len();
            }
            sent
        };
        let read = async { while reader.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {} };
        let begun = Instant::now();
        let close = socket.close(CloseCode::Malformed, "malformed");
        let ((), sent, ()) = tokio::join!(close, flood, read);
        assert!(sent < 512 * 1024, "{sent} bytes");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[test]
fn a_socket_is_small() {
    let bytes = size_of::<WsSocket>();
    assert!(bytes <= 448, "{bytes} bytes");
}
