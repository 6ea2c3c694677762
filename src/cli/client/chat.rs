//! `greenroom client chat`: a session, line by line.

use super::{
    account::Account,
    args::ChatArgs,
    driver::{Driver, Happening, describe, result},
    remote::listing,
    render::Renderer,
    request::{self, Request, Verdict, verdict},
    respond::{respond_to, waiting},
    sessions::SessionFiles,
    terminal::{Interrupts, Remarks, size},
};
use crate::{cli::output, failure::Failure};
use greenroom_protocol::{
    client::{Answer, Begin, Ticket},
    event::Event,
    frame::{After, Status},
    id::{CommandId, Cursor, SessionId},
    method::{
        Method, OnBusy, RunAccepted, RunCancel, RunStart, SessionCreate, SessionInfo, title_of,
    },
    plan::InputKind,
};
use std::{collections::VecDeque, io::IsTerminal as _};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use uuid::Uuid;

const HELP: &str = "/cancel ends the run, /steer WORDS says something to it, /files lists the files, \
                    /quit leaves; anything else is sent, and waits where a run is under way";

/// What a line is taken for while a plan, or going on, waits for approval.
const APPROVAL: &str = "y goes on, also with a remark behind it; n does not; other words are a new \
                        prompt that takes its place";

/// Most commands that wait for an answer; a further line waits in the terminal.
const ASKED_MAX: usize = 16;

pub(super) async fn run(account: Account, args: ChatArgs) -> Result<(), Failure> {
    talk(account, args, tokio::io::stdin()).await
}

/// The chat, with what the user types as `input`.
pub(super) async fn talk(
    account: Account,
    args: ChatArgs,
    input: impl AsyncRead + Unpin,
) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let driver = Driver::start(account).await?;
    let mut chat = Chat {
        driver,
        session: args.session.unwrap_or_else(|| SessionId::new(Uuid::now_v7())),
        model: args.model,
        begun: false,
        runs: 0,
        asked: VecDeque::new(),
        request: None,
        renderer: Renderer::new(false, false),
        remarks: Remarks::new(),
        terminal: std::io::stdin().is_terminal(),
        lost: false,
    };
    if args.session.is_some() {
        chat.go_on().await?;
    }
    chat.remarks.line(HELP);
    chat.prompt()?;
    let mut lines = BufReader::new(input).lines();
    let mut open = true;
    loop {
        tokio::select! {
            line = lines.next_line(), if open && chat.asked.len() < ASKED_MAX => {
                match line.ok().flatten() {
                    Some(line) if line.trim() == "/quit" => break,
                    Some(line) => chat.line(line.trim()).await?,
                    None => open = false,
                }
            }
            happening = chat.driver.next() => chat.happened(happening?)?,
            () = interrupts.next() => break,
        }
        // A pipe is read to its end, and all that it asked for is answered.
        if !open && chat.is_idle() {
            break;
        }
    }
    chat.leave().await;
    Ok(())
}

struct Chat {
    driver: Driver,
    session: SessionId,
    model: Option<String>,
    /// Whether the session exists and is followed.
    begun: bool,
    /// Runs that were asked for here and have not ended.
    runs: usize,
    /// Calls without an answer.
    asked: VecDeque<Ticket>,
    /// What the session waits with.
    request: Option<Request>,
    renderer: Renderer,
    remarks: Remarks,
    terminal: bool,
    lost: bool,
}

impl Chat {
    /// Follows a session that exists.
    async fn go_on(&mut self) -> Result<(), Failure> {
        let get = Method::SessionGet(self.session);
        let info: SessionInfo = self.driver.ask(&get, &mut |_| {}).await?;
        let place = Cursor { epoch: info.epoch, seq: info.head };
        self.driver.attach(self.session, After::Cursor(place));
        self.begun = true;
        if let Some(request) = waiting(&mut self.driver, &info, &mut |_| {}).await? {
            output::out(self.renderer.event(&request::event(&request)))?;
            self.waits(request);
        } else if !matches!(info.status, Status::Idle | Status::Waiting) {
            self.remarks.line("a run is under way; what you send waits for it");
        }
        Ok(())
    }

    async fn line(&mut self, line: &str) -> Result<(), Failure> {
        match line {
            "" => {}
            "/cancel" => self.cancel().await?,
            "/files" => self.files().await?,
            command if command.starts_with("/steer ") => {
                return self.send(command.trim_start_matches("/steer ").trim(), OnBusy::Steer);
            }
            command if command.starts_with('/') => self.remarks.line(HELP),
            prompt => match self.request.take() {
                Some(request) => return self.answer(request, prompt),
                None => return self.send(prompt, OnBusy::Queue),
            },
        }
        self.prompt()
    }

    /// A line while the session waits: an answer, or else a new prompt.
    fn answer(&mut self, request: Request, line: &str) -> Result<(), Failure> {
        let Some(verdict) = verdict(&request, line) else {
            return self.send(line, OnBusy::Queue);
        };
        self.runs += usize::from(matches!(verdict, Verdict::Accept(_)));
        let respond = respond_to(self.session, verdict.to(request.number));
        self.asked.push_back(self.driver.call(&respond)?);
        Ok(())
    }

    fn waits(&mut self, request: Request) {
        if request.kind != InputKind::Question {
            self.remarks.line(APPROVAL);
        }
        self.request = Some(request);
    }

    fn send(&mut self, prompt: &str, on_busy: OnBusy) -> Result<(), Failure> {
        let command = || CommandId::new(Uuid::now_v7());
        if !self.begun {
            let create = SessionCreate { title: title_of(prompt) };
            let create = Method::SessionCreate(self.session, command(), create);
            self.asked.push_back(self.driver.call(&create)?);
            self.driver.attach(self.session, After::Start);
            self.begun = true;
        }
        let start =
            RunStart { input: prompt.to_owned(), on_busy, model: self.model.clone(), plan: None };
        let start = Method::RunStart(self.session, command(), start);
        self.asked.push_back(self.driver.call(&start)?);
        self.runs += 1;
        Ok(())
    }

    async fn cancel(&mut self) -> Result<(), Failure> {
        if !self.begun {
            return Ok(());
        }
        let info: SessionInfo = self.ask(&Method::SessionGet(self.session)).await?;
        let Some(open) = info.run else {
            self.remarks.line("no run is under way");
            return Ok(());
        };
        let cid = CommandId::new(Uuid::now_v7());
        let cancel = Method::RunCancel(self.session, cid, RunCancel::Run(open.run));
        self.asked.push_back(self.driver.call(&cancel)?);
        Ok(())
    }

    /// Asks and waits; what happens meanwhile is shown as ever.
    async fn ask<T: serde::de::DeserializeOwned>(&mut self, method: &Method) -> Result<T, Failure> {
        let asked = self.driver.call(method)?;
        loop {
            let happening = self.driver.next().await?;
            match happening.answer_to(asked) {
                Ok(answer) => return result(answer),
                Err(other) => self.happened(*other)?,
            }
        }
    }

    async fn files(&mut self) -> Result<(), Failure> {
        if !self.begun {
            return output::line("no files yet");
        }
        // At most what arrives while one list is fetched.
        let mut meanwhile = Vec::new();
        let mut see = |happening| meanwhile.push(happening);
        let session = self.session;
        let mut source = SessionFiles { driver: &mut self.driver, session, see: &mut see };
        let listing = listing(&mut source, None).await?;
        match listing {
            Some(listing) => {
                for (path, entry) in &listing.files {
                    output::line(format_args!("{}  {}", output::clean(path), size(entry.bytes)))?;
                }
            }
            None => output::line("no files yet")?,
        }
        meanwhile.into_iter().try_for_each(|happening| self.happened(happening))
    }

    fn happened(&mut self, happening: Happening) -> Result<(), Failure> {
        match happening {
            Happening::Event(ev) => {
                output::out(self.renderer.event(&ev.event))?;
                if let Some(request) = request::of(&ev.event) {
                    self.waits(request);
                } else if let Event::InputResolved { .. } = ev.event {
                    self.request = None;
                } else if let Event::RunFinished { .. } = ev.event {
                    self.runs = self.runs.saturating_sub(1);
                    self.prompt()?;
                }
            }
            Happening::Answered(ticket, answer) => {
                self.asked.retain(|asked| *asked != ticket);
                self.answered(answer);
            }
            Happening::Attached(begun) => {
                match begun.begin {
                    Begin::Continued if self.lost => {
                        self.remarks.line("reconnected, nothing missed");
                    }
                    Begin::Void(_) => self.remarks.line("the log of the session was replaced"),
                    Begin::First | Begin::Continued => {}
                }
                self.lost = false;
            }
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
            Happening::Notice(error) => self.remarks.line(&describe(&error)),
            Happening::Ready | Happening::CaughtUp | Happening::Detached(_) => {}
        }
        Ok(())
    }

    /// A refused start will have no end: it counts no longer.
    fn answered(&mut self, answer: Answer) {
        if matches!(&answer, Answer::Ok { .. }) {
            if let Ok(RunAccepted { queued: true, .. }) = result::<RunAccepted>(answer) {
                self.remarks.line("it waits for the run under way");
            }
            return;
        }
        self.runs = self.runs.saturating_sub(1);
        if let Err(failure) = result::<serde_json::Value>(answer) {
            self.remarks.line(&failure.to_string());
        }
    }

    fn is_idle(&self) -> bool {
        self.runs == 0 && self.asked.is_empty()
    }

    fn prompt(&self) -> Result<(), Failure> {
        if self.terminal && self.runs == 0 { output::out("> ") } else { Ok(()) }
    }

    async fn leave(mut self) {
        if self.begun {
            let going_on = if self.runs > 0 { "\nthe run goes on" } else { "" };
            let hint = self.driver.hint(self.session);
            self.remarks.line(&format!("{going_on}\n{hint}"));
        }
        self.driver.close().await;
    }
}
