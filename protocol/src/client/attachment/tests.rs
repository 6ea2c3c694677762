use super::*;
use crate::{
    event::Event,
    frame::{Mode, Status},
    id::{Epoch, PartId},
};
use uuid::Uuid;

const CH: Channel = Channel(1);

fn session() -> SessionId {
    SessionId::new(Uuid::from_u128(1))
}

fn ev(from: u64, seq: u64) -> Ev {
    let from = (from != seq).then_some(Seq(from));
    let event = Event::TextDelta { part: PartId(1), text: "a".into() };
    Ev { ch: CH, seq: Seq(seq), from, ts: 0, event }
}

fn attached(epoch: u64, after: u64, head: u64) -> Attached {
    Attached {
        ch: CH,
        session: session(),
        epoch: Epoch(epoch),
        head: Seq(head),
        after: Seq(after),
        mode: Mode::Resumed,
        status: Status::Idle,
        run: None,
    }
}

/// An attachment of epoch 1 that is replaying after entry `after`.
fn replaying(after: u64, credit_bytes: Option<u64>) -> Attachment {
    let pace = Pace { credit_bytes, window_ms: 0 };
    let mut attachment = Attachment::new(session(), After::Start, pace);
    attachment.request(CH);
    attachment.attached(&attached(1, after, after));
    attachment
}

fn seq(attachment: &Attachment) -> u64 {
    attachment.cursor().unwrap().seq.0
}

#[test]
fn resume_contiguous() {
    let mut attachment = replaying(4, None);
    assert_eq!(attachment.ev(&ev(5, 5), 10), Verdict::Apply);
    assert_eq!(attachment.ev(&ev(6, 9), 10), Verdict::Apply);
    assert_eq!(seq(&attachment), 9);
}

#[test]
fn resume_duplicate_dropped() {
    let mut attachment = replaying(4, None);
    assert_eq!(attachment.ev(&ev(4, 4), 10), Verdict::Drop);
    assert_eq!(attachment.ev(&ev(2, 4), 10), Verdict::Drop);
    assert_eq!(seq(&attachment), 4);
}

#[test]
fn resume_hole_reattaches() {
    let mut attachment = replaying(4, None);
    assert_eq!(attachment.ev(&ev(6, 6), 10), Verdict::Hole);
    assert_eq!(attachment.ev(&ev(4, 6), 10), Verdict::Hole, "half of it was applied before");
    let cursor = Cursor { epoch: Epoch(1), seq: Seq(4) };
    assert_eq!(attachment.request(CH).after, After::Cursor(cursor));
}

#[test]
fn resume_caught_up_past_the_position_is_a_hole() {
    let mut attachment = replaying(4, None);
    assert_eq!(attachment.caught_up(CaughtUp { ch: CH, seq: Seq(5) }), Verdict::Hole);
    assert_eq!(attachment.caught_up(CaughtUp { ch: CH, seq: Seq(4) }), Verdict::Apply);
    assert_eq!(attachment.phase(), Phase::Live);
}

#[test]
fn resume_attached_sets_position() {
    let begin = |after: After, answer: &Attached| {
        let mut attachment = Attachment::new(session(), after, Pace::default());
        attachment.request(CH);
        let begin = attachment.attached(answer);
        assert_eq!(seq(&attachment), answer.after.0);
        begin
    };
    let cursor = After::Cursor(Cursor { epoch: Epoch(1), seq: Seq(7) });
    assert_eq!(begin(After::Open, &attached(1, 3, 9)), Begin::First);
    assert_eq!(begin(cursor, &attached(1, 7, 9)), Begin::Continued);
    assert_eq!(begin(cursor, &attached(1, 3, 9)), Begin::Void(Reason::Expired));
    assert_eq!(begin(cursor, &attached(2, 7, 9)), Begin::Void(Reason::EpochChanged));
}

#[test]
fn resume_before_the_first_entry() {
    let mut attachment = Attachment::new(session(), After::Live, Pace::default());
    attachment.request(CH);
    attachment.attached(&attached(1, 7, 7));
    attachment.detach();
    let cursor = Cursor { epoch: Epoch(1), seq: Seq(7) };
    assert_eq!(attachment.request(CH).after, After::Cursor(cursor), "and not live again");
}

#[test]
fn resume_reset_voids_what_the_client_holds() {
    let mut attachment = replaying(4, None);
    let reset = Reset {
        ch: CH,
        session: session(),
        epoch: Epoch(2),
        head: Seq(2),
        after: Seq(0),
        reason: Reason::EpochChanged,
        status: Status::Idle,
    };
    assert_eq!(attachment.reset(&reset), Begin::Void(Reason::EpochChanged));
    assert_eq!(attachment.cursor(), Some(Cursor { epoch: Epoch(2), seq: Seq(0) }));
    assert_eq!(attachment.ev(&ev(5, 5), 10), Verdict::Hole);
    assert_eq!(attachment.ev(&ev(1, 1), 10), Verdict::Apply);
}

#[test]
fn resume_frames_of_an_earlier_attachment_are_dropped() {
    let mut attachment = replaying(4, None);
    attachment.detach();
    assert_eq!(attachment.ev(&ev(5, 5), 10), Verdict::Drop);
    attachment.request(CH);
    assert_eq!(attachment.ev(&ev(5, 5), 10), Verdict::Drop);
    assert_eq!(attachment.caught_up(CaughtUp { ch: CH, seq: Seq(4) }), Verdict::Drop);
    assert_eq!(seq(&attachment), 4);
}

#[test]
fn flow_credit_cumulative() {
    let mut attachment = replaying(0, Some(1000));
    attachment.ev(&ev(1, 1), 300);
    assert_eq!(attachment.ack(CH), Some(Ack(CH, Seq(1), 1300)));
    assert_eq!(attachment.ack(CH), None, "nothing has changed");
    attachment.ev(&ev(2, 2), 200);
    attachment.ev(&ev(3, 3), 100);
    assert_eq!(attachment.ack(CH), Some(Ack(CH, Seq(3), 1600)));
}

#[test]
fn flow_duplicates_count() {
    let mut attachment = replaying(4, Some(1000));
    attachment.ev(&ev(4, 4), 300);
    assert_eq!(attachment.ack(CH), Some(Ack(CH, Seq(4), 1300)), "the server sent them, too");
}

#[test]
fn flow_credit_counts_anew_after_each_attach() {
    let mut attachment = replaying(0, Some(1000));
    attachment.ev(&ev(1, 1), 300);
    attachment.detach();
    assert_eq!(attachment.request(CH).credit, Some(1000));
    attachment.attached(&attached(1, 1, 9));
    attachment.ev(&ev(2, 2), 50);
    assert_eq!(attachment.ack(CH), Some(Ack(CH, Seq(2), 1050)));
}

#[test]
fn flow_no_credit_no_acks() {
    let mut attachment = replaying(0, None);
    attachment.ev(&ev(1, 1), 1 << 20);
    assert!(!attachment.ack_is_urgent());
    assert_eq!(attachment.ack(CH), None);
}

#[test]
fn flow_ack_is_urgent_after_64_kib_or_half_the_window() {
    for (credit_bytes, urgent_bytes) in [(1 << 20, ACK_BYTES), (1000, 500)] {
        let mut attachment = replaying(0, Some(credit_bytes));
        attachment.ev(&ev(1, 1), urgent_bytes - 1);
        assert!(!attachment.ack_is_urgent());
        attachment.ev(&ev(2, 2), 1);
        assert!(attachment.ack_is_urgent());
        attachment.ack(CH);
        assert!(!attachment.ack_is_urgent());
    }
}

#[test]
fn flow_a_held_attachment_grants_nothing() {
    let mut attachment = replaying(0, Some(1000));
    attachment.hold(true);
    attachment.ev(&ev(1, 1), 900);
    assert_eq!(attachment.ack(CH), None);
    attachment.hold(false);
    assert_eq!(attachment.ack(CH), Some(Ack(CH, Seq(1), 1900)));
}
