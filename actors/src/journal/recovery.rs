//! Recovery of dead incarnations: their journals' entries go into segments, then they are done.

use super::record::{Group, decode_record, encode_segment};
use crate::port::{Claim, Incarnation, Segment, Store, StoreError};
use greenroom_protocol::id::{Seq, SessionId};
use std::collections::BTreeMap;

/// Records read at a time.
const RECORDS_A_READ: usize = 256;

/// Sessions listed at a time.
const SESSIONS_A_PAGE: u32 = 500;

/// Why a journal could not be recovered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoveryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record cannot be read.
    #[error("record {offset} of lane {lane} of incarnation {incarnation} cannot be read")]
    Record { incarnation: Incarnation, lane: u16, offset: u64 },
}

/// Copies every unrecovered journal into segments. Idempotent: a crash within it does no harm.
///
/// Returns the sessions that the dead incarnations owned; each may have a run to go on with. They
/// are `me`'s from now on: were this node killed before it has woken them, the next one would find
/// them as `me`'s.
pub(crate) async fn recover(
    store: &dyn Store,
    me: Incarnation,
) -> Result<Vec<SessionId>, RecoveryError> {
    let mut owned = Vec::new();
    for incarnation in store.unrecovered().await? {
        let mut records = 0;
        for lane in 0..store.lanes().max(1) {
            records += recover_lane(store, incarnation, lane).await?;
        }
        claim_owned(store, incarnation, me, &mut owned).await?;
        store.recovered(incarnation).await?;
        tracing::info!(%incarnation, records, "a journal was recovered");
    }
    Ok(owned)
}

async fn recover_lane(
    store: &dyn Store,
    incarnation: Incarnation,
    lane: u16,
) -> Result<usize, RecoveryError> {
    let (mut from, mut count) = (0, 0);
    loop {
        let records = store.read(incarnation, lane, from, RECORDS_A_READ).await?;
        let Some(last) = records.last() else { return Ok(count) };
        from = last.offset + 1;
        count += records.len();
        let mut sessions: BTreeMap<SessionId, Group> = BTreeMap::new();
        for record in records {
            let offset = record.offset;
            let groups = decode_record(record.bytes).map_err(|_| RecoveryError::Record {
                incarnation,
                lane,
                offset,
            })?;
            for group in groups {
                match sessions.get_mut(&group.session) {
                    Some(earlier) => earlier.entries.extend(group.entries),
                    None => drop(sessions.insert(group.session, group)),
                }
            }
        }
        for group in sessions.into_values() {
            put(store, &group).await?;
        }
    }
}

async fn put(store: &dyn Store, group: &Group) -> Result<(), StoreError> {
    let mut first = group.first;
    for entries in group.entries.chunks(crate::session::SEGMENT_ENTRIES_MAX) {
        let last = Seq((first.0 + entries.len() as u64).saturating_sub(1));
        let segment = Segment { first, last, bytes: encode_segment(entries) };
        store.put_segment(group.session, Some(segment), None).await?;
        first = last.next();
    }
    Ok(())
}

async fn claim_owned(
    store: &dyn Store,
    incarnation: Incarnation,
    me: Incarnation,
    owned: &mut Vec<SessionId>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = store.owned_by(incarnation, after, SESSIONS_A_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        for session in page {
            if store.claim(session, Some(incarnation), me).await? == Claim::Claimed {
                owned.push(session);
            }
        }
    }
}
