//! Streams by the millisecond of their next token: one timer serves them all.

use super::stream::Stream;
use crate::clock;
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::time::{self, MissedTickBehavior};

/// Milliseconds in one turn; a stream that is due later is looked at once a turn.
const SLOTS: u64 = 2048;

/// The streams of all connections.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Vec<Vec<Stream>>,
    next_ms: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), next_ms: clock::now_us() / 1000 }
    }

    pub(super) fn add(&mut self, stream: Stream) {
        let wanted_ms = if stream.unsent.is_empty() { stream.due_us / 1000 } else { 0 };
        let due_ms = wanted_ms.clamp(self.next_ms, self.next_ms + SLOTS - 1);
        let slot = usize::try_from(due_ms % SLOTS).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.push(stream);
        }
    }

    /// Takes the streams of the next millisecond, if it has come.
    fn take_due(&mut self, now_ms: u64, due: &mut Vec<Stream>) -> bool {
        if self.next_ms >= now_ms {
            return false;
        }
        let slot = usize::try_from(self.next_ms % SLOTS).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(slot) {
            due.append(slot);
        }
        self.next_ms += 1;
        true
    }
}

/// Turns the wheel for ever.
pub(super) async fn turn(wheel: Rc<RefCell<Wheel>>) {
    let mut tick = time::interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut due, mut out) = (Vec::new(), Vec::new());
    loop {
        tick.tick().await;
        let now_ms = clock::now_us() / 1000;
        let mut wheel = wheel.borrow_mut();
        while wheel.take_due(now_ms, &mut due) {
            for mut stream in due.drain(..) {
                if stream.advance(&mut out) {
                    wheel.add(stream);
                }
            }
        }
    }
}
