//! A socket of the dialect as a client of the engine: messages in, frames out, and the other way
//! round. Pure: no I/O; times and identifiers are passed in.
//!
//! A project is opened step by step: created if it is new, attached, and asked once its last
//! entries are known, since they say whether questions wait for the prompt as their answer.

use super::{
    asked::{Asked, Unasked, read},
    message::{Message, Moment},
    project::{Phase, Project, Wish},
    refusal::{Code, Kind, code, refusal},
    render::Renderer,
};
use greenroom_protocol::{
    VERSION,
    error::{Code as ErrorCode, ErrorBody},
    frame::{After, Attach, Call, ClientFrame, ClientInfo, Hello, Limits, ServerFrame},
    id::{Channel, CommandId, SessionId},
    method::{InputRespond, Method, OnBusy, RunStart, SessionCreate, title_of},
};
use std::collections::VecDeque;
use uuid::Uuid;

/// Entries before now that say what a session waits for. A request for input is among the last
/// entries of its run; where it is not among these, the prompt starts a run, which drops it.
const TAIL: u32 = 32;

/// What was said on a socket of the dialect, and what came of it.
pub(super) struct Talk {
    ids: Box<dyn FnMut() -> Uuid + Send>,
    /// Few.
    projects: Vec<Project>,
    calls: u32,
    channels: u32,
    /// Frames that the engine did not take yet.
    frames: VecDeque<ClientFrame>,
    /// Messages that the client did not get yet, and the project that each is about.
    messages: Vec<(Option<SessionId>, Message)>,
    /// The answer to a message that asks nothing of a project. A `ping` stands for it, so that it
    /// counts as a message; the engine answers one before it takes the next frame.
    owed: Option<Message>,
    /// The attachment that the last frame was to end.
    leaving: Option<Channel>,
    /// Attachments whose end was refused, since there were too many messages.
    left: Vec<Channel>,
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk").field("projects", &self.projects.len()).finish_non_exhaustive()
    }
}

impl Talk {
    /// A talk that begins with a `hello`; whose socket it is, is known already. `ids` gives a new
    /// identifier each time.
    pub(super) fn new(ids: impl FnMut() -> Uuid + Send + 'static) -> Self {
        let client = ClientInfo { name: "qbit".to_owned(), version: String::new() };
        let hello = Hello { v: (VERSION, VERSION), client, ..Hello::default() };
        Self {
            ids: Box::new(ids),
            projects: Vec::new(),
            calls: 0,
            channels: 0,
            frames: VecDeque::from([ClientFrame::Hello(hello)]),
            messages: Vec::new(),
            owed: None,
            leaving: None,
            left: Vec::new(),
        }
    }

    /// The next frame for the engine.
    pub(super) fn next_frame(&mut self) -> Option<ClientFrame> {
        let frame = self.frames.pop_front()?;
        self.leaving = if let ClientFrame::Detach { ch } = &frame { Some(*ch) } else { None };
        Some(frame)
    }

    /// The messages for the client, with the project that each is about.
    pub(super) fn take_messages(&mut self) -> Vec<(Option<SessionId>, Message)> {
        std::mem::take(&mut self.messages)
    }

    /// Whether a project is being opened: what the client says next may depend on it.
    pub(super) fn is_opening(&self) -> bool {
        self.projects.iter().any(Project::is_opening)
    }

    /// Takes a message of the client.
    pub(super) fn say(&mut self, text: &str, now_ms: u64) {
        let left = self.left.drain(..).map(|ch| ClientFrame::Detach { ch });
        self.frames.extend(left);
        match read(text) {
            Ok(Asked::Ping) => self.owe(Message::Pong { timestamp: Moment(now_ms) }),
            Ok(Asked::New(prompt)) => self.create(prompt),
            Ok(Asked::More { kind, project, prompt }) => {
                self.more(project, Wish { kind, prompt });
            }
            Err(unasked) => self.owe(unasked_of(&unasked, Moment(now_ms))),
        }
    }

    /// Takes a frame of the engine.
    pub(super) fn hear(&mut self, frame: ServerFrame, now_ms: u64) {
        let now = Moment(now_ms);
        match frame {
            ServerFrame::Welcome(welcome) => {
                let (connection_id, timestamp) = (welcome.conn, Moment(welcome.time));
                self.messages.push((None, Message::Connected { connection_id, timestamp }));
            }
            ServerFrame::Ok { id, .. } => self.succeeded(id),
            ServerFrame::Err { id, error } => self.failed(id, &error, now),
            ServerFrame::Attached(attached) => self.attached(attached.ch),
            ServerFrame::Reset(reset) => self.attached(reset.ch),
            ServerFrame::Ev(ev) => {
                let Some(project) = self.of(ev.ch) else { return };
                let session = project.session;
                let messages = project.renderer.entry(ev.ts, &ev.event);
                self.messages.extend(messages.into_iter().map(|message| (Some(session), message)));
                self.go_on(ev.ch);
            }
            ServerFrame::CaughtUp(caught_up) => self.caught_up(caught_up.ch),
            ServerFrame::Error { ch: Some(ch), error } => self.troubled(ch, &error, now),
            ServerFrame::Detached(detached) => {
                let message = "the server ended this; what was begun goes on: send modify_code";
                let error = ErrorBody::new(ErrorCode::Unavailable, detached.reason, message);
                self.lose(detached.ch, &error, now);
            }
            ServerFrame::Pong { .. } => {
                self.messages.extend(self.owed.take().map(|message| (None, message)));
            }
            ServerFrame::Limits(limits) => self.limited(&limits, now),
            // The dialect has no word for these; a close code follows where it matters.
            ServerFrame::AuthRequired { .. }
            | ServerFrame::Balance(_)
            | ServerFrame::GoAway(_)
            | ServerFrame::Ping { .. }
            | ServerFrame::Error { ch: None, .. }
            | ServerFrame::Unknown => {}
        }
    }

    fn owe(&mut self, answer: Message) {
        self.owed = Some(answer);
        self.frames.push_back(ClientFrame::Ping { ts: 0 });
    }

    fn command(&mut self) -> CommandId {
        CommandId::new((self.ids)())
    }

    fn call(&mut self, method: &Method) -> u32 {
        self.calls = self.calls.wrapping_add(1);
        self.frames.push_back(ClientFrame::Call(Call { id: self.calls, ..method.to_call() }));
        self.calls
    }

    fn of(&mut self, ch: Channel) -> Option<&mut Project> {
        self.projects.iter_mut().find(|project| project.ch == ch)
    }

    fn create(&mut self, prompt: String) {
        let (session, cid) = (SessionId::new((self.ids)()), self.command());
        let create = SessionCreate { title: title_of(&prompt) };
        let call = self.call(&Method::SessionCreate(session, cid, create));
        let wish = Wish { kind: Kind::Generate, prompt };
        self.open(session, Phase::Creating(call, wish), Renderer::new(session, Some(cid)));
    }

    fn more(&mut self, session: SessionId, wish: Wish) {
        if let Some(project) = self.projects.iter().find(|project| project.session == session) {
            self.ask(project.ch, wish);
            return;
        }
        let ch = self.open(session, Phase::Attaching(wish), Renderer::new(session, None));
        self.attach(session, ch, After::Tail(TAIL));
    }

    fn open(&mut self, session: SessionId, phase: Phase, renderer: Renderer) -> Channel {
        self.channels = self.channels.wrapping_add(1);
        let ch = Channel(self.channels);
        self.projects.push(Project { session, ch, phase, renderer, calls: Vec::new() });
        ch
    }

    fn attach(&mut self, session: SessionId, ch: Channel, after: After) {
        let attach = Attach { ch, session, after, credit: None, window_ms: 0 };
        self.frames.push_back(ClientFrame::Attach(attach));
    }

    /// Asks for what a client wants of a project that is followed.
    fn ask(&mut self, ch: Channel, Wish { kind, prompt }: Wish) {
        let cid = self.command();
        let Some(project) = self.of(ch) else { return };
        let session = project.session;
        let method = match project.renderer.questions() {
            Some(request) => {
                let respond = InputRespond { request, accept: true, text: prompt };
                Method::InputRespond(session, cid, respond)
            }
            None => {
                let (on_busy, plan) = (OnBusy::Queue, Some(true));
                let start = RunStart { input: prompt, on_busy, model: None, plan };
                Method::RunStart(session, cid, start)
            }
        };
        project.renderer.expect(cid, kind);
        self.command_of(ch, cid, &method);
    }

    fn command_of(&mut self, ch: Channel, cid: CommandId, method: &Method) {
        let call = self.call(method);
        if let Some(project) = self.of(ch) {
            project.calls.push((call, cid));
        }
    }

    fn succeeded(&mut self, id: u32) {
        for project in &mut self.projects {
            project.calls.retain(|(call, _)| *call != id);
            if let Phase::Creating(call, _) = &project.phase
                && *call == id
                && let Phase::Creating(_, wish) =
                    std::mem::replace(&mut project.phase, Phase::Following)
            {
                project.phase = Phase::Attaching(wish);
                let (session, ch) = (project.session, project.ch);
                self.attach(session, ch, After::Start);
                return;
            }
        }
    }

    fn attached(&mut self, ch: Channel) {
        let Some(project) = self.of(ch) else { return };
        project.phase = match std::mem::replace(&mut project.phase, Phase::Following) {
            Phase::Attaching(wish) => Phase::CatchingUp(wish),
            phase @ (Phase::Creating(..) | Phase::CatchingUp(_) | Phase::Following) => phase,
        };
    }

    fn caught_up(&mut self, ch: Channel) {
        let Some(project) = self.of(ch) else { return };
        if let Phase::CatchingUp(wish) = std::mem::replace(&mut project.phase, Phase::Following) {
            self.ask(ch, wish);
        }
    }

    /// Approves what the dialect cannot ask about, and leaves a project of which nothing more is
    /// to come.
    fn go_on(&mut self, ch: Channel) {
        let Some(project) = self.of(ch) else { return };
        if let Some(request) = project.renderer.plan() {
            let (session, cid) = (project.session, self.command());
            if let Some(project) = self.of(ch) {
                project.renderer.approve(cid);
            }
            let respond = InputRespond { request, accept: true, text: String::new() };
            self.command_of(ch, cid, &Method::InputRespond(session, cid, respond));
        } else if !project.is_opening() && project.renderer.is_done() {
            self.leave(ch);
        }
    }

    fn leave(&mut self, ch: Channel) {
        self.projects.retain(|project| project.ch != ch);
        self.frames.push_back(ClientFrame::Detach { ch });
    }

    fn failed(&mut self, id: u32, error: &ErrorBody, now: Moment) {
        let creating = self.projects.iter().find_map(|project| match &project.phase {
            Phase::Creating(call, wish) if *call == id => Some((project.ch, wish.kind)),
            Phase::Creating(..) | Phase::Attaching(_) | Phase::CatchingUp(_) | Phase::Following => {
                None
            }
        });
        if let Some((ch, kind)) = creating {
            self.projects.retain(|project| project.ch != ch);
            self.messages.push((None, refusal(error, code(error.reason, kind), now)));
            return;
        }
        for project in &mut self.projects {
            let Some(at) = project.calls.iter().position(|(call, _)| *call == id) else { continue };
            let (_, cid) = project.calls.remove(at);
            if let Some(kind) = project.renderer.refused(cid) {
                let refused = refusal(error, code(error.reason, kind), now);
                self.messages.push((Some(project.session), refused));
            }
            let ch = project.ch;
            self.go_on(ch);
            return;
        }
    }

    /// An error of an attachment. One that has begun goes on.
    fn troubled(&mut self, ch: Channel, error: &ErrorBody, now: Moment) {
        let is_attaching =
            self.of(ch).is_some_and(|project| matches!(project.phase, Phase::Attaching(_)));
        if is_attaching {
            self.lose(ch, error, now);
        }
    }

    /// Says that a project is not followed, where it should be.
    fn lose(&mut self, ch: Channel, error: &ErrorBody, now: Moment) {
        let Some(at) = self.projects.iter().position(|project| project.ch == ch) else { return };
        let project = self.projects.remove(at);
        let kind = project.opens_for().unwrap_or(Kind::Modify);
        let lost = refusal(error, code(error.reason, kind), now);
        self.messages.push((Some(project.session), lost));
    }

    /// Too many messages. What was refused is the last frame that has no answer of its own.
    fn limited(&mut self, limits: &Limits, now: Moment) {
        if self.owed.take().is_none() {
            self.left.extend(self.leaving.take());
            return;
        }
        let message = "too many messages; wait a little".to_owned();
        let refused = Message::Error {
            message,
            code: Code::InvalidRequest,
            retry_allowed: true,
            retry_after_ms: limits.retry_after_ms,
            timestamp: now,
        };
        self.messages.push((None, refused));
    }
}

fn unasked_of(unasked: &Unasked, timestamp: Moment) -> Message {
    Message::Error {
        message: unasked.to_string(),
        code: unasked.code(),
        retry_allowed: false,
        retry_after_ms: None,
        timestamp,
    }
}

#[cfg(test)]
mod tests;
