//! The task behind a scripted client: the link's inputs and effects, the socket between.

use super::{
    Command, Follow, Setup,
    socket::{Incoming, Socket},
};
use crate::{
    checker::{Observer, Rule, Transcript, Violation},
    provider::prompt::Tree,
    world::World,
};
use greenroom_protocol::{
    client::{Answer, Backoff, Config, Effect, Input, Keep, Link, Replica, Ticket},
    frame::{Attach, ClientFrame, ClientInfo, ServerFrame},
    id::{Channel, Seq, SessionId},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};

/// One attachment: who watches it and what it has built.
struct Slot {
    session: SessionId,
    observer: Observer,
    replica: Replica,
}

pub(super) struct Driver {
    world: Arc<World>,
    setup: Setup,
    link: Link,
    socket: Option<Socket>,
    slots: BTreeMap<Channel, Slot>,
    waiting: BTreeMap<Ticket, oneshot::Sender<Answer>>,
    begin: Instant,
    stalled_until: Instant,
}

impl Driver {
    pub(super) fn new(world: Arc<World>, setup: Setup) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let config = Config {
            client: ClientInfo { name: "greenroom-loadtest".to_owned(), version },
            token: Some(setup.token.clone()),
            backoff: Backoff { min_ms: 10, max_ms: 400 },
            seed: setup.seed,
            connect_timeout_ms: 5000,
            call_timeout_ms: u64::try_from(setup.call_timeout.as_millis()).unwrap_or(u64::MAX),
            ..Config::default()
        };
        let now = Instant::now();
        Self {
            world,
            setup,
            link: Link::new(config),
            socket: None,
            slots: BTreeMap::new(),
            waiting: BTreeMap::new(),
            begin: now,
            stalled_until: now,
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        for follow in std::mem::take(&mut self.setup.follow) {
            self.follow(follow);
        }
        self.link.apply(0, Input::Start);
        loop {
            self.perform().await;
            let deadline = self.link.deadline_ms().unwrap_or(u64::MAX).min(self.now_ms() + 1000);
            let deadline = self.begin + Duration::from_millis(deadline);
            let reads = Instant::now() >= self.stalled_until;
            let wake = if reads { deadline } else { deadline.min(self.stalled_until) };
            tokio::select! {
                incoming = next(&mut self.socket), if reads && self.socket.is_some() => self.incoming(incoming),
                () = time::sleep_until(wake) => self.link.apply(self.now_ms(), Input::Tick),
                command = commands.recv() => match command {
                    Some(Command::Stop(reply)) => return self.end(reply),
                    Some(command) => self.command(command),
                    None => return,
                },
            }
        }
    }

    fn command(&mut self, command: Command) {
        let now_ms = self.now_ms();
        match command {
            Command::Call(call, reply) => match self.link.call(now_ms, *call) {
                Ok(ticket) => drop(self.waiting.insert(ticket, reply)),
                Err(_) => drop(reply.send(Answer::TimedOut)),
            },
            Command::Follow(follow) => self.follow(follow),
            Command::Drop => {
                if self.socket.take().is_some() {
                    self.closed(None, "");
                }
            }
            Command::Stall(pause) => self.stalled_until = Instant::now() + pause,
            Command::Positions(reply) => {
                let last = |slot: &Slot| (slot.session, slot.observer.transcript().last());
                drop(reply.send(self.slots.values().map(last).collect()));
            }
            Command::Stop(_) => {} // taken by the loop
        }
    }

    fn follow(&mut self, Follow { session, after, pace }: Follow) {
        // The observer must know before the frame goes out, which `perform` does later.
        let now_ms = self.now_ms();
        let ch = self.link.attach(now_ms, session, after, pace);
        let name = format!("{} ch {ch}", self.setup.name);
        let observer = Observer::new(session, name);
        self.slots.insert(ch, Slot { session, observer, replica: Replica::new(Keep::Everything) });
    }

    fn incoming(&mut self, incoming: Incoming) {
        let now_ms = self.now_ms();
        match incoming {
            Incoming::Text(text) => {
                self.observe(&text);
                self.link.apply(now_ms, Input::Text(&text));
            }
            Incoming::Other => self.link.apply(now_ms, Input::Alive),
            Incoming::Closed { code, reason } => {
                self.socket = None;
                self.closed(code, &reason);
            }
        }
    }

    fn closed(&mut self, code: Option<u16>, reason: &str) {
        for slot in self.slots.values_mut() {
            slot.observer.lost();
        }
        self.link.apply(self.now_ms(), Input::Closed { code, reason });
    }

    /// Shows a frame to the world and to the attachment's observer.
    fn observe(&mut self, text: &str) {
        self.world.frame(names(text));
        let verdict = match ServerFrame::decode(text) {
            Err(error) => {
                Err(self.violation(Rule::Orderly, format!("{error} in the frame {text}")))
            }
            Ok(ServerFrame::Attached(frame)) => {
                self.slot(frame.ch, |slot| slot.observer.attached(&frame))
            }
            Ok(ServerFrame::Ev(frame)) => {
                let session = self.slots.get(&frame.ch).map(|slot| slot.session);
                if let Some(session) = session {
                    self.world.event(session, &frame);
                }
                self.slot(frame.ch, |slot| slot.observer.ev(frame))
            }
            Ok(ServerFrame::CaughtUp(frame)) => {
                self.slot(frame.ch, |slot| slot.observer.caught_up(frame))
            }
            Ok(ServerFrame::Reset(frame)) => {
                self.slot(frame.ch, |slot| Err(slot.observer.reset(&frame)))
            }
            Ok(ServerFrame::Unknown) => {
                Err(self.violation(Rule::Orderly, format!("unknown frame {text}")))
            }
            Ok(
                ServerFrame::Welcome(_)
                | ServerFrame::Ok { .. }
                | ServerFrame::Err { .. }
                | ServerFrame::Detached(_)
                | ServerFrame::AuthRequired { .. }
                | ServerFrame::Balance(_)
                | ServerFrame::Limits(_)
                | ServerFrame::GoAway(_)
                | ServerFrame::Ping { .. }
                | ServerFrame::Pong { .. }
                | ServerFrame::Error { .. },
            ) => Ok(()),
        };
        if let Err(violation) = verdict {
            self.world.violation(violation);
        }
    }

    fn slot(
        &mut self,
        ch: Channel,
        look: impl FnOnce(&mut Slot) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        match self.slots.get_mut(&ch) {
            Some(slot) => look(slot),
            None => Err(self
                .violation(Rule::Orderly, format!("a frame of channel {ch}, which is not ours"))),
        }
    }

    fn violation(&self, rule: Rule, what: String) -> Violation {
        Violation { rule, session: None, what: format!("{}: {what}", self.setup.name) }
    }

    /// Does what the link wants done.
    async fn perform(&mut self) {
        while let Some(effect) = self.link.next_effect() {
            match effect {
                Effect::Connect => self.connect().await,
                Effect::Send(frame) => self.send(frame).await,
                Effect::Disconnect { .. } => {
                    self.socket = None;
                    self.slots.values_mut().for_each(|slot| slot.observer.lost());
                }
                Effect::RefreshToken => {
                    let what = "the server wants another token, though this one lives for a day";
                    self.world.violation(self.violation(Rule::Orderly, what.to_owned()));
                    self.link.apply(self.now_ms(), Input::NoToken);
                }
                Effect::Attached(begun) => {
                    if let Some(slot) = self.slots.get_mut(&begun.ch) {
                        slot.replica.begin(begun.begin, begun.place.seq);
                    }
                }
                Effect::Event(ev) => {
                    let applied = self.slots.get_mut(&ev.ch).map(|slot| slot.replica.apply(&ev));
                    if let Some(Err(error)) = applied {
                        let what = format!("entry {}: {error}", ev.seq);
                        self.world.violation(self.violation(Rule::PartsAreWhole, what));
                    }
                }
                Effect::Answered { ticket, answer } => {
                    if let Some(reply) = self.waiting.remove(&ticket) {
                        let _ = reply.send(answer); // whoever asked may have left
                    }
                }
                Effect::Detached(frame) => {
                    let what = format!("channel {} was detached: {:?}", frame.ch, frame.reason);
                    self.world.violation(self.violation(Rule::Complete, what));
                }
                Effect::GiveUp { why, .. } => {
                    self.waiting.clear();
                    self.world.violation(self.violation(Rule::Complete, why.to_string()));
                }
                Effect::Notice { ch, error } => {
                    tracing::debug!(client = self.setup.name, ?ch, ?error, "notice");
                }
                Effect::Limits(limits) => {
                    tracing::warn!(client = self.setup.name, ?limits, "the test meets a limit");
                }
                Effect::Ready(_) | Effect::Lost { .. } | Effect::CaughtUp(_) => {}
            }
        }
    }

    async fn connect(&mut self) {
        let opened = Socket::open(self.setup.addr).await;
        let now_ms = self.now_ms();
        match opened {
            Ok(socket) => {
                self.world.sockets.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                self.socket = Some(socket);
                self.link.apply(now_ms, Input::Opened);
            }
            Err(error) => {
                tracing::trace!(client = self.setup.name, %error, "no socket");
                self.link.apply(now_ms, Input::Closed { code: None, reason: "" });
            }
        }
    }

    async fn send(&mut self, frame: ClientFrame) {
        match &frame {
            ClientFrame::Hello(hello) => hello.attach.iter().for_each(|attach| self.asking(attach)),
            ClientFrame::Attach(attach) => self.asking(attach),
            ClientFrame::Auth { .. }
            | ClientFrame::Detach { .. }
            | ClientFrame::Ack { .. }
            | ClientFrame::Call(_)
            | ClientFrame::Ping { .. }
            | ClientFrame::Pong
            | ClientFrame::Unknown { .. } => {}
        }
        let Some(socket) = &mut self.socket else { return };
        if !socket.send(frame.encode()).await {
            self.socket = None;
            self.closed(None, "");
        }
    }

    fn asking(&mut self, attach: &Attach) {
        let floor = self.world.shown(attach.session);
        if let Some(slot) = self.slots.get_mut(&attach.ch) {
            slot.observer.asking(attach.after, floor);
        }
    }

    fn end(self, reply: oneshot::Sender<Vec<(SessionId, Transcript)>>) {
        let transcripts = self.slots.into_values().map(|slot| {
            let mut transcript = slot.observer.into_transcript();
            transcript.files = (slot.replica.base() == Seq::START).then(|| files(&slot.replica));
            (slot.session, transcript)
        });
        let _ = reply.send(transcripts.collect());
    }
}

/// The committed files of a replica.
fn files(replica: &Replica) -> Tree {
    let files = replica.files().iter();
    files.map(|(path, file)| (path.clone(), file.body.text.clone())).collect()
}

async fn next(socket: &mut Option<Socket>) -> Incoming {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

/// A frame's type, and its event's where it is an entry; frames begin with their type.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    let of = |json: &'_ str| -> Option<usize> { json.find('"') };
    let kind = text.strip_prefix(r#"{"type":""#).and_then(|rest| rest.get(..of(rest)?));
    let event = text.split_once(r#""event":{"type":""#).and_then(|(_, rest)| rest.get(..of(rest)?));
    kind.into_iter().chain(event)
}
