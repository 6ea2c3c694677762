//! A run: one call to the provider, its answer into the log.

use crate::{Server, parser::Parser, plant::Plant, session::Session};
use greenroom_loadtest::provider::{
    app::{self, Step},
    prompt::{Tree, quoted},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Outcome},
    id::RunId,
};
use serde_json::{Value, json};
use std::{fmt::Write, rc::Rc, time::Duration};
use tokio::{task::spawn_local, time};

const TAG: &str = "abc234";
/// Longest wait for more of an answer.
const PAUSE: Duration = Duration::from_secs(2);

/// Goes on with what a kill has left.
pub(crate) fn recover(server: &Rc<Server>, session: &Rc<Session>) {
    let active = session.state.borrow().active;
    let Some(run) = active else { return pump(server, session) };
    let (attempt, superseded_from, is_cancelled) = {
        let state = session.state.borrow();
        let Some(known) = state.runs.get(&run) else { return };
        (known.attempt + 1, known.open_from(), known.cancel_requested)
    };
    if is_cancelled || attempt > 3 {
        if is_cancelled {
            session.finish(run, Outcome::Cancelled);
        } else {
            let error = ErrorBody::new(Code::Unavailable, Reason::OwnerLost, "lost too often");
            let error = Some(error);
            session.append(Event::RunFinished { run, outcome: Outcome::Failed, error });
        }
        return pump(server, session);
    }
    session.append(Event::RunRecovering { run, attempt, superseded_from });
    spawn(server, session, run);
}

/// Begins the next run, if there is one and no other is under way.
pub(crate) fn pump(server: &Rc<Server>, session: &Rc<Session>) {
    if let Some(run) = session.next_run() {
        let (provider, model) = ("standin".to_owned(), String::new());
        session.append(Event::RunStarted { run, provider, model });
        spawn(server, session, run);
    }
}

fn spawn(server: &Rc<Server>, session: &Rc<Session>, run: RunId) {
    let (server, session) = (Rc::clone(server), Rc::clone(session));
    spawn_local(async move {
        let Some(cancel) = session.state.borrow().runs.get(&run).map(|run| run.cancel.clone())
        else {
            return;
        };
        let part = session.state.borrow().part;
        let mut parser = Parser::new(TAG, part);
        let answered =
            cancel.run_until_cancelled(answer(&server, &session, run, &mut parser)).await;
        end(&server, &session, run, &mut parser, answered);
        pump(&server, &session);
    });
}

/// Closes what is open, commits, and ends the run. `complete`: none: it was cancelled.
fn end(
    server: &Server,
    session: &Rc<Session>,
    run: RunId,
    parser: &mut Parser,
    complete: Option<bool>,
) {
    let mut events = Vec::new();
    let trusted = server.plant == Some(Plant::TruncatedFileCommitted);
    parser.finish(complete == Some(true), trusted, &mut events);
    for event in events {
        session.append(event);
    }
    let interrupted = session.state.borrow().runs.get(&run).is_some_and(|run| run.interrupted);
    let outcome = match complete {
        None if interrupted => Outcome::Interrupted,
        None => Outcome::Cancelled,
        Some(true) => Outcome::Completed,
        Some(false) => Outcome::Failed,
    };
    if complete == Some(true) || trusted {
        commit(session, run);
    }
    session.finish(run, outcome);
}

fn commit(session: &Rc<Session>, run: RunId) {
    let (before, after) = {
        let state = session.state.borrow();
        let steps = state.runs.get(&run).map(|run| run.steps.clone()).unwrap_or_default();
        (state.tree.clone(), app::apply(&steps, &state.tree))
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let changed =
        |(path, text): &(&String, &String)| before.get(*path).is_some_and(|old| old != *text);
    session.append(Event::FilesCommitted {
        run,
        commit: "0".repeat(40),
        added: count(after.keys().filter(|path| !before.contains_key(*path)).count()),
        changed: count(after.iter().filter(changed).count()),
        removed: count(before.keys().filter(|path| !after.contains_key(*path)).count()),
    });
}

/// Streams one answer into the log; whether it came to its end.
async fn answer(server: &Server, session: &Rc<Session>, run: RunId, parser: &mut Parser) -> bool {
    let (body, model) = {
        let state = session.state.borrow();
        let Some(known) = state.runs.get(&run) else { return false };
        let steps = (known.attempt > 1).then_some(known.steps.as_slice());
        (prompt(&state.tree, &known.text, steps), known.model.clone())
    };
    let system = format!("@@{TAG} write PATH");
    let body = json!({"model": model, "stream": true, "messages": [
        {"role": "system", "content": system}, {"role": "user", "content": body},
    ]});
    let url = format!("{}/chat/completions", server.provider);
    let post = server.http.post(url).header("x-greenroom-run", run.to_string());
    let Ok(mut response) = post.body(body.to_string()).send().await else { return false };
    if !response.status().is_success() {
        return false;
    }
    let mut rest = Vec::new();
    while let Ok(Ok(Some(part))) = time::timeout(PAUSE, response.chunk()).await {
        rest.extend_from_slice(&part);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Some(data) = line.strip_prefix(b"data: ") else { continue };
            if data.starts_with(b"[DONE]") {
                return true;
            }
            let Ok(chunk) = serde_json::from_slice::<Value>(data) else { return false };
            if chunk.get("error").is_some() {
                return false;
            }
            let text = chunk.pointer("/choices/0/delta/content").and_then(Value::as_str);
            let mut events = Vec::new();
            parser.push(text.unwrap_or_default(), &mut events);
            for event in events {
                session.append(event);
            }
        }
    }
    false
}

/// The last message: files, request, what is done.
fn prompt(tree: &Tree, request: &str, done: Option<&[Step]>) -> String {
    let mut text = String::new();
    if !tree.is_empty() {
        text.push_str("Current files:\n");
    }
    // Writing to a String cannot fail.
    for (path, content) in tree {
        let _ = write!(text, "@@{TAG} file {}\n{content}@@{TAG} end\n", quoted(path));
    }
    let _ = write!(text, "Request:\n{request}");
    let Some(steps) = done else { return text };
    text.push_str(
        "\nYour answer was cut off. These files of it are complete; do not write them again:\n",
    );
    for step in steps {
        let _ = match step {
            Step::Write { path, content } => {
                write!(text, "@@{TAG} done {}\n{content}@@{TAG} end\n", quoted(path))
            }
            Step::Delete(path) => writeln!(text, "@@{TAG} deleted {}", quoted(path)),
            Step::Move(from, to) => writeln!(text, "@@{TAG} moved {} {}", quoted(from), quoted(to)),
            Step::Say(_) => Ok(()),
        };
    }
    text + "Write the rest of the answer now."
}
