//! `greenroom session`: the sessions of a running server, what one says, and the end of one that
//! hangs.

use super::{
    args::{Output, SessionArgs, SessionCommand},
    internal::Internal,
    output::{clean, line, out},
    tools::block_on,
};
use crate::{config::Config, failure::Failure};
use greenroom_actors::{LiveSession, LiveSessions};
use greenroom_protocol::{event::Event, frame::Entry, id::SessionId};
use serde::Deserialize;
use std::fmt::Write as _;

/// How long a poll waits for an entry, in milliseconds.
const POLL_MS: u32 = 20_000;

/// A page of events.
#[derive(Debug, Deserialize)]
struct Page {
    entries: Vec<Entry>,
    cursor: String,
}

pub(super) fn run(config: &Config, args: SessionArgs) -> Result<(), Failure> {
    let server = Internal::of(config)?;
    match args.command {
        SessionCommand::Ls { limit, output } => {
            let path = format!("/admin/sessions?limit={limit}");
            let live: LiveSessions = block_on(server.get(&path))??;
            match output {
                Output::Text => out(listed(&live)),
                Output::Json => line(serde_json::to_string(&live).unwrap_or_default()),
            }
        }
        SessionCommand::Tail { session, after, follow, output } => {
            block_on(tail(&server, session, after, follow, output))?
        }
        SessionCommand::Kill { session } => {
            let path = format!("/admin/sessions/{session}/kill");
            let _: serde_json::Value = block_on(server.post(&path, &serde_json::json!({})))??;
            line(format_args!("{session} ends and starts again from its log"))
        }
    }
}

async fn tail(
    server: &Internal,
    session: SessionId,
    mut after: String,
    follow: bool,
    output: Output,
) -> Result<(), Failure> {
    loop {
        let wait_ms = if follow { POLL_MS } else { 0 };
        let path = format!("/admin/sessions/{session}/events?after={after}&wait_ms={wait_ms}");
        let Page { entries, cursor } = server.get(&path).await?;
        if entries.is_empty() && !follow {
            return Ok(());
        }
        after = cursor;
        for entry in &entries {
            match output {
                Output::Text => line(told(entry))?,
                Output::Json => line(serde_json::to_string(entry).unwrap_or_default())?,
            }
        }
    }
}

/// An entry in a line: what its event is, and what it says, without what a terminal acts upon.
fn told(Entry { seq, event, .. }: &Entry) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    let kind = value.get("type").and_then(serde_json::Value::as_str).unwrap_or("unknown");
    let says = match event.as_delta() {
        Some((_, _, text)) => format!("{text:?}"),
        None if matches!(event, Event::Unknown) => String::new(),
        None => {
            let fields = value.as_object().into_iter().flatten();
            let fields = fields.filter(|(name, _)| *name != "type");
            fields.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        }
    };
    clean(&format!("{:>7} {kind:<18} {says}", seq.0)).replace('\n', " ").trim_end().to_owned()
}

/// Sessions in columns.
fn listed(LiveSessions { total, sessions }: &LiveSessions) -> String {
    let mut text = String::new();
    for live in sessions {
        let LiveSession { session, user, head, status, run, watchers, awake, .. } = live;
        let status = serde_json::to_value(status).unwrap_or_default();
        let status = status.as_str().unwrap_or("unknown");
        let awake = if *awake { "awake" } else { "asleep" };
        let run = run.map(|run| format!(" {run}")).unwrap_or_default();
        let head = head.0;
        // A String takes all.
        let _ = writeln!(
            text,
            "{session} {awake:<6} {status:<10} head {head:<6} watchers {watchers:<3} {user}{run}"
        );
    }
    let _ = match sessions.len() {
        0 if *total == 0 => writeln!(text, "no session is awake or watched"),
        shown if shown < *total => writeln!(text, "… {} more: --limit {total}", total - shown),
        _ => Ok(()),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::{
        frame::Status,
        id::{Epoch, PartId, RunId, Seq, UserId},
    };
    use uuid::Uuid;

    fn live(run: Option<RunId>) -> LiveSession {
        LiveSession {
            session: SessionId::new(Uuid::from_u128(1)),
            user: UserId::new(Uuid::from_u128(2)),
            epoch: Epoch(1),
            head: Seq(41),
            status: Status::Running,
            run,
            watchers: 2,
            awake: true,
        }
    }

    #[test]
    fn sessions_are_listed_with_what_they_do() {
        let none = LiveSessions { total: 0, sessions: vec![] };
        assert_eq!(listed(&none), "no session is awake or watched\n");
        let run = RunId::new(Uuid::from_u128(3));
        let some = LiveSessions { total: 5, sessions: vec![live(Some(run))] };
        let text = listed(&some);
        let [session, more] = &*text.lines().collect::<Vec<_>>() else { panic!("{text}") };
        for part in ["ses_", "awake", "running", "head 41", "watchers 2", "usr_", "run_"] {
            assert!(session.contains(part), "{part} in {session}");
        }
        assert_eq!(*more, "… 4 more: --limit 5");
    }

    #[test]
    fn a_terminal_gets_no_escape_sequences_of_a_session() {
        let part = PartId(1);
        let event = Event::TextDelta { part, text: "a\u{1b}[2J\nb".into() };
        let told = told(&Entry { seq: Seq(7), ts: 0, event });
        assert_eq!(told, "      7 text.delta         \"a\\u{1b}[2J\\nb\"");
    }
}
