//! A socket of the dialect, which the engine takes for one of its own.

use super::talk::Talk;
use greenroom_actors::port::{Clock, Received, Socket, SocketError, Step};
use greenroom_protocol::{error::CloseCode, frame::ServerFrame, limit::MESSAGE_BYTES_MAX};
use std::{collections::VecDeque, fmt, sync::Arc};
use uuid::Uuid;

/// Bytes by which a message grows at most on its way to a frame: method, ids and fields.
const ENVELOPE_BYTES_MAX: usize = 512;

/// Bytes that are handed to the socket between two flushes; one message more may come on top.
const BATCH_BYTES: usize = 32 * 1024;

/// A socket that speaks the dialect outward and the protocol inward.
///
/// The engine feeds a bounded batch of frames and waits until it is out; so do we with what the
/// frames become, and that is all that is ever held here.
pub(crate) struct QbitSocket<S> {
    socket: S,
    talk: Talk,
    clock: Arc<dyn Clock>,
    /// Messages that the socket did not get yet.
    waiting: VecDeque<String>,
    /// The socket was handed something that is not out yet.
    is_dirty: bool,
    /// The engine waits until all that it fed is out.
    is_awaited: bool,
}

impl<S> fmt::Debug for QbitSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QbitSocket").field("talk", &self.talk).finish_non_exhaustive()
    }
}

impl<S: Socket> QbitSocket<S> {
    /// A socket after its upgrade. Whose it is, the engine is told with it: the dialect has no
    /// first frame that could say it.
    pub(crate) fn new(socket: S, clock: Arc<dyn Clock>) -> Self {
        Self {
            socket,
            talk: Talk::new(Uuid::now_v7),
            clock,
            waiting: VecDeque::new(),
            is_dirty: false,
            is_awaited: false,
        }
    }

    /// Hands the socket what waits, up to a batch; whether there was something.
    fn hand_over(&mut self) -> Result<bool, SocketError> {
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some(message) = self.waiting.pop_front()
        {
            bytes += message.len();
            self.socket.feed(message)?;
            self.is_dirty = true;
        }
        Ok(self.is_dirty)
    }

    fn say(&mut self, message: &str) -> Result<(), SocketError> {
        if message.len() + ENVELOPE_BYTES_MAX > MESSAGE_BYTES_MAX {
            return Err(SocketError::TooBig);
        }
        self.talk.say(message, self.clock.now_ms());
        Ok(())
    }
}

impl<S: Socket> Socket for QbitSocket<S> {
    async fn step(&mut self, read: bool) -> Result<Step, SocketError> {
        loop {
            if self.is_awaited && !self.is_dirty && !self.hand_over()? {
                self.is_awaited = false;
                return Ok(Step::Flushed);
            }
            if read && let Some(frame) = self.talk.next_frame() {
                return Ok(Step::Received(Received::Text(frame.encode())));
            }
            match self.socket.step(read && !self.talk.is_opening()).await? {
                Step::Flushed => self.is_dirty = false,
                Step::Received(Received::Text(message)) => self.say(&message)?,
                step @ Step::Received(Received::Binary | Received::Alive) => return Ok(step),
            }
        }
    }

    fn feed(&mut self, text: String) -> Result<(), SocketError> {
        self.is_awaited = true;
        // A frame of the engine's own always reads.
        let frame = ServerFrame::decode(&text).unwrap_or(ServerFrame::Unknown);
        self.talk.hear(frame, self.clock.now_ms());
        let messages = self.talk.take_messages().into_iter();
        self.waiting.extend(messages.map(|(project, message)| message.encode(project)));
        Ok(())
    }

    fn ping(&mut self) -> Result<(), SocketError> {
        self.socket.ping()
    }

    async fn close(self, code: CloseCode, reason: &str) {
        self.socket.close(code, reason).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::qbit::logs;
    use greenroom_actors::{
        fake::{FakeClient, FakeSocket},
        port::FixedClock,
    };
    use greenroom_protocol::{
        event::Event,
        frame::{Attached, CaughtUp, Ev, Mode, Status},
        id::{Channel, Epoch, PartId, Seq},
    };
    use serde_json::{Value, json};
    use std::time::Duration;
    use tokio::time::timeout;

    fn socket() -> (QbitSocket<FakeSocket>, FakeClient) {
        let (socket, client) = FakeSocket::new();
        (QbitSocket::new(socket, Arc::new(FixedClock::new(1))), client)
    }

    /// The next frame for the engine.
    async fn frame(socket: &mut QbitSocket<FakeSocket>) -> String {
        match socket.step(true).await {
            Ok(Step::Received(Received::Text(frame))) => frame,
            step => panic!("no frame but {step:?}"),
        }
    }

    #[tokio::test]
    async fn a_hello_comes_by_itself_and_a_message_becomes_a_frame() {
        let (mut socket, client) = socket();
        assert!(frame(&mut socket).await.starts_with(r#"{"type":"hello","v":[1,1],"#));
        client.send_text(r#"{"type":"ping"}"#).await;
        assert_eq!(frame(&mut socket).await, r#"{"type":"ping","ts":0}"#);
        client.send_binary().await;
        let binary = socket.step(true).await.unwrap();
        assert!(matches!(binary, Step::Received(Received::Binary)), "{binary:?}");
    }

    #[tokio::test]
    async fn a_message_above_the_limit_is_too_big() {
        let (mut socket, client) = socket();
        frame(&mut socket).await;
        client.send_text("x".repeat(MESSAGE_BYTES_MAX - ENVELOPE_BYTES_MAX + 1)).await;
        assert!(matches!(socket.step(true).await, Err(SocketError::TooBig)));
    }

    #[tokio::test]
    async fn frames_that_become_nothing_are_flushed_at_once() {
        let (mut socket, _client) = socket();
        socket.feed(r#"{"type":"auth_required","deadline_ms":1}"#.into()).unwrap();
        assert!(matches!(socket.step(false).await, Ok(Step::Flushed)));
        let idle = timeout(Duration::from_millis(1), socket.step(false)).await;
        assert!(idle.is_err(), "once");
    }

    #[tokio::test]
    async fn a_batch_is_flushed_once_all_that_it_became_is_out() {
        let (mut socket, mut client) = socket();
        frame(&mut socket).await;
        let payload = json!({ "prompt": "make it green", "project_id": logs::PROJECT });
        let asked = json!({ "type": "modify_code", "payload": payload });
        client.send_text(asked.to_string()).await;
        frame(&mut socket).await;
        let (ch, epoch, seq) = (Channel(1), Epoch(1), Seq(9));
        let attached = Attached {
            ch,
            session: logs::PROJECT,
            epoch,
            head: seq,
            after: seq,
            mode: Mode::Resumed,
            status: Status::Idle,
            run: None,
        };
        for begun in [ServerFrame::Attached(attached), ServerFrame::CaughtUp(CaughtUp { ch, seq })]
        {
            socket.feed(begun.encode()).unwrap();
        }
        assert!(matches!(socket.step(false).await, Ok(Step::Flushed)));
        let start: Value = serde_json::from_str(&frame(&mut socket).await).unwrap();
        let asked = serde_json::from_value(start["cid"].clone()).unwrap();

        let token = "x".repeat(5_000);
        let delta = Event::FileDelta { part: PartId(2), text: token.clone() };
        for (ts, mut event) in logs::plain().entries {
            if let Event::InputUser { cid, .. } = &mut event {
                *cid = asked;
            }
            let times = if matches!(event, Event::FileDelta { .. }) {
                event = delta.clone();
                10
            } else {
                1
            };
            for _ in 0..times {
                let ev = Ev { ch, seq, from: None, ts, event: event.clone() };
                socket.feed(ServerFrame::Ev(ev).encode()).unwrap();
            }
        }
        assert!(matches!(socket.step(false).await, Ok(Step::Flushed)));
        assert!(socket.waiting.is_empty());
        let mut tokens = 0;
        while let Ok(Ok(message)) = timeout(Duration::from_millis(1), client.recv_text()).await {
            tokens += usize::from(message.contains(&token));
        }
        assert_eq!(tokens, 30);
    }
}
