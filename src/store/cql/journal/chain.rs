//! The parts of a lane: a chain of partitions, of which the last one takes records.

use super::super::{ATTEMPTS_MAX, CqlStore, number, query::pause, unsigned};
use greenroom_actors::port::{Incarnation, StoreError};
use std::collections::VecDeque;

/// A lane of an incarnation.
pub(super) type LaneId = (Incarnation, u16);

/// One part of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its number in the lane: 0, 1, 2, …
    pub(super) number: i32,
    /// Offset of its first record.
    pub(super) first: u64,
}

/// How a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its last part takes records.
    Open,
    /// Its last part is sealed for good.
    Sealed,
    /// Its last part is full and names this one, which nobody has begun yet.
    Announced(Part),
}

/// A lane as it was read by Paxos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// Its parts that are not deleted, oldest first; never empty.
    pub(super) parts: VecDeque<Part>,
    /// Offset of the next record.
    pub(super) next: u64,
    /// Records before this offset are gone for whoever reads.
    pub(super) dropped: u64,
    pub(super) end: End,
}

impl Chain {
    /// The part that holds an offset.
    pub(super) fn part_of(&self, offset: u64) -> Option<Part> {
        self.parts.iter().rev().find(|part| part.first <= offset).copied()
    }

    /// The part that takes records, or was the last to do so.
    pub(super) fn last(&self) -> Option<Part> {
        self.parts.back().copied()
    }

    /// Forgets the parts all of whose records are dropped; says which.
    pub(super) fn take_dropped(&mut self) -> Vec<Part> {
        let mut taken = Vec::new();
        while self.parts.get(1).is_some_and(|next| next.first <= self.dropped) {
            taken.extend(self.parts.pop_front());
        }
        taken
    }
}

/// What a part says of itself: first, next, sealed, number of the next one.
type Head = (Option<i64>, Option<i64>, Option<bool>, Option<i32>);

/// The key of a part.
pub(super) fn key((incarnation, lane): LaneId, part: i32) -> (i64, i16, i32) {
    (number(incarnation.0), super::lane_number(lane), part)
}

impl CqlStore {
    /// Reads a lane from its first part to its end, which settles what is under way in each; none
    /// where there is no such lane.
    pub(super) async fn chain(&self, lane: LaneId) -> Result<Option<Chain>, StoreError> {
        let hint = (number(lane.0.0), super::lane_number(lane.1));
        let hint: Option<(Option<i64>, Option<i32>)> =
            self.one(&self.statements.lane, hint).await?;
        let (dropped, mut part) = begin(hint);
        let (mut parts, mut next) = (VecDeque::new(), 0);
        loop {
            let head: Option<Head> = self.one(&self.statements.part, key(lane, part)).await?;
            let Some((Some(first), Some(end), sealed, next_part)) = head else {
                // The first part is missing where there is no lane; a later one was announced.
                let announced = Part { number: part, first: next };
                let end = End::Announced(announced);
                return Ok((!parts.is_empty()).then_some(Chain { parts, next, dropped, end }));
            };
            parts.push_back(Part { number: part, first: unsigned(first) });
            next = unsigned(end);
            let Some(following) = next_part else {
                let end = if sealed == Some(true) { End::Sealed } else { End::Open };
                return Ok(Some(Chain { parts, next, dropped, end }));
            };
            part = following;
        }
    }

    /// Begins a part, open or sealed, unless somebody did.
    pub(super) async fn begin_part(
        &self,
        (incarnation, lane): LaneId,
        part: Part,
        sealed: bool,
    ) -> Result<(), StoreError> {
        let (incarnation, lane, number_) = key((incarnation, lane), part.number);
        let first = number(part.first);
        let values = (first, first, sealed, incarnation, lane, number_);
        self.repeatedly(&self.statements.part_begin, values).await.map(drop)
    }

    /// Seals a lane for good: follows the chain until its end is sealed, whatever the owner does
    /// meanwhile.
    pub(super) async fn seal_lane(&self, lane: LaneId) -> Result<(), StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            let Some(chain) = self.chain(lane).await? else { return Ok(()) };
            match (chain.end, chain.last()) {
                (End::Sealed, _) | (_, None) => return Ok(()),
                (End::Announced(part), _) => self.begin_part(lane, part, true).await?,
                (End::Open, Some(last)) => {
                    let seal = &self.statements.part_seal;
                    // Whatever comes of it, the next look tells.
                    let _ = self.conditionally(seal, key(lane, last.number)).await?;
                }
            }
            if attempt > 0 {
                pause(attempt).await;
            }
        }
        Err(StoreError::Unavailable("the journal could not be sealed; seal it again".to_owned()))
    }
}

/// From where on a lane is there: the first offset, and the part.
fn begin(row: Option<(Option<i64>, Option<i32>)>) -> (u64, i32) {
    let (dropped, part) = row.unwrap_or_default();
    (dropped.map_or(0, unsigned), part.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(firsts: &[u64], dropped: u64) -> Chain {
        let parts = (0..).zip(firsts).map(|(number, &first)| Part { number, first }).collect();
        Chain { parts, next: 40, dropped, end: End::Open }
    }

    #[test]
    fn a_record_is_in_the_last_part_that_begins_before_it() {
        let chain = chain(&[0, 10, 20], 0);
        let part = |offset| chain.part_of(offset).map(|part| part.number);
        assert_eq!([0, 9, 10, 20, 39].map(part), [0, 0, 1, 2, 2].map(Some));
    }

    #[test]
    fn a_part_goes_once_the_next_one_begins_with_what_is_kept() {
        let taken = |dropped| {
            let mut chain = chain(&[0, 10, 20], dropped);
            let taken: Vec<_> = chain.take_dropped().iter().map(|part| part.number).collect();
            assert_eq!(chain.parts.len() + taken.len(), 3);
            taken
        };
        assert_eq!(taken(9), [0; 0]);
        assert_eq!(taken(10), [0]);
        assert_eq!(taken(20), [0, 1]);
        assert_eq!(taken(40), [0, 1], "the last one takes records");
    }
}
