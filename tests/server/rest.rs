//! A client of the REST interface.

use super::{Server, User, process::http, soon};
use bytes::Bytes;
use futures_util::StreamExt as _;
use greenroom_protocol::{
    frame::Entry,
    id::{Cursor, Epoch, Seq, SessionId},
};
use http::HeaderMap;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    pin::Pin,
};

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header that must be there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// The answer as JSON; it must have this status.
    pub(crate) fn with(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:?}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The status and the code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }
}

/// A request that is put together.
pub(crate) struct Ask(reqwest::RequestBuilder);

impl Server {
    /// A request to a path below `/api/v1`.
    pub(crate) fn rest(&self, method: &str, path: &str) -> Ask {
        let url = format!("http://{}/api/v1{path}", self.public);
        Ask(http().request(method.parse().unwrap(), url))
    }

    /// A `GET` of a user that must succeed, as JSON.
    pub(crate) async fn get(&self, user: &User, path: &str) -> Value {
        self.rest("GET", path).by(user).send().await.with(200)
    }

    /// Creates a session over REST.
    pub(crate) async fn create(&self, user: &User) -> SessionId {
        let body = serde_json::json!({ "title": "a test" });
        let made = self.rest("POST", "/sessions").by(user).json(&body).send().await.with(201);
        made["session"].as_str().unwrap().parse().unwrap()
    }

    /// Starts a run over REST; what was answered.
    pub(crate) async fn start_run(&self, user: &User, session: SessionId, prompt: &str) -> Value {
        let (path, body) =
            (format!("/sessions/{session}/runs"), serde_json::json!({ "input": prompt }));
        self.rest("POST", &path).by(user).json(&body).send().await.with(202)
    }

    /// Polls a session's events from its start until one is wanted.
    pub(crate) async fn poll_until(
        &self,
        user: &User,
        session: SessionId,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Vec<Entry> {
        let (mut entries, mut after): (Vec<Entry>, _) = (Vec::new(), "start".to_owned());
        loop {
            let path = format!("/sessions/{session}/events?wait_ms=20000&after={after}");
            let page = self.get(user, &path).await;
            after = page["cursor"].as_str().unwrap().to_owned();
            for entry in page["entries"].as_array().unwrap() {
                entries.push(serde_json::from_value(entry.clone()).unwrap());
                if entries.last().is_some_and(&wanted) {
                    return entries;
                }
            }
        }
    }

    /// Streams a session's events from its start until one is wanted, over connections that end
    /// after `piece` entries each, whatever is under way; and how many there were.
    pub(crate) async fn stream_until(
        &self,
        user: &User,
        session: SessionId,
        piece: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> (Vec<Entry>, usize) {
        let path = format!("/sessions/{session}/events");
        let (mut entries, mut last_id, mut streams) = (Vec::new(), None::<String>, 0);
        while !entries.last().is_some_and(&wanted) {
            let mut ask = self.rest("GET", &path).by(user);
            if let Some(id) = &last_id {
                ask = ask.header("last-event-id", id);
            }
            let (mut stream, end) = (ask.stream().await, entries.len() + piece);
            streams += 1;
            while entries.len() < end
                && !entries.last().is_some_and(&wanted)
                && let Some(event) = stream.next().await
            {
                entries.extend(event.entry());
                last_id = event.id.or(last_id);
            }
        }
        (entries, streams)
    }

    /// All files of a session, one by one.
    pub(crate) async fn files(&self, user: &User, session: SessionId) -> BTreeMap<String, Vec<u8>> {
        let page = self.get(user, &format!("/sessions/{session}/files")).await;
        let mut files = BTreeMap::new();
        for file in page["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            let reply = self.rest("GET", &format!("/sessions/{session}/files/{path}"));
            let reply = reply.by(user).send().await;
            assert_eq!(reply.status, 200, "{reply:?}");
            files.insert(path.to_owned(), reply.body.to_vec());
        }
        files
    }

    /// All files of a session, out of its archive.
    pub(crate) async fn archived(
        &self,
        user: &User,
        session: SessionId,
    ) -> BTreeMap<String, Vec<u8>> {
        let reply = self.rest("GET", &format!("/sessions/{session}/archive.zip")).by(user).send();
        let reply = reply.await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let mut archive = zip::ZipArchive::new(io::Cursor::new(reply.body)).unwrap();
        let mut files = BTreeMap::new();
        for i in 0..archive.len() {
            let mut file = archive.by_index(i).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            files.insert(file.name().unwrap().into_owned(), bytes);
        }
        files
    }
}

impl Ask {
    pub(crate) fn by(self, user: &User) -> Self {
        Self(self.0.bearer_auth(&user.access))
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    pub(crate) async fn send(self) -> Reply {
        let answer = soon("answer", self.0.send()).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = soon("body", answer.bytes()).await.unwrap();
        Reply { status, headers, body }
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(self) -> EventStream {
        let request = self.0.header("accept", "text/event-stream");
        let answer = soon("stream", request.send()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let headers = answer.headers().clone();
        EventStream { headers, body: Box::pin(answer.bytes_stream()), rest: Vec::new() }
    }
}

/// A stream of events as a browser reads it; cut off when it is dropped.
pub(crate) struct EventStream {
    pub(crate) headers: HeaderMap,
    body: Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Bytes>> + Send>>,
    /// What came and is no whole event yet.
    rest: Vec<u8>,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamEvent {
    /// Empty: an entry of the log.
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl StreamEvent {
    pub(crate) fn entry(&self) -> Option<Entry> {
        if !self.name.is_empty() {
            return None;
        }
        let entry: Entry = serde_json::from_value(self.data.clone()).unwrap();
        let cursor = cursor(self.id.as_deref().expect("an entry has an id"));
        assert_eq!(cursor.seq, entry.seq, "the id is the entry's cursor");
        Some(entry)
    }
}

/// A cursor from its text.
pub(crate) fn cursor(text: &str) -> Cursor {
    let (epoch, seq) = text.split_once('.').unwrap();
    Cursor { epoch: Epoch(epoch.parse().unwrap()), seq: Seq(seq.parse().unwrap()) }
}

impl EventStream {
    /// The next event; none: the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.rest.drain(..end + 2).collect();
                if let Some(event) = event(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            let chunk = soon("chunk", self.body.next()).await?.expect("it ends whole");
            self.rest.extend_from_slice(&chunk);
        }
    }
}

fn event(block: &str) -> Option<StreamEvent> {
    let field = |name: &str| {
        let mut lines = block.lines().filter_map(|line| line.strip_prefix(name));
        lines.next().map(|value| value.trim_start().to_owned())
    };
    let data = serde_json::from_str(&field("data:")?).unwrap();
    Some(StreamEvent { name: field("event:").unwrap_or_default(), id: field("id:"), data })
}
