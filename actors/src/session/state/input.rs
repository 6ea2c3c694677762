//! What a user says to a run under way, and to one that asked.

use super::{
    super::{
        answer::{Answer, Answered},
        core::{Accepted, respond_hash, start_hash},
    },
    Effect, QUEUE_MAX, State, Steer, closed, queue_full,
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::Event,
    id::{CommandId, RunId, Seq, UserId},
    method::{InputRespond, InputResponded, RunAccepted, RunSteer},
    plan::InputKind,
};

impl<R> State<R> {
    /// `run.steer`: the entry that answers it, and the answer.
    pub(super) fn steer(
        &mut self,
        now_ms: u64,
        (by, cid, run): (UserId, CommandId, RunId),
        steer: &RunSteer,
        admitted: Result<(), ErrorBody>,
        out: &mut Vec<Effect<R>>,
    ) -> Result<(Seq, Answered), ErrorBody> {
        let hash = start_hash(&steer.input, None);
        if let Some(answer) = self.repeated(cid, hash)?.and_then(|known| self.accepted(known)) {
            return Ok(answer);
        }
        if self.core.closed {
            return Err(closed());
        }
        let front = self.core.runs.front().map(|front| front.run);
        let steers = front.filter(|front| steer.run.is_none_or(|run| run == *front));
        if steers.is_none() {
            return Err(not_under_way());
        }
        if self.core.runs.len() > QUEUE_MAX {
            return Err(queue_full());
        }
        admitted?;
        let text = steer.input.clone();
        let event = Event::InputUser {
            run,
            cid,
            by,
            text: text.clone(),
            model: None,
            plan: false,
            steers,
            answers: None,
        };
        let seq = self.accept(now_ms, &event, true);
        self.tell(steers, Steer { run, text }, out);
        let accepted = RunAccepted { run, seq, queued: true };
        Ok((seq, Answered::first(Answer::Accepted(accepted))))
    }

    /// Tells the run, if it is the one that is alive; another one is told when it begins.
    pub(super) fn tell(&self, steers: Option<RunId>, steer: Steer, out: &mut Vec<Effect<R>>) {
        if let Some(run) = steers.filter(|run| self.alive == Some(*run)) {
            out.push(Effect::SteerRun(run, steer));
        }
    }

    /// What was said to a run and not taken up yet.
    pub(super) fn said_to(&self, run: RunId) -> Vec<Steer> {
        let said = self.core.runs.iter().filter(|other| other.steers == Some(run));
        said.map(|said| Steer { run: said.run, text: said.prompt.clone() }).collect()
    }

    /// `input.respond`: the entry that answers it, and the answer.
    pub(super) fn respond(
        &mut self,
        now_ms: u64,
        (by, cid, run): (UserId, CommandId, RunId),
        respond: &InputRespond,
        admitted: Result<(), ErrorBody>,
        out: &mut Vec<Effect<R>>,
    ) -> Result<(Seq, Answered), ErrorBody> {
        let InputRespond { request, accept, ref text } = *respond;
        let text = text.trim().to_owned();
        let answer = |seq, run| Answer::Responded(InputResponded { seq, run });
        if let Some(Accepted { seq, run, .. }) =
            self.repeated(cid, respond_hash(request, accept, &text))?
        {
            return Ok((seq, Answered { answer: answer(seq, run), duplicate: true }));
        }
        if self.core.closed {
            return Err(closed());
        }
        let open = self.core.request.as_ref().filter(|open| open.number == request);
        let (kind, model) = open.map(|open| (open.kind, open.model.clone())).ok_or_else(gone)?;
        let run = accept.then_some(run);
        if run.is_some() {
            if kind == InputKind::Question && text.is_empty() {
                return Err(unanswered());
            }
            admitted?;
        }
        let resolved = Event::InputResolved {
            request,
            answered: accept,
            by: Some(by),
            cid: Some(cid),
            text: text.clone(),
            run,
        };
        let mut seq = self.accept(now_ms, &resolved, true);
        if let Some(run) = run {
            // In one batch with the entry before: both are there, or neither is.
            let (plan, answers) = (kind == InputKind::Question, Some(request));
            let event = Event::InputUser { run, cid, by, text, model, plan, steers: None, answers };
            seq = self.accept(now_ms, &event, true);
        }
        self.start_next(now_ms, out);
        Ok((seq, Answered::first(answer(seq, run))))
    }

    /// Something else takes the place of what was asked.
    pub(super) fn drop_request(&mut self, now_ms: u64) {
        if let Some(request) = self.core.request.as_ref().map(|open| open.number) {
            let (by, cid, text, run) = (None, None, String::new(), None);
            let event = Event::InputResolved { request, answered: false, by, cid, text, run };
            self.accept(now_ms, &event, true);
        }
    }
}

fn not_under_way() -> ErrorBody {
    let message = "no such run is under way; start one with run.start";
    ErrorBody::new(Code::FailedPrecondition, Reason::RunNotFound, message)
}

fn gone() -> ErrorBody {
    let message = "no such request is open: it was answered, or something else took its place";
    ErrorBody::new(Code::NotFound, Reason::RequestNotFound, message)
}

fn unanswered() -> ErrorBody {
    let message = "the questions need an answer: say it in text, or decline";
    ErrorBody::new(Code::InvalidArgument, Reason::BadPrompt, message)
}
