//! How an attachment begins.

use super::{attachment::Attachment, bell::Bell, serve::Edge};
use crate::{
    cluster::{Home, Owner},
    plant::{self, Plant},
    port::StoreError,
    session::feed::{Feed, View},
    sessions::{Lease, elsewhere},
};
use greenroom_protocol::{
    error::{ErrorBody, Reason},
    frame::{After, Attach, Attached, Mode, Reset, ServerFrame},
    id::{Cursor, Epoch, Seq, SessionId, UserId},
};
use std::sync::Arc;

/// Where an attachment begins, and why there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// After this entry.
    At(Seq, Mode),
    /// After this entry, since the place that was asked for does not exist.
    Reset(Seq, Reason),
}

/// Decides where an attachment begins.
pub(crate) fn begin(after: After, epoch: Epoch, view: &View) -> Begin {
    let head = view.head;
    let open = view.open_from.map_or(head, |from| from.prev().min(head));
    match after {
        After::Start => Begin::At(Seq::START, Mode::Resumed),
        After::Live => Begin::At(head, Mode::Live),
        After::Open => Begin::At(open, Mode::Snapshot),
        After::Tail(n) => Begin::At(Seq(head.0.saturating_sub(u64::from(n))), Mode::Resumed),
        After::Cursor(Cursor { epoch: asked, .. }) if asked != epoch => {
            Begin::Reset(open, Reason::EpochChanged)
        }
        After::Cursor(Cursor { seq, .. }) if seq > head => Begin::Reset(open, Reason::SeqAhead),
        After::Cursor(Cursor { seq, .. }) => Begin::At(seq, Mode::Resumed),
    }
}

/// How an attachment began, as its client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Where it was asked for.
    Attached(Attached),
    /// Elsewhere: the place that was asked for does not exist.
    Reset(Reset),
}

impl Begun {
    /// The frame that says so.
    pub(super) fn frame(self) -> ServerFrame {
        match self {
            Self::Attached(attached) => ServerFrame::Attached(attached),
            Self::Reset(reset) => ServerFrame::Reset(reset),
        }
    }
}

/// Attaches to a session, which need not be awake for it.
///
/// # Errors
/// What to tell the client.
pub(super) async fn attach(
    edge: &Edge,
    user: UserId,
    bell: Arc<Bell>,
    attach: Attach,
) -> Result<(Attachment, Begun), ErrorBody> {
    let (session, ch) = (attach.session, attach.ch);
    let lease = edge.sessions.lease(session).await?;
    let feed = feed(edge, &lease, session).await?;
    if feed.user != user {
        return Err(ErrorBody::session_not_found());
    }
    if let After::Cursor(Cursor { seq, .. }) = attach.after
        && seq > feed.view().head
        && !Owner::is_live(&edge.node).await.map_err(unavailable)?
    {
        // Its client was further on at the session's next owner, of which this node has yet to hear.
        return Err(ErrorBody::store_unavailable());
    }
    // Watched first: what comes between the look at the head and the first read rings the bell.
    let watch = feed.watch(ch, bell);
    let (view, epoch) = (feed.view(), feed.epoch);
    let (after, begun) = match begin(attach.after, epoch, &view) {
        Begin::At(after, mode) => {
            edge.node.meter.resumes.inc();
            let View { head, status, run, .. } = view;
            let attached = Attached { ch, session, epoch, head, after, mode, status, run };
            (after, Begun::Attached(attached))
        }
        Begin::Reset(after, reason) => {
            edge.node.meter.resets.inc();
            let View { head, status, .. } = view;
            (after, Begun::Reset(Reset { ch, session, epoch, head, after, reason, status }))
        }
    };
    let skips = plant::is(Plant::ReplayOffByOne)
        && matches!(attach.after, After::Cursor(_))
        && after < view.head;
    let after = if skips { after.next() } else { after };
    edge.node.meter.attachments.inc();
    let attachment = Attachment::new(&attach, (lease, feed, watch), (after, view.head), edge);
    Ok((attachment, begun))
}

fn unavailable(error: StoreError) -> ErrorBody {
    tracing::warn!(%error, "a session was not read");
    ErrorBody::store_unavailable()
}

/// The session's feed: the one that is there, or a new one from the store.
pub(super) async fn feed(
    edge: &Edge,
    lease: &Lease,
    session: SessionId,
) -> Result<Arc<Feed>, ErrorBody> {
    // What another node says comes to its own feed: to watch one here, the session must be here.
    if edge.node.store.is_shared()
        && let Home::At(owner) = edge.sessions.home(session).await?
    {
        return Err(elsewhere(session, &owner));
    }
    if let Some(feed) = lease.feed().get().filter(|feed| feed.is_known()) {
        return Ok(feed.clone());
    }
    let store = &edge.node.store;
    let row = store.session(session).await.map_err(unavailable)?;
    let row = row.ok_or_else(ErrorBody::session_not_found)?;
    let status = row.projection.status;
    let feed = lease.feed().get_or_init(|| {
        let view = View::idle(Seq::START, status);
        Arc::new(Feed::new(session, row.user, row.epoch, view))
    });
    // Read once the feed can be found: a session that wakes from now on publishes to it, and what
    // one that slept again wrote before is in segments.
    let head = store.segment_head(session).await.map_err(unavailable)?;
    feed.found(head, status);
    Ok(feed.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::frame::Status;

    const EPOCH: Epoch = Epoch(3);

    fn view(head: u64, open_from: Option<u64>) -> View {
        View { open_from: open_from.map(Seq), ..View::idle(Seq(head), Status::Running) }
    }

    fn cursor(epoch: u64, seq: u64) -> After {
        After::Cursor(Cursor { epoch: Epoch(epoch), seq: Seq(seq) })
    }

    #[test]
    fn a_cursor_continues_with_the_entry_after_it() {
        for seq in 0..=9 {
            let begun = begin(cursor(3, seq), EPOCH, &view(9, Some(4)));
            assert_eq!(begun, Begin::At(Seq(seq), Mode::Resumed));
        }
    }

    #[test]
    fn resume_epoch_mismatch_resets() {
        let begun = begin(cursor(2, 5), EPOCH, &view(9, Some(4)));
        assert_eq!(begun, Begin::Reset(Seq(3), Reason::EpochChanged));
    }

    #[test]
    fn resume_seq_ahead_resets() {
        let begun = begin(cursor(3, 10), EPOCH, &view(9, None));
        assert_eq!(begun, Begin::Reset(Seq(9), Reason::SeqAhead));
    }

    #[test]
    fn a_snapshot_begins_with_the_open_part() {
        assert_eq!(begin(After::Open, EPOCH, &view(9, Some(4))), Begin::At(Seq(3), Mode::Snapshot));
        assert_eq!(begin(After::Open, EPOCH, &view(9, None)), Begin::At(Seq(9), Mode::Snapshot));
        let ahead = view(3, Some(7)); // opened, but not durable yet
        assert_eq!(begin(After::Open, EPOCH, &ahead), Begin::At(Seq(3), Mode::Snapshot));
    }

    #[test]
    fn a_tail_never_begins_before_the_log() {
        assert_eq!(begin(After::Tail(4), EPOCH, &view(9, None)), Begin::At(Seq(5), Mode::Resumed));
        assert_eq!(begin(After::Tail(99), EPOCH, &view(9, None)), Begin::At(Seq(0), Mode::Resumed));
    }
}
