//! The latest entries of a session's log, in memory, shared by all its attachments.

use crate::plant::{self, Plant};
use bytes::Bytes;
use greenroom_protocol::id::Seq;
use std::collections::VecDeque;

/// Bytes that stay after they are in segments, for readers who are a little behind.
const KEPT_BYTES_MAX: usize = 32 * 1024;

/// Adjacent entries. Holds all that are in no segment, and a few more.
///
/// Bound: the unsegmented tail, which the session keeps near 16 KiB or 256 entries and never
/// lets grow while the store refuses, plus [`KEPT_BYTES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Ring {
    first: Seq,
    entries: VecDeque<Bytes>,
    bytes: usize,
    segmented: Seq,
}

impl Ring {
    /// An empty ring whose next entry is the one after `head`.
    pub(crate) const fn after(head: Seq) -> Self {
        Self { first: head.next(), entries: VecDeque::new(), bytes: 0, segmented: head }
    }

    /// Appends entries that follow what is there.
    pub(crate) fn push(&mut self, entries: &[Bytes]) {
        for entry in entries {
            self.bytes += entry.len();
            self.entries.push_back(entry.clone());
        }
        self.shrink();
    }

    /// Entries up to `last` are in segments and need not stay.
    pub(crate) fn segmented(&mut self, last: Seq) {
        self.segmented = self.segmented.max(last);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.bytes > KEPT_BYTES_MAX && self.first <= self.segmented {
            let Some(entry) = self.entries.pop_front() else { return };
            self.bytes -= entry.len();
            self.first = self.first.next();
        }
    }

    /// Forgets what is in segments.
    pub(crate) fn clear_segmented(&mut self) {
        while self.first <= self.segmented {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes -= entry.len();
            self.first = self.first.next();
        }
        self.entries.shrink_to_fit();
    }

    /// Bytes of the entries after `after`; of all where the ring begins later.
    pub(crate) fn bytes_after(&self, after: Seq) -> u64 {
        let skip = usize::try_from(after.next().0.saturating_sub(self.first.0)).unwrap_or(0);
        if skip == 0 {
            return self.bytes as u64;
        }
        self.entries.iter().skip(skip).map(|entry| entry.len() as u64).sum()
    }

    /// The entries after `after`, up to a number and a size; `None` where the ring begins later.
    pub(crate) fn read(
        &self,
        after: Seq,
        entries_max: usize,
        bytes_max: usize,
    ) -> Option<Vec<(Seq, Bytes)>> {
        let skip = after.next().0.checked_sub(self.first.0)?;
        let mut skip = usize::try_from(skip).ok()?;
        let is_full = self.bytes > KEPT_BYTES_MAX / 4 * 3;
        if plant::is(Plant::RingSkipsOnWrap) && is_full && skip + 1 < self.entries.len() {
            skip += 1;
        }
        let mut bytes = 0;
        let entries = self.entries.iter().skip(skip).take(entries_max);
        let entries = entries.take_while(|entry| {
            let fits = bytes == 0 || bytes + entry.len() <= bytes_max;
            bytes += entry.len();
            fits
        });
        let mut seq = after;
        let number = |entry: &Bytes| {
            seq = seq.next();
            (seq, entry.clone())
        };
        Some(entries.map(number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: usize, len: usize) -> Vec<Bytes> {
        vec![Bytes::from(vec![b'x'; len]); count]
    }

    #[test]
    fn a_reader_gets_what_follows_its_cursor_up_to_the_size() {
        let mut ring = Ring::after(Seq(10));
        ring.push(&entries(5, 100));

        let read = ring.read(Seq(11), 16, 250).unwrap();
        assert_eq!(read.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [12, 13]);
        assert_eq!(ring.read(Seq(15), 16, 250), Some(vec![]));
        assert_eq!(ring.read(Seq(9), 16, 250), None, "entry 10 is not here");
        assert_eq!(ring.read(Seq(10), 1, 10).unwrap().len(), 1, "one at least");
    }

    #[test]
    fn entries_stay_until_they_are_in_segments() {
        let mut ring = Ring::after(Seq::START);
        ring.push(&entries(100, 1024));
        assert!(ring.read(Seq::START, 1, 1).is_some());

        ring.segmented(Seq(90));
        assert!(ring.bytes <= KEPT_BYTES_MAX);
        assert_eq!(ring.read(Seq::START, 1, 1), None);
        assert_eq!(ring.read(Seq(99), 16, 4096).unwrap().len(), 1);
        ring.clear_segmented();
        assert_eq!(ring.entries.len(), 10);
    }
}
