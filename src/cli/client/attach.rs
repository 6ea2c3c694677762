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
    frame::{Ev, Status},
    id::{Channel, Epoch, Seq},
};
use serde::Serialize;
use std::ops::ControlFlow;

pub(super) async fn run(account: Account, args: AttachArgs) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let mut driver = Driver::start(account).await?;
    let ch = driver.attach(args.session, args.after);
    let mut reader = Reader {
        renderer: Renderer::new(true, true),
        remarks: Remarks::new(),
        json: args.json,
        follow: args.follow,
        busy: false,
        caught_up: false,
        lost: false,
    };
    loop {
        tokio::select! {
            happening = driver.next() => {
                if reader.happened(happening?, &driver, ch)?.is_break() {
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
    /// A run is under way or waits.
    busy: bool,
    caught_up: bool,
    lost: bool,
}

impl Reader {
    fn happened(
        &mut self,
        happening: Happening,
        driver: &Driver,
        ch: Channel,
    ) -> Result<ControlFlow<()>, Failure> {
        match happening {
            Happening::Event(ev) => self.event(&ev, driver, ch)?,
            Happening::Attached(begun) => {
                self.busy = !matches!(begun.status, Status::Idle | Status::Closed);
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
            if let Event::InputUser { .. } | Event::RunStarted { .. } = ev.event {
                self.busy = true;
            } else if let Event::RunFinished { .. } = ev.event {
                self.busy = false; // the next one of the queue, if any, has its own start
            }
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
}
