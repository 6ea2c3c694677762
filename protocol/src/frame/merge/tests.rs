use super::*;
use crate::{
    client::{Attachment, Begin, Keep, Pace, Replica, Verdict},
    event::Event,
    frame::{After, Attached, Ev, Mode, ServerFrame, Status, entry_rest, write_ev},
    id::{Channel, Epoch, PartId, SessionId},
};
use proptest::prelude::*;

const CH: Channel = Channel(u32::MAX);

fn text(part: u32, text: &str) -> Event {
    Event::TextDelta { part: PartId(part), text: text.into() }
}

/// The rests of events from entry `first` on; an entry's time is ten times its number.
fn rests(first: u64, events: &[Event]) -> Vec<String> {
    (first..)
        .zip(events)
        .map(|(seq, event)| entry_rest(Seq(seq), 10 * seq, event).unwrap())
        .collect()
}

fn frames(rests: &[String]) -> Vec<String> {
    let rests: Vec<&str> = rests.iter().map(String::as_str).collect();
    merge(&rests).iter().map(|merged| write_ev(CH, &merged.rest)).collect()
}

fn decoded(frame: &str) -> Ev {
    match ServerFrame::decode(frame) {
        Ok(ServerFrame::Ev(ev)) => ev,
        other => panic!("{frame}: {other:?}"),
    }
}

#[test]
fn neighbours_become_one_frame() {
    let rests = rests(7, &[text(1, "a\n"), text(1, "\"b\\"), text(1, "ü\u{1}")]);
    let expected = format!(
        r#"{{"type":"ev","ch":{CH},"seq":9,"from":7,"ts":90,"event":{}}}"#,
        r#"{"type":"text.delta","part":1,"text":"a\n\"b\\ü\u0001"}"#
    );
    assert_eq!(frames(&rests), [expected]);
}

#[test]
fn others_pass_as_they_are() {
    let events = [
        text(1, "a"),
        text(2, "a"),
        Event::ReasoningDelta { part: PartId(2), text: "a".into() },
        Event::TextEnd { part: PartId(1) },
        Event::TextEnd { part: PartId(1) },
        text(1, "a"),
    ];
    let rests = rests(1, &events);
    let plain: Vec<String> = rests.iter().map(|rest| write_ev(CH, rest)).collect();
    assert_eq!(frames(&rests), plain);
}

#[test]
fn entries_that_do_not_follow_each_other_stay_apart() {
    let mut rests = rests(1, &[text(1, "a")]);
    rests.push(entry_rest(Seq(3), 0, &text(1, "b")).unwrap());
    assert_eq!(frames(&rests).len(), 2);
}

#[test]
fn a_delta_in_an_unknown_form_is_not_merged() {
    for event in [
        r#"{"type":"text.delta","part":1,"text":"a","lang":"b"}"#,
        r#"{"type":"text.delta","part":1,"text":"a","x":{"text":"b"}}"#,
        r#"{"type":"x.delta","part":1,"text":"a"}"#,
        r#"{"part":1,"type":"text.delta","text":"a"}"#,
    ] {
        let rests = [1, 2].map(|seq| format!(r#""seq":{seq},"ts":1,"event":{event}}}"#));
        assert_eq!(frames(&rests).len(), 2, "{event}");
    }
}

#[test]
fn a_merged_frame_fills_its_limit_and_no_more() {
    let escaped = "\u{1}".repeat(5 * 1024); // six bytes each, once encoded
    let frames = frames(&rests(1, &vec![text(1, &escaped); 5]));
    assert_eq!(frames.len(), 5, "two of them would not fit");
    let small = "x".repeat(1024);
    let events = vec![text(1, &small); 64];
    let frames = self::frames(&rests(1, &events));
    assert_eq!(frames.len(), 3, "31 and 31 and 2");
    for frame in frames {
        assert!(frame.len() <= DATA_FRAME_BYTES_MAX, "{}", frame.len());
    }
}

/// Deltas and ends of three parts of different kinds, as a log might hold them.
fn event() -> impl Strategy<Value = Event> {
    let text = prop_oneof![
        4 => "[a-z\"\\\\\n\u{1}ü😀]{0,12}",
        1 => Just("\u{1}".repeat(2000)),
        1 => Just(r#""}}"#.to_owned()),
    ];
    (0_u32..14, text).prop_map(|(n, text)| match n {
        0..5 => Event::TextDelta { part: PartId(1), text },
        5..8 => Event::FileDelta { part: PartId(2), text },
        8 => Event::ToolArgsDelta { part: PartId(3), text },
        9 => Event::ToolOutputDelta { part: PartId(3), text },
        10 => Event::ReasoningDelta { part: PartId(4), text },
        11 => {
            Event::Progress { name: crate::event::StepName::Generating, percent: 5, message: text }
        }
        _ => Event::TextDelta { part: PartId(5), text },
    })
}

/// What a client holds after these frames; panics where it would not take one.
fn applied(frames: &[String]) -> Replica {
    let session = SessionId::new(uuid::Uuid::nil());
    let mut attachment = Attachment::new(session, After::Start, Pace::default());
    attachment.request(CH);
    attachment.attached(&Attached {
        ch: CH,
        session,
        epoch: Epoch(1),
        head: Seq(0),
        after: Seq(6),
        mode: Mode::Resumed,
        status: Status::Idle,
        run: None,
    });
    let mut replica = Replica::new(Keep::Everything);
    replica.begin(Begin::First, Seq(6));
    for frame in frames {
        let ev = decoded(frame);
        assert_eq!(attachment.ev(&ev, frame.len() as u64), Verdict::Apply);
        replica.apply(&ev).unwrap();
    }
    replica
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn flow_merge_keeps_bytes(events in prop::collection::vec(event(), 0..40)) {
        let rests = rests(7, &events);
        let plain: Vec<String> = rests.iter().map(|rest| write_ev(CH, rest)).collect();
        let merged = frames(&rests);
        prop_assert!(merged.iter().all(|frame| frame.len() <= DATA_FRAME_BYTES_MAX));

        let (one_by_one, at_once) = (applied(&plain), applied(&merged));
        prop_assert_eq!(one_by_one.last(), at_once.last());
        prop_assert_eq!(one_by_one.digest(), at_once.digest());
        let bodies = |replica: &Replica| {
            replica.parts().values().map(|part| (part.kind.clone(), part.body.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(bodies(&one_by_one), bodies(&at_once));
    }

    #[test]
    fn a_merge_counts_its_entries(events in prop::collection::vec(event(), 0..40)) {
        let rests = rests(7, &events);
        let rests: Vec<&str> = rests.iter().map(String::as_str).collect();
        let merged = merge(&rests);
        prop_assert_eq!(merged.iter().map(|merged| merged.entries).sum::<usize>(), rests.len());
        for pair in merged.windows(2) {
            let sent = |n: usize| decoded(&write_ev(CH, &pair[n].rest));
            prop_assert_eq!(sent(0).seq.next(), sent(1).from.unwrap_or_else(|| sent(1).seq));
        }
    }

    #[test]
    fn two_logs_that_differ_in_a_byte_have_different_digests(
        events in prop::collection::vec(event(), 1..20),
        at in any::<prop::sample::Index>(),
    ) {
        let mut other = events.clone();
        other[at.index(events.len())] = text(1, "the difference");
        prop_assume!(other != events);
        let all = |events| applied(&frames(&rests(7, events))).digest();
        prop_assert_ne!(all(&events), all(&other));
    }
}
