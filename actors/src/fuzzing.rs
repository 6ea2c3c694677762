//! What `tests/fuzz` reaches into, and nothing else does.

use crate::{
    connection::{Begin, begin},
    session::feed::{Feed, Read, View},
};
use bytes::Bytes;
use greenroom_protocol::{
    frame::{After, Status},
    id::{Epoch, Seq, SessionId, UserId},
};
use uuid::Uuid;

/// A session's log as its attachments find it in memory.
#[derive(Debug)]
pub struct Log(Feed);

impl Log {
    /// Entries up to `segmented` are in segments alone; entries of these lengths follow them.
    #[must_use]
    pub fn new(epoch: Epoch, segmented: Seq, lens: &[u8], open_from: Option<Seq>) -> Self {
        let (session, user) = (SessionId::new(Uuid::nil()), UserId::new(Uuid::nil()));
        let log = Feed::new(session, user, epoch, View::idle(segmented, Status::Running));
        let entries: Vec<_> =
            lens.iter().map(|len| Bytes::from(vec![b'x'; (*len).into()])).collect();
        let head = Seq(segmented.0.saturating_add(entries.len() as u64));
        log.publish(&entries, View { open_from, ..View::idle(head, Status::Running) });
        Self(log)
    }

    /// The last entry.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.0.view().head
    }

    /// The entry after which whoever asks for a place begins, and whether that is another place
    /// than was asked for.
    #[must_use]
    pub fn begin(&self, after: After) -> (Seq, bool) {
        match begin(after, self.0.epoch, &self.0.view()) {
            Begin::At(seq, _) => (seq, false),
            Begin::Reset(seq, _) => (seq, true),
        }
    }

    /// The numbers of the entries after one; none: segments hold them.
    #[must_use]
    pub fn read(&self, after: Seq) -> Option<Vec<Seq>> {
        match self.0.read(after, 16, 1024) {
            Read::Entries(entries) => Some(entries.into_iter().map(|(seq, _)| seq).collect()),
            Read::UpToDate => Some(Vec::new()),
            Read::Segments => None,
        }
    }
}
