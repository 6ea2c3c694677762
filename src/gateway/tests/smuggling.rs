use super::harness::*;

/// How many answers came.
fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[tokio::test]
async fn a_request_that_proxies_could_read_differently_is_refused_and_ends_the_connection() {
    let port = port().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for head in [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    ] {
        let answer = exchange(port.address, format!("{head}{smuggled}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert_eq!(answers(&answer), 1, "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn after_a_chunked_request_the_connection_ends() {
    let port = port().await;
    let request = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let answer = exchange(port.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(answers(&answer), 1);
}

#[tokio::test]
async fn orderly_requests_may_follow_each_other() {
    let port = port().await;
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\n\n\n";
    let last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = exchange(port.address, format!("{post}{post}{last}").as_bytes()).await;
    assert_eq!(answers(&answer), 3, "{answer}");
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let port = port().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(exchange(port.address, preface).await, "", "closed without an answer");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let port = port().await;
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    let answer = exchange(port.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");

    for bytes in [20 * 1024, 1 << 20] {
        let long = "y".repeat(bytes);
        for request in [
            format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
            format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        ] {
            let answer = exchange(port.address, request.as_bytes()).await;
            // A reset may overtake the answer, since the server does not read all.
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
            assert!(!answer.contains("HTTP/1.1 404 "), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_address_that_is_too_long_is_refused() {
    let port = port().await;
    let status = async |url: &str| request(port.address, "GET", url, &[], "").await;
    let fits = format!("/{}", "a".repeat(4095));
    assert_eq!(status(&fits).await.status, 404);
    for long in [format!("{fits}a"), format!("/?{}", "a".repeat(4095)), format!("/ws?{fits}")] {
        let reply = status(&long).await;
        assert_eq!((reply.status, &*reply.code()), (414, "uri_too_long"));
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_waited_for() {
    let port = port().await;
    let head = "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n";
    let answer = exchange(port.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(answers(&answer), 1);
}
