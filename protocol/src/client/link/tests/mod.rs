mod model;

use super::*;
use crate::{
    client::Begin,
    error::{Code, ErrorBody, Reason},
    event::Event,
    frame::{
        Attached, CaughtUp, Detached, Ev, GoAway, Limits, Mode, Reset, ServerFrame, Status, Welcome,
    },
    id::{CommandId, ConnectionId, Epoch, PartId, Seq},
    method::{Method, RunStart, SessionCreate},
};
use uuid::Uuid;

fn session(n: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(n))
}

fn cid(n: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(n))
}

fn start_run(n: u128) -> Call {
    let start =
        RunStart { input: "hi".into(), on_busy: Default::default(), model: None, plan: None };
    Method::RunStart(session(1), cid(n), start).to_call()
}

fn welcome() -> ServerFrame {
    ServerFrame::Welcome(Welcome {
        v: 1,
        conn: ConnectionId::new(Uuid::nil()),
        heartbeat: Heartbeat { interval_ms: 25_000, timeout_ms: 10_000 },
        limits: BTreeMap::new(),
        features: Vec::new(),
        auth_expires_in_ms: 60_000,
        time: 0,
    })
}

fn attached(ch: Channel, epoch: u64, after: u64) -> ServerFrame {
    ServerFrame::Attached(Attached {
        ch,
        session: session(1),
        epoch: Epoch(epoch),
        head: Seq(after),
        after: Seq(after),
        mode: Mode::Resumed,
        status: Status::Idle,
        run: None,
    })
}

fn ev(ch: Channel, seq: u64) -> ServerFrame {
    let event = Event::TextDelta { part: PartId(1), text: "a".into() };
    ServerFrame::Ev(Ev { ch, seq: Seq(seq), from: None, ts: 0, event })
}

fn detached(ch: Channel, reason: Reason, retry_after_ms: Option<u64>) -> ServerFrame {
    ServerFrame::Detached(Detached { ch, reason, retry_after_ms })
}

fn refusal(ch: Channel, error: ErrorBody) -> ServerFrame {
    ServerFrame::Error { ch: Some(ch), error }
}

/// A link under test with a clock; effects come as short texts.
struct Bench {
    link: Link,
    now_ms: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            link: Link::new(Config { token: Some("t0".into()), ..Config::default() }),
            now_ms: 0,
        }
    }

    /// A link that has sent its hello and heard `welcome`.
    fn ready() -> Self {
        let mut bench = Self::new();
        bench.input(Input::Start);
        bench.open();
        bench
    }

    /// Opens the socket that the link asked for; returns the hello and all that follows `welcome`.
    fn open(&mut self) -> Vec<String> {
        let mut effects = self.input(Input::Opened);
        effects.extend(self.frame(&welcome()));
        effects
    }

    fn input(&mut self, input: Input<'_>) -> Vec<String> {
        self.link.apply(self.now_ms, input);
        self.effects()
    }

    fn frame(&mut self, frame: &ServerFrame) -> Vec<String> {
        self.input(Input::Text(&frame.encode()))
    }

    fn close(&mut self, code: u16) -> Vec<String> {
        self.input(Input::Closed { code: Some(code), reason: "" })
    }

    /// Lets time pass up to the link's deadline.
    fn sleep(&mut self) -> Vec<String> {
        self.now_ms = self.link.deadline_ms().unwrap().max(self.now_ms);
        self.input(Input::Tick)
    }

    fn attach(&mut self, after: After, credit_bytes: Option<u64>) -> (Channel, Vec<String>) {
        let pace = Pace { credit_bytes, window_ms: 0 };
        let ch = self.link.attach(self.now_ms, session(1), after, pace);
        (ch, self.effects())
    }

    fn call(&mut self, call: Call) -> (Ticket, Vec<String>) {
        let ticket = self.link.call(self.now_ms, call).unwrap();
        (ticket, self.effects())
    }

    fn effects(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.link.next_effect()).map(|effect| short(&effect)).collect()
    }
}

fn short(effect: &Effect) -> String {
    match effect {
        Effect::Connect => "connect".into(),
        Effect::Send(ClientFrame::Call(call)) => {
            format!(
                "call {} {} {}",
                call.id,
                call.method,
                call.cid.map_or_else(|| "-".into(), tail)
            )
        }
        Effect::Send(frame) => frame.encode(),
        Effect::Disconnect { code } => format!("disconnect {code}"),
        Effect::RefreshToken => "refresh token".into(),
        Effect::Ready(_) => "ready".into(),
        Effect::Lost { .. } => "lost".into(),
        Effect::Attached(begun) => format!("attached {:?} {}", begun.begin, begun.place.seq),
        Effect::Event(ev) => format!("event {}", ev.seq),
        Effect::CaughtUp(ch) => format!("caught up {ch}"),
        Effect::Detached(detached) => format!("detached {:?}", detached.reason),
        Effect::Notice { error, .. } => format!("notice {:?}", error.reason),
        Effect::Limits(_) => "limits".into(),
        Effect::Answered { ticket, answer: Answer::Ok { duplicate, .. } } => {
            format!("answer {} ok duplicate={duplicate}", ticket.0)
        }
        Effect::Answered { ticket, answer: Answer::Err(error) } => {
            format!("answer {} {:?}", ticket.0, error.reason)
        }
        Effect::Answered { ticket, answer: Answer::TimedOut } => {
            format!("answer {} timed out", ticket.0)
        }
        Effect::GiveUp { why, unanswered } => format!("give up: {why}; {}", unanswered.len()),
    }
}

fn tail(cid: CommandId) -> String {
    format!("cid {}", cid.uuid().as_u128())
}

#[test]
fn link_says_hello_first_and_is_ready_on_welcome() {
    let mut bench = Bench::new();
    assert_eq!(bench.input(Input::Start), ["connect"]);
    let hello = r#"{"type":"hello","v":[1,1],"token":"t0","client":{"name":"","version":""}}"#;
    assert_eq!(bench.input(Input::Opened), [hello]);
    assert_eq!(bench.frame(&welcome()), ["ready"]);
    assert_eq!(bench.link.state(), State::Ready);
}

#[test]
fn resume_all_sessions_in_one_round() {
    let mut bench = Bench::ready();
    let (one, _) = bench.attach(After::Start, None);
    let (two, _) = bench.attach(After::Start, None);
    bench.frame(&attached(one, 3, 0));
    bench.frame(&attached(two, 3, 0));
    bench.frame(&ev(one, 1));
    assert_eq!(bench.input(Input::Closed { code: None, reason: "" }), ["lost"]);
    assert_eq!(bench.sleep(), ["connect"]);

    let effects = bench.open();
    let at = |ch, seq| {
        let session = session(1);
        format!(r#"{{"ch":{ch},"session":"{session}","after":{{"epoch":3,"seq":{seq}}}}}"#)
    };
    let attach = format!(r#""attach":[{},{}]"#, at(1, 1), at(2, 0));
    assert!(effects[0].contains(&attach), "{effects:?}");
    assert_eq!(effects[1..], ["ready"]);
    assert_eq!(bench.frame(&attached(one, 3, 1)), ["attached Continued 1"]);
    assert_eq!(bench.frame(&ev(one, 1)), [""; 0], "a repeat is dropped");
    assert_eq!(bench.frame(&ev(one, 2)), ["event 2"]);
}

#[test]
fn resume_hole_sends_detach_and_attach_at_the_position() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    bench.frame(&attached(ch, 1, 0));
    let effects = bench.frame(&ev(ch, 2));
    assert_eq!(effects[0], r#"{"type":"detach","ch":1}"#);
    assert!(effects[1].contains(r#""after":{"epoch":1,"seq":0}"#), "{effects:?}");
    // What is still on its way from before changes nothing.
    assert_eq!(bench.frame(&ev(ch, 3)), [""; 0]);
    assert_eq!(bench.frame(&detached(ch, Reason::Requested, None)), [""; 0]);
    assert_eq!(bench.frame(&attached(ch, 1, 0)), ["attached Continued 0"]);

    // A second hole in a row waits.
    assert_eq!(bench.frame(&ev(ch, 2)), [r#"{"type":"detach","ch":1}"#]);
    assert_eq!(bench.link.deadline_ms(), Some(1000));
    assert!(bench.sleep()[0].contains(r#""type":"attach""#));
}

#[test]
fn resume_cursor_is_durable() {
    let cursor = Cursor { epoch: Epoch(1), seq: Seq(7) };
    let mut bench = Bench::ready();
    let (ch, effects) = bench.attach(After::Cursor(cursor), None);
    assert!(effects[0].contains(r#""after":{"epoch":1,"seq":7}"#));
    bench.frame(&attached(ch, 1, 7));
    bench.frame(&ev(ch, 8));
    let saved = serde_json::to_string(&bench.link.cursor(ch)).unwrap();

    let mut restarted = Bench::ready();
    let after = After::Cursor(serde_json::from_str(&saved).unwrap());
    let (ch, _) = restarted.attach(after, None);
    assert_eq!(restarted.frame(&attached(ch, 1, 8)), ["attached Continued 8"]);
    assert_eq!(restarted.frame(&ev(ch, 9)), ["event 9"]);
}

#[test]
fn resume_reset_tells_that_all_is_void() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Cursor(Cursor { epoch: Epoch(1), seq: Seq(9) }), None);
    let reset = ServerFrame::Reset(Reset {
        ch,
        session: session(1),
        epoch: Epoch(2),
        head: Seq(3),
        after: Seq(0),
        reason: Reason::EpochChanged,
        status: Status::Idle,
    });
    assert_eq!(bench.frame(&reset), ["attached Void(EpochChanged) 0"]);
    assert_eq!(bench.frame(&ev(ch, 1)), ["event 1"]);
}

#[test]
fn link_attaches_again_when_the_server_says_when() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    bench.frame(&attached(ch, 1, 0));
    let gone = detached(ch, Reason::SlowConsumer, Some(700));
    assert_eq!(bench.frame(&gone), ["detached SlowConsumer"]);
    assert_eq!(bench.link.deadline_ms(), Some(700));
    assert!(bench.sleep()[0].contains(r#""type":"attach""#));
}

#[test]
fn link_leaves_an_ended_attachment_alone() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    let refused = refusal(ch, ErrorBody::session_not_found());
    assert_eq!(bench.frame(&refused), ["notice SessionNotFound", "detached SessionNotFound"]);
    bench.close(4000);
    bench.sleep();
    assert!(!bench.open()[0].contains("attach"), "and does not ask again");
}

#[test]
fn link_repeats_an_attach_that_was_refused_for_now() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    let refused = refusal(ch, ErrorBody::store_unavailable().retry_after_ms(700));
    assert_eq!(bench.frame(&refused), ["notice StoreUnavailable"]);
    assert_eq!(bench.link.deadline_ms(), Some(700));
    assert!(bench.sleep()[0].contains(r#""type":"attach","ch":1"#));
    assert_eq!(bench.frame(&attached(ch, 1, 0)), ["attached First 0"]);
    assert_eq!(bench.link.deadline_ms(), Some(700 + 35_000));
}

#[test]
fn link_a_notice_that_crossed_with_an_attach_does_not_end_it() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    bench.frame(&attached(ch, 1, 0));
    bench.frame(&ev(ch, 2)); // a hole: detach and attach are on their way
    let detach_was_late = ErrorBody::new(Code::NotFound, Reason::ChannelNotAttached, "");
    for (crossed, effects) in [
        (refusal(ch, ErrorBody::store_unavailable()), vec!["notice StoreUnavailable"]),
        (detached(ch, Reason::SlowConsumer, Some(5)), vec![]),
        (refusal(ch, detach_was_late), vec!["notice ChannelNotAttached"]),
        (attached(ch, 1, 0), vec!["attached Continued 0"]),
        (ev(ch, 1), vec!["event 1"]),
    ] {
        assert_eq!(bench.frame(&crossed), effects);
    }
    bench.now_ms = 5000;
    assert_eq!(bench.input(Input::Tick), [""; 0], "it does not ask again");
}

#[test]
fn link_frees_a_channel_that_the_server_still_has() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    let in_use = ErrorBody::new(Code::InvalidArgument, Reason::ChannelInUse, "");
    let effects = bench.frame(&refusal(ch, in_use));
    assert_eq!(effects, ["notice ChannelInUse", r#"{"type":"detach","ch":1}"#]);
    assert!(bench.sleep()[0].contains(r#""type":"attach""#));
}

#[test]
fn command_unanswered_calls_are_sent_again() {
    let mut bench = Bench::ready();
    let (ticket, effects) = bench.call(start_run(7));
    assert_eq!(effects, ["call 1 run.start cid 7"]);
    let (_, effects) = bench.call(Method::SessionGet(session(1)).to_call());
    assert_eq!(effects, ["call 2 session.get -"]);
    bench.close(4001);
    bench.sleep();
    let effects = bench.open();
    assert_eq!(effects[1..], ["ready", "call 3 run.start cid 7", "call 4 session.get -"]);

    let late = ServerFrame::Ok { id: 1, result: serde_json::Value::Null, duplicate: false };
    assert_eq!(bench.frame(&late), [""; 0], "an answer to the id of before is nobody's");
    let answer = ServerFrame::Ok { id: 3, result: serde_json::Value::Null, duplicate: true };
    assert_eq!(bench.frame(&answer), [format!("answer {} ok duplicate=true", ticket.0)]);
    assert_eq!(bench.frame(&answer), [""; 0], "once");
}

#[test]
fn command_calls_without_an_answer_are_bounded() {
    let mut bench = Bench::new();
    for n in 0..crate::client::CALLS_MAX {
        bench.call(start_run(n as u128));
    }
    assert_eq!(bench.link.call(0, start_run(99)), Err(TooManyCalls));
}

#[test]
fn command_waits_for_its_answer_no_longer_than_told() {
    let mut bench = Bench::new(); // never even started
    let (ticket, _) = bench.call(start_run(1));
    assert_eq!(bench.link.deadline_ms(), Some(60_000));
    assert_eq!(bench.sleep(), [format!("answer {} timed out", ticket.0)]);
    assert_eq!(bench.link.deadline_ms(), None);
}

#[test]
fn command_an_error_is_an_answer() {
    let mut bench = Bench::ready();
    bench.call(start_run(1));
    let error = ErrorBody::new(Code::Aborted, Reason::RunBusy, "busy");
    assert_eq!(bench.frame(&ServerFrame::Err { id: 1, error }), ["answer 1 RunBusy"]);
}

#[test]
fn command_create_attach_and_start_go_out_in_one_burst() {
    let mut bench = Bench::new();
    let create = Method::SessionCreate(session(1), cid(1), SessionCreate::default());
    bench.call(create.to_call());
    bench.attach(After::Start, None);
    bench.call(start_run(2));
    bench.input(Input::Start);
    let effects = bench.open();
    assert!(!effects[0].contains("attach"), "the session does not exist yet: {effects:?}");
    assert_eq!(effects[2], "call 1 session.create cid 1");
    assert_eq!(effects[3], "call 2 run.start cid 2");
    assert!(effects[4].contains(r#""type":"attach","ch":1"#));
}

#[test]
fn heartbeat_silence_is_death() {
    let mut bench = Bench::ready();
    bench.now_ms = 20_000;
    bench.input(Input::Alive);
    assert_eq!(bench.link.deadline_ms(), Some(55_000));
    bench.now_ms = 54_999;
    assert_eq!(bench.input(Input::Tick), [""; 0]);
    bench.now_ms = 55_000;
    assert_eq!(bench.input(Input::Tick), ["disconnect 4002", "lost"]);
    assert!(matches!(bench.link.state(), State::Backoff { .. }));
}

#[test]
fn heartbeat_ping_is_answered() {
    let mut bench = Bench::ready();
    assert_eq!(bench.frame(&ServerFrame::Ping { ts: 5 }), [r#"{"type":"pong"}"#]);
}

#[test]
fn auth_required_asks_for_a_token_and_sends_it() {
    let mut bench = Bench::ready();
    let asked = ServerFrame::AuthRequired { deadline_ms: 60_000 };
    assert_eq!(bench.frame(&asked), ["refresh token"]);
    assert_eq!(bench.frame(&asked), [""; 0], "one question at a time");
    let sent = bench.input(Input::Token("t1".into()));
    assert_eq!(sent, [r#"{"type":"auth","token":"t1"}"#]);
    bench.close(4000);
    bench.sleep();
    assert!(bench.open()[0].contains(r#""token":"t1""#));
}

#[test]
fn close_range_decides() {
    for code in [1001, 1006, 1012, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4099] {
        assert_eq!(Bench::ready().close(code), ["lost"], "{code}");
    }
    for code in [4100, 4101, 4199] {
        assert_eq!(Bench::ready().close(code), ["refresh token"], "{code}");
    }
    for code in [1000, 4500, 4501, 4508, 4999] {
        let effects = Bench::ready().close(code);
        assert!(effects[0].starts_with("give up"), "{code}: {effects:?}");
    }
}

#[test]
fn close_token_expired_connects_with_a_new_token() {
    let mut bench = Bench::ready();
    bench.close(4100);
    assert_eq!(bench.input(Input::Token("t1".into())), [""; 0], "backoff first");
    assert_eq!(bench.sleep(), ["connect"]);
    assert!(bench.open()[0].contains(r#""token":"t1""#));
}

#[test]
fn close_token_expired_without_a_new_one_gives_up() {
    let mut bench = Bench::ready();
    bench.close(4100);
    assert!(bench.input(Input::NoToken)[0].starts_with("give up"));
    let mut bench = Bench::ready();
    bench.close(4100);
    assert!(bench.sleep()[0].starts_with("give up"), "the wait for a token has an end");
}

#[test]
fn close_for_good_names_the_calls_that_will_have_no_answer() {
    let mut bench = Bench::ready();
    bench.call(start_run(1));
    let effects = bench.input(Input::Closed { code: Some(4503), reason: "revoked" });
    assert_eq!(effects, ["give up: the server closed the connection for good: 4503 revoked; 1"]);
    assert_eq!(bench.link.state(), State::Failed);
    assert_eq!(bench.link.deadline_ms(), None);
    assert_eq!(bench.input(Input::Start), [""; 0], "failed is terminal");
}

#[test]
fn close_retry_hint_is_honoured() {
    let mut bench = Bench::ready();
    let reason = CloseCode::RateLimited.reason(Some(9000));
    bench.input(Input::Closed { code: Some(4004), reason: &reason });
    assert!(bench.link.deadline_ms().unwrap() >= 9500);
}

#[test]
fn goaway_leaves_when_told_and_holds_new_calls() {
    let mut bench = Bench::ready();
    let goaway = ServerFrame::GoAway(GoAway { reason: Reason::Draining, reconnect_in_ms: 1234 });
    assert_eq!(bench.frame(&goaway), [""; 0]);
    let (_, effects) = bench.call(start_run(1));
    assert_eq!(effects, [""; 0]);
    assert_eq!(bench.link.deadline_ms(), Some(1234));
    assert_eq!(bench.sleep(), ["disconnect 1000", "connect"]);
    assert_eq!(bench.open()[1..], ["ready", "call 1 run.start cid 1"]);
}

#[test]
fn goaway_then_closed_still_waits_as_told() {
    let mut bench = Bench::ready();
    let goaway = ServerFrame::GoAway(GoAway { reason: Reason::Draining, reconnect_in_ms: 1234 });
    bench.frame(&goaway);
    bench.now_ms = 10;
    bench.close(4001);
    assert_eq!(bench.link.state(), State::Backoff { until_ms: 1234 });
}

#[test]
fn limits_hold_calls_back() {
    let mut bench = Bench::ready();
    let limits = ServerFrame::Limits(Limits { limits: Vec::new(), retry_after_ms: Some(500) });
    assert_eq!(bench.frame(&limits), ["limits"]);
    let (_, effects) = bench.call(start_run(1));
    assert_eq!(effects, [""; 0]);
    assert_eq!(bench.link.deadline_ms(), Some(500));
    assert_eq!(bench.sleep(), ["call 1 run.start cid 1"]);
}

#[test]
fn link_failed_attempts_wait_longer_and_longer() {
    let mut bench = Bench::new();
    bench.input(Input::Start);
    let mut waits = Vec::new();
    for _ in 0..20 {
        bench.input(Input::Closed { code: None, reason: "" });
        let before_ms = bench.now_ms;
        assert_eq!(bench.sleep(), ["connect"]);
        waits.push(bench.now_ms - before_ms);
    }
    assert!((500..=1000).contains(&waits[0]), "{waits:?}");
    assert!(waits.iter().all(|wait| (500..=30_000).contains(wait)), "{waits:?}");
    assert!(waits[6..].iter().any(|wait| *wait > 10_000), "{waits:?}");
}

#[test]
fn link_a_stable_socket_ends_a_series_of_failures() {
    let mut bench = Bench::new();
    bench.input(Input::Start);
    for _ in 0..9 {
        bench.close(4000);
        bench.sleep();
    }
    bench.open();
    bench.now_ms += STABLE_MS;
    let before_ms = bench.now_ms;
    bench.close(4000);
    bench.sleep();
    assert!(bench.now_ms - before_ms <= 1000);
}

#[test]
fn link_gives_an_attempt_up_that_takes_too_long() {
    let mut bench = Bench::new();
    bench.input(Input::Start);
    assert_eq!(bench.sleep(), ["disconnect 1000", "lost"]);
    assert_eq!(bench.sleep(), ["connect"]);
    bench.input(Input::Opened);
    assert_eq!(bench.sleep(), ["disconnect 1000", "lost"], "no welcome came");
}

#[test]
fn link_leaves_a_server_that_sends_no_frames() {
    let mut bench = Bench::ready();
    assert_eq!(bench.input(Input::Text("{")), ["disconnect 4500", "lost"]);
}

#[test]
fn codec_unknown_server_frames_are_ignored() {
    let mut bench = Bench::ready();
    assert_eq!(bench.input(Input::Text(r#"{"type":"x-new","ch":1}"#)), [""; 0]);
    let later = r#"{"type":"goaway","reason":"a_new_one","reconnect_in_ms":5,"more":[]}"#;
    assert_eq!(bench.input(Input::Text(later)), [""; 0]);
    assert_eq!(bench.link.state(), State::Draining { until_ms: 5 });
}

#[test]
fn flow_acks_go_out_after_250_ms_in_one_frame() {
    let mut bench = Bench::ready();
    let (one, _) = bench.attach(After::Start, Some(100_000));
    let (two, _) = bench.attach(After::Start, Some(100_000));
    for ch in [one, two] {
        bench.frame(&attached(ch, 1, 0));
        assert_eq!(bench.frame(&ev(ch, 1)), ["event 1"]);
    }
    assert_eq!(bench.link.deadline_ms(), Some(250));
    let bytes = ev(one, 1).encode().len() as u64;
    let rows = format!("[[1,1,{0}],[2,1,{0}]]", 100_000 + bytes);
    assert_eq!(bench.sleep(), [format!(r#"{{"type":"ack","acks":{rows}}}"#)]);
    assert_eq!(bench.link.deadline_ms(), Some(35_000), "nothing more to acknowledge");
}

#[test]
fn flow_an_urgent_ack_does_not_wait() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, Some(100));
    bench.frame(&attached(ch, 1, 0));
    let effects = bench.frame(&ev(ch, 1));
    assert_eq!(effects[0], "event 1");
    assert!(effects[1].starts_with(r#"{"type":"ack""#), "{effects:?}");
}

#[test]
fn flow_a_held_attachment_acknowledges_once_released() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, Some(100));
    bench.frame(&attached(ch, 1, 0));
    bench.link.hold(0, ch, true);
    assert_eq!(bench.frame(&ev(ch, 1)), ["event 1"]);
    bench.now_ms = 1000;
    assert_eq!(bench.input(Input::Tick), [""; 0]);
    bench.link.hold(bench.now_ms, ch, false);
    assert!(bench.sleep()[0].starts_with(r#"{"type":"ack""#));
}

#[test]
fn link_hello_stays_within_a_message_however_many_sessions() {
    let mut bench = Bench::new();
    let max = Cursor { epoch: Epoch(u64::MAX), seq: Seq(u64::MAX) };
    for _ in 0..300 {
        let pace = Pace { credit_bytes: Some(u64::MAX), window_ms: 500 };
        bench.link.attach(0, session(u128::MAX), After::Cursor(max), pace);
    }
    bench.input(Input::Start);
    let effects = bench.open();
    assert!(effects[0].len() < crate::limit::MESSAGE_BYTES_MAX, "{}", effects[0].len());
    assert_eq!(effects.len(), 2 + 300 - HELLO_ATTACH_MAX, "the others follow one by one");
}

#[test]
fn link_stops_and_starts_again() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    bench.frame(&attached(ch, 1, 0));
    assert_eq!(bench.input(Input::Stop), ["disconnect 1000"]);
    assert_eq!(bench.link.state(), State::Idle);
    assert_eq!(bench.input(Input::Start), ["connect"]);
    assert!(bench.open()[0].contains(r#""after":{"epoch":1,"seq":0}"#));
}

#[test]
fn link_detach_is_final() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    bench.link.detach(ch);
    assert_eq!(bench.effects(), [r#"{"type":"detach","ch":1}"#]);
    assert_eq!(bench.frame(&attached(ch, 1, 0)), [""; 0]);
    assert_eq!(bench.frame(&detached(ch, Reason::Requested, None)), [""; 0]);
    let (next, _) = bench.attach(After::Start, None);
    assert_ne!(next, ch, "its number is not used again");
}

#[test]
fn link_tells_when_it_has_caught_up() {
    let mut bench = Bench::ready();
    let (ch, _) = bench.attach(After::Start, None);
    assert_eq!(bench.frame(&attached(ch, 1, 0)), [format!("attached {:?} 0", Begin::First)]);
    let caught_up = ServerFrame::CaughtUp(CaughtUp { ch, seq: Seq(0) });
    assert_eq!(bench.frame(&caught_up), ["caught up 1"]);
    let error = ErrorBody::store_unavailable();
    let notice = ServerFrame::Error { ch: Some(ch), error };
    assert_eq!(bench.frame(&notice), ["notice StoreUnavailable"]);
}
