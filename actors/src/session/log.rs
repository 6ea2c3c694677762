//! A session's numbers: what is accepted, under way, durable, and in segments.

use crate::{journal::record::encode_segment, port::Segment};
use bytes::Bytes;
use greenroom_protocol::{event::Event, frame::entry_rest, id::Seq};

/// A tail of this many bytes goes into a segment.
pub(crate) const SEGMENT_BYTES: usize = 16 * 1024;

/// A tail of this many entries goes into a segment.
pub(crate) const SEGMENT_ENTRIES_MAX: usize = 256;

/// The log's end. Invariant: `tail` ends at `durable`, then comes what is under way, then what
/// is accepted, which ends at `head`; no number is skipped.
#[derive(Debug)]
pub(crate) struct Log {
    head: Seq,
    durable: Seq,
    accepted: Vec<Bytes>,
    urgent: bool,
    under_way: Option<Vec<Bytes>>,
    /// Durable entries that are in no segment yet.
    tail: Vec<Bytes>,
    tail_bytes: usize,
    last_ms: u64,
}

impl Log {
    /// A log whose entries up to `head` are durable and of which `tail` is in no segment.
    pub(crate) fn new(head: Seq, tail: Vec<Bytes>, now_ms: u64) -> Self {
        let tail_bytes = tail.iter().map(Bytes::len).sum();
        Self {
            head,
            durable: head,
            accepted: Vec::new(),
            urgent: false,
            under_way: None,
            tail,
            tail_bytes,
            last_ms: now_ms,
        }
    }

    /// Last entry accepted.
    pub(crate) const fn head(&self) -> Seq {
        self.head
    }

    /// Last entry durable.
    pub(crate) const fn durable(&self) -> Seq {
        self.durable
    }

    /// Whether all that was accepted is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.head == self.durable
    }

    /// Time since the last entry.
    pub(crate) const fn idle_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.last_ms)
    }

    /// Numbers and encodes an event, once for all who will read it.
    pub(crate) fn accept(&mut self, now_ms: u64, event: &Event, urgent: bool) -> Seq {
        self.head = self.head.next();
        self.last_ms = now_ms;
        self.urgent |= urgent;
        // Cannot fail: events hold no map with other keys than strings.
        let rest = entry_rest(self.head, now_ms, event).unwrap_or_default();
        self.accepted.push(Bytes::from(rest));
        self.head
    }

    /// What to send to the lane, unless a batch is under way.
    pub(crate) fn begin_batch(&mut self) -> Option<(Seq, Vec<Bytes>, bool)> {
        if self.under_way.is_some() || self.accepted.is_empty() {
            return None;
        }
        let entries = std::mem::take(&mut self.accepted);
        self.under_way = Some(entries.clone());
        Some((self.durable.next(), entries, std::mem::take(&mut self.urgent)))
    }

    /// The batch under way is durable up to `last`: its entries.
    pub(crate) fn make_durable(&mut self, last: Seq) -> Vec<Bytes> {
        let Some(entries) = self.under_way.take() else { return Vec::new() };
        self.durable = last;
        self.tail_bytes += entries.iter().map(Bytes::len).sum::<usize>();
        self.tail.extend_from_slice(&entries);
        entries
    }

    /// Whether the tail is long enough for a segment.
    pub(crate) fn is_segment_due(&self) -> bool {
        self.tail_bytes >= SEGMENT_BYTES || self.tail.len() >= SEGMENT_ENTRIES_MAX
    }

    /// How many entries are in no segment.
    pub(crate) fn tail_len(&self) -> usize {
        self.tail.len()
    }

    /// The tail as a segment, unless it is empty.
    pub(crate) fn segment(&self) -> Option<Segment> {
        if self.tail.is_empty() {
            return None;
        }
        let first = Seq(self.durable.0 + 1 - self.tail.len() as u64);
        Some(Segment { first, last: self.durable, bytes: encode_segment(&self.tail) })
    }

    /// Entries up to `last` are in segments.
    pub(crate) fn segmented(&mut self, last: Seq) {
        let kept = usize::try_from(self.durable.0.saturating_sub(last.0)).unwrap_or(0);
        let gone = self.tail.len().saturating_sub(kept);
        self.tail_bytes -= self.tail.drain(..gone).map(|entry| entry.len()).sum::<usize>();
    }
}
