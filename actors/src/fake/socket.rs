//! A client's end of a socket, as a test holds it.

use crate::port::{Received, Socket, SocketError, Step};
use greenroom_protocol::{
    error::CloseCode,
    frame::{ClientFrame, Ev, ServerFrame},
};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Messages under way in each direction; a further one waits, which is how a test reads slowly.
const MESSAGES_MAX: usize = 64;

/// The engine's end.
#[derive(Debug)]
pub struct FakeSocket {
    from_client: mpsc::Receiver<Received>,
    to_client: mpsc::Sender<Sent>,
    fed: VecDeque<Sent>,
}

/// The client's end. Dropped: the network is gone.
#[derive(Debug)]
pub struct FakeClient {
    to_engine: mpsc::Sender<Received>,
    from_engine: mpsc::Receiver<Sent>,
}

/// What the engine sent.
#[derive(Debug)]
enum Sent {
    Text(String),
    Ping,
    Closed(CloseCode),
}

impl FakeSocket {
    /// Both ends of a new socket.
    #[must_use]
    pub fn new() -> (Self, FakeClient) {
        let (to_engine, from_client) = mpsc::channel(MESSAGES_MAX);
        let (to_client, from_engine) = mpsc::channel(MESSAGES_MAX);
        let socket = Self { from_client, to_client, fed: VecDeque::new() };
        (socket, FakeClient { to_engine, from_engine })
    }
}

impl Socket for FakeSocket {
    async fn step(&mut self, read: bool) -> Result<Step, SocketError> {
        loop {
            let is_dirty = !self.fed.is_empty();
            tokio::select! {
                biased;
                received = self.from_client.recv(), if read => {
                    return received.map(Step::Received).ok_or(SocketError::Closed);
                }
                place = self.to_client.reserve(), if is_dirty => {
                    let place = place.map_err(|_| SocketError::Closed)?;
                    let Some(sent) = self.fed.pop_front() else { continue };
                    let is_text = matches!(sent, Sent::Text(_));
                    place.send(sent);
                    if is_text && !self.fed.iter().any(|sent| matches!(sent, Sent::Text(_))) {
                        return Ok(Step::Flushed);
                    }
                }
                () = std::future::pending(), if !read && !is_dirty => {}
            }
        }
    }

    fn feed(&mut self, text: String) -> Result<(), SocketError> {
        self.fed.push_back(Sent::Text(text));
        Ok(())
    }

    fn ping(&mut self) -> Result<(), SocketError> {
        self.fed.push_back(Sent::Ping);
        Ok(())
    }

    async fn close(mut self, code: CloseCode, _: &str) {
        self.fed.push_back(Sent::Closed(code));
        for sent in self.fed {
            if self.to_client.send(sent).await.is_err() {
                return;
            }
        }
    }
}

impl FakeClient {
    /// Sends a frame.
    pub async fn send(&self, frame: ClientFrame) {
        self.send_text(frame.encode()).await;
    }

    /// Sends a message as it is.
    pub async fn send_text(&self, text: impl Into<String>) {
        // A socket that closed meanwhile shows in what is received.
        let _ = self.to_engine.send(Received::Text(text.into())).await;
    }

    /// Sends frames in one message.
    pub async fn send_batch(&self, frames: &[ClientFrame]) {
        let frames: Vec<String> = frames.iter().map(ClientFrame::encode).collect();
        self.send_text(format!("[{}]", frames.join(","))).await;
    }

    /// Sends a binary message.
    pub async fn send_binary(&self) {
        let _ = self.to_engine.send(Received::Binary).await;
    }

    /// Sends a sign of life.
    pub async fn alive(&self) {
        let _ = self.to_engine.send(Received::Alive).await;
    }

    /// The next frame; the close code once the engine has closed, `None` for a broken socket.
    ///
    /// # Errors
    /// How the socket ended.
    ///
    /// # Panics
    /// Where the engine sent what is no frame.
    #[expect(clippy::panic, reason = "a test's own failure")]
    pub async fn recv(&mut self) -> Result<ServerFrame, Option<CloseCode>> {
        let text = self.recv_text().await?;
        match ServerFrame::decode(&text) {
            Ok(frame) => Ok(frame),
            Err(error) => panic!("no frame: {text}: {error}"),
        }
    }

    /// The next frame's text; pings are answered.
    ///
    /// # Errors
    /// How the socket ended.
    pub async fn recv_text(&mut self) -> Result<String, Option<CloseCode>> {
        loop {
            match self.from_engine.recv().await {
                Some(Sent::Text(text)) => return Ok(text),
                Some(Sent::Ping) => self.alive().await,
                Some(Sent::Closed(code)) => return Err(Some(code)),
                None => return Err(None),
            }
        }
    }

    /// Waits for a ping without answering it, or for the end.
    pub async fn pinged(&mut self) -> bool {
        matches!(self.from_engine.recv().await, Some(Sent::Ping))
    }

    /// The next entry; other frames are skipped. `None` at the end.
    pub async fn entry(&mut self) -> Option<Ev> {
        loop {
            if let ServerFrame::Ev(ev) = self.recv().await.ok()? {
                return Some(ev);
            }
        }
    }
}
