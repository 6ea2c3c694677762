//! Judges a server by what its clients saw: pure, outside of the server, fed after the fact.
//!
//! While a test runs, each attachment's frames pass an [`Observer`]; at its end [`check`] takes the
//! whole [`History`]: the logs as `history.get` tells them, all transcripts, all commands with
//! their answers, the files, and the stand-in provider's own log.

mod commands;
mod history;
mod ledger;
mod observer;
mod provider;
mod request;
mod story;
mod transcript;
mod tree;
mod violation;

pub use history::{
    AccountHistory, Cancel, Downtime, Given, History, Seen, SessionHistory, Start, Target,
    Transcript,
};
pub use observer::Observer;
pub use story::{Attempt, RunStory, Story};
pub use violation::{Rule, Violation};

/// All that is wrong with a history; the most basic rules first.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    for session in &history.sessions {
        let story = story::read(session.session, &session.log, &mut found);
        transcript::check(session, &mut found);
        commands::check(session, &story, history, &mut found);
        tree::check(session, &story, &mut found);
        provider::check(session, &story, history, &mut found);
    }
    for account in &history.accounts {
        ledger::check(account, history, &mut found);
    }
    found.sort_by_key(|violation| violation.rule);
    found
}

#[cfg(test)]
mod tests;
