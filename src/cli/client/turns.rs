//! `greenroom client turns` and `replay`: a session's past.

use super::{
    account::Account,
    args::{ReplayArgs, TurnsArgs},
    checkout::check_out,
    driver::{Driver, Happening, describe},
    folder::Folder,
    remote::parse_oid,
    render::Renderer,
    sessions::SessionFiles,
};
use crate::{
    cli::{args::Output, output},
    failure::Failure,
    utc::Utc,
};
use greenroom_protocol::{
    event::{Event, Outcome},
    frame::{After, Ev},
    id::{RunId, Seq, SessionId},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A place to go back to: the end of a run, or of a rollback.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Place {
    /// Its last entry.
    seq: Seq,
    /// When, in milliseconds since 1970.
    ts: u64,
    /// How a run ended; none: a rollback, or the beginning of a fork.
    outcome: Option<&'static str>,
    /// Git id of the head of files.
    commit: Option<String>,
    /// What was asked for.
    what: String,
}

/// Finds the places of a log.
#[derive(Debug, Default)]
struct Places {
    found: Vec<Place>,
    prompts: BTreeMap<RunId, String>,
    /// What the runs that asked were about, by the number of the request.
    asked: BTreeMap<u32, String>,
    commit: Option<String>,
}

impl Places {
    fn apply(&mut self, ev: &Ev) {
        let (outcome, what) = if let Event::InputUser { run, text, answers, .. } = &ev.event {
            let about = answers.and_then(|request| self.asked.get(&request));
            let what = match about {
                Some(about) if text.is_empty() => about.clone(),
                Some(about) => format!("{about} ({text})"),
                None => text.clone(),
            };
            self.prompts.insert(*run, what);
            return;
        } else if let Event::InputRequested { request, run, .. } = &ev.event {
            let about = self.prompts.get(run).cloned().unwrap_or_default();
            self.asked.insert(*request, about);
            return;
        } else if let Event::RunFinished { outcome: Outcome::Steered, .. } = &ev.event {
            return; // it is part of the turn that took it up
        } else if let Event::FilesCommitted { commit, .. } = &ev.event {
            self.commit = Some(commit.clone());
            return;
        } else if let Event::RunFinished { run, outcome, .. } = &ev.event {
            (Some(outcome.name()), self.prompts.remove(run).unwrap_or_default())
        } else if let Event::SessionRolledBack { to, commit, .. } = &ev.event {
            self.commit.clone_from(commit);
            (None, format!("(rolled back to entry {to})"))
        } else if let Event::SessionForked { parent, at, commit, .. } = &ev.event {
            self.commit.clone_from(commit);
            (None, format!("(forked from {parent} at entry {at})"))
        } else {
            return;
        };
        let commit = self.commit.clone();
        self.found.push(Place { seq: ev.seq, ts: ev.ts, outcome, commit, what });
    }
}

pub(super) async fn turns(account: Account, args: TurnsArgs) -> Result<(), Failure> {
    let mut places = Places::default();
    let mut driver = Driver::start(account).await?;
    read(&mut driver, args.session, None, &mut |ev| {
        places.apply(ev);
        Ok(())
    })
    .await?;
    driver.close().await;
    match args.output {
        Output::Text => output::out(table(&places.found)),
        Output::Json => output::line(serde_json::json!(places.found)),
    }
}

fn table(places: &[Place]) -> String {
    let line = |place: &Place| {
        let commit: String = place.commit.as_deref().unwrap_or("-").chars().take(10).collect();
        let what = place.what.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let (at, what) = (Utc::of_ms(place.ts).to_seconds(), output::clean(what));
        let outcome = place.outcome.unwrap_or("-");
        format!("{:>7}  {at}  {outcome:<11}  {commit:<10}  {what}\n", place.seq)
    };
    if places.is_empty() { "no turns yet\n".to_owned() } else { places.iter().map(line).collect() }
}

pub(super) async fn replay(account: Account, args: ReplayArgs) -> Result<(), Failure> {
    let ReplayArgs { session, at, out, force } = args;
    let mut driver = Driver::start(account).await?;
    let mut renderer = Renderer::new(out.is_none(), true);
    let mut places = Places::default();
    let mut print = |ev: &Ev| {
        places.apply(ev);
        output::out(renderer.event(&ev.event))
    };
    let last = read(&mut driver, session, at, &mut print).await?;
    if let Some(out) = out {
        let Some(commit) = &places.commit else {
            driver.close().await;
            return Err(Failure::Failed(format!("nothing was committed by entry {last}")));
        };
        let mut folder = Folder::open(&out, session, force)?;
        let mut see = |_| {};
        let mut source = SessionFiles { driver: &mut driver, session, see: &mut see };
        let kept = check_out(&mut source, &mut folder, parse_oid(commit)?).await?;
        for path in kept {
            output::line(output::clean(&format!("{path} stays as you changed it")))?;
        }
        output::line(format_args!("{} holds commit {commit}, of entry {last}", out.display()))?;
    }
    driver.close().await;
    Ok(())
}

/// Reads a log from its start to an entry, or to its head; the last entry read.
async fn read(
    driver: &mut Driver,
    session: SessionId,
    until: Option<Seq>,
    seen: &mut dyn FnMut(&Ev) -> Result<(), Failure>,
) -> Result<Seq, Failure> {
    driver.attach(session, After::Start);
    let mut last = Seq::START;
    loop {
        match driver.next().await? {
            Happening::Event(ev) => {
                // A delta that was merged for a slow reader may reach a little further.
                last = ev.seq;
                seen(&ev)?;
                if until.is_some_and(|until| last >= until) {
                    return Ok(last);
                }
            }
            Happening::CaughtUp => match until {
                None => return Ok(last),
                Some(until) => {
                    let what = format!("entry {until} is not in the log, which ends at {last}");
                    return Err(Failure::Usage(what));
                }
            },
            Happening::Notice(error) => return Err(Failure::Failed(describe(&error))),
            Happening::Detached(detached) if detached.retry_after_ms.is_none() => {
                return Err(Failure::Failed(format!("the server ended it: {:?}", detached.reason)));
            }
            Happening::Ready
            | Happening::Lost(_)
            | Happening::Attached(_)
            | Happening::Detached(_)
            | Happening::Answered(..) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::{
        id::{Channel, CommandId, UserId},
        plan::InputKind,
    };
    use uuid::Uuid;

    #[test]
    fn places_are_the_ends_of_runs_and_rollbacks_with_their_files() {
        let (run, nil) = (RunId::new(Uuid::nil()), Uuid::nil());
        let (by, cid) = (UserId::new(nil), CommandId::new(nil));
        let events = [
            Event::InputUser {
                run,
                cid,
                by,
                text: "\n a page\nnice".into(),
                model: None,
                plan: false,
                steers: None,
                answers: None,
            },
            Event::FilesCommitted { run, commit: "c1".into(), added: 1, changed: 0, removed: 0 },
            Event::RunFinished { run, outcome: Outcome::Completed, error: None },
            Event::SessionRolledBack {
                by,
                cid,
                to: Seq(1),
                files: None,
                commit: Some("c2".into()),
                turns: String::new(),
            },
        ];
        let mut places = Places::default();
        for (seq, event) in (1..).map(Seq).zip(events) {
            places.apply(&Ev { ch: Channel(1), seq, from: None, ts: 0, event });
        }
        assert_eq!(
            table(&places.found),
            "      3  1970-01-01T00:00:00Z  completed    c1           a page\n      \
             4  1970-01-01T00:00:00Z  -            c2          (rolled back to entry 1)\n"
        );
    }
    #[test]
    fn a_turn_that_goes_on_says_what_it_is_about_and_what_it_took_up_is_none_of_its_own() {
        let (nil, run) = (Uuid::nil(), |n| RunId::new(Uuid::from_u128(n)));
        let said = |n, text: &str, steers, answers| Event::InputUser {
            run: run(n),
            cid: CommandId::new(nil),
            by: UserId::new(nil),
            text: text.into(),
            model: None,
            plan: false,
            steers,
            answers,
        };
        let ends = |n, outcome| Event::RunFinished { run: run(n), outcome, error: None };
        let asked = Event::InputRequested {
            request: 1,
            run: run(1),
            kind: InputKind::Plan,
            text: String::new(),
            questions: Vec::new(),
        };
        let events = [
            said(1, "a shop", None, None),
            asked,
            ends(1, Outcome::Completed),
            said(2, "in blue", None, Some(1)),
            said(3, "for tea", Some(run(2)), None),
            ends(3, Outcome::Steered),
            ends(2, Outcome::Completed),
        ];
        let mut places = Places::default();
        for (seq, event) in (1..).map(Seq).zip(events) {
            places.apply(&Ev { ch: Channel(1), seq, from: None, ts: 0, event });
        }
        let found: Vec<_> = places.found.iter().map(|at| (at.seq, at.what.as_str())).collect();
        assert_eq!(found, [(Seq(3), "a shop"), (Seq(7), "a shop (in blue)")]);
    }
}
