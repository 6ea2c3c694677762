use super::*;
use crate::{
    error::CloseCode,
    frame::{After, Attach, Call, ClientInfo, Hello, ServerFrame},
    id::{CommandId, Cursor, Epoch, Seq, SessionId},
    method::Method,
};
use proptest::{prelude::*, sample::Index};
use uuid::Uuid;

fn refused(message: impl AsRef<[u8]>) -> DecodeError {
    decode(message.as_ref()).expect_err("it should have been refused")
}

fn malformed(message: impl AsRef<[u8]>) -> bool {
    matches!(refused(message), DecodeError::Malformed(_))
}

#[test]
fn codec_too_large_is_refused_before_parsing() {
    // No JSON at all, so whoever parsed it would say "malformed".
    let message = vec![b'x'; MESSAGE_BYTES_MAX + 1];
    let error = refused(&message);
    assert!(matches!(error, DecodeError::TooLarge { len_bytes: 65_537 }), "{error}");
    assert_eq!(error.close_code(), CloseCode::MessageTooBig);
    assert!(malformed(&message[1..]), "one byte fewer is parsed");
}

#[test]
fn codec_too_deep_is_refused() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"type":"ping","ts":1,"x":{open}{close}}}"#)
    };
    assert!(decode(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
    assert!(matches!(refused(nested(JSON_DEPTH_MAX + 1)), DecodeError::TooDeep));
    assert!(matches!(refused("[".repeat(MESSAGE_BYTES_MAX)), DecodeError::TooDeep));
    let quoted = format!(r#"{{"type":"ping","x":"\"{}"}}"#, "[".repeat(99));
    assert!(decode(quoted.as_bytes()).is_ok(), "brackets within a string are text");
}

#[test]
fn codec_batches_keep_their_order_and_are_bounded() {
    let batch = |n: usize| {
        let frames: Vec<_> = (0..n).map(|ts| format!(r#"{{"type":"ping","ts":{ts}}}"#)).collect();
        format!(" [{}]", frames.join(","))
    };
    let frames = decode(batch(BATCH_FRAMES_MAX).as_bytes()).unwrap();
    for (n, frame) in frames.iter().enumerate() {
        assert!(matches!(frame, ClientFrame::Ping { ts } if *ts == n as u64));
    }
    let many = [batch(BATCH_FRAMES_MAX + 1), format!("[{}0]", "0,".repeat(30_000))];
    for message in many {
        assert!(matches!(refused(message), DecodeError::TooManyFrames));
    }
    assert!(decode(b"[]").unwrap().is_empty());
    assert!(malformed(r#"[{"type":"pong"},{"type":"ping","ts":-1}]"#), "all or nothing");
}

#[test]
fn codec_text_that_is_no_utf8_is_refused() {
    assert!(malformed(b"{\"type\":\"ping\",\"ignored\":\"\xff\"}"));
    assert!(malformed(b"\xff"));
}

#[test]
fn codec_fields_that_come_twice_are_refused() {
    assert!(malformed(r#"{"type":"pong","type":"hello"}"#));
    assert!(malformed(r#"{"type":"ping","ts":1,"ts":2}"#));
    assert!(malformed(r#"{"type":"auth","token":"a","token":"b"}"#));
}

#[test]
fn codec_numbers_out_of_range_are_refused() {
    for ts in ["-1", "1.5", "1e3", "18446744073709551616", "1e999", "\"1\"", "null"] {
        assert!(malformed(format!(r#"{{"type":"ping","ts":{ts}}}"#)), "{ts}");
    }
    assert!(malformed(r#"{"type":"detach","ch":4294967296}"#));
    let ignored = r#"{"type":"ping","ts":18446744073709551615,"x":1e99999}"#;
    assert!(decode(ignored.as_bytes()).is_ok());
}

#[test]
fn codec_unknown_fields_are_ignored_and_unknown_types_named() {
    let frames = decode(br#"{"x":{"type":"hello"},"type":"detach","ch":7,"y":[null]}"#).unwrap();
    assert!(matches!(frames[..], [ClientFrame::Detach { ch: Channel(7) }]));
    let long = format!(r#"{{"type":"{}","ch":"?"}}"#, "ü".repeat(1000));
    let frames = decode(long.as_bytes()).unwrap();
    assert!(matches!(&frames[..], [ClientFrame::Unknown { kind }] if *kind == "ü".repeat(64)));
    let answer = ServerFrame::unknown_type("x").encode();
    assert!(answer.contains("unknown_type"), "{answer}");
}

#[test]
fn codec_what_is_no_frame_is_refused() {
    for message in
        ["", " ", "{}", "null", "1", r#""hello""#, "{", "[", r#"{"type":1}"#, r#"{"type":"pong"}x"#]
    {
        assert!(malformed(message), "{message:?}");
    }
    assert!(malformed(r#"{"type":"hello"}"#), "a known frame without a field it needs");
    assert!(malformed(r#"[[{"type":"pong"}]]"#), "a batch holds no batches");
}

#[test]
fn codec_places_to_begin_are_told_apart() {
    let after = |json: &str| {
        let session = SessionId::new(Uuid::nil());
        let frame = format!(r#"{{"type":"attach","ch":1,"session":"{session}","after":{json}}}"#);
        match decode(frame.as_bytes()).ok()?.pop() {
            Some(ClientFrame::Attach(attach)) => Some(attach.after),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(after(r#""start""#), Some(After::Start));
    assert_eq!(after(r#""live""#), Some(After::Live));
    assert_eq!(after(r#""open""#), Some(After::Open));
    assert_eq!(after(r#"{"tail":5}"#), Some(After::Tail(5)));
    let cursor = Cursor { epoch: Epoch(1), seq: Seq(2) };
    assert_eq!(after(r#"{"seq":2,"epoch":1,"x":0}"#), Some(After::Cursor(cursor)));
    for wrong in [r#""end""#, "{}", r#"{"seq":2}"#, r#"{"epoch":1,"seq":2,"tail":3}"#, "7", "null"]
    {
        assert_eq!(after(wrong), None, "{wrong}");
    }
}

fn frame() -> impl Strategy<Value = ClientFrame> {
    let after = prop_oneof![
        Just(After::Start),
        Just(After::Live),
        Just(After::Open),
        any::<u32>().prop_map(After::Tail),
        any::<(u64, u64)>()
            .prop_map(|(epoch, seq)| After::Cursor(Cursor { epoch: Epoch(epoch), seq: Seq(seq) })),
    ];
    let attach = (any::<u32>(), any::<u128>(), after, any::<Option<u64>>(), any::<u32>()).prop_map(
        |(ch, session, after, credit, window_ms)| Attach {
            ch: Channel(ch),
            session: SessionId::new(Uuid::from_u128(session)),
            after,
            credit,
            window_ms,
        },
    );
    let hello = (
        any::<(u32, u32)>(),
        any::<Option<String>>(),
        any::<(String, String)>(),
        prop::collection::vec(any::<String>(), 0..3),
        prop::collection::vec(attach.clone(), 0..4),
    )
        .prop_map(|(v, token, (name, version), features, attach)| Hello {
            v,
            token,
            client: ClientInfo { name, version },
            features,
            attach,
        });
    let call = (any::<u32>(), any::<Option<u128>>(), ".{0,20}", any::<Option<u128>>(), ".{0,20}")
        .prop_map(|(id, cid, method, session, input)| Call {
            id,
            cid: cid.map(|n| CommandId::new(Uuid::from_u128(n))),
            method,
            session: session.map(|n| SessionId::new(Uuid::from_u128(n))),
            params: serde_json::value::to_raw_value(&[input]).ok(),
        });
    let ack = any::<(u32, u64, u64)>().prop_map(|(ch, seq, sum)| Ack(Channel(ch), Seq(seq), sum));
    prop_oneof![
        hello.prop_map(ClientFrame::Hello),
        any::<String>().prop_map(|token| ClientFrame::Auth { token }),
        attach.prop_map(ClientFrame::Attach),
        any::<u32>().prop_map(|ch| ClientFrame::Detach { ch: Channel(ch) }),
        prop::collection::vec(ack, 0..4).prop_map(|acks| ClientFrame::Ack { acks }),
        call.prop_map(ClientFrame::Call),
        any::<u64>().prop_map(|ts| ClientFrame::Ping { ts }),
        Just(ClientFrame::Pong),
    ]
}

/// Whatever comes out of `decode` must be safe to go on with.
fn take(message: &[u8]) {
    for frame in decode(message).unwrap_or_default() {
        if let ClientFrame::Call(call) = &frame {
            let _ = Method::from_call(call);
        }
        let _ = frame.encode();
    }
}

proptest! {
    #[test]
    fn a_frame_reads_back_as_it_was_written(frame in frame()) {
        let json = frame.encode();
        let frames = decode(json.as_bytes()).unwrap();
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(frames[0].encode(), json);
    }

    #[test]
    fn codec_never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        take(&bytes);
    }

    #[test]
    fn codec_never_panics_on_json_like_text(
        text in r#"([\[\]{}:,"0-9eE.+\\-]|null|true|"type":|"hello"|"call"|"attach"|"ack"|"after":){0,40}"#,
    ) {
        take(text.as_bytes());
    }

    #[test]
    fn codec_never_panics_on_damaged_frames(
        frame in frame(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>(), 0_u8..4), 1..6),
    ) {
        let mut bytes = frame.encode().into_bytes();
        for (place, byte, how) in damage {
            let at = place.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match how {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        take(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = ServerFrame::decode(text);
        }
    }

    #[test]
    fn codec_methods_never_panic_on_parameters(
        method in prop::sample::select(vec![
            "session.create", "session.get", "session.list", "session.close", "run.start",
            "run.cancel", "history.get", "files.list", "files.get", "credits.get",
            "credits.history", "credits.quote", "?",
        ]),
        params in r#"(\{("(title|input|run|start_cid|before|limit|path|cursor|offset)":(-?[0-9]{1,25}|"[a-z_0-9]{0,40}"|null|\[\]),?){0,3}\}|[0-9]|"x"|null)"#,
        ids: bool,
    ) {
        let session = ids.then(|| SessionId::new(Uuid::nil()));
        let cid = ids.then(|| CommandId::new(Uuid::nil()));
        if let Ok(params) = RawValue::from_string(params) {
            let call = Call { id: 1, cid, method: method.into(), session, params: Some(params) };
            if let Ok(read) = Method::from_call(&call) {
                prop_assert_eq!(read.name(), method);
                prop_assert_eq!(Method::from_call(&read.to_call()).ok(), Some(read));
            }
        }
    }
}
