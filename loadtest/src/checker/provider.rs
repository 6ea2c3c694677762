//! What the provider was asked and what it sent, against the log.

use super::{
    commands::calls,
    history::{History, SessionHistory},
    story::{RunStory, Story},
    tree,
    violation::{Rule, Violation},
};
use crate::provider::{AppCall, Call, End, app};
use greenroom_protocol::event::Outcome;

/// Checks the provider's calls for all runs of a session.
pub(super) fn check(
    session: &SessionHistory,
    story: &Story,
    history: &History,
    found: &mut Vec<Violation>,
) {
    let mut wrong = |rule, what| found.push(Violation::new(rule, session.session, what));
    for run in story.runs.iter().filter(|run| tree::seed(run.model.as_deref()).is_some()) {
        let calls = calls(run, history);
        for call in &calls {
            if let Err(what) = check_prompt(run, call) {
                wrong(Rule::RightPrompt, what);
            }
        }
        if let Err(what) = check_words(run, &calls) {
            wrong(Rule::RightText, what);
        }
    }
}

/// Whether a call shows the right files and words.
fn check_prompt(run: &RunStory, call: &Call) -> Result<(), String> {
    let id = run.run;
    if let Some(refused) = &call.refused {
        return Err(format!("{id}: the provider refused the prompt: {refused}"));
    }
    let Some(app) = &call.app else { return Ok(()) };
    if app.request != run.text.trim_end_matches('\n') {
        return Err(format!(
            "{id}: the provider was asked {:?} instead of {:?}",
            app.request, run.text
        ));
    }
    if app.files != run.base {
        let [got, expected] = [&app.files, &run.base].map(|files| files.keys().collect::<Vec<_>>());
        return Err(format!(
            "{id}: the prompt shows other files than those committed: {got:?} for {expected:?}"
        ));
    }
    Ok(())
}

/// Whether each attempt's words are the beginning of what a call of its turn sent.
fn check_words(run: &RunStory, calls: &[&Call]) -> Result<(), String> {
    let mut left = calls.iter();
    let mut last = None;
    for (number, attempt) in run.attempts.iter().enumerate() {
        let words = squeezed(&attempt.words);
        if words.is_empty() {
            last = None;
            continue;
        }
        last = left.find(|call| {
            call.app.as_ref().is_some_and(|app| sent_words(app, call).starts_with(&words))
        });
        if last.is_none() {
            return Err(format!(
                "{}: attempt {} says what no call of its turn sent: {:?}",
                run.run,
                number + 1,
                attempt.words
            ));
        }
    }
    let completed = matches!(run.end, Some((Outcome::Completed, ..)));
    if completed && let (Some(call), Some(attempt)) = (last, run.attempts.last()) {
        let whole = call.end == Some(End::Done)
            && call
                .app
                .as_ref()
                .is_some_and(|app| sent_words(app, call) == squeezed(&attempt.words));
        if !whole {
            return Err(format!(
                "{}: completed with only a part of the words that were sent",
                run.run
            ));
        }
    }
    Ok(())
}

/// The words within what a call has sent.
fn sent_words(app: &AppCall, call: &Call) -> String {
    let bytes = usize::try_from(call.bytes).unwrap_or(usize::MAX);
    let sent = app.answer.get(..app.answer.floor_char_boundary(bytes)).unwrap_or_default();
    squeezed(&app::prose(sent, &app.tag))
}

/// A text without its white space: how blank lines around files are shown is the server's choice.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}
