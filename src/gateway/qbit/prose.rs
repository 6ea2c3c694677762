//! What a model says beside the files, until it is known whether there are files. Pure.

use super::{message::Message, page::Page};
use greenroom_protocol::id::PartId;
use std::collections::BTreeMap;

/// Longest text of one message, in bytes; a longer one is told in several.
const TEXT_BYTES_MAX: usize = 32 * 1024;

/// The texts of a request that were not told yet. Neither is ever longer than [`TEXT_BYTES_MAX`]
/// and one delta.
#[derive(Debug, Default)]
pub(super) struct Prose {
    /// Complete texts.
    whole: String,
    /// Texts that are being written; nearly always one.
    open: BTreeMap<PartId, String>,
}

impl Prose {
    /// Takes more of a text.
    pub(super) fn add(&mut self, part: PartId, more: &str, page: &mut Page) {
        let text = self.open.entry(part).or_default();
        text.push_str(more);
        let mut pieces = Vec::new();
        while text.len() > TEXT_BYTES_MAX {
            let rest = text.split_off(text.floor_char_boundary(TEXT_BYTES_MAX));
            pieces.push(std::mem::replace(text, rest));
        }
        for piece in pieces {
            self.tell(page);
            turn(piece, page);
        }
    }

    /// A text is complete.
    pub(super) fn end(&mut self, part: PartId, page: &mut Page) {
        let text = self.open.remove(&part).unwrap_or_default();
        if text.trim().is_empty() {
            return;
        }
        if self.whole.len() + text.len() > TEXT_BYTES_MAX {
            self.tell(page);
        }
        if !self.whole.is_empty() {
            self.whole.push_str("\n\n");
        }
        self.whole.push_str(text.trim());
    }

    /// What was being written is void.
    pub(super) fn drop_open(&mut self) {
        self.open.clear();
    }

    /// Tells what is complete.
    pub(super) fn tell(&mut self, page: &mut Page) {
        if !self.whole.is_empty() {
            turn(std::mem::take(&mut self.whole), page);
        }
    }

    /// Takes what is complete, to be told as an answer.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.whole)
    }
}

fn turn(content: String, page: &mut Page) {
    page.push(Message::ConversationTurn { role: "assistant", content, timestamp: page.at });
}
