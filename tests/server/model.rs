//! An OpenAI-compatible server that answers by a script.

use super::soon;
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// Calls whose end is not looked at; more than any test makes.
const CALLS_MAX: usize = 16;

/// What the hub's instructions say.
const HUB: &str = "You are the planner of an app workspace.";

/// What the server answers. `@@TAG ` becomes the marker of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Script {
    /// This text, and the end.
    Whole(&'static str),
    /// The same, and what it used.
    Counted(&'static str),
    /// This text, and then nothing until the caller leaves.
    Unfinished(&'static str),
    /// These texts, one a call; the last one from then on.
    Turns(&'static [&'static str]),
    /// To the hub the first of these texts, the second where that was of no use; to others
    /// [`Model::FILE`].
    Hub([&'static str; 2]),
    /// That a limit is used up for so many seconds.
    Limited(u32),
}

/// The server; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Model {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    left: mpsc::Receiver<()>,
    _serving: JoinSet<()>,
}

impl Model {
    /// The model that answers, whichever was asked for.
    pub(crate) const NAME: &str = "a-model-of-today";

    /// What [`Script::Counted`] is said to have used.
    pub(crate) const INPUT_TOKENS: i64 = 1234;
    pub(crate) const OUTPUT_TOKENS: i64 = 56;

    /// An answer with a file.
    const FILE: &str = "Here it is.\n@@TAG write index.html\n<p>Hello</p>\n@@TAG end\n";

    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, left) = mpsc::channel(CALLS_MAX);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut calls = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                calls.spawn(answer(stream, script, number, tell.clone()));
            }
        });
        Self { address, calls, left, _serving: serving }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Waits until a caller has left before the end of its answer.
    pub(crate) async fn left(&mut self) {
        soon("leaving of a caller", self.left.recv()).await.expect("it serves");
    }
}

async fn answer(mut stream: TcpStream, script: Script, number: usize, left: mpsc::Sender<()>) {
    let Some(request) = read(&mut stream).await else { return };
    let tag = tag(&request);
    let (text, whole) = match script {
        Script::Whole(text) | Script::Counted(text) => (text, true),
        Script::Unfinished(text) => (text, false),
        Script::Limited(secs) => return refuse(stream, secs).await,
        Script::Turns(texts) => (texts[number.min(texts.len() - 1)], true),
        Script::Hub(_) if !request.contains(HUB) => (Model::FILE, true),
        Script::Hub([first, again]) => {
            (if request.contains("Your answer could not be used: ") { again } else { first }, true)
        }
    };
    let text =
        tag.map_or_else(|| text.to_owned(), |tag| text.replace("@@TAG ", &format!("@@{tag} ")));
    let mut body = chunk(&json!({ "content": text }), None);
    if whole {
        body += &chunk(&json!({}), Some("stop"));
    }
    if let Script::Counted(_) = script {
        let (input, output) = (Model::INPUT_TOKENS, Model::OUTPUT_TOKENS);
        let usage = json!({ "prompt_tokens": input, "completion_tokens": output });
        body += &format!("data: {}\n\n", json!({ "choices": [], "usage": usage }));
    }
    if whole {
        body += "data: [DONE]\n\n";
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() || whole {
        return;
    }
    let mut rest = [0; 64];
    while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
    let _ = left.send(()).await;
}

async fn refuse(mut stream: TcpStream, retry_after_secs: u32) {
    let head = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\nconnection: close\r\n";
    let answer = format!("{head}retry-after: {retry_after_secs}\r\n\r\n{{}}");
    let _ = stream.write_all(answer.as_bytes()).await; // who is gone needs no answer
}

fn chunk(delta: &serde_json::Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "model": Model::NAME, "choices": [choice] });
    format!("data: {chunk}\n\n")
}

/// A request's body.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        let n = stream.read(&mut more).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&more[..n]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase();
        let length = length.split_once("content-length: ").expect("a length").1;
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        if body.len() >= length {
            return Some(body.to_owned());
        }
    }
}

/// The first `@@xxxxxx ` of a request, which the system message of a run brings.
fn tag(request: &str) -> Option<&str> {
    let is_tag = |tag: &&str| tag.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
    let mut places =
        request.match_indices("@@").filter(|(at, _)| request.get(at + 8..at + 9) == Some(" "));
    places.find_map(|(at, _)| request.get(at + 2..at + 8).filter(is_tag))
}
