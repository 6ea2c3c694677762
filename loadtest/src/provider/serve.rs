//! Connections of the stand-in: requests in, streams into the wheel.

use super::{
    Options,
    asked::{Answer, Asked, Unservable},
    connections::Connections,
    fault::{Fault, Mixture, Refusal},
    http::{self, Request, response},
    keys::Keys,
    log::{Call, CallId, End, Log},
    refusal,
    script::Script,
    stream::{Link, Source, Stream},
    wheel::{self, Wheel},
    wire::{Api, Wire},
};
use crate::clock;
use serde_json::json;
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
    connections: Arc<Connections>,
    wheel: Rc<RefCell<Wheel>>,
    script: RefCell<Script>,
    keys: RefCell<Keys>,
}

/// Serves until `stop`.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listener: net::TcpListener,
    (options, script): (Options, Script),
    (log, connections): (Arc<Log>, Arc<Connections>),
    stop: &CancellationToken,
) {
    runtime.block_on(LocalSet::new().run_until(async move {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let wheel = Rc::new(RefCell::new(Wheel::new()));
        spawn_local(wheel::turn(Rc::clone(&wheel)));
        let script = RefCell::new(script);
        let keys = RefCell::new(Keys::new(options.keys.clone()));
        let server = Rc::new(Server { options, log, connections, wheel, script, keys });
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

impl Server {
    async fn connection(&self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let (socket, mut read) = (Rc::new(socket), Vec::new());
        let mut place = self.connections.place();
        while let Some(Ok(Some(request))) =
            place.unless_hung_up(http::next_request(&socket, &mut read)).await
        {
            let _busy = place.busy();
            if let Some(api) = Api::of(&request.method, &request.path) {
                if self.complete(api, &request, &socket, &mut read).await {
                    continue;
                }
                return;
            }
            let body = match (request.method.as_str(), request.path.as_str()) {
                ("GET", "/log") => {
                    response("200 OK", "", "application/jsonl", &self.log.json_lines())
                }
                ("GET", path)
                    if path.ends_with("/models")
                        && !self.keys.borrow().is_valid(request.key.as_deref()) =>
                {
                    refusal::bytes(Refusal::Unauthorized).unwrap_or_default()
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
        let body = String::from_utf8_lossy(&request.body);
        let faults: Result<Vec<Fault>, _> = body.split_whitespace().map(str::parse).collect();
        match faults {
            Ok(faults) => {
                let mut script = self.script.borrow_mut();
                faults.into_iter().for_each(|fault| script.queue(request.run.as_deref(), fault));
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
        api: Api,
        request: &Request,
        socket: &Rc<TcpStream>,
        read: &mut Vec<u8>,
    ) -> bool {
        let start_us = clock::now_us();
        let (run, key) = (request.run.clone(), request.key.clone());
        let mut call = Call { run, key, start_us, ..Call::default() };
        let (asked, answer) = match self.prepare(api, request, &mut call) {
            Ok(ready) => ready,
            Err(Unservable { status, why }) => {
                call.refused = Some(why.clone());
                let id = self.log.begin(call);
                self.end(id, End::Refused, &Link::default());
                let body = response(status, "", "application/json", &error_json(&why));
                return write_all(socket, &body).await;
            }
        };
        let verdict = self.keys.borrow_mut().call(request.key.as_deref(), &asked.model);
        if let Some((status, body)) = verdict.refusal {
            call.fault = Some(format!("key {status}"));
            call.wait_ms = verdict.wait_ms;
            let id = self.log.begin(call);
            self.end(id, End::Fault, &Link::default());
            let body = response(status, &verdict.headers, "application/json", &body);
            return write_all(socket, &body).await;
        }
        let script = || self.script.borrow_mut().next_call(call.run.as_deref());
        let mixture = answer.named.clone().unwrap_or_else(script);
        call.fault = (mixture != Mixture::default()).then(|| mixture.to_string());
        if let Some(Refusal::RateLimited(wait)) = mixture.refusal() {
            call.wait_ms = wait.ms();
        }
        let id = self.log.begin(call);
        if let Some(refusal) = mixture.refusal() {
            if refusal == Refusal::Silent {
                http::closed(socket, read).await;
            }
            self.end(id, End::Fault, &Link::default());
            let Some(body) = refusal::bytes(refusal) else { return false };
            return write_all(socket, &body).await;
        }
        let link = Rc::new(Link::default());
        let head = api.head(&verdict.headers);
        let stream = stream(api, &asked, request, (answer, head), mixture, (socket, &link));
        self.wheel.borrow_mut().add(stream);
        let end = tokio::select! {
            biased;
            () = link.over.notified() => if link.faulted.get() { End::Fault } else { End::Done },
            () = http::closed(socket, read) => End::ClientClosed,
        };
        link.gone.set(true);
        self.end(id, end, &link);
        end == End::Done
    }

    /// Reads a request and decides the answer.
    fn prepare(
        &self,
        api: Api,
        request: &Request,
        call: &mut Call,
    ) -> Result<(Asked, Answer), Unservable> {
        let asked = Asked::read(request, api)?;
        call.model.clone_from(&asked.model);
        let earlier = call.run.as_deref().map_or(0, |run| self.log.calls_of(run));
        let Options { recordings, replay_rate, .. } = &self.options;
        let answer = asked.answer(api, earlier, recordings.as_deref(), *replay_rate, call)?;
        Ok((asked, answer))
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
}

fn stream(
    api: Api,
    asked: &Asked,
    request: &Request,
    (answer, head): (Answer, Vec<u8>),
    mixture: Mixture,
    (socket, link): (&Rc<TcpStream>, &Rc<Link>),
) -> Stream {
    let wire = Wire::new(api, &asked.model, &mixture);
    let mut unsent = head;
    if !matches!(answer.source, Source::Lines { .. }) {
        wire.open(&mut unsent, &mixture);
    }
    Stream {
        socket: Rc::clone(socket),
        link: Rc::clone(link),
        source: answer.source,
        wire,
        prompt_tokens: answer.usage.then_some(request.body.len() as u64 / 4),
        mixture,
        interval_us: 1_000_000_u64.checked_div(answer.rate).unwrap_or(0),
        due_us: clock::now_us(),
        unsent,
        line: None,
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
