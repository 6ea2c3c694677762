//! A client's WebSocket, frame by frame.

use super::{Server, User, process::http, soon, story::command, until};
use futures_util::{SinkExt as _, StreamExt as _};
use greenroom_protocol::{
    SUBPROTOCOL, VERSION,
    error::ErrorBody,
    event::Event,
    frame::{After, Attach, Attached, Call, ClientFrame, Ev, Hello, ServerFrame, Welcome},
    id::{Channel, CommandId, SessionId},
    limit::PAGE_ITEMS_MAX,
    method::{FilePage, FileSlice, FilesGet, FilesList, Method, OnBusy, RunStart, SessionCreate},
};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, VecDeque};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// A socket. Frames that a wait does not want stay, in order, for the next.
pub(crate) struct Socket {
    ws: WebSocketStream<TcpStream>,
    waiting: VecDeque<ServerFrame>,
    calls: u32,
}

/// What is offered in a handshake.
const OFFER: &str = "sec-websocket-protocol";

impl Socket {
    /// A socket after its handshake, at `/ws` or `/ws?ticket=…`.
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        let stream = TcpStream::connect(server.public).await.unwrap();
        let mut request = format!("ws://{}{path}", server.public).into_client_request().unwrap();
        request.headers_mut().insert(OFFER, SUBPROTOCOL.parse().unwrap());
        let (ws, _) = soon("handshake", client_async(request, stream)).await.unwrap();
        Self { ws, waiting: VecDeque::new(), calls: 0 }
    }

    /// A socket after `welcome`.
    pub(crate) async fn connect(server: &Server, user: &User) -> Self {
        let mut socket = Self::open(server, "/ws").await;
        socket.hello(Some(&user.access)).await;
        socket
    }

    /// Says hello; the answer.
    pub(crate) async fn hello(&mut self, token: Option<&str>) -> Welcome {
        self.send(&hello(token)).await;
        let frame = self.next().await;
        let ServerFrame::Welcome(welcome) = frame else { panic!("no welcome but {frame:?}") };
        welcome
    }

    /// Says hello with a token that is refused; the close code.
    pub(crate) async fn refused_hello(server: &Server, token: Option<&str>) -> u16 {
        let mut socket = Self::open(server, "/ws").await;
        socket.send(&hello(token)).await;
        socket.close_code().await
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        self.send_text(&frame.encode()).await;
    }

    /// Sends a text message.
    pub(crate) async fn send_text(&mut self, text: &str) {
        soon("room to write", self.ws.send(Message::text(text))).await.unwrap();
    }

    /// Sends a message that the server may stop reading in the middle.
    pub(crate) async fn try_send(&mut self, message: Message) {
        let _ = soon("room to write", self.ws.send(message)).await;
    }

    /// The next frame; the close code where the socket ends, 1006 where it just ends.
    pub(crate) async fn receive(&mut self) -> Result<ServerFrame, u16> {
        if let Some(frame) = self.waiting.pop_front() {
            return Ok(frame);
        }
        loop {
            match soon("frame", self.ws.next()).await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(ServerFrame::decode(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(1006),
                Some(Ok(
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
                )) => {}
            }
        }
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> ServerFrame {
        self.receive().await.unwrap_or_else(|code| panic!("closed with {code}"))
    }

    /// The code that the server closes the socket with, after any frames.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Err(code) = self.receive().await {
                return code;
            }
        }
    }

    /// All frames up to the first one that is wanted, which is the last of them.
    pub(crate) async fn take_until(
        &mut self,
        wanted: impl Fn(&ServerFrame) -> bool,
    ) -> Vec<ServerFrame> {
        let mut taken = Vec::new();
        loop {
            let frame = self.next().await;
            let found = wanted(&frame);
            taken.push(frame);
            if found {
                return taken;
            }
        }
    }

    /// All frames up to the first event that is wanted.
    pub(crate) async fn take_until_event(
        &mut self,
        wanted: impl Fn(&Event) -> bool,
    ) -> Vec<ServerFrame> {
        self.take_until(|frame| matches!(frame, ServerFrame::Ev(Ev { event, .. }) if wanted(event)))
            .await
    }

    /// The first wanted frame; all others stay for later waits.
    async fn pick(&mut self, wanted: impl Fn(&ServerFrame) -> bool) -> ServerFrame {
        let mut others = self.take_until(wanted).await;
        let picked = others.pop().expect("the wanted one");
        for frame in others.into_iter().rev() {
            self.waiting.push_front(frame);
        }
        picked
    }

    /// Calls a method and does not wait; the id of the answer.
    pub(crate) async fn begin(&mut self, method: &Method) -> u32 {
        self.calls += 1;
        let call = Call { id: self.calls, ..method.to_call() };
        self.send(&ClientFrame::Call(call)).await;
        self.calls
    }

    /// The answer to a call.
    pub(crate) async fn answer(&mut self, asked: u32) -> Result<serde_json::Value, ErrorBody> {
        let is_answer = |frame: &ServerFrame| matches!(frame, ServerFrame::Ok { id, .. } | ServerFrame::Err { id, .. } if *id == asked);
        let frame = self.pick(is_answer).await;
        if let ServerFrame::Ok { result, .. } = frame {
            return Ok(result);
        }
        let ServerFrame::Err { error, .. } = frame else { panic!("{frame:?} is no answer") };
        Err(error)
    }

    /// Calls a method.
    pub(crate) async fn call(&mut self, method: &Method) -> Result<serde_json::Value, ErrorBody> {
        let id = self.begin(method).await;
        self.answer(id).await
    }

    /// Calls a method that succeeds.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, method: &Method) -> T {
        let result = self.call(method).await;
        serde_json::from_value(result.unwrap_or_else(|error| panic!("{method:?}: {error:?}")))
            .unwrap()
    }

    /// Creates a session and follows it on a channel from its start.
    pub(crate) async fn create(&mut self, session: SessionId, ch: u32) {
        let create = SessionCreate { title: "a test".into() };
        self.call(&Method::SessionCreate(session, command(), create)).await.unwrap();
        self.attach(session, ch, After::Start).await;
    }

    /// Follows a session.
    pub(crate) async fn attach(&mut self, session: SessionId, ch: u32, after: After) -> Attached {
        let frame = self.try_attach(session, ch, after).await;
        let ServerFrame::Attached(attached) = frame else { panic!("not attached: {frame:?}") };
        attached
    }

    /// Follows a session from its start that another client is about to create.
    pub(crate) async fn attach_soon(&mut self, session: SessionId, ch: u32) -> Attached {
        until("session", async || {
            let frame = self.try_attach(session, ch, After::Start).await;
            let ServerFrame::Attached(attached) = frame else { return None };
            Some(attached)
        })
        .await
    }

    /// What an `attach` is answered with: `attached`, `reset` or `error`.
    pub(crate) async fn try_attach(
        &mut self,
        session: SessionId,
        ch: u32,
        after: After,
    ) -> ServerFrame {
        let channel = Channel(ch);
        let attach = Attach { ch: channel, session, after, credit: None, window_ms: 0 };
        self.send(&ClientFrame::Attach(attach)).await;
        self.pick(|frame| {
            let attached = matches!(frame, ServerFrame::Attached(of) if of.ch == channel);
            let reset = matches!(frame, ServerFrame::Reset(of) if of.ch == channel);
            attached
                || reset
                || matches!(frame, ServerFrame::Error { ch: Some(ch), .. } if *ch == channel)
        })
        .await
    }

    /// Starts a run and does not wait; its command and the id of the answer.
    pub(crate) async fn begin_run(&mut self, session: SessionId, prompt: &str) -> (CommandId, u32) {
        let cid = command();
        let start =
            RunStart { input: prompt.into(), on_busy: OnBusy::Reject, model: None, plan: None };
        let id = self.begin(&Method::RunStart(session, cid, start)).await;
        (cid, id)
    }

    /// Starts a run, which is accepted.
    pub(crate) async fn start_run(&mut self, session: SessionId, prompt: &str) -> CommandId {
        let (cid, id) = self.begin_run(session, prompt).await;
        self.answer(id).await.unwrap();
        cid
    }

    /// All files of a session by `files.list` and `files.get`.
    pub(crate) async fn files(
        &mut self,
        session: SessionId,
        commit: Option<&str>,
    ) -> BTreeMap<String, Vec<u8>> {
        let commit = commit.map(ToOwned::to_owned);
        let list = FilesList { commit: commit.clone(), after: None };
        let page: FilePage = self.ask(&Method::FilesList(session, list)).await;
        assert!(page.files.len() < PAGE_ITEMS_MAX as usize, "one page is enough here");
        let mut files = BTreeMap::new();
        for file in page.files {
            let mut text = String::new();
            let mut offset = Some(0);
            while let Some(from) = offset {
                let (path, commit) = (file.path.clone(), commit.clone());
                let get = FilesGet { path, commit, offset: from };
                let slice: FileSlice = self.ask(&Method::FilesGet(session, get)).await;
                text += &slice.text;
                offset = slice.next_offset;
            }
            assert_eq!(text.len() as u64, file.bytes, "{}", file.path);
            files.insert(file.path, text.into_bytes());
        }
        files
    }
}

fn hello(token: Option<&str>) -> ClientFrame {
    let token = token.map(ToOwned::to_owned);
    ClientFrame::Hello(Hello { v: (VERSION, VERSION), token, ..Hello::default() })
}

/// The status and the code that a handshake is refused with.
pub(crate) async fn refusal(
    server: &Server,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, String) {
    let mut request = http()
        .get(format!("http://{}{path}", server.public))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = soon("answer", request.send()).await.unwrap();
    let status = answer.status().as_u16();
    let problem: serde_json::Value = soon("body", answer.json()).await.unwrap();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}
