//! One attachment as its client sees it: its position in the log, its phase, its credit.

use crate::{
    error::Reason,
    frame::{Ack, After, Attach, Attached, CaughtUp, Ev, Reset},
    id::{Channel, Cursor, Seq, SessionId},
};

/// Bytes received after which an `ack` is due at once, without waiting for the tick.
pub(super) const ACK_BYTES: u64 = 64 * 1024;

/// How an attachment is paced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Bytes of `ev` frames that may be under way; none: the socket alone sets the pace.
    pub credit_bytes: Option<u64>,
    /// Coarsens the flush window of the session, in milliseconds, at most 500.
    pub window_ms: u32,
}

/// Where an attachment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not on the socket: not asked for yet, or the socket is gone.
    Detached,
    /// Asked for; frames that arrive now belong to an earlier attachment and are dropped.
    Attaching,
    /// Reading what the log held when it began.
    Replaying,
    /// At the head.
    Live,
    /// Refused or ended by the server for good.
    Ended,
}

/// How an attachment begins, for whoever holds what was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// For the first time: nothing was applied before.
    First,
    /// After the last entry that was applied: all that the client holds stays.
    Continued,
    /// Elsewhere: all that the client holds is void and is built anew from `after + 1`.
    Void(Reason),
}

/// What to do with an `ev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Apply it; the position has moved to its `seq`.
    Apply,
    /// Drop it: it was applied before, or belongs to an earlier attachment.
    Drop,
    /// Entries are missing before it: attach again at the position.
    Hole,
}

/// One attachment of a client.
///
/// Invariant: all entries of the log after where it began and up to [`Attachment::cursor`] were
/// applied exactly once, in order.
#[derive(Clone, Debug)]
pub struct Attachment {
    session: SessionId,
    wanted: After,
    position: Option<Cursor>,
    head: Seq,
    phase: Phase,
    pace: Pace,
    received_bytes: u64,
    acked: (u64, Seq),
    held: bool,
}

impl Attachment {
    /// An attachment that begins at `after`; a cursor is a position that was persisted together
    /// with what was applied up to it.
    #[must_use]
    pub const fn new(session: SessionId, after: After, pace: Pace) -> Self {
        let position = if let After::Cursor(cursor) = after { Some(cursor) } else { None };
        Self {
            session,
            wanted: after,
            position,
            head: Seq::START,
            phase: Phase::Detached,
            pace,
            received_bytes: 0,
            acked: (0, Seq::START),
            held: false,
        }
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The position to persist and to resume from; none before the first `attached`.
    #[must_use]
    pub const fn cursor(&self) -> Option<Cursor> {
        self.position
    }

    /// The last entry of the log that the client has heard of.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// Grants nothing more while `held`: the server pauses once the credit is used up.
    pub const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Begins to attach: the frame to send. Credit counts from zero again.
    pub fn request(&mut self, ch: Channel) -> Attach {
        self.phase = Phase::Attaching;
        self.received_bytes = 0;
        let after = self.position.map_or(self.wanted, After::Cursor);
        self.acked = (0, self.position.map_or(Seq::START, |position| position.seq));
        let Pace { credit_bytes, window_ms } = self.pace;
        Attach { ch, session: self.session, after, credit: credit_bytes, window_ms }
    }

    /// The socket is gone, or a `detach` was sent.
    pub const fn detach(&mut self) {
        if !matches!(self.phase, Phase::Ended) {
            self.phase = Phase::Detached;
        }
    }

    /// It will not come back.
    pub const fn end(&mut self) {
        self.phase = Phase::Ended;
    }

    /// Applies `attached`: its `after` is the position from now on.
    pub fn attached(&mut self, attached: &Attached) -> Begin {
        let place = Cursor { epoch: attached.epoch, seq: attached.after };
        let begin = match self.position {
            None => Begin::First,
            Some(position) if position == place => Begin::Continued,
            Some(position) if position.epoch != place.epoch => Begin::Void(Reason::EpochChanged),
            Some(_) => Begin::Void(Reason::Expired),
        };
        self.begin(place, attached.head);
        begin
    }

    /// Applies `reset`: its `after` is the position from now on, what the client holds is void.
    pub fn reset(&mut self, reset: &Reset) -> Begin {
        self.begin(Cursor { epoch: reset.epoch, seq: reset.after }, reset.head);
        Begin::Void(reset.reason)
    }

    fn begin(&mut self, place: Cursor, head: Seq) {
        self.position = Some(place);
        self.acked.1 = place.seq;
        self.head = head;
        self.phase = Phase::Replaying;
    }

    /// Judges an `ev` whose frame is `frame_bytes` long, and moves the position if it applies.
    pub fn ev(&mut self, ev: &Ev, frame_bytes: u64) -> Verdict {
        let (Phase::Replaying | Phase::Live, Some(position)) = (self.phase, &mut self.position)
        else {
            return Verdict::Drop;
        };
        // What is dropped was sent all the same, so it counts.
        self.received_bytes = self.received_bytes.saturating_add(frame_bytes);
        self.head = self.head.max(ev.seq);
        if ev.seq <= position.seq {
            return Verdict::Drop;
        }
        if ev.from.unwrap_or(ev.seq) != position.seq.next() {
            return Verdict::Hole;
        }
        position.seq = ev.seq;
        Verdict::Apply
    }

    /// Judges `caught_up`: live from now on, unless entries are missing.
    pub fn caught_up(&mut self, frame: CaughtUp) -> Verdict {
        match (self.phase, self.position) {
            (Phase::Replaying, Some(position)) if frame.seq > position.seq => Verdict::Hole,
            (Phase::Replaying, Some(_)) => {
                self.phase = Phase::Live;
                Verdict::Apply
            }
            _ => Verdict::Drop,
        }
    }

    /// Whether something has changed that an `ack` would tell; never without credit.
    #[must_use]
    pub fn ack_is_due(&self) -> bool {
        matches!(self.phase, Phase::Replaying | Phase::Live)
            && self.pace.credit_bytes.is_some()
            && !self.held
            && self.acked != self.ack_state()
    }

    /// Whether so much has arrived since the last `ack` that the next should not wait.
    #[must_use]
    pub fn ack_is_urgent(&self) -> bool {
        let window_bytes = self.pace.credit_bytes.unwrap_or(u64::MAX);
        let unacked_bytes = self.received_bytes.saturating_sub(self.acked.0);
        self.ack_is_due() && unacked_bytes >= ACK_BYTES.min(window_bytes / 2)
    }

    /// The row to send if one is due.
    ///
    /// The grant is cumulative: all that was received, and the window on top.
    pub fn ack(&mut self, ch: Channel) -> Option<Ack> {
        if !self.ack_is_due() {
            return None;
        }
        self.acked = self.ack_state();
        let (received_bytes, seq) = self.acked;
        let granted_bytes = received_bytes.saturating_add(self.pace.credit_bytes?);
        Some(Ack(ch, seq, granted_bytes))
    }

    fn ack_state(&self) -> (u64, Seq) {
        (self.received_bytes, self.position.map_or(Seq::START, |position| position.seq))
    }
}

#[cfg(test)]
mod tests;
