//! A server for tests: one session in memory, over real sockets, with connections that break.

use super::{account::Account, args::ServerArgs, remote::fake::FakeSource};
use crate::cli::{
    client::remote::Source as _,
    saved::{self, Saved},
};
use futures_util::{SinkExt as _, StreamExt as _};
use greenroom_protocol::{
    SUBPROTOCOL,
    event::Event,
    frame::{
        After, Attached, CaughtUp, ClientFrame, Entry, Ev, Heartbeat, Mode, OpenRun, ServerFrame,
        Status, Welcome, decode,
    },
    id::{Channel, CommandId, ConnectionId, Epoch, RunId, Seq, SessionId, UserId},
    method::{
        HistoryPage, InputRespond, InputResponded, Method, RunAccepted, RunCancelled, SessionInfo,
        SessionPage,
    },
};
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{ErrorResponse, Request, Response},
};
use uuid::Uuid;

pub(super) const RUN: RunId = RunId::new(Uuid::from_u128(42));

/// The run that goes on once a request is answered.
pub(super) const LATER: RunId = RunId::new(Uuid::from_u128(43));

/// What a server does and has seen.
#[derive(Default)]
pub(super) struct World {
    /// What the run that is started will say.
    pub(super) answer: Vec<Event>,
    /// What the run that goes on after an answer will say.
    pub(super) later: Vec<Event>,
    /// Answers to requests: whether they accept, and their words.
    pub(super) responses: Vec<(bool, String)>,
    /// After how many entries each connection breaks; none left: never.
    pub(super) cuts: VecDeque<usize>,
    /// Whether sockets are refused with 401.
    pub(super) locked: bool,
    /// Whether each `welcome` is followed by `auth_required`.
    pub(super) expiring: bool,
    /// The files.
    pub(super) files: FakeSource,
    /// The log.
    pub(super) log: Vec<Event>,
    pub(super) session: Option<SessionId>,
    /// Methods called, the repeats included, and tokens received, in order.
    pub(super) seen: Vec<String>,
    pub(super) started: Vec<CommandId>,
}

pub(super) struct FakeServer {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) url: String,
    folder: tempfile::TempDir,
}

impl FakeServer {
    pub(super) async fn start(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(world));
        let shared = Arc::clone(&world);
        let accept = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = Arc::clone(&shared);
                #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
                tokio::spawn(serve(stream, world));
            }
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(accept);
        Self { world, url, folder: tempfile::tempdir().unwrap() }
    }

    /// An account with tokens as `greenroom dev` saves them.
    pub(super) fn account(&self) -> Account {
        let saved = Saved {
            url: self.url.clone(),
            access_token: "token-1".into(),
            access_expires_at_ms: u64::MAX,
            refresh_token: "refresh-1".into(),
            ..Saved::default()
        };
        saved::write(&saved::path(self.folder.path()), &saved).unwrap();
        Account::find(&ServerArgs::default(), self.folder.path()).unwrap()
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.world.lock().unwrap().seen.iter().filter(|seen| *seen == what).count()
    }
}

async fn serve(mut stream: TcpStream, world: Arc<Mutex<World>>) {
    let mut start = [0; 5];
    while stream.peek(&mut start).await.unwrap() < start.len() {
        tokio::task::yield_now().await;
    }
    if &start == b"POST " {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await.unwrap();
        let body = r#"{"access_token":"token-2","refresh_token":"refresh-2"}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).await.unwrap();
        return;
    }
    let locked = world.lock().unwrap().locked;
    #[expect(clippy::result_large_err, reason = "the signature that the library asks for")]
    let upgrade = |_: &Request, mut response: Response| {
        if locked {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = http::StatusCode::UNAUTHORIZED;
            return Err(refusal);
        }
        let protocol = SUBPROTOCOL.parse().unwrap();
        response.headers_mut().insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, upgrade).await else { return };
    let (mut sink, mut source) = socket.split();
    let cut = world.lock().unwrap().cuts.pop_front();
    let (mut attached, mut sent) = (None, 0);
    while let Some(Ok(message)) = source.next().await {
        let Message::Text(text) = message else { continue };
        for frame in decode(text.as_bytes()).unwrap() {
            for reply in replies(&world, &mut attached, frame).await {
                sink.send(Message::text(reply.encode())).await.unwrap();
            }
        }
        let entries = attached.as_mut().map_or_else(Vec::new, |at| entries(&world, at));
        for entry in entries {
            if cut == Some(sent) {
                return; // no close frame: the network broke
            }
            sink.send(Message::text(entry.encode())).await.unwrap();
            sent += 1;
        }
    }
}

/// The entries that an attachment has not had yet.
fn entries(
    world: &Mutex<World>,
    (ch, at, replaying): &mut (Channel, u64, bool),
) -> Vec<ServerFrame> {
    let world = world.lock().unwrap();
    let rest = world.log.iter().skip(usize::try_from(*at).unwrap());
    let entry = |event: &Event| {
        *at += 1;
        ServerFrame::Ev(Ev { ch: *ch, seq: Seq(*at), from: None, ts: 0, event: event.clone() })
    };
    let mut frames: Vec<_> = rest.map(entry).collect();
    if std::mem::take(replaying) {
        frames.push(ServerFrame::CaughtUp(CaughtUp { ch: *ch, seq: Seq(*at) }));
    }
    frames
}

async fn replies(
    world: &Mutex<World>,
    attached: &mut Option<(Channel, u64, bool)>,
    frame: ClientFrame,
) -> Vec<ServerFrame> {
    match frame {
        ClientFrame::Hello(hello) => {
            let mut world = world.lock().unwrap();
            world.seen.extend(hello.token);
            let mut replies = vec![welcome()];
            if world.expiring {
                replies.push(ServerFrame::AuthRequired { deadline_ms: 60_000 });
            }
            replies.extend(hello.attach.iter().flat_map(|attach| {
                attach_replies(&world, attached, attach.ch, attach.session, attach.after)
            }));
            replies
        }
        ClientFrame::Auth { token } => {
            world.lock().unwrap().seen.push(format!("auth {token}"));
            Vec::new()
        }
        ClientFrame::Attach(attach) => {
            let world = world.lock().unwrap();
            attach_replies(&world, attached, attach.ch, attach.session, attach.after)
        }
        ClientFrame::Call(call) => {
            let method = Method::from_call(&call).unwrap();
            vec![answer(world, call.id, method).await]
        }
        ClientFrame::Detach { .. }
        | ClientFrame::Ack { .. }
        | ClientFrame::Ping { .. }
        | ClientFrame::Pong
        | ClientFrame::Unknown { .. } => Vec::new(),
    }
}

fn welcome() -> ServerFrame {
    ServerFrame::Welcome(Welcome {
        v: 1,
        conn: ConnectionId::new(Uuid::nil()),
        heartbeat: Heartbeat { interval_ms: 25_000, timeout_ms: 10_000 },
        limits: std::collections::BTreeMap::default(),
        features: Vec::new(),
        auth_expires_in_ms: 900_000,
        time: 0,
    })
}

fn attach_replies(
    world: &World,
    attached: &mut Option<(Channel, u64, bool)>,
    ch: Channel,
    session: SessionId,
    after: After,
) -> Vec<ServerFrame> {
    let head = u64::try_from(world.log.len()).unwrap();
    let at = match after {
        After::Cursor(cursor) => cursor.seq.0,
        After::Live => head,
        After::Start | After::Open | After::Tail(_) => 0,
    };
    *attached = Some((ch, at, at < head));
    let info = info(world, session);
    let begins = Attached {
        ch,
        session,
        epoch: Epoch(1),
        head: Seq(head),
        after: Seq(at),
        mode: Mode::Resumed,
        status: info.status,
        run: info.run,
    };
    let mut frames = vec![ServerFrame::Attached(begins)];
    if at == head {
        frames.push(ServerFrame::CaughtUp(CaughtUp { ch, seq: Seq(at) }));
    }
    frames
}

fn info(world: &World, session: SessionId) -> SessionInfo {
    let open = world.started.last().map(|cid| OpenRun { run: RUN, cid: *cid });
    let ends =
        |event: &&Event| matches!(event, Event::InputUser { .. } | Event::RunFinished { .. });
    let last = world.log.iter().rev().find(ends);
    let over = matches!(last, Some(Event::RunFinished { .. }));
    let request = open_request(world);
    let status = match (&open, over) {
        (Some(_), false) => Status::Running,
        _ if request.is_some() => Status::Waiting,
        _ => Status::Idle,
    };
    SessionInfo {
        session,
        epoch: Epoch(1),
        head: Seq(u64::try_from(world.log.len()).unwrap()),
        title: "a session".into(),
        status,
        run: open.filter(|_| !over),
        commit: world.files.head.map(|oid| oid.to_string()),
        created_at: 0,
        parent: None,
        request,
    }
}

/// The request that waits for an answer.
fn open_request(world: &World) -> Option<u32> {
    let mut open = None;
    for event in &world.log {
        if let Event::InputRequested { request, .. } = event {
            open = Some(*request);
        } else if let Event::InputResolved { .. } = event {
            open = None;
        }
    }
    open
}

/// Takes an answer into the log, and what comes of it.
fn respond(world: &mut World, cid: CommandId, respond: InputRespond) -> InputResponded {
    let InputRespond { request, accept, text } = respond;
    world.responses.push((accept, text.clone()));
    let by = UserId::new(Uuid::nil());
    let run = accept.then_some(LATER);
    let said = text.clone();
    let (by, named) = (Some(by), Some(cid));
    world.log.push(Event::InputResolved { request, answered: accept, by, cid: named, text, run });
    let seq = Seq(u64::try_from(world.log.len()).unwrap());
    if let Some(run) = run {
        world.log.push(input(run, cid, said, Some(request)));
        let later = std::mem::take(&mut world.later);
        world.log.extend(later);
    }
    InputResponded { seq, run }
}

fn input(run: RunId, cid: CommandId, text: String, answers: Option<u32>) -> Event {
    let by = UserId::new(Uuid::nil());
    Event::InputUser { run, cid, by, text, model: None, plan: false, steers: None, answers }
}

async fn answer(world: &Mutex<World>, id: u32, method: Method) -> ServerFrame {
    let mut duplicate = false;
    world.lock().unwrap().seen.push(method.name().to_owned());
    let result = match method {
        Method::SessionCreate(session, ..) => {
            let mut world = world.lock().unwrap();
            duplicate = world.session.replace(session).is_some();
            json(&info(&world, session))
        }
        Method::SessionGet(session) => json(&info(&world.lock().unwrap(), session)),
        Method::SessionList(_) => {
            let world = world.lock().unwrap();
            let items = world.session.map(|session| info(&world, session)).into_iter().collect();
            json(&SessionPage { items, next_cursor: None })
        }
        Method::RunStart(_, cid, start) => {
            let mut world = world.lock().unwrap();
            duplicate = world.started.contains(&cid);
            if !duplicate {
                world.started.push(cid);
                world.log.push(input(RUN, cid, start.input, None));
                let answer = std::mem::take(&mut world.answer);
                world.log.extend(answer);
            }
            json(&RunAccepted { run: RUN, seq: Seq(1), queued: false })
        }
        Method::RunSteer(..) => json(&RunAccepted { run: RUN, seq: Seq(1), queued: true }),
        Method::InputRespond(_, cid, asked) => {
            json(&respond(&mut world.lock().unwrap(), cid, asked))
        }
        Method::HistoryGet(..) => json(&history(&world.lock().unwrap())),
        Method::RunCancel(..) => json(&RunCancelled { run: Some(RUN), active: true }),
        Method::FilesList(_, list) => {
            let mut files = std::mem::take(&mut world.lock().unwrap().files);
            let page = files.list(list).await.unwrap();
            world.lock().unwrap().files = files;
            json(&page)
        }
        Method::FilesGet(_, get) => {
            let mut files = std::mem::take(&mut world.lock().unwrap().files);
            let slice = files.get(get).await.unwrap();
            world.lock().unwrap().files = files;
            json(&slice)
        }
        Method::SessionClose(..)
        | Method::SessionFork(..)
        | Method::SessionRollback(..)
        | Method::SessionDiff(..)
        | Method::CreditsGet
        | Method::CreditsHistory(_)
        | Method::CreditsQuote(..) => panic!("no test asks for this"),
    };
    ServerFrame::Ok { id, result, duplicate }
}

/// The whole log as one page.
fn history(world: &World) -> HistoryPage {
    let entry = |(seq, event): (u64, &Event)| Entry { seq: Seq(seq), ts: 0, event: event.clone() };
    let entries = (1..).zip(&world.log).map(entry).collect();
    HistoryPage { epoch: Epoch(1), entries, next_before: None }
}

fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}
