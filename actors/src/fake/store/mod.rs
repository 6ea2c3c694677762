//! A store in memory with switches for its faults.

mod documents;
mod faults;
mod journal;
mod ledger;
mod nodes;
mod objects;
mod segments;
mod sessions;
mod view;

use crate::port::{Document, Incarnation, Object, Oid, Segment, SessionRow, Snapshot, StoreError};
use bytes::Bytes;
use faults::{Fault, Gate};
use greenroom_protocol::id::{Seq, SessionId, UserId};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

pub use view::FakeView;

/// A store in memory. Clones share their contents: a clone given to a new engine is that engine's
/// restart on the same store.
#[derive(Clone, Debug, Default)]
pub struct FakeStore {
    contents: Arc<Mutex<Contents>>,
    gate: Arc<watch::Sender<Gate>>,
}

#[derive(Debug, Default)]
struct Contents {
    /// Whether several nodes may use it at once.
    shared: bool,
    down: bool,
    read_delay: Duration,
    faults: VecDeque<Fault>,
    ledger_faults: VecDeque<Fault>,
    incarnations: BTreeMap<Incarnation, Life>,
    segments: BTreeMap<SessionId, BTreeMap<(Seq, Seq), Segment>>,
    snapshots: BTreeMap<SessionId, Snapshot>,
    objects: BTreeMap<(SessionId, Oid), Object>,
    sessions: BTreeMap<SessionId, SessionRow>,
    documents: BTreeMap<(&'static str, String), Document>,
    ledgers: BTreeMap<UserId, ledger::Book>,
}

/// One incarnation's journal.
#[derive(Debug, Default)]
struct Life {
    sealed: bool,
    recovered: bool,
    address: Option<String>,
    beat: u64,
    lanes: BTreeMap<u16, Lane>,
}

/// One lane: `next` outlives the records before it, which may be dropped.
#[derive(Debug, Default)]
struct Lane {
    next: u64,
    records: BTreeMap<u64, Bytes>,
}

impl FakeStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that several nodes may use at once.
    #[must_use]
    pub fn shared() -> Self {
        let store = Self::default();
        store.lock().shared = true;
        store
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contents, unless the store is down.
    fn contents(&self) -> Result<MutexGuard<'_, Contents>, StoreError> {
        let contents = self.lock();
        if contents.down {
            return Err(StoreError::Unavailable("switched off by the test".into()));
        }
        Ok(contents)
    }
}
