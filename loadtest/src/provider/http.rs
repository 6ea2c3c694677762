//! The little HTTP/1.1 that the stand-in needs: one request at a time, with a length, kept alive.

use std::io;
use tokio::net::TcpStream;

/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Largest body: a prompt with all files of a project.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without its query.
    pub(super) path: String,
    /// Header `x-greenroom-run`.
    pub(super) run: Option<String>,
    /// The key of header `authorization`.
    pub(super) key: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The next request; none: the client has closed. `read` keeps what came after it.
///
/// # Errors
/// A broken socket, or bytes that are no request.
pub(super) async fn next_request(
    socket: &TcpStream,
    read: &mut Vec<u8>,
) -> io::Result<Option<Request>> {
    loop {
        if let Some((request, len)) = parse(read)? {
            read.drain(..len);
            return Ok(Some(request));
        }
        if !fill(socket, read).await? {
            return Ok(None);
        }
    }
}

/// Returns once the client has closed or broken the connection.
pub(super) async fn closed(socket: &TcpStream, read: &mut Vec<u8>) {
    // A client that sends on while it is answered is held back by its own socket.
    while read.len() < HEAD_BYTES_MAX {
        if !matches!(fill(socket, read).await, Ok(true)) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

async fn fill(socket: &TcpStream, read: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        socket.readable().await?;
        match socket.try_read_buf(read) {
            Ok(n) => return Ok(n > 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// A request and its length, once all of it is there.
fn parse(read: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if read.len() > HEAD_BYTES_MAX {
            Err(bad("the head is too long"))
        } else {
            Ok(None)
        };
    };
    let head = String::from_utf8_lossy(read.get(..end).unwrap_or_default()).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(bad("no request line"));
    };
    let (mut run, mut key, mut length) = (None, None, 0_usize);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(|_| bad("content-length"))?,
            "transfer-encoding" => return Err(bad("send the body with a content-length")),
            "x-greenroom-run" => run = Some(value.trim().to_owned()),
            "authorization" => key = value.trim().strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    if length > BODY_BYTES_MAX {
        return Err(bad("the body is too long"));
    }
    let whole = end + 4 + length;
    let Some(body) = read.get(end + 4..whole) else { return Ok(None) };
    let path = target.split('?').next().unwrap_or_default().to_owned();
    Ok(Some((Request { method: method.to_owned(), path, run, key, body: body.to_vec() }, whole)))
}

/// A whole answer with a body.
pub(super) fn response(status: &str, headers: &str, kind: &str, body: &str) -> Vec<u8> {
    let len = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{headers}content-length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_once_all_of_it_is_there() {
        let bytes = b"POST /v1/chat/completions?x=1 HTTP/1.1\r\nContent-Length: 2\r\n\
                      X-Greenroom-Run: run_1\r\nAuthorization: Bearer k\r\n\r\n{}GET ";
        for cut in 0..bytes.len() - 4 {
            assert_eq!(parse(&bytes[..cut]).unwrap(), None, "cut at {cut}");
        }
        let (request, len) = parse(bytes).unwrap().unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/v1/chat/completions")
        );
        assert_eq!((request.run.as_deref(), request.body.as_slice()), (Some("run_1"), &b"{}"[..]));
        assert_eq!(request.key.as_deref(), Some("k"));
        assert_eq!(len, bytes.len() - 4);
    }

    #[test]
    fn what_is_no_request_or_too_long_is_refused() {
        assert!(parse(b"x\r\n\r\n").is_err());
        assert!(parse(&vec![b'x'; HEAD_BYTES_MAX + 1]).is_err());
        assert!(parse(b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n").is_err());
    }
}
