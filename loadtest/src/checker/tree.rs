//! The files: what runs wrote against what the provider sent, and against what can be read.

use super::{
    history::SessionHistory,
    story::{RunStory, Story},
    violation::{Rule, Violation},
};
use crate::provider::{
    app::{self, Step},
    model::{Behaviour, Model},
    prompt::Tree,
};
use greenroom_protocol::event::Outcome;

/// Checks all files of a session.
pub(super) fn check(session: &SessionHistory, story: &Story, found: &mut Vec<Violation>) {
    let mut wrong = |rule, what| found.push(Violation::new(rule, session.session, what));
    for run in &story.runs {
        if let Err(what) = check_run(run) {
            wrong(Rule::RightFiles, what);
        }
    }
    if session.commit != story.commit {
        let what = format!("files.list is at {:?}, the log at {:?}", session.commit, story.commit);
        wrong(Rule::SameTree, what);
    }
    let mut same = |whose: &str, files: &Tree| {
        if let Some(what) = difference(&story.tree, files) {
            wrong(Rule::SameTree, format!("{whose}: {what}"));
        }
    };
    same("files.get", &session.files);
    for transcript in &session.transcripts {
        if let Some(files) = &transcript.files {
            same(&transcript.name, files);
        }
    }
}

/// The seed of an `app` model.
pub(super) fn seed(model: Option<&str>) -> Option<String> {
    match model?.parse::<Model>().ok()?.behaviour {
        Behaviour::App { seed, .. } => Some(seed),
        Behaviour::Stamps { .. } | Behaviour::Replay { .. } => None,
    }
}

/// A run's steps are the first of what its answer holds, and all of them where it completed.
fn check_run(run: &RunStory) -> Result<(), String> {
    let Some(seed) = seed(run.model.as_deref()) else { return Ok(()) };
    let id = run.run;
    let plan = app::plan(&seed, &run.text, &run.base);
    let planned: Vec<_> = plan.iter().filter(|step| !matches!(step, Step::Say(_))).collect();
    for (at, step) in run.steps.iter().enumerate() {
        match planned.get(at) {
            Some(expected) if *expected == step => {}
            Some(Step::Write { path, content }) => {
                return Err(wrong_file(run, path, content, step));
            }
            expected => {
                return Err(format!("{id}: step {at} is {step:?}, the answer says {expected:?}"));
            }
        }
    }
    let completed = matches!(run.end, Some((Outcome::Completed, ..))) && !run.is_planning;
    if completed && run.steps.len() < planned.len() {
        let missing = planned.get(run.steps.len());
        return Err(format!("{id} is completed without {missing:?}"));
    }
    if completed && !run.committed && !planned.is_empty() {
        return Err(format!("{id} is completed, its files are not committed"));
    }
    Ok(())
}

fn wrong_file(run: &RunStory, path: &str, content: &str, step: &Step) -> String {
    let id = run.run;
    match step {
        Step::Write { path: other, content: got } if other == path => {
            let same = content.bytes().zip(got.bytes()).take_while(|(a, b)| a == b).count();
            format!(
                "{id}: {path} is called complete with {} bytes, the answer has {}; they differ at byte {same}",
                got.len(),
                content.len()
            )
        }
        Step::Say(_) | Step::Write { .. } | Step::Delete(_) | Step::Move(..) => {
            format!("{id}: expected {path}, found {step:?}")
        }
    }
}

/// The first difference between two trees.
fn difference(expected: &Tree, got: &Tree) -> Option<String> {
    let missing = expected.keys().find(|path| !got.contains_key(*path));
    let extra = got.keys().find(|path| !expected.contains_key(*path));
    let other = expected.iter().find(|(path, content)| got.get(*path) != Some(content));
    match (missing, extra, other) {
        (Some(path), ..) => Some(format!("{path} is missing")),
        (_, Some(path), _) => Some(format!("{path} should not be there")),
        (_, _, Some((path, content))) => {
            let len = got.get(path).map_or(0, String::len);
            Some(format!("{path} has {len} bytes instead of {}, or others", content.len()))
        }
        (None, None, None) => None,
    }
}
