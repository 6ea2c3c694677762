//! What happened in a test, as seen from outside of the server.

use crate::provider::{Call, prompt::Tree};
use greenroom_protocol::{
    credits::{CreditsInfo, Transaction},
    error::{ErrorBody, Reason},
    event::Event,
    frame::Entry,
    id::{CommandId, Cursor, Epoch, RunId, Seq, SessionId},
    method::RunCancelled,
};

/// All that was seen in a test.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By session.
    pub sessions: Vec<SessionHistory>,
    /// When the server was down.
    pub downtimes: Vec<Downtime>,
    /// The stand-in provider's log.
    pub calls: Vec<Call>,
    /// What users paid; none of a server without credits.
    pub accounts: Vec<AccountHistory>,
}

/// A user's credits, after all was quiet.
#[derive(Clone, Debug)]
pub struct AccountHistory {
    /// The user's sessions.
    pub sessions: Vec<SessionId>,
    /// All transactions, oldest first.
    pub transactions: Vec<Transaction>,
    /// What the server shows, once its holds had their time to end.
    pub info: CreditsInfo,
}

/// A time in which the server did not answer, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downtime {
    /// When it was killed.
    pub from_us: u64,
    /// When it answered again.
    pub until_us: u64,
}

/// All that was seen of one session.
#[derive(Clone, Debug)]
pub struct SessionHistory {
    /// The session.
    pub session: SessionId,
    /// Incarnation of its log.
    pub epoch: Option<Epoch>,
    /// Its log, from `history.get` after all was quiet.
    pub log: Vec<Entry>,
    /// The same after one more kill and restart; none: not done.
    pub log_after_restart: Option<Vec<Entry>>,
    /// Git id of its files' commit, from `files.list`.
    pub commit: Option<String>,
    /// Its files, from `files.get`.
    pub files: Tree,
    /// What each attachment applied.
    pub transcripts: Vec<Transcript>,
    /// All runs that were asked for.
    pub starts: Vec<Start>,
    /// All cancels that were asked for.
    pub cancels: Vec<Cancel>,
}

/// What one attachment applied, over all its sockets.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// Which one, for a person.
    pub name: String,
    /// Incarnation of the log; none: it never began.
    pub epoch: Option<Epoch>,
    /// Where it began: the first entry is the one after this.
    pub after: Seq,
    /// What it applied.
    pub items: Vec<Seen>,
    /// The committed files as this client put them together; none: it did not.
    pub files: Option<Tree>,
}

/// One entry as it reached a client, or several that were merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// First entry.
    pub from: Seq,
    /// Last entry.
    pub seq: Seq,
    /// When it was accepted, in milliseconds since 1970.
    pub ts: u64,
    /// What it says.
    pub event: Event,
}

impl Transcript {
    /// The last entry that was applied.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.items.last().map_or(self.after, |seen| seen.seq)
    }
}

/// A `run.start`, with every answer to every sending of it.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its command id.
    pub cid: CommandId,
    /// The prompt.
    pub text: String,
    /// The model.
    pub model: Option<String>,
    /// What came back, in the order of arrival.
    pub answers: Vec<Given>,
}

/// An answer to `run.start`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// `ok`.
    Accepted {
        /// The run.
        run: RunId,
        /// The entry that accepted it.
        seq: Seq,
        /// The command had been seen before.
        duplicate: bool,
    },
    /// `err`.
    Refused(ErrorBody),
    /// None came: it may have had its effect.
    Unknown,
}

/// A `run.cancel`.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// What it names.
    pub target: Target,
    /// When its `ok` arrived, in microseconds since 1970, and what it said; none: it may have had
    /// its effect.
    pub answer: Option<(u64, RunCancelled)>,
}

/// What a cancel names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A run.
    Run(RunId),
    /// The command that starts it, or will.
    Start(CommandId),
}

impl History {
    /// Whether the server was down at any time between two moments.
    #[must_use]
    pub fn was_down(&self, from_us: u64, until_us: u64) -> bool {
        self.downtimes.iter().any(|down| down.from_us <= until_us && down.until_us >= from_us)
    }

    /// How often the server was killed between two moments.
    #[must_use]
    pub fn kills(&self, from_us: u64, until_us: u64) -> usize {
        let within = |down: &&Downtime| (from_us..=until_us).contains(&down.from_us);
        self.downtimes.iter().filter(within).count()
    }
}

/// Why an attachment was asked to begin anew, for [`super::Observer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reset {
    pub(super) reason: Reason,
    pub(super) to: Cursor,
}
