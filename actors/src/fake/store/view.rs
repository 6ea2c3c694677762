//! One node's view of a store that several share.

use super::FakeStore;
use crate::port::{
    Appended, BoxFuture, Claim, Created, Document, Documents, Incarnation, Journal, Ledger,
    LedgerChange, LedgerHead, LedgerRow, NodeRow, Nodes, Object, Objects, Oid, Page, Position,
    Posted, Projection, Put, Record, Segment, Segments, SessionRow, Sessions, Snapshot, StoreError,
};
use bytes::Bytes;
use greenroom_protocol::id::{Seq, SessionId, UserId};
use std::sync::Arc;
use tokio::sync::watch;

/// A store as one of its nodes reaches it: while that one is paused, nothing that it asks for goes
/// out and nothing that it was answered comes in, as with a process that is stopped.
#[derive(Clone, Debug)]
pub struct FakeView {
    store: Arc<FakeStore>,
    paused: Arc<watch::Sender<bool>>,
}

impl FakeView {
    /// A view that is not paused.
    #[must_use]
    pub fn new(store: Arc<FakeStore>) -> Self {
        Self { store, paused: Arc::new(watch::Sender::new(false)) }
    }

    /// Pauses the node, or lets it go on.
    pub fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Waits while the node is paused, then asks; waits again where it was paused meanwhile.
    fn pass<'a, T: Send + 'a>(&'a self, call: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        Box::pin(async move {
            let mut paused = self.paused.subscribe();
            // The sender lives as long as `self`.
            let _ = paused.wait_for(|paused| !paused).await;
            let answer = call.await;
            let _ = paused.wait_for(|paused| !paused).await;
            answer
        })
    }
}

/// Implements a port by passing each call on.
macro_rules! pass {
    ($port:ident { $(fn $call:ident($($name:ident: $kind:ty),*) -> $answer:ty;)+ } $($rest:tt)*) => {
        impl $port for FakeView {
            $(fn $call(&self, $($name: $kind),*) -> BoxFuture<'_, Result<$answer, StoreError>> {
                self.pass(self.store.$call($($name),*))
            })+
            $($rest)*
        }
    };
}

pass! {
    Journal {
        fn open() -> Incarnation;
        fn append(at: Position, record: Bytes) -> Appended;
        fn seal(incarnation: Incarnation) -> ();
        fn read(incarnation: Incarnation, lane: u16, from: u64, limit: usize) -> Vec<Record>;
        fn drop_before(incarnation: Incarnation, lane: u16, offset: u64) -> ();
        fn unrecovered() -> Vec<Incarnation>;
        fn recovered(incarnation: Incarnation) -> ();
    }
    fn lanes(&self) -> u16 {
        self.store.lanes()
    }
}

pass! {
    Nodes {
        fn join(incarnation: Incarnation, address: String) -> ();
        fn beat(incarnation: Incarnation, beat: u64) -> ();
        fn nodes() -> Vec<NodeRow>;
    }
    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }
}

pass! {
    Segments {
        fn put_segment(
            session: SessionId, segment: Option<Segment>, snapshot: Option<Snapshot>
        ) -> ();
        fn segments(session: SessionId, from: Seq, bytes_max: usize) -> Vec<Segment>;
        fn segment_head(session: SessionId) -> Seq;
        fn snapshot(session: SessionId) -> Option<Snapshot>;
    }
}

pass! {
    Objects {
        fn put_objects(project: SessionId, objects: Vec<Object>) -> ();
        fn object(project: SessionId, oid: Oid) -> Option<Object>;
    }
}

pass! {
    Sessions {
        fn create_session(row: SessionRow) -> Created;
        fn session(session: SessionId) -> Option<SessionRow>;
        fn sessions_of(user: UserId, after: Option<(u64, SessionId)>, limit: u32) -> Page;
        fn claim(session: SessionId, from: Option<Incarnation>, to: Incarnation) -> Claim;
        fn release(session: SessionId, owner: Incarnation) -> ();
        fn project(session: SessionId, projection: Projection) -> ();
        fn owned_by(owner: Incarnation, after: Option<SessionId>, limit: u32) -> Vec<SessionId>;
    }
}

pass! {
    Documents {
        fn document(kind: &'static str, key: &str) -> Option<Document>;
        fn documents_of(kind: &'static str, after: &str, limit: u32) -> Vec<(String, Document)>;
        fn put_document(kind: &'static str, key: &str, if_version: u64, bytes: Bytes) -> Put;
        fn remove_document(kind: &'static str, key: &str, if_version: u64) -> Put;
    }
}

pass! {
    Ledger {
        fn ledger_head(user: UserId) -> Option<LedgerHead>;
        fn append_ledger(user: UserId, if_version: u64, change: LedgerChange) -> Posted;
        fn ledger_row(user: UserId, id: &str) -> Option<LedgerRow>;
        fn ledger_rows(user: UserId, before: Option<u64>, limit: u32) -> Vec<LedgerRow>;
        fn ledgers_due(at_ms: u64, limit: u32) -> Vec<UserId>;
    }
}
