//! Requests for input within a log: asked, answered, declined, dropped.

use greenroom_protocol::id::{RunId, Seq};

/// The requests of a log, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// The highest number that was asked.
    last: u32,
    /// The one that waits.
    open: Option<u32>,
    /// The answer that was accepted, until its run is there: its number and that run.
    due: Option<(u32, RunId)>,
}

impl Requests {
    /// A run asks.
    pub(super) fn asked(&mut self, seq: Seq, number: u32) -> Result<(), String> {
        let before = self.open.replace(number);
        let is_new = number > self.last;
        self.last = self.last.max(number);
        match before {
            Some(open) => Err(format!("entry {seq} asks {number} while {open} is open")),
            None if !is_new => Err(format!("entry {seq} asks {number} again")),
            None => Ok(()),
        }
    }

    /// A request is resolved, where it was accepted by a run that goes on.
    pub(super) fn resolved(
        &mut self,
        seq: Seq,
        number: u32,
        answered: bool,
        run: Option<RunId>,
    ) -> Result<(), String> {
        if self.open != Some(number) {
            let open = self.open;
            return Err(format!("entry {seq} resolves {number}, and {open:?} is open"));
        }
        self.open = None;
        self.due = run.map(|run| (number, run));
        if answered == run.is_some() {
            return Ok(());
        }
        Err(format!("entry {seq}: {number} is answered: {answered}, and goes on as {run:?}"))
    }

    /// A run is accepted, which answers a request or none.
    pub(super) fn goes_on(
        &mut self,
        seq: Seq,
        run: RunId,
        answers: Option<u32>,
    ) -> Result<(), String> {
        match (self.due.take(), answers) {
            (None, None) => Ok(()),
            (Some(due), Some(number)) if due == (number, run) => Ok(()),
            (due, answers) => Err(format!(
                "entry {seq}: {run} answers {answers:?}, and {due:?} was accepted before it"
            )),
        }
    }

    /// A run begins: what was asked has given way to it.
    pub(super) fn started(&self, seq: Seq, run: RunId) -> Result<(), String> {
        match self.open {
            None => Ok(()),
            Some(open) => Err(format!("entry {seq}: {run} begins while {open} is open")),
        }
    }

    /// The log ends.
    pub(super) fn end(&self) -> Result<(), String> {
        match self.due {
            None => Ok(()),
            Some((number, run)) => Err(format!("{number} was answered, {run} does not go on")),
        }
    }
}
