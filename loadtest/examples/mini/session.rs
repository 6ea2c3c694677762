//! A session: its log in a file, and what follows from it.

use crate::{Server, plant::Plant, run};
use anyhow::{Context, Result};
use greenroom_loadtest::{
    clock,
    provider::{
        app::{self, Step},
        prompt::Tree,
    },
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Notice, Outcome},
    frame::{Entry, OpenRun, Status, entry_rest},
    id::{CommandId, Epoch, PartId, RunId, Seq, SessionId},
    method::{OnBusy, RunAccepted, RunCancelled, RunStart, SessionInfo},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::{File, OpenOptions},
    io::Write,
    rc::Rc,
    time::Duration,
};
use tokio::{sync::watch, task::spawn_local, time};
use tokio_util::sync::CancellationToken;

/// A session.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) epoch: Epoch,
    pub(crate) owner: String,
    pub(crate) head: watch::Sender<u64>,
    pub(crate) state: RefCell<State>,
    plant: Option<Plant>,
}

/// What follows from a session's log.
pub(crate) struct State {
    file: File,
    pub(crate) log: Vec<Entry>,
    pub(crate) tree: Tree,
    pub(crate) is_committed: bool,
    pub(crate) runs: BTreeMap<RunId, Run>,
    queue: VecDeque<RunId>,
    pub(crate) active: Option<RunId>,
    cancelled_before: BTreeSet<CommandId>,
    pub(crate) part: PartId,
}

/// A run.
pub(crate) struct Run {
    cid: CommandId,
    seq: Seq,
    pub(crate) text: String,
    pub(crate) model: String,
    pub(crate) attempt: u32,
    pub(crate) steps: Vec<Step>,
    /// The part that is open: its number, its first entry, a file's path and text.
    open: Option<(PartId, Seq, Option<String>, String)>,
    pub(crate) cancel: CancellationToken,
    pub(crate) cancel_requested: bool,
    pub(crate) interrupted: bool,
    pub(crate) done: bool,
}

/// Loads all sessions and goes on with their runs.
pub(crate) fn load_all(server: &Rc<Server>) -> Result<()> {
    let starts = server.folder.join("starts");
    let count = std::fs::read_to_string(&starts).map_or(0, |text| text.len() as u64) + 1;
    OpenOptions::new().create(true).append(true).open(&starts)?.write_all(b"x")?;
    let epoch = if server.plant == Some(Plant::EpochRaisedAtRestart) { count } else { 1 };
    for file in std::fs::read_dir(&server.folder)? {
        let path = file?.path();
        let Some(id) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else {
            continue;
        };
        let text = std::fs::read_to_string(&path)?;
        let (owner, rests) = text.split_once('\n').unwrap_or((&text, ""));
        let session = open(server, id, owner, Epoch(epoch))?;
        for line in rests.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            session.state.borrow_mut().replay(Entry::from_rest(line.trim_end())?);
        }
        if server.plant == Some(Plant::SegmentBeforeDurable) {
            session.state.borrow_mut().log.pop();
        }
        session.head.send_replace(session.state.borrow().log.len() as u64);
        run::recover(server, &session);
    }
    Ok(())
}

fn open(server: &Rc<Server>, id: SessionId, owner: &str, epoch: Epoch) -> Result<Rc<Session>> {
    let file =
        OpenOptions::new().create(true).append(true).open(server.folder.join(id.to_string()))?;
    let state = State {
        file,
        log: Vec::new(),
        tree: Tree::new(),
        is_committed: false,
        runs: BTreeMap::new(),
        queue: VecDeque::new(),
        active: None,
        cancelled_before: BTreeSet::new(),
        part: PartId(1),
    };
    let session = Rc::new(Session {
        id,
        epoch,
        owner: owner.to_owned(),
        head: watch::Sender::new(0),
        state: RefCell::new(state),
        plant: server.plant,
    });
    server.sessions.borrow_mut().insert(id, Rc::clone(&session));
    Ok(session)
}

/// Creates a session; true: it was there.
pub(crate) fn create(
    server: &Rc<Server>,
    id: SessionId,
    owner: &str,
    title: &str,
) -> Result<(Rc<Session>, bool)> {
    if let Some(session) = server.sessions.borrow().get(&id) {
        return Ok((Rc::clone(session), true));
    }
    let session = open(server, id, owner, Epoch(1))?;
    session.state.borrow_mut().file.write_all(format!("{owner}\n").as_bytes())?;
    let notice = Notice::SessionCreated;
    session.append(Event::Notice {
        notice,
        by: None,
        cid: None,
        run: None,
        start_cid: None,
        message: title.into(),
    });
    Ok((session, false))
}

impl Session {
    /// Writes an entry, then tells everybody.
    pub(crate) fn append(self: &Rc<Self>, event: Event) {
        let mut state = self.state.borrow_mut();
        let seq = Seq(state.log.len() as u64 + 1);
        let ts = clock::now_us() / 1000;
        let line = entry_rest(seq, ts, &event).unwrap_or_default() + "\n";
        if self.plant == Some(Plant::DeliverBeforeCommit) {
            let session = Rc::clone(self);
            spawn_local(async move {
                time::sleep(Duration::from_millis(40)).await;
                let _ = session.state.borrow_mut().file.write_all(line.as_bytes());
            });
        } else if state.file.write_all(line.as_bytes()).is_err() {
            return; // nothing durable: nobody is told
        }
        state.replay(Entry { seq, ts, event });
        self.head.send_replace(seq.0);
    }

    pub(crate) fn info(&self) -> SessionInfo {
        let state = self.state.borrow();
        let open =
            state.active.and_then(|run| Some(OpenRun { run, cid: state.runs.get(&run)?.cid }));
        SessionInfo {
            session: self.id,
            epoch: self.epoch,
            head: Seq(state.log.len() as u64),
            title: String::new(),
            status: if open.is_some() { Status::Running } else { Status::Idle },
            run: open,
            commit: None,
            created_at: 0,
            parent: None,
            request: None,
        }
    }

    /// Accepts a run; the answer, and whether it was given before. None: busy.
    pub(crate) fn start(
        self: &Rc<Self>,
        cid: CommandId,
        start: RunStart,
    ) -> Option<(RunAccepted, bool)> {
        let known = self.state.borrow().runs.iter().find_map(|(run, known)| {
            let dedupe = known.cid == cid && self.plant != Some(Plant::SkipDedupe);
            dedupe.then_some(RunAccepted { run: *run, seq: known.seq, queued: false })
        });
        if let Some(accepted) = known {
            return Some((accepted, true));
        }
        let busy = self.state.borrow().active.filter(|_| start.on_busy != OnBusy::Queue);
        if let Some(active) = busy {
            if start.on_busy == OnBusy::Reject {
                return None;
            }
            if let Some(run) = self.state.borrow_mut().runs.get_mut(&active) {
                run.interrupted = true;
                run.cancel.cancel();
            }
        }
        let run = RunId::new(uuid::Uuid::now_v7());
        let by = greenroom_protocol::id::UserId::new(uuid::Uuid::nil());
        self.append(Event::InputUser {
            run,
            cid,
            by,
            text: start.input,
            model: start.model,
            plan: false,
            steers: None,
            answers: None,
        });
        let accepted = RunAccepted { run, seq: self.info().head, queued: busy.is_some() };
        if self.state.borrow().cancelled_before.contains(&cid) {
            self.finish(run, Outcome::Cancelled);
        }
        Some((accepted, false))
    }

    /// Cancels what `wanted` names.
    pub(crate) fn cancel(
        self: &Rc<Self>,
        run: Option<RunId>,
        start_cid: Option<CommandId>,
    ) -> RunCancelled {
        let named = |(id, known): (&RunId, &Run)| {
            (Some(*id) == run || Some(known.cid) == start_cid).then_some((*id, known.done))
        };
        let found = self.state.borrow().runs.iter().find_map(named);
        let active = found.is_none_or(|(_, done)| !done);
        if active {
            let run = found.map(|(run, _)| run);
            let notice = Notice::CancelRequested;
            self.append(Event::Notice {
                notice,
                by: None,
                cid: None,
                run,
                start_cid,
                message: String::new(),
            });
            let state = self.state.borrow();
            if let Some(run) = run.and_then(|run| state.runs.get(&run))
                && self.plant != Some(Plant::CancelLost)
            {
                run.cancel.cancel();
            }
        }
        RunCancelled { run: found.map(|(run, _)| run), active }
    }

    pub(crate) fn finish(self: &Rc<Self>, run: RunId, outcome: Outcome) {
        let recovered = self.state.borrow().runs.get(&run).is_some_and(|run| run.attempt > 1);
        if self.plant == Some(Plant::TerminalEventLost) && recovered {
            self.state.borrow_mut().active = None;
            return;
        }
        let failed =
            ErrorBody::new(Code::Unavailable, Reason::ProviderFailed, "the provider failed");
        let error = (outcome == Outcome::Failed).then_some(failed);
        self.append(Event::RunFinished { run, outcome, error });
    }

    /// The next run that may begin.
    pub(crate) fn next_run(&self) -> Option<RunId> {
        let mut state = self.state.borrow_mut();
        if state.active.is_some() {
            return None;
        }
        let next = state.queue.pop_front()?;
        state.active = Some(next);
        Some(next)
    }
}

impl State {
    /// What follows from an entry.
    pub(crate) fn replay(&mut self, entry: Entry) {
        let seq = entry.seq;
        if let Some(part) = entry.event.part() {
            self.part = self.part.max(part.next());
        }
        let event = &entry.event;
        if let Event::InputUser { run, cid, text, model, .. } = event {
            self.accept(*run, *cid, seq, text, model.as_deref());
        } else if let Event::RunStarted { run, .. } = event {
            self.queue.retain(|queued| queued != run);
            self.active = Some(*run);
            self.with(*run, |run| run.attempt = 1);
        } else if let Event::RunRecovering { run, attempt, .. } = event {
            self.with(*run, |run| {
                run.attempt = *attempt;
                run.open = None;
            });
        } else if let Event::RunFinished { run, .. } = event {
            self.queue.retain(|queued| queued != run);
            self.active = self.active.filter(|active| active != run);
            self.with(*run, |run| run.done = true);
        } else if let Event::FilesCommitted { run, .. } = event {
            let steps = self.runs.get(run).map(|run| run.steps.clone()).unwrap_or_default();
            self.tree = app::apply(&steps, &self.tree);
            self.is_committed = true;
        } else if let Event::Notice { notice: Notice::CancelRequested, run, start_cid, .. } = event
        {
            self.cancelled_before.extend(start_cid);
            if let Some(run) = run {
                self.with(*run, |run| run.cancel_requested = true);
            }
        } else if let Some(run) = self.active {
            self.with(run, |run| run.part(seq, event));
        }
        self.log.push(entry);
    }

    fn accept(&mut self, id: RunId, cid: CommandId, seq: Seq, text: &str, model: Option<&str>) {
        self.queue.push_back(id);
        let run = Run {
            cid,
            seq,
            text: text.to_owned(),
            model: model.unwrap_or_default().to_owned(),
            attempt: 0,
            steps: Vec::new(),
            open: None,
            cancel: CancellationToken::new(),
            cancel_requested: false,
            interrupted: false,
            done: false,
        };
        self.runs.insert(id, run);
    }

    fn with(&mut self, run: RunId, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.runs.get_mut(&run) {
            change(run);
        }
    }
}

impl Run {
    /// The first entry of the open part.
    pub(crate) fn open_from(&self) -> Option<Seq> {
        self.open.as_ref().map(|(_, from, ..)| *from)
    }

    fn part(&mut self, seq: Seq, event: &Event) {
        if let Event::FileStart { part, path } = event {
            self.open = Some((*part, seq, Some(path.clone()), String::new()));
        } else if let Event::TextStart { part } = event {
            self.open = Some((*part, seq, None, String::new()));
        } else if let (Event::FileDelta { text, .. }, Some((.., content))) = (event, &mut self.open)
        {
            content.push_str(text);
        } else if let Event::FileDeleted { path } = event {
            self.steps.push(Step::Delete(path.clone()));
        } else if let Event::FileMoved { from, to } = event {
            self.steps.push(Step::Move(from.clone(), to.clone()));
        } else if matches!(event, Event::TextEnd { .. }) {
            self.open = None;
        } else if let Event::FileEnd { complete, .. } = event
            && let Some((_, _, Some(path), content)) = self.open.take()
            && *complete
        {
            self.steps.push(Step::Write { path, content });
        }
    }
}

/// One session of its owner.
pub(crate) fn get(server: &Server, id: SessionId, owner: &str) -> Result<Rc<Session>> {
    let sessions = server.sessions.borrow();
    sessions.get(&id).filter(|session| session.owner == owner).cloned().context("no such session")
}
