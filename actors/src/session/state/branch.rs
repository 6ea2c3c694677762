//! Going on from elsewhere: the begin of a fork, and rollbacks.

use super::{
    super::{
        answer::{Answer, Answered},
        command::Rollback,
        core::rollback_hash,
    },
    State, closed,
};
use crate::port::Origin;
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::Event,
    id::{CommandId, Seq, UserId},
    method::SessionInfo,
};

impl<R> State<R> {
    /// The second entry of a fork. Whoever read the session has read its turns, too.
    pub(super) fn begin_fork(&mut self, now_ms: u64) {
        let Some(Origin { parent, at, commit, turns, .. }) = self.row.origin.clone() else {
            return;
        };
        let earlier = std::mem::take(&mut self.core.turns);
        let event = Event::SessionForked { parent, at, commit, turns: turns.to_string() };
        self.accept(now_ms, &event, true);
        self.core.put_before(earlier.into());
    }

    /// `session.rollback`: the entry that answers it, and the answer.
    pub(super) fn roll_back(
        &mut self,
        now_ms: u64,
        (by, cid): (UserId, CommandId),
        rollback: Rollback,
    ) -> Result<(Seq, Answered), ErrorBody> {
        let Rollback { to, files, parent, commit, turns, blob } = rollback;
        let repeated = self.repeated(cid, rollback_hash(to))?;
        if let Some(seq) = repeated.map(|accepted| accepted.seq) {
            let answer = Answer::Info(Box::new(self.info()));
            return Ok((seq, Answered { answer, duplicate: true }));
        }
        if self.core.closed {
            return Err(closed());
        }
        if self.is_busy() {
            return Err(rollback_busy());
        }
        if self.core.commit != parent {
            return Ok((Seq::START, Answered::first(Answer::Moved)));
        }
        self.drop_request(now_ms);
        let turns_id = blob.to_string();
        let event = Event::SessionRolledBack { by, cid, to, files, commit, turns: turns_id };
        let seq = self.accept(now_ms, &event, true);
        self.core.put_before(turns);
        self.run_ended = true; // lists show the new head soon
        let info = SessionInfo { head: seq, ..self.info() };
        Ok((seq, Answered::first(Answer::Info(Box::new(info)))))
    }
}

fn rollback_busy() -> ErrorBody {
    let message = "a run is under way; wait for its end, or cancel it, then roll back";
    ErrorBody::new(Code::FailedPrecondition, Reason::RunBusy, message)
}
