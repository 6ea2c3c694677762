//! Reading the messages back: for stand-in providers.

use super::{AGAIN, SYSTEM, UNUSABLE};
use crate::{
    port::{Message, Role},
    run::{
        artifact::words,
        prompt::{CURRENT_FILES, REQUEST, Turn},
    },
};
use std::collections::BTreeMap;

/// What the hub is asked, as a stand-in for a model understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Earlier turns, oldest first.
    pub history: Vec<Turn>,
    /// Lengths in bytes of the project's files, as far as they are listed.
    pub files: BTreeMap<String, u64>,
    /// The user's prompt.
    pub request: String,
    /// What was wrong with the answer before.
    pub unusable: Option<String>,
}

impl Asked {
    /// Reads messages that [`super::HubInput::build`] or [`super::repair`] made; none: they are no
    /// question to the hub.
    #[must_use]
    pub fn read(messages: &[Message]) -> Option<Self> {
        let (system, mut rest) = messages.split_first()?;
        if system.role != Role::System || system.content != SYSTEM {
            return None;
        }
        let mut unusable = None;
        if let [earlier @ .., Message { role: Role::Assistant, .. }, last] = rest
            && let Some(wrong) = last.content.strip_prefix(UNUSABLE)
        {
            unusable = Some(wrong.strip_suffix(&format!("\n{AGAIN}"))?.to_owned());
            rest = earlier;
        }
        let (last, earlier) = rest.split_last()?;
        let (files, request) = read_last(&last.content)?;
        let turn = |pair: &[Message]| match pair {
            [prompt, answer] => {
                Some(Turn { prompt: prompt.content.clone(), answer: answer.content.clone() })
            }
            _ => None,
        };
        let history = earlier.chunks(2).map(turn).collect::<Option<_>>()?;
        Some(Self { history, files, request: request.to_owned(), unusable })
    }
}

/// The files and the request of the last message.
fn read_last(text: &str) -> Option<(BTreeMap<String, u64>, &str)> {
    let mut files = BTreeMap::new();
    let mut rest = text;
    if let Some((CURRENT_FILES, after)) = rest.split_once('\n') {
        rest = after;
    }
    loop {
        let (line, after) = rest.split_once('\n')?;
        if line == REQUEST {
            return Some((files, after));
        }
        if let Some([path, bytes]) = words(line).as_deref()
            && let Ok(bytes) = bytes.parse()
        {
            files.insert((*path).to_owned(), bytes);
        }
        rest = after;
    }
}
