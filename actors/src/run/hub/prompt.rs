//! Building the messages.

use super::{AGAIN, HubError, SYSTEM, UNUSABLE};
use crate::{
    port::{Message, Role},
    run::{
        artifact::quoted,
        prompt::{
            CURRENT_FILES, NO_TEXT, REQUEST, Room, Turn, UNLISTED_BYTES, message, recent_turns,
            unlisted_line,
        },
        tree::Files,
    },
};

/// Most bytes of all messages of a first call together, by default: some 16,000 tokens.
pub const CONTEXT_BYTES_MAX: usize = 64 * 1024;

/// Most that is shown again of an answer that could not be used, in bytes.
const FORMER_BYTES_MAX: usize = 24 * 1024;

/// All that the hub is asked from.
#[derive(Clone, Copy, Debug)]
pub struct HubInput<'a> {
    /// Earlier turns, oldest first. One that ended with questions has [`super::said_questions`] for
    /// an answer.
    pub history: &'a [Turn],
    /// The project's files.
    pub files: &'a Files,
    /// The user's prompt.
    pub request: &'a str,
}

impl HubInput<'_> {
    /// The messages. Instructions and request always go; then, as far as `bytes_max` allows, the
    /// latest earlier turns, and the names of the files.
    #[must_use]
    pub fn build(&self, bytes_max: usize) -> Vec<Message> {
        let mut room = Room::new(bytes_max);
        let frame = CURRENT_FILES.len() + REQUEST.len() + 2 + UNLISTED_BYTES;
        room.take_up(SYSTEM.len() + self.request.len() + frame);
        let mut messages = vec![message(Role::System, SYSTEM.to_owned())];
        messages.extend(recent_turns(self.history, bytes_max, &mut room));
        let last = format!("{}{REQUEST}\n{}", self.files_section(&mut room), self.request);
        messages.push(message(Role::User, last));
        messages
    }

    fn files_section(&self, room: &mut Room) -> String {
        if self.files.is_empty() {
            return String::new();
        }
        let mut section = format!("{CURRENT_FILES}\n");
        let lines =
            self.files.iter().map(|(path, entry)| format!("{} {}\n", quoted(path), entry.bytes));
        let mut listed = 0;
        for line in lines.take_while(|line| room.take(line.len())) {
            section += &line;
            listed += 1;
        }
        section + &unlisted_line(self.files.len() - listed)
    }
}

/// The messages of the call after an answer that could not be used: those of the first one, the
/// answer and what was wrong with it. A long answer is shown in part.
#[must_use]
pub fn repair(mut messages: Vec<Message>, answer: &str, error: &HubError) -> Vec<Message> {
    let shown = answer.get(..answer.floor_char_boundary(FORMER_BYTES_MAX)).unwrap_or_default();
    let shown = if shown.trim().is_empty() { NO_TEXT } else { shown };
    messages.push(message(Role::Assistant, shown.to_owned()));
    messages.push(message(Role::User, format!("{UNUSABLE}{error}\n{AGAIN}")));
    messages
}
