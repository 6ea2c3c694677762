use super::*;
use crate::gateway::qbit::{logs, message::Moment};
use greenroom_protocol::error::Reason;
use greenroom_protocol::{
    event::Event,
    frame::{Attached, CaughtUp, Ev, Limit, Mode, Status},
    id::{Epoch, Seq},
};
use proptest::prelude::*;

const NOW_MS: u64 = 1_795_262_400_000;
const NOW: Moment = Moment(NOW_MS);

/// A talk after its `hello`. Its identifiers are 1, 2, 3, …: those of [`logs`] for a new project.
fn talk() -> Talk {
    let mut last = 0;
    let mut talk = Talk::new(move || {
        last += 1;
        Uuid::from_u128(last)
    });
    assert!(matches!(talk.next_frame(), Some(ClientFrame::Hello(hello)) if hello.token.is_none()));
    talk
}

fn say(talk: &mut Talk, text: &str) {
    talk.say(text, NOW_MS);
}

fn generate(prompt: &str) -> String {
    serde_json::json!({ "type": "generate_code", "payload": { "prompt": prompt } }).to_string()
}

fn modify(prompt: &str) -> String {
    let payload = serde_json::json!({ "prompt": prompt, "project_id": logs::PROJECT });
    serde_json::json!({ "type": "modify_code", "payload": payload }).to_string()
}

/// The call that is sent next, and its id.
fn call(talk: &mut Talk) -> (u32, Method) {
    let frame = talk.next_frame();
    let Some(ClientFrame::Call(call)) = frame else { panic!("no call but {frame:?}") };
    (call.id, Method::from_call(&call).unwrap())
}

/// The attachment that is asked for next.
fn attach(talk: &mut Talk) -> Attach {
    let frame = talk.next_frame();
    let Some(ClientFrame::Attach(attach)) = frame else { panic!("no attach but {frame:?}") };
    attach
}

fn ok(talk: &mut Talk, id: u32) {
    let result = serde_json::Value::Null;
    talk.hear(ServerFrame::Ok { id, result, duplicate: false }, NOW_MS);
}

fn refuse(talk: &mut Talk, id: u32, error: ErrorBody) {
    talk.hear(ServerFrame::Err { id, error }, NOW_MS);
}

fn attached(talk: &mut Talk, ch: Channel) {
    let (head, epoch, session) = (Seq(9), Epoch(1), logs::PROJECT);
    let (mode, status) = (Mode::Resumed, Status::Idle);
    let attached = Attached { ch, session, epoch, head, after: Seq(0), mode, status, run: None };
    talk.hear(ServerFrame::Attached(attached), NOW_MS);
}

fn caught_up(talk: &mut Talk, ch: Channel) {
    talk.hear(ServerFrame::CaughtUp(CaughtUp { ch, seq: Seq(9) }), NOW_MS);
}

fn entries<'a>(talk: &mut Talk, ch: Channel, entries: impl IntoIterator<Item = &'a (u64, Event)>) {
    for (ts, event) in entries {
        let ev = Ev { ch, seq: Seq(1), from: None, ts: *ts, event: event.clone() };
        talk.hear(ServerFrame::Ev(ev), NOW_MS);
    }
}

fn messages(talk: &mut Talk) -> Vec<Message> {
    talk.take_messages().into_iter().map(|(_, message)| message).collect()
}

fn error_of(talk: &mut Talk) -> Code {
    let messages = messages(talk);
    let [Message::Error { code, .. }] = &messages[..] else { panic!("{messages:?}") };
    *code
}

/// Opens a new project up to its run, which is asked for but not answered; its channel.
fn begin(talk: &mut Talk) -> Channel {
    say(talk, &generate("a todo app"));
    assert!(talk.is_opening());
    let (id, method) = call(talk);
    let Method::SessionCreate(session, cid, create) = method else { panic!("{method:?}") };
    assert_eq!((session, cid), (logs::PROJECT, logs::CREATION));
    assert_eq!(create.title, "a todo app");
    ok(talk, id);
    let attach = attach(talk);
    assert_eq!((attach.session, attach.after), (logs::PROJECT, After::Start));
    attached(talk, attach.ch);
    assert!(talk.next_frame().is_none(), "not before the last entries are known");
    caught_up(talk, attach.ch);
    assert!(!talk.is_opening());
    let (id, method) = call(talk);
    let Method::RunStart(session, cid, start) = method else { panic!("{method:?}") };
    assert_eq!((session, cid), (logs::PROJECT, logs::ASKED));
    assert_eq!((start.on_busy, start.plan), (OnBusy::Queue, Some(true)));
    ok(talk, id);
    attach.ch
}

/// Opens the project of the logs for more, up to the call that asks for it.
fn resume<'a>(talk: &mut Talk, before: impl IntoIterator<Item = &'a (u64, Event)>) -> Method {
    say(talk, &modify("make it green"));
    let attach = attach(talk);
    assert_eq!((attach.session, attach.after), (logs::PROJECT, After::Tail(TAIL)));
    attached(talk, attach.ch);
    entries(talk, attach.ch, before);
    caught_up(talk, attach.ch);
    call(talk).1
}

#[test]
fn a_request_creates_a_project_follows_it_to_the_end_and_leaves_it() {
    let mut talk = talk();
    let ch = begin(&mut talk);
    entries(&mut talk, ch, &logs::plain().entries);
    let messages = messages(&mut talk);
    assert!(matches!(messages.first(), Some(Message::ProjectCreated { .. })), "{messages:?}");
    assert!(matches!(messages.last(), Some(Message::CodeGenerationComplete { .. })));
    assert!(matches!(talk.next_frame(), Some(ClientFrame::Detach { ch: left }) if left == ch));
    assert!(talk.next_frame().is_none() && talk.projects.is_empty());
}

#[test]
fn a_plan_is_approved_once_the_run_that_made_it_has_ended() {
    let mut talk = talk();
    let ch = begin(&mut talk);
    let log = logs::approved();
    let ends = |(_, event): &(u64, Event)| matches!(event, Event::RunFinished { .. });
    let planned = log.entries.iter().position(ends).unwrap();
    entries(&mut talk, ch, &log.entries[..planned]);
    assert!(talk.next_frame().is_none(), "the session does not wait yet");
    entries(&mut talk, ch, &log.entries[planned..=planned]);
    let (_, method) = call(&mut talk);
    let Method::InputRespond(session, cid, respond) = method else { panic!("{method:?}") };
    assert_eq!((session, cid), (logs::PROJECT, logs::APPROVED));
    assert_eq!(respond, InputRespond { request: 1, accept: true, text: String::new() });
    entries(&mut talk, ch, &log.entries[planned + 1..]);
    assert!(matches!(messages(&mut talk).last(), Some(Message::CodeGenerationComplete { .. })));
    assert!(matches!(talk.next_frame(), Some(ClientFrame::Detach { .. })));
}

#[test]
fn a_prompt_answers_the_questions_that_wait_and_else_starts_a_run() {
    let waiting = logs::ambiguous().entries;
    let method = resume(&mut talk(), &waiting);
    let Method::InputRespond(session, _, respond) = method else { panic!("{method:?}") };
    assert_eq!(session, logs::PROJECT);
    let text = "make it green".to_owned();
    assert_eq!(respond, InputRespond { request: 1, accept: true, text });

    let dropped = (NOW_MS, logs::dropped(1));
    for before in [
        waiting.iter().chain([&dropped]).collect::<Vec<_>>(),
        logs::approved().entries.iter().take(9).collect(),
        Vec::new(),
    ] {
        let method = resume(&mut talk(), before);
        assert!(matches!(method, Method::RunStart(..)), "{method:?}");
    }
}

#[test]
fn what_is_asked_of_a_project_under_way_needs_no_second_attachment() {
    let mut talk = talk();
    let ch = begin(&mut talk);
    say(&mut talk, &modify("make it green"));
    let (_, method) = call(&mut talk);
    assert!(matches!(method, Method::RunStart(session, ..) if session == logs::PROJECT));
    entries(&mut talk, ch, &logs::plain().entries);
    assert!(talk.next_frame().is_none(), "the second run is to come");
}

#[test]
fn a_project_that_is_not_there_or_another_s_is_not_found() {
    let mut talk = talk();
    say(&mut talk, &modify("make it green"));
    let ch = attach(&mut talk).ch;
    let error = ErrorBody::session_not_found();
    talk.hear(ServerFrame::Error { ch: Some(ch), error }, NOW_MS);
    assert_eq!(error_of(&mut talk), Code::ProjectNotFound);
    assert!(talk.projects.is_empty() && talk.next_frame().is_none());
}

#[test]
fn a_refused_call_is_told_once_and_nothing_stays_open() {
    let limited = || {
        ErrorBody::new(ErrorCode::ResourceExhausted, Reason::TooManyRuns, "too many runs")
            .retry_after_ms(1000)
    };
    let mut creating = talk();
    say(&mut creating, &generate("a todo app"));
    let (id, _) = call(&mut creating);
    refuse(&mut creating, id, limited());
    let told = messages(&mut creating);
    let expected = Message::Error {
        message: "too many runs".into(),
        code: Code::GenerationError,
        retry_allowed: true,
        retry_after_ms: Some(1000),
        timestamp: NOW,
    };
    assert_eq!(told, [expected]);
    assert!(creating.projects.is_empty() && creating.next_frame().is_none());

    let mut starting = talk();
    say(&mut starting, &modify("make it green"));
    let ch = attach(&mut starting).ch;
    attached(&mut starting, ch);
    caught_up(&mut starting, ch);
    let (id, _) = call(&mut starting);
    refuse(&mut starting, id, limited());
    assert_eq!(error_of(&mut starting), Code::ModificationError);
    assert!(matches!(starting.next_frame(), Some(ClientFrame::Detach { .. })));
    assert!(starting.projects.is_empty());
}

#[test]
fn what_asks_nothing_of_a_project_counts_as_a_message_and_is_answered_in_its_place() {
    for (text, code) in [
        ("{", Code::InvalidRequest),
        ("[]", Code::InvalidRequest),
        (r#"["ping"]"#, Code::InvalidRequest),
        (r#"{"type":7}"#, Code::InvalidRequest),
        (r#"{"type":"generate_code"}"#, Code::InvalidRequest),
        (r#"{"type":"generate_code","payload":null}"#, Code::InvalidRequest),
        (r#"{"type":"generate_code","payload":"x"}"#, Code::InvalidRequest),
        (r#"{"type":"generate_code","prompt":"a todo app"}"#, Code::InvalidRequest),
        (r#"{"type":"generate_code","payload":{"prompt":" \n"}}"#, Code::InvalidRequest),
        (r#"{"type":"modify_code","payload":{"prompt":"x"}}"#, Code::InvalidRequest),
        (r#"{"type":"teleport","payload":{}}"#, Code::UnknownMessageType),
        (
            r#"{"type":"modify_code","payload":{"prompt":"x","project_id":"1"}}"#,
            Code::ProjectNotFound,
        ),
    ] {
        let mut talk = talk();
        say(&mut talk, text);
        assert!(matches!(talk.next_frame(), Some(ClientFrame::Ping { .. })), "{text}");
        assert_eq!(messages(&mut talk), [], "not before the engine has counted it");
        talk.hear(ServerFrame::Pong { ts: 0 }, NOW_MS);
        assert_eq!(error_of(&mut talk), code, "{text}");
    }
    let mut talk = talk();
    say(&mut talk, r#"{"type":"ping","payload":{}}"#);
    talk.next_frame();
    talk.hear(ServerFrame::Pong { ts: 0 }, NOW_MS);
    assert_eq!(messages(&mut talk), [Message::Pong { timestamp: NOW }]);
    let long = generate(&"x".repeat(40_000));
    say(&mut talk, &long);
    talk.next_frame();
    talk.hear(ServerFrame::Pong { ts: 0 }, NOW_MS);
    assert_eq!(error_of(&mut talk), Code::InvalidRequest);
}

#[test]
fn too_many_messages_are_told_and_what_could_not_be_left_is_left_later() {
    let limits = || {
        let limits = vec![Limit { name: "messages".into(), limit: 0 }];
        ServerFrame::Limits(Limits { limits, retry_after_ms: Some(100) })
    };
    let mut talk = talk();
    let ch = begin(&mut talk);
    entries(&mut talk, ch, &logs::plain().entries);
    messages(&mut talk);
    assert!(matches!(talk.next_frame(), Some(ClientFrame::Detach { .. })));
    talk.hear(limits(), NOW_MS);
    assert_eq!(messages(&mut talk), []);

    say(&mut talk, r#"{"type":"ping"}"#);
    assert!(matches!(talk.next_frame(), Some(ClientFrame::Detach { ch: left }) if left == ch));
    assert!(matches!(talk.next_frame(), Some(ClientFrame::Ping { .. })));
    talk.hear(limits(), NOW_MS);
    let messages = messages(&mut talk);
    assert!(
        matches!(&messages[..], [Message::Error { retry_after_ms: Some(100), .. }]),
        "{messages:?}"
    );
}

proptest! {
    #[test]
    fn any_text_asks_for_something_or_is_answered(text in "\\PC*", json in json()) {
        for text in [text, json.to_string()] {
            let mut talk = talk();
            say(&mut talk, &text);
            prop_assert!(talk.next_frame().is_some());
        }
    }
}

/// JSON that is nearly a message.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let word = prop_oneof![
        Just("generate_code".to_owned()),
        Just("modify_code".to_owned()),
        Just("ping".to_owned()),
        Just(logs::PROJECT.to_string()),
        ".{0,8}",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        word.prop_map(Into::into),
    ];
    let key = prop_oneof![Just("type"), Just("payload"), Just("prompt"), Just("project_id")];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
            .prop_map(|map| map.into_iter().collect())
    })
}
