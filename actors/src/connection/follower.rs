//! An attachment without a socket of ours: a stream or a poll over HTTP, or a dialect.

use super::{
    attach::{self, Begun},
    attachment::Attachment,
    bell::Bell,
    calls::unavailable,
    serve::Edge,
};
use crate::{
    port::Principal,
    session::{
        feed::Read,
        reader::{READ_BYTES, READ_ENTRIES, read_after},
    },
    users::Membership,
};
use bytes::Bytes;
use greenroom_protocol::{
    error::{CloseCode, Code, ErrorBody, Reason},
    frame::{After, Attach, Status},
    id::{Channel, ConnectionId, Cursor, Seq, SessionId},
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// Longest life of a follower, whatever its token says.
const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// One attachment, which ends when it is dropped. It counts as a socket of its user.
pub struct Follower {
    edge: Edge,
    bell: Arc<Bell>,
    attachment: Attachment,
    begun: Begun,
    /// When the token expires.
    until: Instant,
    /// An operator's follower counts as nobody's socket.
    _membership: Option<Membership>,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("cursor", &self.cursor()).finish_non_exhaustive()
    }
}

/// What a follower gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The entries after its cursor, at least one, without a gap. Each is the rest of an `ev`
    /// frame, as [`greenroom_protocol::frame::entry_rest`] wrote it.
    Entries(Vec<(Seq, Bytes)>),
    /// It has reached what was the head when it began; once.
    CaughtUp(Seq),
    /// Something is wrong that ends nothing.
    Error(ErrorBody),
    /// Nothing more comes: attach again at the cursor.
    Ended(ErrorBody),
}

impl Follower {
    /// Attaches to a session.
    ///
    /// # Errors
    /// What to tell the client.
    pub(crate) async fn begin(
        edge: Edge,
        principal: Principal,
        session: SessionId,
        after: After,
    ) -> Result<Self, ErrorBody> {
        let (bell, id) = (Arc::<Bell>::default(), ConnectionId::new(Uuid::now_v7()));
        let membership = edge.users.join(principal, id, &bell).await.map_err(refused)?;
        let attach = Attach { ch: Channel(0), session, after, credit: None, window_ms: 0 };
        let (attachment, begun) =
            attach::attach(&edge, principal.user, bell.clone(), attach).await?;
        let left_ms = principal.expires_at_ms.saturating_sub(edge.node.clock.now_ms());
        let until = Instant::now() + Duration::from_millis(left_ms).min(LIFE_MAX);
        Ok(Self { edge, bell, attachment, begun, until, _membership: Some(membership) })
    }

    /// Attaches an operator to anybody's session.
    ///
    /// # Errors
    /// What to answer.
    pub(crate) async fn of_operator(
        edge: Edge,
        session: SessionId,
        after: After,
    ) -> Result<Self, ErrorBody> {
        let row = edge.node.store.session(session).await.map_err(unavailable)?;
        let user = row.ok_or_else(ErrorBody::session_not_found)?.user;
        let bell = Arc::<Bell>::default();
        let attach = Attach { ch: Channel(0), session, after, credit: None, window_ms: 0 };
        let (attachment, begun) = attach::attach(&edge, user, bell.clone(), attach).await?;
        let until = Instant::now() + LIFE_MAX;
        Ok(Self { edge, bell, attachment, begun, until, _membership: None })
    }

    /// How it began.
    #[must_use]
    pub const fn begun(&self) -> &Begun {
        &self.begun
    }

    /// The last entry that it gave.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.attachment.feed.epoch, seq: self.attachment.cursor }
    }

    /// The last entry that there is, and what the session does as of it.
    #[must_use]
    pub fn head(&self) -> (Seq, Status) {
        let view = self.attachment.feed.view();
        (view.head, view.status)
    }

    /// Waits for what comes next, up to `entries_max` entries and 64 KiB at once.
    ///
    /// Cancel-safe: what was not given comes with the next call.
    pub async fn next(&mut self, entries_max: usize) -> Followed {
        loop {
            if let Some(error) = self.attachment.watch.answer() {
                return Followed::Error(error);
            }
            if let Some(seq) = self.attachment.caught_up() {
                return Followed::CaughtUp(seq);
            }
            match self.attachment.next(entries_max.clamp(1, READ_ENTRIES), READ_BYTES) {
                Read::Entries(entries) => {
                    for (seq, rest) in &entries {
                        self.attachment.sent(*seq, rest.len());
                    }
                    return Followed::Entries(entries);
                }
                Read::Segments => {
                    let (feed, store) = (&self.attachment.feed, &*self.edge.node.store);
                    match read_after(feed, store, self.attachment.cursor).await {
                        Ok(entries) => self.attachment.replay(entries),
                        Err(error) => return Followed::Ended(unavailable(error)),
                    }
                }
                Read::UpToDate => {
                    if let Some(error) = self.rung().await {
                        return Followed::Ended(error);
                    }
                }
            }
        }
    }

    /// Waits for the bell; why nothing more will come, if so.
    async fn rung(&self) -> Option<ErrorBody> {
        tokio::select! {
            rung = self.bell.rung() => {
                let gone = rung.goaway.map(|goaway| draining(goaway.reconnect_in_ms));
                gone.or_else(|| rung.close.map(closed))
            }
            () = sleep_until(self.until) => {
                let message = "the token has expired; refresh it, and attach again at the cursor";
                Some(ErrorBody::new(Code::Unauthenticated, Reason::BadToken, message))
            }
        }
    }
}

/// Why a follower ends where a socket would be closed.
fn closed(code: CloseCode) -> ErrorBody {
    if code == CloseCode::Revoked {
        let message = "the sign-in has ended; sign in again";
        return ErrorBody::new(Code::Unauthenticated, Reason::BadToken, message);
    }
    draining(0)
}

fn draining(retry_after_ms: u64) -> ErrorBody {
    let message = "the server shuts down; attach again at the cursor";
    ErrorBody::new(Code::Unavailable, Reason::Draining, message).retry_after_ms(retry_after_ms)
}

/// Why a user gets no further follower.
fn refused(code: CloseCode) -> ErrorBody {
    if code == CloseCode::ConnectionLimit {
        let message = "too many sockets and streams of this user; close one";
        return ErrorBody::new(Code::ResourceExhausted, Reason::TooManyAttachments, message)
            .retry_after_ms(1000);
    }
    draining(1000)
}
