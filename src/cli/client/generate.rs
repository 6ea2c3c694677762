//! `greenroom client generate`: one run from its prompt to its files in a folder.

use super::{
    account::Account,
    args::GenerateArgs,
    checkout::check_out,
    consent::Consent,
    driver::{Driver, Happening, result},
    folder::Folder,
    job::{Job, usage_text},
    progress::Progress,
    remote::parse_oid,
    request::Verdict,
    respond::respond_to,
    sessions::SessionFiles,
    terminal::{Interrupts, Remarks},
};
use crate::{
    cli::{args::Output, output},
    failure::Failure,
};
use greenroom_protocol::{
    client::{Answer, Begin, Ticket},
    event::Outcome,
    frame::{After, Status},
    id::{CommandId, Cursor, SessionId},
    method::{
        InputResponded, Method, OnBusy, RunAccepted, RunStart, SessionCreate, SessionInfo, title_of,
    },
};
use std::{
    io::{IsTerminal as _, stdin},
    path::Path,
    time::Duration,
};
use tokio::{
    io::{AsyncBufRead, BufReader},
    time::{Instant, interval},
};
use uuid::Uuid;

/// How often the status is shown anew.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// How long a first Ctrl-C waits for the server to accept the run, so that it goes on.
const LEAVE_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn run(account: Account, args: GenerateArgs) -> Result<(), Failure> {
    let typed: Option<Box<dyn AsyncBufRead + Unpin>> = if stdin().is_terminal() {
        Some(Box::new(BufReader::new(tokio::io::stdin())))
    } else {
        None
    };
    build(account, args, typed).await
}

/// The generation, with what somebody types as `typed`; none: nobody is there to be asked.
pub(super) async fn build(
    account: Account,
    args: GenerateArgs,
    typed: Option<Box<dyn AsyncBufRead + Unpin>>,
) -> Result<(), Failure> {
    let mut consent = Consent::new(args.yes, typed);
    let mut interrupts = Interrupts::new()?;
    let session = args.session.unwrap_or_else(|| SessionId::new(Uuid::now_v7()));
    let mut folder = Folder::open(&args.out, session, args.force)?;
    let driver = Driver::start(account).await?;
    let mut watch = tokio::select! {
        watch = Watch::begin(driver, session, &args) => watch?,
        () = interrupts.next() => return Err(Failure::Interrupted),
    };
    watch.remarks.line(&format!("session {session}"));
    tokio::select! {
        end = watch.settle(&mut consent) => end?,
        () = interrupts.next() => return watch.leave(&mut interrupts).await,
    }
    let kept = tokio::select! {
        kept = watch.save(&mut folder) => kept?,
        () = interrupts.next() => return watch.leave(&mut interrupts).await,
    };
    watch.report(&args, &kept)
}

/// A run that is being watched.
struct Watch {
    driver: Driver,
    session: SessionId,
    job: Job,
    progress: Progress,
    remarks: Remarks,
    began: Instant,
    /// Calls whose answers are awaited: creating the session, starting the run.
    create: Option<Ticket>,
    start: Option<Ticket>,
    lost: bool,
    /// The server's log was replaced: what is left of it may lack the run.
    void: Option<Status>,
}

impl Watch {
    /// Creates or finds the session, follows it and starts the run, in one burst.
    async fn begin(
        mut driver: Driver,
        session: SessionId,
        args: &GenerateArgs,
    ) -> Result<Self, Failure> {
        let command = || CommandId::new(Uuid::now_v7());
        let (create, after) = if args.session.is_some() {
            // A place in the log, and not `live`: that would be another place after a reconnect.
            let get = Method::SessionGet(session);
            let info: SessionInfo = driver.ask(&get, &mut |_| {}).await?;
            (None, After::Cursor(Cursor { epoch: info.epoch, seq: info.head }))
        } else {
            let title = title_of(&args.prompt);
            let create = Method::SessionCreate(session, command(), SessionCreate { title });
            (Some(driver.call(&create)?), After::Start)
        };
        driver.attach(session, after);
        let job = Job::new(command());
        let start = RunStart {
            input: args.prompt.clone(),
            on_busy: OnBusy::Reject,
            model: args.model.clone(),
            plan: args.plan.then_some(true),
        };
        let start = Some(driver.call(&Method::RunStart(session, job.cid, start))?);
        Ok(Self {
            driver,
            session,
            job,
            progress: Progress::default(),
            remarks: Remarks::new(),
            began: Instant::now(),
            create,
            start,
            lost: false,
            void: None,
        })
    }

    /// Watches until nothing goes on any more, and answers what is asked meanwhile as far as
    /// somebody does. May be dropped while it waits.
    async fn settle(&mut self, consent: &mut Consent) -> Result<(), Failure> {
        loop {
            self.until_end().await?;
            let Some(request) = self.job.waits().cloned() else { return Ok(()) };
            let asked = consent.ask(&request);
            tokio::pin!(asked);
            let verdict = loop {
                tokio::select! {
                    verdict = &mut asked => break verdict,
                    happening = self.driver.next() => self.happened(happening?)?,
                }
                if self.job.waits().is_none() {
                    break None; // somebody else has answered
                }
            };
            match verdict {
                Some(verdict) => self.respond(request.number, verdict).await?,
                None if self.job.waits().is_some() => return Ok(()),
                None => {}
            }
        }
    }

    async fn respond(&mut self, request: u32, verdict: Verdict) -> Result<(), Failure> {
        let accepts = matches!(verdict, Verdict::Accept(_));
        let respond = respond_to(self.session, verdict.to(request));
        let asked = self.driver.call(&respond)?;
        if let (true, Method::InputRespond(_, cid, _)) = (accepts, &respond) {
            self.job.goes_on(*cid);
        }
        let responded: InputResponded = loop {
            match self.driver.next().await?.answer_to(asked) {
                Ok(answer) => break result(answer)?,
                Err(other) => self.happened(*other)?,
            }
        };
        match responded.run {
            Some(run) => self.job.accepted(run),
            None => self.job.declined(),
        }
        Ok(())
    }

    /// Watches until the run has ended, whatever its outcome. May be dropped while it waits.
    async fn until_end(&mut self) -> Result<(), Failure> {
        let mut status = interval(STATUS_EVERY);
        while self.job.end.is_none() {
            tokio::select! {
                happening = self.driver.next() => self.happened(happening?)?,
                _ = status.tick(), if self.remarks.has_status() && !self.lost => {
                    let text = self.progress.status();
                    self.remarks.status(&text);
                }
            }
        }
        self.remarks.status("");
        Ok(())
    }

    fn happened(&mut self, happening: Happening) -> Result<(), Failure> {
        match happening {
            Happening::Answered(ticket, answer) => self.answered(ticket, answer)?,
            Happening::Event(ev) => {
                let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                for line in self.progress.event(now_ms, &ev.event) {
                    self.remarks.line(&line);
                }
                self.job.event(&ev.event);
            }
            Happening::Attached(begun) => match begun.begin {
                Begin::Continued if self.lost => {
                    self.lost = false;
                    self.remarks.line("reconnected, nothing missed");
                }
                Begin::First | Begin::Continued => {}
                Begin::Void(_) => {
                    self.progress = Progress::default();
                    self.void = Some(begun.status);
                    self.remarks.line("the server's log of the session was replaced");
                }
            },
            Happening::CaughtUp => {
                let idle = matches!(self.void.take(), Some(Status::Idle | Status::Closed));
                if idle && self.job.end.is_none() {
                    let what = "the server has lost the run: its log was restored from before it";
                    return Err(Failure::Failed(what.to_owned()));
                }
            }
            Happening::Lost(retry_in_ms) => self.note_lost(retry_in_ms),
            Happening::Detached(detached) if detached.retry_after_ms.is_none() => {
                let what = format!("the server ended the attachment: {:?}", detached.reason);
                return Err(Failure::Failed(format!("{what}\n{}", self.hint())));
            }
            Happening::Notice(error) => self.remarks.line(&super::driver::describe(&error)),
            Happening::Ready | Happening::Detached(_) => {}
        }
        Ok(())
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer) -> Result<(), Failure> {
        if self.start == Some(ticket) {
            self.start = None;
            let accepted: RunAccepted = result(answer)?;
            self.job.accepted(accepted.run);
        } else if self.create == Some(ticket) {
            self.create = None;
            let _: SessionInfo = result(answer)?;
        }
        Ok(())
    }

    fn note_lost(&mut self, retry_in_ms: u64) {
        if !self.lost {
            let secs = retry_in_ms.div_ceil(1000).max(1);
            self.remarks.line(&format!("connection lost; trying again within {secs} s"));
        }
        self.lost = true;
    }

    /// Brings the run's files into the folder; the paths that the user's own changes kept.
    async fn save(&mut self, folder: &mut Folder) -> Result<Vec<String>, Failure> {
        let Some(commit) = self.job.commit.clone() else { return Ok(Vec::new()) };
        let commit = parse_oid(&commit)?;
        let (remarks, session) = (&mut self.remarks, self.session);
        let mut see = |happening| {
            if let Happening::Lost(_) = happening {
                remarks.line("connection lost; trying again");
            }
        };
        let mut source = SessionFiles { driver: &mut self.driver, session, see: &mut see };
        check_out(&mut source, folder, commit).await
    }

    /// Ctrl-C: leaves, and the run goes on. A second one ends it at once.
    async fn leave(mut self, interrupts: &mut Interrupts) -> Result<(), Failure> {
        let accept = async {
            while self.job.run.is_none() && self.job.end.is_none() {
                let happening = self.driver.next().await?;
                self.happened(happening)?;
            }
            Ok::<_, Failure>(())
        };
        tokio::select! {
            accepted = tokio::time::timeout(LEAVE_WAIT, accept) => match accepted {
                Ok(accepted) => accepted?,
                Err(_) => self.remarks.line("the server has not accepted the run yet"),
            },
            () = interrupts.next() => return Err(Failure::Interrupted),
        }
        let (what, hint) = match (self.job.waits(), &self.job.end) {
            (Some(_), _) => ("it waits for an answer", self.driver.answer_hint(self.session)),
            (None, Some(_)) => ("the run has ended", self.hint()),
            (None, None) => ("the run goes on", self.hint()),
        };
        self.remarks.line(&format!("left; {what}\n{hint}"));
        tokio::select! {
            () = self.driver.close() => {}
            () = interrupts.next() => {}
        }
        Err(Failure::Interrupted)
    }

    fn hint(&self) -> String {
        self.driver.hint(self.session)
    }

    /// Says how it ended, and where everything is.
    fn report(mut self, args: &GenerateArgs, kept: &[String]) -> Result<(), Failure> {
        for path in kept {
            let line = format!("  {path} stays as you changed it; --force overwrites");
            self.remarks.line(&output::clean(&line));
        }
        if let Some(usage) = self.job.usage {
            self.remarks.line(&usage_text(usage));
        }
        match args.output {
            Output::Text => self.report_text(&args.out)?,
            Output::Json => self.report_json(&args.out, kept)?,
        }
        if self.job.waits().is_some() {
            let hint = self.driver.answer_hint(self.session);
            let what = "the run asks before it goes on, and nobody has answered";
            return Err(Failure::Failed(format!("{what}\n{hint}")));
        }
        self.job.failure().map_or(Ok(()), |failure| Err(Failure::Failed(failure)))
    }

    fn report_text(&self, out: &Path) -> Result<(), Failure> {
        let (session, out) = (self.session, out.display());
        match &self.job.commit {
            Some(commit) => output::line(format_args!("{out} holds commit {commit}"))?,
            None => output::line("no files were committed")?,
        }
        output::line(format_args!("session {session}"))?;
        output::line(self.hint())
    }

    fn report_json(&self, out: &Path, kept: &[String]) -> Result<(), Failure> {
        let outcome = self.job.end.as_ref().map(|(outcome, _)| outcome.name());
        let error = self.job.end.as_ref().and_then(|(_, error)| error.as_ref());
        output::line(serde_json::json!({
            "session": self.session,
            "run": self.job.run,
            "outcome": outcome.unwrap_or(Outcome::Failed.name()),
            "error": error,
            "commit": self.job.commit,
            "out": out.display().to_string(),
            "kept": kept,
            "usage": self.job.usage,
            "request": self.job.waits().map(|request| request.number),
        }))
    }
}

/// Begins a run and leaves it, as Ctrl-C does.
#[cfg(test)]
pub(super) async fn leave_at_once(account: Account, args: &GenerateArgs) -> Failure {
    let session = SessionId::new(Uuid::now_v7());
    let driver = Driver::start(account).await.unwrap();
    let watch = Watch::begin(driver, session, args).await.unwrap();
    watch.leave(&mut Interrupts::new().unwrap()).await.unwrap_err()
}
