//! One hostile connection, on a bare socket.

use super::Kind;
use crate::load::ws;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::{sleep, timeout},
};

/// Longest wait for a connect and for the answer to an upgrade.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two pieces of a flood, each of which is more than a limit allows: faster ones would
/// fill the buffers of this machine and so tell of it, not of the server.
const FLOOD_PAUSE: Duration = Duration::from_millis(5);

/// A frame that is the first, or another one, of a message without an end; one byte, masked with
/// zeros.
const FIRST_FRAGMENT: [u8; 7] = [0x01, 0x81, 0, 0, 0, 0, b'x'];
const FRAGMENT: [u8; 7] = [0x00, 0x81, 0, 0, 0, 0, b'x'];

const SLOW_BODY: &str = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\n\
    content-type: application/json\r\ncontent-length: 1000\r\n\r\n";

pub(super) async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    timeout(PATIENCE, TcpStream::connect(addr)).await?
}

/// Does what the kind does until the server ends the connection.
pub(super) async fn hold(mut stream: TcpStream, kind: Kind, hello: &str, drip: Duration) {
    let (mut reader, mut writer) = stream.split();
    let opens = matches!(kind, Kind::SilentSocket | Kind::FragmentFlood | Kind::SlowFragments);
    if opens && !timeout(PATIENCE, upgrade(&mut reader, &mut writer)).await.is_ok_and(|ok| ok) {
        return;
    }
    let sends = async {
        // An error: the server does not read any more, and ends soon.
        let _ = send(&mut writer, kind, hello, drip).await;
        std::future::pending::<()>().await;
    };
    let ends = async {
        let mut answer = [0; 512];
        while reader.read(&mut answer).await.is_ok_and(|n| n > 0) {}
    };
    tokio::select! {
        () = sends => {}
        () = ends => {}
    }
}

async fn send(
    writer: &mut WriteHalf<'_>,
    kind: Kind,
    hello: &str,
    drip: Duration,
) -> io::Result<()> {
    match kind {
        Kind::Idle | Kind::SilentSocket => Ok(()),
        Kind::SlowHead => {
            writer.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").await?;
            trickle(writer, b"x", drip).await
        }
        Kind::SlowBody => {
            writer.write_all(SLOW_BODY.as_bytes()).await?;
            trickle(writer, b"x", drip).await
        }
        Kind::HeaderFlood => {
            writer.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await?;
            trickle(writer, &b"x-flood: aaaaaaaaaaaaaaaa\r\n".repeat(256), FLOOD_PAUSE).await
        }
        Kind::FragmentFlood => {
            writer.write_all(&FIRST_FRAGMENT).await?;
            trickle(writer, &FRAGMENT.repeat(1024), FLOOD_PAUSE).await
        }
        Kind::SlowFragments => {
            writer.write_all(&ws::text(hello.as_bytes())).await?;
            writer.write_all(&FIRST_FRAGMENT).await?;
            trickle(writer, &FRAGMENT, drip).await
        }
    }
}

/// Sends the same again and again.
async fn trickle(writer: &mut WriteHalf<'_>, bytes: &[u8], pause: Duration) -> io::Result<()> {
    loop {
        writer.write_all(bytes).await?;
        sleep(pause).await;
    }
}

/// Opens a WebSocket; false: the server did not.
async fn upgrade(reader: &mut ReadHalf<'_>, writer: &mut WriteHalf<'_>) -> bool {
    let protocol = greenroom_protocol::SUBPROTOCOL;
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: {protocol}\r\n\r\n"
    );
    if writer.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(reader.read_buf(&mut head).await, Ok(1..)) {
            return false;
        }
    }
    head.starts_with(b"HTTP/1.1 101 ")
}
