//! A session's log as the dialect tells it: entries in, messages out. Pure.
//!
//! A log is told to whoever asked: the runs that this socket's commands started, and what came of
//! them. Runs of other sockets are passed over, and so is what happened before.

use super::{job::Job, message::Message, page::Page, refusal::Kind, stage::Stage};
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Notice, Outcome},
    id::{CommandId, RunId, SessionId},
    plan::InputKind,
};
use std::collections::BTreeMap;

/// What a project's log has become so far.
#[derive(Debug)]
pub(super) struct Renderer {
    project: SessionId,
    /// The command of this socket that created the project.
    creation: Option<CommandId>,
    /// Requests whose command was sent and is in no entry yet.
    sent: BTreeMap<CommandId, Job>,
    /// Requests by the run that serves them.
    jobs: BTreeMap<RunId, Job>,
    /// The run that speaks.
    speaking: Option<RunId>,
    /// What waits for a person.
    waiting: Option<Waiting>,
    /// A request whose plan waits for approval, and the number of that.
    planned: Option<(u32, Job)>,
}

/// A request for input that nobody has answered.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    request: u32,
    run: RunId,
    kind: InputKind,
}

impl Renderer {
    /// The renderer of a project that exists, or that this command creates.
    pub(super) const fn new(project: SessionId, creation: Option<CommandId>) -> Self {
        Self {
            project,
            creation,
            sent: BTreeMap::new(),
            jobs: BTreeMap::new(),
            speaking: None,
            waiting: None,
            planned: None,
        }
    }

    /// A command is sent that asks for something.
    pub(super) fn expect(&mut self, cid: CommandId, kind: Kind) {
        self.sent.insert(cid, Job::new(kind));
    }

    /// A command was refused; which message had asked.
    pub(super) fn refused(&mut self, cid: CommandId) -> Option<Kind> {
        self.sent.remove(&cid).map(|job| job.kind())
    }

    /// Number of the questions that wait for an answer.
    pub(super) fn questions(&self) -> Option<u32> {
        self.waiting
            .filter(|waiting| waiting.kind == InputKind::Question)
            .map(|waiting| waiting.request)
    }

    /// Number of the plan that is to be approved: the dialect has no word for it.
    pub(super) fn plan(&self) -> Option<u32> {
        self.planned.as_ref().map(|(request, _)| *request)
    }

    /// That plan is approved by this command.
    pub(super) fn approve(&mut self, cid: CommandId) {
        if let Some((_, job)) = self.planned.take() {
            self.sent.insert(cid, job);
        }
    }

    /// Whether nothing that was asked for is under way.
    pub(super) fn is_done(&self) -> bool {
        self.sent.is_empty() && self.jobs.is_empty() && self.planned.is_none()
    }

    /// Tells an entry, or several adjacent deltas as one; `ts` is when it was accepted.
    pub(super) fn entry(&mut self, ts: u64, event: &Event) -> Vec<Message> {
        let mut page = Page::new(ts, self.project);
        if let Event::Notice { notice: Notice::SessionCreated, cid: Some(cid), .. } = event
            && Some(*cid) == self.creation
        {
            let (project_id, timestamp) = (self.project, page.at);
            page.push(Message::ProjectCreated { project_id, timestamp });
        } else if let Event::InputUser { run, cid, .. } = event {
            self.accepted(*run, *cid, &mut page);
        } else if let Event::RunStarted { run, .. } | Event::RunRecovering { run, .. } = event {
            self.speaking = Some(*run);
        } else if let Event::InputRequested { request, run, kind, text, questions } = event {
            self.waiting = Some(Waiting { request: *request, run: *run, kind: *kind });
            if let (InputKind::Question, Some(job)) = (*kind, self.jobs.get_mut(run)) {
                job.ask(text, questions, &mut page);
            }
        } else if let Event::InputResolved { .. } = event {
            self.waiting = None;
        } else if let Event::RunFinished { run, outcome, error } = event {
            self.finished(*run, *outcome, error.as_ref(), &mut page);
        }
        if let Some(job) = self.speaking.and_then(|run| self.jobs.get_mut(&run)) {
            job.entry(event, &mut page);
        }
        page.messages
    }

    fn accepted(&mut self, run: RunId, cid: CommandId, page: &mut Page) {
        if let Some(mut job) = self.sent.remove(&cid) {
            job.reach(Stage::Orchestration, page);
            self.jobs.insert(run, job);
        }
    }

    fn finished(
        &mut self,
        run: RunId,
        outcome: Outcome,
        error: Option<&ErrorBody>,
        page: &mut Page,
    ) {
        self.speaking = self.speaking.filter(|speaking| *speaking != run);
        let Some(job) = self.jobs.remove(&run) else { return };
        match (outcome, self.waiting) {
            (Outcome::Completed, Some(Waiting { request, run: by, kind: InputKind::Plan }))
                if by == run =>
            {
                self.planned = Some((request, job));
            }
            (Outcome::Completed, _) => job.complete(page),
            (Outcome::Cancelled | Outcome::Failed | Outcome::Interrupted | Outcome::Steered, _) => {
                job.fail(outcome, error, page);
            }
        }
    }
}

#[cfg(test)]
mod tests;
