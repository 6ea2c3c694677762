//! Sessions: whose they are, who owns them now, and what lists show of them.

use super::{BoxFuture, Incarnation, Oid, StoreError};
use greenroom_protocol::{
    frame::Status,
    id::{CommandId, Epoch, Seq, SessionId, UserId},
    method::Parent,
};

/// A session's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The session.
    pub session: SessionId,
    /// The user whose it is.
    pub user: UserId,
    /// The command that created it.
    pub cid: CommandId,
    /// Its title.
    pub title: String,
    /// When it was created, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Incarnation of its log.
    pub epoch: Epoch,
    /// The node incarnation that owns it now.
    pub owner: Option<Incarnation>,
    /// Where it was forked, if it was.
    pub origin: Option<Origin>,
    /// What lists show.
    pub projection: Projection,
}

impl SessionRow {
    /// The project whose objects are the session's: the root session of all its forks.
    #[must_use]
    pub fn project(&self) -> SessionId {
        self.origin.as_ref().map_or(self.session, |origin| origin.project)
    }

    /// Where it was forked, as clients are told.
    #[must_use]
    pub fn parent(&self) -> Option<Parent> {
        self.origin.as_ref().map(|origin| Parent { session: origin.parent, at: origin.at })
    }
}

/// What a fork began from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The session that it was forked from.
    pub parent: SessionId,
    /// The entry of that one.
    pub at: Seq,
    /// The root session of both.
    pub project: SessionId,
    /// Git id of the commit that it begins with, 40 hex digits.
    pub commit: Option<String>,
    /// The blob with its earlier turns, among the project's objects.
    pub turns: Oid,
}

/// What lists show of a session: a rendering of its log up to `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// The entry as of which this holds; an older one never replaces a newer one.
    pub seq: Seq,
    /// What the session does.
    pub status: Status,
    /// Git id of its last commit, 40 hex digits.
    pub commit: Option<String>,
}

/// Answer to a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It did not exist; it is claimed as the row says.
    Created,
    /// It exists, as this row, which was left as it was.
    Exists(Box<SessionRow>),
}

/// Answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The session is the claimant's now.
    Claimed,
    /// Somebody else owns it.
    Taken(Option<Incarnation>),
    /// There is no such session.
    NotFound,
}

/// A page of a user's sessions, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<SessionRow>,
    /// Whether there are more.
    pub more: bool,
}

/// Sessions by id and by user.
pub trait Sessions: Send + Sync {
    /// Creates a session, unless its id is taken.
    fn create_session(&self, row: SessionRow) -> BoxFuture<'_, Result<Created, StoreError>>;

    /// One session's row.
    fn session(&self, session: SessionId) -> BoxFuture<'_, Result<Option<SessionRow>, StoreError>>;

    /// A user's sessions, newest first by (`created_at_ms`, id), after the one named.
    fn sessions_of(
        &self,
        user: UserId,
        after: Option<(u64, SessionId)>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Moves a session from one owner to another, if the first still is its owner.
    fn claim(
        &self,
        session: SessionId,
        from: Option<Incarnation>,
        to: Incarnation,
    ) -> BoxFuture<'_, Result<Claim, StoreError>>;

    /// Ends a claim, if it still holds. Idempotent.
    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Updates what lists show; an older `seq` changes nothing.
    fn project(
        &self,
        session: SessionId,
        projection: Projection,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Sessions that the incarnation owns, at most `limit` after the one named, by id.
    fn owned_by(
        &self,
        owner: Incarnation,
        after: Option<SessionId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StoreError>>;
}
