//! A connection of the public port, from its first byte: what comes back is whole answers, each
//! with the headers that protect pages, none an error of ours, and nothing after the last.
#![no_main]

use greenroom::gateway::fuzzing::Edge;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static EDGE: LazyLock<Edge> = LazyLock::new(|| Edge::new().expect("a port"));

const PROTECT: [&str; 3] =
    ["content-security-policy: ", "x-content-type-options: nosniff", "referrer-policy: "];

fn check(mut answers: &str) {
    while !answers.is_empty() {
        let (head, rest) = answers.split_once("\r\n\r\n").expect("a whole head");
        // A client of HTTP/1.0 is answered in that.
        let status = head.strip_prefix("HTTP/1.").and_then(|head| head.get(2..5));
        let status: u16 = status.and_then(|status| status.parse().ok()).expect("a status");
        if status == 100 {
            answers = rest;
            continue;
        }
        assert!((200..500).contains(&status) || matches!(status, 101 | 503), "{head}");
        // hyper itself answers what is no HTTP, with nothing but a status.
        let ours = head.contains("\r\nx-request-id: ");
        assert!(ours || matches!(status, 400 | 414 | 431), "{head}");
        assert!(!ours || PROTECT.iter().all(|name| head.contains(name)), "{head}");
        if status == 101 {
            return;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
        // The answer to HEAD has a length and no body.
        let has_body = length > 0 && !rest.is_empty() && !rest.starts_with("HTTP/1.");
        answers = if has_body { rest.get(length..).expect("a whole body") } else { rest };
        let last = head.lines().any(|line| line == "connection: close");
        assert!(!last || answers.is_empty(), "{head}\n{answers}");
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let answers = EDGE.exchange(bytes, usize::from(*piece) * 8);
    check(&String::from_utf8_lossy(&answers));
});
