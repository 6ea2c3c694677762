//! What a watcher of a generation is told. Pure: events and times in, lines and a status out.

use super::{driver::describe, plan, terminal::size};
use crate::cli::output::clean;
use greenroom_protocol::{
    event::{Event, Notice, Outcome, Stream},
    id::PartId,
};
use std::collections::BTreeMap;

/// Most text of one part that is kept to be shown, in bytes.
const PROSE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of text in a token, about: what English and code come to.
const BYTES_PER_TOKEN: u64 = 4;

/// The progress of one generation.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Files that are being written: path and bytes so far.
    files: BTreeMap<PartId, (String, u64)>,
    /// Texts that are being written.
    prose: BTreeMap<PartId, String>,
    done: u64,
    bytes: u64,
    /// When the first text came, and the last, in milliseconds of the caller's clock.
    span: Option<(u64, u64)>,
}

impl Progress {
    /// Takes in an event; the lines to print for it.
    pub(super) fn event(&mut self, now_ms: u64, event: &Event) -> Vec<String> {
        if let Some((part, stream, text)) = event.as_delta() {
            self.delta(now_ms, part, stream, text);
        } else if let Event::TextStart { part } = event {
            self.prose.insert(*part, String::new());
        } else if let Event::TextEnd { part } = event {
            let prose = self.prose.remove(part).unwrap_or_default();
            return clean(prose.trim()).lines().map(|line| format!("  | {line}")).collect();
        } else if let Event::FileStart { part, path } = event {
            self.files.insert(*part, (clean(path), 0));
        } else if let Event::FileEnd { part, complete, bytes, .. } = event {
            return self.file_end(*part, *complete, *bytes).into_iter().collect();
        } else if let Event::RunRecovering { superseded_from: Some(_), .. } = event {
            self.files.clear();
            self.prose.clear();
        }
        remark(event).into_iter().chain(plan::lines(event)).collect()
    }

    /// One line about now.
    pub(super) fn status(&self) -> String {
        let Some((first_ms, last_ms)) = self.span else {
            return "waiting for the model".to_owned();
        };
        let tokens = self.bytes / BYTES_PER_TOKEN;
        let per_sec = tokens.saturating_mul(1000) / last_ms.saturating_sub(first_ms).max(1000);
        let files = match self.done {
            1 => "1 file".to_owned(),
            n => format!("{n} files"),
        };
        let so_far = format!("{files}, {}, about {per_sec} tokens/s", size(self.bytes));
        match self.files.values().next() {
            Some((path, bytes)) => format!("{so_far} | {path} {}", size(*bytes)),
            None => so_far,
        }
    }

    fn file_end(&mut self, part: PartId, complete: bool, bytes: u64) -> Option<String> {
        let (path, _) = self.files.remove(&part)?;
        self.done += u64::from(complete);
        let how = if complete { "" } else { "broke off after " };
        Some(format!("  {path}  {how}{}", size(bytes)))
    }

    fn delta(&mut self, now_ms: u64, part: PartId, stream: Stream, text: &str) {
        self.bytes = self.bytes.saturating_add(len(text));
        let (first_ms, _) = self.span.unwrap_or((now_ms, now_ms));
        self.span = Some((first_ms, now_ms));
        if let (Stream::File, Some((_, bytes))) = (stream, self.files.get_mut(&part)) {
            *bytes = bytes.saturating_add(len(text));
        } else if let (Stream::Text, Some(prose)) = (stream, self.prose.get_mut(&part))
            && prose.len() + text.len() <= PROSE_BYTES_MAX
        {
            prose.push_str(text);
        }
    }
}

/// What is said of an event that changes no count.
fn remark(event: &Event) -> Option<String> {
    if let Event::RunStarted { provider, model, .. } = event {
        Some(format!("{} answers with {}", clean(provider), clean(model)))
    } else if let Event::RunRecovering { attempt, .. } = event {
        Some(format!("the server goes on after a crash (attempt {attempt})"))
    } else if let Event::InputUser { text, steers: Some(_), .. } = event {
        Some(format!("said to the run: {}", clean(text).replace('\n', " ")))
    } else if let Event::RunFinished { outcome: Outcome::Steered, .. } = event {
        Some("the run takes up what was said to it".to_owned())
    } else if let Event::FileDeleted { path } = event {
        Some(format!("  {} deleted", clean(path)))
    } else if let Event::FileMoved { from, to } = event {
        Some(format!("  {} moved to {}", clean(from), clean(to)))
    } else if let Event::Notice { notice: Notice::FileRejected, message, .. } = event {
        Some(format!("  left out: {}", clean(message)))
    } else if let Event::Notice {
        notice: Notice::ProviderWait | Notice::ProviderChanged,
        message,
        ..
    } = event
    {
        Some(format!("  {}", clean(message)))
    } else if let Event::Notice { notice: Notice::CancelRequested, .. } = event {
        Some("somebody asked to cancel the run".to_owned())
    } else if let Event::Error { error } = event {
        Some(format!("  {}", describe(error)))
    } else {
        None
    }
}

fn len(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::{RunId, Seq};
    use uuid::Uuid;

    const PART: PartId = PartId(1);

    fn start(path: &str) -> Event {
        Event::FileStart { part: PART, path: path.into() }
    }

    fn delta(text: &str) -> Event {
        Event::FileDelta { part: PART, text: text.into() }
    }

    fn end(complete: bool, bytes: u64) -> Event {
        Event::FileEnd { part: PART, complete, bytes, sha256: String::new() }
    }

    #[test]
    fn a_file_is_a_line_when_it_is_complete_and_a_status_before() {
        let mut progress = Progress::default();
        assert_eq!(progress.status(), "waiting for the model");
        assert!(progress.event(0, &start("src/a.js")).is_empty());
        assert!(progress.event(1000, &delta(&"x".repeat(4000))).is_empty());
        assert!(progress.event(3000, &delta(&"x".repeat(4000))).is_empty());
        assert_eq!(progress.status(), "0 files, 8.0 kB, about 1000 tokens/s | src/a.js 8.0 kB");
        assert_eq!(progress.event(3000, &end(true, 8000)), ["  src/a.js  8.0 kB"]);
        assert_eq!(progress.status(), "1 file, 8.0 kB, about 1000 tokens/s");
    }

    #[test]
    fn a_file_that_a_crash_broke_off_is_dropped() {
        let mut progress = Progress::default();
        progress.event(0, &start("a"));
        progress.event(0, &delta("half"));
        let recovering = Event::RunRecovering {
            run: RunId::new(Uuid::nil()),
            attempt: 2,
            superseded_from: Some(Seq(3)),
        };
        assert_eq!(progress.event(1, &recovering).len(), 1);
        assert!(progress.event(2, &end(true, 4)).is_empty(), "it is no longer known");
    }

    #[test]
    fn prose_is_shown_as_a_whole_and_without_escape_sequences() {
        let mut progress = Progress::default();
        progress.event(0, &Event::TextStart { part: PART });
        for text in ["Two\nli", "nes \u{1b}[2J.\n\n"] {
            progress.event(0, &Event::TextDelta { part: PART, text: text.into() });
        }
        let lines = progress.event(0, &Event::TextEnd { part: PART });
        assert_eq!(lines, ["  | Two", "  | lines [2J."]);
    }
}
