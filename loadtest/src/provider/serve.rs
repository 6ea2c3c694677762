//! Connections of the stand-in: requests in, streams into the wheel.

use super::{
    Options, app,
    fault::{FaultKind, Faults},
    http::{self, Request, response},
    log::{AppCall, Call, CallId, End, Log},
    model::{Behaviour, Model},
    prompt,
    sse::{self, Chunks, Usage},
    stream::{Link, Source, Stream},
    wheel::{self, Wheel},
};
use crate::clock;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{cell::RefCell, net, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
    time,
};
use tokio_util::sync::CancellationToken;

/// How long a client may take to take the rest of an answer that has ended.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What all connections share.
struct Server {
    options: Options,
    log: Arc<Log>,
    wheel: Rc<RefCell<Wheel>>,
    faults: RefCell<Faults>,
}

/// Serves until `stop`.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listener: net::TcpListener,
    options: Options,
    log: Arc<Log>,
    stop: &CancellationToken,
) {
    runtime.block_on(LocalSet::new().run_until(async move {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let wheel = Rc::new(RefCell::new(Wheel::new()));
        spawn_local(wheel::turn(Rc::clone(&wheel)));
        let faults = RefCell::new(Faults::new(options.fault_percent, options.seed));
        let server = Rc::new(Server { options, log, wheel, faults });
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let Ok((socket, _)) = accepted else {
                time::sleep(Duration::from_millis(20)).await; // out of descriptors: no busy loop
                continue;
            };
            let server = Rc::clone(&server);
            spawn_local(async move { server.connection(socket).await });
        }
    }));
}

/// Body of a chat completion.
#[derive(Deserialize)]
struct Asked {
    model: String,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

impl Message {
    /// The text, also where it comes in parts.
    fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
        }
    }
}

/// An answer that is ready to be streamed.
struct Answer {
    source: Source,
    rate: u64,
}

/// Why a request gets no stream.
struct Refusal {
    status: &'static str,
    why: String,
}

impl Server {
    async fn connection(&self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let (socket, mut read) = (Rc::new(socket), Vec::new());
        while let Ok(Some(request)) = http::next_request(&socket, &mut read).await {
            let body = match (request.method.as_str(), request.path.as_str()) {
                ("POST", path) if path.ends_with("/chat/completions") => {
                    if self.complete(&request, &socket, &mut read).await {
                        continue;
                    }
                    return;
                }
                ("GET", "/log") => {
                    response("200 OK", "", "application/jsonl", &self.log.json_lines())
                }
                ("GET", path) if path.ends_with("/models") => {
                    let models =
                        ["m-50-1000", "app-100-1"].map(|id| json!({"id": id, "object": "model"}));
                    let list = json!({"object": "list", "data": models});
                    response("200 OK", "", "application/json", &list.to_string())
                }
                ("POST", "/faults") => self.queue_fault(&request),
                _ => response("404 Not Found", "", "application/json", &error_json("no such path")),
            };
            if !write_all(&socket, &body).await {
                return;
            }
        }
    }

    fn queue_fault(&self, request: &Request) -> Vec<u8> {
        match String::from_utf8_lossy(&request.body).trim().parse() {
            Ok(fault) => {
                self.faults.borrow_mut().queue(fault);
                response("204 No Content", "", "text/plain", "")
            }
            Err(error) => {
                response("400 Bad Request", "", "application/json", &error_json(&error.to_string()))
            }
        }
    }

    /// Answers one call; false: the connection is over.
    async fn complete(
        &self,
        request: &Request,
        socket: &Rc<TcpStream>,
        read: &mut Vec<u8>,
    ) -> bool {
        let start_us = clock::now_us();
        let mut call = Call { run: request.run.clone(), start_us, ..Call::default() };
        let (asked, answer, fault) = match self.prepare(request, &mut call) {
            Ok(ready) => ready,
            Err(Refusal { status, why }) => {
                call.refused = Some(why.clone());
                let id = self.log.begin(call);
                self.end(id, End::Refused, &Link::default());
                return write_all(
                    socket,
                    &response(status, "", "application/json", &error_json(&why)),
                )
                .await;
            }
        };
        call.fault = fault.map(|fault| fault.to_string());
        let id = self.log.begin(call);
        if let Some(status) = fault.and_then(|fault| match fault {
            FaultKind::RateLimited => Some("429 Too Many Requests"),
            FaultKind::Failed => Some("500 Internal Server Error"),
            FaultKind::Cut(_) | FaultKind::Stall(_) | FaultKind::Error(_) => None,
        }) {
            self.end(id, End::Fault, &Link::default());
            let body = error_json("the stand-in was told to refuse this call");
            return write_all(
                socket,
                &response(status, "retry-after: 1\r\n", "application/json", &body),
            )
            .await;
        }
        let link = Rc::new(Link::default());
        self.wheel.borrow_mut().add(stream(
            &asked,
            request.body.len(),
            answer,
            fault,
            socket,
            &link,
        ));
        let end = tokio::select! {
            biased;
            () = link.over.notified() => if link.faulted.get() { End::Fault } else { End::Done },
            () = http::closed(socket, read) => End::ClientClosed,
        };
        link.gone.set(true);
        self.end(id, end, &link);
        end == End::Done
    }

    fn end(&self, id: CallId, end: End, link: &Link) {
        self.log.end(id, |call| {
            call.end = Some(end);
            call.end_us = clock::now_us();
            call.first_us = link.first_us.get();
            call.tokens = link.tokens.get();
            call.bytes = link.bytes.get();
        });
    }

    /// Reads a request, decides the answer and the fault.
    fn prepare(
        &self,
        request: &Request,
        call: &mut Call,
    ) -> Result<(Asked, Answer, Option<FaultKind>), Refusal> {
        let bad = |why: String| Refusal { status: "400 Bad Request", why };
        let asked: Asked =
            serde_json::from_slice(&request.body).map_err(|error| bad(error.to_string()))?;
        call.model.clone_from(&asked.model);
        if !asked.stream {
            return Err(bad("only stream: true is served".into()));
        }
        let unknown = |why: String| Refusal { status: "404 Not Found", why };
        let model: Model = asked
            .model
            .parse()
            .map_err(|error: super::model::ModelError| unknown(error.to_string()))?;
        let earlier = call.run.as_deref().map_or(0, |run| self.log.calls_of(run));
        let named = model.faults.iter().find(|fault| (fault.times as usize) > earlier);
        let fault = named.map(|fault| fault.kind).or_else(|| self.faults.borrow_mut().next_call());
        let answer = match model.behaviour {
            Behaviour::Stamps { rate, count } => {
                Answer { source: Source::Stamps { left: count }, rate }
            }
            Behaviour::App { rate, seed } => {
                Answer { source: app_source(&asked, seed, call).map_err(bad)?, rate }
            }
            Behaviour::Replay { file } => Answer {
                source: self.recording(&file).map_err(unknown)?,
                rate: self.options.replay_rate,
            },
        };
        Ok((asked, answer, fault))
    }

    fn recording(&self, file: &str) -> Result<Source, String> {
        let folder = self.options.recordings.as_ref().ok_or("no folder of recordings was given")?;
        let path = folder.join(format!("{file}.chunks.txt"));
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let lines = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        Ok(Source::Lines { lines, next: 0 })
    }
}

/// The answer of an `app` model to a prompt of the engine.
fn app_source(asked: &Asked, seed: String, call: &mut Call) -> Result<Source, String> {
    let system = asked.messages.iter().find(|message| message.role == "system");
    let user = asked.messages.iter().rfind(|message| message.role == "user");
    let system = system.map(Message::text).unwrap_or_default();
    let user = user.map(Message::text).unwrap_or_default();
    let prompt = prompt::read(&system, &user).map_err(|error| error.to_string())?;
    let steps = app::plan(&seed, &prompt.request, &prompt.files);
    call.continues = prompt.cut_off.is_some();
    let answer = app::text(&app::rest(steps, &prompt)?, &prompt.tag);
    let (text, ends) = (Arc::from(answer.as_str()), app::tokens(&answer).into_iter());
    let app =
        AppCall { seed, request: prompt.request, files: prompt.files, answer, tag: prompt.tag };
    call.app = Some(Arc::new(app));
    Ok(Source::Text { text, ends, at: 0 })
}

fn stream(
    asked: &Asked,
    prompt_bytes: usize,
    answer: Answer,
    fault: Option<FaultKind>,
    socket: &Rc<TcpStream>,
    link: &Rc<Link>,
) -> Stream {
    let chunks = Chunks::new(&asked.model);
    let mut unsent = sse::HEAD.to_vec();
    if !matches!(answer.source, Source::Lines { .. }) {
        chunks.role(&mut unsent);
    }
    let wanted = asked.stream_options.as_ref().is_some_and(|options| options.include_usage);
    Stream {
        socket: Rc::clone(socket),
        link: Rc::clone(link),
        source: answer.source,
        chunks,
        usage: wanted.then_some(Usage { prompt: prompt_bytes as u64 / 4, completion: 0 }),
        fault,
        interval_us: 1_000_000_u64.checked_div(answer.rate).unwrap_or(0),
        due_us: clock::now_us(),
        unsent,
        ended: false,
    }
}

fn error_json(message: &str) -> String {
    json!({"error": {"message": message, "type": "invalid_request_error"}}).to_string()
}

/// Writes a small answer; false: the client is gone or takes too long.
async fn write_all(socket: &TcpStream, mut bytes: &[u8]) -> bool {
    let write = async {
        while !bytes.is_empty() {
            socket.writable().await.ok()?;
            match socket.try_write(bytes) {
                Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
        Some(())
    };
    matches!(time::timeout(WRITE_TIMEOUT, write).await, Ok(Some(())))
}
