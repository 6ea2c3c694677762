//! One socket: frames in, frames out.

use crate::{
    Server,
    plant::Plant,
    run,
    session::{self, Session},
};
use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use greenroom_protocol::{
    SUBPROTOCOL, VERSION,
    error::{Code, ErrorBody, Reason},
    frame::{
        After, Attach, Attached, Call, CaughtUp, ClientFrame, Entry, Ev, Heartbeat, Mode,
        ServerFrame, Status, Welcome, decode,
    },
    id::{ConnectionId, Seq},
    method::{FileInfo, FilePage, FileSlice, HistoryPage, Method, RunCancel},
};
use serde_json::Value;
use std::{collections::BTreeMap, rc::Rc};
use tokio::{net::TcpStream, sync::mpsc, task::spawn_local};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A reader who is so many entries behind has left the ring, where there is one.
const RING_ENTRIES: u64 = 64;

#[expect(clippy::result_large_err, reason = "the signature that tungstenite asks for")]
pub(crate) async fn serve(server: &Rc<Server>, socket: TcpStream) -> Result<()> {
    let choose = |_: &Request, mut response: Response| {
        response
            .headers_mut()
            .insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        Ok(response)
    };
    let mut socket = accept_hdr_async(socket, choose).await?;
    let (out, mut outgoing) = mpsc::channel::<ServerFrame>(64);
    let mut peer =
        Peer { server: Rc::clone(server), owner: String::new(), out, attachments: BTreeMap::new() };
    loop {
        tokio::select! {
            message = socket.next() => match message.context("end")?? {
                Message::Text(text) => {
                    for frame in decode(text.as_bytes())? {
                        for answer in peer.frame(frame)? {
                            socket.send(Message::text(answer.encode())).await?;
                        }
                    }
                }
                Message::Close(_) => return Ok(()),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            },
            frame = outgoing.recv() => {
                let frame = frame.context("end")?;
                socket.send(Message::text(frame.encode())).await?;
            }
        }
    }
}

struct Peer {
    server: Rc<Server>,
    owner: String,
    out: mpsc::Sender<ServerFrame>,
    attachments: BTreeMap<u32, DropGuard>,
}

impl Peer {
    fn frame(&mut self, frame: ClientFrame) -> Result<Vec<ServerFrame>> {
        Ok(match frame {
            ClientFrame::Hello(hello) => {
                self.owner = hello.token.unwrap_or_default();
                for attach in hello.attach {
                    self.attach(attach)?;
                }
                vec![ServerFrame::Welcome(Welcome {
                    v: VERSION,
                    conn: ConnectionId::new(uuid::Uuid::now_v7()),
                    heartbeat: Heartbeat { interval_ms: 60_000, timeout_ms: 60_000 },
                    limits: BTreeMap::new(),
                    features: Vec::new(),
                    auth_expires_in_ms: 86_400_000,
                    time: 0,
                })]
            }
            ClientFrame::Attach(attach) => {
                self.attach(attach)?;
                Vec::new()
            }
            ClientFrame::Detach { ch } => {
                self.attachments.remove(&ch.0);
                Vec::new()
            }
            ClientFrame::Call(call) => vec![self.call(&call)],
            ClientFrame::Ack { .. }
            | ClientFrame::Auth { .. }
            | ClientFrame::Ping { .. }
            | ClientFrame::Pong
            | ClientFrame::Unknown { .. } => Vec::new(),
        })
    }

    fn call(&self, call: &Call) -> ServerFrame {
        let id = call.id;
        let failed = |_| ErrorBody::new(Code::NotFound, Reason::SessionNotFound, "no such thing");
        match Method::from_call(call).and_then(|method| self.answer(method).map_err(failed)?) {
            Ok((result, duplicate)) => ServerFrame::Ok { id, result, duplicate },
            Err(error) => ServerFrame::Err { id, error },
        }
    }

    fn answer(&self, method: Method) -> Result<Result<(Value, bool), ErrorBody>> {
        let of = |id| session::get(&self.server, id, &self.owner);
        Ok(Ok(match method {
            Method::SessionCreate(id, _, create) => {
                let (session, known) =
                    session::create(&self.server, id, &self.owner, &create.title)?;
                (serde_json::to_value(session.info())?, known)
            }
            Method::SessionGet(id) => (serde_json::to_value(of(id)?.info())?, false),
            Method::RunStart(id, cid, start) => {
                let session = of(id)?;
                let Some((accepted, known)) = session.start(cid, start) else {
                    return Ok(Err(ErrorBody::new(
                        Code::FailedPrecondition,
                        Reason::RunBusy,
                        "busy",
                    )));
                };
                run::pump(&self.server, &session);
                (serde_json::to_value(accepted)?, known)
            }
            Method::RunCancel(id, _, cancel) => {
                let session = of(id)?;
                let cancelled = match cancel {
                    RunCancel::Run(run) => session.cancel(Some(run), None),
                    RunCancel::StartCid(cid) => session.cancel(None, Some(cid)),
                };
                (serde_json::to_value(cancelled)?, false)
            }
            Method::HistoryGet(id, get) => {
                (serde_json::to_value(history(&*of(id)?, get.before))?, false)
            }
            Method::FilesList(id, _) => {
                let session = of(id)?;
                let state = session.state.borrow();
                let info = |(path, text): (&String, &String)| file_info(path, text);
                let files = state.tree.iter().map(info).collect();
                (
                    serde_json::to_value(FilePage {
                        commit: state.is_committed.then(|| "0".repeat(40)),
                        files,
                        next_after: None,
                        object: None,
                    })?,
                    false,
                )
            }
            Method::FilesGet(id, get) => {
                let session = of(id)?;
                let state = session.state.borrow();
                let text = state.tree.get(&get.path).context("no such file")?.clone();
                let file = file_info(&get.path, &text);
                let slice =
                    FileSlice { commit: String::new(), file, offset: 0, text, next_offset: None };
                (serde_json::to_value(slice)?, false)
            }
            Method::CreditsGet | Method::CreditsHistory(_) | Method::CreditsQuote(..) => {
                return Ok(Err(ErrorBody::new(
                    Code::Unimplemented,
                    Reason::UnknownMethod,
                    "no credits here",
                )));
            }
            Method::SessionList(_)
            | Method::SessionClose(..)
            | Method::RunSteer(..)
            | Method::InputRespond(..)
            | Method::SessionFork(..)
            | Method::SessionRollback(..)
            | Method::SessionDiff(..) => anyhow::bail!("not served"),
        }))
    }

    fn attach(&mut self, attach: Attach) -> Result<()> {
        let session = session::get(&self.server, attach.session, &self.owner)?;
        let stop = CancellationToken::new();
        let until = stop.clone();
        self.attachments.insert(attach.ch.0, stop.drop_guard());
        let (out, plant) = (self.out.clone(), self.server.plant);
        spawn_local(async move {
            until.run_until_cancelled(follow(&session, attach, out, plant)).await
        });
        Ok(())
    }
}

fn history(session: &Session, before: Option<Seq>) -> HistoryPage {
    let state = session.state.borrow();
    let before = before.map_or(state.log.len() as u64 + 1, |before| before.0);
    let from = before.saturating_sub(100).max(1);
    let within = |entry: &&Entry| (from..before).contains(&entry.seq.0);
    let entries = state.log.iter().filter(within).cloned().collect();
    HistoryPage { epoch: session.epoch, entries, next_before: (from > 1).then_some(Seq(from)) }
}

fn file_info(path: &str, text: &str) -> FileInfo {
    FileInfo { path: path.to_owned(), oid: String::new(), bytes: text.len() as u64 }
}

/// Sends the log from where it was asked for, for ever.
async fn follow(
    session: &Session,
    attach: Attach,
    out: mpsc::Sender<ServerFrame>,
    plant: Option<Plant>,
) -> Option<()> {
    let ch = attach.ch;
    let mut changes = session.head.subscribe();
    let head = *changes.borrow_and_update();
    let open = || {
        let state = session.state.borrow();
        state.active.and_then(|run| state.runs.get(&run)?.open_from()).map(|from| from.0 - 1)
    };
    let (mut last, mode) = match attach.after {
        After::Start => (0, Mode::Resumed),
        After::Cursor(cursor) => (cursor.seq.0, Mode::Resumed),
        After::Live => (head, Mode::Live),
        After::Open => (open().unwrap_or(head), Mode::Snapshot),
        After::Tail(n) => (head.saturating_sub(n.into()), Mode::Resumed),
    };
    let after = Seq(last);
    let attached = Attached {
        ch,
        session: session.id,
        epoch: session.epoch,
        head: Seq(head),
        after,
        mode,
        status: Status::Idle,
        run: None,
    };
    out.send(ServerFrame::Attached(attached)).await.ok()?;
    if plant == Some(Plant::ReplayOffByOne) && last > 0 && last < head {
        last += 1;
    }
    let mut caught_up = false;
    loop {
        let now = *changes.borrow_and_update();
        while last < now {
            if plant == Some(Plant::RingSkipsOnWrap) && now - last > RING_ENTRIES && last > 0 {
                last += 1;
            }
            let ev = merged(session, &attach, last)?;
            last = ev.seq.0;
            out.send(ServerFrame::Ev(ev)).await.ok()?;
        }
        if !std::mem::replace(&mut caught_up, true) {
            out.send(ServerFrame::CaughtUp(CaughtUp { ch, seq: Seq(last) })).await.ok()?;
        }
        changes.changed().await.ok()?;
    }
}

/// The next entry, with those that may be merged into it where the attachment is paced.
fn merged(session: &Session, attach: &Attach, last: u64) -> Option<Ev> {
    let state = session.state.borrow();
    let mut entries = state.log.get(usize::try_from(last).ok()?..)?.iter();
    let Entry { seq: from, ts, event } = entries.next()?.clone();
    let mut ev = Ev { ch: attach.ch, seq: from, from: None, ts, event };
    for entry in entries.take_while(|_| attach.credit.is_some()) {
        if ev.event.join(entry.event.clone(), 4096).is_err() {
            break;
        }
        ev.seq = entry.seq;
        ev.from = Some(from);
    }
    Some(ev)
}
