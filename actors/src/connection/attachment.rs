//! One attachment: a cursor into a session's log, and how fast it may go.

use super::serve::Edge;
use crate::{
    meter::Meter,
    session::feed::{Feed, Read, Watch},
    sessions::Lease,
};
use bytes::Bytes;
use greenroom_protocol::{
    flow::{Flow, Lag},
    frame::Attach,
    id::{Channel, Seq},
};
use std::{collections::VecDeque, sync::Arc};
use tokio::time::Instant;

/// One attachment.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) ch: Channel,
    pub(super) feed: Arc<Feed>,
    pub(super) watch: Arc<Watch>,
    /// Last entry that was handed to the socket.
    pub(super) cursor: Seq,
    /// The head when it began; `caught_up` is sent once the cursor is there.
    pub(super) catch_up_to: Option<Seq>,
    pub(super) flow: Flow,
    /// When to look again, though no bell rings: its window ends, or its patience.
    pub(super) wake_at: Option<Instant>,
    /// Entries read from segments that were not sent yet. Bound: one read.
    backlog: VecDeque<(Seq, Bytes)>,
    /// Segments are being read for it.
    pub(super) is_reading: bool,
    _lease: Lease,
    meter: Arc<Meter>,
}

impl Attachment {
    pub(super) fn new(
        attach: &Attach,
        (lease, feed, watch): (Lease, Arc<Feed>, Arc<Watch>),
        (after, head): (Seq, Seq),
        edge: &Edge,
    ) -> Self {
        Self {
            ch: attach.ch,
            feed,
            watch,
            cursor: after,
            catch_up_to: Some(head),
            flow: Flow::new(attach.credit, attach.window_ms),
            wake_at: None,
            backlog: VecDeque::new(),
            is_reading: false,
            _lease: lease,
            meter: edge.node.meter.clone(),
        }
    }

    /// What it is to get next: from what was read for it, else from the ring. Nothing beyond the
    /// place where it has caught up before it was told so.
    pub(super) fn next(&self, entries_max: usize, bytes_max: usize) -> Read {
        let mut read = if self.backlog.is_empty() {
            self.feed.read(self.cursor, entries_max, bytes_max)
        } else {
            Read::Entries(self.backlog.iter().take(entries_max).cloned().collect())
        };
        if let (Read::Entries(entries), Some(head)) = (&mut read, self.catch_up_to) {
            entries.retain(|(seq, _)| *seq <= head);
        }
        read
    }

    /// The entry was handed to the socket, as so many bytes.
    pub(super) fn sent(&mut self, seq: Seq, bytes: usize) {
        self.flow.sent(bytes as u64);
        self.cursor = seq;
        while self.backlog.pop_front_if(|(first, _)| *first <= seq).is_some() {}
        if self.backlog.is_empty() {
            self.backlog = VecDeque::new(); // its memory is not needed until the next read
        }
    }

    /// Takes what was read for it.
    pub(super) fn replay(&mut self, entries: Vec<(Seq, Bytes)>) {
        self.backlog = entries.into();
    }

    /// The place where it has caught up, once.
    pub(super) fn caught_up(&mut self) -> Option<Seq> {
        self.catch_up_to.take_if(|head| *head <= self.cursor).map(|_| self.cursor)
    }

    /// How far it is behind the head. Bytes are known only of what the ring holds, which is
    /// enough: further behind is behind.
    pub(super) fn lag(&self) -> Lag {
        let (head, bytes) = self.feed.ahead_of(self.cursor);
        Lag { entries: head.0.saturating_sub(self.cursor.0), bytes }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.feed.unwatch(&self.watch);
        self.meter.attachments.dec();
    }
}
