//! What a server did that it must not.

use greenroom_protocol::id::SessionId;
use std::fmt;

/// A promise that was broken. Basic ones first: what follows from another stands after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A log has one incarnation as long as its store lives.
    OneEpoch,
    /// A cursor that was handed out stays valid: no `reset`.
    NoReset,
    /// Entries reach a client in order, without a hole.
    NoHole,
    /// No entry reaches an attachment twice.
    NoRepeat,
    /// An attachment begins where it was asked to.
    BeginsAsAsked,
    /// What was delivered stays in the log, for all clients the same.
    SameForAll,
    /// The log is numbered 1, 2, 3, …
    Numbered,
    /// In the end every client has all of the log.
    Complete,
    /// What the store took is there after a restart.
    Durable,
    /// A command has one effect.
    OneEffect,
    /// An accepted command has its effect, a refused one has none.
    AnswersAreTrue,
    /// Every run ends, once, and nothing of it follows.
    OneEnd,
    /// A request for input is resolved at most once, while it is open; an answer that is accepted
    /// goes on as the run that it names.
    OneAnswer,
    /// A run ends as it should.
    RightEnd,
    /// Parts begin, grow and end, in this order; a file's length and hash are those of its text.
    PartsAreWhole,
    /// A complete file holds what the provider sent; a broken one is never committed.
    RightFiles,
    /// The committed files are those of the runs, for the server and every client.
    SameTree,
    /// A text is what the provider sent, or the beginning of it.
    RightText,
    /// A cancelled run's call is closed.
    CancelReaches,
    /// The provider is asked with the right files and words.
    RightPrompt,
    /// A ledger's numbers, chain, sides and balances fit together.
    LedgerExact,
    /// A run pays what its log says that it used, by the rule of its end, once; nothing where the
    /// engine lost it.
    RightCharge,
    /// What lost runs reserved is given back in time.
    NoHoldStays,
    /// What a server held for clients and runs that are gone, it holds no more.
    NothingLeaks,
    /// Nothing else is out of order.
    Orderly,
}

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub rule: Rule,
    /// In which session.
    pub session: Option<SessionId>,
    /// What was seen, precisely.
    pub what: String,
}

impl Violation {
    /// A broken promise in a session.
    #[must_use]
    pub fn new(rule: Rule, session: SessionId, what: impl Into<String>) -> Self {
        Self { rule, session: Some(session), what: what.into() }
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.rule)?;
        if let Some(session) = self.session {
            write!(f, " in {session}")?;
        }
        write!(f, ": {}", self.what)
    }
}
