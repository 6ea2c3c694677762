//! A session as text for a terminal: what was asked, what was said, files as headings. Pure.

use super::{driver::describe, plan};
use crate::cli::output::clean;
use greenroom_protocol::{
    credits::amount_text,
    event::{Event, Notice, Outcome, Stream},
};
use std::fmt::Write as _;

/// Writes events as text.
#[derive(Debug)]
pub(super) struct Renderer {
    /// Whether contents of files are shown, or their names alone.
    contents: bool,
    /// Whether what was asked is shown: a chat shows it already.
    prompts: bool,
    /// Whether the last character written was the end of a line.
    at_line_start: bool,
}

impl Renderer {
    pub(super) const fn new(contents: bool, prompts: bool) -> Self {
        Self { contents, prompts, at_line_start: true }
    }

    /// The text to print for an event.
    pub(super) fn event(&mut self, event: &Event) -> String {
        let mut text = String::new();
        if let Some((_, stream, more)) = event.as_delta() {
            match stream {
                Stream::Text | Stream::Reasoning => self.push(&mut text, more),
                Stream::File if self.contents => self.push(&mut text, more),
                Stream::File | Stream::ToolArgs | Stream::ToolOutput => {}
            }
        } else if let Event::TextEnd { .. } | Event::ReasoningEnd { .. } = event {
            self.end_line(&mut text);
        } else if let Event::ReasoningStart { .. } = event {
            self.line(&mut text, "--- thinking");
        } else if let (true, Event::InputUser { text: asked, steers, .. }) = (self.prompts, event) {
            let mark = if steers.is_some() { ">>" } else { ">" };
            for line in asked.lines() {
                self.line(&mut text, &format!("{mark} {line}"));
            }
        } else if let Some(heading) = self.heading(event) {
            self.line(&mut text, &format!("=== {heading}"));
        } else {
            for line in plan::lines(event) {
                self.line(&mut text, &format!("--- {line}"));
            }
        }
        text
    }

    fn heading(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::FileStart { path, .. } => path.clone(),
            Event::FileEnd { complete: false, .. } => "the file broke off".to_owned(),
            Event::FileEnd { bytes, .. } if self.contents => format!("end, {bytes} bytes"),
            Event::FileDeleted { path } => format!("deleted {path}"),
            Event::FileMoved { from, to } => format!("moved {from} to {to}"),
            Event::ToolStart { name, .. } => format!("tool {name}"),
            Event::ToolEnd { ok: false, .. } => "the tool failed".to_owned(),
            Event::FilesCommitted { commit, added, changed, removed, .. } => {
                format!("commit {commit}: {added} added, {changed} changed, {removed} removed")
            }
            Event::SessionRolledBack { to, .. } => format!("rolled back to entry {to}"),
            Event::SessionForked { parent, at, .. } => {
                format!("forked from {parent} at entry {at}")
            }
            Event::RunStarted { provider, model, .. } => format!("{provider}, {model}"),
            Event::RunRecovering { attempt, superseded_from, .. } => {
                let void = if superseded_from.is_some() { "; the open part is void" } else { "" };
                format!("the run goes on after a crash, attempt {attempt}{void}")
            }
            Event::RunFinished { outcome: Outcome::Steered, .. } => {
                "the run takes up what was said to it".to_owned()
            }
            Event::RunFinished { outcome, error, .. } => match error {
                Some(error) => format!("{}: {}", outcome.name(), describe(error)),
                None => outcome.name().to_owned(),
            },
            Event::InputResolved { answered: true, .. } => "answered".to_owned(),
            Event::InputResolved { answered: false, .. } => "nothing comes of it".to_owned(),
            Event::Notice { notice, message, .. } => notice_text(*notice, message)?,
            Event::Error { error } => describe(error),
            Event::CreditsSettled { paid, .. } => format!("paid {} credits", amount_text(*paid)),
            Event::InputUser { .. }
            | Event::InputRequested { .. }
            | Event::RunClassified { .. }
            | Event::RunPlanned { .. }
            | Event::RunQuoted { .. }
            | Event::StepStarted { .. }
            | Event::StepFinished { .. }
            | Event::TextStart { .. }
            | Event::TextDelta { .. }
            | Event::TextEnd { .. }
            | Event::ReasoningStart { .. }
            | Event::ReasoningDelta { .. }
            | Event::ReasoningEnd { .. }
            | Event::ToolArgsDelta { .. }
            | Event::ToolReady { .. }
            | Event::ToolOutputDelta { .. }
            | Event::ToolEnd { ok: true, .. }
            | Event::FileDelta { .. }
            | Event::FileEnd { complete: true, .. }
            | Event::Usage { .. }
            | Event::CreditsHeld { .. }
            | Event::Progress { .. }
            | Event::Unknown => return None,
        })
    }

    /// A line of its own.
    fn line(&mut self, text: &mut String, line: &str) {
        self.end_line(text);
        let _ = writeln!(text, "{}", clean(line).replace('\n', " "));
    }

    /// Text as it comes.
    fn push(&mut self, text: &mut String, more: &str) {
        text.push_str(&clean(more));
        if let Some(last) = more.chars().last() {
            self.at_line_start = last == '\n';
        }
    }

    fn end_line(&mut self, text: &mut String) {
        if !self.at_line_start {
            text.push('\n');
            self.at_line_start = true;
        }
    }
}

fn notice_text(notice: Notice, message: &str) -> Option<String> {
    let what = match notice {
        Notice::SessionCreated => "session created",
        Notice::SessionClosed => "session closed",
        Notice::CancelRequested => "asked to cancel",
        Notice::InterruptRequested => "asked to make room for a later run",
        Notice::FileRejected => "file left out",
        Notice::ProviderWait | Notice::ProviderChanged => return Some(message.to_owned()),
        Notice::Unknown => return None,
    };
    Some(if message.is_empty() { what.to_owned() } else { format!("{what}: {message}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::{
        event::Outcome,
        id::{CommandId, PartId, RunId, UserId},
    };
    use uuid::Uuid;

    const PART: PartId = PartId(1);

    fn events() -> Vec<Event> {
        let run = RunId::new(Uuid::nil());
        vec![
            Event::InputUser {
                run,
                cid: CommandId::new(Uuid::nil()),
                by: UserId::new(Uuid::nil()),
                text: "make\nit".into(),
                model: None,
                plan: false,
                steers: None,
                answers: None,
            },
            Event::TextStart { part: PART },
            Event::TextDelta { part: PART, text: "Her".into() },
            Event::TextDelta { part: PART, text: "e.\u{1b}c".into() },
            Event::TextEnd { part: PART },
            Event::FileStart { part: PART, path: "a.txt".into() },
            Event::FileDelta { part: PART, text: "one\n".into() },
            Event::FileEnd { part: PART, complete: true, bytes: 4, sha256: String::new() },
            Event::RunFinished { run, outcome: Outcome::Completed, error: None },
        ]
    }

    fn rendered(mut renderer: Renderer) -> String {
        events().iter().map(|event| renderer.event(event)).collect()
    }

    #[test]
    fn a_session_reads_as_text_with_files_as_headings() {
        assert_eq!(
            rendered(Renderer::new(true, true)),
            "> make\n> it\nHere.c\n=== a.txt\none\n=== end, 4 bytes\n=== completed\n"
        );
    }

    #[test]
    fn a_chat_shows_names_of_files_alone() {
        assert_eq!(rendered(Renderer::new(false, false)), "Here.c\n=== a.txt\n=== completed\n");
    }
}
