//! A collector of traces: OTLP over HTTP. It reads protobuf by itself, so that what it reads is what
//! is on the wire.

use super::soon;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

/// The collector; ends when it is dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Taken>,
    _serving: JoinSet<()>,
}

/// What it has taken: bodies, with the head of each request.
#[derive(Default)]
struct Taken {
    requests: Mutex<Vec<(String, Vec<u8>)>>,
    came: Notify,
}

/// A span, and who sent it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) trace: Vec<u8>,
    /// 2: a server, 3: a client.
    pub(crate) kind: u64,
    /// 2: an error.
    pub(crate) status: u64,
    pub(crate) attributes: BTreeMap<String, Field>,
    pub(crate) resource: BTreeMap<String, Field>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Text(String),
    Int(i64),
    Bool(bool),
    List(Vec<Self>),
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Collector {
    /// One that takes what comes.
    pub(crate) async fn start() -> Self {
        Self::serve(true).await
    }

    /// One that never answers.
    pub(crate) async fn stuck() -> Self {
        Self::serve(false).await
    }

    async fn serve(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Taken>::default();
        let mut serving = JoinSet::new();
        let into = taken.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(take(stream, into.clone(), answers));
            }
        });
        Self { address, taken, _serving: serving }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` should be.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a request.
    pub(crate) async fn asked(&self) {
        soon("request to the collector", self.taken.came.notified()).await;
    }

    /// Heads and bodies of all requests so far.
    pub(crate) fn requests(&self) -> Vec<(String, Vec<u8>)> {
        self.taken.requests.lock().unwrap().clone()
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.requests().iter().flat_map(|(_, body)| spans(body)).collect()
    }
}

/// Takes the requests of one connection.
async fn take(mut stream: TcpStream, taken: Arc<Taken>, answers: bool) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = head {
                break end + 4;
            }
            if !more(&mut stream, &mut bytes).await {
                return;
            }
        };
        let head = String::from_utf8(bytes.drain(..end).collect()).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").parse().unwrap();
        while bytes.len() < length {
            if !more(&mut stream, &mut bytes).await {
                return;
            }
        }
        let body = bytes.drain(..length).collect();
        taken.requests.lock().unwrap().push((head, body));
        taken.came.notify_one();
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if answers && stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let mut read = [0; 4096];
    let count = stream.read(&mut read).await.unwrap_or(0);
    bytes.extend_from_slice(&read[..count]);
    count > 0
}

/// The fields of a message by their numbers; each number as often as it comes.
struct Message<'a>(Vec<(u64, Wire<'a>)>);

/// A field as it is on the wire.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    fn read(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let field = match key & 7 {
                0 => Wire::Number(varint(&mut bytes)),
                1 => Wire::Bytes(split(&mut bytes, 8)),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    Wire::Bytes(split(&mut bytes, length))
                }
                5 => Wire::Bytes(split(&mut bytes, 4)),
                other => panic!("{other} is no kind of a field"),
            };
            fields.push((key >> 3, field));
        }
        Self(fields)
    }

    fn all(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(of, field)| match field {
            Wire::Bytes(bytes) if *of == number => Some(*bytes),
            Wire::Bytes(_) | Wire::Number(_) => None,
        })
    }

    fn bytes(&self, number: u64) -> &'a [u8] {
        self.all(number).next().unwrap_or_default()
    }

    fn text(&self, number: u64) -> String {
        String::from_utf8(self.bytes(number).to_vec()).unwrap()
    }

    fn number(&self, number: u64) -> u64 {
        let found = self.0.iter().find_map(|(of, field)| match field {
            Wire::Number(value) if *of == number => Some(*value),
            Wire::Bytes(_) | Wire::Number(_) => None,
        });
        found.unwrap_or(0)
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = split(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(length);
    *bytes = rest;
    head
}

/// The spans of an `ExportTraceServiceRequest`.
fn spans(body: &[u8]) -> Vec<Span> {
    let mut all = Vec::new();
    for of_resource in Message::read(body).all(1) {
        let of_resource = Message::read(of_resource);
        let resource = attributes(&Message::read(of_resource.bytes(1)), 1);
        for of_scope in of_resource.all(2) {
            let spans = Message::read(of_scope);
            all.extend(spans.all(2).map(|span| {
                let span = Message::read(span);
                Span {
                    name: span.text(5),
                    trace: span.bytes(1).to_vec(),
                    id: span.bytes(2).to_vec(),
                    parent: span.bytes(4).to_vec(),
                    kind: span.number(6),
                    status: Message::read(span.bytes(15)).number(3),
                    attributes: attributes(&span, 9),
                    resource: resource.clone(),
                }
            }));
        }
    }
    all
}

fn attributes(message: &Message<'_>, number: u64) -> BTreeMap<String, Field> {
    let pair = |pair| {
        let pair = Message::read(pair);
        (pair.text(1), value(pair.bytes(2)))
    };
    message.all(number).map(pair).collect()
}

/// An `AnyValue`.
fn value(bytes: &[u8]) -> Field {
    let message = Message::read(bytes);
    match message.0.first() {
        Some((1, _)) => Field::Text(message.text(1)),
        Some((2, _)) => Field::Bool(message.number(2) == 1),
        Some((3, _)) => Field::Int(message.number(3).cast_signed()),
        Some((5, _)) => Field::List(Message::read(message.bytes(5)).all(1).map(value).collect()),
        _ => panic!("{bytes:?} is no value that is expected"),
    }
}
