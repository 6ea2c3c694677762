//! The task of one socket.

use super::{
    attachment::Attachment,
    bell::{Bell, Rung},
    handshake::{self, Greeted},
    inbound::{Op, OpDone},
    outbound::Reading,
    timers::Timers,
};
use crate::{
    node::Node,
    port::{Principal, Socket, Step},
    sessions::SessionsHandle,
    users::{Membership, UsersHandle},
};
use greenroom_protocol::{
    error::CloseCode,
    frame::ServerFrame,
    id::{Channel, ConnectionId},
};
use std::{collections::VecDeque, fmt, pin::Pin, sync::Arc};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;
use uuid::Uuid;

/// What all connections share.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) node: Arc<Node>,
    pub(crate) sessions: SessionsHandle,
    pub(crate) users: UsersHandle,
}

/// A future that the task polls beside its socket; boxed, since most of the time there is none.
pub(super) type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One socket after its handshake.
pub(super) struct Connection<S> {
    pub(super) edge: Edge,
    pub(super) id: ConnectionId,
    pub(super) socket: S,
    pub(super) principal: Principal,
    pub(super) bell: Arc<Bell>,
    pub(super) timers: Timers,
    /// Few: a vector beats a map in memory and in time.
    pub(super) attachments: Vec<Attachment>,
    /// Attachments that may have something to send, each once, in turn.
    pub(super) ready: VecDeque<Channel>,
    /// Frames to send before any entry. Bound: answers wait for `ops`, of which one runs at a
    /// time, and nothing is read while frames wait for the network.
    pub(super) outbox: Vec<String>,
    /// What was fed is not out yet.
    pub(super) is_dirty: bool,
    /// Attaches and calls in the order in which they came; when it is full, nothing is read.
    pub(super) ops: VecDeque<Op>,
    pub(super) running: Option<Pending<OpDone>>,
    pub(super) reading: Option<Pending<Reading>>,
    pub(super) json_ping: bool,
    /// Messages over the limit in a row.
    pub(super) breaches: u32,
    pub(super) membership: Membership,
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why the task ends.
#[derive(Debug)]
pub(super) enum End {
    /// Say why.
    Close(CloseCode),
    /// Nobody is there any more.
    Gone,
}

impl From<Option<CloseCode>> for End {
    fn from(code: Option<CloseCode>) -> Self {
        code.map_or(Self::Gone, Self::Close)
    }
}

/// Serves a socket from its upgrade to its close. `ticket` is who the upgrade's ticket stood for.
pub(crate) async fn serve<S: Socket>(edge: Edge, mut socket: S, ticket: Option<Principal>) {
    let id = ConnectionId::new(Uuid::now_v7());
    // The handshake's futures are large and short-lived: they should not stay in this task.
    let greeted = Box::pin(handshake::greet(&edge, &mut socket, ticket)).await;
    let end = match greeted {
        Ok(greeted) => Box::pin(Connection::begin(edge, id, socket, greeted)).await,
        Err(code) => Err((socket, code)),
    };
    match end {
        Ok(mut connection) => {
            connection.edge.node.meter.connections.inc();
            let user = connection.principal.user;
            // At `debug`: a span that is on costs every idle socket a kilobyte.
            let span = tracing::debug_span!("connection", connection = %id, %user);
            let end = connection.run().instrument(span).await;
            connection.edge.node.meter.connections.dec();
            tracing::debug!(connection = %id, ?end, "a socket ends");
            if let End::Close(code) = end {
                // Such as the word that the node goes away, where that and the close come at once.
                let _ = connection.feed_outbox(&mut 0);
                connection.socket.close(code, code.name()).await;
            }
        }
        Err((socket, Some(code))) => {
            tracing::debug!(connection = %id, ?code, "a handshake fails");
            Box::pin(socket.close(code, code.name())).await;
        }
        Err((_, None)) => {}
    }
}

impl<S: Socket> Connection<S> {
    async fn begin(
        edge: Edge,
        id: ConnectionId,
        socket: S,
        greeted: Greeted,
    ) -> Result<Self, (S, Option<CloseCode>)> {
        let bell = Arc::new(Bell::default());
        let membership = match edge.users.join(greeted.principal, id, &bell).await {
            Ok(membership) => membership,
            Err(code) => return Err((socket, Some(code))),
        };
        let welcome = handshake::welcome(&edge, id, &greeted).encode();
        let Greeted { principal, hello, rest } = greeted;
        let mut connection = Self {
            timers: Timers::new(&edge.node, principal),
            edge,
            id,
            socket,
            principal,
            bell,
            attachments: Vec::new(),
            ready: VecDeque::new(),
            outbox: vec![welcome],
            is_dirty: false,
            ops: VecDeque::new(),
            running: None,
            reading: None,
            json_ping: hello.features.iter().any(|feature| feature == "ping"),
            breaches: 0,
            membership,
        };
        connection.ops.extend(hello.attach.into_iter().map(Op::Attach));
        match rest.into_iter().try_for_each(|frame| connection.frame(frame)) {
            Ok(()) => Ok(connection),
            Err(code) => Err((connection.socket, Some(code))),
        }
    }

    async fn run(&mut self) -> End {
        let sleep = sleep_until(self.timers.next(&self.attachments));
        let mut sleep = Box::pin(sleep);
        loop {
            self.begin_op();
            if let Err(end) = self.fill() {
                return end;
            }
            // Moved only where it would fire too late: most deadlines are met long before, and a
            // tick that comes early finds nothing due.
            let next = self.timers.next(&self.attachments);
            if next < sleep.deadline() || sleep.is_elapsed() {
                sleep.as_mut().reset(next);
            }
            let may_read = self.may_read();
            // Each arm's future is cancel-safe; what it brings is handled in its body.
            let handled = tokio::select! {
                step = self.socket.step(may_read) => match step {
                    Ok(Step::Received(received)) => self.receive(received),
                    Ok(Step::Flushed) => {
                        self.is_dirty = false;
                        self.timers.flushed();
                        Ok(())
                    }
                    Err(error) => return handshake::close_code(&error).into(),
                },
                rung = self.bell.rung() => self.rung(rung),
                done = pending(&mut self.running) => {
                    self.op_done(done);
                    Ok(())
                }
                read = pending(&mut self.reading) => {
                    self.read_done(read);
                    Ok(())
                }
                () = sleep.as_mut() => self.tick(),
            };
            if let Err(code) = handled {
                return End::Close(code);
            }
        }
    }

    fn rung(&mut self, rung: Rung) -> Result<(), CloseCode> {
        for ch in rung.channels {
            self.make_ready(ch);
        }
        if let Some(balance) = rung.balance {
            self.outbox.push(ServerFrame::Balance(*balance).encode());
        }
        if let Some(goaway) = rung.goaway {
            self.outbox.push(ServerFrame::GoAway(goaway).encode());
        }
        rung.close.map_or(Ok(()), Err)
    }

    /// What time brings: signs of life, an expiring token, a write that takes too long.
    fn tick(&mut self) -> Result<(), CloseCode> {
        let now = Instant::now();
        let due = self.timers.due(now)?;
        if due.ping {
            if self.json_ping {
                let ts = self.edge.node.clock.now_ms();
                self.outbox.push(ServerFrame::Ping { ts }.encode());
            } else {
                self.socket.ping().map_err(|_| CloseCode::HeartbeatTimeout)?;
            }
        }
        if let Some(deadline_ms) = due.auth_deadline_ms {
            self.outbox.push(ServerFrame::AuthRequired { deadline_ms }.encode());
        }
        self.wake_delayed(now);
        Ok(())
    }
}

/// Polls a future that may not be there; takes it away once it is done.
async fn pending<T>(slot: &mut Option<Pending<T>>) -> T {
    match slot {
        Some(future) => {
            let done = future.as_mut().await;
            *slot = None;
            done
        }
        None => std::future::pending().await,
    }
}
