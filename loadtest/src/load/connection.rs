//! One connection of a load client, on a bare socket.

use super::{
    Reader, Shared, Until,
    stamps::Stamps,
    ws::{self, Frames, Piece},
};
use crate::clock;
use anyhow::{Context, Result, bail};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time,
};

/// Longest head of an answer to an upgrade, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Receive buffer of a reader that is to be slow: the system's own would hide it for long.
const SLOW_BUFFER_BYTES: u32 = 8 * 1024;

/// Opens a connection, sends the first messages and reads until its end. `started` is called once
/// the wanted beginning was seen.
pub(super) async fn hold(
    shared: &Shared,
    path: &str,
    reader: Reader,
    messages: &[String],
    mut started: impl FnMut(),
) -> Result<()> {
    let (mut socket, early) = open(shared.addr, path, reader).await?;
    let frames: Vec<u8> =
        messages.iter().flat_map(|message| ws::text(message.as_bytes())).collect();
    socket.write_all(&frames).await?;
    let mut state = State::default();
    state.take(shared, &early, reader)?;
    loop {
        if state.begun && !std::mem::replace(&mut state.told, true) {
            started();
        }
        if !state.pongs.is_empty() {
            socket.write_all(&std::mem::take(&mut state.pongs)).await?;
        }
        match reader {
            Reader::Fast | Reader::FirstOnly => {}
            Reader::BytesPerSec(rate) => {
                time::sleep(Duration::from_millis(100)).await;
                let mut small = vec![0; (rate / 10).max(1)];
                let n = socket.read(&mut small).await?;
                end_of(n)?;
                state.take(shared, small.get(..n).unwrap_or_default(), reader)?;
                continue;
            }
            Reader::Stopped => {
                started();
                std::future::pending::<()>().await;
            }
        }
        read(shared, &mut socket, &mut state, reader).await?;
    }
}

/// Reads once, into a buffer that all connections share.
async fn read(
    shared: &Shared,
    socket: &mut TcpStream,
    state: &mut State,
    reader: Reader,
) -> Result<()> {
    loop {
        socket.readable().await?;
        let mut buffer = shared.buffer.borrow_mut();
        match socket.try_read(&mut buffer) {
            Ok(n) => {
                end_of(n)?;
                return state.take(shared, buffer.get(..n).unwrap_or_default(), reader);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn end_of(n: usize) -> Result<()> {
    if n == 0 {
        bail!("the server ended the connection");
    }
    Ok(())
}

#[derive(Default)]
struct State {
    frames: Frames,
    stamps: Stamps,
    /// The wanted beginning was seen.
    begun: bool,
    told: bool,
    first_seen: bool,
    pongs: Vec<u8>,
    /// The last bytes of a message before the beginning, so that a cut does not hide it.
    tail: Vec<u8>,
}

impl State {
    fn take(&mut self, shared: &Shared, data: &[u8], reader: Reader) -> Result<()> {
        let now_us = clock::now_us();
        let mut closed = None;
        let (stamps, pongs) = (&mut self.stamps, &mut self.pongs);
        let (tail, begun, first_seen) = (&mut self.tail, &mut self.begun, &mut self.first_seen);
        self.frames.feed(data, |piece| match piece {
            Piece::Data(bytes) => {
                if !*begun {
                    tail.extend_from_slice(bytes);
                }
                stamps.feed(bytes, |sent_us| {
                    *begun |= shared.until == Until::Stamp;
                    let late_us = now_us.saturating_sub(sent_us);
                    if !std::mem::replace(first_seen, true) {
                        shared.first(late_us);
                    }
                    if reader == Reader::Fast {
                        shared.delta(late_us);
                    }
                });
            }
            Piece::Ping(payload) => pongs.extend(ws::pong(payload)),
            Piece::Close(payload) => closed = Some(String::from_utf8_lossy(payload).into_owned()),
        });
        if let Some(reason) = closed {
            bail!("the server closed: {reason:?}");
        }
        self.look(shared.until)
    }

    /// Looks for the wanted beginning, and for errors before it.
    fn look(&mut self, until: Until) -> Result<()> {
        if self.begun {
            self.tail = Vec::new();
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.tail);
        if text.contains(r#""type":"err""#) || text.contains(r#""type":"error""#) {
            bail!("the server refused: {text}");
        }
        if let Until::Text(wanted) = until {
            self.begun = text.contains(wanted);
        }
        if self.tail.len() > 64 * 1024 {
            bail!("the wanted beginning did not come");
        }
        Ok(())
    }
}

/// Connects and upgrades; gives what came after the answer's head.
async fn open(addr: SocketAddr, path: &str, reader: Reader) -> Result<(TcpStream, Vec<u8>)> {
    let socket = TcpSocket::new_v4()?;
    if matches!(reader, Reader::BytesPerSec(_) | Reader::Stopped) {
        socket.set_recv_buffer_size(SLOW_BUFFER_BYTES)?;
    }
    let mut socket = socket.connect(addr).await.context("connect")?;
    socket.set_nodelay(true)?;
    let protocol = greenroom_protocol::SUBPROTOCOL;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    // The relay to compare with chooses no subprotocol and needs none.
    socket
        .write_all(format!("{request}sec-websocket-protocol: {protocol}\r\n\r\n").as_bytes())
        .await?;
    let mut head = Vec::with_capacity(512);
    let end = loop {
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if head.len() > HEAD_BYTES_MAX || socket.read_buf(&mut head).await? == 0 {
            bail!("no answer to the upgrade");
        }
    };
    let early = head.split_off(end);
    if !head.starts_with(b"HTTP/1.1 101 ") {
        bail!("the upgrade was refused: {}", String::from_utf8_lossy(&head));
    }
    Ok((socket, early))
}
