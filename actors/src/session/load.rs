//! Waking: one snapshot and a bounded tail.

use super::{
    core::Core,
    feed::{Feed, View},
    log::Log,
    past, snapshot,
    state::State,
};
use crate::{
    journal::record::decode_segment,
    node::Node,
    plant::{self, Plant},
    port::{Claim, SessionRow, StoreError},
};
use bytes::Bytes;
use greenroom_protocol::{
    frame::{Entry, Status},
    id::{Epoch, Seq, SessionId},
};
use std::sync::{Arc, OnceLock};

/// Bytes of segments read at a time.
const READ_BYTES: usize = 256 * 1024;

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
    #[error("another node owns the session")]
    Taken,
}

fn corrupt(session: SessionId, what: &str) -> LoadError {
    LoadError::Store(StoreError::Corrupt(format!("{what} of {session}")))
}

/// Reads a session and claims it.
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
    let (mut core, snapshot_seq) = match node.store.snapshot(session).await? {
        Some(found) => {
            let core = snapshot::decode(&found.bytes)
                .map_err(|error| corrupt(session, &error.to_string()))?;
            (core, found.seq)
        }
        None => (Core::default(), Seq::START),
    };
    let mut head = snapshot_seq;
    loop {
        let segments = node.store.segments(session, head.next(), READ_BYTES).await?;
        if segments.is_empty() {
            break;
        }
        for segment in segments {
            let entries =
                decode_segment(segment.bytes).map_err(|_| corrupt(session, "a segment"))?;
            apply(&mut core, &mut head, segment.first, &entries)
                .ok_or_else(|| corrupt(session, "an entry"))?;
        }
    }
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

async fn claim(node: &Node, row: &mut SessionRow) -> Result<(), LoadError> {
    let me = node.journal.incarnation();
    if row.owner == Some(me) {
        return Ok(());
    }
    match node.store.claim(row.session, row.owner, me).await? {
        Claim::Claimed => {
            row.owner = Some(me);
            Ok(())
        }
        Claim::Taken(owner) if owner == Some(me) => Ok(()),
        Claim::Taken(_) => Err(LoadError::Taken),
        Claim::NotFound => Err(LoadError::NotFound),
    }
}
