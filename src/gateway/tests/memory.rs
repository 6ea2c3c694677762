use super::harness::*;
use crate::gateway::GatewayConfig;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: greenroom.v1.json\r\n\r\n";

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Opens sockets whose own end is a file descriptor and nothing else.
fn open(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let open_one = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(REQUEST.as_bytes()).unwrap();
        let mut answer = [0; 2048];
        let read = stream.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 101 "));
        stream
    };
    (0..count).map(open_one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "measures the whole process: cargo test -p greenroom --lib idle_socket -- --ignored"]
async fn an_idle_socket_costs_at_most_six_kilobytes() {
    let mut config = config();
    config.connections_per_source_max = 100_000;
    let port = port_with(GatewayConfig { connections_max: 100_000, ..config }).await;
    let address = port.address;
    let warm = tokio::task::spawn_blocking(move || open(address, 500)).await.unwrap();
    let before = resident();

    let count = 8000;
    let held = tokio::task::spawn_blocking(move || open(address, count)).await.unwrap();

    let each = (resident() - before) / count;
    println!("{each} bytes of resident memory an idle socket");
    drop((warm, held));
    assert!(each <= 6 * 1024, "{each} bytes");
}
