//! The journal.

use super::{
    Contents, FakeStore,
    faults::{Fault, refusal},
};
use crate::port::{Appended, BoxFuture, Incarnation, Journal, Position, Record, StoreError};
use bytes::Bytes;

impl Contents {
    fn append(&mut self, at: Position, record: Bytes) -> Appended {
        let Some(life) = self.incarnations.get_mut(&at.incarnation) else {
            return Appended::Fenced;
        };
        let lane = life.lanes.entry(at.lane).or_default();
        if lane.records.get(&at.offset) == Some(&record) {
            return Appended::Durable;
        }
        if life.sealed || at.offset != lane.next {
            return Appended::Fenced;
        }
        lane.records.insert(at.offset, record);
        lane.next += 1;
        Appended::Durable
    }
}

impl Journal for FakeStore {
    fn lanes(&self) -> u16 {
        1
    }

    fn open(&self) -> BoxFuture<'_, Result<Incarnation, StoreError>> {
        Box::pin(async {
            let mut contents = self.contents()?;
            if !contents.shared {
                contents.incarnations.values_mut().for_each(|life| life.sealed = true);
            }
            let last = contents.incarnations.last_key_value().map_or(0, |(last, _)| last.0);
            let incarnation = Incarnation(last + 1);
            contents.incarnations.entry(incarnation).or_default();
            Ok(incarnation)
        })
    }

    fn append(&self, at: Position, record: Bytes) -> BoxFuture<'_, Result<Appended, StoreError>> {
        Box::pin(async move {
            self.pass_gate().await;
            match self.next_fault() {
                Some(Fault::Refused) => Err(refusal()),
                Some(Fault::ReplyLost) => {
                    self.contents()?.append(at, record);
                    Err(refusal())
                }
                None => Ok(self.contents()?.append(at, record)),
            }
        })
    }

    fn seal(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(life) = self.contents()?.incarnations.get_mut(&incarnation) {
                life.sealed = true;
            }
            Ok(())
        })
    }

    fn read(
        &self,
        incarnation: Incarnation,
        lane: u16,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let contents = self.contents()?;
            let life = contents.incarnations.get(&incarnation);
            let Some(lane) = life.and_then(|life| life.lanes.get(&lane)) else {
                return Ok(Vec::new());
            };
            let records = lane.records.range(from..).take(limit);
            Ok(records.map(|(&offset, bytes)| Record { offset, bytes: bytes.clone() }).collect())
        })
    }

    fn drop_before(
        &self,
        incarnation: Incarnation,
        lane: u16,
        offset: u64,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            let life = contents.incarnations.get_mut(&incarnation);
            if let Some(lane) = life.and_then(|life| life.lanes.get_mut(&lane)) {
                lane.records = lane.records.split_off(&offset);
            }
            Ok(())
        })
    }

    fn unrecovered(&self) -> BoxFuture<'_, Result<Vec<Incarnation>, StoreError>> {
        Box::pin(async {
            let contents = self.contents()?;
            let lives = contents.incarnations.iter();
            let wanted = lives.filter(|(_, life)| life.sealed && !life.recovered);
            Ok(wanted.map(|(&incarnation, _)| incarnation).collect())
        })
    }

    fn recovered(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut contents = self.contents()?;
            let life = contents.incarnations.get_mut(&incarnation);
            // One that is not sealed may still grow: its records must stay.
            if let Some(life) = life.filter(|life| life.sealed) {
                life.recovered = true;
                life.lanes.values_mut().for_each(|lane| lane.records.clear());
            }
            Ok(())
        })
    }
}
