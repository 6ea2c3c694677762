//! Recovery of dead incarnations: their journals' entries go into segments, and their runs to
//! whoever recovers.

use super::record::{Group, decode_record, encode_segment};
use crate::{
    plant::{self, Plant},
    port::{Claim, Incarnation, Segment, Store, StoreError},
    session,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use greenroom_protocol::{
    frame::Status,
    id::{Seq, SessionId},
};
use std::collections::{BTreeMap, BTreeSet};

/// Records read at a time.
const RECORDS_A_READ: usize = 256;

/// Sessions listed at a time.
const SESSIONS_A_PAGE: u32 = 500;

/// Sessions that are looked at and claimed at a time.
const CLAIMS_AT_ONCE: usize = 16;

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

/// Recovers every incarnation that is sealed and not recovered.
///
/// Returns the sessions that are `me`'s from now on, each with a run to go on with.
pub(crate) async fn recover_all(
    store: &dyn Store,
    me: Incarnation,
) -> Result<Vec<SessionId>, RecoveryError> {
    let mut claimed = Vec::new();
    for dead in store.unrecovered().await? {
        recover(store, dead, me, &mut claimed).await?;
    }
    Ok(claimed)
}

/// Seals an incarnation, copies its journal into segments, claims its sessions with a run in flight
/// for `me`, and marks it recovered: from then on anybody may claim the others. Idempotent, and safe
/// when several do it at once.
///
/// What it claimed is in `claimed` also where it fails. Were this node killed before it has woken
/// them, the next one would find them as `me`'s: their rows say that they are busy.
pub(crate) async fn recover(
    store: &dyn Store,
    dead: Incarnation,
    me: Incarnation,
    claimed: &mut Vec<SessionId>,
) -> Result<(), RecoveryError> {
    if !plant::is(Plant::NotSealed) {
        store.seal(dead).await?;
    }
    let (mut records, mut in_tail) = (0, BTreeSet::new());
    for lane in 0..store.lanes().max(1) {
        if !plant::is(Plant::TailDropped) {
            records += recover_lane(store, (dead, lane), &mut in_tail).await?;
        }
    }
    let before = claimed.len();
    if !plant::is(Plant::RunsLeft) {
        claim_unfinished(store, (dead, me), in_tail, claimed).await?;
    }
    store.recovered(dead).await?;
    let runs = claimed.len() - before;
    tracing::info!(incarnation = %dead, records, runs, "a journal was recovered");
    Ok(())
}

/// Copies a lane's records into segments. Answers how many there were, and whose entries they hold
/// in `in_tail`. Bound: the sessions that were live.
async fn recover_lane(
    store: &dyn Store,
    (incarnation, lane): (Incarnation, u16),
    in_tail: &mut BTreeSet<SessionId>,
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
            in_tail.insert(group.session);
        }
    }
}

async fn put(store: &dyn Store, group: &Group) -> Result<(), StoreError> {
    let mut first = group.first;
    for entries in group.entries.chunks(session::SEGMENT_ENTRIES_MAX) {
        let last = Seq((first.0 + entries.len() as u64).saturating_sub(1));
        let segment = Segment { first, last, bytes: encode_segment(entries) };
        store.put_segment(group.session, Some(segment), None).await?;
        first = last.next();
    }
    Ok(())
}

/// Claims the sessions that the dead incarnation owned and that have a run to go on with.
async fn claim_unfinished(
    store: &dyn Store,
    (dead, me): (Incarnation, Incarnation),
    in_tail: BTreeSet<SessionId>,
    claimed: &mut Vec<SessionId>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = store.owned_by(dead, after, SESSIONS_A_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        let claims = stream::iter(page)
            .map(|session| claim_if_busy(store, session, (dead, me), in_tail.contains(&session)));
        let mut claims = claims.buffer_unordered(CLAIMS_AT_ONCE);
        while let Some(session) = claims.try_next().await? {
            claimed.extend(session);
        }
    }
}

/// Claims a session, if it has a run to go on with. Its row says so as of what is no longer in a
/// journal; what still was in one is seen in its log, and goes into the row first.
async fn claim_if_busy(
    store: &dyn Store,
    session: SessionId,
    (dead, me): (Incarnation, Incarnation),
    is_in_tail: bool,
) -> Result<Option<SessionId>, StoreError> {
    let Some(row) = store.session(session).await? else { return Ok(None) };
    let rests = matches!(row.projection.status, Status::Idle | Status::Waiting);
    if row.owner != Some(dead) || (rests && !is_in_tail) {
        return Ok(None);
    }
    let (projection, is_busy) = session::stored(store, session).await?;
    if projection != row.projection && projection.seq >= row.projection.seq {
        store.project(session, projection).await?;
    }
    if !is_busy {
        return Ok(None);
    }
    let claim = store.claim(session, Some(dead), me).await?;
    Ok((claim == Claim::Claimed).then_some(session))
}
