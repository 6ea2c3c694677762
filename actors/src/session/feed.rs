//! What a session shows its attachments: the ring, the head, and a bell for each watcher.
//!
//! A feed outlives its session's actor: while a session is hibernated, its feed is a row with the
//! head and the watchers, and nothing more.

use super::ring::Ring;
use crate::{connection::Bell, sync::lock};
use bytes::Bytes;
use greenroom_protocol::{
    error::ErrorBody,
    frame::{OpenRun, Status},
    id::{Channel, Epoch, Seq, SessionId, UserId},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// What a session is at, as of its last durable entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Last durable entry.
    pub(crate) head: Seq,
    /// What it does.
    pub(crate) status: Status,
    /// The run that it is at.
    pub(crate) run: Option<OpenRun>,
    /// First entry of the part that is open.
    pub(crate) open_from: Option<Seq>,
    /// Number of the request for input that is open.
    pub(crate) request: Option<u32>,
}

impl View {
    /// A hibernated session.
    pub(crate) const fn idle(head: Seq, status: Status) -> Self {
        Self { head, status, run: None, open_from: None, request: None }
    }
}

/// One session's feed.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) epoch: Epoch,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    view: View,
    /// Whether the head was read, or set by the session's actor, since this feed can be found.
    is_known: bool,
    ring: Ring,
    watchers: Vec<Arc<Watch>>,
}

/// One attachment's interest in a feed.
#[derive(Debug)]
pub(crate) struct Watch {
    ch: Channel,
    bell: Arc<Bell>,
    rung: AtomicBool,
    alert: Mutex<Option<ErrorBody>>,
}

/// What a reader finds after its cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// These entries, at least one.
    Entries(Vec<(Seq, Bytes)>),
    /// Nothing yet: the bell will ring.
    UpToDate,
    /// Entries that only segments hold.
    Segments,
}

impl Feed {
    /// The feed of a session that is not live.
    pub(crate) fn new(session: SessionId, user: UserId, epoch: Epoch, view: View) -> Self {
        let ring = Ring::after(view.head);
        let inner = Inner { view, is_known: false, ring, watchers: Vec::new() };
        Self { session, user, epoch, inner: Mutex::new(inner) }
    }

    /// Whether the head is the log's: a feed may be found before it was read.
    pub(crate) fn is_known(&self) -> bool {
        lock(&self.inner).is_known
    }

    /// What the session is at.
    pub(crate) fn view(&self) -> View {
        lock(&self.inner).view
    }

    /// The entries after `after`, up to a number and a size.
    pub(crate) fn read(&self, after: Seq, entries_max: usize, bytes_max: usize) -> Read {
        let inner = lock(&self.inner);
        if after >= inner.view.head {
            return Read::UpToDate;
        }
        match inner.ring.read(after, entries_max, bytes_max) {
            Some(entries) if !entries.is_empty() => Read::Entries(entries),
            Some(_) | None => Read::Segments,
        }
    }

    /// The head, and the bytes that the ring holds after an entry.
    pub(crate) fn ahead_of(&self, after: Seq) -> (Seq, u64) {
        let inner = lock(&self.inner);
        (inner.view.head, inner.ring.bytes_after(after))
    }

    /// A session's actor begins: `tail` are its entries that are in no segment.
    pub(crate) fn load(&self, view: View, tail_first: Seq, tail: &[Bytes]) {
        let mut inner = lock(&self.inner);
        inner.ring = Ring::after(if tail.is_empty() { view.head } else { tail_first.prev() });
        inner.ring.push(tail);
        inner.view = view;
        inner.is_known = true;
        inner.ring_bells();
    }

    /// Entries became durable: readers may have them.
    pub(crate) fn publish(&self, entries: &[Bytes], view: View) {
        let mut inner = lock(&self.inner);
        inner.ring.push(entries);
        inner.view = view;
        inner.ring_bells();
    }

    /// The head of the segments, read while this feed can be found: whoever wakes the session from
    /// now on publishes here, so that nothing is missed.
    pub(crate) fn found(&self, head: Seq, status: Status) {
        let mut inner = lock(&self.inner);
        inner.is_known = true;
        if head > inner.view.head {
            inner.view = View::idle(head, status);
            inner.ring = Ring::after(head);
            inner.ring_bells();
        }
    }

    /// Entries up to `last` are in segments.
    pub(crate) fn segmented(&self, last: Seq) {
        lock(&self.inner).ring.segmented(last);
    }

    /// The session hibernates: everything is in segments.
    pub(crate) fn sleep(&self) {
        lock(&self.inner).ring.clear_segmented();
    }

    /// Sends every attachment an unnumbered error.
    pub(crate) fn alert(&self, error: &ErrorBody) {
        for watch in &lock(&self.inner).watchers {
            *lock(&watch.alert) = Some(error.clone());
            watch.ring();
        }
    }

    /// Adds a watcher; its bell rings when entries come.
    pub(crate) fn watch(&self, ch: Channel, bell: Arc<Bell>) -> Arc<Watch> {
        let watch = Watch { ch, bell, rung: AtomicBool::new(false), alert: Mutex::new(None) };
        let watch = Arc::new(watch);
        lock(&self.inner).watchers.push(watch.clone());
        watch
    }

    /// How many watch.
    pub(crate) fn watchers(&self) -> usize {
        lock(&self.inner).watchers.len()
    }

    /// Removes a watcher.
    pub(crate) fn unwatch(&self, watch: &Arc<Watch>) {
        let mut inner = lock(&self.inner);
        inner.watchers.retain(|other| !Arc::ptr_eq(other, watch));
        inner.watchers.shrink_to_fit();
    }
}

impl Inner {
    fn ring_bells(&self) {
        self.watchers.iter().for_each(|watch| watch.ring());
    }
}

impl Watch {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bell.ring(self.ch);
        }
    }

    /// Called before reading, so that what comes afterwards rings again.
    pub(crate) fn answer(&self) -> Option<ErrorBody> {
        self.rung.store(false, Ordering::Release);
        lock(&self.alert).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn feed() -> Feed {
        let (session, user) = (SessionId::new(Uuid::nil()), UserId::new(Uuid::nil()));
        Feed::new(session, user, Epoch(1), View::idle(Seq::START, Status::Idle))
    }

    #[test]
    fn a_feed_that_can_be_found_is_not_known_before_its_head_was_read() {
        let feed = feed();
        assert!(!feed.is_known(), "a cursor would seem to lie ahead");
        feed.found(Seq(9), Status::Idle);
        assert!(feed.is_known());
        assert_eq!(feed.view().head, Seq(9));
        feed.found(Seq(5), Status::Idle);
        assert_eq!(feed.view().head, Seq(9), "an older reading changes nothing");
    }

    #[test]
    fn a_bell_rings_once_until_it_is_answered() {
        let (feed, bell) = (feed(), Arc::new(Bell::default()));
        let watch = feed.watch(Channel(1), bell.clone());
        let view = |head| View::idle(Seq(head), Status::Running);
        feed.publish(&[Bytes::from_static(b"1")], view(1));
        feed.publish(&[Bytes::from_static(b"2")], view(2));
        assert_eq!(bell.take().channels, [Channel(1)]);
        assert_eq!(watch.answer(), None);
        feed.publish(&[Bytes::from_static(b"3")], view(3));
        assert_eq!(bell.take().channels, [Channel(1)]);
        feed.unwatch(&watch);
        feed.alert(&ErrorBody::internal());
        assert!(bell.take().channels.is_empty());
    }
}
