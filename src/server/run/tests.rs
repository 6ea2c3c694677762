//! What both ports answer, over sockets: every route that is mounted, and what is none.

use super::*;
use crate::{config::ProviderConfig, llm::demo::DemoConfig};
use std::collections::BTreeMap;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Headers that every answer has, whatever it is.
const ALWAYS: [&str; 7] = [
    "cache-control",
    "content-security-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
];

const JSON: &str = "Content-Type: application/json\r\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: greenroom.v1.json\r\n";

/// The ports of a server on an empty store, and the routes of each.
async fn ports(config: &Config) -> Vec<(SocketAddr, Vec<(String, String)>)> {
    let parts = Parts::start(config, ([127, 0, 0, 1], 1).into()).await.unwrap();
    let (public, internal) = servers(config, &parts, &CancellationToken::new()).unwrap();
    let mut ports = Vec::new();
    for server in [public, internal] {
        let routes = server.api().routes().map(|(method, path)| {
            let named =
                |segment: &str| if segment.starts_with('{') { "x" } else { segment }.to_owned();
            let path: Vec<_> = path.split('/').map(named).collect();
            (method.to_string(), path.join("/"))
        });
        let routes: Vec<_> = routes.collect();
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        ports.push((listener.local_addr().unwrap(), routes));
        let served = server.run(listener, CancellationToken::new());
        drop(tokio_util::task::TaskTracker::new().spawn(served));
    }
    ports
}

/// Status and headers of the answer to a request.
async fn ask(
    port: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> (u16, BTreeMap<String, String>) {
    let mut stream = TcpStream::connect(port).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("an answer");
        head.push(char::from(
            byte.unwrap_or_else(|error| panic!("{path}: {error} after {head:?}")),
        ));
    }
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    (status, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn config(data_dir: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.server.data_dir = data_dir.to_owned();
    config.providers = vec![ProviderConfig::Demo(DemoConfig::default())];
    config.gateway.limits.requests_per_minute = 0;
    config.gateway.limits.auth_per_minute = 0;
    config
}

#[tokio::test]
async fn every_answer_of_every_route_carries_the_security_headers() {
    let folder = tempfile::tempdir().unwrap();
    let [public, internal] = ports(&config(folder.path())).await.try_into().unwrap();
    let mut statuses = BTreeMap::new();
    let long = format!("/{}", "a".repeat(5000));
    for (port, routes) in [public, internal] {
        assert!(!routes.is_empty());
        let own = routes.iter().flat_map(|(method, path)| {
            let origin = "Origin: https://evil.test\r\nAccess-Control-Request-Method: POST\r\n";
            let list = format!("{JSON}Content-Length: 2\r\n\r\n[]");
            [
                (method.as_str(), path.clone(), String::new()),
                (method, path.clone(), list),
                (method, path.clone(), "Authorization: Bearer x\r\n".to_owned()),
                ("TRACE", path.clone(), String::new()),
                ("OPTIONS", path.clone(), origin.to_owned()),
                ("GET", format!("{path}/nowhere"), String::new()),
                (method, path.clone(), "Host: y\r\n".to_owned()),
            ]
        });
        let others = [
            ("GET", "/", ""),
            ("GET", &long, ""),
            ("GET", "/ws", ""),
            ("GET", "/ws", UPGRADE),
            ("GET", "/ws?token=x", UPGRADE),
            ("GET", "/ws?ticket=x", UPGRADE),
            ("GET", "/ws/generate", UPGRADE),
            ("GET", "/ws", &format!("{UPGRADE}Origin: https://evil.test\r\n")),
            ("GET", "/", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        ]
        .map(|(method, path, headers)| (method, path.to_owned(), headers.to_owned()));
        for (method, path, headers) in own.chain(others) {
            let (status, got) = ask(port, method, &path, &headers).await;
            let of = format!("{status} to {method} {path:.60} with {headers:?}: {got:?}");
            for name in ALWAYS {
                assert!(got.contains_key(name), "{name} is missing in {of}");
            }
            assert_eq!(got["x-content-type-options"], "nosniff", "{of}");
            assert!(got["strict-transport-security"].contains("max-age=31536000"), "{of}");
            if got.get("content-type").is_some_and(|kind| kind == "application/problem+json") {
                let policy = "default-src 'none'; frame-ancestors 'none'";
                assert_eq!(got["content-security-policy"], policy, "{of}");
                assert_eq!(got["cache-control"], "no-store", "{of}");
            }
            *statuses.entry(status).or_insert(0) += 1;
        }
    }
    // The errors that were meant did come.
    for status in [101, 400, 401, 403, 404, 405, 414, 415] {
        assert!(statuses.contains_key(&status), "{status} is not among {statuses:?}");
    }
}
