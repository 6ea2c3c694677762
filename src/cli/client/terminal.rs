//! The terminal: lines, one status line that is written over, Ctrl-C.

use crate::failure::Failure;
use std::io::{self, IsTerminal as _, Write as _};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Widest status line, in characters: one that wraps could not be written over.
const STATUS_CHARS_MAX: usize = 78;

/// Remarks on stderr: lines, and on a terminal a status below them.
#[derive(Debug)]
pub(super) struct Remarks {
    terminal: bool,
    shown: String,
}

impl Remarks {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: String::new() }
    }

    /// Whether a status can be shown.
    pub(super) const fn has_status(&self) -> bool {
        self.terminal
    }

    pub(super) fn line(&mut self, text: &str) {
        self.status("");
        let _ = writeln!(io::stderr().lock(), "{text}"); // there is nobody to tell
    }

    /// Writes a prompt, behind which somebody types.
    pub(super) fn ask(&mut self, prompt: &str) {
        self.status("");
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush()); // as above
    }

    /// Writes over the status; nothing where stderr is no terminal.
    pub(super) fn status(&mut self, text: &str) {
        let text: String = text.chars().take(STATUS_CHARS_MAX).collect();
        if !self.terminal || text == self.shown {
            return;
        }
        let mut stderr = io::stderr().lock();
        let surplus = self.shown.chars().count().saturating_sub(text.chars().count());
        let padding = " ".repeat(surplus);
        let end = if text.is_empty() { "\r" } else { "" };
        let _ = write!(stderr, "\r{text}{padding}{end}").and_then(|()| stderr.flush());
        self.shown = text;
    }
}

/// Ctrl-C, as often as it comes.
#[derive(Debug)]
pub(super) struct Interrupts(Signal);

impl Interrupts {
    /// From now on Ctrl-C does not end the process.
    ///
    /// # Errors
    /// Where the system has no signals.
    pub(super) fn new() -> Result<Self, Failure> {
        let signal = signal(SignalKind::interrupt());
        signal.map(Self).map_err(|error| Failure::Failed(format!("no signals here: {error}")))
    }

    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", tenths(1000)),
        _ => format!("{} MB", tenths(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1000), "1.0 kB");
        assert_eq!(size(2_190), "2.1 kB");
        assert_eq!(size(12_345_678), "12.3 MB");
    }
}
