//! What a link does with the server's frames.

use super::{ACK_MS, Begun, Effect, Link, Slot, State};
use crate::{
    client::{Answer, Phase, Verdict},
    error::{CloseCode, ErrorBody, Reason},
    frame::{Attached, CaughtUp, ClientFrame, Detached, Ev, Limits, Reset, ServerFrame, Welcome},
    id::{Channel, Cursor},
};

/// Wait before a second re-attach in a row, in milliseconds: a hole that comes again is not mended
/// by haste.
const HOLE_AGAIN_MS: u64 = 1000;

/// Wait before an `attach` that was refused for now is repeated, in milliseconds, where the server
/// does not say.
const REFUSED_MS: u64 = 1000;

impl Link {
    pub(super) fn text(&mut self, now_ms: u64, text: &str) {
        self.heard_ms = now_ms;
        if !(self.is_open() || matches!(self.state, State::HelloSent { .. })) {
            return; // of a socket that is gone
        }
        match ServerFrame::decode(text) {
            Ok(frame) => self.frame(now_ms, frame, text.len() as u64),
            // What follows cannot be trusted either.
            Err(_) => self.broken(now_ms, CloseCode::Malformed.number()),
        }
    }

    fn frame(&mut self, now_ms: u64, frame: ServerFrame, frame_bytes: u64) {
        match frame {
            ServerFrame::Welcome(welcome) => self.welcome(now_ms, welcome),
            ServerFrame::Ok { id, result, duplicate } => {
                self.answered(id, Answer::Ok { result, duplicate });
            }
            ServerFrame::Err { id, error } => self.answered(id, Answer::Err(error)),
            ServerFrame::Attached(attached) => self.attached(&attached),
            ServerFrame::Reset(reset) => self.reset(&reset),
            ServerFrame::Ev(ev) => self.ev(now_ms, ev, frame_bytes),
            ServerFrame::CaughtUp(caught_up) => self.caught_up(now_ms, caught_up),
            ServerFrame::Detached(detached) => self.detached(now_ms, detached),
            ServerFrame::AuthRequired { deadline_ms: _ } => self.ask_for_token(),
            ServerFrame::Limits(limits) => self.limits(now_ms, limits),
            ServerFrame::GoAway(goaway) => {
                if matches!(self.state, State::Ready) {
                    let until_ms = now_ms.saturating_add(goaway.reconnect_in_ms);
                    self.state = State::Draining { until_ms };
                }
            }
            ServerFrame::Ping { ts: _ } => self.send(ClientFrame::Pong),
            ServerFrame::Error { ch, error } => self.error(now_ms, ch, error),
            // Whoever shows balances asks for one, too: this is only quicker.
            ServerFrame::Balance(_) | ServerFrame::Pong { ts: _ } | ServerFrame::Unknown => {}
        }
    }

    fn welcome(&mut self, now_ms: u64, welcome: Welcome) {
        if matches!(self.state, State::HelloSent { .. }) {
            self.state = State::Ready;
            self.ready_ms = now_ms;
            self.heartbeat = welcome.heartbeat;
            self.quiet_until_ms = 0;
            self.effects.push_back(Effect::Ready(welcome));
            self.send_due(now_ms);
        }
    }

    fn answered(&mut self, id: u32, answer: Answer) {
        if let Some(ticket) = self.calls.answered(id) {
            self.effects.push_back(Effect::Answered { ticket, answer });
        }
    }

    /// The attachment of a channel, if it waits for its beginning.
    fn attaching(&mut self, ch: Channel) -> Option<&mut Slot> {
        self.slots.get_mut(&ch).filter(|slot| slot.attachment.phase() == Phase::Attaching)
    }

    fn attached(&mut self, frame: &Attached) {
        let Some(slot) = self.attaching(frame.ch) else { return };
        slot.attach_at_ms = None;
        let begin = slot.attachment.attached(frame);
        let Attached { ch, session, epoch, head, after, mode: _, status, run } = *frame;
        let place = Cursor { epoch, seq: after };
        let begun = Begun { ch, session, begin, place, head, status, run };
        self.effects.push_back(Effect::Attached(begun));
    }

    fn reset(&mut self, frame: &Reset) {
        let Some(slot) = self.slots.get_mut(&frame.ch) else { return };
        if matches!(slot.attachment.phase(), Phase::Detached | Phase::Ended) {
            return;
        }
        slot.attach_at_ms = None;
        let begin = slot.attachment.reset(frame);
        let Reset { ch, session, epoch, head, after, reason: _, status } = *frame;
        let place = Cursor { epoch, seq: after };
        let begun = Begun { ch, session, begin, place, head, status, run: None };
        self.effects.push_back(Effect::Attached(begun));
    }

    fn ev(&mut self, now_ms: u64, ev: Ev, frame_bytes: u64) {
        let Some(slot) = self.slots.get_mut(&ev.ch) else { return };
        let verdict = slot.attachment.ev(&ev, frame_bytes);
        let (due, urgent) = (slot.attachment.ack_is_due(), slot.attachment.ack_is_urgent());
        match verdict {
            Verdict::Apply => {
                slot.holes = 0;
                self.effects.push_back(Effect::Event(ev));
            }
            Verdict::Drop => {}
            Verdict::Hole => return self.hole(now_ms, ev.ch),
        }
        if urgent {
            self.send_acks();
        } else if due {
            self.ack_at_ms.get_or_insert_with(|| now_ms.saturating_add(ACK_MS));
        }
    }

    fn caught_up(&mut self, now_ms: u64, frame: CaughtUp) {
        let Some(slot) = self.slots.get_mut(&frame.ch) else { return };
        match slot.attachment.caught_up(frame) {
            Verdict::Apply => self.effects.push_back(Effect::CaughtUp(frame.ch)),
            Verdict::Drop => {}
            Verdict::Hole => self.hole(now_ms, frame.ch),
        }
    }

    /// Entries are missing: attach again at the position, at once the first time.
    fn hole(&mut self, now_ms: u64, ch: Channel) {
        if let Some(slot) = self.slots.get_mut(&ch) {
            slot.attachment.detach();
            let again = slot.holes > 0;
            slot.attach_at_ms = again.then(|| now_ms.saturating_add(HOLE_AGAIN_MS));
            slot.holes = slot.holes.saturating_add(1);
            self.send(ClientFrame::Detach { ch });
            self.send_due(now_ms);
        }
    }

    /// An attachment that had begun ends. While the answer to an `attach` is due, what ends is the
    /// one before.
    fn detached(&mut self, now_ms: u64, frame: Detached) {
        let Some(slot) = self.slots.get_mut(&frame.ch) else { return };
        if !matches!(slot.attachment.phase(), Phase::Replaying | Phase::Live) {
            return;
        }
        match frame.retry_after_ms {
            Some(ms) => {
                slot.attachment.detach();
                slot.attach_at_ms = Some(now_ms.saturating_add(ms));
            }
            None => slot.attachment.end(),
        }
        self.effects.push_back(Effect::Detached(frame));
    }

    /// While the answer to an `attach` is due, an error with its channel is its refusal: asked again
    /// where that may help, and otherwise the end of the attachment.
    fn error(&mut self, now_ms: u64, ch: Option<Channel>, error: ErrorBody) {
        let reason = error.reason;
        let (may_help, wait_ms) = (error.retryable, error.retry_after_ms.unwrap_or(REFUSED_MS));
        self.effects.push_back(Effect::Notice { ch, error });
        let Some((ch, slot)) = ch.and_then(|ch| Some((ch, self.attaching(ch)?))) else { return };
        if reason == Reason::ChannelNotAttached {
            // The answer to a `detach` that crossed with the end of the attachment before.
        } else if reason == Reason::ChannelInUse {
            // The server still has it: this is mended by a `detach`, not by asking.
            slot.attachment.detach();
            slot.attach_at_ms = Some(now_ms.saturating_add(REFUSED_MS));
            self.send(ClientFrame::Detach { ch });
        } else if may_help {
            // Still attaching: a notice to the attachment before may have crossed with the `attach`,
            // whose answer then comes all the same.
            slot.attach_at_ms = Some(now_ms.saturating_add(wait_ms));
        } else {
            slot.attachment.end();
            let detached = Detached { ch, reason, retry_after_ms: None };
            self.effects.push_back(Effect::Detached(detached));
        }
    }

    fn limits(&mut self, now_ms: u64, limits: Limits) {
        let retry_after_ms = limits.retry_after_ms.unwrap_or(0);
        self.quiet_until_ms = now_ms.saturating_add(retry_after_ms);
        self.effects.push_back(Effect::Limits(limits));
    }
}
