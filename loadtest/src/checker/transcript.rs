//! Every client's transcript against the log.

use super::{
    history::{Seen, SessionHistory, Transcript},
    violation::{Rule, Violation},
};
use greenroom_protocol::{frame::Entry, id::Seq};

/// Compares all transcripts of a session with its log, and the log with itself after a restart.
pub(super) fn check(session: &SessionHistory, found: &mut Vec<Violation>) {
    let id = session.session;
    let mut wrong = |rule, what| found.push(Violation::new(rule, id, what));
    for transcript in &session.transcripts {
        let name = &transcript.name;
        if transcript.epoch != session.epoch {
            let what = format!("{name} saw {:?}, the log is {:?}", transcript.epoch, session.epoch);
            wrong(Rule::OneEpoch, what);
        }
        if let Err((rule, what)) = follows(transcript, &session.log) {
            wrong(rule, format!("{name}: {what}"));
        }
        let head = session.log.last().map_or(Seq::START, |entry| entry.seq);
        if transcript.last() < head {
            wrong(
                Rule::Complete,
                format!("{name} ends at {}, the log at {head}", transcript.last()),
            );
        }
    }
    if let Some(later) = &session.log_after_restart {
        let kept = later.get(..session.log.len());
        if kept != Some(session.log.as_slice()) {
            let same = session.log.iter().zip(later).take_while(|(a, b)| a == b).count();
            wrong(
                Rule::Durable,
                format!(
                    "after a restart the log of {} entries has {} and differs from entry {} on",
                    session.log.len(),
                    later.len(),
                    same + 1
                ),
            );
        }
    }
}

/// Whether each item is the log's entry, or the entries that it merges.
fn follows(transcript: &Transcript, log: &[Entry]) -> Result<(), (Rule, String)> {
    let mut last = transcript.after;
    for seen in &transcript.items {
        if seen.from != last.next() {
            return Err((Rule::NoHole, format!("after {last} came {}", seen.from)));
        }
        last = seen.seq;
        let entries = entries(log, seen).ok_or_else(|| {
            (
                Rule::SameForAll,
                format!(
                    "entries {} to {} were delivered and are not in the log",
                    seen.from, seen.seq
                ),
            )
        })?;
        if !is_same(seen, entries) {
            let what = format!(
                "entry {} was delivered as {:?}, the log says {entries:?}",
                seen.seq, seen.event
            );
            return Err((Rule::SameForAll, what));
        }
    }
    Ok(())
}

fn entries<'a>(log: &'a [Entry], seen: &Seen) -> Option<&'a [Entry]> {
    let from = usize::try_from(seen.from.0.checked_sub(1)?).ok()?;
    log.get(from..usize::try_from(seen.seq.0).ok()?).filter(|entries| !entries.is_empty())
}

fn is_same(seen: &Seen, entries: &[Entry]) -> bool {
    let Some((first, rest)) = entries.split_first() else { return false };
    let mut event = first.event.clone();
    let joined = rest.iter().all(|entry| event.join(entry.event.clone(), usize::MAX).is_ok());
    joined && event == seen.event && (!rest.is_empty() || first.ts == seen.ts)
}
