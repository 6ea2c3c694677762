//! `greenroom client attach`: prints what a session says.

use super::{
    account::Account,
    args::AttachArgs,
    driver::{Driver, Happening, describe},
    render::Renderer,
    terminal::{Interrupts, Remarks},
};
use crate::{cli::output, failure::Failure};
use greenroom_protocol::{
    client::Begin,
    event::Event,
    frame::{After, Ev, Status},
    id::{Channel, Epoch, RunId, Seq, SessionId},
};
use serde::Serialize;
use std::ops::ControlFlow;

pub(super) async fn run(account: Account, args: AttachArgs) -> Result<(), Failure> {
    let driver = Driver::start(account).await?;
    read(driver, args.session, args.after, Reader::new(args.json, args.follow)).await
}

/// Prints what a session says after a place, files by their names, until no run is under way.
pub(super) async fn follow(
    driver: Driver,
    session: SessionId,
    after: After,
) -> Result<(), Failure> {
    let renderer = Renderer::new(false, true);
    read(driver, session, after, Reader { renderer, ..Reader::new(false, false) }).await
}

async fn read(
    mut driver: Driver,
    session: SessionId,
    after: After,
    mut reader: Reader,
) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let ch = driver.attach(session, after);
    loop {
        tokio::select! {
            happening = driver.next() => {
                if reader.happened(happening?, &driver, ch)?.is_break() {
                    if reader.waiting {
                        reader.remarks.line(&driver.answer_hint(session));
                    }
                    driver.close().await;
                    return Ok(());
                }
            }
            () = interrupts.next() => {
                if let Some(cursor) = driver.cursor(ch) {
                    let (epoch, seq) = (cursor.epoch, cursor.seq);
                    reader.remarks.line(&format!("go on with --after {epoch}:{seq}"));
                }
                driver.close().await;
                return Err(Failure::Interrupted);
            }
        }
    }
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    seq: Seq,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Seq>,
    epoch: Option<Epoch>,
    ts: u64,
    event: &'a Event,
}

struct Reader {
    renderer: Renderer,
    remarks: Remarks,
    json: bool,
    follow: bool,
    /// A run is under way or waits for its turn.
    busy: bool,
    /// The run that is under way, where that is known.
    current: Option<RunId>,
    /// The session waits for an answer.
    waiting: bool,
    caught_up: bool,
    lost: bool,
}

impl Reader {
    fn new(json: bool, follow: bool) -> Self {
        Self {
            renderer: Renderer::new(true, true),
            remarks: Remarks::new(),
            json,
            follow,
            busy: false,
            current: None,
            waiting: false,
            caught_up: false,
            lost: false,
        }
    }

    fn happened(
        &mut self,
        happening: Happening,
        driver: &Driver,
        ch: Channel,
    ) -> Result<ControlFlow<()>, Failure> {
        match happening {
            Happening::Event(ev) => self.event(&ev, driver, ch)?,
            Happening::Attached(begun) => {
                let still = [Status::Idle, Status::Waiting, Status::Closed];
                self.busy = !still.contains(&begun.status);
                self.current = begun.run.map(|open| open.run);
                self.waiting = begun.status == Status::Waiting;
                match begun.begin {
                    Begin::Continued if self.lost => {
                        self.remarks.line("reconnected, nothing missed");
                    }
                    Begin::Void(_) => {
                        let (epoch, seq) = (begun.place.epoch, begun.place.seq);
                        let what = "the place is not in the log; what follows begins after";
                        self.remarks.line(&format!("{what} {epoch}:{seq}"));
                    }
                    Begin::First | Begin::Continued => {}
                }
                self.lost = false;
            }
            Happening::CaughtUp => self.caught_up = true,
            Happening::Lost(_) => {
                if !self.lost {
                    self.remarks.line("connection lost; trying again");
                }
                self.lost = true;
            }
            Happening::Detached(detached) if detached.retry_after_ms.is_none() => {
                let reason = detached.reason;
                return Err(Failure::Failed(format!("the server ended it: {reason:?}")));
            }
            Happening::Notice(error) => return Err(Failure::Failed(describe(&error))),
            Happening::Ready | Happening::Detached(_) | Happening::Answered(..) => {}
        }
        let done = self.caught_up && !self.busy && !self.follow;
        Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn event(&mut self, ev: &Ev, driver: &Driver, ch: Channel) -> Result<(), Failure> {
        if self.caught_up {
            self.follow_run(&ev.event);
        }
        if !self.json {
            return output::out(self.renderer.event(&ev.event));
        }
        let line = Line {
            seq: ev.seq,
            from: ev.from,
            epoch: driver.cursor(ch).map(|cursor| cursor.epoch),
            ts: ev.ts,
            event: &ev.event,
        };
        let line = serde_json::to_string(&line);
        let line = line.map_err(|error| Failure::Failed(error.to_string()))?;
        output::line(line)
    }

    /// Notes whether there is more to come.
    fn follow_run(&mut self, event: &Event) {
        if let Event::InputUser { .. } = event {
            self.busy = true;
        } else if let Event::RunStarted { run, .. } | Event::RunRecovering { run, .. } = event {
            (self.busy, self.current) = (true, Some(*run));
        } else if let Event::RunFinished { run, .. } = event {
            // One that ends in the queue leaves the current one going on. The next one of the
            // queue, if any, has its own start.
            if self.current.is_none_or(|current| current == *run) {
                (self.busy, self.current) = (false, None);
            }
        } else if let Event::InputRequested { .. } = event {
            self.waiting = true;
        } else if let Event::InputResolved { .. } = event {
            self.waiting = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::{event::Outcome, id::CommandId};
    use uuid::Uuid;

    fn run(n: u128) -> RunId {
        RunId::new(Uuid::from_u128(n))
    }

    #[test]
    fn the_end_of_a_queued_run_is_not_that_of_the_current_one() {
        let nil = Uuid::nil();
        let (by, text) = (greenroom_protocol::id::UserId::new(nil), String::new());
        let said = Event::InputUser {
            run: run(2),
            cid: CommandId::new(nil),
            by,
            text,
            model: None,
            plan: false,
            steers: Some(run(1)),
            answers: None,
        };
        let ends = |n, outcome| Event::RunFinished { run: run(n), outcome, error: None };
        let mut reader = Reader { busy: true, current: Some(run(1)), ..Reader::new(false, false) };
        for event in [said, ends(2, Outcome::Steered)] {
            reader.follow_run(&event);
            assert!(reader.busy, "{event:?}");
        }
        reader.follow_run(&ends(1, Outcome::Completed));
        assert!(!reader.busy);
    }
}
