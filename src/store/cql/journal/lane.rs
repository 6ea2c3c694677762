//! What this process knows of the lanes that it writes.

use super::{
    super::{
        ATTEMPTS_MAX, CqlStore, number,
        query::{Outcome, pause},
    },
    chain::{Chain, End, LaneId, key},
};
use bytes::Bytes;
use greenroom_actors::port::{Appended, StoreError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A lane that is written: its chain, and how full the last part is.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// None: not known, or not known any more.
    pub(super) chain: Option<Chain>,
    part: i32,
    part_bytes: usize,
}

/// A lane that callers use in turns.
type Slot = Arc<tokio::sync::Mutex<Lane>>;

/// The lanes that this process has used: those of its own incarnations, and few others.
#[derive(Debug, Default)]
pub(in super::super) struct Lanes(Mutex<BTreeMap<LaneId, Slot>>);

impl Lanes {
    pub(super) fn slot(&self, lane: LaneId) -> Slot {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(lane).or_default().clone()
    }

    /// Forgets a lane that takes no more records.
    pub(super) fn forget(&self, lane: LaneId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&lane);
    }
}

impl Lane {
    fn has_room(&self, part: i32, part_bytes_max: usize) -> bool {
        self.part != part || self.part_bytes < part_bytes_max
    }

    fn grew(&mut self, part: i32, bytes: usize) {
        if self.part != part {
            (self.part, self.part_bytes) = (part, 0);
        }
        self.part_bytes = self.part_bytes.saturating_add(bytes);
        if let Some(chain) = &mut self.chain {
            chain.next += 1;
        }
    }
}

impl CqlStore {
    /// Appends to a lane. Whenever an answer is not plainly yes, the chain is read anew by Paxos:
    /// it says what became of the attempt, and only then is it repeated.
    pub(super) async fn append_to(
        &self,
        id: LaneId,
        offset: u64,
        record: &Bytes,
    ) -> Result<Appended, StoreError> {
        let slot = self.lanes.slot(id);
        let mut lane = slot.lock().await;
        // What was known may be old: before it says no, it is read anew.
        let mut fresh = false;
        let mut reason = String::from("the lane is contended");
        for attempt in 0..ATTEMPTS_MAX {
            if lane.chain.is_none() {
                lane.chain = self.chain(id).await?;
                fresh = true;
            }
            let Some(chain) = &lane.chain else {
                self.lanes.forget(id);
                return Ok(Appended::Fenced);
            };
            match (chain.end, chain.last()) {
                (_, _) if offset < chain.next => {
                    return self.is_record(id, chain, offset, record).await;
                }
                (End::Announced(part), _) => {
                    self.begin_part(id, part, false).await?;
                    lane.chain = None;
                }
                (End::Open, Some(part)) if offset == chain.next => {
                    if !lane.has_room(part.number, self.part_bytes_max) {
                        self.close_part(id, part.number).await?;
                        lane.chain = None;
                        continue;
                    }
                    match self.try_append(id, part.number, offset, record).await? {
                        Outcome::Applied => {
                            lane.grew(part.number, record.len());
                            return Ok(Appended::Durable);
                        }
                        Outcome::Refused => {}
                        Outcome::Unknown(why) => reason = why,
                    }
                    lane.chain = None;
                    if attempt > 0 {
                        pause(attempt).await;
                    }
                }
                (_, _) if fresh => {
                    self.lanes.forget(id);
                    return Ok(Appended::Fenced);
                }
                (_, _) => lane.chain = None,
            }
        }
        Err(StoreError::Unavailable(reason))
    }

    async fn try_append(
        &self,
        lane: LaneId,
        part: i32,
        offset: u64,
        record: &Bytes,
    ) -> Result<Outcome, StoreError> {
        let (incarnation, lane, part) = key(lane, part);
        let (at, next) = (number(offset), number(offset.saturating_add(1)));
        let values = (next, record, incarnation, lane, part, at, at);
        self.conditionally(&self.statements.part_append, values).await
    }

    /// Closes a full part and names the next one. The next look at the chain tells what came of it.
    async fn close_part(&self, lane: LaneId, part: i32) -> Result<(), StoreError> {
        let (incarnation, lane, part) = key(lane, part);
        let values = (part.saturating_add(1), incarnation, lane, part);
        self.conditionally(&self.statements.part_close, values).await.map(drop)
    }

    /// Whether that record stands at an offset that is used.
    async fn is_record(
        &self,
        lane: LaneId,
        chain: &Chain,
        offset: u64,
        record: &Bytes,
    ) -> Result<Appended, StoreError> {
        let part = chain.part_of(offset).filter(|_| offset >= chain.dropped);
        let Some(part) = part else { return Ok(Appended::Fenced) };
        let (incarnation, lane, part) = key(lane, part.number);
        let values = (incarnation, lane, part, number(offset));
        let found: Option<(Vec<u8>,)> = self.one(&self.statements.record, values).await?;
        let same = found.is_some_and(|(found,)| found == record[..]);
        Ok(if same { Appended::Durable } else { Appended::Fenced })
    }
}
