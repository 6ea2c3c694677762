//! Waking: one snapshot and a bounded tail.

use super::{
    core::Core,
    feed::{Feed, View},
    log::Log,
    past, snapshot,
    state::State,
};
use crate::{
    cluster::Owner,
    journal::record::decode_segment,
    node::Node,
    plant::{self, Plant},
    port::{Claim, Projection, SessionRow, Store, StoreError},
};
use bytes::Bytes;
use greenroom_protocol::{
    frame::{Entry, Status},
    id::{Epoch, Seq, SessionId},
};
use std::sync::{Arc, OnceLock};

/// Bytes of segments read at a time.
const READ_BYTES: usize = 256 * 1024;

/// Tries of a claim while others claim and release.
const CLAIM_TRIES: usize = 4;

/// Why a session cannot be woken.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// There is none of this id.
    #[error("no such session")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal does not answer.
    #[error("the journal does not answer")]
    Journal,
    /// Another node owns it.
    #[error("incarnation {} owns the session", .0.incarnation)]
    Taken(Owner),
}

fn corrupt(session: SessionId, what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} of {session}"))
}

/// A session as its snapshot and its segments have it.
struct Stored {
    core: Core,
    head: Seq,
    snapshot_seq: Seq,
}

async fn read(store: &dyn Store, session: SessionId) -> Result<Stored, StoreError> {
    let (mut core, snapshot_seq) = match store.snapshot(session).await? {
        Some(found) => {
            let core = snapshot::decode(&found.bytes)
                .map_err(|error| corrupt(session, &error.to_string()))?;
            (core, found.seq)
        }
        None => (Core::default(), Seq::START),
    };
    let mut head = snapshot_seq;
    loop {
        let segments = store.segments(session, head.next(), READ_BYTES).await?;
        if segments.is_empty() {
            return Ok(Stored { core, head, snapshot_seq });
        }
        for segment in segments {
            let entries =
                decode_segment(segment.bytes).map_err(|_| corrupt(session, "a segment"))?;
            apply(&mut core, &mut head, segment.first, &entries)
                .ok_or_else(|| corrupt(session, "an entry"))?;
        }
    }
}

/// What a session is at whose entries are all in segments, and whether it has runs to go on with.
///
/// # Errors
/// As the store fails; [`StoreError::Corrupt`] where what it holds is no session.
pub(crate) async fn stored(
    store: &dyn Store,
    session: SessionId,
) -> Result<(Projection, bool), StoreError> {
    let Stored { core, head, .. } = read(store, session).await?;
    let projection = Projection { seq: head, status: core.status(), commit: core.commit };
    Ok((projection, !core.runs.is_empty()))
}

/// Claims a session and reads it.
pub(super) async fn load<R>(
    node: &Node,
    session: SessionId,
    feed: &OnceLock<Arc<Feed>>,
) -> Result<(State<R>, Arc<Feed>), LoadError> {
    let mut row = node.store.session(session).await?.ok_or(LoadError::NotFound)?;
    if plant::is(Plant::EpochRaisedAtRestart) {
        row.epoch = Epoch(row.epoch.0 + node.journal.incarnation().0.saturating_sub(1));
    }
    claim(node, &mut row).await?;
    // After a panic the lane may still hold what the last actor sent.
    let tail = node.journal.tail(session).await.map_err(|_| LoadError::Journal)?;
    let Stored { mut core, mut head, snapshot_seq } = read(&*node.store, session).await?;
    apply(&mut core, &mut head, tail.first, &tail.entries)
        .ok_or_else(|| corrupt(session, "an entry"))?;
    if head == Seq::START {
        core.unread = row.origin.as_ref().map(|origin| origin.turns.to_string());
    }
    if let Some(blob) = core.unread.take() {
        core.put_before(past::read_turns(&*node.store, row.project(), &blob).await?);
    }
    let feed = feed.get_or_init(|| {
        let view = View::idle(head, Status::Idle);
        Arc::new(Feed::new(session, row.user, row.epoch, view))
    });
    let log = Log::new(head, tail.entries.clone(), node.clock.now_ms());
    let state = State::new(row, core, snapshot_seq, log);
    feed.load(state.view(), tail.first, &tail.entries);
    Ok((state, feed.clone()))
}

/// Applies the entries that follow `head`. `None` where one cannot be read or is missing.
fn apply(core: &mut Core, head: &mut Seq, first: Seq, entries: &[Bytes]) -> Option<()> {
    let mut seq = first;
    for rest in entries {
        if seq == head.next() {
            let entry = Entry::from_rest(std::str::from_utf8(rest).ok()?).ok()?;
            core.apply(seq, entry.ts, &entry.event);
            *head = seq;
        } else if seq > *head {
            return None;
        }
        seq = seq.next();
    }
    Some(())
}

/// Makes the session this node's, unless it is that of another one that lives.
async fn claim(node: &Node, row: &mut SessionRow) -> Result<(), LoadError> {
    let me = node.journal.incarnation();
    for _ in 0..CLAIM_TRIES {
        if row.owner == Some(me) {
            return Ok(());
        }
        if let Some(owner) = row.owner
            && let Some(owner) = Owner::find(&*node.store, owner).await?
        {
            return Err(LoadError::Taken(owner));
        }
        match node.store.claim(row.session, row.owner, me).await? {
            Claim::Claimed => row.owner = Some(me),
            Claim::Taken(other) => row.owner = other, // whoever was faster
            Claim::NotFound => return Err(LoadError::NotFound),
        }
    }
    let error = StoreError::Unavailable("its owner keeps changing".to_owned());
    if row.owner == Some(me) { Ok(()) } else { Err(LoadError::Store(error)) }
}
