//! Calls without an answer: kept, so that a new socket can ask again.

use crate::{error::ErrorBody, frame::Call, id::SessionId};
use std::collections::BTreeMap;

/// Most calls without an answer; a further one is refused with [`TooManyCalls`].
pub const CALLS_MAX: usize = 64;

/// Names a call for its caller, across sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// [`CALLS_MAX`] calls wait for their answers; try again after one has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{CALLS_MAX} calls wait for an answer; try again after one has come")]
pub struct TooManyCalls;

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It succeeded.
    Ok {
        /// What the method answers: [`crate::method`].
        result: serde_json::Value,
        /// The command id was seen before.
        duplicate: bool,
    },
    /// It failed; nothing was done.
    Err(ErrorBody),
    /// No answer in time; it may have had its effect. Repeat it under the same command id.
    TimedOut,
}

#[derive(Debug)]
struct Pending {
    call: Call,
    sent: bool,
    give_up_at_ms: u64,
}

/// Calls without an answer, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pending: BTreeMap<Ticket, Pending>,
    last_ticket: u64,
    last_id: u32,
}

impl Calls {
    pub(super) fn add(&mut self, call: Call, give_up_at_ms: u64) -> Result<Ticket, TooManyCalls> {
        if self.pending.len() >= CALLS_MAX {
            return Err(TooManyCalls);
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.pending.insert(ticket, Pending { call, sent: false, give_up_at_ms });
        Ok(ticket)
    }

    /// What to send now, oldest first, each under an id that no earlier sending has had.
    pub(super) fn send(&mut self) -> impl Iterator<Item = Call> + '_ {
        let last_id = &mut self.last_id;
        self.pending.values_mut().filter(|pending| !pending.sent).map(|pending| {
            *last_id = last_id.wrapping_add(1);
            pending.sent = true;
            pending.call.id = *last_id;
            pending.call.clone()
        })
    }

    /// The call that an answer belongs to; none for an answer that nobody waits for.
    pub(super) fn answered(&mut self, id: u32) -> Option<Ticket> {
        let found = |pending: &Pending| pending.sent && pending.call.id == id;
        let ticket =
            self.pending.iter().find_map(|(ticket, pending)| found(pending).then_some(*ticket))?;
        self.pending.remove(&ticket);
        Some(ticket)
    }

    /// The socket is gone: all that has no answer is to be sent again.
    pub(super) fn lost(&mut self) {
        for pending in self.pending.values_mut() {
            pending.sent = false;
        }
    }

    /// Takes out what has waited too long.
    pub(super) fn timed_out(&mut self, now_ms: u64) -> impl Iterator<Item = Ticket> {
        let late = move |_: &Ticket, pending: &mut Pending| pending.give_up_at_ms <= now_ms;
        self.pending.extract_if(.., late).map(|(ticket, _)| ticket)
    }

    /// Takes out all.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.pending).into_keys().collect()
    }

    pub(super) fn any_unsent(&self) -> bool {
        self.pending.values().any(|pending| !pending.sent)
    }

    /// Whether the session may not exist yet, since the call that creates it has not gone out.
    pub(super) fn creates_later(&self, session: SessionId) -> bool {
        self.pending.values().any(|Pending { call, sent, .. }| {
            !sent && call.method == "session.create" && call.session == Some(session)
        })
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.pending.values().map(|pending| pending.give_up_at_ms).min()
    }
}
