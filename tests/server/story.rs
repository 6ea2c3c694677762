//! What the frames of an attachment say.

use greenroom_protocol::{
    event::{Event, Outcome},
    frame::{Entry, Ev, ServerFrame},
    id::{Channel, CommandId, Seq, SessionId},
};
use uuid::Uuid;

/// A session's id that nobody has used.
pub(crate) fn session() -> SessionId {
    SessionId::new(Uuid::now_v7())
}

/// A command's id that nobody has used.
pub(crate) fn command() -> CommandId {
    CommandId::new(Uuid::now_v7())
}

/// The entries of a channel.
pub(crate) fn entries(frames: &[ServerFrame], ch: u32) -> Vec<Ev> {
    let of_channel = |frame: &ServerFrame| {
        let ServerFrame::Ev(ev) = frame else { return None };
        (ev.ch == Channel(ch)).then(|| ev.clone())
    };
    frames.iter().filter_map(of_channel).collect()
}

/// Checks that entries follow each other after `after`, without gap or repeat; the last number.
pub(crate) fn assert_contiguous(entries: &[Ev], after: Seq) -> Seq {
    entries.iter().fold(after, |last, ev| {
        assert_eq!(ev.from.unwrap_or(ev.seq), last.next(), "a gap or a repeat at {ev:?}");
        ev.seq
    })
}

/// The events with adjacent deltas joined: the same however they were cut.
pub(crate) fn story(entries: &[Ev]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for ev in entries {
        let apart = match events.last_mut() {
            Some(last) => last.join(ev.event.clone(), usize::MAX).err(),
            None => Some(ev.event.clone()),
        };
        events.extend(apart);
    }
    events
}

/// Checks that entries are all of a log from its start.
pub(crate) fn assert_whole(log: &[Entry]) {
    for (entry, seq) in log.iter().zip(1..) {
        assert_eq!(entry.seq, Seq(seq), "a gap or a repeat");
    }
}

/// Checks that what a client was told is this log, entry by entry; several may have come as one.
pub(crate) fn assert_told(told: &[Ev], log: &[Entry]) {
    assert_eq!(assert_contiguous(told, Seq::START), log.last().expect("a log").seq);
    for ev in told {
        let place = |seq: Seq| usize::try_from(seq.0).unwrap();
        let own = &log[place(ev.from.unwrap_or(ev.seq)) - 1..place(ev.seq)];
        assert_eq!(story(&evs(own)), std::slice::from_ref(&ev.event), "{:?}", ev.seq);
        assert_eq!(own.last().map(|entry| entry.ts), Some(ev.ts), "{:?}", ev.seq);
    }
}

/// Entries as a channel has them.
pub(crate) fn evs(log: &[Entry]) -> Vec<Ev> {
    let ev = |Entry { seq, ts, event }: &Entry| Ev {
        ch: Channel(0),
        seq: *seq,
        from: None,
        ts: *ts,
        event: event.clone(),
    };
    log.iter().map(ev).collect()
}

/// Whether a run has ended.
pub(crate) const fn is_end(event: &Event) -> bool {
    matches!(event, Event::RunFinished { .. })
}

/// How the last run of these entries ended.
pub(crate) fn outcome(entries: &[Ev]) -> Option<Outcome> {
    entries.iter().rev().find_map(|ev| {
        let Event::RunFinished { outcome, .. } = &ev.event else { return None };
        Some(*outcome)
    })
}
