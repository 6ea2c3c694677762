//! Watches one attachment as its frames arrive.

use super::{
    history::{Reset, Seen, Transcript},
    violation::{Rule, Violation},
};
use greenroom_protocol::{
    frame::{After, Attached, CaughtUp, Ev},
    id::{Cursor, Seq, SessionId},
};

/// One attachment over all its sockets: keeps its transcript, names the first wrong frame.
///
/// Stricter than a client must be: a client drops a repeat and attaches again at a hole, for the
/// server both are defects.
#[derive(Clone, Debug)]
pub struct Observer {
    session: SessionId,
    transcript: Transcript,
    position: Option<Cursor>,
    /// What the `attach` on this socket asked for; none: none was sent.
    asked: Option<After>,
    /// The head that must be there by now: somebody was shown it before this attach was sent.
    floor: Seq,
    /// The log's head when this attachment began on this socket.
    head: Seq,
    attached: bool,
    /// Something was wrong: all that follows from it says nothing new.
    is_over: bool,
}

impl Observer {
    /// An attachment that has not begun; `name` is for a person.
    #[must_use]
    pub fn new(session: SessionId, name: impl Into<String>) -> Self {
        let transcript = Transcript { name: name.into(), ..Transcript::default() };
        Self {
            session,
            transcript,
            position: None,
            asked: None,
            floor: Seq::START,
            head: Seq::START,
            attached: false,
            is_over: false,
        }
    }

    /// What was applied so far.
    #[must_use]
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The end of the watch.
    #[must_use]
    pub fn into_transcript(self) -> Transcript {
        self.transcript
    }

    /// The place that the next `attach` asks for.
    #[must_use]
    pub const fn cursor(&self) -> Option<Cursor> {
        self.position
    }

    /// An `attach` goes out; `floor` is the last entry that any client of the session has seen.
    pub const fn asking(&mut self, after: After, floor: Seq) {
        self.asked = Some(after);
        self.floor = floor;
        self.attached = false;
    }

    /// The socket is gone.
    pub const fn lost(&mut self) {
        self.asked = None;
        self.attached = false;
    }

    /// `attached` arrived.
    ///
    /// # Errors
    /// It begins elsewhere than it was asked to, or in another log.
    pub fn attached(&mut self, frame: &Attached) -> Result<(), Violation> {
        if self.is_over {
            return Ok(());
        }
        let place = Cursor { epoch: frame.epoch, seq: frame.after };
        if let Some(position) = self.position {
            if position.epoch != frame.epoch {
                let what = format!("epoch {} became {}", position.epoch, frame.epoch);
                return Err(self.violation(Rule::OneEpoch, &what));
            }
            if position.seq != frame.after {
                let what =
                    format!("asked to go on after {}, begins after {}", position.seq, frame.after);
                return Err(self.violation(Rule::BeginsAsAsked, &what));
            }
        } else if self.asked == Some(After::Start) && frame.after != Seq::START {
            let what = format!("asked for the start, begins after {}", frame.after);
            return Err(self.violation(Rule::BeginsAsAsked, &what));
        } else {
            self.transcript.after = frame.after;
        }
        if frame.head < frame.after || frame.head < self.floor {
            let what = format!(
                "the head is {}, though the cursor is {} and somebody was shown {} before",
                frame.head, frame.after, self.floor
            );
            return Err(self.violation(Rule::SameForAll, &what));
        }
        self.position = Some(place);
        self.transcript.epoch = Some(frame.epoch);
        self.head = frame.head;
        self.attached = true;
        Ok(())
    }

    /// `ev` arrived.
    ///
    /// # Errors
    /// A hole, a repeat, or an entry where none may come.
    pub fn ev(&mut self, frame: Ev) -> Result<(), Violation> {
        if self.is_over {
            return Ok(());
        }
        let (from, seq) = (frame.from.unwrap_or(frame.seq), frame.seq);
        let Some(position) = self.position.as_mut().filter(|_| self.attached) else {
            let what = format!("entry {seq} came before \"attached\"");
            return Err(self.violation(Rule::BeginsAsAsked, &what));
        };
        let last = position.seq;
        if from > last.next() {
            let what = format!("after {last} came {from}");
            return Err(self.violation(Rule::NoHole, &what));
        }
        if from <= last || seq < from {
            let what = format!("after {last} came {from} to {seq}");
            return Err(self.violation(Rule::NoRepeat, &what));
        }
        position.seq = seq;
        self.transcript.items.push(Seen { from, seq, ts: frame.ts, event: frame.event });
        Ok(())
    }

    /// `caught_up` arrived.
    ///
    /// # Errors
    /// It names another entry than the last one sent, or comes before all of the replay did.
    pub fn caught_up(&mut self, frame: CaughtUp) -> Result<(), Violation> {
        let last = self.position.map_or(Seq::START, |position| position.seq);
        if self.is_over || (frame.seq == last && last >= self.head) {
            return Ok(());
        }
        let what = format!(
            "caught up at {}, though {last} came last and the head was {}",
            frame.seq, self.head
        );
        Err(self.violation(Rule::NoHole, &what))
    }

    /// `reset` arrived: always wrong, since no test loses a store.
    pub fn reset(&mut self, frame: &greenroom_protocol::frame::Reset) -> Violation {
        let reset =
            Reset { reason: frame.reason, to: Cursor { epoch: frame.epoch, seq: frame.after } };
        self.violation(Rule::NoReset, &format!("at {:?} came {reset:?}", self.position))
    }

    fn violation(&mut self, rule: Rule, what: &str) -> Violation {
        self.is_over = true;
        Violation::new(rule, self.session, format!("{}: {what}", self.transcript.name))
    }
}
