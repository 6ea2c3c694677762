//! What a session decides. Pure: no I/O, no clock, no randomness.
//!
//! Entries take three steps: accepted (numbered, applied to the core), under way (one batch at
//! the lane), durable (published, answered). `R` is whom to answer.

mod branch;
mod input;
mod store;

use super::{
    answer::{Answer, Answered, RunStopped},
    command::Rollback,
    core::{Accepted, Core, Ending, Run, cancel_hash, close_hash, start_hash},
    feed::View,
    log::Log,
};
use crate::{
    plant::{self, Plant},
    port::{Origin, Projection, Segment, SessionRow, Snapshot},
};
use bytes::Bytes;
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Notice, Outcome},
    frame::OpenRun,
    id::{CommandId, RunId, Seq, SessionId, UserId},
    method::{
        InputRespond, OnBusy, RunAccepted, RunCancel, RunCancelled, RunStart, RunSteer, SessionInfo,
    },
};
use std::collections::VecDeque;

/// Runs that may wait in one session.
pub(crate) const QUEUE_MAX: usize = 8;

/// Attempts at one run, the first included.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// Something that happens to a session.
#[derive(Debug)]
pub(crate) enum Input<R> {
    /// `session.create` by its user; `fresh` where this very call created it.
    Create { cid: CommandId, title: String, origin: Option<Origin>, fresh: bool, reply: R },
    /// `run.start`; `admitted` says whether the node takes new work from the user now.
    Start {
        by: UserId,
        cid: CommandId,
        run: RunId,
        start: RunStart,
        admitted: Result<(), ErrorBody>,
        reply: R,
    },
    /// `run.cancel`.
    Cancel { by: UserId, cid: CommandId, cancel: RunCancel, reply: R },
    /// `run.steer`; a run of its own, where the one that is meant ends before.
    Steer {
        by: UserId,
        cid: CommandId,
        run: RunId,
        steer: RunSteer,
        admitted: Result<(), ErrorBody>,
        reply: R,
    },
    /// `input.respond`; `run` goes on, if it is accepted.
    Respond {
        by: UserId,
        cid: CommandId,
        run: RunId,
        respond: InputRespond,
        admitted: Result<(), ErrorBody>,
        reply: R,
    },
    /// `session.close`.
    Close { by: UserId, cid: CommandId, reply: R },
    /// `session.rollback`.
    Rollback { by: UserId, cid: CommandId, rollback: Box<Rollback>, reply: R },
    /// `session.get`.
    Get { reply: R },
    /// A run says something; acknowledged once it is durable.
    Says { run: RunId, events: Vec<Event>, urgent: bool, reply: R },
    /// A run's actor is gone.
    RunDown { run: RunId, error: ErrorBody },
    /// The batch under way is durable.
    Durable { last: Seq },
    /// The store refuses the batch; it will be durable later.
    Refused,
    /// A segment was stored, or not.
    Segmented { last: Seq, ok: bool },
    /// Time passed.
    Tick { idle_ms: u64 },
}

/// Something to do about it.
#[derive(Debug)]
pub(crate) enum Effect<R> {
    /// Send a batch to the lane.
    Append { first: Seq, entries: Vec<Bytes>, urgent: bool },
    /// Show durable entries to attachments.
    Publish { entries: Vec<Bytes>, view: View },
    /// Tell all attachments of a problem.
    Alert(ErrorBody),
    /// Answer a call.
    Reply(R, Result<Answered, ErrorBody>),
    /// Refuse a run's words: it has ended.
    Stopped(R, RunStopped),
    /// Start the first run.
    StartRun(Box<RunSpec>),
    /// Ask a run to end.
    EndRun(RunId, Ending),
    /// Say something to a run.
    SteerRun(RunId, Steer),
    /// Store a segment, and perhaps a snapshot.
    PutSegment { segment: Option<Segment>, snapshot: Option<Snapshot>, projection: Projection },
    /// Entries up to here are in segments.
    Segmented(Seq),
    /// Nothing is going on: sleep.
    Hibernate,
}

/// What is said to a run, as a run of its own unless it is taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Steer {
    pub(crate) run: RunId,
    pub(crate) text: String,
}

/// What a run needs to begin or go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunSpec {
    pub(crate) run: Run,
    /// 1, or more after a crash.
    pub(crate) attempt: u32,
    /// The next part number.
    pub(crate) part: greenroom_protocol::id::PartId,
    /// Git id of the last commit.
    pub(crate) commit: Option<String>,
    /// Earlier turns.
    pub(crate) turns: Vec<super::core::Turn>,
    /// The session whose objects the files are.
    pub(crate) project: SessionId,
    /// What the session's earlier runs have paid, in micro-credits.
    pub(crate) spent: u64,
    /// Number of the request that it would make.
    pub(crate) request: u32,
    /// What was said to it before it began, or while it was lost.
    pub(crate) steers: Vec<Steer>,
    /// Last entry at the begin; a recovered run reads its own words from `run.accepted` to here.
    pub(crate) head: Seq,
}

/// One session.
#[derive(Debug)]
pub(crate) struct State<R> {
    row: SessionRow,
    core: Core,
    log: Log,
    /// The run whose actor is alive.
    alive: Option<RunId>,
    waiting: VecDeque<(Seq, R, Answered)>,
    snapshot_seq: Seq,
    /// A segment or a snapshot is on its way to the store; one at a time.
    storing: bool,
    /// A refusal was told to the attachments, and no entry was durable since.
    alerted: bool,
    /// A run ended, or was rolled back, since the last segment.
    run_ended: bool,
}

impl<R> State<R> {
    /// A session as it was read: the core as of `head`, with what is in no segment yet.
    pub(crate) const fn new(row: SessionRow, core: Core, snapshot_seq: Seq, log: Log) -> Self {
        Self {
            row,
            core,
            log,
            alive: None,
            waiting: VecDeque::new(),
            snapshot_seq,
            storing: false,
            alerted: false,
            run_ended: false,
        }
    }

    /// The session's row, as it was at waking.
    pub(crate) const fn row(&self) -> &SessionRow {
        &self.row
    }

    /// Whether a run is under way or waits.
    pub(crate) fn is_busy(&self) -> bool {
        !self.core.runs.is_empty()
    }

    /// Whether all that was accepted is durable and in segments.
    pub(crate) fn is_flushed(&self) -> bool {
        self.log.is_settled() && self.log.tail_len() == 0
    }

    /// The run whose actor is alive.
    pub(crate) const fn alive(&self) -> Option<RunId> {
        self.alive
    }

    /// Begins: completes the creation of a session that has no entry yet, and goes on with the
    /// run that a crash interrupted.
    pub(crate) fn wake(&mut self, now_ms: u64, out: &mut Vec<Effect<R>>) {
        if self.log.head() == Seq::START {
            let event = Event::Notice {
                notice: Notice::SessionCreated,
                by: Some(self.row.user),
                cid: Some(self.row.cid),
                run: None,
                start_cid: None,
                message: self.row.title.clone(),
            };
            self.accept(now_ms, &event, true);
            self.begin_fork(now_ms);
        }
        self.start_next(now_ms, out);
        self.flush(out);
    }

    /// Applies one input and says what to do about it.
    pub(crate) fn apply(&mut self, now_ms: u64, input: Input<R>, out: &mut Vec<Effect<R>>) {
        match input {
            Input::Create { cid, title, origin, fresh, reply } => {
                self.create((cid, &title, origin.as_ref()), fresh, reply, out);
            }
            Input::Start { by, cid, run, start, admitted, reply } => {
                match self.start(now_ms, (by, cid, run), &start, admitted, out) {
                    Ok((seq, answered)) => self.answer_when_durable(seq, reply, answered, out),
                    Err(error) => out.push(Effect::Reply(reply, Err(error))),
                }
            }
            Input::Cancel { by, cid, cancel, reply } => {
                match self.cancel(now_ms, (by, cid), cancel, out) {
                    Ok((seq, answered)) => self.answer_when_durable(seq, reply, answered, out),
                    Err(error) => out.push(Effect::Reply(reply, Err(error))),
                }
            }
            Input::Steer { by, cid, run, steer, admitted, reply } => {
                match self.steer(now_ms, (by, cid, run), &steer, admitted, out) {
                    Ok((seq, answered)) => self.answer_when_durable(seq, reply, answered, out),
                    Err(error) => out.push(Effect::Reply(reply, Err(error))),
                }
            }
            Input::Respond { by, cid, run, respond, admitted, reply } => {
                match self.respond(now_ms, (by, cid, run), &respond, admitted, out) {
                    Ok((seq, answered)) => self.answer_when_durable(seq, reply, answered, out),
                    Err(error) => out.push(Effect::Reply(reply, Err(error))),
                }
            }
            Input::Close { by, cid, reply } => match self.close(now_ms, by, cid, out) {
                Ok((seq, answered)) => self.answer_when_durable(seq, reply, answered, out),
                Err(error) => out.push(Effect::Reply(reply, Err(error))),
            },
            Input::Rollback { by, cid, rollback, reply } => {
                match self.roll_back(now_ms, (by, cid), *rollback) {
                    Ok((seq, answered)) => self.answer_when_durable(seq, reply, answered, out),
                    Err(error) => out.push(Effect::Reply(reply, Err(error))),
                }
            }
            Input::Get { reply } => {
                let info = Answer::Info(Box::new(self.info()));
                out.push(Effect::Reply(reply, Ok(Answered::first(info))));
            }
            Input::Says { run, events, urgent, reply } => {
                self.says(now_ms, run, &events, urgent, reply, out);
            }
            Input::RunDown { run, error } => self.run_down(now_ms, run, error, out),
            Input::Durable { last } => self.durable(last, now_ms, out),
            Input::Refused => {
                if !std::mem::replace(&mut self.alerted, true) {
                    out.push(Effect::Alert(ErrorBody::store_unavailable()));
                }
            }
            Input::Segmented { last, ok } => {
                self.storing = false;
                if ok {
                    self.log.segmented(last);
                    out.push(Effect::Segmented(last));
                    self.put_segment_if_due(now_ms, out);
                } else {
                    self.snapshot_seq = Seq::START; // it may not be there: the next one is due
                }
            }
            Input::Tick { idle_ms } => self.tick(now_ms, idle_ms, out),
        }
        self.flush(out);
    }

    fn accept(&mut self, now_ms: u64, event: &Event, urgent: bool) -> Seq {
        let seq = if plant::is(Plant::TerminalEventLost) && self.ends_recovered(event) {
            self.log.head()
        } else {
            self.log.accept(now_ms, event, urgent)
        };
        self.run_ended |= matches!(event, Event::RunFinished { .. });
        self.core.apply(seq, now_ms, event);
        seq
    }

    /// Whether an event ends a run that was recovered.
    fn ends_recovered(&self, event: &Event) -> bool {
        let Event::RunFinished { run, .. } = event else { return false };
        self.core.run(*run).is_some_and(|run| run.attempt > 1)
    }

    /// The id itself makes a creation idempotent: another command id, or another title, is
    /// another client that chose the same id, which one that makes its ids well never meets.
    fn create(
        &mut self,
        (cid, title, origin): (CommandId, &str, Option<&Origin>),
        fresh: bool,
        reply: R,
        out: &mut Vec<Effect<R>>,
    ) {
        let place = |origin: &Origin| (origin.parent, origin.at);
        let is_same_place = self.row.origin.as_ref().map(place) == origin.map(place);
        if self.row.cid != cid || self.row.title != title || !is_same_place {
            out.push(Effect::Reply(reply, Err(conflict())));
            return;
        }
        let answer = Answer::Info(Box::new(self.info()));
        let answered = Answered { answer, duplicate: !fresh };
        self.answer_when_durable(Seq(1), reply, answered, out);
    }

    fn start(
        &mut self,
        now_ms: u64,
        (by, cid, run): (UserId, CommandId, RunId),
        start: &RunStart,
        admitted: Result<(), ErrorBody>,
        out: &mut Vec<Effect<R>>,
    ) -> Result<(Seq, Answered), ErrorBody> {
        let hash = start_hash(&start.input, start.model.as_deref());
        if let Some(answer) = self.repeated(cid, hash)?.and_then(|known| self.accepted(known)) {
            return Ok(answer);
        }
        if self.core.closed {
            return Err(closed());
        }
        admitted?;
        match start.on_busy {
            OnBusy::Reject if self.is_busy() => return Err(busy()),
            OnBusy::Queue | OnBusy::Steer if self.core.runs.len() > QUEUE_MAX => {
                return Err(queue_full());
            }
            OnBusy::Interrupt => self.interrupt(now_ms, by, out),
            OnBusy::Reject | OnBusy::Queue | OnBusy::Steer => {}
        }
        let queued = self.is_busy();
        let front = self.core.runs.front().map(|front| front.run);
        let steers = front.filter(|_| start.on_busy == OnBusy::Steer);
        let event = Event::InputUser {
            run,
            cid,
            by,
            text: start.input.clone(),
            model: start.model.clone(),
            plan: start.plan.unwrap_or(false),
            steers,
            answers: None,
        };
        let seq = self.accept(now_ms, &event, true);
        self.tell(steers, Steer { run, text: start.input.clone() }, out);
        self.start_next(now_ms, out);
        let accepted = RunAccepted { run, seq, queued };
        Ok((seq, Answered::first(Answer::Accepted(accepted))))
    }

    /// The answer to a start that is repeated.
    fn accepted(&self, known: Accepted) -> Option<(Seq, Answered)> {
        let Accepted { seq, run, .. } = known;
        let run = run?;
        let queued = self.core.runs.iter().skip(1).any(|other| other.run == run);
        let accepted = RunAccepted { run, seq, queued };
        Some((seq, Answered { answer: Answer::Accepted(accepted), duplicate: true }))
    }

    fn interrupt(&mut self, now_ms: u64, by: UserId, out: &mut Vec<Effect<R>>) {
        let runs: Vec<RunId> = self.core.runs.iter().map(|run| run.run).collect();
        for run in runs {
            self.notice(now_ms, Notice::InterruptRequested, by, None, (Some(run), None));
        }
        self.end_runs(now_ms, out);
    }

    fn cancel(
        &mut self,
        now_ms: u64,
        (by, cid): (UserId, CommandId),
        cancel: RunCancel,
        out: &mut Vec<Effect<R>>,
    ) -> Result<(Seq, Answered), ErrorBody> {
        let (asked_run, start) = match cancel {
            RunCancel::Run(run) => (Some(run), None),
            RunCancel::StartCid(start) => (None, Some(start)),
        };
        if let Some(Accepted { seq, run, .. }) =
            self.repeated(cid, cancel_hash(asked_run, start))?
        {
            let answer = Answer::Cancelled(RunCancelled { run, active: true });
            return Ok((seq, Answered { answer, duplicate: true }));
        }
        let started = start.and_then(|start| self.core.commands.get(&start));
        let run = asked_run.or_else(|| started.and_then(|started| started.run));
        let is_known = run.is_some_and(|run| self.core.run(run).is_some());
        let is_early = start.is_some_and(|start| {
            started.is_none() && !self.core.is_start_cancelled(start) && !self.core.closed
        });
        if !is_known && !is_early {
            let answer = Answer::Cancelled(RunCancelled { run, active: false });
            return Ok((Seq::START, Answered::first(answer)));
        }
        let seq = self.notice(now_ms, Notice::CancelRequested, by, Some(cid), (run, start));
        self.end_runs(now_ms, out);
        let answer = Answer::Cancelled(RunCancelled { run, active: true });
        Ok((seq, Answered::first(answer)))
    }

    fn close(
        &mut self,
        now_ms: u64,
        by: UserId,
        cid: CommandId,
        out: &mut Vec<Effect<R>>,
    ) -> Result<(Seq, Answered), ErrorBody> {
        let repeated = self.repeated(cid, close_hash())?;
        if let Some(seq) = repeated.map(|accepted| accepted.seq) {
            let answer = Answer::Info(Box::new(self.info()));
            return Ok((seq, Answered { answer, duplicate: true }));
        }
        let seq = if self.core.closed {
            Seq::START
        } else {
            self.drop_request(now_ms);
            self.notice(now_ms, Notice::SessionClosed, by, Some(cid), (None, None))
        };
        self.end_runs(now_ms, out);
        Ok((seq, Answered::first(Answer::Info(Box::new(self.info())))))
    }

    fn notice(
        &mut self,
        now_ms: u64,
        notice: Notice,
        by: UserId,
        cid: Option<CommandId>,
        (run, start_cid): (Option<RunId>, Option<CommandId>),
    ) -> Seq {
        let message = String::new();
        let event = Event::Notice { notice, by: Some(by), cid, run, start_cid, message };
        self.accept(now_ms, &event, true)
    }

    /// The command, if it was accepted before; an error if it asked for something else then.
    fn repeated(&self, cid: CommandId, hash: u64) -> Result<Option<Accepted>, ErrorBody> {
        match self.core.commands.get(&cid) {
            _ if plant::is(Plant::SkipDedupe) => Ok(None),
            Some(accepted) if accepted.hash != hash => Err(conflict()),
            known => Ok(known.copied()),
        }
    }

    /// Ends the runs that are to end: at once where they have not begun, else by asking them.
    fn end_runs(&mut self, now_ms: u64, out: &mut Vec<Effect<R>>) {
        let ending: Vec<(RunId, Ending)> =
            self.core.runs.iter().filter_map(|run| Some((run.run, run.ending?))).collect();
        for (run, ending) in ending {
            if self.alive == Some(run) {
                out.push(Effect::EndRun(run, ending));
            } else {
                self.finish(now_ms, run, ending.outcome(), None);
            }
        }
        self.start_next(now_ms, out);
    }

    fn finish(&mut self, now_ms: u64, run: RunId, outcome: Outcome, error: Option<ErrorBody>) {
        self.accept(now_ms, &Event::RunFinished { run, outcome, error }, true);
    }

    /// Starts the first run, unless one is alive; runs that may not start are finished. One that was
    /// lost too often is started once more to say its end: what it paid decides what that is.
    fn start_next(&mut self, now_ms: u64, out: &mut Vec<Effect<R>>) {
        while self.alive.is_none() {
            let Some(run) = self.core.runs.front() else { return };
            let (id, attempt) = (run.run, run.attempt + 1);
            if let Some(ending) = run.ending {
                self.finish(now_ms, id, ending.outcome(), None);
                continue;
            }
            let run = run.clone();
            let steers = self.said_to(id);
            self.drop_request(now_ms); // what was asked gives way to what is wanted now
            self.alive = Some(id);
            out.push(Effect::StartRun(Box::new(RunSpec {
                run,
                attempt,
                part: self.core.part.next(),
                commit: self.core.commit.clone(),
                turns: self.core.turns.iter().cloned().collect(),
                project: self.row.project(),
                spent: self.core.spent,
                request: self.core.requests + 1,
                steers,
                head: self.log.head(),
            })));
        }
    }

    fn says(
        &mut self,
        now_ms: u64,
        run: RunId,
        events: &[Event],
        urgent: bool,
        reply: R,
        out: &mut Vec<Effect<R>>,
    ) {
        if self.alive != Some(run) || self.core.run(run).is_none() {
            out.push(Effect::Stopped(reply, RunStopped));
            return;
        }
        let mut last = self.log.head();
        for event in events {
            // What was said to this run may have been taken back before it knew.
            let ended = if let Event::RunFinished { run, .. } = event { Some(*run) } else { None };
            if ended.is_none_or(|run| self.core.run(run).is_some()) {
                last = self.accept(now_ms, event, urgent);
            }
        }
        if self.core.run(run).is_none() {
            self.alive = None; // its last word
            self.start_next(now_ms, out);
        }
        self.answer_when_durable(last, reply, Answered::first(Answer::Taken), out);
    }

    fn run_down(&mut self, now_ms: u64, run: RunId, error: ErrorBody, out: &mut Vec<Effect<R>>) {
        if self.alive == Some(run) {
            self.alive = None;
        }
        if let Some(ended) = self.core.run(run) {
            let ending = ended.ending.map(Ending::outcome);
            let error = ending.is_none().then_some(error);
            self.finish(now_ms, run, ending.unwrap_or(Outcome::Failed), error);
        }
        self.start_next(now_ms, out);
    }

    /// What the session is at, for attachments.
    pub(crate) fn view(&self) -> View {
        let front = self.core.runs.front();
        View {
            head: self.log.durable(),
            status: self.core.status(),
            run: front.map(|run| OpenRun { run: run.run, cid: run.cid }),
            open_from: self.core.open.map(|(_, from)| from),
            request: self.core.request.as_ref().map(|request| request.number),
        }
    }

    fn info(&self) -> SessionInfo {
        let view = self.view();
        SessionInfo {
            session: self.row.session,
            epoch: self.row.epoch,
            head: view.head,
            title: self.row.title.clone(),
            status: view.status,
            run: view.run,
            commit: self.core.commit.clone(),
            created_at: self.row.created_at_ms,
            parent: self.row.parent(),
            request: view.request,
        }
    }
}

fn conflict() -> ErrorBody {
    let message = "this command id was used with other contents; use a new one";
    ErrorBody::new(Code::InvalidArgument, Reason::IdempotencyConflict, message)
}

fn closed() -> ErrorBody {
    let message = "the session is closed; create a new one";
    ErrorBody::new(Code::FailedPrecondition, Reason::SessionClosed, message)
}

fn busy() -> ErrorBody {
    let message = "a run is under way; wait for its end, or ask with on_busy queue or interrupt";
    ErrorBody::new(Code::FailedPrecondition, Reason::RunBusy, message)
}

fn queue_full() -> ErrorBody {
    let message = format!("{QUEUE_MAX} runs wait already; wait for one to end");
    ErrorBody::new(Code::ResourceExhausted, Reason::QueueFull, message)
}

/// Why a run ends that was lost too often.
pub(crate) fn owner_lost() -> ErrorBody {
    let message = format!("the run was lost {ATTEMPTS_MAX} times; start it again");
    ErrorBody::new(Code::Unavailable, Reason::OwnerLost, message)
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test skips what it does not look for")]
mod tests;
