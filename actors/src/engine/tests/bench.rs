//! What the tests of the engine share: an engine on fakes, and a client that speaks frames.

use crate::{
    Engine, EngineConfig, Ports,
    fake::{
        Calls, FakeAuth, FakeClient, FakeLimiter, FakeProvider, FakeSocket, FakeStore, FakeView,
    },
    port::{Alone, Authenticator, Clock, Provider, Store},
};
use greenroom_protocol::{
    error::ErrorBody,
    event::{Event, Outcome},
    frame::{After, Attach, Attached, Call, ClientFrame, Ev, Hello, ServerFrame},
    id::{Channel, CommandId, Cursor, Epoch, RunId, Seq, SessionId, UserId},
    method::{OnBusy, RunAccepted, RunStart},
};
use serde_json::{Value, value::to_raw_value};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

pub(super) const USER: UserId = UserId::new(Uuid::from_u128(1));
pub(super) const OTHER: UserId = UserId::new(Uuid::from_u128(2));
pub(super) const SESSION: SessionId = SessionId::new(Uuid::from_u128(77));
pub(super) const CH: Channel = Channel(1);

pub(super) const fn cid(n: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(n))
}

/// Shows 1,000,000 ms at first and goes with tokio's clock.
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now_ms(&self) -> u64 {
        1_000_000 + u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// An engine on fakes.
pub(super) struct Bench {
    pub(super) engine: Arc<Engine>,
    pub(super) store: Arc<FakeStore>,
    pub(super) limiter: Arc<FakeLimiter>,
    pub(super) calls: Calls,
    config: EngineConfig,
    /// When the clock showed 1,000,000 ms.
    started: Instant,
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::on(Arc::new(FakeStore::new()), EngineConfig::default()).await
    }

    pub(super) async fn on(store: Arc<FakeStore>, config: EngineConfig) -> Self {
        Self::with(store, config, Arc::new(FakeAuth)).await
    }

    pub(super) async fn with(
        store: Arc<FakeStore>,
        config: EngineConfig,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        Self::since(Instant::now(), (store.clone(), store), config, authenticator).await
    }

    /// One of the engines that share a store, which it reaches through a view of its own.
    pub(super) async fn member(
        started: Instant,
        store: Arc<FakeStore>,
        view: FakeView,
        config: EngineConfig,
    ) -> Self {
        Self::since(started, (store, Arc::new(view)), config, Arc::new(FakeAuth)).await
    }

    async fn since(
        started: Instant,
        (store, view): (Arc<FakeStore>, Arc<dyn Store>),
        config: EngineConfig,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        let (provider, calls) = FakeProvider::new();
        let providers: Vec<Arc<dyn Provider>> = vec![provider];
        let limiter = Arc::new(FakeLimiter::default());
        let ports = Ports {
            store: view,
            clock: Arc::new(PausedClock(started)),
            authenticator,
            limiter: limiter.clone(),
            cooldowns: Arc::new(Alone),
            providers,
        };
        let engine = Arc::new(Engine::start(ports, config.clone()).await.unwrap());
        Self { engine, store, limiter, calls, config, started }
    }

    /// Another engine on the same store, as after a kill: nothing of this one goes on.
    pub(super) async fn restart(self) -> Self {
        self.engine.kill();
        self.engine.failed().await;
        let stores = (self.store.clone(), self.store as Arc<dyn Store>);
        Self::since(self.started, stores, self.config, Arc::new(FakeAuth)).await
    }

    /// A socket whose client has said nothing.
    pub(super) fn socket(&self) -> FakeClient {
        let (socket, client) = FakeSocket::new();
        let engine = self.engine.clone();
        crate::spawn(async move { engine.serve(socket, None).await });
        client
    }

    /// A client that has said hello.
    pub(super) async fn client(&self, user: UserId) -> Client {
        self.client_with(FakeAuth::token(user)).await
    }

    /// A client that has said hello with this token.
    pub(super) async fn client_with(&self, token: String) -> Client {
        let mut client = Client { inner: self.socket(), session: SESSION, call: 0 };
        let hello = Hello { v: (1, 1), token: Some(token), ..Hello::default() };
        client.inner.send(ClientFrame::Hello(hello)).await;
        assert!(matches!(client.recv().await, ServerFrame::Welcome(_)));
        client
    }

    /// Another client, attached to the session's start: it sees every entry.
    pub(super) async fn reader(&self) -> Client {
        let mut client = self.client(USER).await;
        client.attach(After::Start).await;
        client
    }

    /// One turn: the model says the pieces 100 ms apart. Answers the log's entries up to its end.
    pub(super) async fn turn(&mut self, client: &mut Client, n: u128, pieces: &[&str]) -> Vec<Ev> {
        client.start(n, "talk").await.unwrap();
        let mut call = self.calls.next().await.unwrap();
        for piece in pieces {
            call.text(piece).await;
            sleep(Duration::from_millis(100)).await;
        }
        call.finish().await;
        client.until_finished().await.0
    }

    /// Waits until every idle session sleeps: what they say from now on comes from segments.
    pub(super) async fn asleep(&self) {
        sleep(Duration::from_secs(60)).await;
        assert_eq!(self.engine.meter().sessions_live.get(), 0);
    }

    /// A client with the session, attached from its start.
    pub(super) async fn attached(&self) -> Client {
        let mut client = self.client(USER).await;
        client.call("session.create", cid(1), serde_json::json!({})).await.unwrap();
        client.attach(After::Start).await;
        client
    }
}

/// A client.
pub(super) struct Client {
    pub(super) inner: FakeClient,
    /// The session that its calls and attachments are about.
    pub(super) session: SessionId,
    call: u32,
}

impl Client {
    pub(super) async fn recv(&mut self) -> ServerFrame {
        self.inner.recv().await.unwrap()
    }

    /// Calls a method on the session and waits for the answer; entries are skipped.
    pub(super) async fn call(
        &mut self,
        method: &str,
        cid: CommandId,
        params: Value,
    ) -> Result<Value, ErrorBody> {
        Ok(self.call_again(method, cid, params).await?.0)
    }

    /// Likewise; answers, too, whether the command was repeated.
    pub(super) async fn call_again(
        &mut self,
        method: &str,
        cid: CommandId,
        params: Value,
    ) -> Result<(Value, bool), ErrorBody> {
        let id = self.send_call(method, cid, &params).await;
        loop {
            match self.recv().await {
                ServerFrame::Ok { id: answered, result, duplicate } if answered == id => {
                    return Ok((result, duplicate));
                }
                ServerFrame::Err { id: answered, error } if answered == id => return Err(error),
                _ => {}
            }
        }
    }

    pub(super) async fn send_call(&mut self, method: &str, cid: CommandId, params: &Value) -> u32 {
        self.call += 1;
        let call = call_of(self.session, self.call, Some(cid), method, params);
        self.inner.send(call).await;
        self.call
    }

    pub(super) async fn start(&mut self, n: u128, input: &str) -> Result<RunId, ErrorBody> {
        self.start_with(n, input, OnBusy::Reject).await
    }

    pub(super) async fn start_with(
        &mut self,
        n: u128,
        input: &str,
        on_busy: OnBusy,
    ) -> Result<RunId, ErrorBody> {
        let start = RunStart { input: input.to_owned(), on_busy, model: None, plan: None };
        let result = self.call("run.start", cid(n), serde_json::to_value(start).unwrap()).await?;
        Ok(serde_json::from_value::<RunAccepted>(result).unwrap().run)
    }

    pub(super) async fn attach(&mut self, after: After) -> Attached {
        self.send_attach(after, None).await;
        loop {
            match self.recv().await {
                ServerFrame::Attached(attached) => return attached,
                ServerFrame::Balance(_) => {}
                other => panic!("not attached: {other:?}"),
            }
        }
    }

    pub(super) async fn send_attach(&mut self, after: After, credit: Option<u64>) {
        let attach = Attach { ch: CH, session: self.session, after, credit, window_ms: 0 };
        self.inner.send(ClientFrame::Attach(attach)).await;
    }

    /// All frames that come until none has come for a second.
    pub(super) async fn frames(&mut self) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        while let Ok(frame) = timeout(Duration::from_secs(1), self.recv()).await {
            frames.push(frame);
        }
        frames
    }

    /// Frames up to and with the attachment's `caught_up`.
    pub(super) async fn until_caught_up(&mut self) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.recv().await);
            if matches!(frames.last(), Some(ServerFrame::CaughtUp(_))) {
                return frames;
            }
        }
    }

    pub(super) async fn entry(&mut self) -> Ev {
        self.inner.entry().await.unwrap()
    }

    /// Entries up to and with the one that `is_last`.
    pub(super) async fn entries_until(&mut self, is_last: impl Fn(&Event) -> bool) -> Vec<Ev> {
        let mut entries = Vec::new();
        loop {
            let entry = self.entry().await;
            let done = is_last(&entry.event);
            entries.push(entry);
            if done {
                return entries;
            }
        }
    }

    /// Entries up to and with a text delta.
    pub(super) async fn until_delta(&mut self, wanted: &str) -> Vec<Ev> {
        let is = |event: &Event| matches!(event, Event::TextDelta { text, .. } if text == wanted);
        self.entries_until(is).await
    }

    /// Entries up to and with the end of a run.
    pub(super) async fn until_finished(&mut self) -> (Vec<Ev>, Outcome, Option<ErrorBody>) {
        let entries = self.entries_until(|event| matches!(event, Event::RunFinished { .. })).await;
        match entries.last().map(|entry| entry.event.clone()) {
            Some(Event::RunFinished { outcome, error, .. }) => (entries, outcome, error),
            other => panic!("no end: {other:?}"),
        }
    }
}

/// The request to follow the session.
pub(super) const fn attach(ch: Channel, after: After, credit: Option<u64>) -> ClientFrame {
    ClientFrame::Attach(Attach { ch, session: SESSION, after, credit, window_ms: 0 })
}

/// A call without a session's or a client's help.
pub(super) fn call(id: u32, cid: Option<CommandId>, method: &str, params: &Value) -> ClientFrame {
    call_of(SESSION, id, cid, method, params)
}

fn call_of(
    session: SessionId,
    id: u32,
    cid: Option<CommandId>,
    method: &str,
    params: &Value,
) -> ClientFrame {
    ClientFrame::Call(Call {
        id,
        cid,
        method: method.to_owned(),
        session: Some(session),
        params: Some(to_raw_value(params).unwrap()),
    })
}

/// The entry with this number.
pub(super) const fn at(seq: u64) -> After {
    After::Cursor(Cursor { epoch: Epoch(1), seq: Seq(seq) })
}

/// The entries among frames.
pub(super) fn entries_of(frames: &[ServerFrame]) -> Vec<Ev> {
    let entry = |frame: &ServerFrame| match frame {
        ServerFrame::Ev(ev) => Some(ev.clone()),
        _ => None,
    };
    frames.iter().filter_map(entry).collect()
}

/// Text of all text deltas.
pub(super) fn text_of(entries: &[Ev]) -> String {
    let delta = |entry: &Ev| match &entry.event {
        Event::TextDelta { text, .. } => Some(text.clone()),
        _ => None,
    };
    entries.iter().filter_map(delta).collect()
}

/// That numbers are without a hole, from `first` on.
pub(super) fn assert_contiguous(first: u64, entries: &[Ev]) {
    let mut next = first;
    for entry in entries {
        assert_eq!(entry.from.unwrap_or(entry.seq).0, next);
        next = entry.seq.0 + 1;
    }
}
