//! Every command against its effect.

use super::{
    history::{Cancel, Given, History, SessionHistory, Start, Target},
    story::{RunStory, Story},
    violation::{Rule, Violation},
};
use crate::provider::{Call, End};
use greenroom_protocol::{error::Reason, event::Outcome, method::RunCancelled};

/// How long a cancel may take to reach the provider, in microseconds.
const CANCEL_US_MAX: u64 = 1_000_000;

/// Checks all commands of a session.
pub(super) fn check(
    session: &SessionHistory,
    story: &Story,
    history: &History,
    found: &mut Vec<Violation>,
) {
    let mut wrong = |rule, what| found.push(Violation::new(rule, session.session, what));
    for start in &session.starts {
        let run = story.runs.iter().find(|run| run.cid == start.cid);
        if let Err((rule, what)) = check_start(start, run) {
            wrong(rule, what);
        }
    }
    for run in &story.runs {
        if !session.starts.iter().any(|start| start.cid == run.cid) {
            wrong(Rule::OneEffect, format!("{} answers {}, which nobody sent", run.run, run.cid));
        }
        if let Err(what) = check_end(run, session, history) {
            wrong(Rule::RightEnd, what);
        }
    }
    for cancel in &session.cancels {
        let run = story.runs.iter().find(|run| is_target(cancel, run));
        if let (Some(run), Some((answered_us, result))) = (run, cancel.answer)
            && let Err(what) = check_cancel(answered_us, result, run, history)
        {
            wrong(Rule::CancelReaches, what);
        }
    }
}

fn is_target(cancel: &Cancel, run: &RunStory) -> bool {
    match cancel.target {
        Target::Run(id) => run.run == id,
        Target::Start(cid) => run.cid == cid,
    }
}

fn check_start(start: &Start, run: Option<&RunStory>) -> Result<(), (Rule, String)> {
    let cid = start.cid;
    let mut accepted = None;
    let mut firsts = 0;
    for answer in &start.answers {
        let Given::Accepted { run, seq, duplicate } = answer else { continue };
        firsts += u32::from(!duplicate);
        if *accepted.get_or_insert((*run, *seq)) != (*run, *seq) {
            return Err((
                Rule::OneEffect,
                format!("{cid} was accepted as {accepted:?} and as {run} at entry {seq}"),
            ));
        }
    }
    if firsts > 1 {
        return Err((Rule::OneEffect, format!("{cid} was taken for new {firsts} times")));
    }
    let refused = start.answers.iter().find_map(|answer| match answer {
        Given::Refused(error) => Some(error.reason),
        Given::Accepted { .. } | Given::Unknown => None,
    });
    match (accepted, run) {
        (Some(answer), Some(run)) if answer == (run.run, run.seq) => {}
        (Some((run, seq)), None) => {
            return Err((
                Rule::AnswersAreTrue,
                format!("{cid} was accepted as {run} at entry {seq}, the log has nothing of it"),
            ));
        }
        (Some(answer), Some(run)) => {
            let what = format!(
                "{cid} was accepted as {answer:?}, the log has {} at entry {}",
                run.run, run.seq
            );
            return Err((Rule::AnswersAreTrue, what));
        }
        (None, Some(run)) => {
            if let Some(reason) = refused {
                return Err((
                    Rule::AnswersAreTrue,
                    format!("{cid} was refused ({reason:?}) and is {} in the log", run.run),
                ));
            }
        }
        (None, None) => {}
    }
    match run {
        Some(run) if run.text != start.text || run.model != start.model => {
            let what = format!(
                "{cid} said {:?} to {:?}, the log has {:?} to {:?}",
                start.text, start.model, run.text, run.model
            );
            Err((Rule::AnswersAreTrue, what))
        }
        _ => Ok(()),
    }
}

/// Whether a run ended in a way that something outside explains.
fn check_end(run: &RunStory, session: &SessionHistory, history: &History) -> Result<(), String> {
    let Some((outcome, error, ended_us)) = &run.end else { return Ok(()) }; // named elsewhere
    let id = run.run;
    let named = |cancel: &Cancel| is_target(cancel, run);
    let calls = calls(run, history);
    match outcome {
        Outcome::Completed => {
            if calls.last().is_some_and(|call| call.end == Some(End::Done)) {
                Ok(())
            } else {
                Err(format!(
                    "{id} is completed, though the provider's last call of it was not: {}",
                    shown(&calls)
                ))
            }
        }
        // A cancel whose answer was lost is not in the list: then any start of the session counts.
        Outcome::Cancelled
            if session.cancels.iter().any(named) || !history.downtimes.is_empty() =>
        {
            Ok(())
        }
        Outcome::Cancelled => Err(format!("{id} is cancelled and nobody asked for it")),
        Outcome::Steered if !calls.is_empty() => {
            Err(format!("{id} was taken up by another run, and called: {}", shown(&calls)))
        }
        Outcome::Interrupted | Outcome::Steered => Ok(()),
        Outcome::Failed => {
            let reason = error.as_ref().map(|error| error.reason);
            let faulted = calls.iter().any(|call| call.fault.is_some());
            let kills = history.kills(run.accepted_us, ended_us.saturating_add(999));
            match reason {
                Some(Reason::OwnerLost) if kills + 1 >= 3 => Ok(()),
                Some(Reason::OwnerLost) => {
                    Err(format!("{id} lost its owner after {kills} kills: {error:?}"))
                }
                Some(_) if faulted => Ok(()),
                None => Err(format!("{id} failed and says not why")),
                Some(_) => Err(format!(
                    "{id} failed and no fault was played: {error:?}; its calls: {}",
                    shown(&calls)
                )),
            }
        }
    }
}

/// How calls ended, for a person.
fn shown(calls: &[&Call]) -> String {
    let shown = |call: &&Call| serde_json::to_string(call).unwrap_or_default();
    calls.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A run's calls to the provider, in the order of their beginning.
pub(super) fn calls<'a>(run: &RunStory, history: &'a History) -> Vec<&'a Call> {
    let id = run.run.to_string();
    history.calls.iter().filter(|call| call.run.as_deref() == Some(&id)).collect()
}

/// Whether an answered cancel closed the provider's call, in time and for good.
fn check_cancel(
    answered_us: u64,
    result: RunCancelled,
    run: &RunStory,
    history: &History,
) -> Result<(), String> {
    let id = run.run;
    if let Some(named) = result.run.filter(|named| *named != id) {
        return Err(format!("the cancel of {id} was answered for {named}"));
    }
    if !result.active {
        return Ok(()); // it came too late, or named what had ended
    }
    let late_us = answered_us + CANCEL_US_MAX;
    let calls = calls(run, history);
    for call in &calls {
        if call.start_us > late_us {
            return Err(format!(
                "{id} was cancelled and called the provider {} ms later",
                ms_after(answered_us, call.start_us)
            ));
        }
        let open_us = if call.end_us == 0 { u64::MAX } else { call.end_us };
        if open_us > late_us && !history.was_down(answered_us, late_us) {
            return Err(format!(
                "{id} was cancelled, its call stayed open for {} ms",
                ms_after(answered_us, open_us)
            ));
        }
    }
    match &run.end {
        Some((Outcome::Completed, ..))
            if calls.last().is_none_or(|call| call.end != Some(End::Done)) =>
        {
            Err(format!("{id} was cancelled while its call was open and is completed"))
        }
        _ => Ok(()),
    }
}

const fn ms_after(early_us: u64, late_us: u64) -> u64 {
    late_us.saturating_sub(early_us) / 1000
}
