//! The journal: lanes of parts, each part a partition that the store itself fences.
//!
//! A record is appended under the condition that the part's `next` is the record's offset and that
//! the part is not sealed. So one of two writers fails, and whoever has sealed a part knows all
//! that it will ever hold. A part that is full is sealed with the number of the next one: who wants
//! to seal the lane goes on there.

mod chain;
mod lane;

pub(super) use lane::Lanes;

use super::{CqlStore, number, unsigned};
use bytes::Bytes;
use chain::{Chain, LaneId, Part, key};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use greenroom_actors::port::{
    Appended, BoxFuture, Incarnation, Journal, Position, Record, StoreError,
};

/// Lanes of an incarnation. Two appends are under way at a time, and more only split the groups.
const LANES: u16 = 2;

/// What one read asks for, about, in bytes; records have at most 256 KiB.
const READ_BYTES: usize = 4 * 1024 * 1024;
const READ_RECORDS_MIN: usize = 16;
const READ_RECORDS_MAX: usize = 4096;

/// How far a deletion's timestamp lies ahead, in microseconds: what it deletes was written by
/// Paxos, with the clocks of the cluster's nodes. Nothing is written there ever after.
const DELETION_AHEAD_US: i64 = 60_000_000;

/// Partitions that are deleted at once.
const DELETIONS: usize = 16;

/// A lane's number as CQL has it.
fn lane_number(lane: u16) -> i16 {
    i16::try_from(lane).unwrap_or(i16::MAX)
}

/// How many records of that mean size one read asks for.
fn records_a_read(bytes: usize, records: usize) -> usize {
    let mean = bytes.checked_div(records).map_or(READ_BYTES / READ_RECORDS_MIN, |mean| mean.max(1));
    (READ_BYTES / mean).clamp(READ_RECORDS_MIN, READ_RECORDS_MAX)
}

impl CqlStore {
    async fn open_incarnation(&self) -> Result<Incarnation, StoreError> {
        let incarnation = loop {
            let next: Option<(Option<i64>,)> =
                self.one(&self.statements.incarnation_next, ()).await?;
            let next = next.and_then(|(next,)| next);
            let taken = next.unwrap_or(1);
            // One that is lost with its answer is never used.
            let take = (taken.saturating_add(1), next);
            if self.repeatedly(&self.statements.incarnation_take, take).await? {
                break Incarnation(unsigned(taken));
            }
        };
        for lane in 0..LANES {
            let first = Part { number: 0, first: 0 };
            self.begin_part((incarnation, lane), first, false).await?;
        }
        let row = (number(incarnation.0), lane_number(LANES));
        // Refused where an earlier attempt has done it: nobody else has this number.
        self.repeatedly(&self.statements.incarnation_open, row).await?;
        Ok(incarnation)
    }

    /// Lanes of an incarnation, and whether it is sealed; none where it is not listed.
    async fn incarnation(
        &self,
        incarnation: Incarnation,
    ) -> Result<Option<(u16, bool)>, StoreError> {
        let row: Option<(Option<i16>, Option<bool>)> =
            self.one(&self.statements.incarnation, (number(incarnation.0),)).await?;
        Ok(row.and_then(|(lanes, sealed)| {
            Some((u16::try_from(lanes?).ok()?, sealed.unwrap_or(false)))
        }))
    }

    async fn seal_incarnation(&self, incarnation: Incarnation) -> Result<(), StoreError> {
        let _turn = self.turns.take(incarnation).await;
        let Some((lanes, false)) = self.incarnation(incarnation).await? else { return Ok(()) };
        for lane in 0..lanes {
            self.seal_lane((incarnation, lane)).await?;
        }
        // Listed as sealed only now: who sees that may read.
        let seal = &self.statements.incarnation_seal;
        self.repeatedly(seal, (number(incarnation.0),)).await.map(drop)
    }

    async fn read_lane(
        &self,
        lane: LaneId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let mut found: Vec<Record> = Vec::new();
        let Some(chain) = self.chain(lane).await? else { return Ok(found) };
        let (mut from, mut bytes) = (from.max(chain.dropped), 0);
        while let Some(part) = chain.part_of(from).filter(|_| from < chain.next) {
            let rest = limit.saturating_sub(found.len());
            let wanted = records_a_read(bytes, found.len()).min(rest);
            if wanted == 0 {
                break;
            }
            let (incarnation, lane, part) = key(lane, part.number);
            let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
            let values = (incarnation, lane, part, number(from), wanted);
            let rows: Vec<(i64, Vec<u8>)> = self.all(&self.statements.records, values).await?;
            let before = from;
            for (offset, record) in rows {
                from = unsigned(offset).saturating_add(1);
                bytes += record.len();
                found.push(Record { offset: unsigned(offset), bytes: record.into() });
            }
            if from == before {
                break; // deleted meanwhile
            }
        }
        Ok(found)
    }

    async fn drop_records(&self, lane: LaneId, before: u64) -> Result<(), StoreError> {
        let slot = self.lanes.slot(lane);
        let mut known = slot.lock().await;
        if known.chain.is_none() {
            known.chain = self.chain(lane).await?;
        }
        let Some(chain) = &mut known.chain else {
            self.lanes.forget(lane);
            return Ok(());
        };
        let dropped = before.min(chain.next);
        if dropped <= chain.dropped {
            return Ok(());
        }
        chain.dropped = dropped;
        let gone = chain.take_dropped();
        let part = chain.parts.front().map_or(0, |part| part.number);
        drop(known); // an append need not wait for the rest
        let (incarnation, number_) = (number(lane.0.0), lane_number(lane.1));
        let dropped = number(dropped);
        let values = (incarnation, number_, dropped, part, dropped);
        self.write(&self.statements.lane_drop, values).await?;
        self.delete_parts(lane, gone.into_iter().map(|part| part.number)).await
    }

    async fn delete_parts(
        &self,
        lane: LaneId,
        parts: impl Iterator<Item = i32> + Send,
    ) -> Result<(), StoreError> {
        let deletions = parts.map(|part| {
            let (incarnation, lane, part) = key(lane, part);
            let at_us = self.now_us().saturating_add(DELETION_AHEAD_US);
            self.write(&self.statements.part_drop, (at_us, incarnation, lane, part))
        });
        stream::iter(deletions).buffer_unordered(DELETIONS).try_collect().await
    }

    async fn forget_incarnation(&self, incarnation: Incarnation) -> Result<(), StoreError> {
        let _turn = self.turns.take(incarnation).await;
        // One that is not sealed may still grow: its records must stay.
        let Some((lanes, true)) = self.incarnation(incarnation).await? else { return Ok(()) };
        for lane in 0..lanes {
            let lane = (incarnation, lane);
            self.lanes.forget(lane);
            let last = self.chain(lane).await?.as_ref().and_then(Chain::last);
            // From 0: an owner may have died between naming a new beginning and deleting the old.
            self.delete_parts(lane, 0..=last.map_or(0, |part| part.number)).await?;
        }
        let id = number(incarnation.0);
        self.write(&self.statements.lanes_forget, (id,)).await?;
        self.repeatedly(&self.statements.incarnation_forget, (id,)).await.map(drop)
    }
}

impl Journal for CqlStore {
    fn lanes(&self) -> u16 {
        LANES
    }

    fn open(&self) -> BoxFuture<'_, Result<Incarnation, StoreError>> {
        self.bounded(self.open_incarnation())
    }

    fn append(&self, at: Position, record: Bytes) -> BoxFuture<'_, Result<Appended, StoreError>> {
        self.bounded(
            async move { self.append_to((at.incarnation, at.lane), at.offset, &record).await },
        )
    }

    fn seal(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(self.seal_incarnation(incarnation))
    }

    fn read(
        &self,
        incarnation: Incarnation,
        lane: u16,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, StoreError>> {
        self.bounded(self.read_lane((incarnation, lane), from, limit))
    }

    fn drop_before(
        &self,
        incarnation: Incarnation,
        lane: u16,
        offset: u64,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(self.drop_records((incarnation, lane), offset))
    }

    fn unrecovered(&self) -> BoxFuture<'_, Result<Vec<Incarnation>, StoreError>> {
        self.bounded(async move {
            let rows: Vec<(Option<i64>, Option<String>, Option<bool>)> =
                self.all(&self.statements.incarnations, ()).await?;
            let sealed = rows.into_iter().filter(|(.., sealed)| *sealed == Some(true));
            Ok(sealed.filter_map(|(id, ..)| Some(Incarnation(unsigned(id?)))).collect())
        })
    }

    fn recovered(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        self.bounded(self.forget_incarnation(incarnation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_asks_for_about_as_many_bytes_whatever_a_record_has() {
        assert_eq!(records_a_read(0, 0), READ_RECORDS_MIN, "nothing is known yet");
        assert_eq!(records_a_read(256 * 1024 * 10, 10), 16);
        assert_eq!(records_a_read(16 * 1024 * 10, 10), 256);
        assert_eq!(records_a_read(0, 10), READ_RECORDS_MAX);
    }
}
