//! What a lane decides: which groups make the next record, and which records are done with.

use super::record::Group;
use bytes::Bytes;
use greenroom_protocol::id::{Seq, SessionId};
use std::collections::{BTreeMap, VecDeque};

/// Largest record, in bytes; a CQL row stays well below its limits.
pub(super) const RECORD_BYTES_MAX: usize = 256 * 1024;

/// One lane. `R` is whom to tell when a group is durable.
///
/// Bound: each session has at most one group here that is not durable, so `waiting` and `under_way`
/// hold at most one group a live session; `tails` holds what sessions have not segmented yet,
/// which they bound themselves.
#[derive(Debug)]
pub(super) struct Lane<R> {
    next_offset: u64,
    waiting: VecDeque<(Group, R)>,
    urgent: bool,
    under_way: Option<UnderWay<R>>,
    /// Durable entries by session that are in no segment yet.
    tails: BTreeMap<SessionId, Tail>,
    /// By offset: how many groups of the record are in no segment yet.
    open_records: BTreeMap<u64, usize>,
    dropped_before: u64,
}

#[derive(Debug)]
struct UnderWay<R> {
    offset: u64,
    groups: Vec<(Group, R)>,
}

#[derive(Debug, Default)]
struct Tail {
    first: Seq,
    entries: VecDeque<Bytes>,
    /// Last entry and record of each group.
    groups: VecDeque<(Seq, u64)>,
}

/// A record to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NextRecord {
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
}

impl<R> Lane<R> {
    pub(super) const fn new() -> Self {
        Self {
            next_offset: 0,
            waiting: VecDeque::new(),
            urgent: false,
            under_way: None,
            tails: BTreeMap::new(),
            open_records: BTreeMap::new(),
            dropped_before: 0,
        }
    }

    /// Takes a group; it waits for the next record.
    pub(super) fn push(&mut self, group: Group, reply: R, urgent: bool) {
        self.urgent |= urgent;
        self.waiting.push_back((group, reply));
    }

    /// Whether a record may begin: something waits, and none is under way.
    pub(super) fn is_ready(&self) -> bool {
        self.under_way.is_none() && !self.waiting.is_empty()
    }

    /// Whether what waits includes something that should not linger.
    pub(super) const fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Makes the next record of what waits, up to [`RECORD_BYTES_MAX`].
    pub(super) fn begin(&mut self) -> Option<NextRecord> {
        if !self.is_ready() {
            return None;
        }
        let (mut bytes, mut count) = (0, 0);
        for (group, _) in &self.waiting {
            bytes += group.encoded_len();
            if count > 0 && bytes > RECORD_BYTES_MAX {
                break;
            }
            count += 1;
        }
        let (groups, replies): (Vec<Group>, Vec<R>) = self.waiting.drain(..count).unzip();
        self.urgent = self.urgent && !self.waiting.is_empty();
        let record =
            NextRecord { offset: self.next_offset, bytes: super::record::encode_record(&groups) };
        let groups = groups.into_iter().zip(replies).collect();
        self.under_way = Some(UnderWay { offset: self.next_offset, groups });
        Some(record)
    }

    /// The record under way is durable: whom to tell, with the last entry of each group.
    pub(super) fn durable(&mut self) -> Vec<(R, Seq)> {
        let Some(UnderWay { offset, groups }) = self.under_way.take() else { return Vec::new() };
        self.next_offset = offset + 1;
        self.open_records.insert(offset, groups.len());
        groups
            .into_iter()
            .map(|(group, reply)| {
                let last = group.last();
                let tail = self.tails.entry(group.session).or_default();
                if tail.entries.is_empty() {
                    tail.first = group.first;
                }
                tail.entries.extend(group.entries);
                tail.groups.push_back((last, offset));
                (reply, last)
            })
            .collect()
    }

    /// Whom the record under way concerns; for news of a refusal.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &R> {
        self.under_way.iter().flat_map(|record| record.groups.iter().map(|(_, reply)| reply))
    }

    /// A session's entries up to `last` are in segments.
    pub(super) fn segmented(&mut self, session: SessionId, last: Seq) {
        let Some(tail) = self.tails.get_mut(&session) else { return };
        while tail.first <= last && tail.entries.pop_front().is_some() {
            tail.first = tail.first.next();
        }
        while let Some((_, offset)) = tail.groups.pop_front_if(|(end, _)| *end <= last) {
            if let Some(open) = self.open_records.get_mut(&offset) {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    self.open_records.remove(&offset);
                }
            }
        }
        if tail.groups.is_empty() {
            self.tails.remove(&session);
        }
    }

    /// The offset before which no record is needed, if that has grown since the last call.
    pub(super) fn drop_before(&mut self) -> Option<u64> {
        let before = self.open_records.first_key_value().map_or(self.next_offset, |(o, _)| *o);
        let grown = before > self.dropped_before;
        self.dropped_before = before;
        grown.then_some(before)
    }

    /// Whether anything of the session is not durable yet.
    pub(super) fn is_pending(&self, session: SessionId) -> bool {
        self.waiting.iter().any(|(group, _)| group.session == session)
            || self.under_way.as_ref().is_some_and(|record| {
                record.groups.iter().any(|(group, _)| group.session == session)
            })
    }

    /// A session's durable entries that are in no segment: first number and entries.
    pub(super) fn tail(&self, session: SessionId) -> (Seq, Vec<Bytes>) {
        self.tails.get(&session).map_or_else(
            || (Seq::START, Vec::new()),
            |tail| (tail.first, tail.entries.iter().cloned().collect()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn session(n: u128) -> SessionId {
        SessionId::new(Uuid::from_u128(n))
    }

    fn group(n: u128, first: u64, count: usize) -> Group {
        Group {
            session: session(n),
            first: Seq(first),
            entries: vec![Bytes::from_static(b"entry"); count],
        }
    }

    #[test]
    fn what_arrives_during_a_record_makes_the_next_one() {
        let mut lane = Lane::new();
        lane.push(group(1, 1, 1), "a", true);
        let first = lane.begin().unwrap();
        lane.push(group(2, 1, 1), "b", false);
        lane.push(group(3, 1, 2), "c", false);

        assert_eq!((first.offset, lane.begin()), (0, None), "one record at a time");
        assert_eq!(lane.durable(), [("a", Seq(1))]);
        let second = lane.begin().unwrap();
        assert_eq!(second.offset, 1);
        assert_eq!(lane.durable(), [("b", Seq(1)), ("c", Seq(2))]);
    }

    #[test]
    fn a_record_is_dropped_once_all_its_entries_are_in_segments() {
        let mut lane = Lane::new();
        for (n, first) in [(1, 1), (2, 1), (1, 2)] {
            lane.push(group(n, first, 1), (), false);
            lane.begin().unwrap();
            lane.durable();
        }
        assert_eq!(lane.drop_before(), None);
        lane.segmented(session(1), Seq(1));
        assert_eq!(lane.drop_before(), Some(1));
        lane.segmented(session(1), Seq(2));
        assert_eq!(lane.drop_before(), None, "the second session's record is still needed");
        assert_eq!(lane.tail(session(2)).1.len(), 1);
        lane.segmented(session(2), Seq(1));
        assert_eq!(lane.drop_before(), Some(3));
        assert_eq!(lane.tail(session(2)).1.len(), 0);
    }

    #[test]
    fn a_record_stays_below_its_size() {
        let mut lane = Lane::new();
        let big = Bytes::from(vec![0; RECORD_BYTES_MAX / 2]);
        for n in 1..=3 {
            let group = Group { session: session(n), first: Seq(1), entries: vec![big.clone()] };
            lane.push(group, (), false);
        }
        assert!(lane.begin().unwrap().bytes.len() <= RECORD_BYTES_MAX);
        assert_eq!(lane.durable().len(), 1);
        assert_eq!(lane.waiting.len(), 2);
    }
}
